"""`fit`: sample the posterior of a model given runs."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version

import numpy as np
import xarray as xr

from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.laplace import LaplaceApproximation, laplace_approximation
from bayeslaw._inference.model_data import model_data_of
from bayeslaw._inference.posterior import posterior_dataset, unconstrained_dataset
from bayeslaw._inference.prior_distribution import prior_draws
from bayeslaw._sampling.compiled import compiled_density_of
from bayeslaw._sampling.initial_points import with_initial_points
from bayeslaw._sampling.nuts import Sampler
from bayeslaw._sampling.sample_posterior import (
    PosteriorDraws,
    SamplingInterrupted,
    require_memory_for,
    sample_posterior,
)
from bayeslaw._suggestions import names_arguments, require_kind
from bayeslaw.data.checks import warn
from bayeslaw.data.curves import warn_thin_groups
from bayeslaw.data.runs import check_runs, group_names, has_response, response_values
from bayeslaw.errors import Interrupted, RunsError
from bayeslaw.fitting.groups_on_runs import latent_variables, on_runs, parameters_at
from bayeslaw.fitting.identified import identified
from bayeslaw.fitting.log_likelihood import log_likelihood_dataset
from bayeslaw.fitting.predictive import responses_at_runs
from bayeslaw.fitting.result import Fit
from bayeslaw.model.model import Model
from bayeslaw.model.user_code import user_code

__all__ = [
    "assemble_fit",
    "check_compilable",
    "check_fittable",
    "check_noise",
    "complete_fit",
    "fit",
]

PRIOR_DRAWS = 500
PREDICTIVE_DRAWS = 1000
NO_NOISE = 1e-6  # of the response: no measured one is so close to a law


@names_arguments
def fit(
    model: Model,
    runs: xr.Dataset,
    *,
    random_seed: int | None = None,
    sampler: Sampler | None = None,
) -> Fit:
    """Sample the posterior of a model given runs.

    Chains are extended to at most four times the draws until R-hat, effective sample sizes,
    divergences and BFMI pass the gate of `bayeslaw.diagnose`, or ``max_seconds`` of the sampler are
    over. A fit that does not pass is returned all the same, and says so wherever it is printed.

    Parameters that no curve can tell apart, as each has one size of a predictor, differ between
    curves in one of them only; a warning says which, and the fit's model has it among its priors.

    Parameters
    ----------
    model : Model
        The model.
    runs : xarray.Dataset
        Training runs.
    random_seed : int
        Seed, 0 or more; the same seed gives the same draws. Short for
        ``sampler=bl.Sampler(random_seed)``.
    sampler : Sampler
        All settings of the sampler, in place of the seed alone.

    Returns
    -------
    Fit

    Raises
    ------
    TypeError
        If both a seed and a sampler are given, or neither, `model` is no model, or a law, noise,
        response scale or prior of your own cannot be compiled.
    ValueError
        If the runs lack a column that the model names, a setting is out of its range, or the
        responses of pooled curves follow the law without noise.
    TimeoutError
        If the time limit of the sampler comes before every chain has 10 draws.
    Interrupted
        If sampling is interrupted once every chain has draws (before that, a plain
        KeyboardInterrupt): a `bayeslaw.errors.Interrupted`, whose ``fit`` has the draws so far.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> train, later = bl.split_held_out(bl.datasets.load("learners"))
    >>> model = bl.Model(bl.laws.power.of("D"), pooling=["task", "learner"])
    >>> fit = bl.fit(model, train, random_seed=1)  # doctest: +SKIP
    """
    check_fittable(model, runs)
    check_compilable(model)
    sampler = _sampler_of(random_seed, sampler)
    bound = identified(bind(model, runs))
    require_memory_for(sampler, bound, PREDICTIVE_DRAWS + PRIOR_DRAWS)
    laplace = laplace_approximation(bound)
    check_noise(bound, laplace)
    model_data = model_data_of(bound, laplace)
    compiled = compiled_density_of(bound, model_data, sampler.progressbar)
    compiled = with_initial_points(compiled, bound, laplace)
    try:
        draws = sample_posterior(bound, compiled, sampler)
    except SamplingInterrupted as interrupted:
        raise Interrupted(complete_fit(bound, interrupted.draws, sampler)) from None
    return complete_fit(bound, draws, sampler)


def complete_fit(bound: BoundModel, draws: PosteriorDraws, sampler: Sampler) -> Fit:
    """A fit with all groups of its tree."""
    predictive = _predictive_groups(bound, draws, sampler.random_seed)
    prior = _prior_groups(bound, sampler.random_seed)
    return assemble_fit(bound, draws, sampler, predictive | prior)


def _sampler_of(random_seed: int | None, sampler: Sampler | None) -> Sampler:
    if sampler is not None and random_seed is None:
        return sampler
    if sampler is None and random_seed is not None:
        return Sampler(random_seed)
    given = "both" if sampler is not None else "neither"
    raise TypeError(f"fit takes random_seed=1 or sampler=bl.Sampler(1, ...), and {given} was given")


def check_fittable(model: Model, runs: xr.Dataset) -> None:
    """Refuse runs that cannot be fitted, and warn of curves with few runs."""
    require_kind("model", model, Model, "a model, such as bl.Model(bl.laws.power)")
    check_runs(runs)
    if not has_response(runs):
        raise RunsError("these runs have no response to fit; a grid is for forecast")
    _require_names_differ(model, runs)
    if np.ptp(response_values(runs).values) == 0 and runs.sizes["run"] > 1:
        warn("all responses are equal: they say nothing about how the response depends on size")
    warn_thin_groups(runs, group_names(runs), len(model.law.parameters))


def check_compilable(model: Model) -> None:
    """Refuse functions of the user's that cannot be compiled, before anything is computed."""
    if user_code(model):
        from bayeslaw._inference.user_functions import check_user_functions  # slow to import

        check_user_functions(model)


def check_noise(bound: BoundModel, laplace: LaplaceApproximation) -> None:
    """Refuse responses without noise where curves are pooled, and warn of them elsewhere.

    The posterior of pooled curves is then so narrow that the sampler hardly moves.
    """
    is_constant = _is_constant(bound)
    exact = is_constant | laplace.is_determined & (laplace.residual_scale < NO_NOISE)
    if not exact.any() or "sigma" in bound.model.fixed or "stderr" in bound.runs:
        return
    response, law = bound.runs.attrs["response"], bound.model.law.name
    example = str(bound.run_arrays.curves["curve"].values[exact][0])
    how = (
        "is the same in all runs"
        if is_constant.any()
        else f"follows law {law!r} to {laplace.residual_scale[exact].max():.0e} of its size, as "
        "values of a formula do"
    )
    curves = f"{exact.sum()} of {exact.size} curve(s), first {example!r}"
    exactness = f"the {response} of {curves}, {how}"
    if bound.hierarchy is not None:
        raise RunsError(
            f"{exactness}; without noise, pooled curves cannot be sampled: add the noise of your "
            f"measurements, such as {response} * np.exp(0.01 * rng.normal(size=len({response}))), "
            "or fit each curve by itself, pooling=None"
        )
    warn(f"{exactness}: the noise that the fit reports is that of its prior")


def _is_constant(bound: BoundModel) -> np.ndarray:
    """Whether all runs of a curve, at least three, have one response."""
    response, sums = bound.run_arrays.response, bound.run_arrays.sums
    count = sums(np.ones_like(response))
    deviation = np.abs(response - (sums(response) / count)[bound.run_arrays.curve])
    return (count > 2) & (sums(deviation) < NO_NOISE * sums(np.abs(response)))


def _require_names_differ(model: Model, runs: xr.Dataset) -> None:
    """Refuse groups with the name of a parameter, which a posterior could not hold."""
    for name in group_names(runs):
        if name in model.roles:
            raise RunsError(
                f"group {name!r} has the name of a parameter of law {model.law.name!r} or of its "
                "noise; rename the column"
            )


def assemble_fit(
    bound: BoundModel,
    draws: PosteriorDraws,
    sampler: Sampler,
    more_groups: Mapping[str, xr.Dataset],
) -> Fit:
    """A fit of draws, with more groups of its tree by path."""
    tree = {
        "/posterior": draws.posterior,
        "/unconstrained_posterior": draws.unconstrained,
        "/sample_stats": draws.sample_stats,
    }
    result = xr.DataTree.from_dict({**tree, **more_groups, **_data_groups(bound.runs)})
    result.attrs.update(_provenance(bound.model, sampler, draws))
    return Fit(bound.model, bound.runs, result)


def _predictive_groups(
    bound: BoundModel, draws: PosteriorDraws, seed: int
) -> dict[str, xr.Dataset]:
    """Pointwise log likelihood, and responses predicted at the runs."""
    rng, unconstrained = np.random.default_rng([seed, 1]), draws.unconstrained
    parameters, latent = parameters_at(bound, draws.posterior), latent_variables(unconstrained)
    sizes = draws.posterior.sizes
    step = max(1, sizes["chain"] * sizes["draw"] // PREDICTIVE_DRAWS)
    thinned = {name: values[:, ::step] for name, values in parameters.items()}
    thinned_latent = None if latent is None else latent[:, ::step]
    predictive = responses_at_runs(bound, thinned, rng, thinned_latent)
    return {
        "/log_likelihood": log_likelihood_dataset(bound, draws.posterior, unconstrained),
        "/posterior_predictive": on_runs(bound.runs, predictive),
    }


def _prior_groups(bound: BoundModel, seed: int) -> dict[str, xr.Dataset]:
    """Parameters and responses drawn from the prior."""
    rng = np.random.default_rng([seed, 2])
    unconstrained = unconstrained_dataset(bound, prior_draws(bound, PRIOR_DRAWS, rng))
    prior = posterior_dataset(bound, unconstrained)
    predictive = responses_at_runs(bound, parameters_at(bound, prior), rng, is_conditional=False)
    return {
        "/prior": prior,
        "/unconstrained_prior": unconstrained,
        "/prior_predictive": on_runs(bound.runs, predictive),
    }


def _data_groups(runs: xr.Dataset) -> dict[str, xr.Dataset]:
    response = runs.attrs["response"]
    constant = runs.drop_vars(response)
    constant.attrs = {}
    observed = xr.Dataset({response: ("run", runs[response].values)}, {"run": runs["run"].values})
    return {"/observed_data": observed, "/constant_data": constant}


def _provenance(model: Model, sampler: Sampler, draws: PosteriorDraws) -> dict[str, str]:
    packages = ("bayeslaw", "pymc", "pytensor", "nutpie", "arviz", "numpy", "xarray", "numba")
    return {
        "gate": draws.gate.to_json(),
        "law": model.law.name,
        "model": repr(model),
        "versions": json.dumps(
            {"python": platform.python_version(), **{name: version(name) for name in packages}}
        ),
        "sampler": json.dumps({**sampler.to_record(), "seconds": round(draws.seconds, 2)}),
    }
