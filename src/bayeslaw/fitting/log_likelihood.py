"""Pointwise log likelihood of a fit, computed when it is read.

It has a number for each run and draw, so that it may be larger than all other groups of a fit
together, and take as long as sampling. Many fits are never asked for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw.fitting.groups_on_runs import latent_variables, on_runs, parameters_at

__all__ = ["log_likelihood_dataset"]

BATCH_SIZE = 250_000  # draws times runs at a time: arrays that stay in the processor's cache


def log_likelihood_dataset(
    bound: BoundModel,
    posterior: xr.Dataset,
    unconstrained: xr.Dataset,
    check: Callable[[], None] = lambda: None,
) -> xr.Dataset:
    """Pointwise log likelihood (chain, draw, run), computed when it is read, after a check."""

    def compute(draws: Any) -> np.ndarray:
        check()
        return _computed(bound, posterior.isel(draw=draws), unconstrained.isel(draw=draws))

    sizes = *(posterior.sizes[dim] for dim in ("chain", "draw")), bound.runs.sizes["run"]
    lazy: Any = indexing.LazilyIndexedArray(ComputedArray(sizes, compute))
    return on_runs(bound.runs, indexing.CopyOnWriteArray(lazy))  # which can be written to


def _computed(bound: BoundModel, posterior: xr.Dataset, unconstrained: xr.Dataset) -> np.ndarray:
    """Pointwise log likelihood of the runs given the draws, (chain, draw, run)."""
    # With its kernels, which files that are only opened do not need.
    from bayeslaw._inference.pointwise import DrawsAtRuns

    parameters, latent = parameters_at(bound, posterior), latent_variables(unconstrained)
    shape = *(posterior.sizes[dim] for dim in ("chain", "draw")), bound.run_arrays.curve.size
    result, step = np.empty(shape), max(1, BATCH_SIZE // max(1, shape[0] * shape[2]))
    for low in range(0, shape[1], step):
        batch = slice(low, low + step)
        some = {name: values[:, batch] for name, values in parameters.items()}
        draws = DrawsAtRuns.of(bound, some, None if latent is None else latent[:, batch])
        result[:, batch] = draws.pointwise_log_likelihood()
    return result


class ComputedArray(BackendArray):
    """Floats (chain, draw, run) that are computed when they are read; a copy or pickle holds them.

    If some draws are read, these are computed; if all are, they are kept.
    """

    dtype = np.dtype(float)

    def __init__(self, shape: tuple[int, ...], compute: Callable[[Any], np.ndarray]) -> None:
        self.shape, self._compute = shape, compute

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        """Values at an index of xarray."""
        support = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, support, self._at)

    def __getstate__(self) -> dict[str, Any]:
        """Without the function, which holds a law."""
        return {"shape": self.shape, "_values": self._values}

    def _at(self, key: tuple[Any, Any, Any]) -> np.ndarray:
        chains, draws, runs = key
        wanted = np.arange(self.shape[1])[draws]
        if "_values" in vars(self) or wanted.size == self.shape[1]:
            return self._values[:, :, runs][:, draws][chains]
        some = self._compute(np.atleast_1d(wanted))
        return some[:, :, runs][:, slice(None) if wanted.ndim else 0][chains]

    @cached_property
    def _values(self) -> np.ndarray:
        return self._compute(slice(None))
