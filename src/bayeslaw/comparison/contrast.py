"""Contrast of two levels of a group, such as two architectures: ratio, multiplier, crossing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._arguments import AT_LEAST_ONE
from bayeslaw.comparison.curve_pairs import CurvePairs, log_positive
from bayeslaw.data.curves import curves_in
from bayeslaw.data.runs import group_names, reference_sizes
from bayeslaw.decisions.law_slice import LawSlice, slice_along
from bayeslaw.decisions.results import positive_array
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.caveats import fit_caveats
from bayeslaw.forecasting.curve_lookup import parameters_at
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.forecasting.observed_range import observed_range

__all__ = ["contrast"]

AVERAGE = "average"
OF = ("law", "mean", "new_run")
MULTIPLES = (1.0, 10.0, 100.0)  # of the largest size of the data: the default sizes

LAW_ONLY = (
    "Ratio, multiplier and crossing are those of the law itself: the discrepancy enters only the "
    "probabilities of mean and new_run."
)


def contrast(
    fit: Fit,
    group: str,
    levels: Sequence[str] | None = None,
    *,
    along: str | None = None,
    at: Mapping[str, Any] | None = None,
    reach: float = 100.0,
    draw_new: Sequence[str] = (),
    random_seed: int = 0,
) -> xr.Dataset:
    """Compare two levels of a group, such as two architectures, size by size and draw by draw.

    Curves are compared in pairs that share all their other groups, so that the effects of a task
    or a data set cancel. With several pairs, ``average`` compares the mean over pairs of the log
    responses.

    Parameters
    ----------
    fit : Fit
        The fit, pooled or not.
    group : str
        The group.
    levels : sequence of str, optional
        The first and the second level; not needed for a group of two.
    along : str, optional
        The predictor that grows; not needed if all others are held by `at`.
    at : mapping, optional
        Sizes of that predictor, by default 1, 10 and 100 times the largest of the data; one value
        of each other predictor; and levels of other groups, by default all that the data have for
        both levels. For example ``{"N": [1e9, 1e10], "D": 1e12, "task": "c4"}``.
    reach : float
        Crossings are searched for from the smallest size of the data to `reach` times the largest.
    draw_new : sequence of str, optional
        Groups whose unseen levels are drawn from the population.
    random_seed : int
        Seed of the draws of noise, discrepancy and new levels.

    Returns
    -------
    xarray.Dataset
        With dims chain, draw, pair, and the predictor: ``log_ratio``, the logarithm of the first
        level's response over the second's, and ``multiplier``, the factor by which the second
        must grow to do as well as the first: above one where the first is ahead, infinite where
        the second cannot get there, zero where any size does. With dims chain, draw, pair:
        ``crossing``, the last size at which the lead changes, NaN where it does not. Without
        draws: ``probability`` that the first is better, of the law, of the curve (``mean``) and
        of one new run of each (``new_run``); and along pairs ``crosses``, the probability of a
        crossing, and ``overtakes``, that of a crossing beyond which the first is ahead.

    Raises
    ------
    TypeError
        If `at` is not a mapping.
    ValueError
        If there is no such group or level, no pair, a predictor is neither `along` nor held, or
        `reach` is below 1.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> two = bl.contrast(fit, "architecture", at={"N": 1e9})  # doctest: +SKIP
    >>> two["probability"].sel(of="mean", pair="average")  # doctest: +SKIP
    >>> bl.contrast_table(two), bl.crossing_table(two)  # doctest: +SKIP
    """
    if not isinstance(at, Mapping | None):
        raise TypeError(f"at takes a mapping, such as {{'N': 1e9}}, got {at!r}")
    reach = AT_LEAST_ONE.check("reach", reach)
    at = at or {}
    levels, law_slice, held = _two_levels(fit, group, levels), *_slice(fit, along, at)
    [name] = law_slice.free
    smallest, largest = observed_range(fit.runs)[name]
    sizes = positive_array(name, at.get(name, np.array(MULTIPLES) * largest))
    pairs = _pairs(fit, group, levels, at)
    rows = _rows(fit, group, levels, pairs)
    parameters = parameters_at(fit, rows, draw_new, random_seed)
    curves = CurvePairs(law_slice, held, parameters, len(pairs))
    ends = math.log(smallest), math.log(largest * reach)
    reference = math.log(reference_sizes(fit.runs)[name])
    compared = [curves.compare(pair, np.log(sizes), reference, ends) for pair in curves.subsets]
    grid = _grid(rows, {**held, name: sizes}, law_slice)
    drawn = forecast(fit, grid, draw_new=draw_new, random_seed=random_seed)
    labels = [" / ".join(pair) or "all" for pair in pairs] + [AVERAGE] * (len(pairs) > 1)
    result = _dataset(compared, name).assign_coords({"pair": labels, name: sizes, "of": list(OF)})
    probability = np.stack([_probabilities(drawn[of].values, curves, sizes.size) for of in OF])
    return result.assign(probability=(("of", "pair", name), probability)).assign_attrs(
        response=fit.runs.attrs["response"], law=fit.model.law.name, group=group,
        levels=list(levels), along=name, searched=[smallest, largest * reach],
        caveats=[*fit_caveats(fit), *([LAW_ONLY] if fit.model.discrepancy else [])],
    )  # fmt: skip


def _two_levels(fit: Fit, group: str, levels: Sequence[str] | None) -> tuple[str, str]:
    groups = group_names(fit.runs)
    if group not in groups:
        raise ValueError(f"the fit has no group {group!r}; those are {groups or None}")
    known = list(dict.fromkeys(fit.runs[group].values.tolist()))
    chosen = known if levels is None else list(levels)
    unknown = [level for level in chosen if level not in known]
    if isinstance(levels, str) or unknown or len({*chosen}) != 2 or len(chosen) != 2:
        raise ValueError(
            f"a contrast takes two levels of {group!r}, such as levels={known[:2]}; there are "
            f"{known}, got levels={levels!r}"
        )
    return chosen[0], chosen[1]


def _slice(fit: Fit, along: str | None, at: Mapping[str, Any]) -> tuple[LawSlice, dict[str, float]]:
    """The law along one predictor, and the values of the others."""
    law = fit.model.law
    if along is None and len(law.predictors) == 1:
        along = law.predictors[0]
    held = [name for name in at if name in law.predictors and name != along]
    law_slice = slice_along(law, along, xr.Dataset(attrs={"predictors": held}))
    values = {name: positive_array(name, at[name]) for name in held}
    for name, value in values.items():
        if value.size != 1:
            raise ValueError(
                f"a contrast along {law_slice.free[0]!r} takes one {name}, got {at[name]}"
            )
    return law_slice, {name: float(value[0]) for name, value in values.items()}


def _pairs(
    fit: Fit, group: str, levels: tuple[str, str], at: Mapping[str, Any]
) -> list[tuple[str, ...]]:
    """Levels of the other groups for each pair: as given by `at`, or all in the data of both."""
    others = [name for name in group_names(fit.runs) if name != group]
    for name in at:
        if name not in (*others, *fit.model.law.predictors):
            raise ValueError(
                f"{name!r} in at is no predictor of law {fit.model.law.name!r}, and none of the "
                f"other groups {others or None}"
            )
    given = {name: np.atleast_1d(at[name]).tolist() for name in others if name in at}
    if len(given) == len(others):
        return list(itertools.product(*(given[name] for name in others)))
    curves = curves_in(fit.runs)
    first, second = (
        _levels_of(curves.isel(curve=curves[group].values == level), others) for level in levels
    )
    shared = [pair for pair in first if pair in second]
    position = {name: i for i, name in enumerate(others)}
    pairs = [p for p in shared if all(p[position[name]] in given[name] for name in given)]
    if not pairs:
        raise ValueError(
            f"no curves of {group} {levels[0]!r} and {levels[1]!r} share their "
            f"{' and '.join(others)}{f' with {given}' if given else ''}; say which to compare: "
            f"at={{{others[0]!r}: ...}}"
        )
    return pairs


def _levels_of(curves: xr.Dataset, names: list[str]) -> list[tuple[str, ...]]:
    return list(zip(*(curves[name].values.tolist() for name in names), strict=True))


def _rows(
    fit: Fit, group: str, levels: tuple[str, str], pairs: list[tuple[str, ...]]
) -> xr.Dataset:
    """A row per curve: those of the first level, pair by pair, then those of the second."""
    groups = group_names(fit.runs)
    others = [name for name in groups if name != group]
    labels = {name: [pair[i] for pair in pairs] * 2 for i, name in enumerate(others)}
    labels[group] = np.repeat(levels, len(pairs)).tolist()
    coords = {name: ("run", np.array(labels[name], dtype=str)) for name in groups}
    return xr.Dataset(
        coords={"run": np.arange(2 * len(pairs)), **coords},
        attrs={"groups": groups, "predictors": []},
    )


def _grid(rows: xr.Dataset, sizes: Mapping[str, Any], law_slice: LawSlice) -> xr.Dataset:
    """All sizes for each row."""
    [name] = law_slice.free
    n_rows, n_sizes = rows.sizes["run"], np.size(sizes[name])
    repeated = rows.isel(run=np.repeat(np.arange(n_rows), n_sizes))
    columns = {key: np.resize(values, n_rows * n_sizes) for key, values in sizes.items()}
    grid = repeated.assign({key: ("run", values) for key, values in columns.items()})
    return grid.assign_coords(run=np.arange(n_rows * n_sizes)).assign_attrs(
        predictors=list(law_slice.law.predictors)
    )


def _probabilities(draws: np.ndarray, curves: CurvePairs, n_sizes: int) -> np.ndarray:
    """Probability that the first is better, (pair, size), given draws (chain, draw, run)."""
    logs = log_positive(draws).reshape(-1, 2, curves.n_pairs, n_sizes)
    lag = curves.law_slice.sense * (logs[:, 0] - logs[:, 1])
    return np.stack([(lag[:, pairs].mean(axis=1) < 0).mean(axis=0) for pairs in curves.subsets])


def _dataset(compared: list[dict[str, np.ndarray]], along: str) -> xr.Dataset:
    """Results of all pairs as labelled variables."""
    values = {name: np.stack([one[name] for one in compared], axis=2) for name in compared[0]}
    by_size, by_pair = ("chain", "draw", "pair", along), ("chain", "draw", "pair")
    labels = {
        "log_ratio": (by_size, "log of the first level's response over the second's"),
        "multiplier": (by_size, f"factor by which the second level's {along} must grow"),
        "crossing": (by_pair, f"{along} at which the lead changes for the last time"),
    }
    result = xr.Dataset(
        {name: (dims, values[name], {"long_name": label}) for name, (dims, label) in labels.items()}
    )
    crosses = (~np.isnan(values["crossing"])).mean(axis=(0, 1))
    return result.assign(
        crosses=("pair", crosses), overtakes=("pair", values["overtakes"].mean(axis=(0, 1)))
    )
