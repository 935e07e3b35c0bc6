"""From a model and runs to a PyMC model."""

# PyTensor's annotations do not know that its variables can be computed with.
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false, reportOptionalSubscript=false, reportOptionalMemberAccess=false
# pyright: reportOptionalOperand=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from pymc.logprob.transforms import Transform

from bayeslaw._inference.coordinates import Coordinates, Frame, coordinates
from bayeslaw._inference.hierarchy import coordinate_roles
from bayeslaw._inference.kernel_operations import gather_effects, partially_centred_effects
from bayeslaw._inference.likelihood import add_likelihood
from bayeslaw._inference.model_data import (
    CURVE_WHITENING_ARRAYS,
    FRAME_ENDS,
    POPULATION_WHITENING_ARRAYS,
    THETA_DIMS,
    ModelData,
    model_data_of,
)
from bayeslaw._inference.run_arrays import RunArrays, population_prior, run_arrays_of, spread_prior
from bayeslaw._inference.whitening import CurveWhitening, PopulationWhitening
from bayeslaw._law.roles import Role, link_normal
from bayeslaw._law.units import predictor_scales, rescale
from bayeslaw.model.model import Model
from bayeslaw.priors import Prior

__all__ = ["LATENT", "build", "build_graph"]

LATENT = "latent"  # the number of each run that some noise is Gaussian given


def build(model: Model, runs: xr.Dataset) -> pm.Model:
    """The PyMC model of a bayeslaw model on runs.

    Its random variables, on the scale of the parameters' links, are ``center`` (the population),
    ``spread`` (standard deviations between curves and between levels of a group), ``effects``
    (standardised group effects), ``theta`` (a row per parameter, a column per curve, in the
    coordinates of `bayeslaw.coordinates`), ``latent`` (a number per run, next to some kinds of
    noise) and the response. The discrepancy is integrated out. The transforms of their value
    variables make them easy to sample and change no prior. Parameters of the law in the user's
    units are deterministic variables under their own names.

    Parameters
    ----------
    model : Model
        What to fit.
    runs : xarray.Dataset
        Training runs.

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
    >>> train, later = bl.split_held_out(bl.datasets.load("learners"))
    >>> model = bl.Model(bl.laws.power.of("D"), pooling=["task", "learner"])
    >>> [variable.name for variable in bl.build(model, train).free_RVs]
    ['spread', 'center', 'effects', 'theta']
    """
    run_arrays = run_arrays_of(model, runs)
    return build_graph(model, run_arrays, model_data_of(model, run_arrays), runs)


def build_graph(
    model: Model, run_arrays: RunArrays, model_data: ModelData, runs: xr.Dataset
) -> pm.Model:
    """The PyMC model on numbers that are known.

    Parameters
    ----------
    model : Model
        What to fit.
    design : RunArrays
        The runs as arrays.
    numbers : ModelData
        All that the density takes from them.
    runs : xarray.Dataset
        Training runs.

    Returns
    -------
    pymc.Model
    """
    system = coordinates(model)
    roles = coordinate_roles(model, system)
    priors = {
        name: population_prior(model, name, role, run_arrays.level) for name, role in roles.items()
    }
    with pm.Model(coords=dict(model_data.coords), check_bounds=False) as built:
        # All that depends on the runs is data, so that one compiled function serves other runs.
        data = {
            name: pm.Data(name, values, dims=dims)
            for name, (values, dims) in model_data.arrays.items()
        }
        latent = model.noise.latent(LATENT, "run") if model.is_augmented else None
        if "prior_mean" in data:
            mean, spread = data["prior_mean"], data["prior_sd"][:, None]
            theta = _curves(system, roles, mean, spread, _other(roles, priors), data)
        else:
            mean, spread = _population(model, system, roles, priors, data)
            theta = _curves(system, roles, mean, spread, {}, data)
        named = {name: theta[row] for row, name in enumerate(roles)}
        parameters = _parameters(model, system, run_arrays, named, runs)
        add_likelihood(runs.attrs["response"], model, run_arrays, data, parameters, latent)
    return built


def _population(
    model: Model,
    system: Coordinates,
    roles: Mapping[str, Role],
    priors: Mapping[str, Prior],
    data: Mapping[str, Any],
) -> tuple[Any, Any]:
    """Mean, shape (parameters, curves), and own spread, shape (parameters, 1), of the curves."""
    spread = _spreads(model, roles, data)
    center = _centers(system, roles, priors, spread, data)[:, None]
    own = spread[: len(roles)][:, None]
    if "codes" not in data:  # no group has levels of its own
        return center + pt.zeros_like(data["mode"]), own
    scale, codes, bounds = spread[data["spread_of_level"]], data["codes"], data["bounds"]
    effects = pm.CustomDist(
        "effects", scale, center, own, data["mode"], data["information"], codes, bounds,
        logp=_effects_log_density, random=_draw_effects, transform=_EffectTransform(),
        signature="(r),(p,o),(p,o),(p,c),(p,c),(j,c),(p,b)->(r)", dims="effect_of",
    )  # fmt: skip
    return center + gather_effects(scale * effects, codes, bounds), own


def _centers(
    system: Coordinates,
    roles: Mapping[str, Role],
    priors: Mapping[str, Prior],
    spread: Any,
    data: Mapping[str, Any],
) -> Any:
    if "center_mean" in data:
        frame = _frame(system, data, "typical_")
        placed = [data[name] for name in POPULATION_WHITENING_ARRAYS]
        ends = ",(o)" * len(frame)
        return pm.CustomDist(
            "center", data["center_mean"], data["center_sd"], spread, *placed, *frame,
            logp=_normal_log_density, random=_draw_normal, transform=_CenterTransform(system),
            signature=f"(p),(p),(s),{','.join(POPULATION_WHITENING_ARRAYS.values())}{ends}->(p)",
            dims="parameter",
        )  # fmt: skip
    normals = {name: link_normal(priors[name], role.link) for name, role in roles.items()}
    each = [
        pm.Normal(f"{name}_center", normal.mean, normal.sd)
        if normal
        else roles[name].link.forward(priors[name].to_pymc(f"{name}_center"))
        for name, normal in normals.items()
    ]
    return pm.Deterministic("center", pt.stack(each), dims="parameter")


def _spreads(model: Model, roles: Mapping[str, Role], data: Mapping[str, Any]) -> Any:
    if "spread_scale" in data:
        return pm.HalfNormal("spread", data["spread_scale"], dims="spread_of")
    labels = pm.modelcontext(None).coords["spread_of"] or ()
    owners = [str(label).partition(" ")[0] for label in labels]
    priors = [spread_prior(model, name, roles[name]) for name in owners]
    each = [prior.to_pymc(f"spread_{i}") for i, prior in enumerate(priors)]
    return pm.Deterministic("spread", pt.stack(each), dims="spread_of")


def _normal_log_density(value: Any, mean: Any, sd: Any, *places: Any) -> Any:
    # All that the variable depends on beside only places the sampler.
    return pt.sum(-(((value - mean) / sd) ** 2) / 2 - pt.log(sd) - np.log(2 * np.pi) / 2)


def _draw_normal(mean: Any, sd: Any, *places: Any, rng: Any = None, size: Any = None) -> Any:
    return rng.normal(mean, sd)


def _effects_log_density(value: Any, *places: Any) -> Any:
    # Standard normal; all that the variable depends on only places the sampler.
    return -pt.sum(value**2) / 2 - value.shape[0] * (np.log(2 * np.pi) / 2)


def _draw_effects(scale: Any, *places: Any, rng: Any = None, size: Any = None) -> Any:
    return rng.standard_normal(scale.shape)


def _other(roles: Mapping[str, Role], priors: Mapping[str, Prior]) -> dict[str, Any]:
    """Variables of the curves' priors that are not normal on the scale of the link."""
    curves = pm.modelcontext(None).coords["curve"]
    with pm.Model(coords={"curve": curves}, model=None):  # apart from the model that is built
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
    other: Mapping[str, Any],
    data: Mapping[str, Any],
) -> Any:
    """All curves, normal about their mean but for the parameters that have another prior."""

    def draw(mean: Any, spread: Any, *places: Any, rng: Any = None, size: Any = None) -> Any:
        theta = rng.normal(mean, np.broadcast_to(spread, mean.shape))
        for row, (name, role) in enumerate(roles.items()):
            if name in other:
                theta[row] = role.link.forward(pm.draw(other[name], random_seed=rng))
        return theta

    def log_density(value: Any, mean: Any, spread: Any, *places: Any) -> Any:
        normal = -(((value - mean) / spread) ** 2) / 2 - pt.log(spread) - np.log(2 * np.pi) / 2
        if not other:
            return pt.sum(normal)
        rows = [
            _log_density(role, other[name], value[row]) if name in other else normal[row]
            for row, (name, role) in enumerate(roles.items())
        ]
        return pt.sum(pt.stack(rows))

    frame = _frame(system, data)
    placed = [data[name] for name in CURVE_WHITENING_ARRAYS]
    ends = ",(c)" * len(frame)
    return pm.CustomDist(
        "theta", mean, spread, *placed, *frame, logp=log_density, random=draw, dims=THETA_DIMS,
        transform=_CurveTransform(system),
        signature=f"(p,c),(p,o),{",".join(CURVE_WHITENING_ARRAYS.values())}{ends}->(p,c)",
    )  # fmt: skip


def _frame(system: Coordinates, data: Mapping[str, Any], of: str = "") -> list[Any]:
    """Where curves were observed: pivots, smallest and largest values of each predictor."""
    size = len(system.law.predictors)
    return [data[f"{of}{end}_{i}"] for end in FRAME_ENDS for i in range(size)]


def _as_frame(ends: Sequence[Any]) -> Frame:
    size = len(ends) // len(FRAME_ENDS)
    return Frame(*(tuple(ends[i * size : (i + 1) * size]) for i in range(len(FRAME_ENDS))))


def _log_density(role: Role, variable: Any, value: Any) -> Any:
    natural = role.link.inverse(value)
    return pm.logp(variable, natural) + pt.log(pt.grad(pt.sum(natural), value))


def _parameters(
    model: Model, system: Coordinates, run_arrays: RunArrays, theta: Mapping, runs: xr.Dataset
) -> dict[str, Any]:
    """Parameters per curve, of the law at the reference; those in the user's units are kept."""
    law = system.parameters({name: theta[name] for name in system.roles})
    beside = {
        name: role.link.inverse(theta[name]) if name in theta else pt.as_tensor(model.fixed[name])
        for name, role in model.nuisance_roles.items()
    }
    in_units = rescale(model.law, predictor_scales(model.law, runs), law)
    for name, value in {**in_units, **beside}.items():
        pm.Deterministic(name, value * pt.ones(run_arrays.n_curves), dims="curve")
    return {**law, **beside}


class _Placed(Transform):
    """Coordinates that are near standard normal a posteriori."""

    def forward(self, value: Any, *inputs: Any) -> Any:
        # Only asked for starting points, which are as good at the origin of the coordinates.
        return pt.zeros_like(value)


class _EffectTransform(_Placed):
    """Standardised effects from coordinates that are near standard normal a posteriori."""

    name = "placed"
    ndim_supp = 1

    def _place(self, value: Any, inputs: tuple[Any, ...]) -> Any:
        scale, center, own, mode, information, codes, bounds = inputs[-7:]
        weight = information / (1 + own**2 * information)
        return partially_centred_effects(value, weight, mode - center, scale, codes, bounds)

    def backward(self, value: Any, *inputs: Any) -> Any:
        return self._place(value, inputs)[0]

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        return -self._place(value, inputs)[1]


class _CenterTransform(_Placed):
    """A population from placed coordinates."""

    name = "placed"
    ndim_supp = 1

    def __init__(self, system: Coordinates) -> None:
        self.system = system

    def _whitening(self, inputs: tuple[Any, ...]) -> PopulationWhitening:
        size = len(FRAME_ENDS) * len(self.system.law.predictors)
        mean, sd, spread, *typical = inputs[-size - len(POPULATION_WHITENING_ARRAYS) - 3 : -size]
        model_data = dict(zip(POPULATION_WHITENING_ARRAYS, typical, strict=True))
        frame = _as_frame([end[0] for end in inputs[-size:]])
        return PopulationWhitening(self.system, mean, sd, spread, model_data, frame)

    def backward(self, value: Any, *inputs: Any) -> Any:
        return self._whitening(inputs).forward(value)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        return self._whitening(inputs).log_jacobian(value)


class _CurveTransform(_Placed):
    """Reference coordinates of all curves from placed ones."""

    name = "pivot"
    ndim_supp = 2

    def __init__(self, system: Coordinates) -> None:
        self.system = system

    def _whitening(self, inputs: tuple[Any, ...]) -> CurveWhitening:
        size = len(FRAME_ENDS) * len(self.system.law.predictors)
        mean, spread, *laplace = inputs[-size - len(CURVE_WHITENING_ARRAYS) - 2 : -size]
        model_data = dict(zip(CURVE_WHITENING_ARRAYS, laplace, strict=True))
        return CurveWhitening(self.system, mean, spread, model_data, _as_frame(inputs[-size:]))

    def backward(self, value: Any, *inputs: Any) -> Any:
        return self._whitening(inputs).forward(value)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        return self._whitening(inputs).log_jacobian(value)
