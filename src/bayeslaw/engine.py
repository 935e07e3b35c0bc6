"""From a PyMC model to a compiled density that nutpie samples and the disk remembers.

nutpie can compile a PyMC model itself, but its entry point cannot be cached, so every process
pays again for machine code that PyTensor has kept. Here the entry point is a small function with
a stable name around PyTensor's cached one: a second start compiles nothing. Data are passed at
run time, so other runs of the same structure need no compilation either.
"""

# PyTensor's annotations do not know that its variables can be computed with.
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportArgumentType=false, reportReturnType=false

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numba
import numpy as np
import nutpie
import pymc as pm
import pytensor
import pytensor.tensor as pt
from nutpie.compile_pymc import CompiledPyMCModel, address_as_void_pointer
from pytensor.compile.mode import Mode
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.replace import clone_replace, vectorize_graph
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import graph_inputs
from pytensor.link.numba.cache import compile_numba_function_src

__all__ = ["Engine", "compile_engine"]

POINT = "point"  # the one variable that nutpie sees: all unconstrained values in a row


@dataclass(frozen=True)
class Engine:
    """A compiled model and the data it is for.

    Parameters
    ----------
    entries : tuple
        Compiled entry points of density and trace.
    names : tuple of str
        The data that the density takes, in order.
    data : mapping of str to array
        The data.
    start : array
        A point of the unconstrained space to start near.
    points : array (points, unknowns), optional
        Points for the chains to start near, in turn; the start unless given.
    """

    entries: tuple[Any, Any]
    names: tuple[str, ...]
    data: Mapping[str, np.ndarray]
    start: np.ndarray
    points: np.ndarray | None = None

    def on(self, other: pm.Model) -> Engine:
        """The same compiled model on the data of another PyMC model of the same structure.

        Parameters
        ----------
        other : pymc.Model
            A model that `bayeslaw.build` made.

        Returns
        -------
        Engine

        Raises
        ------
        ValueError
            If the other model lacks some of the data: its groups differ.
        """
        missing = [name for name in self.names if name not in _shared(other)]
        if missing:
            raise ValueError(
                f"these runs need another compilation: their model has no {missing[0]!r}, so they "
                "differ in the groups that can be pooled"
            )
        return replace(self, data=_values(other, self.names), start=_start(other), points=None)

    def sampler(self, numbers: Mapping[int, int] = MappingProxyType({})) -> CompiledPyMCModel:
        """The model as nutpie samples it.

        Parameters
        ----------
        numbers : mapping of int to int
            Number of each chain by the seed of its start; see `numbers`.

        Returns
        -------
        nutpie.compile_pymc.CompiledPyMCModel
        """
        size = self.start.size
        points = self.start[None] if self.points is None else self.points
        arrays = [np.array(self.data[name], order="C") for name in self.names]
        table = np.array([n for x in arrays for n in (x.ctypes.data, *x.shape)], dtype=np.int64)

        def jittered(seed: Any) -> np.ndarray:
            start = points[numbers.get(seed, 0) % len(points)]
            return start + np.random.default_rng(seed).uniform(-0.5, 0.5, size)

        return CompiledPyMCModel(
            dims={POINT: (f"{POINT}_index",)},
            compiled_logp_func=self.entries[0],
            compiled_expand_func=self.entries[1],
            initial_point_func=jittered,
            shared_data=dict(zip(self.names, arrays, strict=True)),
            shared_var_keys={},
            user_data=table,
            n_expanded=size,
            shape_info=([POINT], [slice(0, size)], [(size,)]),
            logp_func=None,
            expand_func=None,
            _n_dim=size,
            _shapes={POINT: (size,)},
            _coords={f"{POINT}_index": np.arange(size)},
            reparameterized_names=[],
        )

    def numbers(self, random_seed: int, chains: int) -> dict[int, int]:
        """A number of each chain by the seed that nutpie asks its starting point with.

        A call of nutpie has one function for all chains' starts, which gets a seed and not the
        chain. The seeds depend on nothing but the seed of the call, so a call for one draw tells
        them. With one point to start near nothing is asked.
        """
        if self.points is None:
            return {}
        seeds, sampler = [], self.sampler()

        def noted(seed: Any) -> np.ndarray:
            seeds.append(seed)
            return sampler.initial_point_func(seed)

        trial = nutpie.sample(
            replace(sampler, initial_point_func=noted), draws=1, tune=1, chains=chains, cores=1,
            seed=random_seed, progress_bar=False, blocking=False,
        )  # fmt: skip
        trial._sampler.wait()
        trial._sampler.take_results()
        return {seed: i for i, seed in enumerate(sorted(seeds))}


def compile_engine(model: pm.Model) -> Engine:
    """Compile the density of a PyMC model and its gradient.

    Parameters
    ----------
    model : pymc.Model
        The model; all data in it are `pymc.Data`.

    Returns
    -------
    Engine
    """
    point = pt.dvector(POINT)
    # PyMC's checks of parameters raise, which a C function cannot: without them the density is NaN.
    rewrites = ["merge", "canonicalize", "stabilize", "local_remove_check_parameter"]
    density = rewrite_graph(model.logp(), include=rewrites)
    (density,) = clone_replace([density], _values_at(model, point))
    shared = [item for item in graph_inputs([density]) if isinstance(item, SharedVariable)]
    shared = sorted(set(shared), key=lambda item: str(item.name))
    inputs = {item: item.type(name=item.name) for item in shared}
    (density,) = clone_replace([density], inputs)
    # Without fast mathematics a sum has one order: the first start on a machine, which compiles,
    # and the second, which loads what was compiled, then give the same draws to the last bit.
    with pytensor.config.change_flags(numba__fastmath=False):
        function = pytensor.function(
            [point, *inputs.values()], [density, pt.grad(density, point)], mode="NUMBA"
        )
    names = tuple(str(item.name) for item in shared)
    inner = function.vm.jit_fn  # pyright: ignore[reportAttributeAccessIssue]
    entries = _density_entry(inner, shared), _trace_entry()
    return Engine(entries, names, _values(model, names), _start(model))


def unconstrained(
    model: pm.Model, variables: list[str], points: np.ndarray
) -> dict[str, np.ndarray]:
    """Random and deterministic variables at points of the unconstrained space.

    Parameters
    ----------
    model : pymc.Model
        The model.
    variables : list of str
        Names of its variables.
    points : array (..., unknowns)
        Points.

    Returns
    -------
    dict of str to array
        Of shape (..., shape of the variable).
    """
    point = pt.dvector(POINT)
    wanted = model.replace_rvs_by_values([model[name] for name in variables])
    graphs = clone_replace(wanted, _values_at(model, point))
    many = pt.dmatrix("points")
    batched = vectorize_graph(graphs, {point: many})
    # Evaluated once for all draws, with NumPy: compiling would take longer than computing.
    evaluate = pytensor.function([many], batched, mode=Mode(linker="py", optimizer="fast_compile"))
    values = evaluate(points.reshape(-1, points.shape[-1]))

    def shaped(name: str, value: Any) -> np.ndarray:
        shape = np.shape(value)[np.ndim(value) - model[name].ndim :]
        many = np.broadcast_to(value, (points[..., 0].size, *shape))  # a fixed value is there once
        return many.reshape(*points.shape[:-1], *shape)

    return {name: shaped(name, value) for name, value in zip(variables, values, strict=True)}


def _start(model: pm.Model) -> np.ndarray:
    point = model.initial_point()
    return np.concatenate([np.ravel(point[value.name]) for value in model.value_vars])


def _values_at(model: pm.Model, point: Any) -> dict[Any, Any]:
    """The value variables as parts of one vector, of sizes that are known at run time only."""
    replaced, position = {}, 0
    for variable in model.free_RVs:
        lengths = [
            model.dim_lengths[dim] for dim in model.named_vars_to_dims.get(variable.name, ())
        ]
        size = pt.prod(pt.stack(lengths)) if lengths else 1
        part = point[position : position + size]
        replaced[model.rvs_to_values[variable]] = part.reshape(lengths, ndim=len(lengths))
        position = position + size
    return replaced


def _shared(model: pm.Model) -> dict[str, SharedVariable]:
    """Everything in a model that can change without compiling again."""
    data = {item.name: item for item in model.data_vars}
    return {**data, **{str(item.name): item for item in model.dim_lengths.values()}}


def _values(model: pm.Model, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    shared = _shared(model)
    return {name: np.asarray(shared[name].get_value()) for name in names}


def _density_entry(inner: Any, shared: list[SharedVariable]) -> Any:
    """The C function that nutpie calls: (n, point, gradient, density, table of data) -> status."""
    lines, arguments, slot = [], [], 0
    for i, item in enumerate(shared):
        shape = "".join(f"table[{slot + 1 + axis}], " for axis in range(item.type.ndim))
        lines.append(f"    data_{i} = carray(pointer(table[{slot}]), ({shape}), dtype_{i})")
        arguments.append(f"data_{i}")
        slot += 1 + item.type.ndim
    source = f"""
def density(n, point_, gradient_, value_, table_):
    point, gradient = carray(point_, (n,)), carray(gradient_, (n,))
    value, table = carray(value_, (1,)), carray(table_, ({max(slot, 1)},))
{chr(10).join(lines)}
    result, slope = inner(point{"".join(", " + name for name in arguments)})
    value[0] = result.item()
    finite = isfinite(value[0])
    for i in range(n):
        gradient[i] = slope[i]
        finite = finite and isfinite(slope[i])
    return 0 if finite else 3
"""
    names = {f"dtype_{i}": np.dtype(item.type.dtype) for i, item in enumerate(shared)}
    double = numba.types.CPointer(numba.types.double)
    table = numba.types.CPointer(numba.types.int64)
    signature = numba.types.int64(numba.types.uint64, double, double, double, table)
    return _entry(source, "density", {"inner": inner, **names}, signature, inner)


def _trace_entry() -> Any:
    source = """
def trace(n, m, point_, out_, table_):
    point, out = carray(point_, (n,)), carray(out_, (n,))
    for i in range(n):
        out[i] = point[i]
    return 0
"""
    double = numba.types.CPointer(numba.types.double)
    integer = numba.types.uint64
    signature = numba.types.int64(integer, integer, double, double, numba.types.voidptr)
    return _entry(source, "trace", {}, signature, None)


def _entry(source: str, name: str, names: Mapping[str, Any], signature: Any, inner: Any) -> Any:
    # The key under which the compiled entry is kept: its own text and that of what it calls.
    told = __name__ + source + repr(signature) + str(_cache_key(inner))
    key = hashlib.sha256(told.encode()).hexdigest()
    carray, pointer = numba.carray, address_as_void_pointer
    namespace = {"carray": carray, "pointer": pointer, "isfinite": np.isfinite, **names}
    namespace["__name__"] = __name__  # kept code is loaded back into a module
    function = compile_numba_function_src(source, name, namespace, cache_key=key)
    return numba.cfunc(signature, cache=True)(function)


def _cache_key(inner: Any) -> str | None:
    from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS

    return None if inner is None else CACHED_SRC_FUNCTIONS.get(inner.py_func)
