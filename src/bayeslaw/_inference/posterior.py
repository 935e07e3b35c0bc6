"""From draws of the sampler's variables to parameters, likelihoods and responses, with labels.

Arrays have (chain, draw) in front. The formulas are the law's own, evaluated by NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._inference.coordinates import Coordinates, coordinates
from bayeslaw._inference.hierarchy import (
    Grouping,
    HierarchyLayout,
    groupings,
    hierarchy_layout,
    is_pooled,
)
from bayeslaw._inference.run_arrays import RunArrays
from bayeslaw._law.roles import Role
from bayeslaw._law.units import predictor_scales, rescale
from bayeslaw.data.runs import group_names
from bayeslaw.model.model import Model

__all__ = ["law_values", "level_dim", "posterior_dataset", "to_user_units", "unconstrained_dataset"]

# Dimension names that ArviZ and its plots keep for themselves, or that the tree uses.
RESERVED = frozenset(
    {
        "model",
        "column",
        "variable",
        "plot",
        "group",
        "sample",
        "chain",
        "draw",
        "curve",
        "run",
        "parameter",
        "x",
        "y",
        "quantile",
    }
)


def level_dim(group: str) -> str:
    """The dimension under which the levels of a group stand in a fit's tree.

    Parameters
    ----------
    group : str
        The user's name.

    Returns
    -------
    str
        The name itself unless it is reserved.

    Examples
    --------
    >>> level_dim("task"), level_dim("model")
    ('task', 'model_level')
    """
    return f"{group}_level" if group in RESERVED else group


def to_user_units(
    model: Model, system: Coordinates, theta: Mapping[str, Any], reference: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """All parameters in the user's units from reference coordinates.

    Parameters
    ----------
    model : Model
        The model.
    system : Coordinates
        Coordinates of its law.
    theta : mapping of str to array
        Reference coordinates, noise included.
    reference : mapping of str to float
        Reference scale per predictor.

    Returns
    -------
    dict of str to array
        Parameters of law and noise, all of one shape.
    """
    # A prior may reach beyond the largest number, and where a term is below the smallest one.
    with np.errstate(over="ignore", divide="ignore"):
        law = rescale(model.law, reference, system.parameters({n: theta[n] for n in system.roles}))
    beside = {
        name: role.link.inverse(theta[name]) if name in theta else model.fixed[name]
        for name, role in model.nuisance_roles.items()
    }
    shape = np.shape(next(iter(theta.values())))
    return {name: np.broadcast_to(value, shape) for name, value in {**law, **beside}.items()}


def unconstrained_dataset(
    draws: Mapping[str, np.ndarray],
    roles: Mapping[str, Role],
    where: HierarchyLayout | None,
    curves: xr.Dataset,
) -> xr.Dataset:
    """The sampler's variables with their labels.

    Parameters
    ----------
    draws : mapping of str to array
        ``theta``, for pooled models ``center``, ``spread`` and ``effects``, and ``latent``.
    roles : mapping of str to Role
        Parameters and their roles as coordinates.
    where : Layout or None
        Layout of spreads and levels of a pooled model.
    curves : xarray.Dataset
        The curves.

    Returns
    -------
    xarray.Dataset
    """
    dims = {"theta": ["parameter", "curve"], "center": ["parameter"], "spread": ["spread_of"]}
    dims |= {"effects": ["effect_of"], "latent": ["run"]}
    coords: dict[str, Any] = {"parameter": list(roles), "curve": curves["curve"].values}
    if where is not None:
        coords["spread_of"] = [" ".join(item) for item in where.spreads]
        coords["effect_of"] = [" ".join(item) for item in where.levels]
    return _labelled({name: (dims[name], values) for name, values in draws.items()}, coords)


def posterior_dataset(
    model: Model, run_arrays: RunArrays, link: xr.Dataset, runs: xr.Dataset
) -> xr.Dataset:
    """Parameters per curve, of the population and effects of groups, in the user's units.

    Parameters
    ----------
    model : Model
        The model.
    design : RunArrays
        The runs as arrays.
    link : xarray.Dataset
        The sampler's variables, as of `unconstrained_dataset`.
    runs : xarray.Dataset
        The training runs.

    Returns
    -------
    xarray.Dataset
        Per curve under the parameters' names; ``<parameter>_population``: the typical curve;
        ``<parameter>_<group>_effect``: what a level of a group adds to it;
        ``sd_<parameter>_own`` and ``sd_<parameter>_<group>``: spreads on the link scale.
    """
    system, reference = coordinates(model), predictor_scales(model.law, runs)
    theta = link["theta"].values
    rows = {name: theta[..., row, :] for row, name in enumerate(link["parameter"].values)}
    curve = to_user_units(model, system, rows, reference)
    coords: dict[str, Any] = {"curve": run_arrays.curves["curve"].values}
    for group in group_names(runs):
        coords[f"{group}_of_curve"] = ("curve", run_arrays.curves[group].values.astype(str))
    variables: dict[str, Any] = {name: (["curve"], values) for name, values in curve.items()}
    if is_pooled(model, run_arrays.curves):
        kept = groupings(model, run_arrays.curves)
        more, levels = _population(model, system, link, kept, reference)
        variables |= more
        coords |= levels
    return _labelled(variables, coords)


def _population(
    model: Model,
    system: Coordinates,
    link: xr.Dataset,
    kept: Mapping[str, Grouping],
    reference: Mapping[str, float],
) -> tuple[dict[str, Any], dict[str, Any]]:
    names = list(link["parameter"].values)
    where = hierarchy_layout(kept, names)
    center = {name: link["center"].values[..., row] for row, name in enumerate(names)}
    typical = to_user_units(model, system, center, reference)
    variables: dict[str, Any] = {
        f"{name}_population": ([], values) for name, values in typical.items()
    }
    for i, (name, group) in enumerate(where.spreads):
        variables[f"sd_{name}_{group}"] = ([], link["spread"].values[..., i])
    levels = _levels(kept)
    for group, labels in levels.items():
        moved = {
            name: center[name][..., None] + _effect(link, where, name, group, labels)
            for name in names
        }
        for name, values in to_user_units(model, system, moved, reference).items():
            with np.errstate(invalid="ignore"):  # of two that are beyond the largest number
                effect = values - typical[name][..., None]
            variables[f"{name}_{group}_effect"] = ([level_dim(group)], effect)
    return variables, {level_dim(group): list(labels) for group, labels in levels.items()}


def _levels(kept: Mapping[str, Grouping]) -> dict[str, tuple[str, ...]]:
    return {
        group: labels
        for grouping in kept.values()
        for group, labels in zip(grouping.groups, grouping.levels, strict=True)
    }


def _effect(
    link: xr.Dataset, where: HierarchyLayout, name: str, group: str, labels: Any
) -> np.ndarray:
    """Effects of a group's levels on one parameter, on the link scale; zero where not pooled."""
    at = [i for i, (owner, kind, _) in enumerate(where.levels) if (owner, kind) == (name, group)]
    shape = (*link["center"].shape[:2], len(labels))
    if not at:
        return np.zeros(shape)
    spread = link["spread"].values[..., where.spreads.index((name, group))]
    return spread[..., None] * link["effects"].values[..., at]


def law_values(
    model: Model,
    parameters: Mapping[str, np.ndarray],
    predictors: Mapping[str, np.ndarray],
    curve: Any,
) -> np.ndarray:
    """The law at runs for every draw, shape (chain, draw, run).

    Parameters
    ----------
    model : Model
        The model.
    parameters : mapping of str to array (chain, draw, curve)
        Parameters in the user's units.
    predictors : mapping of str to array (run,)
        Predictors in the user's units.
    curve : array of int (run,)
        Curve of each run.

    Returns
    -------
    array
    """
    values = {name: parameters[name][..., curve] for name in model.law.parameters}
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        mean = model.law(*(predictors[name] for name in model.law.predictors), **values)
    return np.broadcast_to(mean, next(iter(values.values())).shape)


def _labelled(variables: Mapping[str, Any], coords: Mapping[str, Any]) -> xr.Dataset:
    named = {name: (["chain", "draw", *dims], values) for name, (dims, values) in variables.items()}
    n_chain, n_draw = next(iter(named.values()))[1].shape[:2]
    used = {dim for dims, _ in named.values() for dim in dims}
    kept = {
        name: value
        for name, value in coords.items()
        if name in used or (isinstance(value, tuple) and value[0] in used)
    }
    return xr.Dataset(
        named, coords={"chain": np.arange(n_chain), "draw": np.arange(n_draw), **kept}
    )
