"""The PyMC graph of a model on runs: hierarchical prior, law and likelihood."""

# PyTensor's annotations do not know that its variables can be computed with.
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false, reportOptionalSubscript=false, reportOptionalMemberAccess=false
# pyright: reportOptionalOperand=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.coordinates import Coordinates
from bayeslaw._inference.kernel_operations import gather_effects
from bayeslaw._inference.laplace import laplace_approximation
from bayeslaw._inference.likelihood import add_likelihood
from bayeslaw._inference.model_data import (
    CURVE_WHITENING_ARRAYS,
    FRAME_ENDS,
    POPULATION_WHITENING_ARRAYS,
    THETA_DIMS,
    ModelData,
    model_data_of,
)
from bayeslaw._inference.whitening_transforms import (
    CenterTransform,
    CurvesTransform,
    EffectsTransform,
)
from bayeslaw._law.roles import Role, link_normal
from bayeslaw._law.units import rescale
from bayeslaw.model.model import Model
from bayeslaw.priors import Prior

__all__ = ["LATENT", "build", "build_graph"]

LATENT = "latent"  # variable of variables run, given which its noise is Gaussian


def build(model: Model, runs: xr.Dataset) -> pm.Model:
    """The PyMC model of a bayeslaw model on runs.

    Its random variables, on the scale of the parameters' links, are ``center`` (the population),
    ``spread`` (standard deviations between curves and between levels of a group), ``effects``
    (standardised group effects), ``theta`` (one row per parameter and one column per curve, in
    reference coordinates), ``latent`` (one per run, for noise that is Gaussian only given a latent
    variable) and the response. The discrepancy is integrated out. Transforms of the value
    variables whiten the posterior so that it is easy to sample; they change no prior. Parameters
    of the law in the user's units are deterministic variables under their own names.

    Parameters
    ----------
    model : Model
        What to fit.
    runs : xarray.Dataset
        Training runs, as `bayeslaw.read_runs` makes them.

    Returns
    -------
    pymc.Model

    Raises
    ------
    ValueError
        If the runs lack a predictor or a group that the model names.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> from bayeslaw._inference import graph
    >>> train, later = bl.split_held_out(bl.datasets.load("learners"))
    >>> model = bl.Model(bl.laws.power.of("D"), pooling=["task", "learner"])
    >>> [variable.name for variable in graph.build(model, train).free_RVs]
    ['spread', 'center', 'effects', 'theta']
    """
    bound = bind(model, runs)
    return build_graph(bound, model_data_of(bound, laplace_approximation(bound)))


def build_graph(bound: BoundModel, model_data: ModelData) -> pm.Model:
    """The PyMC model on given model data.

    Everything that depends on the runs is `pm.Data`, so one compiled function serves any runs.
    """
    model, system, roles, priors = bound.model, bound.coordinates, bound.roles, bound.priors
    with pm.Model(coords=dict(model_data.coords), check_bounds=False) as graph:
        data = {
            name: pm.Data(name, values, dims=dims)
            for name, (values, dims) in model_data.arrays.items()
        }
        latent = model.noise.latent(LATENT, "run") if model.is_augmented else None
        if "prior_mean" in data:
            mean, spread = data["prior_mean"], data["prior_sd"][:, None]
            theta = _curves(system, roles, mean, spread, _non_normal_priors(roles, priors), data)
        else:
            mean, spread = _population(bound, data)
            theta = _curves(system, roles, mean, spread, {}, data)
        named = {name: theta[row] for row, name in enumerate(roles)}
        add_likelihood(bound, data, _parameters(bound, named), latent)
    return graph


def _population(bound: BoundModel, data: Mapping[str, Any]) -> tuple[Any, Any]:
    """Mean (parameters, curves) and spread between curves (parameters, 1) of the curves."""
    spread = _spreads(bound, data)
    center = _centers(bound, spread, data)[:, None]
    own = spread[: len(bound.roles)][:, None]
    if "codes" not in data:  # no group effects
        return center + pt.zeros_like(data["mode"]), own
    scale, codes, bounds = spread[data["spread_of_level"]], data["codes"], data["bounds"]
    effects = pm.CustomDist(
        "effects", scale, center, own, data["mode"], data["information"], codes, bounds,
        logp=_effects_log_density, random=_draw_effects, transform=EffectsTransform(),
        signature="(r),(p,o),(p,o),(p,c),(p,c),(j,c),(p,b)->(r)", dims="effect_of",
    )  # fmt: skip
    return center + gather_effects(scale * effects, codes, bounds), own


def _centers(bound: BoundModel, spread: Any, data: Mapping[str, Any]) -> Any:
    system, roles, priors = bound.coordinates, bound.roles, bound.priors
    if "center_mean" in data:
        frame = _frame(system, data, "typical_")
        whitening = [data[name] for name in POPULATION_WHITENING_ARRAYS]
        ends = ",(o)" * len(frame)
        return pm.CustomDist(
            "center", data["center_mean"], data["center_sd"], spread, *whitening, *frame,
            logp=_normal_log_density, random=_draw_normal, transform=CenterTransform(system),
            signature=f"(p),(p),(s),{','.join(POPULATION_WHITENING_ARRAYS.values())}{ends}->(p)",
            dims="parameter",
        )  # fmt: skip
    normals = {name: link_normal(priors[name], role.link) for name, role in roles.items()}
    variables = [
        pm.Normal(f"{name}_center", normal.mean, normal.sd)
        if normal
        else roles[name].link.forward(priors[name].to_pymc(f"{name}_center"))
        for name, normal in normals.items()
    ]
    return pm.Deterministic("center", pt.stack(variables), dims="parameter")


def _spreads(bound: BoundModel, data: Mapping[str, Any]) -> Any:
    if "spread_scale" in data:
        return pm.HalfNormal("spread", data["spread_scale"], dims="spread_of")
    variables = [prior.to_pymc(f"spread_{i}") for i, prior in enumerate(bound.spread_priors)]
    return pm.Deterministic("spread", pt.stack(variables), dims="spread_of")


def _normal_log_density(value: Any, mean: Any, sd: Any, *inputs: Any) -> Any:
    # The other inputs are for the transform only: they whiten the posterior.
    return pt.sum(-(((value - mean) / sd) ** 2) / 2 - pt.log(sd) - np.log(2 * np.pi) / 2)


def _draw_normal(mean: Any, sd: Any, *inputs: Any, rng: Any = None, size: Any = None) -> Any:
    return rng.normal(mean, sd)


def _effects_log_density(value: Any, *inputs: Any) -> Any:
    # Standard normal; the inputs are for the transform only.
    return -pt.sum(value**2) / 2 - value.shape[0] * (np.log(2 * np.pi) / 2)


def _draw_effects(scale: Any, *inputs: Any, rng: Any = None, size: Any = None) -> Any:
    return rng.standard_normal(scale.shape)


def _non_normal_priors(roles: Mapping[str, Role], priors: Mapping[str, Prior]) -> dict[str, Any]:
    """Variables of the curves' priors that are not normal on the link scale, by parameter."""
    curves = pm.modelcontext(None).coords["curve"]
    with pm.Model(coords={"curve": curves}, model=None):  # outside the model being built
        return {
            name: priors[name].to_pymc(name, dims="curve")
            for name, role in roles.items()
            if link_normal(priors[name], role.link) is None
        }


def _curves(
    system: Coordinates,
    roles: Mapping[str, Role],
    mean: Any,
    spread: Any,
    own_priors: Mapping[str, Any],
    data: Mapping[str, Any],
) -> Any:
    """Parameters of all curves: normal about their mean, unless they have a prior of their own."""

    def draw(mean: Any, spread: Any, *inputs: Any, rng: Any = None, size: Any = None) -> Any:
        theta = rng.normal(mean, np.broadcast_to(spread, mean.shape))
        for row, (name, role) in enumerate(roles.items()):
            if name in own_priors:
                theta[row] = role.link.forward(pm.draw(own_priors[name], random_seed=rng))
        return theta

    def log_density(value: Any, mean: Any, spread: Any, *inputs: Any) -> Any:
        normal = -(((value - mean) / spread) ** 2) / 2 - pt.log(spread) - np.log(2 * np.pi) / 2
        if not own_priors:
            return pt.sum(normal)
        rows = [
            _log_density(role, own_priors[name], value[row]) if name in own_priors else normal[row]
            for row, (name, role) in enumerate(roles.items())
        ]
        return pt.sum(pt.stack(rows))

    frame = _frame(system, data)
    whitening = [data[name] for name in CURVE_WHITENING_ARRAYS]
    ends = ",(c)" * len(frame)
    return pm.CustomDist(
        "theta", mean, spread, *whitening, *frame, logp=log_density, random=draw, dims=THETA_DIMS,
        transform=CurvesTransform(system),
        signature=f"(p,c),(p,o),{",".join(CURVE_WHITENING_ARRAYS.values())}{ends}->(p,c)",
    )  # fmt: skip


def _frame(system: Coordinates, data: Mapping[str, Any], prefix: str = "") -> list[Any]:
    """Observed range of the curves: pivots, smallest and largest value of each predictor."""
    size = len(system.law.predictors)
    return [data[f"{prefix}{end}_{i}"] for end in FRAME_ENDS for i in range(size)]


def _log_density(role: Role, variable: Any, value: Any) -> Any:
    natural = role.link.inverse(value)
    return pm.logp(variable, natural) + pt.log(pt.grad(pt.sum(natural), value))


def _parameters(bound: BoundModel, theta: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters per curve, of the law at the reference; registers those in the user's units."""
    model, system, run_arrays = bound.model, bound.coordinates, bound.run_arrays
    law = system.parameters({name: theta[name] for name in system.roles})
    nuisance = {
        name: role.link.inverse(theta[name]) if name in theta else pt.as_tensor(model.fixed[name])
        for name, role in model.nuisance_roles.items()
    }
    in_units = rescale(model.law, bound.scales, law)
    for name, value in {**in_units, **nuisance}.items():
        pm.Deterministic(name, value * pt.ones(run_arrays.n_curves), dims="curve")
    return {**law, **nuisance}
