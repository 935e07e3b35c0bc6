"""R-hat and effective sample sizes of many quantities at once (Vehtari et al. 2021).

ArviZ computes them for one quantity at a time, about 5 ms each. For hundreds of quantities, checked
at every extension of sampling, that takes longer than sampling. Here quantities are an array axis.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import fft, special

__all__ = [
    "Convergence",
    "convergence",
    "convergence_of",
    "doubled_ranks",
    "mean_ess",
    "quantities",
]

BATCH = 64  # quantities at a time, to bound memory
FEWEST_DRAWS = 4  # of a chain, whose halves are compared
TAILS = (0.05, 0.95)


@dataclass(frozen=True)
class Convergence:
    """Rank-normalised R-hat, bulk and 5% tail effective sample sizes, each (quantities,).

    NaN where a draw is not finite and for fewer than four draws; R-hat also for constant draws.
    """

    r_hat: np.ndarray
    ess_bulk: np.ndarray
    ess_tail: np.ndarray


def convergence(draws: np.ndarray) -> Convergence:
    """Convergence of draws (quantities, chains, draws)."""
    if draws.shape[-1] < FEWEST_DRAWS:
        return Convergence(*np.full((3, len(draws)), np.nan))
    return _joined([_batch(draws[i : i + BATCH]) for i in range(0, len(draws), BATCH)])


def convergence_of(variables: xr.Dataset) -> tuple[Convergence, list[str]]:
    """Convergence of all quantities of variables, and the variable of each.

    A few are copied at a time: the draws of many curves take gigabytes.
    """
    batches = list(_each_batch(variables))
    names = [name for _, of_batch in batches for name in of_batch]
    return _joined([result for result, _ in batches]), names


def mean_ess(draws: np.ndarray) -> np.ndarray:
    """Effective sample sizes (quantities,) of the means of draws (quantities, chains, draws)."""
    parts = [_ess(_split(draws[i : i + BATCH])) for i in range(0, len(draws), BATCH)]
    return np.concatenate(parts)


def quantities(variables: xr.Dataset) -> tuple[np.ndarray, list[str]]:
    """Draws (quantities, chains, draws) of all variables, and the variable of each quantity."""
    parts, names = [], []
    for name, draws in _by_variable(variables):
        parts.append(draws)
        names += [name] * len(draws)
    return np.concatenate(parts), names


def _by_variable(variables: xr.Dataset) -> Iterator[tuple[str, np.ndarray]]:
    """Draws (quantities, chains, draws) of each variable."""
    for name, values in variables.items():
        ordered = values.transpose(..., "chain", "draw").values
        yield str(name), ordered.reshape(-1, *ordered.shape[-2:])


def _each_batch(variables: xr.Dataset) -> Iterator[tuple[Convergence, list[str]]]:
    parts: list[np.ndarray] = []
    names: list[str] = []
    for name, draws in _by_variable(variables):
        for i in range(0, len(draws), BATCH):
            parts.append(draws[i : i + BATCH])
            names += [name] * len(parts[-1])
            if len(names) >= BATCH:
                yield convergence(np.concatenate(parts)), names
                parts, names = [], []
    if parts:
        yield convergence(np.concatenate(parts)), names


def _joined(parts: Sequence[Convergence]) -> Convergence:
    columns = zip(*((part.r_hat, part.ess_bulk, part.ess_tail) for part in parts), strict=True)
    return Convergence(*(np.concatenate(values) for values in columns))


def _batch(draws: np.ndarray) -> Convergence:
    is_finite = np.isfinite(draws).all(axis=(1, 2))
    draws = np.where(is_finite[:, None, None], draws, 0.0)
    halves = _split(draws)
    bulk = _normal_scores(halves)
    folded = np.abs(halves - np.median(halves, axis=(1, 2), keepdims=True))
    r_hat = np.maximum(_r_hat(bulk), _r_hat(_normal_scores(folded)))
    # The tail ESS is that of the indicator of each tail.
    ends = np.quantile(draws, TAILS, axis=(1, 2))[..., None, None]
    tail = np.minimum(*(_ess(_split((draws <= end).astype(float))) for end in ends))
    values = r_hat, _ess(bulk), tail
    return Convergence(*(np.where(is_finite, each, np.nan) for each in values))


def _split(draws: np.ndarray) -> np.ndarray:
    """Split each chain in two."""
    half = draws.shape[-1] // 2
    return np.concatenate([draws[..., :half], draws[..., -half:]], axis=1)


def _normal_scores(draws: np.ndarray) -> np.ndarray:
    """Rank-normalised draws."""
    doubled = doubled_ranks(draws.reshape(len(draws), -1))
    size = doubled.shape[1]
    # Ranks are multiples of one half, so the scores of all possible ranks fit in a short table.
    scores = special.ndtri((np.arange(2 * size + 1) / 2 - 0.375) / (size + 0.25))
    return scores[doubled].reshape(draws.shape)


def doubled_ranks(rows: np.ndarray) -> np.ndarray:
    """Twice the ranks of numbers in each row, from 1; equal numbers share their average rank."""
    order = np.argsort(rows, axis=1)
    in_order = np.take_along_axis(rows, order, axis=1)
    differs = in_order[:, 1:] != in_order[:, :-1]
    ranks = np.broadcast_to(2 * np.arange(1, rows.shape[1] + 1), rows.shape).copy()
    is_tied = ~differs.all(axis=1)
    ranks[is_tied] = _shared_ranks(differs[is_tied])
    doubled = np.empty_like(order)
    np.put_along_axis(doubled, order, ranks, axis=1)
    return doubled


def _shared_ranks(differs: np.ndarray) -> np.ndarray:
    """Twice the ranks of sorted numbers, from whether each differs from the one before."""
    is_first = np.insert(differs, 0, True, axis=1)  # of a run of equal numbers
    is_last = np.roll(is_first, -1, axis=1)
    position = np.arange(is_first.shape[1])
    first = np.maximum.accumulate(np.where(is_first, position, 0), axis=1)
    last = np.where(is_last, position, position.size)[:, ::-1]
    return first + np.minimum.accumulate(last, axis=1)[:, ::-1] + 2


def _r_hat(chains: np.ndarray) -> np.ndarray:
    n = chains.shape[-1]
    between = n * np.var(chains.mean(axis=2), axis=1, ddof=1)
    within = np.var(chains, axis=2, ddof=1).mean(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt((between / within + n - 1) / n)


def _ess(chains: np.ndarray) -> np.ndarray:
    """Effective sample size of the mean, by Geyer's initial monotone sequence."""
    n_chains, n = chains.shape[1:]
    covariance = _autocovariance(chains)
    within = covariance[:, 0] * n / (n - 1)
    total = covariance[:, 0] + np.var(chains.mean(axis=2), axis=1, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = 1 - (within[:, None] - covariance) / total[:, None]
    correlation[:, 0] = 1.0
    last = max(0, -(-(n - 2) // 2) - 1)  # pair of lags considered last
    pairs = correlation[:, : 2 * last + 2].reshape(len(chains), last + 1, 2).sum(axis=2)
    stop = np.argmax((pairs < 0) | (np.arange(last + 1) == last), axis=1)
    is_used = np.arange(last + 1) < stop[:, None]
    monotone = np.where(is_used, np.minimum.accumulate(pairs, axis=1), 0.0).sum(axis=1)
    beyond = np.maximum(np.take_along_axis(correlation, 2 * stop[:, None], axis=1)[:, 0], 0.0)
    size = n_chains * n
    time = np.maximum(-1 + 2 * monotone + beyond, 1 / np.log10(size))
    is_constant = np.ptp(chains, axis=(1, 2)) < np.finfo(float).resolution
    return np.where(is_constant, size, size / time)


def _autocovariance(chains: np.ndarray) -> np.ndarray:
    """Autocovariance (quantities, lags), averaged over chains."""
    n = chains.shape[-1]
    size = fft.next_fast_len(2 * n, real=True)
    spectrum = np.fft.rfft(chains - chains.mean(axis=2, keepdims=True), n=size, axis=2)
    power = np.square(np.abs(spectrum)).mean(axis=1)
    return np.fft.irfft(power, n=size, axis=1)[:, :n] / n
