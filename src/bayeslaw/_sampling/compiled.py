"""From a PyMC model to a compiled density that nutpie samples and the disk remembers.

nutpie can compile a PyMC model itself, but its entry point cannot be cached, so every process
pays again for machine code that PyTensor has kept. Here the entry point is a small function with
a stable name around PyTensor's cached one: a second start compiles nothing. Data are passed at
run time, so other runs of the same structure need no compilation either.
"""

# PyTensor's annotations do not know that its variables can be computed with.
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportArgumentType=false, reportReturnType=false

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import nutpie
import pymc as pm
import pytensor
import pytensor.tensor as pt
from nutpie.compile_pymc import CompiledPyMCModel
from pytensor.compile.mode import get_mode
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import clone_replace
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import graph_inputs

from bayeslaw._sampling.entry_points import ArrayType, compile_entry_points

__all__ = ["CompiledDensity", "FlatLayout", "compile_density", "values_at"]

DRAW = "draw_of_all"  # the one variable that nutpie sees: all variables in a row


@dataclass(frozen=True)
class FlatLayout:
    """How unknowns and variables follow each other in their rows.

    Parameters
    ----------
    unknowns, variables : tuple of (str, tuple of str)
        Names and dimensions: of the values that are sampled, and of what they mean.
    start : tuple of array
        Where each of the unknowns starts in the model that was compiled.
    """

    unknowns: tuple[tuple[str, tuple[str, ...]], ...]
    variables: tuple[tuple[str, tuple[str, ...]], ...]
    start: tuple[np.ndarray, ...]

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> FlatLayout:
        """A layout that `to_record` wrote."""
        unknowns, variables = (
            tuple((name, tuple(dims)) for name, dims in record[part])
            for part in ("unknowns", "variables")
        )
        return cls(unknowns, variables, tuple(np.array(at) for at in record["start"]))

    def to_record(self) -> dict[str, Any]:
        """The same in lists and names."""
        return {**vars(self), "start": [at.tolist() for at in self.start]}

    def initial_point(self, model_data: ArraySource) -> np.ndarray:
        """A point to start near, for other numbers."""
        parts = zip(self.unknowns, self.start, strict=True)
        return np.concatenate([_started(*unknown, at, model_data) for unknown, at in parts])

    def width(self, model_data: ArraySource) -> int:
        """How many numbers the variables are together: some may be known."""
        return sum(math.prod(_shape(dims, model_data)) for _, dims in self.variables)

    def split(self, rows: np.ndarray, model_data: ArraySource) -> dict[str, np.ndarray]:
        """Variables of rows (..., width), each of its own shape."""
        shapes = [_shape(dims, model_data) for _, dims in self.variables]
        ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
        parts = np.split(rows, ends, axis=-1)
        return {
            name: part.reshape(*rows.shape[:-1], *shape)
            for (name, _), part, shape in zip(self.variables, parts, shapes, strict=True)
        }


def _shape(dims: tuple[str, ...], model_data: ArraySource) -> tuple[int, ...]:
    return tuple(int(model_data[dim]) for dim in dims)


def _started(
    name: str, dims: tuple[str, ...], at: np.ndarray, model_data: ArraySource
) -> np.ndarray:
    if f"{name}_scale" in model_data.names:  # these runs' own, not that of the model once compiled
        return np.log(model_data[f"{name}_scale"])
    shape = _shape(dims, model_data)
    return np.ravel(at if np.shape(at) == shape else np.full(shape, np.ravel(at)[0]))


class ArraySource(Protocol):
    """Arrays, and lengths of dimensions, by name; such as `bayeslaw._inference.model_data.ModelData`."""

    @property
    def names(self) -> frozenset[str]:
        """All names."""
        ...

    def __getitem__(self, name: str) -> np.ndarray:
        """One of them."""
        ...


@dataclass(frozen=True)
class CompiledDensity:
    """A compiled model and the numbers it is for.

    Parameters
    ----------
    entry_points : tuple
        Compiled entry points of density and variables, and what both call.
    dtypes : mapping of str to dtype
        The data that the density takes, in order.
    layout : Layout
        Unknowns and variables.
    numbers : Source
        The data.
    initial_point : array
        A point of the unconstrained space to start near.
    initial_points : array (points, unknowns), optional
        Points for the chains to start near, in turn; the start unless given.
    """

    entry_points: tuple[Any, Any, Any]
    dtypes: Mapping[str, np.dtype]
    layout: FlatLayout
    model_data: ArraySource
    initial_point: np.ndarray
    initial_points: np.ndarray | None = None

    def with_data(self, model_data: ArraySource) -> CompiledDensity:
        """The same compiled model on the numbers of other runs.

        Parameters
        ----------
        numbers : Source
            Of the same model on other runs.

        Returns
        -------
        CompiledDensity

        Raises
        ------
        ValueError
            If some of the numbers are missing: the groups of the runs differ.
        """
        missing = sorted(self.dtypes.keys() - model_data.names)
        if missing:
            raise ValueError(
                f"these runs need another compilation: their model has no {missing[0]!r}, so they "
                "differ in the groups that can be pooled"
            )
        return replace(
            self,
            model_data=model_data,
            initial_point=self.layout.initial_point(model_data),
            initial_points=None,
        )

    def nutpie_model(
        self, model_data: Mapping[int, int] = MappingProxyType({})
    ) -> CompiledPyMCModel:
        """The model as nutpie samples it.

        Parameters
        ----------
        numbers : mapping of int to int
            Number of each chain by the seed of its start; see `chains`.

        Returns
        -------
        nutpie.compile_pymc.CompiledPyMCModel
        """
        size, width = self.initial_point.size, self.layout.width(self.model_data)
        points = self.initial_point[None] if self.initial_points is None else self.initial_points
        arrays = [np.array(self.model_data[n], kind, order="C") for n, kind in self.dtypes.items()]
        table = np.array([n for x in arrays for n in (x.ctypes.data, *x.shape)], dtype=np.int64)

        def jittered(seed: Any) -> np.ndarray:
            start = points[model_data.get(seed, 0) % len(points)]
            return start + np.random.default_rng(seed).uniform(-0.5, 0.5, size)

        return CompiledPyMCModel(
            dims={DRAW: (f"{DRAW}_index",)},
            compiled_logp_func=self.entry_points[0],
            compiled_expand_func=self.entry_points[1],
            initial_point_func=jittered,
            shared_data=dict(zip(self.dtypes, arrays, strict=True)),
            shared_var_keys={},
            user_data=table,
            n_expanded=width,
            shape_info=([DRAW], [slice(0, width)], [(width,)]),
            logp_func=None,
            expand_func=None,
            _n_dim=size,
            _shapes={DRAW: (width,)},
            _coords={f"{DRAW}_index": np.arange(width)},
            reparameterized_names=[],
        )

    def chain_of_seed(self, random_seed: int, chains: int) -> dict[int, int]:
        """A number of each chain by the seed that nutpie asks its starting point with.

        A call of nutpie has one function for all chains' starts, which gets a seed and not the
        chain. The seeds depend on nothing but the seed of the call, so a call for one draw tells
        them. With one point to start near nothing is asked.
        """
        if self.initial_points is None:
            return {}
        seeds, sampler = [], self.nutpie_model()

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

    def variables(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """What points of the unconstrained space mean.

        Parameters
        ----------
        points : array (..., unknowns)
            Points.

        Returns
        -------
        dict of str to array
            Of shape (..., shape of the variable).
        """
        return self.layout.split(self.flat_variables(points), self.model_data)

    def flat_variables(self, points: np.ndarray) -> np.ndarray:
        """The variables of points (..., unknowns) in rows (..., width), as the sampler has them."""
        width = self.layout.width(self.model_data)
        points = np.ascontiguousarray(points, dtype=float)
        rows = np.empty((*points.shape[:-1], width))
        self._call(self.entry_points[1], (self.initial_point.size, width), points, rows)
        return rows

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Log density at points of the unconstrained space, minus infinity where there is none.

        Parameters
        ----------
        points : array (..., unknowns)
            Points.

        Returns
        -------
        array (...)
        """
        return self.log_density_and_gradient(points)[0]

    def log_density_and_gradient(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log density as of `density`, and its gradient, which means nothing where there is none.

        Parameters
        ----------
        points : array (..., unknowns)
            Points.

        Returns
        -------
        array (...), array (..., unknowns)
        """
        points = np.ascontiguousarray(points, dtype=float)
        values, slopes = np.empty(points.shape[:-1]), np.empty_like(points)
        self._call(
            self.entry_points[0], (self.initial_point.size,), points, slopes, values[..., None]
        )
        return np.where(np.isfinite(values), values, -np.inf), slopes

    def _call(self, entry: Any, sizes: tuple[int, ...], *arrays: np.ndarray) -> None:
        """Call a compiled entry point with each row of contiguous arrays."""
        sampler = self.nutpie_model()  # it owns the data
        table = sampler.user_data.ctypes.data_as(INTEGERS)
        for ends in zip(*map(_each, arrays), strict=True):
            entry.ctypes(*sizes, *ends, table)


DOUBLES, INTEGERS = ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_int64)


def _each(rows: np.ndarray) -> Iterator[Any]:
    """Pointers to the rows of a contiguous array (..., numbers)."""
    first, width = rows.ctypes.data, rows.shape[-1] * rows.itemsize
    for i in range(math.prod(rows.shape[:-1])):
        yield ctypes.cast(first + i * width, DOUBLES)


def compile_density(
    model: pm.Model, variables: Sequence[str], key: str | None = None
) -> CompiledDensity:
    """Compile the density of a PyMC model, its gradient, and its variables.

    Parameters
    ----------
    model : pymc.Model
        The model; all data in it are `pymc.Data`.
    variables : sequence of str
        Names of the random and deterministic variables that draws are given of.
    key : str, optional
        Under which the disk remembers what is compiled; see `bayeslaw.kept`.

    Returns
    -------
    CompiledDensity
    """
    point = pt.dvector("point")
    # PyMC's checks of parameters raise, which a C function cannot: without them the density is NaN.
    rewrites = ["merge", "canonicalize", "stabilize", "local_remove_check_parameter"]
    density = rewrite_graph(_with_known_logarithms(model, model.logp()), include=rewrites)
    wanted = model.replace_rvs_by_values([model[name] for name in variables])
    density, *wanted = clone_replace([density, *wanted], values_at(model, point))
    flat = pt.concatenate([pt.flatten(variable) for variable in wanted])
    shared = [item for item in graph_inputs([density, flat]) if isinstance(item, SharedVariable)]
    shared = sorted(set(shared), key=lambda item: str(item.name))
    inputs = {item: item.type(name=item.name) for item in shared}
    density, flat = clone_replace([density, flat], inputs)
    # Shapes agree as the model is built; to check that at each call is half of the graph.
    mode = get_mode("NUMBA").including("local_remove_all_assert")
    # Without fast mathematics a sum has one order: the first start on a machine, which compiles,
    # and the second, which loads what was compiled, then give the same draws to the last bit.
    with pytensor.config.change_flags(numba__fastmath=False):
        function = pytensor.function(
            [point, *inputs.values()], [density, pt.grad(density, point), flat], mode=mode
        )
    inner = function.vm.jit_fn  # pyright: ignore[reportAttributeAccessIssue]
    layout, model_data = _layout(model, variables), _Shared(model)
    types = {str(item.name): np.dtype(item.type.dtype) for item in shared}
    return CompiledDensity(
        compile_entry_points(
            inner, [ArrayType(item.type.dtype, item.type.ndim) for item in shared], key
        ),
        types,
        layout,
        model_data,
        layout.initial_point(model_data),
    )


def _with_known_logarithms(model: pm.Model, density: Any) -> Any:
    """The same density with powers of data as exponentials, which take a fourth of the time."""
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


class _Shared:
    """Everything in a model that can change without compiling again."""

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
        tuple(_one(np.asarray(point[value.name])) for value in model.value_vars),
    )


def _one(start: np.ndarray) -> np.ndarray:
    """One number where all are the same."""
    return start.ravel()[0] if start.size and not np.ptp(start) else start


def values_at(model: pm.Model, point: Any) -> dict[Any, Any]:
    """The value variables as parts of one vector, of sizes that are known at run time only.

    Parameters
    ----------
    model : pymc.Model
        The model.
    point : tensor (unknowns,)
        The vector.

    Returns
    -------
    dict of tensor to tensor
    """
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
