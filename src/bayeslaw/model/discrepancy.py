"""Model discrepancy: the Brownian deviation of curves from their law."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from bayeslaw._arguments import COUNT
from bayeslaw._law.law import Law
from bayeslaw._law.roles import TAU, Role

__all__ = ["Brownian", "Discrepancy"]


class Discrepancy(ABC):
    """What a law gets wrong: a random function of size that is added to it."""

    @abstractmethod
    def parameters(self, law: Law) -> Mapping[str, Role]:
        """Parameters of the discrepancy of a law, in the order of the law's predictors."""

    @abstractmethod
    def describe(self) -> str:
        """A sentence on the discrepancy, as reports have it."""


@dataclass(frozen=True)
class Brownian(Discrepancy):
    """Discrepancy between law and curve: Brownian motion in the log of each predictor.

    No law is exact. The response is the law's times exp(delta), where delta, the discrepancy, is
    zero in the middle of the curve's own log range of sizes and has independent increments: over a
    distance of u e-folds their standard deviation is ``tau sqrt(u)``. Within the range the data
    determine delta; beyond it, its standard deviation grows with the root of the distance, on top
    of the uncertainty of the law's parameters, and bands widen accordingly. ``tau`` is inferred:
    one per curve, pooled like any other parameter, and one per predictor for laws with several
    (``tau_N``, ``tau_D``). Parameters remain those of the law: L0 is its asymptote, not that of
    the curve. On another scale of the response (see `bayeslaw.response_scales.RawScale`) delta is
    added on that scale.

    The discrepancy is integrated out: exactly, by a Kalman filter along the curve, for laws with
    one predictor; for others on knots (inducing points), which is exact if a curve has no more
    distinct sizes than knots.

    Parameters
    ----------
    knots : int
        Maximum number of knots per predictor and side of the middle, for laws with several
        predictors.

    Raises
    ------
    ValueError
        If `knots` is less than 1.

    Notes
    -----
    Such a term for model discrepancy is due to Kennedy and O'Hagan (2001). One curve with fewer
    than about 30 distinct sizes does not identify its scale, which then follows the prior unless
    curves are pooled.

    Examples
    --------
    >>> from bayeslaw import laws
    >>> [*Brownian().parameters(laws.power)], [*Brownian().parameters(laws.chinchilla)]
    (['tau'], ['tau_N', 'tau_D'])
    """

    knots: int = 8

    def __post_init__(self) -> None:
        COUNT.check(f"{self}: knots", self.knots)

    def parameters(self, law: Law) -> Mapping[str, Role]:
        """Parameters of the discrepancy of a law, in the order of the law's predictors."""
        if len(law.predictors) == 1:
            return {"tau": TAU}
        return {f"tau_{predictor}": TAU for predictor in law.predictors}

    def describe(self) -> str:
        """A sentence on the discrepancy.

        Examples
        --------
        >>> Brownian().describe()[:53]
        'Brownian motion in the logarithm of the size is added'
        """
        return (
            "Brownian motion in the logarithm of the size is added to the law. The data constrain "
            "it where they are; beyond them it is free, so bands widen with the distance."
        )
