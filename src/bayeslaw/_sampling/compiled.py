"""The compiled log density of a model, with its gradient, as nutpie samples it."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.model_data import ModelData
from bayeslaw._kernels.entry_points import density_entry_point, variables_entry_point
from bayeslaw._progress import progress
from bayeslaw._sampling.flat_layout import FlatLayout
from bayeslaw._sampling.nutpie_module import nutpie_module
from bayeslaw._sampling.program import Program, initial_point, layout_of, program_of
from bayeslaw._sampling.tape import Tape, tape_of
from bayeslaw._sampling.trace import DRAW

if TYPE_CHECKING:
    from nutpie.compile_pymc import CompiledPyMCModel

__all__ = ["DOUBLES", "INTEGERS", "CompiledDensity", "compiled_density_of"]

JITTER = 0.5  # of initial points, in the sampler's units
DOUBLES, INTEGERS = ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_int64)


@dataclass(frozen=True)
class CompiledDensity:
    """A compiled log density and its data.

    Parameters
    ----------
    bound : BoundModel
        The model, on runs of the structure for which it was compiled.
    tape : Tape
        Compiled stages.
    model_data : ModelData
        The data.
    initial_points : array (points, unknowns), optional
        Several points for the chains to start near, in turn.
    """

    bound: BoundModel
    tape: Tape
    model_data: ModelData
    initial_points: np.ndarray | None = None

    @cached_property
    def layout(self) -> FlatLayout:
        """Order of the variables."""
        return layout_of(self.tape, self.model_data)

    @cached_property
    def initial_point(self) -> np.ndarray:
        """A point of the unconstrained space to start near."""
        return initial_point(self.tape, self.model_data)

    @cached_property
    def program(self) -> Program:
        """What the entry points run."""
        return program_of(self.bound, self.tape, self.model_data)

    def with_data(self, model_data: ModelData) -> CompiledDensity:
        """The density for other runs of the same model; raises ValueError if the groups differ."""
        if self.model_data.structure != model_data.structure:
            raise ValueError(
                "these runs need another compilation: they differ in the groups that can be "
                "pooled, or in the level of the responses, which priors of yours depend on"
            )
        return CompiledDensity(self.bound, self.tape, model_data)

    def nutpie_model(
        self, chain_of_seed: Mapping[int, int] = MappingProxyType({})
    ) -> CompiledPyMCModel:
        """The model that nutpie samples; see `chain_of_seed` for the argument."""
        size, width = self.layout.n_unknowns, self.layout.width
        points = self.initial_point[None] if self.initial_points is None else self.initial_points

        def jittered(seed: Any) -> np.ndarray:
            point = points[chain_of_seed.get(seed, 0) % len(points)]
            return point + np.random.default_rng(seed).uniform(-JITTER, JITTER, size)

        return nutpie_module().compile_pymc.CompiledPyMCModel(
            dims={DRAW: (f"{DRAW}_index",)},
            compiled_logp_func=density_entry_point(),
            compiled_expand_func=variables_entry_point(),
            initial_point_func=jittered,
            shared_data={str(i): values for i, values in enumerate(self.program.arrays)},
            shared_var_keys={},
            user_data=self.program.table,
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

        trial = nutpie_module().sample(
            replace(model, initial_point_func=recorded), draws=1, tune=1, chains=chains, cores=1,
            seed=random_seed, progress_bar=False, blocking=False,
        )  # fmt: skip
        trial._sampler.wait()
        trial._sampler.take_results()
        return {seed: i for i, seed in enumerate(sorted(seeds))}

    def variables(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Recorded variables at points (..., unknowns), each (..., shape of the variable)."""
        return self.layout.split(self.flat_variables(points))

    def flat_variables(self, points: np.ndarray) -> np.ndarray:
        """Recorded variables (..., width) at points (..., unknowns)."""
        width = self.layout.width
        points = np.ascontiguousarray(points, dtype=float)
        rows = np.empty((*points.shape[:-1], width))
        self._call(variables_entry_point(), (self.layout.n_unknowns, width), points, rows)
        return rows

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Log density (...) at points (..., unknowns), minus infinity where it is undefined."""
        return self.log_density_and_gradient(points)[0]

    def log_density_and_gradient(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log density (...) and gradient (..., unknowns), arbitrary where it is undefined."""
        points = np.ascontiguousarray(points, dtype=float)
        values, gradients = np.empty(points.shape[:-1]), np.empty_like(points)
        sizes = (self.layout.n_unknowns,)
        self._call(density_entry_point(), sizes, points, gradients, values[..., None])
        return np.where(np.isfinite(values), values, -np.inf), gradients

    def _call(self, entry_point: Any, sizes: tuple[int, ...], *arrays: np.ndarray) -> None:
        """Call an entry point with each row of contiguous arrays."""
        table = self.program.table.ctypes.data_as(INTEGERS)
        for rows in zip(*map(_row_pointers, arrays), strict=True):
            entry_point.ctypes(*sizes, *rows, table)


def compiled_density_of(
    bound: BoundModel, model_data: ModelData, progressbar: bool = False
) -> CompiledDensity:
    """The compiled log density of a model on runs."""
    with progress("Compiling, once for a law", None, shown=progressbar):
        compiled = CompiledDensity(bound, tape_of(bound, model_data), model_data)
        compiled.program  # noqa: B018 (compiles)
    return compiled


def _row_pointers(rows: np.ndarray) -> Iterator[Any]:
    """Pointers to the rows of a contiguous array (..., width)."""
    first, width = rows.ctypes.data, rows.shape[-1] * rows.itemsize
    for i in range(math.prod(rows.shape[:-1])):
        yield ctypes.cast(first + i * width, DOUBLES)
