"""Chains that converged to different posterior modes, which must not be averaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._sampling.convergence import convergence

__all__ = ["Modes", "chain_modes", "group_chains"]

CENTRAL = (0.05, 0.95)  # chains whose intervals between these quantiles are disjoint are separate
STATIONARY = 1.05  # split R-hat of one chain
SHOWN = 4  # parameters in a sentence

type Group = tuple[int, ...]  # chains of a mode


@dataclass(frozen=True)
class Modes:
    """The posterior modes that the chains are in, the one of highest density first.

    Parameters
    ----------
    chains : tuple of tuple of int
        The chains of each mode.
    log_density : tuple of float
        Mean log posterior density of each mode's draws, in the sampler's coordinates. The mass
        of a mode is its density times its volume, so the density alone does not say which mode
        is right.
    medians : pandas.DataFrame
        The parameters that differ between the modes, indexed by ``parameter`` and ``label`` (the
        curve or group; empty for one value), a column of medians per mode.
    """

    chains: tuple[Group, ...]
    log_density: tuple[float, ...]
    medians: pd.DataFrame

    def __len__(self) -> int:
        """The number of modes."""
        return len(self.chains)

    def __str__(self) -> str:
        """The modes in a few sentences."""
        if len(self) == 1:
            return "The chains found one mode."
        described = "; ".join(self._describe(mode) for mode in range(len(self)))
        return (
            f"The chains found {len(self)} modes: {described}. They are not averaged: a chain "
            "stays in the mode where it started, so the number of chains in a mode says nothing "
            "about its probability. More draws do not help; an informative prior, or runs that "
            "distinguish the modes, would."
        )

    def _describe(self, mode: int) -> str:
        first = self.medians[mode].iloc[:SHOWN]
        values = [f"{' of '.join(filter(None, key))} = {x:.3g}" for key, x in first.items()]
        density = f"log density {self.log_density[mode]:.1f}"
        return f"{_listed(self.chains[mode])} ({', '.join([density, *values])})"


class _HasTree(Protocol):
    @property
    def tree(self) -> xr.DataTree: ...


def chain_modes(fit: _HasTree) -> Modes:
    """The posterior modes that the chains of a fit are in.

    Two chains are in different modes if, for some parameter, both are stationary and their
    central 90% intervals are disjoint.
    """
    posterior = fit.tree["posterior"].to_dataset()
    density = fit.tree["sample_stats"].to_dataset()["logp"].mean("draw").values
    groups = sorted(group_chains(posterior), key=lambda group: -density[list(group)].mean())
    return Modes(
        tuple(groups),
        tuple(float(density[list(group)].mean()) for group in groups),
        _medians(posterior, groups),
    )


def group_chains(posterior: xr.Dataset) -> list[Group]:
    """Chains by mode: one group if they agree, or if they are not stationary."""
    separate = np.zeros((posterior.sizes["chain"],) * 2, dtype=bool)
    for _, draws in _quantities(posterior):
        disjoint = _disjoint(draws)
        if disjoint.any() and _is_stationary(draws):
            separate |= disjoint
    return _connected(~separate)


def _quantities(posterior: xr.Dataset) -> Iterator[tuple[tuple[str, str], np.ndarray]]:
    """Name, label and draws (chain, draw) of every quantity that the gate judges."""
    for name in posterior.data_vars:
        if str(name).endswith("_effect"):
            continue
        values: xr.DataArray = posterior[name].transpose("chain", "draw", ...)
        labels = values[str(values.dims[2])].values.tolist() if values.ndim == 3 else [""]
        flat = values.to_numpy().reshape(*values.shape[:2], -1)
        for i, label in enumerate(labels):
            # A single curve is called "all", which means nothing to a reader.
            yield (str(name), "" if label == "all" else str(label)), flat[..., i]


def _disjoint(draws: np.ndarray) -> np.ndarray:
    """Whether the central intervals of two chains are disjoint, for each pair (chain, chain)."""
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(draws, CENTRAL, axis=1)
    above = low[:, None] > high[None]
    return above | above.T


def _is_stationary(draws: np.ndarray) -> bool:
    """Whether the two halves of each chain (chain, draw) agree."""
    half = draws.shape[1] // 2
    halves = np.stack([draws[:, :half], draws[:, -half:]], axis=1)
    r_hat = convergence(halves).r_hat  # NaN for constant draws
    return bool((r_hat < STATIONARY).all())


def _connected(near: np.ndarray) -> list[Group]:
    """Connected components of the graph of chains that are near each other."""
    reach = np.linalg.matrix_power(near.astype(float), len(near)) > 0
    return sorted({tuple(int(i) for i in np.flatnonzero(row)) for row in reach})


def _medians(posterior: xr.Dataset, groups: list[Group]) -> pd.DataFrame:
    """Medians per mode of the parameters that differ between modes, the most distant first."""
    rows, distance = {}, []
    for key, draws in _quantities(posterior):
        disjoint = _disjoint(draws)
        if any(disjoint[np.ix_(a, b)].all() for a in groups for b in groups if a != b):
            rows[key] = [float(np.median(draws[list(group)])) for group in groups]
            distance.append(np.ptp(rows[key]) / draws.std(axis=1).mean())
    index = pd.MultiIndex.from_tuples(list(rows), names=["parameter", "label"])
    table = pd.DataFrame(list(rows.values()), index, columns=range(len(groups)))
    return table.iloc[np.argsort(distance, kind="stable")[::-1]]


def _listed(chains: Group) -> str:
    return f"chain{'s' * (len(chains) > 1)} {', '.join(str(chain) for chain in chains)}"
