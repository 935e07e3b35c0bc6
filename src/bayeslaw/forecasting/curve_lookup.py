"""Where a question is asked: sizes that are held, curves, and the parameters there."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.hierarchy import groupings, hierarchy_layout, is_pooled
from bayeslaw._inference.posterior import to_user_units
from bayeslaw._law.units import predictor_scales
from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.data.runs import grid, group_names, predictor_names
from bayeslaw.fitting.fit import Fit

__all__ = [
    "At",
    "CurveParameters",
    "curve_parameters",
    "parameters_at",
    "prediction_grid",
    "require_predictors",
    "with_groups",
]

type At = Mapping[str, Any] | xr.Dataset | None


def prediction_grid(fit: Fit, at: At) -> xr.Dataset:
    """Rows of what is held, for every curve of a fit where nothing tells curves apart.

    Parameters
    ----------
    fit : Fit
        The fit.
    at : mapping, xarray.Dataset or None
        What `bayeslaw.grid` takes, predictors or groups or both; or such a grid.

    Returns
    -------
    xarray.Dataset
        On dim run: numbers, and the groups of the fit as coordinates.

    Raises
    ------
    TypeError
        If `at` is neither.
    ValueError
        If it names a group that the fit does not have.
    """
    rows, groups = _rows(fit, at), group_names(fit.runs)
    for name in group_names(rows):
        if name not in groups:
            raise ValueError(f"{name!r} in at is no group of the fit; those are {groups or None}")
    return rows if group_names(rows) else _for_all_curves(fit, rows)


def _rows(fit: Fit, at: At) -> xr.Dataset:
    if isinstance(at, xr.Dataset):
        return at
    if not isinstance(at, Mapping | None):
        raise TypeError(f"at takes a mapping, such as {{'D': 1e12}}, got {at!r}")
    # A grid has a predictor; where none is held, one is put in and taken out again.
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
    """The rows with the groups of the fit, in their order.

    Parameters
    ----------
    fit : Fit
        The fit.
    rows : xarray.Dataset
        Runs or a grid.

    Returns
    -------
    xarray.Dataset
    """
    return rows.assign_attrs(groups=group_names(fit.runs))


def parameters_at(
    fit: Fit, rows: xr.Dataset, draw_new: Sequence[str] = (), random_seed: int = 0
) -> dict[str, np.ndarray]:
    """Parameters of law and noise in the user's units at each row, (chain, draw, run).

    Parameters
    ----------
    fit : Fit
        The fit.
    rows : xarray.Dataset
        Runs or a grid with the groups of the fit.
    draw_new : sequence of str
        Groups whose levels that the fit has not seen are drawn from the population.
    random_seed : int
        Seed of what is drawn from the population.

    Returns
    -------
    dict of str to array

    Raises
    ------
    ValueError
        If the rows lack a group of the fit, or have a level that the fit has not seen and that
        `draw_new` does not name, or `draw_new` names what is no group of the fit.
    """
    found = curve_parameters(fit, rows, draw_new, random_seed)
    return {name: values[..., found.curve] for name, values in found.parameters.items()}


@dataclass(frozen=True)
class CurveParameters:
    """The curves that rows are on.

    Parameters
    ----------
    parameters : mapping of str to array (chain, draw, curve)
        Parameters of law, noise and discrepancy in the user's units.
    number : int array (curve,)
        Number of each among the curves of the fit; -1 for one that was drawn.
    curve : int array (run,)
        Curve of each row.
    """

    parameters: Mapping[str, np.ndarray]
    number: np.ndarray
    curve: np.ndarray


def curve_parameters(
    fit: Fit, rows: xr.Dataset, draw_new: Sequence[str] = (), random_seed: int = 0
) -> CurveParameters:
    """Find or draw the curves that rows are on; arguments and errors as of `parameters_at`.

    Parameters
    ----------
    fit : Fit
        The fit.
    rows : xarray.Dataset
        Runs or a grid with the groups of the fit.
    draw_new : sequence of str
        Groups whose levels that the fit has not seen are drawn from the population.
    random_seed : int
        Seed of what is drawn from the population.

    Returns
    -------
    Located
    """
    _require_groups(fit, rows)
    _require_new(fit, draw_new)
    grouped = with_groups(fit, rows)
    wanted = curves_in(grouped)
    number = _numbers(fit, wanted)
    _require_known_levels(fit, wanted, number, tuple(draw_new))
    parameters = _parameters(fit, wanted, number, random_seed)
    return CurveParameters(parameters, number, curve_index(grouped, wanted))


def require_predictors(fit: Fit, rows: xr.Dataset) -> None:
    """Raise unless rows have all predictors of a fit.

    Parameters
    ----------
    fit : Fit
        The fit.
    rows : xarray.Dataset
        Runs or a grid.

    Raises
    ------
    ValueError
        Naming the first that is missing.
    """
    missing = [name for name in fit.model.law.predictors if name not in rows]
    if missing:
        raise ValueError(
            f"the grid has no {missing[0]!r}, which law {fit.model.law.name!r} needs; "
            f"it has {predictor_names(rows)}"
        )


def _require_groups(fit: Fit, rows: xr.Dataset) -> None:
    lacking = [name for name in group_names(fit.runs) if name not in rows.coords]
    if lacking:
        raise ValueError(
            f"the grid does not say which {lacking[0]!r}; the fit has "
            f"{_levels(fit.runs, lacking[0])}"
        )


def _require_new(fit: Fit, draw_new: Sequence[str]) -> None:
    if isinstance(draw_new, str):
        raise TypeError(f"draw_new takes a list of groups, got the string {draw_new!r}")
    groups = group_names(fit.runs)
    for name in draw_new:
        if name not in groups:
            near = difflib.get_close_matches(name, groups, 1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise ValueError(
                f"{name!r} in draw_new is no group of the fit{hint} Those are {groups or None}"
            )


def _numbers(fit: Fit, wanted: xr.Dataset) -> np.ndarray:
    """Number of each wanted curve among those of the fit, -1 where it is none of them."""
    known, groups = curves_in(fit.runs), group_names(fit.runs)
    where = {_key(known, groups, i): i for i in range(known.sizes["curve"])}
    keys = [_key(wanted, groups, i) for i in range(wanted.sizes["curve"])]
    return np.array([where.get(key, -1) for key in keys])


def _parameters(
    fit: Fit, wanted: xr.Dataset, number: np.ndarray, random_seed: int
) -> dict[str, np.ndarray]:
    """Parameters of the wanted curves in the user's units, each (chain, draw, curve)."""
    link = fit.tree["unconstrained_posterior"].to_dataset()
    names = [str(name) for name in link["parameter"].values]
    columns = [
        link["theta"].values[..., place]
        if place >= 0
        else _new_curve(fit, names, wanted.isel(curve=i), random_seed)
        for i, place in enumerate(number)
    ]
    theta = np.stack(columns, axis=-1)
    rows = {name: theta[:, :, row] for row, name in enumerate(names)}
    return to_user_units(
        fit.model, coordinates(fit.model), rows, predictor_scales(fit.model.law, fit.runs)
    )


def _levels(runs: xr.Dataset, group: str) -> list[str]:
    return list(dict.fromkeys(str(label) for label in runs[group].values))


def _key(curves: xr.Dataset, groups: list[str], i: int) -> tuple[str, ...]:
    return tuple(str(curves[group].values[i]) for group in groups)


def _require_known_levels(
    fit: Fit, wanted: xr.Dataset, number: np.ndarray, draw_new: tuple[str, ...]
) -> None:
    unknown = [int(i) for i in np.flatnonzero(number < 0)]
    if unknown and not is_pooled(fit.model, curves_in(fit.runs)):
        label = str(wanted["curve"].values[unknown[0]])
        raise ValueError(
            f"no curve {label!r} in this fit, which was made without pooling: nothing is known "
            "about other curves"
        )
    for group in group_names(fit.runs):
        seen = _levels(fit.runs, group)
        for i in unknown:
            label = str(wanted[group].values[i])
            if label not in seen and group not in draw_new:
                raise ValueError(
                    f"{group} {label!r} is not in this fit, which has {seen}; to draw a new "
                    f"{group} from the population ask for draw_new=[{group!r}]"
                )


def _new_curve(fit: Fit, names: list[str], labels: xr.Dataset, random_seed: int) -> np.ndarray:
    """Reference coordinates (chain, draw, parameter) of a curve drawn from the population.

    What is drawn depends on the names of curve and level alone: all curves of a new level share
    its effect, and a curve is the same whatever else is asked for.
    """
    link = fit.tree["unconstrained_posterior"].to_dataset()
    where = hierarchy_layout(groupings(fit.model, curves_in(fit.runs)), names)
    spread = link["spread"].values
    center = link["center"].values
    own = _standard_normal(center.shape, random_seed, "own", str(labels["curve"].values))
    theta = center + spread[..., : len(names)] * own
    for i, (name, group) in enumerate(where.spreads[len(names) :], start=len(names)):
        level = (name, group, str(labels[group].values))
        if level in where.levels:
            effect = link["effects"].values[..., where.levels.index(level)]
        else:
            effect = _standard_normal(theta.shape[:2], random_seed, *level)
        theta[..., names.index(name)] += spread[..., i] * effect
    return theta


def _standard_normal(shape: tuple[int, ...], random_seed: int, *name: str) -> np.ndarray:
    rng = np.random.default_rng([random_seed, *repr(name).encode()])
    return rng.standard_normal(shape)
