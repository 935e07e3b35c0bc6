"""One forecast under all choices that could have been made otherwise."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._inference.hierarchy import groupings
from bayeslaw._inference.run_arrays import run_arrays_of
from bayeslaw._law.law import Law
from bayeslaw._sampling.gate import Gate
from bayeslaw.comparison.variance_decomposition import variance_shares
from bayeslaw.data.runs import check_runs, group_names, predictor_names
from bayeslaw.diagnostics.summary import summary
from bayeslaw.fitting.fit import Fit
from bayeslaw.fitting.refit import refit
from bayeslaw.forecasting.curve_lookup import require_predictors
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Noise

__all__ = ["Multiverse", "multiverse"]

LEAVE_OUT = ("drop", "hold_out")  # choices of runs that are not fitted

type Change = Callable[[xr.Dataset], xr.Dataset]
type Kept = Change | np.ndarray | xr.DataArray | None

# Median, ends of the 90% band, and where a normal is one deviation from its median.
LEVELS = (0.5, 0.05, 0.95, 0.1586552539314571, 0.8413447460685429)


@dataclass(frozen=True)
class Multiverse:
    """Forecasts under every combination of choices, and how much each choice moves them.

    Parameters
    ----------
    universes : pandas.DataFrame
        A row per combination: the name that each choice took, ``runs`` (how many were fitted),
        ``passed`` (the gate) and ``fault``, a sentence where it could not be fitted or did not
        pass.
    forecasts : pandas.DataFrame
        By ``universe`` and ``place``, a row of what was asked for: its predictors and groups, and
        of the curve there the posterior's ``median``, ``lower`` and ``upper`` (90%) and ``sd`` of
        its logarithm.
    parameters : pandas.DataFrame
        By ``universe``: what `bayeslaw.summary` tells.
    shares : pandas.DataFrame
        By ``place`` and ``source``, over the universes that passed their gate; as of `shares` for
        the logarithm of the forecast's median. ``all choices`` is the variance between universes,
        ``posterior`` the mean variance within one.
    caveats : tuple of str
        What the shares are subject to.
    response : str
        What was forecast.

    Examples
    --------
    >>> found = bl.multiverse(runs, laws=laws, at=places, random_seed=1)  # doctest: +SKIP
    >>> found.shares  # doctest: +SKIP
    """

    universes: pd.DataFrame
    forecasts: pd.DataFrame
    parameters: pd.DataFrame
    shares: pd.DataFrame
    caveats: tuple[str, ...]
    response: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """How many universes there are, then the caveats."""
        passed = self.universes["passed"].tolist()
        head = f"{sum(passed)} of {len(passed)} universes were fitted and passed their gate."
        return head, *self.caveats

    def __str__(self) -> str:
        """The sentences, then what moves the forecast."""
        return "\n".join([*self.sentences, self.shares.to_string()])


def multiverse(
    runs: xr.Dataset,
    *,
    laws: Mapping[str, Law | Model],
    noises: Mapping[str, Noise] | None = None,
    hold_outs: Mapping[str, Kept] | None = None,
    drops: Mapping[str, Kept] | None = None,
    conventions: Mapping[str, Change | None] | None = None,
    at: xr.Dataset,
    random_seed: int,
    draws: int = 500,
    tune: int = 500,
    chains: int = 4,
    target_accept: float | None = None,
    importance: bool = False,
    executor: Executor | None = None,
    store: str | os.PathLike[str] | None = None,
    progressbar: bool = True,
) -> Multiverse:
    """Refit over all combinations of the choices that a referee would question.

    Each choice is a mapping of names to alternatives. Those of runs are masks, true for runs that
    are left out, or functions from runs to the runs that stay; None leaves all in. A combination
    that makes no sense, such as noise that a response cannot have, is recorded with the reason.

    Parameters
    ----------
    runs : xarray.Dataset
        Training runs.
    laws : mapping of str to Law or Model
        Laws; a `Model` brings its pooling, discrepancy and priors.
    noises : mapping of str to Noise, optional
        Kinds of noise, in place of the models' own.
    hold_outs : mapping of str to mask, function or None, optional
        What is not fitted, such as the largest runs.
    drops : mapping of str to mask, function or None, optional
        Runs that may be faulty, such as outliers.
    conventions : mapping of str to function or None, optional
        What a column means, such as N with or without embeddings. The function is given the runs,
        and then `at`, which is told in the convention of `runs`.
    at : xarray.Dataset
        Where to forecast: `bayeslaw.grid`.
    random_seed : int
        Seed of the first fit; each other one takes a number of its own after it.
    draws, tune, chains : int
        Draws kept per chain, draws that adapt the sampler, chains; a median and its spread need
        few.
    target_accept : float, optional
        As for `bayeslaw.fit`.
    importance : bool
        Whether to try importance sampling first, as for `bayeslaw.refit`.
    executor : concurrent.futures.Executor, optional
        Where the fits are made, as for `bayeslaw.refit`.
    store : path, optional
        Where finished fits are kept, as for `bayeslaw.refit`.
    progressbar : bool
        Whether to show progress.

    Returns
    -------
    Multiverse

    Raises
    ------
    TypeError
        If something given as a law or noise is none.
    ValueError
        If no combination can be fitted, a choice has no alternative, or a mask is not of the runs.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> found = bl.multiverse(  # doctest: +SKIP
    ...     runs,
    ...     laws={"power": bl.laws.power, "log-linear": bl.laws.log_linear},
    ...     noises={"normal": bl.Gaussian(), "Student-t": bl.StudentT()},
    ...     drops={"all": None, "no outliers": runs["loss"] > 4},
    ...     at=bl.grid(N=[1e10]),
    ...     random_seed=1,
    ... )
    >>> found.shares  # doctest: +SKIP
    """
    check_runs(at)
    asked = {
        "law": laws, "noise": noises, "convention": conventions, "drop": drops,
        "hold_out": hold_outs,
    }  # fmt: skip
    choices: dict[str, Mapping[str, Any]] = {
        n: each for n, each in asked.items() if each is not None
    }
    _require_alternatives(choices)
    _require_masks(choices, runs)
    universes = [_universe(names, choices, runs, at) for names in _combinations(choices)]
    sampler = {
        "draws": draws, "tune": tune, "chains": chains, "target_accept": target_accept,
        "importance": importance, "executor": executor, "store": store, "progressbar": progressbar,
    }  # fmt: skip
    return _told(_fitted(universes, random_seed, sampler))


@dataclass(frozen=True)
class _Universe:
    """A combination of choices, what it makes of model and data, and what became of it."""

    names: Mapping[str, str]
    model: Model | None = None
    runs: xr.Dataset | None = None
    at: xr.Dataset | None = None
    fault: str = ""
    fit: Fit | None = None

    @property
    def passed(self) -> bool:
        """Whether it was fitted and passed its gate."""
        return self.fit is not None and Gate.of(self.fit.tree).passed


def _require_alternatives(choices: Mapping[str, Mapping[str, Any]]) -> None:
    for name, alternatives in choices.items():
        if not alternatives:
            raise ValueError(f"there is nothing to choose from: {name}s are empty")


def _require_masks(choices: Mapping[str, Mapping[str, Kept]], runs: xr.Dataset) -> None:
    masks = [choices.get(choice, {}) for choice in LEAVE_OUT]
    for name, mask in itertools.chain(*(each.items() for each in masks)):
        if mask is not None and not callable(mask):
            found = np.asarray(mask)
            if found.dtype != bool or found.shape != (runs.sizes["run"],):
                raise ValueError(
                    f"the mask {name!r} must be true or false for each of the "
                    f"{runs.sizes['run']} runs, got {found.dtype} of shape {found.shape}"
                )


def _combinations(choices: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    for names in itertools.product(*choices.values()):
        yield dict(zip(choices, names, strict=True))


def _universe(
    names: Mapping[str, str],
    choices: Mapping[str, Mapping[str, Any]],
    runs: xr.Dataset,
    at: xr.Dataset,
) -> _Universe:
    chosen = {choice: choices[choice][name] for choice, name in names.items()}
    try:
        model = _model(chosen["law"], chosen.get("noise"))
        convert = chosen.get("convention")
        where = at if convert is None else convert(at)
        data = runs if convert is None else _with_references(convert(runs), runs)
        for choice in LEAVE_OUT:
            data = _kept(chosen.get(choice), data, runs)
        _require_sense(model, data, where)
    except (ValueError, KeyError) as error:
        told = str(error) if isinstance(error, ValueError) else f"there is no {error}"
        return _Universe(names, fault=" ".join(told.split()))
    return _Universe(names, model, data, where)


def _model(law: Law | Model, noise: Noise | None) -> Model:
    model = law if isinstance(law, Model) else Model(law)
    return model if noise is None else replace(model, noise=noise)


def _with_references(changed: xr.Dataset, runs: xr.Dataset) -> xr.Dataset:
    """The runs with the attributes of predictors that arithmetic has dropped."""
    kept = {name: {**runs[name].attrs, **changed[name].attrs} for name in predictor_names(changed)}
    return changed.assign({name: changed[name].assign_attrs(told) for name, told in kept.items()})


def _kept(choice: Kept, data: xr.Dataset, runs: xr.Dataset) -> xr.Dataset:
    """The runs that stay; a mask is of the runs as they were given."""
    if choice is None:
        return data
    if callable(choice):
        return choice(data)
    left_out = runs["run"].values[np.asarray(choice)]
    return data.isel(run=~np.isin(data["run"].values, left_out))


def _require_sense(model: Model, runs: xr.Dataset, at: xr.Dataset) -> None:
    """Raise what fit and forecast would raise, before anything is sampled."""
    groupings(model, run_arrays_of(model, runs).curves)
    require_predictors(Fit(model, runs, xr.DataTree()), at)
    for group in group_names(runs):
        known = {str(label) for label in runs[group].values}
        asked = {str(label) for label in at[group].values} if group in at.coords else {"none"}
        if asked - known:
            raise ValueError(
                f"the forecast is asked for {group} {sorted(asked - known)}, and the runs that are "
                f"left have {sorted(known)}"
            )


def _fitted(universes: list[_Universe], seed: int, sampler: Mapping[str, Any]) -> list[_Universe]:
    """The universes with their fits: those of one model together, compiled once."""
    if all(universe.fault for universe in universes):
        raise ValueError(f"no combination can be fitted; of the first: {universes[0].fault}")
    fits: dict[int, Fit] = {}
    for together in _by_model(universes):
        model, many = universes[together[0]].model, [universes[i].runs for i in together]
        assert model is not None
        made = refit(model, many, random_seed=seed + len(fits), **sampler)  # pyright: ignore[reportArgumentType]
        fits |= dict(zip(together, made, strict=True))
    return [replace(each, fit=fits.get(i)) for i, each in enumerate(universes)]


def _by_model(universes: list[_Universe]) -> list[list[int]]:
    """Numbers of the universes that can be fitted, by law and noise."""
    together: dict[tuple[str, str], list[int]] = {}
    for i, universe in enumerate(universes):
        if not universe.fault:
            key = universe.names["law"], universe.names.get("noise", "")
            together.setdefault(key, []).append(i)
    return list(together.values())


def _told(universes: list[_Universe]) -> Multiverse:
    fitted = {i: each for i, each in enumerate(universes) if each.fit is not None}
    response = next(each.fit.runs.attrs["response"] for each in fitted.values() if each.fit)
    forecasts = pd.concat([_forecast(each).assign(universe=i) for i, each in fitted.items()])
    parameters = [
        summary(each.fit).assign(universe=i) for i, each in fitted.items() if each.fit is not None
    ]
    return Multiverse(
        pd.DataFrame([_status(each) for each in universes]).rename_axis("universe"),
        forecasts.reset_index().set_index(["universe", "place"]),
        pd.concat(parameters).set_index("universe", append=True).reorder_levels([3, 0, 1, 2]),
        _shares(universes, forecasts),
        tuple(_caveats(universes, len(forecasts.query("median <= 0")))),
        response,
    )


def _status(universe: _Universe) -> dict[str, Any]:
    runs = 0 if universe.runs is None else universe.runs.sizes["run"]
    fault = universe.fault
    if universe.fit is not None and not universe.passed:
        fault = Gate.of(universe.fit.tree).sentence
    return {**universe.names, "runs": runs, "passed": universe.passed, "fault": fault}


def _forecast(universe: _Universe) -> pd.DataFrame:
    """A row per place: where it is, and the posterior of the curve there."""
    assert universe.fit is not None
    assert universe.at is not None
    drawn = forecast(universe.fit, universe.at)["mean"]
    median, lower, upper, low, high = drawn.quantile(LEVELS, ("chain", "draw")).values
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.where(low > 0, (np.log(high) - np.log(low)) / 2, np.inf)
    names = [*predictor_names(universe.at), *group_names(universe.at)]
    where = {name: universe.at[name].values for name in names}
    told = {**where, "median": median, "lower": lower, "upper": upper, "sd": sd}
    return pd.DataFrame(told).rename_axis("place")


def _shares(universes: list[_Universe], forecasts: pd.DataFrame) -> pd.DataFrame:
    """What moves the forecast of each place, between universes that passed and within them."""
    passed = np.array([each.passed for each in universes])
    trusted = forecasts.assign(trusted=(passed | ~passed.any())[forecasts["universe"]])
    rows = [
        _sources(own, universes).assign(place=place)
        for place, own in trusted.query("trusted and median > 0").groupby("place")
    ]
    told = pd.concat(rows) if rows else pd.DataFrame(columns=["sd", "place"]).rename_axis("source")
    return told.set_index("place", append=True).reorder_levels(["place", "source"])


def _sources(rows: pd.DataFrame, universes: list[_Universe]) -> pd.DataFrame:
    made = [universes[i].names for i in rows["universe"]]
    taken = {name: [names[name] for names in made] for name in universes[0].names}
    varied = {name: each for name, each in taken.items() if len(set(each)) > 1}
    between = variance_shares(np.log(rows["median"].to_numpy()), varied)
    within = np.sqrt(np.mean(rows["sd"].to_numpy() ** 2))
    return pd.concat(
        [between, pd.DataFrame({"sd": within}, pd.Index(["posterior"], name="source"))]
    )


def _caveats(universes: list[_Universe], not_positive: int) -> Iterator[str]:
    """What the shares leave out."""
    faults = [each.fault for each in universes if each.fault]
    passed = [each.names for each in universes if each.passed]
    n, failed = len(universes), len(universes) - len(faults) - len(passed)
    if faults:
        yield f"{len(faults)} of {n} could not be fitted, first: {faults[0]}."
    if not passed:
        yield f"None of {failed} fits passed its gate: the shares are of fits not to be used."
    elif failed:
        yield f"{failed} of {n} did not pass their gate and are not in the shares."
    if not_positive:
        yield f"{not_positive} forecasts are at or below zero and are not in the shares."
    if not_positive or not _is_crossed(passed):
        yield "With some combinations missing, the shares of different choices overlap."


def _is_crossed(names: list[Mapping[str, str]]) -> bool:
    """Whether every alternative that is left was combined with all others."""
    left = [{each[choice] for each in names} for choice in (names[0] if names else ())]
    return len(names) == math.prod(map(len, left))
