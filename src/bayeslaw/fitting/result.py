"""`Fit`: a model, the runs it was fitted to, and its draws; imports no sampler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import xarray as xr

from bayeslaw._sampling.gate import Gate
from bayeslaw._suggestions import require_kind
from bayeslaw.data.curves import curves_in
from bayeslaw.data.runs import group_names
from bayeslaw.model.model import Model

__all__ = ["Fit", "require_fit"]


@dataclass(frozen=True, repr=False)
class Fit:
    """A model fitted to runs, and the draws of its posterior.

    Parameters
    ----------
    model : Model
        The model.
    runs : xarray.Dataset
        The training runs.
    tree : xarray.DataTree
        ArviZ groups: ``posterior`` (parameters in the user's units),
        ``unconstrained_posterior`` (the sampler's variables), ``sample_stats``,
        ``log_likelihood`` (of the raw response, computed when it is read; with a discrepancy, that
        of each response given all others), ``posterior_predictive``, ``prior``,
        ``unconstrained_prior``, ``prior_predictive``, ``observed_data`` and ``constant_data``;
        provenance in its attributes.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> fit = bl.load("fit.nc")  # doctest: +SKIP
    >>> fit.tree["posterior"]["alpha"].median(("chain", "draw"))  # doctest: +SKIP
    """

    model: Model
    runs: xr.Dataset
    tree: xr.DataTree

    def __str__(self) -> str:
        """The sentence of the convergence gate, then the law and the runs."""
        groups = ", ".join(group_names(self.runs)) or "no groups"
        size = f"{self.runs.sizes['run']} runs, {curves_in(self.runs).sizes['curve']} curves"
        verdict = Gate.of(self.tree).sentence if "gate" in self.tree.attrs else "Not sampled."
        return f"{verdict}\nFit of law {self.model.law.name!r} to {size} ({groups})."

    def __repr__(self) -> str:
        """The same: the draws would be a hundred lines."""
        return str(self)


def require_fit(fit: Any) -> None:
    """Raise TypeError unless an argument is a fit."""
    require_kind("fit", fit, Fit, "a fit, as bl.fit makes it and bl.load opens it")
