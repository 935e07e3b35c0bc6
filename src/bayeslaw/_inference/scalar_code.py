"""Scalar functions as straight-line code: PyTensor graphs of numbers, printed for Numba.

A law, a system of coordinates, a prior or a kind of noise is a function of a few numbers of one run
or one curve. PyTensor derives its gradient; what is printed here is a loop over runs or curves with
one line per operation. It compiles in a fraction of a second, where a graph of arrays takes many.
"""

# PyTensor's annotations do not know that its variables can be computed with.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportOperatorIssue=false
# pyright: reportReturnType=false, reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pymc  # noqa: F401 (has the last of the rewrites below: asking for it before blocks the import)
import pytensor
import pytensor.tensor as pt
from pytensor.gradient import NullTypeGradError
from pytensor.graph.basic import Constant
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import clone_replace
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import applys_between, graph_inputs
from pytensor.scalar import basic as scalar
from pytensor.scalar import math as scalar_math
from pytensor.tensor.elemwise import DimShuffle, Elemwise

__all__ = [
    "USABLE",
    "Columns",
    "UnprintableError",
    "derivatives",
    "double_precision",
    "is_zero",
    "numbers",
    "printed",
    "with_exact_constants",
]

REWRITES = ["merge", "canonicalize", "stabilize", "local_remove_check_parameter"]
FORMS = {
    scalar.Identity: "{0}", scalar.Second: "{1}", scalar.Cast: "1.0 * ({0})",
    scalar.Add: " + ", scalar.Mul: " * ", scalar.Sub: "{0} - {1}", scalar.TrueDiv: "{0} / {1}",
    scalar.Neg: "-{0}", scalar.Reciprocal: "1.0 / {0}", scalar.Sqr: "{0} * {0}",
    scalar.Pow: "{0} ** {1}", scalar.Sqrt: "math.sqrt({0})", scalar.Abs: "abs({0})",
    scalar.Exp: "math.exp({0})", scalar.Expm1: "math.expm1({0})", scalar.Log: "math.log({0})",
    scalar.Log1p: "math.log1p({0})", scalar.Log2: "math.log2({0})",
    scalar.Log10: "math.log10({0})", scalar.Exp2: "2.0 ** {0}",
    scalar.Floor: "np.floor({0})", scalar.Ceil: "np.ceil({0})",
    scalar.Sin: "math.sin({0})", scalar.Cos: "math.cos({0})", scalar.Tan: "math.tan({0})",
    scalar.Sinh: "math.sinh({0})", scalar.Cosh: "math.cosh({0})", scalar.Tanh: "math.tanh({0})",
    scalar.ArcTan: "math.atan({0})", scalar.ArcSinh: "math.asinh({0})",
    scalar.LT: "{0} < {1}", scalar.GT: "{0} > {1}", scalar.LE: "{0} <= {1}",
    scalar.GE: "{0} >= {1}", scalar.EQ: "{0} == {1}", scalar.NEQ: "{0} != {1}",
    scalar.AND: "({0}) and ({1})", scalar.OR: "({0}) or ({1})", scalar.Invert: "not ({0})",
    scalar.Switch: "{1} if {0} else {2}", scalar.Sign: "sign({0})",
    # What is not a number stays so: Python's max and min would drop it.
    scalar.ScalarMaximum: "{0} if {0} > {1} or {0} != {0} else {1}",
    scalar.ScalarMinimum: "{0} if {0} < {1} or {0} != {0} else {1}",
    scalar.IsNan: "math.isnan({0})", scalar.IsInf: "math.isinf({0})",
    scalar_math.Sigmoid: "1.0 / (1.0 + math.exp(-{0}))", scalar_math.Softplus: "softplus({0})",
    scalar_math.Log1mexp: "log1mexp({0})", scalar_math.Erf: "math.erf({0})",
    scalar_math.Erfc: "math.erfc({0})", scalar_math.GammaLn: "math.lgamma({0})",
    scalar_math.Psi: "digamma({0})",
}  # fmt: skip

USABLE = (
    "laws, noise, scales and priors may use + - * / **, NumPy's exp, log, log1p, expm1, sqrt, abs, "
    "floor, tanh and the like, bl.maximum and bl.minimum"
)

type Columns = Mapping[str, Any]  # variables by name, one per row of an array


class UnprintableError(TypeError):
    """An operation that has no printed form; `variable` is its result.

    Messages begin with "it", the function that was traced.
    """

    def __init__(self, message: str, variable: Any = None) -> None:
        super().__init__(message)
        self.variable = variable


_settings = threading.RLock()  # PyTensor's are those of all threads


@contextmanager
def double_precision() -> Iterator[None]:
    """Build and print graphs in double precision, whatever PyTensor's settings are."""
    with (
        _settings,
        pytensor.config.change_flags(
            floatX="float64", cast_policy="custom", warn_float64="ignore", traceback__limit=8
        ),
    ):
        yield


def numbers(names: Sequence[str], prefix: str = "") -> dict[str, Any]:
    """Variables for numbers, by name."""
    return {name: pt.dscalar(f"{prefix}{name}") for name in names}


def derivatives(output: Any, inputs: Sequence[Any]) -> list[Any]:
    """Derivatives of a number by others, zero where it does not depend on them."""
    zeros = [pt.zeros_like(item) for item in inputs]
    output = pt.as_tensor_variable(output, dtype="float64")
    if not set(inputs) & set(graph_inputs([output])):
        return zeros
    try:
        return pt.grad(output, [*inputs], disconnected_inputs="ignore", return_disconnected="zero")
    except (NotImplementedError, NullTypeGradError) as error:
        raise UnprintableError(f"it has no derivative: {error}; {USABLE}") from None


def is_zero(output: Any) -> bool:
    """Whether a number does not depend on anything and is zero."""
    [value] = rewrite_graph([pt.as_tensor_variable(output)], include=REWRITES)
    return isinstance(value, Constant) and float(value.data) == 0


def printed(
    outputs: Sequence[Any],
    state: Columns,
    data: Columns | None = None,
    curve: Columns | None = None,
) -> str:
    """Source of a function that writes the outputs of every column.

    A column has the numbers `data`, which are constant, and `state`, and those of its `curve`. Data
    called ``log_`` and the name of another are its logarithms, with which powers are printed as
    exponentials.
    """
    outputs = [pt.as_tensor_variable(output, dtype="float64") for output in outputs]
    columns = {"state": state, "data": data or {}, "curve_values": curve or {}}
    inputs = [item for rows in columns.values() for item in rows.values()]
    outputs = _with_known_logarithms(with_exact_constants(outputs), columns["data"])
    optimised = rewrite_graph(outputs, include=REWRITES)
    graph = FunctionGraph(inputs, optimised, clone=False)
    reads = {
        item: f"{place}[{row} * n + i]"
        if place != "curve_values"
        else f"{place}[{row} * n_curves + g]"
        for place, rows in columns.items()
        for row, item in enumerate(rows.values())
    }
    body, results = _statements(graph, reads)
    lines = [f"        {line}" for line in body]
    lines += [f"        out[{row} * n + i] = {name}" for row, name in enumerate(results)]
    uses_curve = any("curve_values[" in line for line in lines)
    head = ["        g = curve[i]"] if uses_curve else []
    return "\n".join([*_head(columns, len(outputs), uses_curve), *head, *lines, ""])


def _head(columns: Mapping[str, Columns], n_outputs: int, uses_curve: bool) -> list[str]:
    lines = ["def entry(n, curve_at, curve_values_at, n_curves, data_at, state_at, out_at):"]
    if uses_curve:
        lines.append("    curve = carray(integers_at(curve_at), (n,))")
    for name, rows in columns.items():
        length = "n_curves" if name == "curve_values" else "n"
        if rows and (name != "curve_values" or uses_curve):
            lines.append(f"    {name} = carray(reals_at({name}_at), ({len(rows)} * {length},))")
    lines.append(f"    out = carray(reals_at(out_at), ({n_outputs} * n,))")
    return [*lines, "    for i in range(n):"]


def _statements(graph: Any, reads: Mapping[Any, str]) -> tuple[list[str], list[str]]:
    """One statement per input and operation, and the names of the outputs."""
    names: dict[Any, str] = {}
    lines: list[str] = []

    def name_of(variable: Any) -> str:
        if isinstance(variable, Constant):
            return _literal(_number(variable))
        if variable not in names:
            names[variable] = f"x{len(names)}"
            lines.append(f"{names[variable]} = {reads[variable]}")
        return names[variable]

    for node in graph.toposort():
        arguments = [name_of(variable) for variable in node.inputs]
        expression = arguments[0] if isinstance(node.op, DimShuffle) else _form(node, arguments)
        names[node.outputs[0]] = f"x{len(names)}"
        lines.append(f"{names[node.outputs[0]]} = {expression}")
    return lines, [name_of(output) for output in graph.outputs]


def _form(node: Any, arguments: list[str]) -> str:
    operation = node.op.scalar_op if isinstance(node.op, Elemwise) else node.op
    form = FORMS.get(type(operation))
    if form is None:
        name = getattr(operation, "name", None) or type(operation).__name__
        raise UnprintableError(
            f"it uses {name}, which cannot be compiled; {USABLE}", node.outputs[0]
        )
    return form.join(arguments) if "{" not in form else form.format(*arguments)


def _number(constant: Any) -> float:
    try:
        return float(constant.data)
    except TypeError:
        raise UnprintableError(f"it uses {constant}, which is no number; {USABLE}") from None


def _literal(value: float) -> str:
    text = repr(value) if np.isfinite(value) else f"math.{'nan' if np.isnan(value) else 'inf'}"
    return f"(-{text})" if value == -np.inf else f"({text})" if value < 0 else text


def with_exact_constants(outputs: list[Any]) -> list[Any]:
    """Compute in double precision: PyTensor stores 0.5 in half precision, and its log in single."""
    constants = {
        item: pt.constant(item.data, dtype="float64")
        for node in applys_between([], outputs)
        if isinstance(node.op, Elemwise) and node.outputs[0].dtype in ("float16", "float32")
        for item in node.inputs
        if isinstance(item, Constant)
    }
    return clone_replace(outputs, constants, rebuild_strict=False) if constants else outputs


def _with_known_logarithms(outputs: list[Any], data: Columns) -> list[Any]:
    """Rewrite powers and logarithms of data: an exponential takes a quarter of a power's time."""
    logarithm = {item: data[f"log_{name}"] for name, item in data.items() if f"log_{name}" in data}

    @node_rewriter([pt.pow, pt.log])
    def with_logarithm(_: Any, node: Any) -> Any:
        base, *exponent = node.inputs
        if base not in logarithm:
            return None
        return [pt.exp(exponent[0] * logarithm[base]) if exponent else logarithm[base]]

    inputs = {item for item in graph_inputs(outputs) if not isinstance(item, Constant)}
    graph = FunctionGraph([*(inputs | set(logarithm.values()))], outputs, clone=False)
    dfs_rewriter(with_logarithm).rewrite(graph)
    return list(graph.outputs)
