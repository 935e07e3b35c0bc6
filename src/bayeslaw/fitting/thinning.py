"""Thinning: a fit with every n-th posterior draw."""

from __future__ import annotations

from dataclasses import replace

import xarray as xr

from bayeslaw.fitting.result import Fit

__all__ = ["thin"]


def thin(fit: Fit, step: int) -> Fit:
    """The fit with every step-th draw of each chain, and with no other groups than the draws."""
    if step == 1:
        return fit
    selected = {
        f"/{name}": fit.tree[name].to_dataset().isel(draw=slice(None, None, step))
        for name in ("posterior", "unconstrained_posterior")
    }
    tree = xr.DataTree.from_dict(selected)
    tree.attrs.update(fit.tree.attrs)
    return replace(fit, tree=tree)
