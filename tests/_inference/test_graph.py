"""The PyMC model: its density against one written by hand, its priors, its structure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import preliz as pz
import pymc as pm
import pytensor
import pytest
from graphs import unconstrained
from hand_written import (
    GROUPS,
    HAND,
    LEVEL,
    RUNS,
    Hand,
    by_hand,
    chinchilla,
    power_from_shares,
    read,
)
from pytensor.compile.mode import Mode
from scipy import stats

from bayeslaw._inference.graph import build
from bayeslaw.data.runs import read_runs
from bayeslaw.laws import power
from bayeslaw.model.model import Model
from bayeslaw.model.noise import StudentT, Undertuned
from bayeslaw.priors import Fixed, LogNormal, Normal

PYTHON = Mode(linker="py", optimizer="fast_compile")


def points_of(built: pm.Model, n: int, seed: int = 3) -> np.ndarray:
    size = sum(np.size(value) for value in built.initial_point().values())
    return np.random.default_rng(seed).normal(scale=0.7, size=(n, size))


def compiled(built: pm.Model) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """PyMC's own random variables, density and Jacobian at points of the unconstrained space."""
    names = [variable.name for variable in built.free_RVs]
    graphs = dict(zip(names, built.replace_rvs_by_values(built.free_RVs), strict=True))
    graphs |= {"density": built.logp(jacobian=False), "with Jacobian": built.logp()}
    evaluate = pytensor.function(built.value_vars, [*graphs.values()], mode=PYTHON)
    shapes = [np.shape(built.initial_point()[value.name]) for value in built.value_vars]
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])[:-1]

    def at(point: np.ndarray) -> list[np.ndarray]:
        parts = zip(np.split(point, ends), shapes, strict=True)
        return evaluate(*(part.reshape(shape) for part, shape in parts))

    def each(points: np.ndarray) -> dict[str, np.ndarray]:
        columns = zip(*(at(point) for point in points), strict=True)
        return dict(zip(graphs, map(np.array, columns), strict=True))

    return each


class Built(NamedTuple):
    """A model written by hand, that of PyMC, and its compiled function."""

    hand: Hand
    model: pm.Model
    at: Callable[[np.ndarray], dict[str, np.ndarray]]


@pytest.fixture(scope="module", params=HAND)
def case(request: pytest.FixtureRequest) -> Built:
    """Built and compiled once for all tests."""
    built = build(HAND[request.param].model, HAND[request.param].runs)
    return Built(HAND[request.param], built, compiled(built))


def test_density_is_that_written_by_hand(case: Built) -> None:
    values = case.at(points_of(case.model, 6))
    actual = values["density"]
    expected = [by_hand(case.hand, {n: v[i] for n, v in values.items()}) for i in range(6)]
    assert np.all(np.isfinite(expected))
    # PyMC keeps constants of normal densities in single precision: they cancel in differences.
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    np.testing.assert_allclose(np.diff(actual), np.diff(expected), rtol=1e-10, atol=1e-8)


def test_jacobian_is_that_of_finite_differences(case: Built) -> None:
    (point,) = points_of(case.model, 1, seed=4)
    steps, n = 1e-6 * np.eye(point.size), point.size
    values = case.at(np.concatenate([point + steps, point - steps, point[None]]))
    log_jacobian = values.pop("with Jacobian")[-1] - values.pop("density")[-1]
    flat = np.concatenate([v.reshape(2 * n + 1, -1) for v in values.values()], axis=1)
    sign, expected = np.linalg.slogdet((flat[:n] - flat[n : 2 * n]) / 2e-6)
    assert sign == 1
    np.testing.assert_allclose(log_jacobian, expected, atol=1e-5)


def test_parameters_in_the_users_units() -> None:
    built = build(Model(power, pooling=None), RUNS)
    names = ["theta", "L0", "k", "alpha", "sigma", "tau"]
    at = unconstrained(built, names, points_of(built, 3))
    L0, k, alpha = power_from_shares(*np.moveaxis(at["theta"][:, :3], 1, 0))
    np.testing.assert_allclose(at["L0"], L0, rtol=1e-12)
    np.testing.assert_allclose(at["alpha"], alpha, rtol=1e-12)
    np.testing.assert_allclose(at["k"], k * 1e6**alpha, rtol=1e-10)
    np.testing.assert_allclose(at["sigma"], np.exp(at["theta"][:, 3]), rtol=1e-12)
    np.testing.assert_allclose(at["tau"], np.exp(at["theta"][:, 4]), rtol=1e-12)


# Priors


def drawn(built: pm.Model, name: str, draws: int = 400) -> np.ndarray:
    return pm.draw(built[name], draws=draws, mode=PYTHON, random_seed=np.random.default_rng(1))


def test_an_explicit_prior_of_the_floor_is_its_marginal_prior() -> None:
    built = build(Model(power, pooling=None, priors={"L0": LogNormal(1.7, 1.3)}), RUNS)
    floors = drawn(built, "L0").ravel()  # curves are independent
    assert floors.size == 2400
    assert stats.kstest(floors, stats.lognorm(np.log(1.3), scale=1.7).cdf).pvalue > 1e-3


def test_pooled_priors_are_those_of_the_population() -> None:
    priors = {"L0": LogNormal(1.7, 1.3), "alpha": pz.Gamma(4.0, 10.0)}
    built = build(Model(power, pooling=GROUPS, priors=priors), RUNS)
    center = drawn(built, "center", draws=1500)
    floor, _, exponent, _, _ = np.exp(center.T)
    assert stats.kstest(floor, stats.lognorm(np.log(1.3), scale=1.7).cdf).pvalue > 1e-3
    assert stats.kstest(exponent, stats.gamma(4.0, scale=0.1).cdf).pvalue > 1e-3
    assert {v.name for v in built.free_RVs} >= {"alpha_center", "spread", "effects", "theta"}


def test_another_kind_of_prior_without_pooling() -> None:
    model = Model(power, pooling=None, priors={"alpha": pz.Gamma(4.0, 10.0)}, discrepancy=None)
    built = build(model, RUNS)
    assert [variable.name for variable in built.free_RVs] == ["theta"]
    exponents = drawn(built, "alpha", draws=100).ravel()
    assert stats.kstest(exponents, stats.gamma(4.0, scale=0.1).cdf).pvalue > 1e-3
    points = points_of(built, 5)
    theta = unconstrained(built, ["theta"], points)["theta"]
    (density,) = built.logp(vars=[built["theta"]], sum=False, jacobian=False)
    evaluate = pytensor.function(built.value_vars, density, mode=PYTHON)
    actual = [float(np.sum(evaluate(point.reshape(4, 6)))) for point in points]
    share, level, alpha, sigma = np.moveaxis(theta, 1, 0)
    expected = (
        stats.norm(0, 1.5).logpdf(share)
        + stats.norm(LEVEL, 1.0).logpdf(level)
        + stats.gamma(4.0, scale=0.1).logpdf(np.exp(alpha))
        + alpha
        + stats.norm(np.log(0.01), np.log(2.7183)).logpdf(sigma)
    ).sum(axis=-1)
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_prior_predictive_looks_like_losses() -> None:
    built = build(Model(power, pooling=GROUPS), RUNS)
    with built:
        tree = pm.sample_prior_predictive(50, random_seed=1, compile_kwargs={"mode": PYTHON})
    losses = tree["prior_predictive"]["loss"]
    assert losses.shape == (1, 50, RUNS.sizes["run"])
    assert np.all(losses > 0)
    middle = float(np.log(losses).median()) - LEVEL
    assert abs(middle) < 1.0  # the population's level has a standard deviation of one


# Structure


def test_fixed_and_tied_parameters() -> None:
    frame = pd.DataFrame(
        {"N": [1e6, 1e7, 1e6, 1e7], "D": [1e8, 1e8, 1e9, 1e9], "loss": [4.0, 3.5, 3.2, 3.0]}
    )
    runs = read_runs(frame, predictors=["N", "D"])
    model = Model(chinchilla, priors={"E": Fixed(1.69)}, tie={"beta": "alpha"})
    built = build(model, runs)
    assert built["theta"].eval(mode=PYTHON).shape == (4, 1)
    at = unconstrained(built, ["E", "alpha", "beta"], points_of(built, 4))
    np.testing.assert_array_equal(at["E"], 1.69)
    np.testing.assert_array_equal(at["alpha"], at["beta"])
    assert np.all(np.isfinite(compiled(built)(points_of(built, 3))["with Jacobian"]))


@pytest.mark.parametrize("name", ["sigma", "tau"])
def test_noise_and_discrepancy_can_be_fixed(name: str) -> None:
    built = build(Model(power, pooling=GROUPS, priors={name: Fixed(0.02)}), RUNS)
    np.testing.assert_array_equal(built[name].eval(mode=PYTHON), np.full(6, 0.02))
    at = compiled(built)(points_of(built, 2))
    assert at["theta"].shape == (2, 4, 6)
    assert np.all(np.isfinite(at["with Jacobian"]))


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Model(power, pooling=GROUPS), ["spread", "center", "effects", "theta"]),
        (Model(power), ["spread", "center", "theta"]),
        (Model(power, pooling=None), ["theta"]),
        (
            Model(power, pooling=["task"], priors={"alpha": Normal(0.3, 0.1)}),
            [
                "spread",
                *(f"{name}_center" for name in ("L0", "k", "alpha", "sigma", "tau")),
                *("effects", "theta"),
            ],
        ),
        (
            Model(power, priors={"sd_alpha": LogNormal(0.1, 2.0)}),
            [*(f"spread_{i}" for i in range(5)), "center", "theta"],
        ),
        (Model(power, pooling=None, noise=StudentT()), ["latent", "theta"]),
        (Model(power, pooling=None, noise=StudentT(), discrepancy=None), ["theta"]),
        (
            Model(power, noise=Undertuned(), discrepancy=None),
            ["latent", "spread", "center", "theta"],
        ),
    ],
)
def test_random_variables(model: Model, names: list[str]) -> None:
    built = build(model, RUNS)
    assert [variable.name for variable in built.free_RVs] == names
    assert [variable.name for variable in built.observed_RVs] == ["loss"]
    assert {"L0", "k", "alpha", "sigma"} <= set(built.named_vars)


@pytest.mark.filterwarnings("ignore:group .* has one level:bayeslaw.errors.RunsWarning")
@pytest.mark.parametrize(("n_tasks", "n_data", "names"), [(1, 3, 0), (3, 1, 0), (2, 2, 20)])
def test_uninformative_groups_are_dropped(n_tasks: int, n_data: int, names: int) -> None:
    built = build(Model(power, pooling=GROUPS), read(n_tasks, n_data))
    assert len(built.coords["effect_of"]) == names
    assert ("effects" in built.named_vars) is bool(names)


def test_coordinates_say_what_is_what() -> None:
    built = build(Model(power, pooling={"alpha": ["task"]}), RUNS)
    assert built.coords["curve"][:2] == ("t0 / d0", "t0 / d1")
    names = ("L0", "k", "alpha", "sigma", "tau")
    assert built.coords["parameter"] == names
    assert built.coords["spread_of"] == (*(f"{name} own" for name in names), "alpha task")
    assert built.coords["effect_of"] == ("alpha task t0", "alpha task t1")


def test_a_group_may_be_called_as_a_dimension_of_pymc() -> None:
    runs = read(groups=("model", "run_name"))
    built = build(Model(power, pooling=["model", "run_name"]), runs)
    assert "alpha model t0" in built.coords["effect_of"]


def test_unknown_groups_are_named() -> None:
    message = r"^pooling over 'tasks': the runs have no such group; did you mean 'task'\?"
    with pytest.raises(ValueError, match=message):
        build(Model(power, pooling=["tasks"]), RUNS)
