"""Least squares: the truth from noiseless data, and what a user gets told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.least_squares import predict
from bayeslaw.units import rescale

CATALOGUE = [item for name in bl.laws.__all__ if isinstance(item := getattr(bl.laws, name), bl.Law)]
# At the reference scale.
VALUES = {
    "Floor": 0.7,
    "Amplitude": 1.5,
    "Exponent": 0.4,
    "Scale": 2.0,
    "Fraction": 0.6,
    "Rate": 0.1,
    "Real": 0.3,
}
every_law = pytest.mark.parametrize("law", CATALOGUE, ids=lambda law: law.name)


def truth_of(law: bl.Law, reference: dict[str, float], factor: float = 1.0) -> dict[str, float]:
    at_reference = {name: factor * VALUES[role.name] for name, role in law.parameters.items()}
    return {name: float(value) for name, value in rescale(law, reference, at_reference).items()}


def noiseless(law: bl.Law, factors: tuple[float, ...] = (1.0,)) -> tuple[xr.Dataset, pd.DataFrame]:
    """Runs of one or more curves without noise, and their parameters."""
    rng = np.random.default_rng(1)
    reference = dict.fromkeys(law.predictors, 1e7)
    truths, frames = [], []
    for i, factor in enumerate(factors):
        truth = truth_of(law, reference, factor)
        at = {
            name: 1e7 * np.exp(rng.permutation(np.linspace(-4, 4, 16))) for name in law.predictors
        }
        loss = law(*at.values(), **truth)
        truths.append(truth)
        frames.append(pd.DataFrame({**at, "loss": loss, "task": f"task{i}"}))
    runs = bl.read_runs(
        pd.concat(frames, ignore_index=True),
        predictors=list(law.predictors),
        groups=["task"] if len(factors) > 1 else [],
        reference=reference,
    )
    return runs, pd.DataFrame(truths)


@every_law
def test_noiseless_data_give_the_truth(law: bl.Law) -> None:
    runs, truth = noiseless(law)
    found = bl.least_squares(bl.Model(law), runs)
    np.testing.assert_allclose(found[list(law.parameters)], truth, rtol=1e-6)
    assert found.loc["all", "rmsle"] < 1e-9
    assert found["converged"].dtype == bool
    assert found["converged"].all()


@every_law
def test_every_curve_has_its_own_truth(law: bl.Law) -> None:
    runs, truth = noiseless(law, (1.0, 0.8, 1.1))
    found = bl.least_squares(bl.Model(law, pooling=["task"]), runs)
    assert list(found.index) == ["task0", "task1", "task2"]
    assert found.index.name == "curve"
    assert list(found.columns) == [*law.parameters, "rmsle", "converged"]
    np.testing.assert_allclose(found[list(law.parameters)], truth, rtol=1e-6)
    np.testing.assert_allclose(predict(law, found, runs), runs["loss"], rtol=1e-8)


@every_law
def test_fixed_parameters_are_held(law: bl.Law) -> None:
    runs, truth = noiseless(law)
    at_reference = {name: VALUES[role.name] for name, role in law.parameters.items()}
    unmoved = [n for n in law.parameters if truth[n].item() == pytest.approx(at_reference[n])]
    name = unmoved[-1]
    model = bl.Model(law, priors={name: bl.Fixed(at_reference[name])})
    found = bl.least_squares(model, runs)
    np.testing.assert_allclose(found[list(law.parameters)], truth, rtol=1e-6)
    wrong = bl.Model(law, priors={name: bl.Fixed(1.2 * at_reference[name])})
    held = bl.least_squares(wrong, runs)
    assert held.loc["all", name] == pytest.approx(1.2 * at_reference[name])
    assert held.loc["all", "rmsle"] > 1e-4


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
    found = bl.least_squares(bl.Model(additive, tie={"beta": "alpha"}), runs)
    assert found.loc["all", "alpha"] == found.loc["all", "beta"]
    np.testing.assert_allclose(found[list(additive.parameters)], truth, rtol=1e-6)


def test_it_is_the_optimum(crossed_split: tuple[xr.Dataset, xr.Dataset]) -> None:
    """With noise, no small step of a parameter fits better."""
    train = crossed_split[0]
    found = bl.least_squares(bl.Model(bl.laws.power, pooling=["task", "dataset"]), train)

    def squares(parameters: pd.DataFrame) -> np.ndarray:
        error = np.log(predict(bl.laws.power, parameters, train) / train["loss"].values) ** 2
        curve = np.char.add(np.char.add(train["task"].values, " / "), train["dataset"].values)
        return pd.Series(error, index=curve).groupby(level=0, sort=False).mean().values

    best = squares(found)
    np.testing.assert_allclose(np.sqrt(best), found["rmsle"], rtol=1e-6)
    for name in ("L0", "k", "alpha"):
        for step in (0.999, 1.001):
            assert np.all(squares(found.assign(**{name: found[name] * step})) > best)


def test_predict_equals_the_law() -> None:
    runs, _ = noiseless(bl.laws.power, (1.0, 0.8))
    found = bl.least_squares(bl.Model(bl.laws.power), runs)
    grid = bl.grid(N=[1e9, 1e12], task=["task1", "task0"])
    expected = [
        bl.laws.power(size, **found.loc[task, ["L0", "k", "alpha"]].to_dict())
        for size, task in zip(grid["N"].values, grid["task"].values, strict=True)
    ]
    np.testing.assert_allclose(predict(bl.laws.power, found, grid), expected, rtol=1e-14)
