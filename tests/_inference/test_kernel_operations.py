"""PyTensor operations of the kernels: values, gradients, shapes, both linkers, the cache key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from pytensor.gradient import DisconnectedInputError, verify_grad

from bayeslaw._inference.kernel_operations import (
    KernelOp,
    brownian_log_density,
    cache_key,
    gather_effects,
    knots_log_density,
    partially_centred_effects,
)
from bayeslaw._kernels import (
    brownian,
    group_effects,
    knot_layout,
    knots,
)

PYTHON = Mode(linker="py", optimizer=None)


class Total(KernelOp):
    """A kernel with one output."""

    out = (pt.dscalar,)

    @staticmethod
    def kernel(values: np.ndarray, factor: np.ndarray) -> np.ndarray:
        return factor * values.sum()


class Ends(KernelOp):
    """A kernel with two outputs."""

    out = (pt.dvector, pt.dscalar)

    @staticmethod
    def kernel(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return values[:1], np.asarray(values[-1])


def test_one_output_is_a_tensor() -> None:
    values, factor = pt.dvector("values"), pt.dscalar("factor")
    function = pytensor.function([values, factor], Total()(values, factor), mode=PYTHON)
    total = function(np.array([1.0, 2.0]), 3.0)
    assert total == 9.0
    assert isinstance(total, np.ndarray)


def test_several_outputs_are_tensors_each() -> None:
    values = pt.dvector("values")
    first, last = Ends()(values)
    assert (first.type, last.type) == (pt.dvector, pt.dscalar)
    ends = pytensor.function([values], [first, last], mode=PYTHON)(np.array([1.0, 2.0, 5.0]))
    np.testing.assert_array_equal(ends[0], [1.0])
    assert ends[1] == 5.0


def test_arrays_and_numbers_become_tensors() -> None:
    assert Total()(np.array([1.0, 2.0]), 0.5).eval(mode=PYTHON) == 1.5


def test_operations_of_one_class_are_equal() -> None:
    assert Total() == Total()
    assert Total() != Ends()


@pytest.mark.parametrize("kind", [Total, Ends])
def test_cache_key_names_the_class_and_hashes_the_kernels(kind: Any) -> None:
    name, _, digest = cache_key(kind()).partition("-")
    files = sorted(Path(knots.__file__).parent.glob("*.py"))
    assert name == kind.__name__
    assert digest == hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


PARAMETERS, GROUPED_CURVES, LEVELS = 2, 6, 7
CODES = np.array([[0, 1, 1, 0, 1, 0], [2, 3, 4, 4, 3, 2], [5, 6, 5, 6, 6, 6]])
BOUNDS = np.array([[0, 2, 0, 5], [2, 3, 5, 7]])


def effect_values() -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    return [
        rng.normal(size=LEVELS),
        np.exp(rng.normal(size=(PARAMETERS, GROUPED_CURVES))),
        rng.normal(size=(PARAMETERS, GROUPED_CURVES)),
        np.exp(rng.normal(size=LEVELS)),
    ]


def effect_symbols() -> list[Any]:
    return [pt.dvector("z"), pt.dmatrix("weight"), pt.dmatrix("residual"), pt.dvector("scale")]


def effect_graph(symbols: list[Any]) -> Any:
    """A scalar of both outputs of `partially_centred_effects` and of `gather_effects`."""
    effects, log_det = partially_centred_effects(*symbols, CODES, BOUNDS)
    return pt.sum(pt.sin(gather_effects(effects * symbols[3], CODES, BOUNDS))) + 0.3 * log_det**2


def test_effect_operations_equal_their_kernels() -> None:
    symbols, values = effect_symbols(), effect_values()
    effects, log_det = partially_centred_effects(*symbols, CODES, BOUNDS)
    outputs = [effects, log_det, gather_effects(symbols[0], CODES, BOUNDS)]
    results = pytensor.function(symbols, outputs, mode=PYTHON, on_unused_input="ignore")(*values)
    expected = [
        *group_effects.partially_centred_effects(*values, CODES, BOUNDS),
        group_effects.gather_effects(values[0], CODES, BOUNDS),
    ]
    for result, array in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, array)


def test_effect_gradients_match_finite_differences() -> None:
    verify_grad(
        lambda *symbols: effect_graph(list(symbols)),
        effect_values(),
        rng=np.random.default_rng(1),
        mode=PYTHON,
    )


@pytest.mark.parametrize("output", [0, 1])
def test_effect_gradient_of_one_output_alone(output: int) -> None:
    def one(*symbols: Any) -> Any:
        return partially_centred_effects(*symbols, CODES, BOUNDS)[output].sum()

    verify_grad(one, effect_values(), rng=np.random.default_rng(1), mode=PYTHON)


def test_effects_agree_between_numba_and_python() -> None:
    symbols = effect_symbols()
    value = effect_graph(symbols)
    outputs = [value, *pt.grad(value, symbols)]
    compiled = pytensor.function(symbols, outputs, mode="NUMBA")(*effect_values())
    plain = pytensor.function(symbols, outputs, mode=PYTHON)(*effect_values())
    for one, other in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_effect_shapes_are_inferred_without_computing() -> None:
    symbols = effect_symbols()
    effects, log_det = partially_centred_effects(*symbols, CODES, BOUNDS)
    gathered = gather_effects(effects, CODES, BOUNDS)
    gradient = pt.grad(log_det, symbols[1])
    shapes = [effects.shape, gathered.shape, gradient.shape]
    function = pytensor.function(symbols, shapes, mode="FAST_RUN", on_unused_input="ignore")
    names = {type(node.op).__name__ for node in function.maker.fgraph.apply_nodes}
    computing = {
        "_PartiallyCentredEffects",
        "_PartiallyCentredEffectsAdjoint",
        "_GatherEffects",
    }
    assert not names & computing
    assert [tuple(shape) for shape in function(*effect_values())] == [
        (LEVELS,),
        (PARAMETERS, GROUPED_CURVES),
        (PARAMETERS, GROUPED_CURVES),
    ]


def test_group_codes_are_not_differentiable() -> None:
    codes = pt.lmatrix("codes")
    value = gather_effects(pt.dvector("effects"), codes, BOUNDS).sum()
    with pytest.raises(DisconnectedInputError):
        pt.grad(value, codes)


RUNS, CURVES, PREDICTORS = 13, 2, 2
RNG = np.random.default_rng(3)
CURVE = RNG.integers(0, CURVES, RUNS)
POSITION = RNG.integers(-4, 5, (PREDICTORS, RUNS)) / 2


@dataclass(frozen=True)
class Case:
    """The log density of a discrepancy as an operation, its kernels, and where the runs are."""

    log_density: Callable[..., Any]
    kernel: Any
    value_and_gradients: Any
    where: tuple[np.ndarray, ...]
    tau2: np.ndarray

    @property
    def values(self) -> list[np.ndarray]:
        rng = np.random.default_rng(4)
        return [rng.normal(size=RUNS), np.exp(rng.normal(size=RUNS)), self.tau2]

    @property
    def symbols(self) -> list[Any]:
        return [
            pt.dvector("residual"),
            pt.dvector("variance"),
            pt.tensor("tau2", shape=(None,) * self.tau2.ndim),
        ]


CASES = {
    "brownian": Case(
        brownian_log_density,
        brownian.log_density,
        brownian.value_and_gradients,
        brownian.filter_order(POSITION[0], CURVE),
        np.array([0.7, 1.9]),
    ),
    "knots": Case(
        knots_log_density,
        knots.log_density,
        knots.value_and_gradients,
        knot_layout.knots_of(POSITION, CURVE, max_per_side=3),
        np.array([[0.7, 1.9], [0.3, 1.1]]),
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@every_case
def test_density_operations_equal_their_kernels(case: Case) -> None:
    value = case.log_density(*case.symbols, *case.where)
    assert value.ndim == 0
    symbols = value.owner.inputs[:3]
    outputs = [value, *pt.grad(-0.7 * value, symbols)]
    results = pytensor.function(symbols, outputs, mode=PYTHON)(*case.values)
    expected_value = case.kernel(*case.values, *case.where)
    np.testing.assert_allclose(results[0], expected_value, rtol=1e-12)
    expected = [-0.7 * bar for bar in case.value_and_gradients(*case.values, *case.where)[1:]]
    for one, other in zip(results[1:], expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@every_case
def test_density_gradients_match_finite_differences(case: Case) -> None:
    def positive(residual: Any, log_variance: Any, log_tau2: Any) -> Any:
        return case.log_density(residual, pt.exp(log_variance), pt.exp(log_tau2), *case.where)

    residual, variance, tau2 = case.values
    at = [residual, np.log(variance), np.log(tau2)]
    verify_grad(positive, at, rng=np.random.default_rng(1), mode=PYTHON)


@every_case
def test_densities_agree_between_numba_and_python(case: Case) -> None:
    symbols = case.symbols
    value = pt.sin(case.log_density(*symbols, *case.where))
    outputs = [value, *pt.grad(value, symbols)]
    compiled = pytensor.function(symbols, outputs, mode="NUMBA")(*case.values)
    plain = pytensor.function(symbols, outputs, mode=PYTHON)(*case.values)
    for one, other in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@every_case
def test_density_shapes_are_inferred_without_computing(case: Case) -> None:
    symbols = case.symbols
    value = case.log_density(*symbols, *case.where)
    shapes = [gradient.shape for gradient in pt.grad(value, symbols)]
    function = pytensor.function(symbols, shapes, mode="FAST_RUN", on_unused_input="ignore")
    names = {type(node.op).__name__ for node in function.maker.fgraph.apply_nodes}
    assert not names & {"_BrownianLogDensity", "_KnotsLogDensity"}
    results = [tuple(shape) for shape in function(*case.values)]
    assert results == [item.shape for item in case.values]


@every_case
def test_positions_of_the_runs_are_not_differentiable(case: Case) -> None:
    symbols = [pt.as_tensor_variable(item).type() for item in case.where]
    value = case.log_density(*case.symbols, *symbols)
    pattern = value.owner.op.connection_pattern(value.owner)
    assert pattern == [[True, False, False, False]] * 3 + [[False] * 4] * len(symbols)
    for symbol in symbols:
        with pytest.raises(DisconnectedInputError):
            pt.grad(value, symbol)
