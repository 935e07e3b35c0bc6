"""Least squares: the truth from noiseless data, and the columns that a user gets."""

from __future__ import annotations

import importlib

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw._law.units import rescale
from bayeslaw.fitting.least_squares import predict

CATALOGUE = [bl.laws.find(name) for name in bl.laws.names()]
# At the reference scale.
VALUES = {
    "Floor": 0.7,
    "Amplitude": 1.5,
    "Exponent": 0.4,
    "Scale": 2.0,
    "Shape": 1.3,
    "Fraction": 0.6,
    "Rate": 0.1,
    "Real": 0.3,
    "Curvature": 1.2,
}
OWN_VALUES = {
    ("annealing", "C"): 0.01,  # annealing may not cost more than the loss
    # Breaks that are narrow and far apart: wide ones next to each other are one.
    ("broken_2", "d_1"): 0.3,
    ("broken_2", "f_1"): 0.3,
    ("broken_2", "g_2"): 20.0,
    ("broken_2", "f_2"): 0.3,
    ("curvature", "N_0"): 1.0,  # held; the other parameters are those at the reference
    ("log_log_linear", "a"): 0.2,  # the response is positive at the smallest size
    ("loss_to_loss", "E_0"): 0.01,  # below the smallest loss
}
REFERENCE = 1e7  # in the middle of the runs
# Ends of the runs where a predictor has no unit: epochs, bits, experts, samples drawn.
COUNTS = {"epochs": (1, 16), "P": (2, 16), "E": (1, 128), "k": (1, 100), "N": (1, 100)}
every_law = pytest.mark.parametrize("law", CATALOGUE, ids=lambda law: law.name)
# One law of each kind of coordinates, with and without the parameter that is held, and one of each
# role that may be held in a sum of terms.
FIXABLE = ["annealing", "chinchilla", "critical_batch", "curvature", "inverse_log", "log_linear"]
FIXABLE += ["loss_to_loss", "mixture_of_experts", "power", "pure_power"]


def values_of(law: bl.Law, factor: float = 1.0) -> dict[str, float]:
    """Parameters at the reference scale."""
    return {
        name: OWN_VALUES.get((law.name, name)) or factor * VALUES[role.name]
        for name, role in law.parameters.items()
    }


def truth_of(law: bl.Law, factor: float = 1.0) -> dict[str, float]:
    """Parameters in units of the runs."""
    reference = dict.fromkeys(law.predictors, REFERENCE)
    return {name: float(x) for name, x in rescale(law, reference, values_of(law, factor)).items()}


def sizes_of(law: bl.Law, runs: int = 24) -> dict[str, np.ndarray]:
    """Predictors that are not monotone in each other."""
    rng, around = np.random.default_rng(1), (REFERENCE * np.exp(-4), REFERENCE * np.exp(4))
    ends = {name: COUNTS[name] if name in law.unitless else around for name in law.predictors}
    return {name: rng.permutation(np.geomspace(*each, runs)) for name, each in ends.items()}


def noiseless(law: bl.Law, factors: tuple[float, ...] = (1.0,)) -> tuple[xr.Dataset, pd.DataFrame]:
    """Runs of one or more curves without noise, and their parameters."""
    truths, at = [truth_of(law, factor) for factor in factors], sizes_of(law)
    rows = [
        pd.DataFrame({**at, "loss": law(*at.values(), **truth), "task": f"task{i}"})
        for i, truth in enumerate(truths)
    ]
    runs = bl.read_runs(
        pd.concat(rows, ignore_index=True),
        predictors=list(law.predictors),
        groups=["task"] if len(factors) > 1 else [],
        reference={name: REFERENCE for name in law.predictors if name not in law.unitless},
    )
    return runs, pd.DataFrame(truths)


@every_law
def test_noiseless_data_give_every_curve_its_truth(law: bl.Law) -> None:
    runs, truth = noiseless(law, (1.0, 0.8, 1.1))
    estimates = bl.least_squares(bl.Model(law, pooling=["task"]), runs)
    assert list(estimates.index) == ["task0", "task1", "task2"]
    assert estimates.index.name == "curve"
    assert list(estimates.columns) == [*law.parameters, "rmsle", "objective", "converged"]
    np.testing.assert_allclose(estimates[list(law.parameters)], truth, rtol=1e-6)
    np.testing.assert_allclose(predict(law, estimates, runs), runs["loss"], rtol=1e-8)
    assert np.all(estimates["rmsle"] < 1e-9)
    assert estimates["converged"].dtype == bool
    assert estimates["converged"].all()


@pytest.mark.parametrize("name", ["power", "chinchilla"])
def test_runs_without_groups_are_one_curve(name: str) -> None:
    law = bl.laws.find(name)
    runs, truth = noiseless(law)
    estimates = bl.least_squares(bl.Model(law), runs)
    assert list(estimates.index) == ["all"]
    np.testing.assert_allclose(estimates[list(law.parameters)], truth, rtol=1e-6)
    assert estimates.loc["all", "rmsle"] < 1e-9
    assert estimates["converged"].all()


@pytest.mark.parametrize("law", [bl.laws.find(name) for name in FIXABLE], ids=FIXABLE)
def test_fixed_parameters_keep_their_value(law: bl.Law) -> None:
    runs, truth = noiseless(law)
    at_reference = values_of(law)
    unmoved = [n for n in law.parameters if truth[n].item() == pytest.approx(at_reference[n])]
    name = unmoved[-1]
    model = bl.Model(law, priors={name: bl.Fixed(at_reference[name])})
    estimates = bl.least_squares(model, runs)
    np.testing.assert_allclose(estimates[list(law.parameters)], truth, rtol=1e-6)
    other = bl.Model(law, priors={name: bl.Fixed(1.2 * at_reference[name])})
    fixed = bl.least_squares(other, runs)
    assert fixed.loc["all", name] == pytest.approx(1.2 * at_reference[name])
    assert fixed.loc["all", "rmsle"] > 1e-4


def test_tied_parameters_are_equal() -> None:
    @bl.law
    def additive(
        N,
        D,
        *,
        E: bl.Floor,
        A: bl.Amplitude,
        alpha: bl.Exponent,
        B: bl.Amplitude,
        beta: bl.Exponent,
    ):
        """Additive power laws."""
        return E + A * N**-alpha + B * D**-beta

    runs, truth = noiseless(additive)
    estimates = bl.least_squares(bl.Model(additive, tie={"beta": "alpha"}), runs)
    assert estimates.loc["all", "alpha"] == estimates.loc["all", "beta"]
    np.testing.assert_allclose(estimates[list(additive.parameters)], truth, rtol=1e-6)


def test_it_is_the_optimum(crossed_split: tuple[xr.Dataset, xr.Dataset]) -> None:
    """With noise, no small step of a parameter fits better."""
    train = crossed_split[0]
    estimates = bl.least_squares(bl.Model(bl.laws.power, pooling=["task", "dataset"]), train)

    def squares(parameters: pd.DataFrame) -> np.ndarray:
        error = np.log(predict(bl.laws.power, parameters, train) / train["loss"].values) ** 2
        curve = np.char.add(np.char.add(train["task"].values, " / "), train["dataset"].values)
        return pd.Series(error, index=curve).groupby(level=0, sort=False).mean().values

    best = squares(estimates)
    np.testing.assert_allclose(np.sqrt(best), estimates["rmsle"], rtol=1e-6)
    for name in ("L0", "k", "alpha"):
        for step in (0.999, 1.001):
            assert np.all(squares(estimates.assign(**{name: estimates[name] * step})) > best)


def huber_sum(residual: np.ndarray, delta: float) -> float:
    size = np.abs(residual)
    return float(np.where(size <= delta, size**2 / 2, delta * size - delta**2 / 2).sum())


@pytest.mark.parametrize("delta", [1e-3, 1e-2])
def test_huber_is_the_optimum(lone_runs: xr.Dataset, delta: float) -> None:
    loss = lone_runs["loss"] * np.where(np.arange(30) % 7 == 0, 1.2, 1.0)
    runs, model = lone_runs.assign(loss=loss), bl.Model(bl.laws.power)
    estimates = bl.least_squares(model, runs, huber=delta)

    def objective(parameters: pd.DataFrame) -> float:
        return huber_sum(np.log(loss.values / predict(model.law, parameters, runs)), delta)

    best = estimates.loc["all", "objective"]
    assert estimates.loc["all", "converged"]
    assert objective(estimates) == pytest.approx(best, rel=1e-12)
    for name in ("L0", "k", "alpha"):
        for step in (0.999, 1.001):
            assert objective(estimates.assign(**{name: estimates[name] * step})) > best
    outliers_pull = bl.least_squares(model, runs)
    assert objective(outliers_pull) > best


def test_wide_huber_is_squares(lone_runs: xr.Dataset) -> None:
    model = bl.Model(bl.laws.power)
    squares, wide = (bl.least_squares(model, lone_runs, huber=h) for h in (None, 10.0))
    np.testing.assert_allclose(wide.drop(columns="converged"), squares.drop(columns="converged"))
    assert squares["objective"].item() == pytest.approx(30 / 2 * squares["rmsle"].item() ** 2)


@pytest.mark.parametrize("huber", [0, -1.0, np.inf, np.nan])
def test_huber_is_a_size(lone_runs: xr.Dataset, huber: float) -> None:
    with pytest.raises(ValueError, match=rf"huber must be .* above 0, got {huber}"):
        bl.least_squares(bl.Model(bl.laws.power), lone_runs, huber=huber)


def test_an_optimum_of_one_start_only_has_not_converged(
    lone_runs: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("bayeslaw.fitting.least_squares")
    monkeypatch.setattr(module, "STARTS", 1)
    exact, model = noiseless(bl.laws.power)[0], bl.Model(bl.laws.power)
    assert not bl.least_squares(model, lone_runs)["converged"].item()
    assert bl.least_squares(model, exact)["converged"].item()


def test_where_a_step_still_gains_it_has_not_converged(
    lone_runs: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("bayeslaw.fitting.least_squares")
    monkeypatch.setattr(module, "MAX_STEPS", 1)
    assert not bl.least_squares(bl.Model(bl.laws.power), lone_runs)["converged"].item()


def test_a_floor_at_zero_is_an_optimum() -> None:
    """A curve that is concave in log-log: the best floor is zero, which is only approached."""
    at = np.geomspace(1e6, 1e9, 12)
    loss = 30 * at**-0.1 * np.exp(-0.01 * np.log(at / 1e7) ** 2)
    runs = bl.read_runs(pd.DataFrame({"N": at, "loss": loss}), predictors=["N"])
    estimates = bl.least_squares(bl.Model(bl.laws.power), runs).loc["all"]
    without = bl.least_squares(bl.Model(bl.laws.pure_power), runs).loc["all"]
    assert estimates["L0"] < 1e-6
    assert estimates["objective"] == pytest.approx(without["objective"], rel=1e-5)
    assert estimates["converged"]


def test_a_local_optimum_is_escaped() -> None:
    """The MAP mode and more than half of the random starts lead to a worse optimum."""
    law = bl.laws.find("broken_2")
    model = bl.Model(law, priors={"f_2": bl.Fixed(0.3)})
    runs, truth = noiseless(law)
    estimates = bl.least_squares(model, runs)
    np.testing.assert_allclose(estimates[list(law.parameters)], truth, rtol=1e-6)


def test_predict_equals_the_law() -> None:
    runs, _ = noiseless(bl.laws.power, (1.0, 0.8))
    estimates = bl.least_squares(bl.Model(bl.laws.power), runs)
    grid = bl.grid(N=[1e9, 1e12], task=["task1", "task0"])
    expected = [
        bl.laws.power(size, **estimates.loc[task, ["L0", "k", "alpha"]].to_dict())
        for size, task in zip(grid["N"].values, grid["task"].values, strict=True)
    ]
    np.testing.assert_allclose(predict(bl.laws.power, estimates, grid), expected, rtol=1e-14)
