"""Runs as arrays in units of their reference, and priors that depend on the runs' units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import xarray as xr

from bayeslaw._inference.coordinates import Frame
from bayeslaw._law.roles import LEVEL, Role
from bayeslaw._law.units import predictor_scales
from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.data.runs import (
    check_runs,
    predictor_names,
    reference_sizes,
    response_values,
    scaled_predictors,
)
from bayeslaw.model.model import Model
from bayeslaw.priors import Fixed, Normal, Population, Prior
from bayeslaw.response_scales import ResponseScale

__all__ = ["RunArrays", "population_prior", "response_unit", "run_arrays_of", "spread_prior"]

NO_SPREAD = Fixed(1e-6)  # for zero, of which the sampler would take the logarithm
IN_RESPONSE_UNITS = ("Floor", "Amplitude", "Rate")  # default priors scale with the median response


@dataclass(frozen=True)
class RunArrays:
    """Runs as arrays: predictors in units of their reference, responses, and the curve of each.

    All arrays have shape (runs,). `values` are the responses on the noise's scale, `known_error`
    their known standard errors on it; `unit` is the median response.
    """

    predictors: tuple[np.ndarray, ...]
    response: np.ndarray
    values: np.ndarray
    known_error: np.ndarray
    curve: np.ndarray
    curves: xr.Dataset
    unit: float

    @cached_property
    def n_curves(self) -> int:
        """Number of curves."""
        return self.curves.sizes["curve"]

    @property
    def level(self) -> float:
        """Log median response."""
        return float(np.log(self.unit))

    @property
    def frame(self) -> Frame:
        """Observed range of each curve."""
        low = tuple(self._extreme(np.minimum, x) for x in self.predictors)
        high = tuple(self._extreme(np.maximum, x) for x in self.predictors)
        pivot = tuple(np.sqrt(a * b) for a, b in zip(low, high, strict=True))
        return Frame(pivot, low, high)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum over the runs of each curve; (..., runs) to (..., curves)."""
        flat = np.ascontiguousarray(values, dtype=float).reshape(-1, self.curve.size)
        sums = [np.bincount(self.curve, row, self.n_curves) for row in flat]
        return np.reshape(sums, (*values.shape[:-1], self.n_curves))

    def select_curves(self, curves: np.ndarray) -> RunArrays:
        """The runs of some curves, by index; a curve may be repeated."""
        runs = self.run_indices(curves)
        counts = np.bincount(self.curve, minlength=self.n_curves)[curves]
        curve = np.repeat(np.arange(len(curves)), counts)
        predictors = tuple(x[runs] for x in self.predictors)
        observed = self.response[runs], self.values[runs], self.known_error[runs]
        return RunArrays(predictors, *observed, curve, self.curves.isel(curve=curves), self.unit)

    def run_indices(self, curves: np.ndarray) -> np.ndarray:
        """Indices of the runs of some curves, one curve after the other."""
        order = np.argsort(self.curve, kind="stable")
        bounds = np.searchsorted(self.curve[order], np.arange(self.n_curves + 1))
        parts = [order[bounds[i] : bounds[i + 1]] for i in curves]
        return np.concatenate(parts) if parts else np.empty(0, dtype=int)

    @property
    def position(self) -> np.ndarray:
        """Signed log distance of each run from its curve's pivot, in e-folds (predictors, runs)."""
        return self.position_of(np.array(self.predictors), self.curve)

    def position_of(self, sizes: np.ndarray, curve: np.ndarray) -> np.ndarray:
        """Signed log distance of points from the pivots of their curves, in e-folds.

        `sizes` and the result are (predictors, points), `curve` is (points,). Curves that are not
        among the fitted ones are measured from the reference.
        """
        new = max(0, int(curve.max(initial=0)) + 1 - self.n_curves)
        pivot = np.array([np.append(x, np.ones(new)) for x in self.frame.pivot])
        return np.log(sizes) - np.log(pivot[:, curve])

    def _extreme(self, function: np.ufunc, x: np.ndarray) -> np.ndarray:
        out = np.full(self.n_curves, np.inf if function is np.minimum else -np.inf)
        function.at(out, self.curve, x)
        return out


def run_arrays_of(model: Model, runs: xr.Dataset) -> RunArrays:
    """Arrays of the runs that a model needs; raises if the runs do not suit the model."""
    check_runs(runs)
    missing = [name for name in model.law.predictors if name not in predictor_names(runs)]
    if missing:
        raise ValueError(
            f"law {model.law.name!r} needs the predictor {missing[0]!r}; the runs have "
            f"{predictor_names(runs)}. Read it, or use law.of(...)"
        )
    _require_reference(model, runs)
    scaled = scaled_predictors(runs, predictor_scales(model.law, runs))
    curves = curves_in(runs)
    response, unit = response_values(runs).values, response_unit(runs)
    scale = model.noise.scale
    _require_on_scale(scale, response, runs)
    error = runs["stderr"].values if "stderr" in runs else np.zeros(response.size)
    return RunArrays(
        tuple(np.asarray(scaled[name]) for name in model.law.predictors),
        response,
        np.asarray(scale.forward(response, unit)),
        np.asarray(error * scale.slope(response, unit)),
        curve_index(runs, curves),
        curves,
        unit,
    )


def _require_reference(model: Model, runs: xr.Dataset) -> None:
    if not isinstance(model.priors, Population):
        return
    required, actual = dict(model.priors.reference), reference_sizes(runs)
    for name in model.law.predictors:
        if not np.isclose(actual[name], required.get(name, actual[name]), rtol=1e-9):
            raise ValueError(
                f"the population's priors hold at {name} = {required[name]:g}, and the reference "
                f"of these runs is {actual[name]:g}: read them with reference={required}"
            )


def response_unit(runs: xr.Dataset) -> float:
    """The median response, the unit of the noise and the discrepancy."""
    return float(np.median(response_values(runs).values))


def _require_on_scale(scale: ResponseScale, response: np.ndarray, runs: xr.Dataset) -> None:
    outside = np.flatnonzero(~scale.holds(response))
    if outside.size:
        first = outside[0]
        raise ValueError(
            f"{outside.size} responses are outside {scale}, the first in run "
            f"{runs['run'].values[first]}: {runs.attrs['response']} = {response[first]:g}; "
            "drop them, or give the noise another scale"
        )


def population_prior(model: Model, name: str, role: Role, level: float) -> Prior:
    """Prior of a population coordinate: the user's, or the default of its role.

    `level` is the log median response, where default priors of levels are centred.
    """
    if name in model.priors:
        return model.priors[name]
    if role is LEVEL:
        return Normal(level, 1.0)
    if role.name in IN_RESPONSE_UNITS:
        return replace(role.prior, median=role.prior.median * float(np.exp(level)))  # type: ignore[union-attr]
    return role.prior


def spread_prior(model: Model, name: str, role: Role) -> Prior:
    """Prior of a coordinate's standard deviation between curves and between group levels."""
    prior = model.priors.get(f"sd_{name}", role.spread)
    return NO_SPREAD if prior == Fixed(0.0) else prior
