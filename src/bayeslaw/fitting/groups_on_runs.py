"""Groups of a fit's tree with a value for each run and draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.posterior import LATENT

__all__ = ["latent_variables", "on_runs", "parameters_at"]


def parameters_at(bound: BoundModel, posterior: xr.Dataset) -> dict[str, np.ndarray]:
    """Draws of all parameters by name."""
    return {name: posterior[name].values for name in bound.model.roles}


def latent_variables(unconstrained: xr.Dataset) -> np.ndarray | None:
    """Draws of the latent variables of noise, if there are any."""
    return unconstrained[LATENT].values if LATENT in unconstrained else None


def on_runs(runs: xr.Dataset, values: Any) -> xr.Dataset:
    """Responses or log densities (chain, draw, run), named after the response."""
    coords = {"chain": np.arange(values.shape[0]), "draw": np.arange(values.shape[1])}
    return xr.Dataset(
        {runs.attrs["response"]: (("chain", "draw", "run"), values)},
        coords={**coords, "run": runs["run"].values},
    )
