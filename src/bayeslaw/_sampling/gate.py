"""The gate that every fit has to pass, and the sentence that says whether it did."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import arviz as az
import numpy as np
import xarray as xr

from bayeslaw._sampling.chain_modes import group_chains
from bayeslaw._sampling.convergence import convergence

__all__ = ["NOT_CONVERGED", "Gate", "check_convergence"]

R_HAT, ESS, BFMI = 1.01, 400.0, 0.3
NOT_CONVERGED = "NOT CONVERGED"


@dataclass(frozen=True)
class Gate:
    """Convergence of a fit, over parameters per curve, population and spreads.

    Parameters
    ----------
    r_hat, ess_bulk, ess_tail : float
        The worst of all quantities.
    worst : str
        The quantity with the largest R-hat.
    divergences : int
        Divergent transitions after tuning.
    bfmi : float
        The lowest energy Bayesian fraction of missing information among chains; infinite where
        draws were made without energies (`bayeslaw.importance`).
    draws : int
        Draws in all chains.
    modes : int
        Modes that the chains found; see `bayeslaw.chain_modes`.
    """

    r_hat: float
    ess_bulk: float
    ess_tail: float
    worst: str
    divergences: int
    bfmi: float
    draws: int
    modes: int = 1

    @property
    def failures(self) -> list[str]:
        """What did not pass, each with its number."""
        ess = min(self.ess_bulk, self.ess_tail)
        found = {
            f"chains in {self.modes} modes, which are not averaged (one is right)": self.modes == 1,
            f"R-hat {self.r_hat:.3f} of {self.worst} (below {R_HAT} is right)": self.r_hat < R_HAT,
            f"effective sample size {ess:.0f} (above {ESS:.0f} is right)": ess > ESS,
            f"{self.divergences} divergences (none is right)": self.divergences == 0,
            f"energy information {self.bfmi:.2f} (above {BFMI} is right)": self.bfmi > BFMI,
        }
        return [sentence for sentence, good in found.items() if not good]

    @property
    def passed(self) -> bool:
        """Whether all is well."""
        return not self.failures

    @property
    def would_more_draws_help(self) -> bool:
        """Whether only precision is lacking, not the geometry."""
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
            )
        return f"{NOT_CONVERGED}, do not use: {'; '.join(self.failures)}."

    def to_json(self) -> str:
        """The gate as text, for the attributes of a tree."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, tree: xr.DataTree) -> Gate:
        """The gate that a fit's tree carries."""
        return cls(**json.loads(tree.attrs["gate"]))


def check_convergence(posterior: xr.Dataset, stats: xr.Dataset) -> Gate:
    """Judge the convergence of draws.

    Parameters
    ----------
    posterior : xarray.Dataset
        Parameters with dims chain and draw.
    stats : xarray.Dataset
        Sampler statistics ``diverging`` and, unless draws are independent, ``energy``.

    Returns
    -------
    Gate
    """
    judged = posterior[[name for name in posterior if not str(name).endswith("_effect")]]
    moved = judged.drop_vars([name for name in judged if _is_constant(judged[name])])
    judged = moved if moved.data_vars else judged  # where nothing moved, all of it is judged
    draws, names = _quantities(judged)
    found = convergence(draws)
    # A quantity that did not move has no R-hat: that is a failure, not a missing number.
    r_hat = np.nan_to_num(found.r_hat, nan=np.inf)
    worst = int(np.argmax(r_hat))
    return Gate(
        r_hat=float(r_hat[worst]),
        ess_bulk=float(np.nan_to_num(found.ess_bulk, nan=0.0).min()),
        ess_tail=float(np.nan_to_num(found.ess_tail, nan=0.0).min()),
        worst=names[worst],
        divergences=int(stats["diverging"].sum()),
        bfmi=float(az.bfmi(stats)["energy"].min()) if "energy" in stats else np.inf,
        draws=posterior.sizes["chain"] * posterior.sizes["draw"],
        modes=1 if r_hat[worst] < R_HAT else len(group_chains(judged)),
    )


def _quantities(judged: xr.Dataset) -> tuple[np.ndarray, list[str]]:
    """Draws (quantities, chains, draws), and the variable of each quantity."""
    parts, names = [], []
    for name, values in judged.items():
        ordered = values.transpose(..., "chain", "draw").values
        parts.append(ordered.reshape(-1, *ordered.shape[-2:]))
        names += [str(name)] * len(parts[-1])
    return np.concatenate(parts), names


def _is_constant(values: xr.DataArray) -> bool:
    return bool((values == values.isel(chain=0, draw=0)).all())
