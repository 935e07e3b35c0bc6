"""The convergence gate: R-hat, effective sample sizes, divergences, BFMI and modes of a fit."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr

from bayeslaw._sampling.chain_modes import group_chains
from bayeslaw._sampling.convergence import convergence_of

__all__ = ["NOT_CONVERGED", "Gate", "check_convergence"]

R_HAT, ESS, BFMI = 1.01, 400.0, 0.3
NOT_CONVERGED = "NOT CONVERGED"


@dataclass(frozen=True)
class Gate:
    """Convergence of a fit, over the parameters of curves, of the population and spreads.

    Parameters
    ----------
    r_hat, ess_bulk, ess_tail : float
        The worst of all quantities.
    worst : str
        The quantity with the largest R-hat.
    divergences : int
        Divergent transitions after tuning.
    bfmi : float
        The lowest Bayesian fraction of missing information (energy) of any chain; infinite for
        draws by importance sampling, which have no energy.
    draws : int
        Draws in all chains.
    modes : int
        Posterior modes among which the chains are split.
    time_limit : float
        Seconds of the sampler's `max_seconds`, if that ended sampling; otherwise infinite.
    """

    r_hat: float
    ess_bulk: float
    ess_tail: float
    worst: str
    divergences: int
    bfmi: float
    draws: int
    modes: int = 1
    time_limit: float = math.inf

    @property
    def failures(self) -> list[str]:
        """The criteria that failed, each with its value."""
        ess = min(self.ess_bulk, self.ess_tail)
        is_met = {
            f"chains in {self.modes} modes, which are not averaged (should be one)": (
                self.modes == 1
            ),
            f"R-hat {self.r_hat:.3f} of {self.worst} (should be below {R_HAT})": (
                self.r_hat < R_HAT
            ),
            f"effective sample size {ess:.0f} (should be above {ESS:.0f})": ess > ESS,
            f"{self.divergences} divergences (should be none)": self.divergences == 0,
            f"BFMI {self.bfmi:.2f} (should be above {BFMI})": self.bfmi > BFMI,
        }
        return [criterion for criterion, met in is_met.items() if not met]

    @property
    def passed(self) -> bool:
        """Whether every criterion is met."""
        return not self.failures

    @property
    def would_more_draws_help(self) -> bool:
        """Whether only precision is lacking, not the exploration of the posterior."""
        return self.divergences == 0 and self.bfmi > BFMI and self.modes == 1

    @property
    def is_final(self) -> bool:
        """Whether neither more draws nor smaller steps would change the verdict."""
        return self.passed or (self.modes > 1 and self.divergences == 0)

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        if self.passed:
            return (
                f"Converged: R-hat at most {self.r_hat:.3f}, effective sample size at least "
                f"{min(self.ess_bulk, self.ess_tail):.0f}, no divergences ({self.draws} draws)."
                f"{self._end}"
            )
        return f"{NOT_CONVERGED}, do not use: {'; '.join(self.failures)}.{self._end}"

    @property
    def _end(self) -> str:
        """That the time limit ended sampling, if it did."""
        if self.time_limit == math.inf:
            return ""
        return f" Sampling was ended by max_seconds={self.time_limit:g}, after {self.draws} draws."

    def to_json(self) -> str:
        """The gate as text, for the attributes of a fit's tree."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, tree: xr.DataTree) -> Gate:
        """The gate stored in the attributes of a fit's tree."""
        return cls(**json.loads(tree.attrs["gate"]))


def check_convergence(posterior: xr.Dataset, sample_stats: xr.Dataset) -> Gate:
    """The gate of draws; `sample_stats` has ``diverging`` and, for NUTS, ``energy``."""
    judged = posterior[[name for name in posterior if not str(name).endswith("_effect")]]
    varying = judged.drop_vars([name for name in judged if _is_constant(judged[name])])
    judged = varying if varying.data_vars else judged  # if every chain is stuck, all are judged
    result, names = convergence_of(judged)
    # The R-hat of a quantity that does not vary is NaN: that is a failure, not a missing value.
    r_hat = np.nan_to_num(result.r_hat, nan=np.inf)
    worst = int(np.argmax(r_hat))
    return Gate(
        r_hat=float(r_hat[worst]),
        ess_bulk=float(np.nan_to_num(result.ess_bulk, nan=0.0).min()),
        ess_tail=float(np.nan_to_num(result.ess_tail, nan=0.0).min()),
        worst=names[worst],
        divergences=int(sample_stats["diverging"].sum()),
        bfmi=_lowest_bfmi(sample_stats["energy"]) if "energy" in sample_stats else np.inf,
        draws=posterior.sizes["chain"] * posterior.sizes["draw"],
        modes=1 if r_hat[worst] < R_HAT else len(group_chains(judged)),
    )


def _lowest_bfmi(energy: xr.DataArray) -> float:
    """The lowest Bayesian fraction of missing information of any chain (Betancourt 2016)."""
    by_chain = energy.transpose("chain", "draw").values
    steps = np.square(np.diff(by_chain, axis=1)).mean(axis=1)
    return float((steps / by_chain.var(axis=1, ddof=1)).min())


def _is_constant(values: xr.DataArray) -> bool:
    return bool((values == values.isel(chain=0, draw=0)).all())
