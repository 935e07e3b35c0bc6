"""From a PyMC model to a compiled log density, its gradient and its recorded variables.

nutpie can compile a PyMC model itself, but its entry point cannot be cached, so every process would
compile again what PyTensor has in its cache. Here the entry point is a small function with a stable
name around PyTensor's cached one, so a second process compiles nothing. Data are passed at run
time, so other runs with the same structure need no compilation either.
"""

# PyTensor's annotations do not say that its variables support arithmetic.
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportArgumentType=false, reportReturnType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import get_mode
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import clone_replace
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import graph_inputs

from bayeslaw._sampling.compiled import CompiledDensity
from bayeslaw._sampling.entry_points import ArrayType, checked_code, compile_entry_points
from bayeslaw._sampling.flat_layout import FlatLayout

__all__ = ["compile_density", "values_at"]


def compile_density(
    model: pm.Model, variables: Sequence[str], key: str | None = None
) -> CompiledDensity:
    """Compile the log density of a model whose data are all `pymc.Data`.

    `variables` are the random and deterministic variables to record in draws; `key` is that of the
    compile cache.
    """
    point = pt.dvector("point")
    # PyMC's parameter checks raise, which a C function cannot: without them the density is NaN.
    rewrites = ["merge", "canonicalize", "stabilize", "local_remove_check_parameter"]
    density = rewrite_graph(_with_known_logarithms(model, model.logp()), include=rewrites)
    recorded = model.replace_rvs_by_values([model[name] for name in variables])
    density, *recorded = clone_replace([density, *recorded], values_at(model, point))
    flat = pt.concatenate([pt.flatten(variable) for variable in recorded])
    shared = [item for item in graph_inputs([density, flat]) if isinstance(item, SharedVariable)]
    shared = sorted(set(shared), key=lambda item: str(item.name))
    inputs = {item: item.type(name=item.name) for item in shared}
    density, flat = clone_replace([density, flat], inputs)
    inner = _compiled_function([point, *inputs.values()], density, flat)
    layout, model_data = _layout(model, variables), _SharedData(model)
    types = [ArrayType(item.type.dtype, item.type.ndim) for item in shared]
    return CompiledDensity(
        compile_entry_points(inner, types, key),
        {str(item.name): np.dtype(item.type.dtype) for item in shared},
        layout,
        model_data,
        layout.initial_point(model_data),
    )


def _compiled_function(inputs: list[Any], density: Any, flat: Any) -> Any:
    """A numba function of a point and data; returns log density, gradient, recorded variables."""
    # The shapes agree by construction; to check them at each call would be half of the graph.
    mode = get_mode("NUMBA").including("local_remove_all_assert")
    # Without fast math a sum has one order: the process that compiles and the next, which loads
    # the compiled code, then give the same draws to the last bit.
    with checked_code(), pytensor.config.change_flags(numba__fastmath=False):
        function = pytensor.function(
            inputs, [density, pt.grad(density, inputs[0]), flat], mode=mode
        )
    return function.vm.jit_fn  # pyright: ignore[reportAttributeAccessIssue]


def _with_known_logarithms(model: pm.Model, density: Any) -> Any:
    """Rewrite powers of data as exponentials, which take a quarter of the time."""
    data = {item.name: item for item in model.data_vars}
    logarithm = {data[name.removeprefix("log_")]: data[name] for name in data if "log_" in name}

    @node_rewriter([pt.pow])
    def as_exponential(_: Any, node: Any) -> Any:
        base, exponent = node.inputs
        return [pt.exp(exponent * logarithm[base])] if base in logarithm else None

    inputs = {item for item in graph_inputs([density]) if not isinstance(item, Constant)}
    graph = FunctionGraph([*(inputs | set(logarithm.values()))], [density], clone=False)
    dfs_rewriter(as_exponential).rewrite(graph)
    return graph.outputs[0]


class _SharedData:
    """The data and dimension lengths of a model, which can change without compiling again."""

    def __init__(self, model: pm.Model) -> None:
        data = {item.name: item for item in model.data_vars}
        data |= {str(item.name): item for item in model.dim_lengths.values()}
        self._values = {name: np.asarray(item.get_value()) for name, item in data.items()}

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._values)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._values[name]


def _layout(model: pm.Model, variables: Sequence[str]) -> FlatLayout:
    def dims(name: str) -> tuple[str, ...]:
        return tuple(map(str, model.named_vars_to_dims.get(name) or ()))

    point = model.initial_point()
    return FlatLayout(
        tuple((item.name, dims(item.name)) for item in model.free_RVs),
        tuple((name, dims(name)) for name in variables),
        tuple(_collapsed(np.asarray(point[value.name])) for value in model.value_vars),
    )


def _collapsed(values: np.ndarray) -> np.ndarray:
    """One value if all are the same, so that it fits any number of curves."""
    return values.ravel()[0] if values.size and not np.ptp(values) else values


def values_at(model: pm.Model, point: Any) -> dict[Any, Any]:
    """The value variables as slices of a point (unknowns,), whose sizes are known at run time."""
    replacements, position = {}, 0
    for variable in model.free_RVs:
        lengths = [
            model.dim_lengths[dim] for dim in model.named_vars_to_dims.get(variable.name, ())
        ]
        size = pt.prod(pt.stack(lengths)) if lengths else 1
        part = point[position : position + size]
        replacements[model.rvs_to_values[variable]] = part.reshape(lengths, ndim=len(lengths))
        position = position + size
    return replacements
