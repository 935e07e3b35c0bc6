"""Caveats of forecasts and decisions: convergence, and what the law itself leaves out."""

from __future__ import annotations

from bayeslaw._sampling.gate import Gate
from bayeslaw.fitting.result import Fit

__all__ = ["LAW_ALONE", "NO_DISCREPANCY", "fit_caveats", "law_caveats"]

NO_DISCREPANCY = (
    "Beyond the data these bands hold only if the law does: this model has no discrepancy, so they "
    "leave out any error of the law itself."
)

LAW_ALONE = "This is the law alone: its discrepancy is not included."


def fit_caveats(fit: Fit) -> list[str]:
    """Caveats of anything computed from a fit; a failed gate comes first."""
    gate = Gate.of(fit.tree)
    failed = [] if gate.passed else [gate.sentence]
    return failed if fit.model.discrepancy else [*failed, NO_DISCREPANCY]


def law_caveats(fit: Fit) -> list[str]:
    """Caveats of what is computed from the law alone, without its discrepancy."""
    return [*fit_caveats(fit), LAW_ALONE] if fit.model.discrepancy else fit_caveats(fit)
