"""Printing of a model: its functions by PyTensor graphs, which takes about a second."""

from __future__ import annotations

from collections.abc import Iterator

from bayeslaw._inference import printed_functions
from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.model_data import ModelData
from bayeslaw._inference.model_sources import ModelSources, PriorSource
from bayeslaw._inference.printed_functions import PrintedPrior, unknown_of
from bayeslaw._inference.scalar_code import double_precision
from bayeslaw._law.roles import IDENTITY, link_normal

__all__ = ["printed_model"]


@double_precision()
def printed_model(bound: BoundModel, model_data: ModelData) -> ModelSources:
    """The sources of a model on runs of this structure."""
    model, system = bound.model, bound.coordinates
    with_discrepancy = model.discrepancy is not None
    response, derivatives = printed_functions.response_function(model, with_discrepancy)
    return ModelSources(
        printed_functions.parameters(model, system),
        printed_functions.from_pivot(system),
        printed_functions.to_pivot(system),
        response,
        derivatives.tolist(),
        dict(_priors(bound, model_data)),
        _curve_priors(bound),
    )


def _priors(bound: BoundModel, model_data: ModelData) -> Iterator[tuple[str, PriorSource]]:
    """Priors without a kernel: of latent variables, standard deviations and centers."""
    noise, roles = bound.model.noise, bound.roles.items()
    if bound.model.is_augmented:
        yield "latent", _source([unknown_of(lambda name: noise.latent(name, None), IDENTITY)])
    if bound.hierarchy is None:
        return
    if "spread_scale" not in model_data:
        spreads = bound.spread_priors
        yield "spread", _source([unknown_of(prior.to_pymc, IDENTITY) for prior in spreads])
    if "center_mean" not in model_data:
        centers = [unknown_of(bound.priors[name].to_pymc, role.link) for name, role in roles]
        yield "center", _source(centers)


def _source(priors: list[PrintedPrior]) -> PriorSource:
    unknown = [i for i, prior in enumerate(priors) if prior.unknown is not None]
    text = printed_functions.prior_functions(priors)
    return PriorSource(text, unknown, [priors[i].start for i in unknown])


def _curve_priors(bound: BoundModel) -> str | None:
    """Priors of curves that share nothing, unless all are normal."""
    links, priors = {n: role.link for n, role in bound.roles.items()}, bound.priors
    own = {n: priors[n] for n, link in links.items() if link_normal(priors[n], link) is None}
    return printed_functions.curve_priors(own, links) if own and bound.hierarchy is None else None
