"""PyTensor operations of the discrepancy: values, gradients, both linkers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from pytensor.gradient import DisconnectedInputError, verify_grad

from bayeslaw._inference.discrepancy_operations import knots_density, walk_density
from bayeslaw._kernels import brownian as walk
from bayeslaw._kernels import knot_layout as knot_places
from bayeslaw._kernels import knots

PYTHON = Mode(linker="py", optimizer=None)
RUNS, CURVES, PREDICTORS = 13, 2, 2
RNG = np.random.default_rng(3)
CURVE = RNG.integers(0, CURVES, RUNS)
POSITION = RNG.integers(-4, 5, (PREDICTORS, RUNS)) / 2


@dataclass(frozen=True)
class Case:
    """An operation, its kernels, and where the runs are."""

    density: Callable[..., Any]
    kernel: Any
    with_gradient: Any
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
    "walk": Case(
        walk_density,
        walk.density,
        walk.with_gradient,
        walk.chains(POSITION[0], CURVE),
        np.array([0.7, 1.9]),
    ),
    "knots": Case(
        knots_density,
        knots.density,
        knots.with_gradient,
        knot_places.knots(POSITION, CURVE, most=3),
        np.array([[0.7, 1.9], [0.3, 1.1]]),
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@every_case
def test_operations_are_their_kernels(case: Case) -> None:
    value = case.density(*case.symbols, *case.where)
    assert value.ndim == 0
    symbols = value.owner.inputs[:3]
    outputs = [value, *pt.grad(-0.7 * value, symbols)]
    found = pytensor.function(symbols, outputs, mode=PYTHON)(*case.values)
    expected_value = case.kernel(*case.values, *case.where)
    np.testing.assert_allclose(found[0], expected_value, rtol=1e-12)
    expected = [-0.7 * slope for slope in case.with_gradient(*case.values, *case.where)[1:]]
    for one, other in zip(found[1:], expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@every_case
def test_gradients(case: Case) -> None:
    def positive(residual: Any, log_variance: Any, log_tau2: Any) -> Any:
        return case.density(residual, pt.exp(log_variance), pt.exp(log_tau2), *case.where)

    residual, variance, tau2 = case.values
    at = [residual, np.log(variance), np.log(tau2)]
    verify_grad(positive, at, rng=np.random.default_rng(1), mode=PYTHON)


@every_case
def test_numba_and_python_agree(case: Case) -> None:
    symbols = case.symbols
    value = pt.sin(case.density(*symbols, *case.where))
    outputs = [value, *pt.grad(value, symbols)]
    compiled = pytensor.function(symbols, outputs, mode="NUMBA")(*case.values)
    plain = pytensor.function(symbols, outputs, mode=PYTHON)(*case.values)
    for one, other in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@every_case
def test_shapes_are_known_without_computing(case: Case) -> None:
    symbols = case.symbols
    value = case.density(*symbols, *case.where)
    shapes = [slope.shape for slope in pt.grad(value, symbols)]
    function = pytensor.function(symbols, shapes, mode="FAST_RUN", on_unused_input="ignore")
    names = {type(node.op).__name__ for node in function.maker.fgraph.apply_nodes}
    assert not names & {"_Walk", "_Knots"}
    found = [tuple(shape) for shape in function(*case.values)]
    assert found == [item.shape for item in case.values]


@every_case
def test_where_the_runs_are_is_not_differentiable(case: Case) -> None:
    symbols = [pt.as_tensor_variable(item).type() for item in case.where]
    value = case.density(*case.symbols, *symbols)
    pattern = value.owner.op.connection_pattern(value.owner)
    assert pattern == [[True, False, False, False]] * 3 + [[False] * 4] * len(symbols)
    for symbol in symbols:
        with pytest.raises(DisconnectedInputError):
            pt.grad(value, symbol)
