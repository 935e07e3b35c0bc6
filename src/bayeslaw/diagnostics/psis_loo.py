"""PSIS-LOO: Pareto-smoothed importance sampling for leave-one-out, run by run."""

from __future__ import annotations

import warnings
from typing import Any

import arviz as az

from bayeslaw.fitting.fit import Fit

__all__ = ["leave_one_out"]


def leave_one_out(fit: Fit) -> Any:
    """Pareto-smoothed leave-one-out (PSIS-LOO) of a fit, run by run: an arviz_stats.ELPDData."""
    with warnings.catch_warnings():
        # Influential runs are counted in every result, so the warning of ArviZ is redundant.
        warnings.filterwarnings("ignore", "Estimated shape parameter of Pareto", UserWarning)
        return az.loo(fit.tree, pointwise=True)
