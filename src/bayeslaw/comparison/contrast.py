"""Two systems: which of them is better, from what size on, and how much of a lead that is."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw.data.curves import curves_in
from bayeslaw.data.runs import group_names, reference_sizes
from bayeslaw.decisions.law_slice import LawSlice, slice_along
from bayeslaw.decisions.results import positive_array
from bayeslaw.decisions.root_finding import crossing, first_crossing, scan
from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.caveats import fit_caveats
from bayeslaw.forecasting.curve_lookup import parameters_at
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.forecasting.observed_range import observed_range

__all__ = ["contrast", "contrast_table", "crossing_table"]

AVERAGE = "average"
OF = ("law", "mean", "new_run")
TIMES = (1.0, 10.0, 100.0)  # the largest size of the data, where no sizes are given
STEPS = 64  # between which a crossing is looked for
TINY = 1e-300  # what a response that is not positive counts as

BESIDE = (
    "Ratio, multiplier and crossing are the law's own answers: what the law gets wrong is only in "
    "the probabilities of mean and new_run."
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

    Curves are compared in pairs that share all their other groups, so what a task or a data set
    makes easy or hard cancels. With several pairs, ``average`` is about the mean over pairs of
    the logarithms of their responses.

    Parameters
    ----------
    fit : Fit
        The fit, pooled or not.
    group : str
        The group.
    levels : sequence of str, optional
        Its first and its second level; may be left out for a group of two.
    along : str, optional
        The predictor that grows; may be left out if no other is left.
    at : mapping, optional
        Sizes of that predictor, by default 1, 10 and 100 times the largest of the data; one value
        of each other predictor; and levels of other groups, by default all that both levels of
        the group were seen with. For example ``{"N": [1e9, 1e10], "D": 1e12, "task": "c4"}``.
    reach : float
        Crossings are looked for from the smallest size of the data to this times the largest.
    draw_new : sequence of str, optional
        Groups whose levels that the fit has not seen are drawn from the population.
    random_seed : int
        Seed of the noise, of what the law gets wrong, and of what is drawn.

    Returns
    -------
    xarray.Dataset
        With dims chain, draw, pair, and the predictor: ``log_ratio``, the logarithm of the first
        level's response over the second's, and ``multiplier``, the factor by which the second
        must grow to do as well as the first: above one where the first is ahead, infinite where
        its floor is above, zero where any size does. With dims chain, draw, pair: ``crossing``,
        the last size at which the lead changes, NaN where it does not. Without draws:
        ``probability`` that the first is better, of the law, of the curve (``mean``) and of one
        new run of each (``new_run``); and along pairs ``crosses``, the probability of a crossing,
        and ``overtakes``, of one beyond which the first is ahead.

    Raises
    ------
    TypeError
        If `at` is no mapping.
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
    if not reach >= 1:
        raise ValueError(f"reach must be at least 1, got {reach}")
    sides, line, held = _sides(fit, group, levels), *_line(fit, along, at or {})
    [grown] = line.free
    smallest, largest = observed_range(fit.runs)[grown]
    sizes = positive_array(grown, (at or {}).get(grown, np.array(TIMES) * largest))
    pairs = _pairs(fit, group, sides, at or {})
    rows = _rows(fit, group, sides, pairs)
    systems = _Systems(line, held, parameters_at(fit, rows, draw_new, random_seed), len(pairs))
    ends = math.log(smallest), math.log(largest * reach)
    reference = math.log(reference_sizes(fit.runs)[grown])
    told = [systems.answers(which, np.log(sizes), reference, ends) for which in systems.sets]
    where = _grid(rows, {**held, grown: sizes}, line)
    drawn = forecast(fit, where, draw_new=draw_new, random_seed=random_seed)
    labels = [" / ".join(pair) or "all" for pair in pairs] + [AVERAGE] * (len(pairs) > 1)
    found = _labelled(told, grown).assign_coords({"pair": labels, grown: sizes, "of": list(OF)})
    likely = [_probabilities(drawn[name].values, systems, sizes.size) for name in OF]
    return found.assign(probability=(("of", "pair", grown), np.stack(likely))).assign_attrs(
        response=fit.runs.attrs["response"], law=fit.model.law.name, group=group,
        levels=list(sides), along=grown, searched=[smallest, largest * reach],
        caveats=[*fit_caveats(fit), *([BESIDE] if fit.model.discrepancy else [])],
    )  # fmt: skip


def contrast_table(contrast: xr.Dataset, prob: float = 0.9) -> pd.DataFrame:
    """Lay out a contrast for reading, size by size; see `crossing_table` for crossings.

    Parameters
    ----------
    contrast : xarray.Dataset
        As of `contrast`.
    prob : float
        Probability inside the equal-tailed bands, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``pair`` and the predictor: ``better`` and ``better_run``, the probabilities
        that the first level's curve, and a new run of it, is better than the second's;
        ``multiplier`` (median) with ``_lower`` and ``_upper``.

    Raises
    ------
    ValueError
        If `prob` is not between 0 and 1.

    Examples
    --------
    >>> bl.contrast_table(bl.contrast(fit, "architecture"), 0.5)  # doctest: +SKIP
    """
    likely = contrast["probability"]
    columns = {
        "better": likely.sel(of="mean", drop=True),
        "better_run": likely.sel(of="new_run", drop=True),
        **_band("multiplier", contrast["multiplier"], prob),
    }
    return _frame(columns, ["pair", contrast.attrs["along"]])


def crossing_table(contrast: xr.Dataset, prob: float = 0.9) -> pd.DataFrame:
    """Lay out where the lead changes, pair by pair.

    Parameters
    ----------
    contrast : xarray.Dataset
        As of `contrast`.
    prob : float
        Probability inside the equal-tailed bands, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``pair``: ``crosses``, the probability of a crossing; ``overtakes``, of one
        beyond which the first level is ahead; ``crossing`` (median) with ``_lower`` and
        ``_upper``, given that there is one, in the units of the predictor.

    Raises
    ------
    ValueError
        If `prob` is not between 0 and 1.

    Examples
    --------
    >>> bl.crossing_table(bl.contrast(fit, "architecture"), 0.5)  # doctest: +SKIP
    """
    columns = {
        "crosses": contrast["crosses"],
        "overtakes": contrast["overtakes"],
        **_band("crossing", contrast["crossing"], prob),
    }
    return _frame(columns, ["pair"])


def _frame(columns: dict[str, xr.DataArray], dims: list[str]) -> pd.DataFrame:
    return xr.Dataset(columns).to_dataframe(dims).filter(items=list(columns))


@dataclass(frozen=True)
class _Systems:
    """A law along one predictor for pairs of curves: those of one level first, then the other's."""

    line: LawSlice
    held: Mapping[str, float]
    parameters: Mapping[str, np.ndarray]
    n_pairs: int

    @property
    def sets(self) -> list[list[int]]:
        """Each pair; all of them at last, where there are several."""
        every = list(range(self.n_pairs))
        return [[pair] for pair in every] + [every] * (self.n_pairs > 1)

    def known(self, curves: Sequence[int]) -> tuple[np.ndarray, ...]:
        """Parameters (chain, draw, 1) of curves, one curve after the other."""
        names = self.line.law.parameters
        return tuple(self.parameters[name][..., [i]] for i in curves for name in names)

    def level(self, log_size: Any, known: Sequence[Any]) -> Any:
        """The mean logarithm of the responses of curves."""
        law = self.line.law
        sizes = {**self.held, self.line.free[0]: np.exp(log_size)}
        given = [sizes[name] for name in law.predictors]
        each = itertools.batched(known, len(law.parameters))
        logs = [
            np.log(np.maximum(law(*given, **dict(zip(law.parameters, own, strict=True))), TINY))
            for own in each
        ]
        return sum(logs) / len(logs)

    def answers(
        self,
        which: Sequence[int],
        log_sizes: np.ndarray,
        reference: float,
        ends: tuple[float, float],
    ) -> dict[str, np.ndarray]:
        """Ratio, multiplier and crossing of some pairs together."""
        first, second = (self.known([side * self.n_pairs + i for i in which]) for side in (0, 1))
        with np.errstate(all="ignore"):
            target = self.level(log_sizes, first)
            ratio = target - self.level(log_sizes, second)
            size = first_crossing(self._short, scan(reference), (target, *second))
            told = {"log_ratio": ratio, "multiplier": np.exp(size - log_sizes)}
        return told | self._crossing((*first, *second), np.linspace(ends[0], ends[1], STEPS + 1))

    def _short(self, log_size: Any, target: Any, *second: Any) -> Any:
        return self.line.decrease_sign * (self.level(log_size, second) - target)

    def _behind(self, log_size: Any, *known: Any) -> Any:
        """How far the first is behind the second."""
        half = len(known) // 2
        return self.line.sense * (
            self.level(log_size, known[:half]) - self.level(log_size, known[half:])
        )

    def _crossing(self, known: Sequence[Any], points: np.ndarray) -> dict[str, np.ndarray]:
        """The last change of the lead."""

        def ahead(log_size: Any, *known: Any) -> Any:
            return -self._behind(log_size, *known)

        gained, lost = (
            crossing(function, points, tuple(known), lambda point, *_: -point)[..., 0]
            for function in (self._behind, ahead)
        )
        overtakes = ~np.isnan(gained) & ~(lost > gained)
        return {"crossing": np.exp(np.fmax(gained, lost)), "overtakes": overtakes}


def _sides(fit: Fit, group: str, levels: Sequence[str] | None) -> tuple[str, str]:
    groups = group_names(fit.runs)
    if group not in groups:
        raise ValueError(f"the fit has no group {group!r}; those are {groups or None}")
    known = list(dict.fromkeys(fit.runs[group].values.tolist()))
    asked = known if levels is None else list(levels)
    unknown = [level for level in asked if level not in known]
    if isinstance(levels, str) or unknown or len({*asked}) != 2 or len(asked) != 2:
        raise ValueError(
            f"a contrast takes two levels of {group!r}, such as levels={known[:2]}; there are "
            f"{known}, got levels={levels!r}"
        )
    return asked[0], asked[1]


def _line(fit: Fit, along: str | None, at: Mapping[str, Any]) -> tuple[LawSlice, dict[str, float]]:
    """The law along one predictor, and the values of the others."""
    law = fit.model.law
    if along is None and len(law.predictors) == 1:
        along = law.predictors[0]
    held = [name for name in at if name in law.predictors and name != along]
    line = slice_along(law, along, xr.Dataset(attrs={"predictors": held}))
    values = {name: positive_array(name, at[name]) for name in held}
    for name, value in values.items():
        if value.size != 1:
            raise ValueError(f"a contrast along {line.free[0]!r} takes one {name}, got {at[name]}")
    return line, {name: float(value[0]) for name, value in values.items()}


def _pairs(
    fit: Fit, group: str, sides: tuple[str, str], at: Mapping[str, Any]
) -> list[tuple[str, ...]]:
    """Levels of the other groups, for each pair: what is asked for, or what both were seen with."""
    others = [name for name in group_names(fit.runs) if name != group]
    for name in at:
        if name not in (*others, *fit.model.law.predictors):
            raise ValueError(
                f"{name!r} in at is no predictor of law {fit.model.law.name!r}, and none of the "
                f"other groups {others or None}"
            )
    asked = {name: np.atleast_1d(at[name]).tolist() for name in others if name in at}
    if len(asked) == len(others):
        return list(itertools.product(*(asked[name] for name in others)))
    known = curves_in(fit.runs)
    first, second = (_seen(known.isel(curve=known[group].values == side), others) for side in sides)
    shared = [pair for pair in first if pair in second]
    where = {name: i for i, name in enumerate(others)}
    pairs = [p for p in shared if all(p[where[name]] in asked[name] for name in asked)]
    if not pairs:
        raise ValueError(
            f"no curves of {group} {sides[0]!r} and {sides[1]!r} share their {' and '.join(others)}"
            f"{f' with {asked}' if asked else ''}; say which to compare: at={{{others[0]!r}: ...}}"
        )
    return pairs


def _seen(curves: xr.Dataset, names: list[str]) -> list[tuple[str, ...]]:
    return list(zip(*(curves[name].values.tolist() for name in names), strict=True))


def _rows(fit: Fit, group: str, sides: tuple[str, str], pairs: list[tuple[str, ...]]) -> xr.Dataset:
    """A row for each curve: all pairs of the first level, then those of the second."""
    groups = group_names(fit.runs)
    others = [name for name in groups if name != group]
    labels = {name: [pair[i] for pair in pairs] * 2 for i, name in enumerate(others)}
    labels[group] = np.repeat(sides, len(pairs)).tolist()
    coords = {name: ("run", np.array(labels[name], dtype=str)) for name in groups}
    return xr.Dataset(
        coords={"run": np.arange(2 * len(pairs)), **coords},
        attrs={"groups": groups, "predictors": []},
    )


def _grid(rows: xr.Dataset, sizes: Mapping[str, Any], line: LawSlice) -> xr.Dataset:
    """All sizes of each row."""
    [grown] = line.free
    n_rows, n_sizes = rows.sizes["run"], np.size(sizes[grown])
    repeated = rows.isel(run=np.repeat(np.arange(n_rows), n_sizes))
    columns = {name: np.resize(values, n_rows * n_sizes) for name, values in sizes.items()}
    gridded = repeated.assign({name: ("run", values) for name, values in columns.items()})
    return gridded.assign_coords(run=np.arange(n_rows * n_sizes)).assign_attrs(
        predictors=list(line.law.predictors)
    )


def _probabilities(draws: np.ndarray, systems: _Systems, n_sizes: int) -> np.ndarray:
    """That the first is better, (pair, size), from draws at a grid."""
    logs = np.log(np.maximum(draws, TINY)).reshape(-1, 2, systems.n_pairs, n_sizes)
    behind = systems.line.sense * (logs[:, 0] - logs[:, 1])
    return np.stack([(behind[:, which].mean(axis=1) < 0).mean(axis=0) for which in systems.sets])


def _labelled(told: list[dict[str, np.ndarray]], grown: str) -> xr.Dataset:
    """Answers of all pairs with their labels."""
    each = {name: np.stack([one[name] for one in told], axis=2) for name in told[0]}
    sized, drawn = ("chain", "draw", "pair", grown), ("chain", "draw", "pair")
    about = {
        "log_ratio": (sized, "log of the first level's response over the second's"),
        "multiplier": (sized, f"factor by which the second level's {grown} must grow"),
        "crossing": (drawn, f"{grown} at which the lead changes for the last time"),
    }
    found = xr.Dataset(
        {name: (dims, each[name], {"long_name": text}) for name, (dims, text) in about.items()}
    )
    crosses = (~np.isnan(each["crossing"])).mean(axis=(0, 1))
    return found.assign(
        crosses=("pair", crosses), overtakes=("pair", each["overtakes"].mean(axis=(0, 1)))
    )


def _band(name: str, draws: xr.DataArray, prob: float) -> dict[str, xr.DataArray]:
    """Median and ends of a band, given that there is a number; infinities are numbers."""
    if not 0 < prob < 1:
        raise ValueError(f"prob must lie between 0 and 1, got {prob}")
    ends = {name: 0.5, f"{name}_lower": (1 - prob) / 2, f"{name}_upper": (1 + prob) / 2}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        return {
            key: draws.reduce(np.nanquantile, ("chain", "draw"), q=level, method="nearest")
            for key, level in ends.items()
        }
