"""Printed functions are called by their address with all arrays that they read."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeslaw._kernels.call import apply, apply_by_curve, integers_at, reals_at
from bayeslaw._kernels.jit import kernel
from bayeslaw._kernels.printed import compiled_function

OF_STATE = """
def entry(n, curve_at, curve_values_at, n_curves, data_at, state_at, out_at):
    data = carray(reals_at(data_at), (1 * n,))
    state = carray(reals_at(state_at), (2 * n,))
    out = carray(reals_at(out_at), (2 * n,))
    for i in range(n):
        out[0 * n + i] = data[0 * n + i] + 10 * state[1 * n + i]
        out[1 * n + i] = state[0 * n + i] - data[0 * n + i]
"""
OF_CURVE = """
def entry(n, curve_at, curve_values_at, n_curves, data_at, state_at, out_at):
    curve = carray(integers_at(curve_at), (n,))
    curve_values = carray(reals_at(curve_values_at), (2 * n_curves,))
    data = carray(reals_at(data_at), (1 * n,))
    state = carray(reals_at(state_at), (1 * n,))
    out = carray(reals_at(out_at), (1 * n,))
    for i in range(n):
        g = curve[i]
        out[i] = data[i] + state[i] * curve_values[0 * n_curves + g] - curve_values[n_curves + g]
"""
sizes = st.integers(0, 7)


@settings(deadline=None)
@given(n=sizes)
def test_apply_reads_and_writes_rows(n: int) -> None:
    rng = np.random.default_rng(n)
    data, state, out = rng.normal(size=(1, n)), rng.normal(size=(2, n)), np.full((2, n), np.nan)
    apply(compiled_function(OF_STATE).address, data, state, out)
    np.testing.assert_array_equal(out, [data[0] + 10 * state[1], state[0] - data[0]])


@settings(deadline=None)
@given(n=sizes, curves=st.integers(1, 3))
def test_apply_by_curve_reads_the_values_of_each_columns_curve(n: int, curves: int) -> None:
    rng = np.random.default_rng(n)
    curve, values = rng.integers(0, curves, n), rng.normal(size=(2, curves))
    data, state, out = rng.normal(size=(1, n)), rng.normal(size=(1, n)), np.full((1, n), np.nan)
    apply_by_curve(compiled_function(OF_CURVE).address, curve, values, data, state, out)
    expected = data[0] + state[0] * values[0, curve] - values[1, curve]
    np.testing.assert_allclose(out[0], expected, rtol=1e-14)


def test_the_function_is_not_part_of_the_caller() -> None:
    changed = OF_STATE.replace("10 *", "20 *")
    data, state = np.zeros((1, 2)), np.ones((2, 2))
    results = []
    for source in (OF_STATE, changed):
        out = np.empty((2, 2))
        apply(compiled_function(source).address, data, state, out)
        results.append(out[0].tolist())
    assert results == [[10.0, 10.0], [20.0, 20.0]]
    assert len(apply.signatures) == 1


def test_memory_is_read_as_its_type() -> None:
    reals, integers = np.array([0.5, 1.5]), np.array([3, -4])
    assert _second_real(reals.ctypes.data) == 1.5
    assert _second_integer(integers.ctypes.data) == -4


@kernel
def _second_real(address):
    return reals_at(address)[1]


@kernel
def _second_integer(address):
    return integers_at(address)[1]
