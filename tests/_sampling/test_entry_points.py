"""Entry points: every compiled density has its own, with or without a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest

from bayeslaw._sampling.compiled import DOUBLES, INTEGERS
from bayeslaw._sampling.entry_points import compile_entry_points

POINT = np.array([1.0, 2.0])


def inner(factor: float) -> Any:
    """What a compiled density returns: its value, gradient and variables."""

    @numba.njit
    def density(point):
        return np.asarray(factor * point.sum()), np.full(point.size, factor), point[:1] - factor

    return density


def status_of(function: Any, *arguments: Any) -> int:
    """Call an entry point."""
    kinds = {np.dtype(float): DOUBLES, np.dtype(np.int64): INTEGERS}
    ends = (x.ctypes.data_as(kinds[x.dtype]) if np.ndim(x) else x for x in arguments)
    return function.ctypes(*ends)


def density(entry_points: Any) -> tuple[int, float, list[float]]:
    value, gradient, table = np.empty(1), np.empty(2), np.zeros(1, dtype=np.int64)
    status = status_of(entry_points[0], 2, POINT, gradient, value, table)
    return status, value.item(), gradient.tolist()


def variables(entry_points: Any) -> tuple[int, list[float]]:
    out, table = np.empty(1), np.zeros(1, dtype=np.int64)
    return status_of(entry_points[1], 2, 1, POINT, out, table), out.tolist()


@pytest.mark.parametrize("evaluate", [density, variables])
def test_densities_without_a_key_are_not_confused(evaluate: Callable[[Any], Any]) -> None:
    one, other = compile_entry_points(inner(2.0), []), compile_entry_points(inner(5.0), [])
    assert evaluate(one) == {density: (0, 6.0, [2.0, 2.0]), variables: (0, [-1.0])}[evaluate]
    assert evaluate(other) == {density: (0, 15.0, [5.0, 5.0]), variables: (0, [-4.0])}[evaluate]


def test_a_density_that_is_not_finite_has_a_status() -> None:
    entry_points = compile_entry_points(inner(np.inf), [])
    assert density(entry_points)[0] == 3


def test_nothing_is_cached_under_an_unknown_key() -> None:
    with pytest.raises(LookupError, match="evaluate is not cached under nothing"):
        compile_entry_points(None, [], "nothing")
