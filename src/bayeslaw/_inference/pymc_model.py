"""A model on runs as the hierarchical model that one would write in PyMC."""

# PyTensor's annotations do not know that its variables can be computed with.
# pyright: reportIndexIssue=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.posterior import level_dim
from bayeslaw._inference.pymc_likelihood import add_likelihood
from bayeslaw._inference.run_arrays import spread_prior
from bayeslaw._law.roles import link_normal
from bayeslaw._law.units import rescale
from bayeslaw.model.model import Model

__all__ = ["build"]


def build(model: Model, runs: xr.Dataset) -> pm.Model:
    """The hierarchical model of a bayeslaw model on runs, in PyMC.

    It has the same prior and likelihood as `bayeslaw.fit`, in ordinary PyMC variables with named
    dimensions, and none of the coordinates that make `fit` fast. Sample it, extend it and
    condition it by PyMC's own means.

    Parameters
    ----------
    model : Model
        The model.
    runs : xarray.Dataset
        Training runs, as `bayeslaw.read_runs` makes them.

    Returns
    -------
    pymc.Model
        With the variables below.

    Raises
    ------
    ValueError
        If the runs lack a predictor or a group that the model names, or if a parameter has the
        name of another variable.

    Notes
    -----
    For each parameter that is inferred, here ``alpha``, on the scale on which curves are pooled
    (the log of an exponent, the logit of the floor's share, the log response at the reference
    size):

    =================== ======= ===============================================================
    name                dims    variable
    =================== ======= ===============================================================
    ``mu_alpha``                mean of the population
    ``sd_alpha_own``            standard deviation between curves, beyond their groups
    ``sd_alpha_task``           standard deviation between levels of the group ``task``
    ``z_alpha_task``    task    effects of the levels, standardised
    ``alpha_task``      task    effects of the levels: ``sd_alpha_task * z_alpha_task``
    ``mean_alpha``      curve   mean of each curve: the population's and the effects of its groups
    ``theta_alpha``     curve   value of each curve: normal about its mean
    ``alpha``           curve   the parameter itself, in the units of the runs
    =================== ======= ===============================================================

    A prior that is not normal on that scale has a variable of its own, ``alpha_at_reference``, of
    which ``mu_alpha`` is a function. Without pooling there is only ``theta_alpha``, with the prior
    of the population, and ``alpha``.

    The others are ``law`` (run), the law at the runs; ``latent`` (run), for noise that is Gaussian
    only given a latent variable; and the response (run), under its own name and in its own units.
    Data are the predictors, ``curve_of_run``, ``task_of_curve``, ``observed`` and, where they are
    used, ``known_error``, ``pivot_N`` and ``knots_N``.

    The discrepancy is integrated out: the response, on the scale of the noise, is one multivariate
    normal variable. An evaluation takes time cubic in the number of runs; `bayeslaw.fit` takes
    linear time.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> train, later = bl.split_held_out(bl.datasets.load("learners"))
    >>> model = bl.Model(bl.laws.power.of("D"), pooling={"alpha": ["task"]})
    >>> built = bl.build(model, train)
    >>> [variable.name for variable in built.free_RVs if "alpha" in variable.name]
    ['mu_alpha', 'sd_alpha_own', 'sd_alpha_task', 'z_alpha_task', 'theta_alpha']
    >>> built.named_vars_to_dims["alpha"]
    ('curve',)
    """
    bound = bind(model, runs)
    with pm.Model(coords=_coords(bound)) as built:
        _add_data(bound)
        theta = {name: _curves(bound, name) for name in bound.roles}
        add_likelihood(bound, _parameters(bound, theta))
    return built


def _coords(bound: BoundModel) -> dict[str, Any]:
    levels = {level_dim(group): labels for group, (labels, _) in _groups(bound).items()}
    curves = bound.run_arrays.curves["curve"].values
    return {"run": bound.runs["run"].values, "curve": curves, **levels}


def _groups(bound: BoundModel) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Levels of each group that some parameter is pooled over, and the level of each curve."""
    return {
        group: (labels, codes - start)
        for each in bound.groupings.values()
        for group, labels, codes, start in zip(
            each.groups, each.levels, each.codes, each.starts, strict=True
        )
    }


def _add_data(bound: BoundModel) -> None:
    for name in bound.model.law.predictors:
        pm.Data(name, bound.runs[name].values.astype(float), dims="run")
    pm.Data("curve_of_run", bound.run_arrays.curve, dims="run")
    for group, (_, codes) in _groups(bound).items():
        pm.Data(f"{group}_of_curve", codes, dims="curve")


def _curves(bound: BoundModel, name: str) -> Any:
    """A parameter of all curves on the link scale: from its population, or from its prior."""
    if bound.hierarchy is None:
        return _from_prior(bound, name, f"theta_{name}", dims="curve")
    center = _from_prior(bound, name, f"mu_{name}") * pt.ones(_n_curves())
    spread = _spread(bound, name, "own")
    # Levels are few, and say little about their spread: they are not centred. A curve has runs that
    # determine its parameters: it is centred, which is also simpler to extend.
    effects = [_effects(bound, name, group) for group in bound.groupings[name].groups]
    mean = pm.Deterministic(f"mean_{name}", sum(effects, center), dims="curve")
    return pm.Normal(f"theta_{name}", mean, spread, dims="curve")


def _from_prior(bound: BoundModel, name: str, label: str, dims: str | None = None) -> Any:
    """A variable on the link scale with the prior of a parameter."""
    prior, link = bound.priors[name], bound.roles[name].link
    normal = link_normal(prior, link)
    if normal is not None:
        return pm.Normal(label, np.float64(normal.mean), np.float64(normal.sd), dims=dims)
    at_reference = prior.to_pymc(f"{name}_at_reference", dims=dims)
    return pm.Deterministic(label, link.forward(at_reference), dims=dims)


def _spread(bound: BoundModel, name: str, group: str) -> Any:
    return spread_prior(bound.model, name, bound.roles[name]).to_pymc(f"sd_{name}_{group}")


def _effects(bound: BoundModel, name: str, group: str) -> Any:
    """Effects of a group on each curve."""
    dim, spread = level_dim(group), _spread(bound, name, group)
    standardised = pm.Normal(f"z_{name}_{group}", 0.0, 1.0, dims=dim)
    effects = pm.Deterministic(f"{name}_{group}", spread * standardised, dims=dim)
    return effects[pm.modelcontext(None)[f"{group}_of_curve"]]


def _parameters(bound: BoundModel, theta: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of law, noise and discrepancy of all curves, in the user's units."""
    model, system = bound.model, bound.coordinates
    law = system.parameters({name: theta[name] for name in system.roles})
    nuisance = {
        name: role.link.inverse(theta[name]) if name in theta else np.float64(model.fixed[name])
        for name, role in model.nuisance_roles.items()
    }
    values = {**rescale(model.law, bound.scales, law), **nuisance}
    ones = pt.ones(_n_curves())
    return {name: pm.Deterministic(name, x * ones, dims="curve") for name, x in values.items()}


def _n_curves() -> Any:
    return pm.modelcontext(None).dim_lengths["curve"]
