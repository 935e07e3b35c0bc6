"""Pointwise log likelihood of a fit, computed when it is read.

It has a number for each run and draw, so that it may be larger than all other groups of a fit
together, and take as long as sampling. Many fits are never asked for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
    # As xarray does for files: values can be written to, and are kept once all are read.
    return on_runs(bound.runs, indexing.MemoryCachedArray(indexing.CopyOnWriteArray(lazy)))


def _computed(bound: BoundModel, posterior: xr.Dataset, unconstrained: xr.Dataset) -> np.ndarray:
    """Pointwise log likelihood of the runs given the draws, (chain, draw, run)."""
    # With its kernels, which files that are only opened do not need.
    from bayeslaw._inference.pointwise import DrawsAtRuns, batches

    parameters, latent = parameters_at(bound, posterior), latent_variables(unconstrained)
    shape = *(posterior.sizes[dim] for dim in ("chain", "draw")), bound.run_arrays.curve.size
    result = np.empty(shape)
    for batch in batches(shape[1], shape[0] * shape[2], BATCH_SIZE):
        some = {name: values[:, batch] for name, values in parameters.items()}
        draws = DrawsAtRuns.of(bound, some, None if latent is None else latent[:, batch])
        result[:, batch] = draws.pointwise_log_likelihood()
    return result


class ComputedArray(BackendArray):
    """Floats (chain, draw, run) that are computed, for some draws, when they are read."""

    dtype = np.dtype(float)

    def __init__(self, shape: tuple[int, ...], compute: Callable[[Any], np.ndarray]) -> None:
        self.shape, self._compute = shape, compute

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        """Values at an index of xarray."""
        support = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, support, self._at)

    def __getstate__(self) -> dict[str, Any]:
        """With values in place of the function, which holds a law."""
        return {"shape": self.shape, "_compute": partial(_of_draws, self._compute(slice(None)))}

    def _at(self, key: tuple[Any, Any, Any]) -> np.ndarray:
        chains, draws, runs = key
        values = self._compute(draws if isinstance(draws, slice) else np.atleast_1d(draws))
        is_one = not isinstance(draws, slice) and np.ndim(draws) == 0
        return (values[:, 0] if is_one else values)[..., runs][chains]


def _of_draws(values: np.ndarray, draws: Any) -> np.ndarray:
    return values[:, draws]
