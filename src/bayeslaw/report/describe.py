"""Pooling, noise and discrepancy in sentences."""

from __future__ import annotations

from bayeslaw._inference.hierarchy import groupings, is_pooled
from bayeslaw.data.curves import curves_in
from bayeslaw.fitting.fit import Fit
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.noise import Gaussian, Noise, StudentT, Undertuned
from bayeslaw.response_scales import LogitScale, LogScale, RawScale, ResponseScale

__all__ = ["discrepancy_told", "noise_told", "pooling_told"]


def pooling_told(fit: Fit) -> str:
    """What curves share, in a sentence.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    str
    """
    curves = curves_in(fit.runs)
    if not is_pooled(fit.model, curves):
        alone = curves.sizes["curve"] == 1
        return "Pooling: none; " + ("there is one curve." if alone else "each curve stands alone.")
    kept = groupings(fit.model, curves)
    names = list(dict.fromkeys(name for each in kept.values() for name in each.groups))
    groups = "".join(f", an effect of its {name}" for name in names)
    return (
        f"Pooling: a curve's parameter is the population's{groups}, and a deviation of its own; "
        "how large each is, the data decide."
    )


def noise_told(noise: Noise) -> str:
    """How runs scatter, in a sentence.

    Parameters
    ----------
    noise : Noise
        Kind of noise.

    Returns
    -------
    str

    Examples
    --------
    >>> noise_told(StudentT())
    'Noise: Student-t with 4 degrees of freedom on the logarithm of the response.'
    """
    kinds = {
        Gaussian: "Gaussian",
        StudentT: f"Student-t with {noise.tail:g} degrees of freedom",
        Undertuned: "Gaussian with an exponential excess of runs that were not tuned to the end",
    }
    kind = kinds.get(type(noise), type(noise).__name__)
    slope = f", its size a power of {noise.varies_with}" if noise.varies_with else ""
    return f"Noise: {kind} on {scale_told(noise.scale)}{slope}."


def scale_told(scale: ResponseScale) -> str:
    """A scale of the response in words."""
    match scale:
        case LogScale():
            return "the logarithm of the response"
        case RawScale():
            return "the response itself"
        case LogitScale(lower, upper):
            return f"the logit of the response between {lower:g} and {upper:g}"
    return type(scale).__name__


def discrepancy_told(discrepancy: Brownian | None) -> str:
    """What the law may get wrong, in a sentence.

    Parameters
    ----------
    discrepancy : Brownian or None
        Of the model.

    Returns
    -------
    str
    """
    if discrepancy is None:
        return (
            "Discrepancy: none; the law is taken as true, so bands hold only as far as it does, "
            "within the data and beyond."
        )
    return (
        "Discrepancy: beside the law stands Brownian motion in the logarithm of the size, held by "
        "the data where they are and free beyond them, so that bands widen with the distance."
    )
