"""Curve look-up: prediction points, and the parameters of the curve that each belongs to."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._arguments import SEED
from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.hierarchy import groupings, hierarchy_layout, is_pooled, level_effects
from bayeslaw._inference.posterior import to_user_units
from bayeslaw._law.units import predictor_scales
from bayeslaw._memory import require_memory
from bayeslaw._suggestions import did_you_mean
from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.data.runs import grid, group_names, has_response, predictor_names
from bayeslaw.fitting.result import Fit, require_fit

__all__ = [
    "At",
    "CurveParameters",
    "curve_parameters",
    "parameters_at",
    "prediction_grid",
    "require_columns",
    "taken_by",
    "with_groups",
]

N_RESULTS = 6  # arrays in a forecast: law, mean, new_run, center, scale, noise

type At = Mapping[str, Any] | xr.Dataset | None


def prediction_grid(fit: Fit, at: At) -> xr.Dataset:
    """A grid of the values in `at`, repeated for every curve of the fit unless it names groups.

    `at` is what `bayeslaw.grid` takes (predictors, groups or both), or such a grid.
    """
    require_fit(fit)
    rows, groups = _rows(fit, at), group_names(fit.runs)
    _require_memory(fit, rows)
    for name in group_names(rows):
        if name not in groups:
            raise ValueError(
                f"{name!r} in at is not a group of the fit; those are {groups or None}"
            )
    return rows if group_names(rows) else _for_all_curves(fit, rows)


def _rows(fit: Fit, at: At) -> xr.Dataset:
    if isinstance(at, xr.Dataset):
        return at
    if not isinstance(at, Mapping | None):
        raise TypeError(f"at takes a mapping, such as {{'D': 1e12}}, got {at!r}")
    # A grid needs a predictor: where none is given, one is added and removed again.
    name = fit.model.law.predictors[0]
    rows = grid(**{name: 1.0, **(at or {})})
    if at and name in at:
        return rows
    others = [other for other in predictor_names(rows) if other != name]
    return rows.drop_vars(name).assign_attrs(predictors=others)


def _for_all_curves(fit: Fit, rows: xr.Dataset) -> xr.Dataset:
    known, n_rows = curves_in(fit.runs), rows.sizes["run"]
    curve = np.repeat(np.arange(known.sizes["curve"]), n_rows)
    repeated = rows.isel(run=np.tile(np.arange(n_rows), known.sizes["curve"]))
    groups = {name: ("run", known[name].values[curve]) for name in group_names(fit.runs)}
    return repeated.assign_coords({"run": np.arange(curve.size), **groups})


def with_groups(fit: Fit, rows: xr.Dataset) -> xr.Dataset:
    """The rows, with the fit's groups in the fit's order."""
    return rows.assign_attrs(groups=group_names(fit.runs))


def parameters_at(
    fit: Fit, rows: xr.Dataset, draw_new: Sequence[str] = (), random_seed: int = 0
) -> dict[str, np.ndarray]:
    """Parameters of law and noise at each row, (chain, draw, run), in the user's units."""
    curves = curve_parameters(fit, rows, draw_new, random_seed)
    return {name: values[..., curves.curve] for name, values in curves.parameters.items()}


@dataclass(frozen=True)
class CurveParameters:
    """Parameters of the curves that rows belong to.

    `parameters`, each (chain, draw, curve), are those of law, noise and discrepancy in the user's
    units. `fitted_index` (curve,) is the position of each curve in the fit, -1 for one drawn from
    the population. `curve` (run,) is the curve of each row.
    """

    parameters: Mapping[str, np.ndarray]
    fitted_index: np.ndarray
    curve: np.ndarray


def curve_parameters(
    fit: Fit, rows: xr.Dataset, draw_new: Sequence[str] = (), random_seed: int = 0
) -> CurveParameters:
    """Look up the curves of the rows in the fit, and draw those that it does not have.

    New levels of the groups in `draw_new` are drawn from the population.
    """
    random_seed = SEED.check("random_seed", random_seed)
    _require_groups(fit, rows)
    _require_memory(fit, rows)
    _require_groups_of_fit(fit, draw_new)
    grouped = with_groups(fit, rows)
    curves = curves_in(grouped)
    fitted_index = _fitted_index(fit, curves)
    _require_known_levels(fit, curves, fitted_index, tuple(draw_new))
    parameters = _parameters(fit, curves, fitted_index, random_seed)
    return CurveParameters(parameters, fitted_index, curve_index(grouped, curves))


def require_columns(fits: Collection[Fit], rows: xr.Dataset) -> None:
    """Raise unless the rows have all predictors of the fits, and no column that no fit has.

    Runs, which have a response, may have more columns than the fits.
    """
    for law in (fit.model.law for fit in fits):
        missing = [name for name in law.predictors if name not in rows]
        if missing:
            raise ValueError(
                f"the grid has no {missing[0]!r}, which law {law.name!r} needs; "
                f"it has {predictor_names(rows)}"
            )
    predictors = {name: None for fit in fits for name in fit.model.law.predictors}
    groups = {name: None for fit in fits for name in group_names(fit.runs)}
    own = [] if has_response(rows) else [*predictor_names(rows), *group_names(rows)]
    for name in own:
        if name not in {**predictors, **groups}:
            raise ValueError(
                f"the grid has {name!r}, which is neither a predictor of the law, {[*predictors]}, "
                f"nor a group of the fit, {[*groups] or None}"
            )


def taken_by(fit: Fit, rows: xr.Dataset) -> xr.Dataset:
    """The rows without predictors that only other laws take."""
    others = [name for name in predictor_names(rows) if name not in fit.model.law.predictors]
    taken = [name for name in predictor_names(rows) if name not in others]
    return rows.drop_vars(others).assign_attrs(predictors=taken)


def _require_memory(fit: Fit, rows: xr.Dataset) -> None:
    draws = math.prod(fit.tree["unconstrained_posterior"].sizes[name] for name in ("chain", "draw"))
    count, arrays = rows.sizes["run"], len(fit.model.roles) + N_RESULTS
    require_memory(f"{draws} draws at {count} points", draws * count * arrays)


def _require_groups(fit: Fit, rows: xr.Dataset) -> None:
    missing = [name for name in group_names(fit.runs) if name not in rows.coords]
    if missing:
        raise ValueError(
            f"the grid does not say which {missing[0]!r}; the fit has "
            f"{_levels(fit.runs, missing[0])}"
        )


def _require_groups_of_fit(fit: Fit, draw_new: Sequence[str]) -> None:
    if isinstance(draw_new, str):
        raise TypeError(f"draw_new takes a list of groups, got the string {draw_new!r}")
    groups = group_names(fit.runs)
    for name in draw_new:
        if name not in groups:
            hint = did_you_mean(name, groups)
            raise ValueError(
                f"{name!r} in draw_new is not a group of the fit{hint} Those are {groups or None}"
            )


def _fitted_index(fit: Fit, curves: xr.Dataset) -> np.ndarray:
    """Position of each curve among those of the fit, -1 where it is none of them."""
    fitted, groups = curves_in(fit.runs), group_names(fit.runs)
    position = {_key(fitted, groups, i): i for i in range(fitted.sizes["curve"])}
    keys = [_key(curves, groups, i) for i in range(curves.sizes["curve"])]
    return np.array([position.get(key, -1) for key in keys])


def _parameters(
    fit: Fit, curves: xr.Dataset, fitted_index: np.ndarray, random_seed: int
) -> dict[str, np.ndarray]:
    """Parameters of the curves in the user's units, each (chain, draw, curve)."""
    unconstrained = fit.tree["unconstrained_posterior"].to_dataset()
    names = [str(name) for name in unconstrained["parameter"].values]
    by_curve = [
        unconstrained["theta"].values[..., index]
        if index >= 0
        else _new_curve(fit, names, curves.isel(curve=i), random_seed)
        for i, index in enumerate(fitted_index)
    ]
    theta = np.stack(by_curve, axis=-1)
    rows = {name: theta[:, :, row] for row, name in enumerate(names)}
    return to_user_units(
        fit.model, coordinates(fit.model), rows, predictor_scales(fit.model.law, fit.runs)
    )


def _levels(runs: xr.Dataset, group: str) -> list[str]:
    return list(dict.fromkeys(str(label) for label in runs[group].values))


def _key(curves: xr.Dataset, groups: list[str], i: int) -> tuple[str, ...]:
    return tuple(str(curves[group].values[i]) for group in groups)


def _require_known_levels(
    fit: Fit, curves: xr.Dataset, fitted_index: np.ndarray, draw_new: tuple[str, ...]
) -> None:
    unknown = [int(i) for i in np.flatnonzero(fitted_index < 0)]
    if unknown and not is_pooled(fit.model, curves_in(fit.runs)):
        label = str(curves["curve"].values[unknown[0]])
        raise ValueError(
            f"no curve {label!r} in this fit, which was made without pooling: nothing is known "
            "about other curves"
        )
    for group in group_names(fit.runs):
        known = _levels(fit.runs, group)
        for i in unknown:
            label = str(curves[group].values[i])
            if label not in known and group not in draw_new:
                raise ValueError(
                    f"{group} {label!r} is not in this fit, which has {known}; to draw a new "
                    f"{group} from the population pass draw_new=[{group!r}]"
                )


def _new_curve(fit: Fit, names: list[str], labels: xr.Dataset, random_seed: int) -> np.ndarray:
    """Reference coordinates (chain, draw, parameter) of a curve drawn from the population.

    The draw depends only on the names of curve and levels: all curves of a new level share its
    effect, and a curve is the same whatever else is requested.
    """
    unconstrained = fit.tree["unconstrained_posterior"].to_dataset()
    hierarchy = hierarchy_layout(groupings(fit.model, curves_in(fit.runs)), names)
    effects = level_effects(unconstrained, hierarchy)
    spread = unconstrained["spread"].values
    center = unconstrained["center"].values
    own = _standard_normal(center.shape, random_seed, "own", str(labels["curve"].values))
    theta = center + spread[..., : len(names)] * own
    for i, (name, group) in enumerate(hierarchy.spreads[len(names) :], start=len(names)):
        level = (name, group, str(labels[group].values))
        if level in effects:
            theta[..., names.index(name)] += effects[level]
        else:
            effect = _standard_normal(theta.shape[:2], random_seed, *level)
            theta[..., names.index(name)] += spread[..., i] * effect
    return theta


def _standard_normal(shape: tuple[int, ...], random_seed: int, *name: str) -> np.ndarray:
    rng = np.random.default_rng([random_seed, *repr(name).encode()])
    return rng.standard_normal(shape)
