"""The compiled density: its value, gradient and variables, and its use for other data."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pytest
from bound_models import model_data
from crossed_curves import crossed_curves, density_of

from bayeslaw import laws
from bayeslaw._kernels import entry_points, printed, stage
from bayeslaw._sampling.compiled import DOUBLES, INTEGERS, CompiledDensity
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian, StudentT, Undertuned
from bayeslaw.priors import Fixed, HalfNormal, LinkNormal, LogNormal
from bayeslaw.response_scales import RawScale

GROUPS = ["task", "dataset"]
RUNS = crossed_curves(2, 2)


@dataclass(frozen=True)
class Case:
    """A model whose density is compiled once."""

    model: Model

    @cached_property
    def compiled(self) -> CompiledDensity:
        return density_of(self.model, RUNS)

    def points(self, n: int = 2, seed: int = 1) -> np.ndarray:
        """Points near the initial one."""
        start = self.compiled.initial_point
        return start + np.random.default_rng(seed).normal(0, 0.5, (n, start.size))


CASES = {
    "independent": Case(Model(laws.power, GROUPS, discrepancy=None)),
    "discrepancy": Case(Model(laws.power, GROUPS)),
    "not pooled": Case(Model(laws.power, None)),
    "tied": Case(
        Model(laws.chinchilla, ["task"], tie={"beta": "alpha"}, discrepancy=Brownian())
    ),
    "fixed": Case(
        Model(laws.power, ["task"], priors={"L0": Fixed(0.5), "sd_alpha": Fixed(0.1)})
    ),
    "own priors of the population": Case(
        Model(
            laws.power,
            priors={"alpha": HalfNormal(0.5), "sd_k": LogNormal(0.3, 2.0), "L0": LogNormal(1, 2)},
            discrepancy=None,
        )
    ),
    "own priors of curves": Case(Model(laws.power, None, priors={"alpha": HalfNormal(0.5)})),
    "weights of runs": Case(Model(laws.power, noise=StudentT())),
    "excess of runs": Case(Model(laws.power, None, noise=Undertuned(), discrepancy=None)),
    "noise that varies": Case(
        Model(laws.power, noise=Gaussian(RawScale(), varies_with="N"), discrepancy=None)
    ),
    "log-linear": Case(Model(laws.log_linear, ["task"], discrepancy=None)),
    "curvature": Case(Model(laws.curvature, ["task"])),
    "pure power": Case(Model(laws.pure_power, priors={"tau": LinkNormal(-4.0, 1.0)})),
}  # fmt: skip
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@every_case
def test_gradient_is_that_of_finite_differences(case: Case) -> None:
    compiled = case.compiled
    for point in case.points():
        _, gradient = compiled.log_density_and_gradient(point)
        steps = 1e-4 * np.eye(point.size)
        near, far = (
            compiled.log_density(point + k * steps) - compiled.log_density(point - k * steps)
            for k in (1, 2)
        )
        differences = (8 * near - far) / 12e-4
        assert np.linalg.norm(gradient - differences) <= 1e-7 * np.linalg.norm(differences)


@every_case
def test_variables_have_the_shapes_of_the_layout(case: Case) -> None:
    points = case.points(6).reshape(2, 3, -1)
    variables = case.compiled.variables(points)
    for name, shape in case.compiled.layout.variables.items():
        assert variables[name].shape == (2, 3, *shape)
        one = case.compiled.variables(points[1, 2])[name]
        np.testing.assert_array_equal(variables[name][1, 2], one)
    assert np.all(np.isfinite(case.compiled.flat_variables(points)))


def test_fixed_spreads_are_recorded_too() -> None:
    case = CASES["fixed"]
    hierarchy = case.compiled.bound.hierarchy
    assert hierarchy is not None
    fixed = np.array([name == "alpha" for name, _ in hierarchy.spreads])
    assert fixed.sum() == 2  # between curves and between tasks
    spread = case.compiled.variables(case.points())["spread"]
    np.testing.assert_allclose(spread[:, fixed], 0.1, rtol=1e-15)
    assert np.all(spread[0, ~fixed] != spread[1, ~fixed])


def test_a_point_without_density_has_a_status_and_no_density() -> None:
    case = CASES["independent"]
    point = np.full(case.compiled.initial_point.size, 1e200)
    assert case.compiled.log_density(point) == -np.inf
    model = case.compiled.nutpie_model()
    gradient, value = np.empty(point.size), np.empty(1)
    status = model.compiled_logp_func.ctypes(
        point.size,
        *(x.ctypes.data_as(DOUBLES) for x in (point, gradient, value)),
        model.user_data.ctypes.data_as(INTEGERS),
    )
    assert status == 3


@pytest.fixture
def nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: str, name: str, names: Any, signature: Any, what: str) -> None:
        pytest.fail(f"compiled {what}:\n{source}")

    for module in (entry_points, printed, stage):
        monkeypatch.setattr(module, "compiled_source", fail)


@pytest.mark.parametrize("name", ["independent", "discrepancy", "tied", "weights of runs"])
@pytest.mark.parametrize("shape", [(3, 4), (4, 2)])
def test_other_data_need_no_compilation(
    name: str, shape: tuple[int, int], request: pytest.FixtureRequest
) -> None:
    compiled, runs = CASES[name].compiled, crossed_curves(*shape, seed=2)
    request.getfixturevalue("nothing_is_compiled")
    other = compiled.with_data(model_data(CASES[name].model, runs))
    alone = density_of(CASES[name].model, runs)
    np.testing.assert_array_equal(other.initial_point, alone.initial_point)
    point = other.initial_point + np.random.default_rng(3).normal(0, 0.3, other.initial_point.size)
    for one, same in zip(
        other.log_density_and_gradient(point), alone.log_density_and_gradient(point), strict=True
    ):
        np.testing.assert_array_equal(one, same)
    assert np.isfinite(other.log_density(point))


@pytest.mark.parametrize(
    "model",
    [
        Model(laws.power, ["dataset"], discrepancy=None),
        Model(laws.power, {"alpha": ["task"]}, discrepancy=None),
        Model(
            laws.power,
            discrepancy=None,
            priors={"sd_alpha": HalfNormal(0.07), "sigma": LogNormal(0.3, 1.5)},
        ),
    ],
    ids=["another group", "groups of one parameter", "other numbers"],
)
def test_other_pooling_and_numbers_of_priors_need_no_compilation(
    model: Model, request: pytest.FixtureRequest
) -> None:
    assert CASES["independent"].compiled
    request.getfixturevalue("nothing_is_compiled")
    other = density_of(model, RUNS)
    assert np.isfinite(other.log_density(other.initial_point))


def test_another_law_compiles_its_own_functions_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CASES["independent"].compiled
    compiled: list[str] = []
    original: Callable[..., Any] = printed.compiled_source

    def recorded(*arguments: Any) -> Any:
        compiled.append(arguments[-1])
        return original(*arguments)

    for module in (entry_points, printed, stage):
        monkeypatch.setattr(module, "compiled_source", recorded)
    density_of(Model(laws.exponential, GROUPS, discrepancy=None), RUNS)
    assert 1 <= len(compiled) <= 8
    assert set(compiled) == {"printed"}


def test_the_first_density_keeps_its_data() -> None:
    case = CASES["discrepancy"]
    before = case.compiled.log_density(case.points())
    other = case.compiled.with_data(model_data(case.model, crossed_curves(3, 3, seed=3)))
    assert np.isfinite(other.log_density(other.initial_point))
    np.testing.assert_array_equal(case.compiled.log_density(case.points()), before)


def test_threads_give_the_same_results() -> None:
    case = CASES["discrepancy"]
    points = case.points(400)
    expected, gradients = case.compiled.log_density_and_gradient(points)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(case.compiled.log_density_and_gradient, points))
        variables = list(pool.map(case.compiled.flat_variables, points))
    np.testing.assert_array_equal([value for value, _ in results], expected)
    np.testing.assert_array_equal([gradient for _, gradient in results], gradients)
    np.testing.assert_array_equal(variables, case.compiled.flat_variables(points))


def test_initial_points_are_jittered_by_seed() -> None:
    compiled = CASES["independent"].compiled
    start = compiled.nutpie_model().initial_point_func
    one, same, other = start(1), start(1), start(2)
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.all(np.abs(one - compiled.initial_point) <= 0.5)


def test_chains_start_near_several_points_in_turn() -> None:
    compiled = CASES["independent"].compiled
    points = np.array([np.full(compiled.initial_point.size, x) for x in (10.0, 20.0)])
    several = replace(compiled, initial_points=points)
    start = several.nutpie_model({5: 0, 6: 1, 7: 2}).initial_point_func
    assert [round(start(seed).mean(), -1) for seed in (5, 6, 7)] == [10.0, 20.0, 10.0]


def test_the_sampler_has_one_variable_as_wide_as_a_draw() -> None:
    compiled = CASES["fixed"].compiled
    model, layout = compiled.nutpie_model(), compiled.layout
    assert model.n_dim == layout.n_unknowns == layout.width - 2  # two spreads are fixed
    assert model.n_expanded == layout.width
    assert model.user_data is compiled.program.table
