"""Chains that settled in different places: several modes, which no average describes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

__all__ = ["Modes", "chain_modes", "group_chains"]

CENTRAL = (0.05, 0.95)  # chains whose draws between these quantiles do not meet are apart
STATIONARY = 1.05  # split R-hat of one chain
SHOWN = 4  # parameters in a sentence

type Group = tuple[int, ...]  # chains of a mode


@dataclass(frozen=True)
class Modes:
    """The modes that the chains of a fit found, the one of highest density first.

    Parameters
    ----------
    chains : tuple of tuple of int
        The chains of each mode.
    log_density : tuple of float
        Mean log posterior density of each mode's draws, in the sampler's coordinates. The mass
        of a mode is its density times its width, so this alone does not say which is right.
    medians : pandas.DataFrame
        The parameters that tell the modes apart, indexed by ``parameter`` and ``label`` (the
        curve or group; empty for one value), a column of medians per mode.
    """

    chains: tuple[Group, ...]
    log_density: tuple[float, ...]
    medians: pd.DataFrame

    def __len__(self) -> int:
        """How many modes there are."""
        return len(self.chains)

    def __str__(self) -> str:
        """The modes in a sentence."""
        if len(self) == 1:
            return "The chains found one mode."
        told = "; ".join(self._told(mode) for mode in range(len(self)))
        return (
            f"The chains found {len(self)} modes: {told}. They are not averaged: chains stay "
            "where they started, so their number says nothing of a mode's probability. A prior "
            "or runs that decide between the modes help, more draws do not."
        )

    def _told(self, mode: int) -> str:
        first = self.medians[mode].iloc[:SHOWN]
        values = [f"{' of '.join(filter(None, key))} = {x:.3g}" for key, x in first.items()]
        density = f"log density {self.log_density[mode]:.1f}"
        return f"{_listed(self.chains[mode])} ({', '.join([density, *values])})"


class _Sampled(Protocol):
    @property
    def tree(self) -> xr.DataTree: ...


def chain_modes(fit: _Sampled) -> Modes:
    """The modes that the chains of a fit found.

    Two chains are in different modes if there is a parameter that moves steadily within each of
    them and whose central 90% in one do not meet those in the other.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    Modes

    Examples
    --------
    >>> len(chain_modes(fit))  # doctest: +SKIP
    2
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
    """Chains grouped by mode.

    Parameters
    ----------
    posterior : xarray.Dataset
        Parameters with dims chain and draw.

    Returns
    -------
    list of tuple of int
        One group of all chains if they agree, or if they did not settle.
    """
    apart = np.zeros((posterior.sizes["chain"],) * 2, dtype=bool)
    for _, draws in _quantities(posterior):
        between = _apart(draws)
        if between.any() and _is_stationary(draws):
            apart |= between
    return _connected(~apart)


def _quantities(posterior: xr.Dataset) -> Iterator[tuple[tuple[str, str], np.ndarray]]:
    """Name, label and draws (chain, draw) of every number that the gate judges."""
    for name in posterior.data_vars:
        if str(name).endswith("_effect"):
            continue
        values: xr.DataArray = posterior[name].transpose("chain", "draw", ...)
        labels = values[str(values.dims[2])].values.tolist() if values.ndim == 3 else [""]
        flat = values.to_numpy().reshape(*values.shape[:2], -1)
        for i, label in enumerate(labels):
            # A lone curve is called "all", which would tell a reader nothing.
            yield (str(name), "" if label == "all" else str(label)), flat[..., i]


def _apart(draws: np.ndarray) -> np.ndarray:
    """Whether two chains have nothing in common, for each pair."""
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(draws, CENTRAL, axis=1)
    beyond = low[:, None] > high[None]
    return beyond | beyond.T


def _is_stationary(draws: np.ndarray) -> bool:
    """Whether the halves of each chain agree."""
    half = draws.shape[1] // 2
    for chain in draws:
        halves = np.stack([chain[:half], chain[-half:]])
        with np.errstate(invalid="ignore"):
            r_hat = float(az.rhat(halves))  # not a number where nothing moves
        if not r_hat < STATIONARY:
            return False
    return True


def _connected(near: np.ndarray) -> list[Group]:
    """Groups of chains that are near each other, by way of others if need be."""
    reach = np.linalg.matrix_power(near.astype(float), len(near)) > 0
    return sorted({tuple(int(i) for i in np.flatnonzero(row)) for row in reach})


def _medians(posterior: xr.Dataset, groups: list[Group]) -> pd.DataFrame:
    """Medians per mode of what tells the modes apart, the most distant first."""
    rows, distance = {}, []
    for key, draws in _quantities(posterior):
        between = _apart(draws)
        if any(between[np.ix_(a, b)].all() for a in groups for b in groups if a != b):
            rows[key] = [float(np.median(draws[list(group)])) for group in groups]
            distance.append(np.ptp(rows[key]) / draws.std(axis=1).mean())
    index = pd.MultiIndex.from_tuples(list(rows), names=["parameter", "label"])
    found = pd.DataFrame(list(rows.values()), index, columns=range(len(groups)))
    return found.iloc[np.argsort(distance, kind="stable")[::-1]]


def _listed(chains: Group) -> str:
    return f"chain{'s' * (len(chains) > 1)} {', '.join(str(chain) for chain in chains)}"
