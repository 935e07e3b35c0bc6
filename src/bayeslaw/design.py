"""Runs as arrays, in units of their reference, and the priors that are in units of the runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from bayeslaw import runs as table
from bayeslaw.coordinates import Frame
from bayeslaw.curves import curve_index, curves
from bayeslaw.model import Model
from bayeslaw.parameters import LEVEL, Role
from bayeslaw.priors import Normal, Prior
from bayeslaw.units import scales_of

__all__ = ["Design", "design_of", "prior_of"]

AMOUNTS = ("Floor", "Amplitude", "Rate")  # default priors are in units of the median response


@dataclass(frozen=True)
class Design:
    """Runs as arrays: predictors in units of their reference, responses, and curve of each run."""

    predictors: tuple[np.ndarray, ...]
    response: np.ndarray
    relative_error: np.ndarray
    curve: np.ndarray
    curves: xr.Dataset

    @property
    def n_curves(self) -> int:
        """Number of curves."""
        return self.curves.sizes["curve"]

    @property
    def level(self) -> float:
        """Logarithm of the median response."""
        return float(np.log(np.median(self.response)))

    @property
    def frame(self) -> Frame:
        """Middle and ends of each curve's range."""
        low = tuple(self._extreme(np.minimum, x) for x in self.predictors)
        high = tuple(self._extreme(np.maximum, x) for x in self.predictors)
        middle = tuple(np.sqrt(a * b) for a, b in zip(low, high, strict=True))
        return Frame(middle, low, high)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums over the runs of each curve; values of shape (..., runs)."""
        out = np.zeros((*values.shape[:-1], self.n_curves))
        np.add.at(out, (..., self.curve), values)  # pyright: ignore[reportArgumentType]
        return out

    def chosen(self, curves: np.ndarray) -> Design:
        """The runs of some curves, by their numbers; a curve may come several times."""
        runs = [np.flatnonzero(self.curve == i) for i in curves]
        every, curve = np.concatenate(runs), np.repeat(np.arange(len(runs)), [*map(len, runs)])
        predictors = tuple(x[every] for x in self.predictors)
        amounts = self.response[every], self.relative_error[every]
        return Design(predictors, *amounts, curve, self.curves.isel(curve=curves))

    def _extreme(self, function: np.ufunc, x: np.ndarray) -> np.ndarray:
        out = np.full(self.n_curves, np.inf if function is np.minimum else -np.inf)
        function.at(out, self.curve, x)
        return out


def design_of(model: Model, runs: xr.Dataset) -> Design:
    """Arrays of the runs that a model needs.

    Parameters
    ----------
    model : Model
        The model.
    runs : xarray.Dataset
        Runs with a response.

    Returns
    -------
    Design
    """
    table.check_runs(runs)
    missing = [name for name in model.law.predictors if name not in table.predictors(runs)]
    if missing:
        raise ValueError(
            f"law {model.law.name!r} needs the predictor {missing[0]!r}; the runs have "
            f"{table.predictors(runs)}. Read it, or use law.of(...)"
        )
    scaled = table.scaled(runs, scales_of(model.law, runs))
    found = curves(runs)
    response = table.response(runs).values
    error = runs["stderr"].values / response if "stderr" in runs else np.zeros(response.size)
    return Design(
        tuple(np.asarray(scaled[name]) for name in model.law.predictors),
        response,
        error,
        curve_index(runs, found),
        found,
    )


def prior_of(model: Model, name: str, role: Role, level: float) -> Prior:
    """Prior of the population's coordinate: the user's, or the default of its role.

    Parameters
    ----------
    model : Model
        The model.
    name : str
        A free parameter.
    role : Role
        Its role as a coordinate.
    level : float
        Logarithm of the median response, where default priors of levels are centred.

    Returns
    -------
    Prior
    """
    if name in model.priors:
        return model.priors[name]
    if role is LEVEL:
        return Normal(level, 1.0)
    if role.name in AMOUNTS:
        return replace(role.prior, median=role.prior.median * float(np.exp(level)))  # type: ignore[union-attr]
    return role.prior
