"""Groups of a fit's tree that follow from its model, its runs and its unconstrained draws.

Files leave them out. They are computed when a fit is opened, the log likelihood when it is first
read. A number of each is saved and compared, so that changed code or runs do not pass unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.posterior import posterior_dataset
from bayeslaw.fitting.log_likelihood import log_likelihood_dataset
from bayeslaw.fitting.result import Fit

__all__ = ["derived_groups", "with_derived_groups"]

type Groups = Mapping[str, xr.Dataset]

POSTERIOR, PRIOR, LOG_LIKELIHOOD = "/posterior", "/prior", "/log_likelihood"
SOURCES = {
    POSTERIOR: "/unconstrained_posterior",
    PRIOR: "/unconstrained_prior",
    LOG_LIKELIHOOD: "/unconstrained_posterior",
}
WITH_DRAWS = (POSTERIOR, SOURCES[POSTERIOR])
COMPARED = 20  # draws of each chain at which the log likelihood is computed again
LAST: dict[Any, Any] = {"draw": [-1]}  # of each chain
TOLERANCE = 1e-9  # relative, between the arithmetic of two machines


def derived_groups(fit: Fit) -> dict[str, float]:
    """Groups of a fit that would be computed again as they are, by path, and a number of each."""
    groups = {node.path: node.to_dataset(inherit=False) for node in fit.tree.subtree}
    paths = [path for path, source in SOURCES.items() if {path, source} <= groups.keys()]
    bound = bind(fit.model, fit.runs) if paths else None
    return {
        path: _checksum(groups[path].isel(LAST))
        for path in paths
        if bound and _would_be_the_same(bound, groups, path)
    }


def _would_be_the_same(bound: BoundModel, groups: Groups, path: str) -> bool:
    """Whether a group, computed again, is as it is.

    The log likelihood takes long, so that some draws of each chain are compared.
    """
    if path != LOG_LIKELIHOOD:
        return groups[path].identical(_computed(bound, groups, path))
    draws = np.linspace(0, groups[path].sizes["draw"] - 1, COMPARED).astype(int)
    some = {name: groups[name].isel(draw=np.unique(draws)) for name in (path, *WITH_DRAWS)}
    computed = _computed(bound, some, path)
    return some[path].identical(computed.assign_coords(draw=some[path]["draw"]))


def with_derived_groups(
    fit: Fit,
    checksums: Mapping[str, float],
    reading: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> dict[str, xr.Dataset]:
    """All groups of a fit by path, those with a checksum computed.

    Raises ValueError if a group is not the one that was saved. The log likelihood is computed and
    compared when it is first read, in a context that says what is read.
    """
    groups = {node.path: node.to_dataset(inherit=False) for node in fit.tree.subtree}
    bound = bind(fit.model, fit.runs) if checksums else None
    for path, checksum in checksums.items():
        assert bound is not None
        computed = _computed(bound, groups, path)
        if path == LOG_LIKELIHOOD:
            groups[path] = _checked_when_read(bound, groups, computed, float(checksum), reading)
        else:
            _require_unchanged(computed, path, float(checksum))
            groups[path] = computed
    return groups


def _computed(bound: BoundModel, groups: Groups, path: str) -> xr.Dataset:
    source = groups[SOURCES[path]]
    if path == LOG_LIKELIHOOD:
        return log_likelihood_dataset(bound, groups[POSTERIOR], source)
    return posterior_dataset(bound, source)


def _checked_when_read(
    bound: BoundModel,
    groups: Groups,
    computed: xr.Dataset,
    checksum: float,
    reading: Callable[[], AbstractContextManager[Any]],
) -> xr.Dataset:
    """The log likelihood, which raises if it is not the one that was saved."""

    @cache
    def check() -> None:
        with reading():
            _require_unchanged(computed, LOG_LIKELIHOOD, checksum)

    return log_likelihood_dataset(bound, groups[POSTERIOR], groups[SOURCES[LOG_LIKELIHOOD]], check)


def _require_unchanged(group: xr.Dataset, path: str, checksum: float) -> None:
    """Raise ValueError unless the last draws of a group are as they were."""
    now = _checksum(group.isel(LAST))
    if not np.isclose(now, float(checksum), rtol=TOLERANCE, atol=0):
        raise ValueError(
            f"group {path[1:]!r} was computed from the draws and is not as it was when it was "
            "saved: the runs, the law or the noise are not those of the fit"
        )


def _checksum(group: xr.Dataset) -> float:
    """Mean size of the finite values, on a scale on which no variable hides another."""
    sizes = [np.arcsinh(np.abs(variable.values)) for variable in group.values()]
    return float(np.mean([np.nan_to_num(each, posinf=0.0).mean() for each in sizes]))
