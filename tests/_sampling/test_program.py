"""Programs of the log density: layout, initial points, and the table of arguments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from crossed_curves import crossed_curves

from bayeslaw import laws
from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.laplace import laplace_approximation
from bayeslaw._inference.model_data import ModelData, model_data_of
from bayeslaw._kernels.entry_points import HEAD
from bayeslaw._kernels.stage import ROW
from bayeslaw._sampling import tape
from bayeslaw._sampling.compiled import CompiledDensity
from bayeslaw._sampling.program import initial_point, layout_of, program_of
from bayeslaw._sampling.tape import Tape, tape_of
from bayeslaw.model.model import Model
from bayeslaw.model.noise import StudentT, Undertuned
from bayeslaw.priors import Fixed, HalfNormal, LogNormal

GROUPS = ["task", "dataset"]
RUNS = crossed_curves(2, 2)
N_RUNS, CURVES = RUNS.sizes["run"], 4


@pytest.fixture(autouse=True, scope="module")
def functions_without_code() -> Iterator[None]:
    """Printed functions are not compiled: no test here runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tape, "compiled_function", lambda source: SimpleNamespace(address=1))
        yield


def prepared(model: Model, runs: Any = RUNS) -> tuple[BoundModel, Tape, ModelData]:
    """A model on runs, its stages without machine code, and its data."""
    bound = bind(model, runs)
    model_data = model_data_of(bound, laplace_approximation(bound))
    tape = tape_of(bound, model_data)
    function = SimpleNamespace(address=1)
    tape.__dict__["compiled"] = [function] * len(tape.forward), [function] * len(tape.adjoint)
    return bound, tape, model_data


@dataclass(frozen=True)
class Case:
    """A model, and the shapes of its unknowns; recorded variables only where they differ."""

    model: Model
    unknowns: dict[str, tuple[int, ...]]
    recorded: dict[str, tuple[int, ...]] | None = None

    @cached_property
    def prepared(self) -> tuple[BoundModel, Tape, ModelData]:
        return prepared(self.model)


FIVE = {"spread": (15,), "center": (5,), "effects": (20,), "theta": (5, CURVES)}
FIXED: dict[str, Any] = {f"sd_{name}": Fixed(0.1) for name in ("L0", "k", "alpha", "sigma", "tau")}
CASES = {
    "two groups": Case(Model(laws.power, GROUPS), FIVE),
    "one group": Case(
        Model(laws.power, ["task"], discrepancy=None),
        {"spread": (8,), "center": (4,), "effects": (8,), "theta": (4, CURVES)},
    ),
    "groups of one parameter": Case(
        Model(laws.power, {"alpha": ["task"]}),
        {"spread": (6,), "center": (5,), "effects": (2,), "theta": (5, CURVES)},
    ),
    "no groups": Case(
        Model(laws.power), {"spread": (5,), "center": (5,), "theta": (5, CURVES)}
    ),
    "not pooled": Case(Model(laws.power, None), {"theta": (5, CURVES)}),
    "weights of runs": Case(
        Model(laws.power, GROUPS, noise=StudentT()), {"latent": (N_RUNS,), **FIVE}
    ),
    "excess of runs, not pooled": Case(
        Model(laws.power, None, noise=Undertuned(), discrepancy=None),
        {"latent": (N_RUNS,), "theta": (5, CURVES)},
    ),
    "a fixed spread": Case(
        Model(laws.power, priors={"sd_alpha": Fixed(0.1)}),
        {"spread": (4,), "center": (5,), "theta": (5, CURVES)},
        {"spread": (5,)},
    ),
    "all spreads fixed": Case(
        Model(laws.power, priors=FIXED),
        {"spread": (0,), "center": (5,), "theta": (5, CURVES)},
        {"spread": (5,)},
    ),
    "a fixed parameter": Case(
        Model(laws.power, priors={"L0": Fixed(0.1)}),
        {"spread": (4,), "center": (4,), "theta": (4, CURVES)},
    ),
    "own priors": Case(
        Model(laws.power, priors={"alpha": HalfNormal(0.5), "sd_k": LogNormal(0.3, 2.0)}),
        {"spread": (5,), "center": (5,), "theta": (5, CURVES)},
    ),
}  # fmt: skip
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
VARIABLES = ["center", "spread", "effects", "latent", "theta"]  # in the order of a draw


@every_case
def test_layout(case: Case) -> None:
    _, tape, model_data = case.prepared
    layout = layout_of(tape, model_data)
    assert list(layout.unknowns.items()) == list(case.unknowns.items())
    recorded = {**case.unknowns, **(case.recorded or {})}
    assert dict(layout.variables) == recorded
    assert list(layout.variables) == [name for name in VARIABLES if name in recorded]
    assert layout.n_unknowns == sum(np.prod(shape) for shape in case.unknowns.values())
    assert layout.width == sum(np.prod(shape) for shape in recorded.values())


@every_case
def test_initial_points_are_finite_and_as_long_as_a_point(case: Case) -> None:
    _, tape, model_data = case.prepared
    point = initial_point(tape, model_data)
    assert point.shape == (layout_of(tape, model_data).n_unknowns,)
    assert np.all(np.isfinite(point))


def test_initial_spreads_are_those_of_their_priors() -> None:
    priors = {"sd_alpha": HalfNormal(0.07)}
    _, tape, model_data = prepared(Model(laws.power, priors=priors))
    point = initial_point(tape, model_data)
    np.testing.assert_allclose(np.exp(point[:5]), model_data["spread_scale"], rtol=1e-15)
    assert np.exp(point[2]) == pytest.approx(0.07)
    np.testing.assert_array_equal(point[5:], 0.0)


def test_initial_values_of_own_priors_are_in_their_support() -> None:
    priors = {"alpha": HalfNormal(0.5), "sd_k": LogNormal(0.3, 2.0), "sd_alpha": Fixed(0.2)}
    _, tape, model_data = prepared(Model(laws.power, priors=priors))
    point = initial_point(tape, model_data)
    mean = 0.3 * np.exp(np.log(2.0) ** 2 / 2)
    assert np.exp(point[1]) == pytest.approx(mean)  # the spread of k, where PyMC starts it
    assert point[4 + 2] == pytest.approx(np.log(0.5))  # after four unknown spreads


@every_case
def test_arguments_of_all_stages_are_inside_their_memory(case: Case) -> None:
    bound, tape, model_data = case.prepared
    stages = [*tape.forward, *tape.adjoint]
    program = program_of(bound, tape, model_data)
    size, zeros, n_forward, n_stages, to_variables = program.table[:HEAD]
    assert (n_forward, n_stages) == (len(tape.forward), len(stages))
    assert len(program.table) == HEAD + 2 * n_stages
    assert 0 < to_variables < n_forward
    assert zeros < size
    extents = {array.ctypes.data: array.nbytes for array in program.arrays}
    tables = program.arrays[-n_stages:]
    for stage, table in zip(stages, tables, strict=True):
        for (name, kind), (at, *shape) in zip(stage.arguments.items(), table, strict=True):
            length = 8 * int(np.prod(shape[: kind.ndim]))
            if at < 0:
                assert -1 - at + length <= 8 * size, (stage.name, name)
            else:
                assert extents[at] == length, (stage.name, name)
    assert tables[0].shape[1] == ROW


@every_case
def test_scratch_memory_begins_with_point_gradient_densities_and_variables(case: Case) -> None:
    bound, tape, model_data = case.prepared
    layout, places = layout_of(tape, model_data), {}
    program = program_of(bound, tape, model_data)
    stages = [*tape.forward, *tape.adjoint]
    for stage, table in zip(stages, program.arrays[-len(stages) :], strict=True):
        offsets = {n: (-1 - row[0]) // 8 for n, row in zip(stage.arguments, table, strict=True)}
        for name, offset in offsets.items():
            assert places.setdefault(name, offset) == offset, name  # the same for all stages
    at = 0
    for suffix in ("", "_bar"):
        for name, shape in layout.unknowns.items():
            assert places[f"z_{name}{suffix}"] == at
            at += int(np.prod(shape))
    assert [places["log_prior"], places["log_likelihood"]] == [at, at + 1]
    at += 2
    for name, shape in layout.variables.items():
        assert places[name] == at, name
        at += int(np.prod(shape))


def test_other_numbers_of_runs_and_curves_have_another_layout() -> None:
    model, (_, tape, _) = CASES["weights of runs"].model, CASES["weights of runs"].prepared
    runs = crossed_curves(3, 2, seed=2)
    _, _, other = prepared(model, runs)
    unknowns = layout_of(tape, other).unknowns
    assert unknowns["latent"] == (runs.sizes["run"],)
    assert unknowns["theta"] == (5, 6)
    assert unknowns["effects"] == (25,)


@pytest.mark.filterwarnings("ignore:group .* has one level:bayeslaw.errors.RunsWarning")
def test_data_of_another_structure_are_refused() -> None:
    bound, tape, model_data = CASES["two groups"].prepared
    _, _, other = prepared(bound.model, crossed_curves(1, 1))
    with pytest.raises(ValueError) as error:  # noqa: PT011
        CompiledDensity(bound, tape, model_data).with_data(other)
    assert str(error.value) == (
        "these runs need another compilation: they differ in the groups that can be pooled, or in "
        "the level of the responses, which priors of yours depend on"
    )


@pytest.mark.filterwarnings("ignore:group .* has one level:bayeslaw.errors.RunsWarning")
def test_data_with_other_spreads_of_own_priors_are_refused() -> None:
    model = Model(laws.power, GROUPS, priors={"sd_alpha": Fixed(0.1)})
    bound, tape, model_data = prepared(model)
    _, _, other = prepared(model, crossed_curves(3, 1))  # the data sets are no group
    with pytest.raises(ValueError, match="these runs need another compilation"):
        CompiledDensity(bound, tape, model_data).with_data(other)


def test_an_array_of_other_dimensions_is_refused_by_its_name() -> None:
    bound, tape, model_data = CASES["no groups"].prepared
    arrays = {**model_data.arrays, "center_sd": model_data["center_sd"][None]}
    changed = ModelData(arrays, model_data.sizes)
    with pytest.raises(ValueError, match=r"center_sd has shape \(1, 5\), not 1 dimensions"):
        program_of(bound, tape, changed)
