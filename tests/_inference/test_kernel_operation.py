"""Operations that are one kernel: nodes, calls from Python, the key of compiled code."""

from __future__ import annotations

import hashlib
import inspect
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode

from bayeslaw._inference.kernel_operation import KernelOp, cache_key
from bayeslaw._kernels import brownian as walk
from bayeslaw._kernels import curve_transform as settling
from bayeslaw._kernels import group_effects as kernels
from bayeslaw._kernels import knots
from bayeslaw._kernels import population_transform as settling_population

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
    found = function(np.array([1.0, 2.0]), 3.0)
    assert found == 9.0
    assert isinstance(found, np.ndarray)


def test_several_outputs_are_tensors_each() -> None:
    values = pt.dvector("values")
    first, last = Ends()(values)
    assert (first.type, last.type) == (pt.dvector, pt.dscalar)
    found = pytensor.function([values], [first, last], mode=PYTHON)(np.array([1.0, 2.0, 5.0]))
    np.testing.assert_array_equal(found[0], [1.0])
    assert found[1] == 5.0


def test_arrays_and_numbers_become_tensors() -> None:
    assert Total()(np.array([1.0, 2.0]), 0.5).eval(mode=PYTHON) == 1.5


def test_operations_of_a_kind_are_equal() -> None:
    assert Total() == Total()
    assert Total() != Ends()


@pytest.mark.parametrize("kind", [Total, Ends])
def test_the_key_holds_the_kind_and_the_kernels(kind: Any) -> None:
    name, _, digest = cache_key(kind()).partition("-")
    sources = "".join(
        inspect.getsource(module)
        for module in (kernels, knots, settling, settling_population, walk)
    )
    assert name == kind.__name__
    assert digest == hashlib.sha256(sources.encode()).hexdigest()
