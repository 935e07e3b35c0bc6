"""PyTensor operations of the group effects: values, gradients, both linkers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from pytensor.gradient import DisconnectedInputError, verify_grad

from bayeslaw._inference.group_effects_operations import gather_effects, place
from bayeslaw._kernels import group_effects as kernels

SHAPES = 2, 6, 7  # parameters, curves, levels
CODES = np.array([[0, 1, 1, 0, 1, 0], [2, 3, 4, 4, 3, 2], [5, 6, 5, 6, 6, 6]])
BOUNDS = np.array([[0, 2, 0, 5], [2, 3, 5, 7]])
PYTHON = Mode(linker="py", optimizer=None)


def values() -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    rows, curves, levels = SHAPES
    return [
        rng.normal(size=levels),
        np.exp(rng.normal(size=(rows, curves))),
        rng.normal(size=(rows, curves)),
        np.exp(rng.normal(size=levels)),
    ]


def inputs() -> list[Any]:
    return [pt.dvector("z"), pt.dmatrix("weight"), pt.dmatrix("residual"), pt.dvector("scale")]


def graph(symbols: list[Any]) -> Any:
    """A number that depends on both outputs of `place` and on `gather_effects`."""
    effects, log_det = place(*symbols, CODES, BOUNDS)
    return pt.sum(pt.sin(gather_effects(effects * symbols[3], CODES, BOUNDS))) + 0.3 * log_det**2


def test_operations_are_their_kernels() -> None:
    symbols = inputs()
    effects, log_det = place(*symbols, CODES, BOUNDS)
    outputs = [effects, log_det, gather_effects(symbols[0], CODES, BOUNDS)]
    found = pytensor.function(symbols, outputs, mode=PYTHON, on_unused_input="ignore")(*values())
    expected = [
        *kernels.place(*values(), CODES, BOUNDS),
        kernels.gather_effects(values()[0], CODES, BOUNDS),
    ]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_gradient_of_place_and_gather() -> None:
    verify_grad(
        lambda *symbols: graph(list(symbols)), values(), rng=np.random.default_rng(1), mode=PYTHON
    )


@pytest.mark.parametrize("output", [0, 1])
def test_gradient_of_one_output_alone(output: int) -> None:
    def one(*symbols: Any) -> Any:
        return place(*symbols, CODES, BOUNDS)[output].sum()

    verify_grad(one, values(), rng=np.random.default_rng(1), mode=PYTHON)


def test_numba_and_python_agree() -> None:
    symbols = inputs()
    value = graph(symbols)
    outputs = [value, *pt.grad(value, symbols)]
    compiled = pytensor.function(symbols, outputs, mode="NUMBA")(*values())
    plain = pytensor.function(symbols, outputs, mode=PYTHON)(*values())
    for one, other in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_shapes_are_known_without_computing() -> None:
    symbols = inputs()
    effects, log_det = place(*symbols, CODES, BOUNDS)
    gathered = gather_effects(effects, CODES, BOUNDS)
    slopes = pt.grad(log_det, symbols[1])
    shapes = [effects.shape, gathered.shape, slopes.shape]
    function = pytensor.function(symbols, shapes, mode="FAST_RUN", on_unused_input="ignore")
    names = {type(node.op).__name__ for node in function.maker.fgraph.apply_nodes}
    assert not names & {"_Place", "_Gather", "_PlaceGradient"}
    rows, curves, levels = SHAPES
    assert [tuple(shape) for shape in function(*values())] == [
        (levels,),
        (rows, curves),
        (rows, curves),
    ]


def test_memberships_are_not_differentiable() -> None:
    codes = pt.lmatrix("codes")
    value = gather_effects(pt.dvector("effects"), codes, BOUNDS).sum()
    with pytest.raises(DisconnectedInputError):
        pt.grad(value, codes)
