"""The compiled log density of a model, with its gradient, as nutpie samples it."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import nutpie
from nutpie.compile_pymc import CompiledPyMCModel

from bayeslaw._sampling.flat_layout import ArraySource, FlatLayout

__all__ = ["DOUBLES", "DRAW", "INTEGERS", "CompiledDensity"]

DRAW = "flat_variables"  # the one variable that nutpie sees: all recorded variables in a vector
JITTER = 0.5  # of initial points, in the sampler's units
DOUBLES, INTEGERS = ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_int64)


@dataclass(frozen=True)
class CompiledDensity:
    """A compiled log density and its data.

    Parameters
    ----------
    entry_points : tuple
        C functions for density and gradient and for the recorded variables, and what both call.
    dtypes : mapping of str to dtype
        Data that the density takes, in order.
    layout : FlatLayout
        Order of the variables.
    model_data : ArraySource
        The data.
    initial_point : array (unknowns,)
        A point of the unconstrained space to start near.
    initial_points : array (points, unknowns), optional
        Several points for the chains to start near, in turn.
    """

    entry_points: tuple[Any, Any, Any]
    dtypes: Mapping[str, np.dtype]
    layout: FlatLayout
    model_data: ArraySource
    initial_point: np.ndarray
    initial_points: np.ndarray | None = None

    def with_data(self, model_data: ArraySource) -> CompiledDensity:
        """The density for other runs of the same model; raises ValueError if the groups differ."""
        missing = sorted(self.dtypes.keys() - model_data.names)
        if missing:
            raise ValueError(
                f"these runs need another compilation: their model has no {missing[0]!r}, so they "
                "differ in the groups that can be pooled"
            )
        initial_point = self.layout.initial_point(model_data)
        return replace(
            self, model_data=model_data, initial_point=initial_point, initial_points=None
        )

    def nutpie_model(
        self, chain_of_seed: Mapping[int, int] = MappingProxyType({})
    ) -> CompiledPyMCModel:
        """The model that nutpie samples; see `chain_of_seed` for the argument."""
        size, width = self.initial_point.size, self.layout.width(self.model_data)
        points = self.initial_point[None] if self.initial_points is None else self.initial_points
        arrays = [np.array(self.model_data[n], kind, order="C") for n, kind in self.dtypes.items()]
        table = np.array([n for x in arrays for n in (x.ctypes.data, *x.shape)], dtype=np.int64)

        def jittered(seed: Any) -> np.ndarray:
            point = points[chain_of_seed.get(seed, 0) % len(points)]
            return point + np.random.default_rng(seed).uniform(-JITTER, JITTER, size)

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
        """Chain by the seed with which nutpie asks for its initial point.

        nutpie has one function for the initial points of all chains and passes it a seed, not the
        chain. These seeds depend only on the seed of the call, so a call for one draw reveals
        them. Empty if there is only one initial point.
        """
        if self.initial_points is None:
            return {}
        seeds, model = [], self.nutpie_model()

        def recorded(seed: Any) -> np.ndarray:
            seeds.append(seed)
            return model.initial_point_func(seed)

        trial = nutpie.sample(
            replace(model, initial_point_func=recorded), draws=1, tune=1, chains=chains, cores=1,
            seed=random_seed, progress_bar=False, blocking=False,
        )  # fmt: skip
        trial._sampler.wait()
        trial._sampler.take_results()
        return {seed: i for i, seed in enumerate(sorted(seeds))}

    def variables(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Recorded variables at points (..., unknowns), each (..., shape of the variable)."""
        return self.layout.split(self.flat_variables(points), self.model_data)

    def flat_variables(self, points: np.ndarray) -> np.ndarray:
        """Recorded variables (..., width) at points (..., unknowns)."""
        width = self.layout.width(self.model_data)
        points = np.ascontiguousarray(points, dtype=float)
        rows = np.empty((*points.shape[:-1], width))
        self._call(self.entry_points[1], (self.initial_point.size, width), points, rows)
        return rows

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Log density (...) at points (..., unknowns), minus infinity where it is undefined."""
        return self.log_density_and_gradient(points)[0]

    def log_density_and_gradient(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log density (...) and gradient (..., unknowns), arbitrary where it is undefined."""
        points = np.ascontiguousarray(points, dtype=float)
        values, gradients = np.empty(points.shape[:-1]), np.empty_like(points)
        entry_point, size = self.entry_points[0], self.initial_point.size
        self._call(entry_point, (size,), points, gradients, values[..., None])
        return np.where(np.isfinite(values), values, -np.inf), gradients

    def _call(self, entry_point: Any, sizes: tuple[int, ...], *arrays: np.ndarray) -> None:
        """Call an entry point with each row of contiguous arrays."""
        model = self.nutpie_model()  # it owns the data
        table = model.user_data.ctypes.data_as(INTEGERS)
        for rows in zip(*map(_row_pointers, arrays), strict=True):
            entry_point.ctypes(*sizes, *rows, table)


def _row_pointers(rows: np.ndarray) -> Iterator[Any]:
    """Pointers to the rows of a contiguous array (..., width)."""
    first, width = rows.ctypes.data, rows.shape[-1] * rows.itemsize
    for i in range(math.prod(rows.shape[:-1])):
        yield ctypes.cast(first + i * width, DOUBLES)
