"""What a law gets wrong: a random function of the size beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bayeslaw._law.law import Law
from bayeslaw._law.roles import TAU, Role

__all__ = ["Brownian"]


@dataclass(frozen=True)
class Brownian:
    """Brownian motion in the logarithm of each predictor, tied to the law amid a curve's data.

    No law is exact. The response is the law's times exp(delta), where delta is zero in the middle
    of the curve's own log range of sizes and its increments are independent: over a distance of u
    e-folds they have standard deviation ``tau sqrt(u)``. The data hold it where they are; beyond
    them its spread grows with the root of the distance, on top of the uncertainty of the law's
    parameters, so a band widens as it should. ``tau`` is inferred, one per curve, pooled like any
    other parameter, and one per predictor of laws with several (``tau_N``, ``tau_D``). Parameters
    stay those of the law: L0 is its asymptote, not that of the curve. On another scale of the
    response (see `bayeslaw.response_scales.RawScale`) delta is added on that scale.

    It is integrated out: exactly, run by run along the curve, for laws with one predictor; for
    others on knots, exactly where a curve has no more distinct sizes than knots.

    Parameters
    ----------
    knots : int
        Knots per predictor and side of the middle, at most; for laws with several predictors.

    Raises
    ------
    ValueError
        If there is no knot.

    Notes
    -----
    A term of this kind for the misfit of a model is due to Kennedy and O'Hagan (2001). Its scale
    cannot be told from one curve with fewer than about 30 distinct sizes: there it is the prior's,
    unless curves are pooled.

    Examples
    --------
    >>> from bayeslaw import laws
    >>> [*Brownian().parameters(laws.power)], [*Brownian().parameters(laws.chinchilla)]
    (['tau'], ['tau_N', 'tau_D'])
    """

    knots: int = 8

    def __post_init__(self) -> None:
        if not self.knots >= 1:
            raise ValueError(f"{self}: knots must be at least 1")

    def parameters(self, law: Law) -> Mapping[str, Role]:
        """Its parameters beside a law, in the order of the law's predictors.

        Parameters
        ----------
        law : Law
            The law.

        Returns
        -------
        mapping of str to Role
        """
        if len(law.predictors) == 1:
            return {"tau": TAU}
        return {f"tau_{predictor}": TAU for predictor in law.predictors}
