"""PSIS-LOO: Pareto-smoothed importance sampling for leave-one-out, run by run."""

from __future__ import annotations

import warnings
from typing import Any

from bayeslaw.fitting.fit import Fit

__all__ = ["leave_one_out"]

FEWEST_DRAWS = 5  # of each chain, for a tail of the weights


def leave_one_out(fit: Fit) -> Any:
    """Pareto-smoothed leave-one-out (PSIS-LOO) of a fit, run by run: an arviz_stats.ELPDData.

    Raises ValueError where it is not defined.
    """
    from arviz_stats import loo  # slow to import

    with warnings.catch_warnings():
        # Influential runs are counted in every result, so the warning of ArviZ is redundant.
        warnings.filterwarnings("ignore", "Estimated shape parameter of Pareto", UserWarning)
        try:
            if fit.tree["log_likelihood"].sizes["draw"] < FEWEST_DRAWS:
                raise ValueError(f"chains have fewer than {FEWEST_DRAWS} draws")
            return loo(fit.tree, pointwise=True)
        except ValueError as error:
            raise ValueError(
                f"leave-one-out cannot be estimated: {str(error).lower()}; there are few draws, or "
                "a run whose density does not vary, as with a very large standard error"
            ) from error
