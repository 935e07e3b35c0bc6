"""Multiverse analysis: one forecast under all combinations of modelling and data choices."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._law.law import Law
from bayeslaw._sampling.gate import Gate
from bayeslaw._sampling.nuts import Sampler
from bayeslaw.comparison.universes import Conversion, RunSelection, Universe, universes_of
from bayeslaw.comparison.variance_decomposition import variance_shares
from bayeslaw.data.runs import check_runs, group_names, predictor_names
from bayeslaw.diagnostics.summary import summary
from bayeslaw.fitting.announce import announced_fits
from bayeslaw.fitting.refit import refit
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.curve_lookup import taken_by
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.model.model import Model
from bayeslaw.model.noise_kind import Noise

__all__ = ["Multiverse", "multiverse"]

# Median, ends of the 90% band, and the quantiles of a normal one deviation from its median.
QUANTILES = (0.5, 0.05, 0.95, 0.1586552539314571, 0.8413447460685429)


@dataclass(frozen=True)
class Multiverse:
    """Forecasts under every combination of choices, and how much each choice moves them.

    Parameters
    ----------
    universes : pandas.DataFrame
        A row per combination: the alternative of each choice, ``runs`` (the number fitted),
        ``passed`` (the gate) and ``fault``, why it could not be fitted or did not pass.
    forecasts : pandas.DataFrame
        By ``universe`` and ``point``, the number of a prediction point: its predictors and groups,
        and of the curve there the posterior ``median``, ``lower`` and ``upper`` (90%) and ``sd``
        of its logarithm.
    parameters : pandas.DataFrame
        By ``universe``: the table of `bayeslaw.summary`.
    shares : pandas.DataFrame
        By ``point`` and ``source``, over the universes that passed their gate: a variance
        decomposition of the logarithm of the forecast's median, with columns ``sd``,
        ``first_order`` and ``total``. ``all choices`` is the variance between universes,
        ``posterior`` the mean variance within one.
    caveats : tuple of str
        Limits of the shares.
    response : str
        Name of the response.

    Examples
    --------
    >>> result = bl.multiverse(runs, laws=laws, at=grid, sampler=bl.Sampler(1))  # doctest: +SKIP
    >>> result.shares  # doctest: +SKIP
    """

    universes: pd.DataFrame
    forecasts: pd.DataFrame
    parameters: pd.DataFrame
    shares: pd.DataFrame
    caveats: tuple[str, ...]
    response: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """The number of universes that passed, then the caveats."""
        passed = self.universes["passed"].tolist()
        head = f"{sum(passed)} of {len(passed)} universes were fitted and passed their gate."
        return head, *self.caveats

    def __str__(self) -> str:
        """The sentences, then the shares."""
        return "\n".join([*self.sentences, self.shares.to_string()])


def multiverse(
    runs: xr.Dataset,
    *,
    laws: Mapping[str, Law | Model],
    noises: Mapping[str, Noise] | None = None,
    hold_outs: Mapping[str, RunSelection] | None = None,
    drops: Mapping[str, RunSelection] | None = None,
    conventions: Mapping[str, Conversion | None] | None = None,
    at: xr.Dataset,
    sampler: Sampler,
    executor: Executor | None = None,
    store: str | os.PathLike[str] | None = None,
) -> Multiverse:
    """Refit under all combinations of modelling and data choices that a referee might question.

    Each choice is a mapping of names to alternatives. Choices of runs are masks, true for runs to
    leave out, or functions from all runs to the selected ones; None selects all. A combination
    that is not valid, such as noise that the response cannot have, is recorded with the reason.

    Parameters
    ----------
    runs : xarray.Dataset
        Training runs.
    laws : mapping of str to Law or Model
        Laws; a `Model` brings its pooling, discrepancy and priors.
    noises : mapping of str to Noise, optional
        Noise to use in place of the models' own.
    hold_outs : mapping of str to mask, function or None, optional
        Runs not to fit, such as the largest.
    drops : mapping of str to mask, function or None, optional
        Runs not to fit because they may be faulty, such as outliers.
    conventions : mapping of str to function or None, optional
        Meanings of a column, such as N with or without embeddings. The function converts the
        runs, and also `at`, which is given in the convention of `runs`.
    at : xarray.Dataset
        Points to forecast: a `bayeslaw.grid`.
    sampler : Sampler
        Settings of the sampler; its seed is that of the first fit, and each later fit takes the
        next number. Few draws, such as 500, are enough for a median and its band.
    executor : concurrent.futures.Executor, optional
        Runs the fits in parallel, as for `bayeslaw.refit`.
    store : path, optional
        Where finished fits are saved, as for `bayeslaw.refit`.

    Returns
    -------
    Multiverse

    Raises
    ------
    TypeError
        If a law or noise is not one.
    ValueError
        If no combination can be fitted, a choice has no alternative, or a mask does not match the
        runs.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> result = bl.multiverse(  # doctest: +SKIP
    ...     runs,
    ...     laws={"power": bl.laws.power, "log-linear": bl.laws.log_linear},
    ...     noises={"normal": bl.Gaussian(), "Student-t": bl.StudentT()},
    ...     drops={"all": None, "no outliers": runs["loss"] > 4},
    ...     at=bl.grid(N=[1e10]),
    ...     sampler=bl.Sampler(1, draws=500, tune=500),
    ... )
    >>> result.shares  # doctest: +SKIP
    """
    check_runs(at)
    given = {
        "law": laws, "noise": noises, "convention": conventions, "drop": drops,
        "hold_out": hold_outs,
    }  # fmt: skip
    choices: dict[str, Mapping[str, Any]] = {
        name: each for name, each in given.items() if each is not None
    }
    universes = universes_of(choices, runs, at)
    return _result(_fitted(universes, sampler, executor, store))


def _fitted(
    universes: list[Universe],
    sampler: Sampler,
    executor: Executor | None,
    store: str | os.PathLike[str] | None,
) -> list[Universe]:
    """The universes with their fits; those of one model are fitted together, to compile it once."""
    if all(universe.fault for universe in universes):
        raise ValueError(f"no combination can be fitted; of the first: {universes[0].fault}")
    jobs = [
        (each.model, each.runs)
        for each in universes
        if each.model is not None and each.runs is not None and not each.fault
    ]
    fits: dict[int, Fit] = {}
    with announced_fits("Multiverse", jobs, sampler, executor):
        for numbers in _by_model(universes):
            model, many = universes[numbers[0]].model, [universes[i].runs for i in numbers]
            assert model is not None
            own = replace(sampler, random_seed=sampler.random_seed + len(fits))
            refits = refit(model, many, sampler=own, executor=executor, store=store)  # pyright: ignore[reportArgumentType]
            fits |= dict(zip(numbers, refits, strict=True))
    return [replace(each, fit=fits.get(i)) for i, each in enumerate(universes)]


def _by_model(universes: list[Universe]) -> list[list[int]]:
    """Numbers of the universes that can be fitted, by law and noise."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for i, universe in enumerate(universes):
        if not universe.fault:
            key = universe.names["law"], universe.names.get("noise", "")
            numbers.setdefault(key, []).append(i)
    return list(numbers.values())


def _result(universes: list[Universe]) -> Multiverse:
    fitted = {i: each for i, each in enumerate(universes) if each.fit is not None}
    response = next(each.fit.runs.attrs["response"] for each in fitted.values() if each.fit)
    forecasts = pd.concat([_forecast(each).assign(universe=i) for i, each in fitted.items()])
    parameters = [
        summary(each.fit).assign(universe=i) for i, each in fitted.items() if each.fit is not None
    ]
    return Multiverse(
        pd.DataFrame([_status(each) for each in universes]).rename_axis("universe"),
        forecasts.reset_index().set_index(["universe", "point"]),
        pd.concat(parameters).set_index("universe", append=True).reorder_levels([3, 0, 1, 2]),
        _shares(universes, forecasts),
        tuple(_caveats(universes, len(forecasts.query("median <= 0")))),
        response,
    )


def _status(universe: Universe) -> dict[str, Any]:
    runs = 0 if universe.runs is None else universe.runs.sizes["run"]
    fault = universe.fault
    if universe.fit is not None and not universe.passed:
        fault = Gate.of(universe.fit.tree).sentence
    return {**universe.names, "runs": runs, "passed": universe.passed, "fault": fault}


def _forecast(universe: Universe) -> pd.DataFrame:
    """A row per prediction point: predictors, groups and the posterior of the curve there."""
    assert universe.fit is not None
    assert universe.at is not None
    mean = forecast(universe.fit, taken_by(universe.fit, universe.at))["mean"]
    median, lower, upper, low, high = mean.quantile(QUANTILES, ("chain", "draw")).values
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.where(low > 0, (np.log(high) - np.log(low)) / 2, np.inf)
    names = [*predictor_names(universe.at), *group_names(universe.at)]
    points = {name: universe.at[name].values for name in names}
    curve = {"median": median, "lower": lower, "upper": upper, "sd": sd}
    return pd.DataFrame({**points, **curve}).rename_axis("point")


def _shares(universes: list[Universe], forecasts: pd.DataFrame) -> pd.DataFrame:
    """Variance shares by prediction point, over the universes that passed, or all if none did."""
    passed = np.array([each.passed for each in universes])
    included = forecasts.assign(included=(passed | ~passed.any())[forecasts["universe"]])
    rows = [
        _sources(own, universes).assign(point=point)
        for point, own in included.query("included and median > 0").groupby("point")
    ]
    empty = pd.DataFrame(columns=["sd", "point"]).rename_axis("source")
    return (
        (pd.concat(rows) if rows else empty)
        .set_index("point", append=True)
        .reorder_levels(["point", "source"])
    )


def _sources(rows: pd.DataFrame, universes: list[Universe]) -> pd.DataFrame:
    """Variance between universes by choice, and within them, at one prediction point."""
    chosen = [universes[i].names for i in rows["universe"]]
    alternatives = {name: [names[name] for names in chosen] for name in universes[0].names}
    varied = {name: each for name, each in alternatives.items() if len(set(each)) > 1}
    between = variance_shares(np.log(rows["median"].to_numpy()), varied)
    within = np.sqrt(np.mean(rows["sd"].to_numpy() ** 2))
    return pd.concat(
        [between, pd.DataFrame({"sd": within}, pd.Index(["posterior"], name="source"))]
    )


def _caveats(universes: list[Universe], not_positive: int) -> Iterator[str]:
    """Sentences about universes and forecasts that are not in the shares."""
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
    """Whether all combinations of the remaining alternatives are there (a full cross)."""
    remaining = [{each[choice] for each in names} for choice in (names[0] if names else ())]
    return len(names) == math.prod(map(len, remaining))
