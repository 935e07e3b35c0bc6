"""The compiled density, its gradient, and its use for other data."""

from __future__ import annotations

import ctypes

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytest
import xarray as xr
from bound_models import model_data
from graphs import compile_graph, unconstrained
from pytensor.compile.mode import Mode

from bayeslaw._inference.graph import build
from bayeslaw._sampling.compiled import CompiledDensity
from bayeslaw.data.runs import read_runs
from bayeslaw.laws import power
from bayeslaw.model.model import Model
from bayeslaw.priors import Fixed

PYTHON = Mode(linker="py", optimizer="fast_compile")
MODELS = {
    "independent": Model(power, pooling=["task", "dataset"], discrepancy=None),
    "discrepancy": Model(power, pooling=["task", "dataset"]),
}
DOUBLES, INTEGERS = ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_int64)


def curves(n_tasks: int, n_data: int, seed: int) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    sizes = np.geomspace(1e5, 1e9, 5 + seed % 2)
    rows = [
        {"task": f"t{i}", "dataset": f"d{j}", "N": size, "loss": loss}
        for i in range(n_tasks)
        for j in range(n_data)
        for size, loss in zip(
            sizes,
            power(sizes / 1e7, L0=1.0, k=1.5, alpha=0.3)
            * np.exp(0.01 * rng.normal(size=sizes.size)),
            strict=True,
        )
    ]
    return read_runs(pd.DataFrame(rows), predictors=["N"], groups=["task", "dataset"])


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> Model:
    return MODELS[request.param]


@pytest.fixture(scope="module")
def crossed(model: Model, crossed_split: tuple[xr.Dataset, xr.Dataset]) -> pm.Model:
    return build(model, crossed_split[0])


@pytest.fixture(scope="module")
def compiled(crossed: pm.Model) -> CompiledDensity:
    """With the structure of the shared fits, so that its machine code is cached."""
    return compile_graph(crossed)


def evaluate(compiled: CompiledDensity, point: np.ndarray) -> tuple[int, float, np.ndarray]:
    """Call the entry point as nutpie does: status, density and gradient."""
    sampler = compiled.nutpie_model()  # it owns the data that the table points to
    table = sampler.user_data
    gradient, value = np.empty(point.size), np.empty(1)
    status = compiled.entry_points[0].ctypes(
        point.size,
        np.ascontiguousarray(point).ctypes.data_as(DOUBLES),
        gradient.ctypes.data_as(DOUBLES),
        value.ctypes.data_as(DOUBLES),
        table.ctypes.data_as(INTEGERS),
    )
    return status, float(value[0]), gradient


def density(model: pm.Model, point: np.ndarray) -> float:
    """PyMC's own density."""
    initial = model.initial_point()
    ends = np.cumsum([np.size(initial[value.name]) for value in model.value_vars])[:-1]
    shaped = [
        part.reshape(np.shape(initial[value.name]))
        for part, value in zip(np.split(point, ends), model.value_vars, strict=True)
    ]
    return float(pytensor.function(model.value_vars, model.logp(), mode=PYTHON)(*shaped))


def random_point(compiled: CompiledDensity, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.5, size=compiled.initial_point.size)


def test_density_is_that_of_the_model(crossed: pm.Model, compiled: CompiledDensity) -> None:
    point = random_point(compiled)
    status, value, _ = evaluate(compiled, point)
    assert status == 0
    np.testing.assert_allclose(value, density(crossed, point), rtol=1e-10)


def test_gradient_is_that_of_finite_differences(compiled: CompiledDensity) -> None:
    point = random_point(compiled)
    _, _, gradient = evaluate(compiled, point)
    differences = []
    for i in range(point.size):
        step = np.zeros(point.size)
        step[i] = 1e-5
        up, down = (evaluate(compiled, point + s)[1] for s in (step, -step))
        differences.append((up - down) / 2e-5)
    np.testing.assert_allclose(gradient, differences, rtol=1e-5, atol=1e-5 * np.abs(gradient).max())


def test_a_point_without_density_has_a_status(compiled: CompiledDensity) -> None:
    point = random_point(compiled)
    point[:] = 1e200
    assert evaluate(compiled, point)[0] != 0


@pytest.mark.parametrize(("n_tasks", "n_data"), [(3, 4), (2, 2), (4, 3)])
def test_other_data_need_no_compilation(
    model: Model, compiled: CompiledDensity, n_tasks: int, n_data: int
) -> None:
    runs = curves(n_tasks, n_data, seed=n_tasks)
    other_data, other = compiled.with_data(model_data(model, runs)), build(model, runs)
    assert other_data.entry_points is compiled.entry_points
    point = random_point(other_data, seed=2)
    np.testing.assert_allclose(evaluate(other_data, point)[1], density(other, point), rtol=1e-10)


def test_the_first_density_keeps_its_data(
    model: Model, crossed: pm.Model, compiled: CompiledDensity
) -> None:
    compiled.with_data(model_data(model, curves(2, 2, seed=3)))
    point = random_point(compiled)
    np.testing.assert_allclose(evaluate(compiled, point)[1], density(crossed, point), rtol=1e-10)


@pytest.mark.filterwarnings("ignore:group .* has one level:bayeslaw.errors.RunsWarning")
def test_data_of_another_structure_are_refused(model: Model, compiled: CompiledDensity) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        compiled.with_data(model_data(model, curves(1, 3, seed=1)))
    assert str(error.value) == (
        "these runs need another compilation: their model has no 'bounds', so they differ in the "
        "groups that can be pooled"
    )


def test_initial_points_are_jittered_by_seed(compiled: CompiledDensity) -> None:
    start = compiled.nutpie_model().initial_point_func
    one, same, other = start(1), start(1), start(2)
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.all(np.abs(one - compiled.initial_point) <= 0.5)


def test_variables_are_those_of_the_model(crossed: pm.Model, compiled: CompiledDensity) -> None:
    points = np.array([random_point(compiled, seed) for seed in range(6)]).reshape(2, 3, -1)
    variables = compiled.variables(points)
    assert list(variables) == ["center", "spread", "effects", "theta"]
    for name, expected in unconstrained(crossed, list(variables), points).items():
        np.testing.assert_allclose(variables[name], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", [(3, 4), (4, 3)])
def test_initial_points_of_other_runs_are_those_of_their_model(
    model: Model, compiled: CompiledDensity, shape: tuple[int, int]
) -> None:
    runs = curves(*shape, seed=2)
    initial = build(model, runs).initial_point()
    expected = np.concatenate([np.ravel(value) for value in initial.values()])
    np.testing.assert_allclose(
        compiled.with_data(model_data(model, runs)).initial_point, expected, atol=1e-12
    )


def test_fixed_spreads_are_recorded_too(crossed_split: tuple[xr.Dataset, xr.Dataset]) -> None:
    model = Model(power, pooling=["task"], priors={"sd_alpha": Fixed(0.1)}, discrepancy=None)
    compiled = compile_graph(build(model, crossed_split[0]))
    variables = compiled.variables(compiled.initial_point)
    own = list(model_data(model, crossed_split[0]).coords["spread_of"]).index("alpha own")
    assert variables["spread"].size > own
    assert variables["spread"][own] == 0.1


def test_unconstrained_is_what_pymc_gives(crossed: pm.Model, compiled: CompiledDensity) -> None:
    names = ["theta", "k", "center", "effects"]
    points = np.array([random_point(compiled, seed) for seed in range(4)]).reshape(2, 2, -1)
    variables = unconstrained(crossed, names, points)
    graphs = crossed.replace_rvs_by_values([crossed[name] for name in names])
    function = pytensor.function(crossed.value_vars, graphs, mode=PYTHON)
    initial = crossed.initial_point()
    ends = np.cumsum([np.size(initial[value.name]) for value in crossed.value_vars])[:-1]
    for index in np.ndindex(2, 2):
        shaped = [
            part.reshape(np.shape(initial[value.name]))
            for part, value in zip(np.split(points[index], ends), crossed.value_vars, strict=True)
        ]
        for name, expected in zip(names, function(*shaped), strict=True):
            np.testing.assert_allclose(variables[name][index], expected, rtol=1e-12, atol=1e-14)
