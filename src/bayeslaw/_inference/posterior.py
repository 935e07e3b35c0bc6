"""Posterior draws in the user's units: from the sampler's variables to labelled datasets.

Arrays start with (chain, draw). The law is evaluated by NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.coordinates import Coordinates
from bayeslaw._inference.hierarchy import Grouping, HierarchyLayout, level_effects
from bayeslaw._law.units import rescale
from bayeslaw.data.runs import group_names
from bayeslaw.model.model import Model

__all__ = [
    "LATENT",
    "law_values",
    "level_dim",
    "posterior_dataset",
    "to_user_units",
    "unconstrained_dataset",
]

LATENT = "latent"  # variables of runs, given which their noise is Gaussian

# Dimension names that ArviZ and its plots reserve, or that the tree uses.
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
    """Dimension of a group's levels in a fit's tree: its name, unless that is reserved."""
    return f"{group}_level" if group in RESERVED else group


def to_user_units(
    model: Model, system: Coordinates, theta: Mapping[str, Any], reference: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """All parameters in the user's units, of one shape, from reference coordinates.

    `theta` has a row per free parameter, nuisance parameters included; `reference` is the scale of
    each predictor.
    """
    # Prior draws may overflow, or a term of the law underflow.
    with np.errstate(over="ignore", divide="ignore"):
        law = rescale(model.law, reference, system.parameters({n: theta[n] for n in system.roles}))
    nuisance = {
        name: role.link.inverse(theta[name]) if name in theta else model.fixed[name]
        for name, role in model.nuisance_roles.items()
    }
    shape = np.shape(next(iter(theta.values())))
    return {name: np.broadcast_to(value, shape) for name, value in {**law, **nuisance}.items()}


def unconstrained_dataset(bound: BoundModel, draws: Mapping[str, np.ndarray]) -> xr.Dataset:
    """The sampler's variables with labels.

    `draws` are ``theta``, for pooled models ``center``, ``spread`` and ``effects``, and ``latent``.
    """
    curves, layout = bound.run_arrays.curves, bound.hierarchy
    dims = {"theta": ["parameter", "curve"], "center": ["parameter"], "spread": ["spread_of"]}
    dims |= {"effects": ["effect_of"], "latent": ["run"]}
    coords: dict[str, Any] = {"parameter": list(bound.roles), "curve": curves["curve"].values}
    if layout is not None:
        coords["spread_of"] = [" ".join(item) for item in layout.spreads]
        coords["effect_of"] = [" ".join(item) for item in layout.levels]
    return _labelled({name: (dims[name], values) for name, values in draws.items()}, coords)


def posterior_dataset(bound: BoundModel, unconstrained: xr.Dataset) -> xr.Dataset:
    """Parameters of curves and population and effects of groups, in the user's units.

    `unconstrained` holds the sampler's variables, as `unconstrained_dataset` labels them.
    """
    curves, theta = bound.run_arrays.curves, unconstrained["theta"].values
    rows = {name: theta[..., row, :] for row, name in enumerate(bound.roles)}
    in_user_units = to_user_units(bound.model, bound.coordinates, rows, bound.scales)
    coords: dict[str, Any] = {"curve": curves["curve"].values}
    for group in group_names(bound.runs):
        coords[f"{group}_of_curve"] = ("curve", curves[group].values.astype(str))
    variables: dict[str, Any] = {n: (["curve"], values) for n, values in in_user_units.items()}
    if bound.hierarchy is not None:
        population, levels = _population(bound, bound.hierarchy, unconstrained)
        variables |= population
        coords |= levels
    return _labelled(variables, coords)


def _population(
    bound: BoundModel, layout: HierarchyLayout, unconstrained: xr.Dataset
) -> tuple[dict[str, Any], dict[str, Any]]:
    names = list(bound.roles)
    center = {name: unconstrained["center"].values[..., row] for row, name in enumerate(names)}
    typical = to_user_units(bound.model, bound.coordinates, center, bound.scales)
    variables: dict[str, Any] = {
        f"{name}_population": ([], values) for name, values in typical.items()
    }
    for i, (name, group) in enumerate(layout.spreads):
        variables[f"sd_{name}_{group}"] = ([], unconstrained["spread"].values[..., i])
    levels, effects = _levels(bound.groupings), level_effects(unconstrained, layout)
    for group, labels in levels.items():
        shifted = {
            name: np.stack(
                [values + effects.get((name, group, label), 0.0) for label in labels], axis=-1
            )
            for name, values in center.items()
        }
        in_user_units = to_user_units(bound.model, bound.coordinates, shifted, bound.scales)
        for name, values in in_user_units.items():
            with np.errstate(invalid="ignore"):  # inf - inf
                effect = values - typical[name][..., None]
            variables[f"{name}_{group}_effect"] = ([level_dim(group)], effect)
    return variables, {level_dim(group): list(labels) for group, labels in levels.items()}


def _levels(groupings: Mapping[str, Grouping]) -> dict[str, tuple[str, ...]]:
    return {
        group: labels
        for grouping in groupings.values()
        for group, labels in zip(grouping.groups, grouping.levels, strict=True)
    }


def law_values(
    model: Model,
    parameters: Mapping[str, np.ndarray],
    predictors: Mapping[str, np.ndarray],
    curve: Any,
) -> np.ndarray:
    """Values of the law for every draw (chain, draw, run), in the user's units.

    `parameters` are (chain, draw, curve), `predictors` (run,); `curve` is the curve of each run.
    """
    values = {name: parameters[name][..., curve] for name in model.law.parameters}
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        mean = model.law(*(predictors[name] for name in model.law.predictors), **values)
    return np.broadcast_to(mean, next(iter(values.values())).shape)


def _labelled(variables: Mapping[str, Any], coords: Mapping[str, Any]) -> xr.Dataset:
    named = {name: (["chain", "draw", *dims], values) for name, (dims, values) in variables.items()}
    n_chain, n_draw = next(iter(named.values()))[1].shape[:2]
    used = {dim for dims, _ in named.values() for dim in dims}
    labels = {
        name: value
        for name, value in coords.items()
        if name in used or (isinstance(value, tuple) and value[0] in used)
    }
    return xr.Dataset(
        named, coords={"chain": np.arange(n_chain), "draw": np.arange(n_draw), **labels}
    )
