"""What a fit prepares from a model and runs, in one call."""

from __future__ import annotations

import xarray as xr

from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.laplace import laplace_approximation
from bayeslaw._inference.model_data import ModelData, model_data_of
from bayeslaw.model.model import Model


def model_data(model: Model, runs: xr.Dataset) -> ModelData:
    """The arrays that the density of a model takes from runs."""
    bound = bind(model, runs)
    return model_data_of(bound, laplace_approximation(bound))
