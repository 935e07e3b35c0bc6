"""PSIS-LOO: Pareto-smoothed importance sampling for leave-one-out, run by run."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from bayeslaw._sampling.convergence import mean_ess, quantities
from bayeslaw._sampling.pareto_smoothing import smoothed_weights
from bayeslaw.errors import StoreError
from bayeslaw.fitting.result import Fit

__all__ = ["Influence", "influence", "leave_one_out"]

GOOD_K = 0.7  # with many draws
FEWEST_DRAWS, FEWEST_IN_ALL = 5, 25  # of each chain and of all, for a tail of the weights


def leave_one_out(fit: Fit) -> Any:
    """Pareto-smoothed leave-one-out (PSIS-LOO) of a fit, run by run: an arviz_stats.ELPDData.

    Raises ValueError where it is not defined.
    """
    from arviz_stats import loo  # slow to import

    with warnings.catch_warnings(), _defined(fit):
        # Influential runs are counted in every result, so the warning of ArviZ is redundant.
        warnings.filterwarnings("ignore", "Estimated shape parameter of Pareto", UserWarning)
        return loo(fit.tree, pointwise=True)


class Influence(NamedTuple):
    """Pareto k (run,) of leaving out each run, and the largest with which that is reliable."""

    pareto_k: np.ndarray
    good_k: float


def influence(fit: Fit) -> Influence:
    """How influential runs are: as `leave_one_out`, without the import of ArviZ.

    Raises ValueError where it is not defined.
    """
    with _defined(fit):
        posterior, _ = quantities(fit.tree["posterior"].to_dataset())
        log_likelihood, _ = quantities(fit.tree["log_likelihood"].to_dataset())
        draws = math.prod(posterior.shape[1:])
        if draws < FEWEST_IN_ALL:
            raise ValueError(f"there are fewer than {FEWEST_IN_ALL} draws")
        relative_ess = mean_ess(posterior).mean() / draws if posterior.shape[1] > 1 else 1.0
        weights = [smoothed_weights(-run.ravel(), relative_ess) for run in log_likelihood]
    return Influence(np.array([k for _, k in weights]), min(1 - 1 / math.log10(draws), GOOD_K))


@contextmanager
def _defined(fit: Fit) -> Iterator[None]:
    """Explain where leave-one-out is not defined."""
    try:
        if fit.tree["log_likelihood"].sizes["draw"] < FEWEST_DRAWS:
            raise ValueError(f"chains have fewer than {FEWEST_DRAWS} draws")
        yield
    except StoreError:  # the log likelihood of a damaged file
        raise
    except ValueError as error:
        raise ValueError(
            f"leave-one-out cannot be estimated: {str(error).lower()}; there are few draws, or "
            "a run whose density does not vary, as with a very large standard error"
        ) from error
