"""Printed code of scalar graphs: every operation, derivatives, constants, and where it reads."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from printed_code import applied
from pytensor.graph.traversal import applys_between
from pytensor.scalar import basic as scalar
from pytensor.scalar import math as scalar_math
from pytensor.tensor.elemwise import Elemwise
from scipy import special

from bayeslaw._inference import scalar_code
from bayeslaw._inference.scalar_code import (
    FORMS,
    UnprintableError,
    derivatives,
    is_zero,
    numbers,
    printed,
)
from bayeslaw._law.law import maximum, minimum

# Real, positive, between 0 and 1, negative; no two are equal.
POINTS = {
    "r": np.array([-2.3, -0.4, 0.6, 1.7, 3.1]),
    "s": np.array([0.9, -1.3, 0.7, -0.8, 3.2]),
    "p": np.array([0.2, 3.4, 1.1, 0.05, 40.0]),
    "q": np.array([2.0, 0.3, 1.3, 4.1, 0.7]),
    "u": np.array([0.1, 0.9, 0.5, 0.01, 0.99]),
    "m": np.array([-0.1, -0.9, -5.0, -0.01, -40.0]),
}


@dataclass(frozen=True)
class Operation:
    """An operation on tensors and the same on arrays."""

    tensor: Callable[..., Any]
    array: Callable[..., Any]
    arguments: str  # names of points, one letter each
    smooth: bool = True


def both(function: Callable[..., Any], arguments: str) -> Operation:
    """A function that takes tensors and arrays."""
    return Operation(function, function, arguments)


def truth(tensor: Callable[..., Any], array: Callable[..., Any], arguments: str) -> Operation:
    """An operation that is true or false, as a number."""
    return Operation(
        lambda *x: pt.switch(tensor(*x), 2.0, 3.0),
        lambda *x: np.where(array(*x), 2.0, 3.0),
        arguments,
        smooth=False,
    )


log1mexp: Any = Elemwise(scalar_math.log1mexp)  # PyTensor's own is for negative numbers as well
OPERATIONS: dict[type, Operation] = {
    scalar.Identity: Operation(Elemwise(scalar.identity), lambda x: x, "r"),
    scalar.Second: Operation(pt.second, lambda _, y: y, "rs"),
    scalar.Cast: Operation(
        lambda x, y: pt.cast(pt.lt(x, y), "float64"), lambda x, y: 1.0 * (x < y), "rs", smooth=False
    ),
    scalar.Add: both(lambda x, y, z: x + y + z, "rsp"),
    scalar.Mul: both(lambda x, y, z: x * y * z, "rsp"),
    scalar.Sub: both(lambda x, y: x - y, "rs"),
    scalar.TrueDiv: both(lambda x, y: x / y, "rs"),
    scalar.Neg: both(lambda x: -x, "r"),
    scalar.Reciprocal: Operation(pt.reciprocal, np.reciprocal, "r"),
    scalar.Sqr: Operation(pt.sqr, np.square, "r"),
    scalar.Pow: both(lambda x, y: x**y, "pr"),
    scalar.Sqrt: both(np.sqrt, "p"),
    scalar.Abs: both(abs, "r"),
    scalar.Exp: both(np.exp, "r"),
    scalar.Expm1: both(np.expm1, "r"),
    scalar.Log: both(np.log, "p"),
    scalar.Log1p: both(np.log1p, "p"),
    scalar.Log2: both(np.log2, "p"),
    scalar.Log10: both(np.log10, "p"),
    scalar.Exp2: both(np.exp2, "r"),
    scalar.Floor: both(np.floor, "r"),
    scalar.Ceil: both(np.ceil, "r"),
    scalar.Sin: both(np.sin, "r"),
    scalar.Cos: both(np.cos, "r"),
    scalar.Tan: both(np.tan, "r"),
    scalar.Sinh: both(np.sinh, "r"),
    scalar.Cosh: both(np.cosh, "r"),
    scalar.Tanh: both(np.tanh, "r"),
    scalar.ArcTan: both(np.arctan, "r"),
    scalar.ArcSinh: both(np.arcsinh, "r"),
    scalar.LT: truth(pt.lt, np.less, "rs"),
    scalar.GT: truth(pt.gt, np.greater, "rs"),
    scalar.LE: truth(pt.le, np.less_equal, "rs"),
    scalar.GE: truth(pt.ge, np.greater_equal, "rs"),
    scalar.EQ: truth(lambda x, y: pt.eq(pt.sign(x), pt.sign(y)), lambda x, y: x * y > 0, "rs"),
    scalar.NEQ: truth(lambda x, y: pt.neq(pt.sign(x), pt.sign(y)), lambda x, y: x * y < 0, "rs"),
    scalar.AND: truth(lambda x, y: pt.and_(x > 0, y > 0), lambda x, y: (x > 0) & (y > 0), "rs"),
    scalar.OR: truth(lambda x, y: pt.or_(x > 0, y > 0), lambda x, y: (x > 0) | (y > 0), "rs"),
    scalar.Invert: truth(lambda x: pt.invert(x > 0), lambda x: x <= 0, "r"),
    scalar.Switch: Operation(
        lambda x, y, z: pt.switch(x > 0, y, z), lambda x, y, z: np.where(x > 0, y, z), "rsp"
    ),
    scalar.Sign: Operation(pt.sign, np.sign, "r"),
    scalar.ScalarMaximum: Operation(pt.maximum, np.maximum, "rs"),
    scalar.ScalarMinimum: Operation(pt.minimum, np.minimum, "rs"),
    scalar.IsNan: truth(lambda x: pt.isnan(pt.log(x)), lambda x: x < 0, "r"),
    scalar.IsInf: truth(lambda x: pt.isinf(1 / pt.maximum(x, 0.0)), lambda x: x < 0, "r"),
    scalar_math.Sigmoid: Operation(pt.sigmoid, special.expit, "r"),
    scalar_math.Softplus: Operation(pt.softplus, lambda x: np.logaddexp(0, x), "r"),
    scalar_math.Log1mexp: Operation(log1mexp, lambda x: np.log1p(-np.exp(x)), "m"),
    scalar_math.Erf: Operation(pt.erf, special.erf, "r"),
    scalar_math.Erfc: Operation(pt.erfc, special.erfc, "r"),
    scalar_math.GammaLn: Operation(pt.gammaln, special.gammaln, "p"),
    scalar_math.Psi: Operation(pt.psi, special.psi, "p", smooth=False),
}
every_operation = pytest.mark.parametrize(
    "operation", OPERATIONS.values(), ids=[kind.__name__ for kind in OPERATIONS]
)
SMOOTH = [kind for kind, operation in OPERATIONS.items() if operation.smooth]
VARIABLES = numbers(list(POINTS))
OUTPUTS = {
    kind: operation.tensor(*(VARIABLES[name] for name in operation.arguments))
    for kind, operation in OPERATIONS.items()
}


def test_every_form_is_in_the_table() -> None:
    nodes = applys_between([], list(OUTPUTS.values()))
    in_graphs = {type(node.op.scalar_op) for node in nodes if isinstance(node.op, Elemwise)}
    assert OPERATIONS.keys() == FORMS.keys() == in_graphs & FORMS.keys()


@pytest.fixture(scope="module")
def values() -> dict[type, np.ndarray]:
    """Of every operation, compiled together and as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scalar_code, "REWRITES", ["merge"])
        source = printed(list(OUTPUTS.values()), VARIABLES)
    return dict(zip(OUTPUTS, applied(source, len(OUTPUTS), POINTS), strict=True))


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
def test_operations_are_those_of_numpy(kind: type, values: dict[type, np.ndarray]) -> None:
    operation = OPERATIONS[kind]
    expected = operation.array(*(POINTS[name] for name in operation.arguments))
    series = 5e-14 if kind is scalar_math.Psi else 0.0  # summed by its recurrence
    np.testing.assert_allclose(values[kind], expected, rtol=1e-14, atol=series)


@pytest.fixture(scope="module")
def slopes() -> dict[tuple[type, int], np.ndarray]:
    """Derivatives of all operations by each argument, compiled together."""
    outputs = {}
    for kind in SMOOTH:
        arguments = [VARIABLES[name] for name in OPERATIONS[kind].arguments]
        for i, slope in enumerate(derivatives(OUTPUTS[kind], arguments)):
            outputs[kind, i] = slope
    results = applied(printed(list(outputs.values()), VARIABLES), len(outputs), POINTS)
    return dict(zip(outputs, results, strict=True))


@pytest.mark.parametrize("kind", SMOOTH, ids=lambda kind: kind.__name__)
def test_derivatives_are_finite_differences(
    kind: type, slopes: dict[tuple[type, int], np.ndarray]
) -> None:
    operation = OPERATIONS[kind]
    at = [POINTS[name] for name in operation.arguments]
    for i, argument in enumerate(at):
        step = 1e-5 * np.maximum(1e-3, np.abs(argument))
        up, down = (operation.array(*at[:i], argument + s, *at[i + 1 :]) for s in (step, -step))
        expected = (up - down) / (2 * step)
        np.testing.assert_allclose(slopes[kind, i], expected, rtol=1e-7, atol=1e-9)


TINY = math.exp(-40)
STABLE: dict[str, tuple[Callable[[Any], Any], list[float], list[float]]] = {
    "softplus": (lambda x: np.log(1 + np.exp(x)), [-800.0, 0.0, 800.0], [0.0, math.log(2), 800.0]),
    "log1p": (lambda x: np.log(1 + x), [1e-18, 1e-300], [1e-18, 1e-300]),
    "expm1": (lambda x: np.exp(x) - 1, [1e-18, -1e-300], [1e-18, -1e-300]),
    "log of a logistic": (lambda x: np.log(pt.sigmoid(x)), [-800.0, 40.0], [-800.0, -TINY]),
    "log1mexp": (lambda x: np.log(1 - np.exp(x)), [-1e-18, -40.0], [math.log(1e-18), -TINY]),
}  # fmt: skip


@pytest.mark.parametrize(("function", "at", "expected"), STABLE.values(), ids=STABLE)
def test_stable_forms_are_used(function: Any, at: list[float], expected: list[float]) -> None:
    source = printed([function(VARIABLES["r"])], {"r": VARIABLES["r"]})
    np.testing.assert_allclose(applied(source, 1, {"r": np.array(at)})[0], expected, rtol=1e-13)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, -1.5, -0.0, 0.0, 1e-320, 3])
def test_constants(value: float) -> None:
    r, at = VARIABLES["r"], np.array([2.0, -3.0])
    outputs = [value, r - value, value - r, r * value, pt.switch(r > 0, value, r)]
    results = applied(printed(outputs, {"r": r}), len(outputs), {"r": at})
    with np.errstate(invalid="ignore"):
        expected = [
            np.full(2, value, dtype=float), at - value, value - at, at * value,
            np.where(at > 0, value, at),
        ]  # fmt: skip
    np.testing.assert_array_equal(results, expected)


@pytest.mark.parametrize(
    "function",
    [pt.maximum, pt.minimum, lambda x, y: pt.maximum(y, x), lambda x, y: pt.minimum(y, x)],
)
def test_what_is_not_a_number_has_no_maximum(function: Callable[..., Any]) -> None:
    r, s = VARIABLES["r"], VARIABLES["s"]
    at = {"r": np.array([math.nan, 1.0]), "s": np.array([1.0, math.nan])}
    results = applied(printed([function(r, s)], {"r": r, "s": s}), 1, at)
    assert np.all(np.isnan(results))


def test_negative_constants_are_raised_to_powers_as_numbers() -> None:
    r, at = VARIABLES["r"], np.array([2.0, 3.0])
    results = applied(printed([(-2.0) ** r, r**-2.0, -(r**2.0)], {"r": r}), 3, {"r": at})
    np.testing.assert_allclose(results, [(-2.0) ** at, at**-2.0, -(at**2)], rtol=1e-15)


def test_outputs_may_be_inputs_constants_or_the_same() -> None:
    r, s = VARIABLES["r"], VARIABLES["s"]
    total = r + s
    at = {"r": np.array([1.0, 2.0]), "s": np.array([10.0, 20.0])}
    results = applied(printed([s, 7, total, r, total, 0.5], {"r": r, "s": s}), 6, at)
    expected = [at["s"], [7, 7], at["r"] + at["s"], at["r"], at["r"] + at["s"], [0.5, 0.5]]
    np.testing.assert_array_equal(results, expected)


@pytest.mark.parametrize("output", [1.0, VARIABLES["s"], np.exp(VARIABLES["s"])], ids=str)
def test_the_derivative_by_what_an_output_does_not_depend_on_is_zero(output: Any) -> None:
    r, s = VARIABLES["r"], VARIABLES["s"]
    source = printed(derivatives(output, [r, s]), {"r": r, "s": s})
    results = applied(source, 2, {"r": np.array([1.0]), "s": np.array([0.5])})
    slope = {"1.0": 0.0, "s": 1.0}.get(str(output), math.exp(0.5))
    np.testing.assert_allclose(results, [[0.0], [slope]], rtol=1e-15)


@pytest.mark.parametrize(
    ("output", "name"),
    [
        (pt.gammaincinv(VARIABLES["p"], VARIABLES["u"]), "gammaincinv"),
        (pt.arctan2(VARIABLES["r"], VARIABLES["s"]), "arctan2"),
        (1 + pt.erfcinv(VARIABLES["u"]), "erfcinv"),
    ],
    ids=["gammaincinv", "arctan2", "erfcinv"],
)
def test_an_operation_without_a_form_is_refused_by_its_name(output: Any, name: str) -> None:
    sentence = f"^it uses {name}, which cannot be compiled; laws, .* may use .* and bl.minimum$"
    with pytest.raises(UnprintableError, match=sentence):
        printed([output], VARIABLES)


def test_what_the_message_says_may_be_used_is_printed() -> None:
    p, q = VARIABLES["p"], VARIABLES["q"]
    functions = [np.exp, np.log, np.log1p, np.expm1, np.sqrt, abs, np.floor, np.tanh]
    outputs = [*(function(p) for function in functions), maximum(p, q), minimum(p, q)]
    outputs += [p + q, p - q, p * q, p / q, p**q, pt.switch(p < q, p, q)]
    source = printed(outputs, VARIABLES)
    assert np.all(np.isfinite(applied(source, len(outputs), POINTS)))


def test_outputs_that_are_zero_are_known() -> None:
    r, s = VARIABLES["r"], VARIABLES["s"]
    assert [is_zero(x) for x in (0, 0 * r, r - r, *derivatives(s, [r]))] == [True] * 4
    assert [is_zero(x) for x in (r, 1.0, r - s, *derivatives(s, [s]))] == [False] * 4


@pytest.mark.parametrize("function", [np.floor, np.ceil])
def test_whole_numbers_may_be_large_or_none(function: Callable[[Any], Any]) -> None:
    at = np.array([1e25, -1e25, math.inf, -math.inf, math.nan])
    r = VARIABLES["r"]
    results = applied(printed([function(r)], {"r": r}), 1, {"r": at})
    np.testing.assert_array_equal(results[0], at)


def is_known(text: str) -> bool:
    """Whether powers and logarithms of data are not computed."""
    return "**" not in text and "math.log(" not in text


N, LOG_N, D = numbers(["N", "log_N", "D"]).values()
A, B = numbers(["a", "b"]).values()
WITH_LOG: list[tuple[Any, Callable[..., Any], bool]] = [
    (A * N**-B, lambda n, d, a, b: a * n**-b, True),
    (A * N**0.5 + N**2.0, lambda n, d, a, b: a * n**0.5 + n**2, True),
    (A - B * np.log(N), lambda n, d, a, b: a - b * np.log(n), True),
    ((N / A) ** B, lambda n, d, a, b: (n / a) ** b, False),
    (D**B + np.log(D), lambda n, d, a, b: d**b + np.log(d), False),
    (A**B * N, lambda n, d, a, b: a**b * n, False),
    (N**N, lambda n, d, a, b: n**n, True),
]


@pytest.mark.parametrize(("output", "function", "known"), WITH_LOG, ids=lambda x: str(x)[:20])
def test_powers_and_logarithms_of_data_use_the_known_logarithm(
    output: Any, function: Callable[..., Any], known: bool
) -> None:
    state = {"a": A, "b": B}
    source = printed(
        [output, *derivatives(output, [A, B])], state, {"N": N, "log_N": LOG_N, "D": D}
    )
    assert is_known(source) is known
    n, d = np.array([0.3, 2.0]), np.array([1.5, 0.7])
    a, b = np.array([1.2, 0.8]), np.array([0.3, 0.6])
    results = applied(
        source, 3, {"a": a, "b": b}, {"N": n, "log_N": np.log(n), "D": d}
    )  # fmt: skip
    np.testing.assert_allclose(results[0], function(n, d, a, b), rtol=1e-14)
    slopes = [
        (function(n, d, a + x, b + y) - function(n, d, a - x, b - y)) / 2e-6
        for x, y in [(1e-6, 0), (0, 1e-6)]
    ]
    np.testing.assert_allclose(results[1:], slopes, rtol=1e-7, atol=1e-9)


rows = st.integers(0, 3)


@settings(max_examples=15, deadline=None)
@given(sizes=st.tuples(rows, rows, rows), columns=st.integers(0, 4), curves=st.integers(1, 3))
def test_columns_are_read_from_their_rows(
    sizes: tuple[int, int, int], columns: int, curves: int
) -> None:
    rng = np.random.default_rng(columns)
    names = [f"x{i}" for i in range(sum(sizes))]
    variables = numbers(names)
    ends = np.cumsum(sizes)
    state, data, curve = np.split(np.array(names), ends[:-1])
    values = {name: rng.normal(size=columns) for name in [*state, *data]}
    values |= {name: rng.normal(size=curves) for name in curve}
    curve_of = rng.integers(0, curves, columns)
    weights = 1.0 + np.arange(len(names))
    total = sum(
        (w * variables[n] for w, n in zip(weights, names, strict=True)), start=pt.constant(0.5)
    )
    parts = [{n: variables[n] for n in part} for part in (state, data, curve)]
    at = [{n: values[n] for n in part} for part in (state, data, curve)]
    at[2] = at[2] or {"none": np.zeros(curves)}
    results = applied(printed([total], *parts), 1, *at, curve_of)
    expected = 0.5 + sum(
        w * (values[n][curve_of] if n in curve else values[n])
        for w, n in zip(weights, names, strict=True)
    )
    np.testing.assert_allclose(results[0], np.broadcast_to(expected, columns), rtol=1e-12)


def test_what_is_printed_does_not_prevent_that_pymc_is_imported() -> None:
    """A rewrite of PyMC's that is asked for before it is registered could not be registered."""
    code = (
        "from bayeslaw._inference.scalar_code import is_zero, numbers\n"
        "assert not is_zero(numbers(['x'])['x'])\n"
        "import pymc"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
