"""Draws of nutpie as arrays.

nutpie would convert them by ArviZ, which takes a second to import, and copy those of tuning too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["DRAW", "Trace", "trace_of"]

DRAW = "flat_variables"  # the one variable that nutpie sees: all recorded variables in a vector
SAMPLE_STATS = (
    "diverging", "energy", "n_steps", "depth", "step_size_bar", "logp", "maxdepth_reached",
)  # fmt: skip


@dataclass(frozen=True)
class Trace:
    """Draws (chain, draw, width) without those of tuning, and the sampler's statistics."""

    rows: np.ndarray
    sample_stats: xr.Dataset

    def first(self, draws: int) -> Trace:
        """The first draws of each chain."""
        return Trace(self.rows[:, :draws], self.sample_stats.isel(draw=slice(draws)))


def trace_of(results: Any, tune: int, draws: int | None, settings: Mapping[str, Any]) -> Trace:
    """At most so many draws of each chain after tuning, from nutpie's own record of its draws."""
    chains, stats = results.get_arrow_trace()
    complete = min(chain.num_rows for chain in chains) - tune
    shape = len(chains), complete if draws is None else min(draws, complete)
    chains, stats = ([batch.slice(tune, shape[1]) for batch in each] for each in (chains, stats))
    return Trace(
        _stacked(chains, DRAW, shape),
        xr.Dataset(
            {name: (("chain", "draw"), _stacked(stats, name, shape)) for name in SAMPLE_STATS},
            {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])},
            _library(settings),
        ),
    )


def _stacked(batches: Sequence[Any], name: str, shape: tuple[int, int]) -> np.ndarray:
    """A column of each chain's table, (chain, draw, ...)."""
    import pyarrow

    def column(batch: Any) -> np.ndarray:
        values = pyarrow.array(batch.column(name))
        flat = values.flatten() if pyarrow.types.is_nested(values.type) else values
        return flat.to_numpy(zero_copy_only=False).reshape(shape[1], -1)

    first = column(batches[0])
    stacked = np.empty((*shape, first.shape[1]), first.dtype)
    for chain, batch in zip(stacked, batches, strict=True):
        chain[:] = column(batch)
    return stacked if name == DRAW else stacked[..., 0]


def _library(settings: Mapping[str, Any]) -> dict[str, str]:
    return {
        "inference_library": "nutpie",
        "inference_library_version": version("nutpie"),
        "inference_library_settings": json.dumps(settings),
    }
