"""Fits of several laws as one: a mixture that is forecast like any fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._sampling.gate import NOT_CONVERGED
from bayeslaw.data.runs import group_names
from bayeslaw.fitting.fit import Fit
from bayeslaw.model.serialise import from_record
from bayeslaw.weights import POPULATION

__all__ = ["Stack", "Weights", "stack", "stack_forecasts"]

type Weights = pd.Series | pd.DataFrame

GOLDEN = (5**0.5 - 1) / 2  # its multiples spread evenly, however many of them
DRAWN, DENSITY = ("mean", "new_run", "law", "noise"), ("center", "scale", "excess")


@dataclass(frozen=True)
class Stack:
    """Fits and how much of each is believed; `bayeslaw.forecast` takes it like a fit.

    Parameters
    ----------
    fits : mapping of str to Fit
        Fits by name.
    weights : pandas.Series or pandas.DataFrame
        Weights by name of the fit, for all runs alike; or a column per fit and a row per level
        of the group that the index is named after.

    Examples
    --------
    >>> stack = bl.stack(fits, bl.weights.stacking_weights(bl.weights.log_scores(scores)))  # doctest: +SKIP
    >>> bl.forecast(stack, bl.grid(N=[1e10]))  # doctest: +SKIP
    """

    fits: Mapping[str, Fit]
    weights: Weights

    def __str__(self) -> str:
        """The weights."""
        return f"Stack of {len(self.fits)} fits, by weight:\n{self.weights.round(3).to_string()}"


def stack(fits: Mapping[str, Fit], weights: Weights) -> Stack:
    """Mix fits of several laws, each with its weight, into one that can be forecast.

    Parameters
    ----------
    fits : mapping of str to Fit
        Fits by name, all of one response and the same groups.
    weights : pandas.Series or pandas.DataFrame
        A weight for each fit, as of `bayeslaw.weights.stacking_weights`; or a row of them per level of a
        group, as of `bayeslaw.weights.hierarchical_weights`. Levels without a row take the row
        ``population``, if there is one.

    Returns
    -------
    Stack

    Raises
    ------
    ValueError
        If weights are negative, do not sum to one or are not those of the fits, or the fits are
        of different responses or groups.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> weights = bl.weights.stacking_weights(bl.weights.log_scores(scores))  # doctest: +SKIP
    >>> mixture = bl.stack({"power": power, "log-linear": log_linear}, weights)  # doctest: +SKIP
    >>> forecast = bl.forecast(mixture, bl.grid(N=[1e9, 1e10]))  # doctest: +SKIP
    """
    _require_weights(list(fits), weights)
    for what in ("response", "groups"):
        _require_same(what, {name: fit.runs.attrs[what] for name, fit in fits.items()})
    group = _group(weights)
    if group is not None and group not in group_names(next(iter(fits.values())).runs):
        raise ValueError(f"weights vary by {group!r}, which is no group of the fits")
    return Stack(dict(fits), weights)


def stack_forecasts(forecasts: Mapping[str, xr.Dataset], weights: Weights) -> xr.Dataset:
    """Mix forecasts of the same runs by several fits.

    Parameters
    ----------
    forecasts : mapping of str to xarray.Dataset
        Forecasts by name, as of `bayeslaw.forecast`.
    weights : pandas.Series or pandas.DataFrame
        As for `stack`.

    Returns
    -------
    xarray.Dataset
        As of `bayeslaw.forecast`, on one chain. Draws of ``mean``, ``new_run``, ``law`` and
        ``noise`` are those of the fits, of each as many as its ``weight`` says, evenly taken.
        ``center`` and ``scale`` have a dim ``member`` more: log densities, and so log scores, are
        those of the mixture itself, of all draws of all fits.

    Raises
    ------
    ValueError
        If the weights are not those of the forecasts, or the forecasts are of different runs.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> forecasts = {
    ...     name: bl.forecast(fit, later) for name, fit in fits.items()
    ... }  # doctest: +SKIP
    >>> mixture = bl.stack_forecasts(forecasts, weights)  # doctest: +SKIP
    >>> bl.score(mixture, later)["log_score"].mean()  # doctest: +SKIP
    """
    _require_weights(list(forecasts), weights)
    _require_alike(forecasts)
    forecasts, weight = _believed(forecasts, weights)
    first, *others = forecasts.values()
    draws = {name: _draws(forecasts, name) for name in (*DRAWN, *DENSITY)}
    chosen = _chosen(weight, draws["mean"].shape[1])
    told = {name: _taken(draws[name], chosen) for name in DRAWN}
    made = first.drop_vars([str(name) for name in first.data_vars]).assign_coords(
        {n: at for one in others for n, at in one.coords.items() if n not in first.coords}
    )
    made = made.assign({n: (("chain", "draw", "run"), v[None]) for n, v in told.items()})
    kept = {name: draws[name][:, None] for name in DENSITY if not np.isnan(draws[name]).all()}
    made = made.assign({n: (("member", "chain", "draw", "run"), v) for n, v in kept.items()})
    made = made.assign_coords(member=list(forecasts)).assign(weight=(("member", "run"), weight))
    outside = {"not_positive": float(_taken(_outside(forecasts, draws["mean"]), chosen).mean())}
    for name in DRAWN:
        made[name].attrs = first[name].attrs | (outside if name != "noise" else {})
    return made.assign_attrs(_attributes(forecasts))


def _require_weights(names: list[str], weights: Weights) -> None:
    found = list(weights.index if isinstance(weights, pd.Series) else weights.columns)
    if not names or sorted(found) != sorted(names):
        raise ValueError(f"there are weights for {found} and fits {names}; give each its weight")
    values = np.atleast_2d(weights.to_numpy(dtype=float))
    sums = values.sum(axis=1)
    wrong = ~((values >= 0).all(axis=1) & np.isclose(sums, 1))
    if wrong.any():
        raise ValueError(
            f"weights must be at or above 0 and sum to one, got {values[wrong][0].tolist()}"
        )
    if isinstance(weights, pd.DataFrame) and (
        _group(weights) is None or not weights.index.is_unique
    ):
        raise ValueError(
            "rows of weights must be levels of a group, each once, with the group as the name of "
            f"the index; got {weights.index!r}"
        )


def _require_same(what: str, values: Mapping[str, Any]) -> None:
    first, *others = values
    for name in others:
        if list(values[name]) != list(values[first]):
            raise ValueError(
                f"{first!r} and {name!r} cannot be mixed: their {what} are {values[first]!r} and "
                f"{values[name]!r}"
            )


def _require_alike(forecasts: Mapping[str, xr.Dataset]) -> None:
    for name, one in forecasts.items():
        if "member" in one.dims:
            raise ValueError(f"{name!r} is a mixture already; mix all of its fits at once")
    for what in ("response", "groups"):
        _require_same(what, {name: one.attrs[what] for name, one in forecasts.items()})
    _require_same("runs", {name: one["run"].values.tolist() for name, one in forecasts.items()})


def _group(weights: Weights) -> str | None:
    """The group by whose levels weights vary."""
    if isinstance(weights, pd.Series) or weights.index.name is None:
        return None
    return str(weights.index.name)


def _believed(
    forecasts: Mapping[str, xr.Dataset], weights: Weights
) -> tuple[dict[str, xr.Dataset], np.ndarray]:
    """Forecasts that have a weight at any run, and their weights (member, run)."""
    weight = _weights_at(weights, list(forecasts), next(iter(forecasts.values())))
    counts = weight.any(axis=1)
    kept = {name: one for (name, one), has in zip(forecasts.items(), counts, strict=True) if has}
    return kept, weight[counts]


def _weights_at(weights: Weights, names: list[str], rows: xr.Dataset) -> np.ndarray:
    """Weights (member, run)."""
    if isinstance(weights, pd.Series):
        return np.repeat(
            weights.reindex(names).to_numpy(dtype=float)[:, None], rows.sizes["run"], axis=1
        )
    group = str(weights.index.name)
    if group not in rows.coords:
        raise ValueError(f"weights vary by {group!r}, and the forecast does not say which")
    labels = [label if label in weights.index else POPULATION for label in rows[group].values]
    if POPULATION in labels and POPULATION not in weights.index:
        missing = rows[group].values[labels.index(POPULATION)]
        raise ValueError(
            f"there are no weights for {group} {str(missing)!r}; those are for "
            f"{weights.index.tolist()}, and a row {POPULATION!r} would serve all others"
        )
    return weights.loc[labels, names].to_numpy(dtype=float).T


def _draws(forecasts: Mapping[str, xr.Dataset], name: str) -> np.ndarray:
    """Draws (member, draw, run); a forecast with fewer has some of them twice."""
    n_draws = max(one.sizes["chain"] * one.sizes["draw"] for one in forecasts.values())
    each = []
    for one in forecasts.values():
        values = one[name] if name in one else xr.full_like(one["mean"], np.nan)
        flat = values.transpose("chain", "draw", "run").values.reshape(-1, one.sizes["run"])
        each.append(flat[np.arange(n_draws) * len(flat) // n_draws])
    return np.stack(each)


def _chosen(weight: np.ndarray, n_draws: int) -> np.ndarray:
    """Member (draw, run) that each draw is taken of: in proportion, and evenly among its draws."""
    place = (np.arange(1, n_draws + 1) * GOLDEN % 1)[:, None]
    ends = np.cumsum(weight, axis=0)[:-1]
    return sum((place >= end for end in ends), np.zeros((n_draws, weight.shape[1]), dtype=int))


def _taken(draws: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return np.take_along_axis(draws, chosen[None], axis=0)[0]


def _outside(forecasts: Mapping[str, xr.Dataset], mean: np.ndarray) -> np.ndarray:
    """Where a curve has left the scale of its noise."""
    noises = [from_record(scatter["noise"]) for scatter in _scatters(forecasts)]
    holds = [noise.scale.holds(each) for noise, each in zip(noises, mean, strict=True)]
    return ~np.stack(holds)


def _scatters(forecasts: Mapping[str, xr.Dataset]) -> list[dict[str, Any]]:
    return [json.loads(one.attrs["scatter"]) for one in forecasts.values()]


def _attributes(forecasts: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    first = next(iter(forecasts.values())).attrs
    whole, each = (
        [json.loads(one.attrs[name]) for one in forecasts.values()]
        for name in ("observed", "observed_by_curve")
    )
    curves = dict.fromkeys(label for by_curve in each for label in by_curve)
    own = {label: _widest([of[label] for of in each if label in of]) for label in curves}
    predictors = [name for one in forecasts.values() for name in one.attrs["predictors"]]
    return {
        **{name: first[name] for name in ("response", "groups")},
        "predictors": list(dict.fromkeys(predictors)),
        "law": f"stack of {', '.join(forecasts)}",
        "observed": json.dumps(_widest(whole)),
        "observed_by_curve": json.dumps(own),
        "scatter": json.dumps(_scatters(forecasts)),
        "caveats": _caveats(forecasts),
    }


def _widest(every: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    """The range of each predictor that holds those of all."""
    ranges: dict[str, list[float]] = {}
    for one in every:
        for name, (low, high) in one.items():
            before = ranges.get(name, [low, high])
            ranges[name] = [min(low, before[0]), max(high, before[1])]
    return ranges


def _caveats(forecasts: Mapping[str, xr.Dataset]) -> list[str]:
    """Caveats of all members, failed gates first; whose they are, unless they are everybody's."""
    owners: dict[str, list[str]] = {}
    for name, one in forecasts.items():
        for sentence in one.attrs["caveats"]:
            owners.setdefault(sentence, []).append(name)
    told = [
        sentence if len(names) == len(forecasts) else f"{sentence} ({', '.join(names)})"
        for sentence, names in owners.items()
    ]
    return sorted(told, key=lambda sentence: not sentence.startswith(NOT_CONVERGED))
