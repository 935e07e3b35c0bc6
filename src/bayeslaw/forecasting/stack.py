"""Stacking: a weighted mixture of fits of several laws, forecast like a single fit."""

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
from bayeslaw.fitting.result import Fit
from bayeslaw.model.noise_kind import Noise, own_parameters
from bayeslaw.model.serialise import from_record
from bayeslaw.weights import POPULATION

__all__ = ["Stack", "Weights", "stack", "stack_forecasts"]

type Weights = pd.Series | pd.DataFrame

# Multiples of the golden ratio modulo one are evenly spread, however many there are.
GOLDEN_RATIO = (5**0.5 - 1) / 2
PREDICTIVE, DENSITY = ("mean", "new_run", "law", "noise"), ("center", "scale")


@dataclass(frozen=True)
class Stack:
    """Fits and their weights; `bayeslaw.forecast` takes a stack like a fit.

    Parameters
    ----------
    fits : mapping of str to Fit
        Fits by name.
    weights : pandas.Series or pandas.DataFrame
        Weights by name of the fit, the same for all runs; or one column per fit and one row per
        level of the group that the index is named after.

    Examples
    --------
    >>> weights = bl.weights.stacking_weights(log_scores)  # doctest: +SKIP
    >>> stack = bl.stack(fits, weights)  # doctest: +SKIP
    >>> bl.forecast(stack, bl.grid(N=[1e10]))  # doctest: +SKIP
    """

    fits: Mapping[str, Fit]
    weights: Weights

    def __str__(self) -> str:
        """The weights."""
        return f"Stack of {len(self.fits)} fits, by weight:\n{self.weights.round(3).to_string()}"


def stack(fits: Mapping[str, Fit], weights: Weights) -> Stack:
    """Combine weighted fits of several laws into a mixture that can be forecast.

    Parameters
    ----------
    fits : mapping of str to Fit
        Fits by name, all of the same response and groups.
    weights : pandas.Series or pandas.DataFrame
        One weight per fit, as returned by `bayeslaw.weights.stacking_weights`; or a row of them
        per level of a group, as returned by `bayeslaw.weights.hierarchical_weights`. Levels
        without a row use the row ``population``, if there is one.

    Returns
    -------
    Stack

    Raises
    ------
    ValueError
        If weights are negative, do not sum to one or do not match the fits, or the fits have
        different responses or groups.

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
        raise ValueError(f"weights vary by {group!r}, which is not a group of the fits")
    return Stack(dict(fits), weights)


def stack_forecasts(forecasts: Mapping[str, xr.Dataset], weights: Weights) -> xr.Dataset:
    """Mix several fits' forecasts of the same runs, by weight.

    Parameters
    ----------
    forecasts : mapping of str to xarray.Dataset
        Forecasts by name, as returned by `bayeslaw.forecast`.
    weights : pandas.Series or pandas.DataFrame
        As for `stack`.

    Returns
    -------
    xarray.Dataset
        As returned by `bayeslaw.forecast`, on one chain. Draws of ``mean``, ``new_run``, ``law``
        and ``noise`` are taken evenly from the fits, in proportion to ``weight``. ``center`` and
        ``scale`` have an additional dim ``member``: log densities, and so log scores, are those
        of the mixture itself, over all draws of all fits.

    Raises
    ------
    ValueError
        If the weights do not match the forecasts, or the forecasts are of different runs.

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
    forecasts, weight = _with_weight(forecasts, weights)
    predictive = [n for n in PREDICTIVE if all(n in each for each in forecasts.values())]
    density = (*DENSITY, *_noise_parameters(forecasts))
    draws = {name: _draws(forecasts, name) for name in (*predictive, *density)}
    member = _members(weight, draws["mean"].shape[1])
    mixture = _without_draws(forecasts)
    for name in predictive:
        mixture[name] = ("chain", "draw", "run"), _select(draws[name], member)[None]
    for name in density:
        if not np.isnan(draws[name]).all():
            mixture[name] = ("member", "chain", "draw", "run"), draws[name][:, None]
    mixture = mixture.assign_coords(member=list(forecasts))
    mixture["weight"] = ("member", "run"), weight
    outside = _select(_outside_scale(forecasts, draws["mean"]), member)
    first = next(iter(forecasts.values()))
    for name in predictive:
        mixture[name].attrs = dict(first[name].attrs)
        if name != "noise":
            mixture[name].attrs["not_positive"] = float(outside.mean())
    return mixture.assign_attrs(_attributes(forecasts))


def _without_draws(forecasts: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """The coordinates of all forecasts."""
    first, *others = forecasts.values()
    more = {
        name: values
        for forecast in others
        for name, values in forecast.coords.items()
        if name not in first.coords
    }
    return first.drop_vars([str(name) for name in first.data_vars]).assign_coords(more)


def _require_weights(names: list[str], weights: Weights) -> None:
    weighted = list(weights.index if isinstance(weights, pd.Series) else weights.columns)
    if not names or sorted(weighted) != sorted(names):
        raise ValueError(
            f"there are weights for {weighted} and fits {names}; each fit needs one weight"
        )
    values = np.atleast_2d(weights.to_numpy(dtype=float))
    sums = values.sum(axis=1)
    invalid = ~((values >= 0).all(axis=1) & np.isclose(sums, 1))
    if invalid.any():
        raise ValueError(
            f"weights must be nonnegative and sum to one, got {values[invalid][0].tolist()}"
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
    for name, forecast in forecasts.items():
        if "member" in forecast.dims:
            raise ValueError(f"{name!r} is a mixture already; mix all its fits at once")
    for what in ("response", "groups"):
        _require_same(what, {name: each.attrs[what] for name, each in forecasts.items()})
    _require_same("runs", {name: each["run"].values.tolist() for name, each in forecasts.items()})


def _group(weights: Weights) -> str | None:
    """The group by whose levels the weights vary."""
    if isinstance(weights, pd.Series) or weights.index.name is None:
        return None
    return str(weights.index.name)


def _with_weight(
    forecasts: Mapping[str, xr.Dataset], weights: Weights
) -> tuple[dict[str, xr.Dataset], np.ndarray]:
    """Forecasts with a nonzero weight at any run, and their weights (member, run)."""
    weight = _weights_at(weights, list(forecasts), next(iter(forecasts.values())))
    is_used = weight.any(axis=1)
    names = [name for name, used in zip(forecasts, is_used, strict=True) if used]
    return {name: forecasts[name] for name in names}, weight[is_used]


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
    """Draws (member, draw, run); those of a shorter forecast are repeated."""
    n_draws = max(each.sizes["chain"] * each.sizes["draw"] for each in forecasts.values())
    by_member = []
    for forecast in forecasts.values():
        values = forecast[name] if name in forecast else xr.full_like(forecast["mean"], np.nan)
        flat = values.transpose("chain", "draw", "run").values.reshape(-1, forecast.sizes["run"])
        by_member.append(flat[np.arange(n_draws) * len(flat) // n_draws])
    return np.stack(by_member)


def _members(weight: np.ndarray, n_draws: int) -> np.ndarray:
    """Member (draw, run) of the mixture that each draw is from, evenly and by weight."""
    quantile = (np.arange(1, n_draws + 1) * GOLDEN_RATIO % 1)[:, None]
    ends = np.cumsum(weight, axis=0)[:-1]
    return sum((quantile >= end for end in ends), np.zeros((n_draws, weight.shape[1]), dtype=int))


def _select(draws: np.ndarray, member: np.ndarray) -> np.ndarray:
    return np.take_along_axis(draws, member[None], axis=0)[0]


def _outside_scale(forecasts: Mapping[str, xr.Dataset], mean: np.ndarray) -> np.ndarray:
    """Whether each draw of a curve (member, draw, run) is outside the scale of its noise."""
    noises = _noises(forecasts)
    holds = [noise.scale.holds(curve) for noise, curve in zip(noises, mean, strict=True)]
    return ~np.stack(holds)


def _noises(forecasts: Mapping[str, xr.Dataset]) -> list[Noise]:
    return [from_record(record["noise"]) for record in _noise_records(forecasts)]


def _noise_parameters(forecasts: Mapping[str, xr.Dataset]) -> list[str]:
    """Names of the parameters that kinds of noise have beside their scale, each once."""
    return list(dict.fromkeys(n for noise in _noises(forecasts) for n in own_parameters(noise)))


def _noise_records(forecasts: Mapping[str, xr.Dataset]) -> list[dict[str, Any]]:
    return [json.loads(forecast.attrs["scatter"]) for forecast in forecasts.values()]


def _attributes(forecasts: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    first = next(iter(forecasts.values())).attrs
    overall, by_curve = (
        [json.loads(forecast.attrs[name]) for forecast in forecasts.values()]
        for name in ("observed", "observed_by_curve")
    )
    labels = dict.fromkeys(label for ranges in by_curve for label in ranges)
    observed_by_curve = {
        label: _union([ranges[label] for ranges in by_curve if label in ranges]) for label in labels
    }
    predictors = [name for forecast in forecasts.values() for name in forecast.attrs["predictors"]]
    return {
        **{name: first[name] for name in ("response", "groups")},
        "predictors": list(dict.fromkeys(predictors)),
        "law": f"stack of {', '.join(forecasts)}",
        "observed": json.dumps(_union(overall)),
        "observed_by_curve": json.dumps(observed_by_curve),
        "scatter": json.dumps(_noise_records(forecasts)),
        "caveats": _caveats(forecasts),
    }


def _union(ranges: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    """The smallest range of each predictor that contains all given ones."""
    union: dict[str, list[float]] = {}
    for by_predictor in ranges:
        for name, (low, high) in by_predictor.items():
            so_far = union.get(name, [low, high])
            union[name] = [min(low, so_far[0]), max(high, so_far[1])]
    return union


def _caveats(forecasts: Mapping[str, xr.Dataset]) -> list[str]:
    """Caveats of all members, failed gates first, with the members' names unless shared by all."""
    members: dict[str, list[str]] = {}
    for name, forecast in forecasts.items():
        for sentence in forecast.attrs["caveats"]:
            members.setdefault(sentence, []).append(name)
    sentences = [
        sentence if len(names) == len(forecasts) else f"{sentence} ({', '.join(names)})"
        for sentence, names in members.items()
    ]
    return sorted(sentences, key=lambda sentence: not sentence.startswith(NOT_CONVERGED))
