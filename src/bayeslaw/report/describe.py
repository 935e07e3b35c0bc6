"""Pooling, noise, response scale and discrepancy of a model in sentences."""

from __future__ import annotations

from bayeslaw._inference.hierarchy import groupings, is_pooled
from bayeslaw.data.curves import curves_in
from bayeslaw.fitting.result import Fit
from bayeslaw.model.discrepancy import Discrepancy
from bayeslaw.model.noise_kind import Noise
from bayeslaw.response_scales import LogitScale, LogScale, RawScale, ResponseScale

__all__ = ["describe_discrepancy", "describe_noise", "describe_pooling", "describe_scale"]


def describe_pooling(fit: Fit) -> str:
    """Partial pooling in a sentence."""
    curves = curves_in(fit.runs)
    if not is_pooled(fit.model, curves):
        alone = curves.sizes["curve"] == 1
        reason = "there is one curve." if alone else "each curve is fitted independently."
        return f"Pooling: none; {reason}"
    by_parameter = groupings(fit.model, curves).values()
    names = list(dict.fromkeys(name for grouping in by_parameter for name in grouping.groups))
    effects = "".join(f", an effect of its {name}" for name in names)
    return (
        f"Pooling: a curve's parameter is the population's{effects}, and a deviation of its own; "
        "their sizes are estimated from the data."
    )


def describe_noise(noise: Noise) -> str:
    """The noise distribution of runs in a sentence."""
    slope = f", its size a power of {noise.varies_with}" if noise.varies_with else ""
    return f"Noise: {noise.describe()} on {describe_scale(noise.scale)}{slope}."


def describe_scale(scale: ResponseScale) -> str:
    """The response scale in words."""
    match scale:
        case LogScale():
            return "the logarithm of the response"
        case RawScale():
            return "the response itself"
        case LogitScale(lower, upper):
            return f"the logit of the response between {lower:g} and {upper:g}"
    return type(scale).__name__


def describe_discrepancy(discrepancy: Discrepancy | None) -> str:
    """The model discrepancy in a sentence."""
    if discrepancy is None:
        return (
            "Discrepancy: none; the law is assumed to be exactly true, so bands are only valid if "
            "it is, within the data and beyond."
        )
    return f"Discrepancy: {discrepancy.describe()}"
