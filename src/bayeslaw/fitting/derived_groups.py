"""Groups of a fit's tree that follow from its model, its runs and its unconstrained draws.

Files leave them out. They are computed when a fit is opened, the log likelihood when it is first
read. A number of each is saved to compare with, so that other code cannot change it unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.posterior import posterior_dataset
from bayeslaw.errors import StoreError
from bayeslaw.fitting.fit import Fit, log_likelihood_dataset, on_runs

__all__ = ["derived_groups", "with_derived_groups"]

type Groups = Mapping[str, xr.Dataset]

POSTERIOR, PRIOR, LOG_LIKELIHOOD = "/posterior", "/prior", "/log_likelihood"
SOURCES = {
    POSTERIOR: "/unconstrained_posterior",
    PRIOR: "/unconstrained_prior",
    LOG_LIKELIHOOD: "/unconstrained_posterior",
}
TOLERANCE = 1e-9  # relative, between the arithmetic of two machines


def derived_groups(fit: Fit) -> dict[str, float]:
    """Groups of a fit that would be computed again as they are, by path, and a number of each."""
    groups = {node.path: node.to_dataset(inherit=False) for node in fit.tree.subtree}
    paths = [path for path, source in SOURCES.items() if {path, source} <= groups.keys()]
    bound = bind(fit.model, fit.runs) if paths else None
    return {
        path: _checksum(groups[path])
        for path in paths
        if bound and groups[path].identical(_computed(bound, groups, path))
    }


def with_derived_groups(fit: Fit, checksums: Mapping[str, float]) -> dict[str, xr.Dataset]:
    """All groups of a fit by path, those with a checksum computed.

    Raises StoreError if a group is not the one that was saved.
    """
    groups = {node.path: node.to_dataset(inherit=False) for node in fit.tree.subtree}
    bound = bind(fit.model, fit.runs) if checksums else None
    for path, checksum in checksums.items():
        assert bound is not None
        compute = partial(_checked, bound, groups, path, checksum)
        is_lazy = path == LOG_LIKELIHOOD
        groups[path] = _lazy(bound, groups, compute) if is_lazy else compute()
    return groups


def _computed(bound: BoundModel, groups: Groups, path: str) -> xr.Dataset:
    source = groups[SOURCES[path]]
    if path == LOG_LIKELIHOOD:
        return log_likelihood_dataset(bound, groups[POSTERIOR], source)
    return posterior_dataset(bound, source)


def _checked(bound: BoundModel, groups: Groups, path: str, checksum: float) -> xr.Dataset:
    group = _computed(bound, groups, path)
    if not np.isclose(_checksum(group), checksum, rtol=TOLERANCE, atol=0, equal_nan=True):
        raise StoreError(
            f"the {path[1:].replace('_', ' ')} computed from the saved draws is not the one that "
            "was saved: the runs, the law or the noise are other ones than those of the fit"
        )
    return group


def _checksum(group: xr.Dataset) -> float:
    """Mean absolute value of the last draws; on a scale on which no variable hides another."""
    last = [np.arcsinh(np.abs(values.isel(draw=-1).values)) for values in group.values()]
    return float(np.mean([values[np.isfinite(values)].mean() for values in last]))


def _lazy(bound: BoundModel, groups: Groups, compute: Callable[[], xr.Dataset]) -> xr.Dataset:
    """The log likelihood, of which nothing is computed before its values are read."""
    sizes = (*(groups[POSTERIOR].sizes[dim] for dim in ("chain", "draw")), bound.runs.sizes["run"])
    values = ComputedArray(sizes, lambda: compute()[bound.runs.attrs["response"]].values)
    return on_runs(bound.runs, indexing.CopyOnWriteArray(indexing.LazilyIndexedArray(values)))


class ComputedArray(BackendArray):
    """Floats that are computed when they are first read; a copy or a pickle holds them."""

    dtype = np.dtype(float)

    def __init__(self, shape: tuple[int, ...], compute: Callable[[], np.ndarray]) -> None:
        self.shape, self._compute = shape, compute

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        """Values at an index of xarray."""
        support = indexing.IndexingSupport.BASIC
        return indexing.explicit_indexing_adapter(
            key, self.shape, support, self._values.__getitem__
        )

    def __getstate__(self) -> dict[str, Any]:
        """Without the function, which holds a law."""
        return {"shape": self.shape, "_values": self._values}

    @cached_property
    def _values(self) -> np.ndarray:
        return self._compute()
