"""A stack of fits, against its members."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import logsumexp

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate
from bayeslaw.forecasting.caveats import NO_DISCREPANCY
from bayeslaw.forecasting.forecast import log_density
from bayeslaw.forecasting.scores import score
from bayeslaw.forecasting.stack import Stack, stack, stack_forecasts

DRAWS = 1000  # of every member, however far it had to be sampled
WEIGHTS = pd.Series({"power": 0.5, "log-linear": 0.2, "discrepant": 0.3})
BY_TASK = pd.DataFrame(
    {"power": [0.9, 0.2, 0.5], "log-linear": [0.1, 0.5, 0.2], "discrepant": [0.0, 0.3, 0.3]},
    pd.Index(["c4", "books", "code"], name="task"),
)


@pytest.fixture(scope="module")
def fits(crossed_fit: bl.Fit, log_linear_fit: bl.Fit, discrepant_fit: bl.Fit) -> dict[str, bl.Fit]:
    """Noise of two kinds, with and without a discrepancy."""
    return {"power": crossed_fit, "log-linear": log_linear_fit, "discrepant": discrepant_fit}


@pytest.fixture(scope="module")
def later(crossed_split: tuple[xr.Dataset, xr.Dataset]) -> xr.Dataset:
    return crossed_split[1]


@pytest.fixture(scope="module")
def forecasts(fits: dict[str, bl.Fit], later: xr.Dataset) -> dict[str, xr.Dataset]:
    return {name: bl.forecast(fit, later, draws=DRAWS) for name, fit in fits.items()}


def log_scores_of(forecasts: dict[str, xr.Dataset], later: xr.Dataset) -> np.ndarray:
    """Log scores (member, run)."""
    return np.stack([score(each, later)["log_score"].values for each in forecasts.values()])


def test_the_density_is_that_of_the_mixture(
    fits: dict[str, bl.Fit], forecasts: dict[str, xr.Dataset], later: xr.Dataset
) -> None:
    scores = score(bl.forecast(stack(fits, WEIGHTS), later, draws=DRAWS), later)
    log_score = np.stack(
        [score(forecast, later)["log_score"].values for forecast in forecasts.values()]
    )
    expected = logsumexp(log_score, axis=0, b=WEIGHTS.to_numpy()[:, None])
    np.testing.assert_allclose(scores["log_score"], expected, rtol=1e-9)
    assert np.all(scores["log_score_mcse"] > 0)


def test_weights_by_level(
    fits: dict[str, bl.Fit], forecasts: dict[str, xr.Dataset], later: xr.Dataset
) -> None:
    mixture = bl.forecast(stack(fits, BY_TASK), later, draws=DRAWS)
    log_score = np.stack(
        [score(forecast, later)["log_score"].values for forecast in forecasts.values()]
    )
    weights = BY_TASK.loc[later["task"].values].to_numpy().T
    np.testing.assert_array_equal(mixture["weight"], weights)
    expected = logsumexp(log_score, axis=0, b=weights)
    np.testing.assert_allclose(score(mixture, later)["log_score"], expected, rtol=1e-9)
    c4, books = (mixture["mean"].values[0][:, later["task"].values == t] for t in ("c4", "books"))
    unlikely = forecasts["discrepant"]["mean"].stack(all=("chain", "draw"))
    assert np.intersect1d(c4, unlikely).size == 0
    assert np.intersect1d(books, unlikely).size > 0


def test_draws_are_the_members_in_proportion(
    forecasts: dict[str, xr.Dataset], later: xr.Dataset
) -> None:
    mixture = stack_forecasts(forecasts, WEIGHTS)
    n_draws = mixture.sizes["draw"]
    assert (mixture.sizes["chain"], n_draws) == (1, DRAWS)
    for name, weight in WEIGHTS.items():
        for what in ("mean", "new_run", "law", "noise"):
            member = forecasts[str(name)][what].values.reshape(-1, later.sizes["run"])
            fraction = np.isin(mixture[what].values[0], member).mean(axis=0)
            assert np.all(np.abs(fraction - weight) < 5 / n_draws), (name, what)


def test_a_run_of_the_mixture_is_a_run_of_one_member(
    forecasts: dict[str, xr.Dataset], later: xr.Dataset
) -> None:
    """Along a curve the draws stay with their member, and mean and law with forecasts other."""
    mixture = stack_forecasts(forecasts, WEIGHTS).isel(chain=0)
    for what in ("law", "mean", "new_run"):
        member = forecasts["log-linear"][what].values.reshape(DRAWS, later.sizes["run"])
        same = mixture[what].values == member
        assert np.all(same.all(axis=1) == same.any(axis=1))
        assert abs(same[:, 0].mean() - WEIGHTS["log-linear"]) < 5 / DRAWS


def test_a_single_member_is_itself(forecasts: dict[str, xr.Dataset], later: xr.Dataset) -> None:
    certain = pd.Series({"power": 0.0, "log-linear": 0.0, "discrepant": 1.0})
    mixture, member = stack_forecasts(forecasts, certain), forecasts["discrepant"]
    for name in ("mean", "new_run", "law", "noise"):
        np.testing.assert_array_equal(
            mixture[name].values[0], member[name].values.reshape(-1, later.sizes["run"])
        )
    assert mixture["member"].values.tolist() == ["discrepant"]
    observed = later["loss"].values
    np.testing.assert_allclose(
        log_density(mixture, observed).ravel(), log_density(member, observed).ravel()
    )


def test_a_stack_is_a_forecast_like_any_other(
    fits: dict[str, bl.Fit], forecasts: dict[str, xr.Dataset], later: xr.Dataset
) -> None:
    mixture, plain = bl.forecast(stack(fits, WEIGHTS), later), forecasts["power"]
    assert set(plain.coords) <= set(mixture.coords)
    for name in ("response", "predictors", "groups", "observed", "observed_by_curve"):
        assert mixture.attrs[name] == plain.attrs[name], name
    assert mixture.attrs["law"] == "stack of power, log-linear, discrepant"
    assert mixture["mean"].attrs == {"long_name": "loss", "not_positive": 0.0}
    assert mixture["noise"].attrs == plain["noise"].attrs
    band = bl.interval(mixture, 0.9)["mean"]
    assert np.all(band.sel(bound="lower") < band.sel(bound="upper"))
    table = bl.score_table(score(mixture, later), by="task")
    assert table.index.tolist() == ["c4", "books", "code"]
    assert np.all(np.isfinite(table))
    assert bl.plot_forecast(mixture, later).axes


def test_fewer_draws_and_other_noise(fits: dict[str, bl.Fit], later: xr.Dataset) -> None:
    mixture = stack(fits, WEIGHTS)
    assert bl.forecast(mixture, later, draws=100).sizes["draw"] == 100
    noisy = bl.forecast(mixture, later, noise=bl.Fixed(0.5))
    np.testing.assert_allclose(noisy["noise"], 0.5)
    other = bl.forecast(mixture, later, random_seed=1)
    assert not np.array_equal(other["new_run"], bl.forecast(mixture, later)["new_run"])


def test_members_of_different_length(forecasts: dict[str, xr.Dataset], later: xr.Dataset) -> None:
    short = forecasts | {"power": forecasts["power"].isel(chain=[0], draw=slice(300))}
    mixture = stack_forecasts(short, WEIGHTS)
    assert mixture.sizes["draw"] == DRAWS
    log_score = np.stack(
        [score(forecast, later)["log_score"].values for forecast in short.values()]
    )
    expected = logsumexp(log_score, axis=0, b=WEIGHTS.to_numpy()[:, None])
    # Some of the 300 draws are there three times and others four times.
    np.testing.assert_allclose(score(mixture, later)["log_score"], expected, atol=0.05)


def test_where_a_curve_is_not_positive(known_fit: Callable[..., bl.Fit]) -> None:
    runs = bl.read_runs(
        pd.DataFrame({"N": np.geomspace(1e6, 1e9, 6), "loss": np.linspace(4, 3, 6)}),
        predictors=["N"],
    )
    ones = np.ones((2, 50, 1))
    falls = known_fit(bl.laws.log_linear, {"a": 8 * ones, "b": 0.3 * ones}, runs)
    stays = known_fit(bl.laws.pure_power, {"N_c": 1e10 * ones, "alpha": 0.1 * ones}, runs)
    weights = pd.Series({"falls": 0.25, "stays": 0.75})
    grid = bl.grid(N=1e12)  # where the first one is at -0.29
    mixture = bl.forecast(stack({"falls": falls, "stays": stays}, weights), grid)
    assert mixture["mean"].attrs["not_positive"] == pytest.approx(0.25, abs=0.03)
    observed = np.array([0.6])
    alone = log_density(bl.forecast(stays, grid), observed)
    np.testing.assert_allclose(log_density(mixture, observed), np.log(0.75) + alone.max())


# Levels without weights


@pytest.mark.parametrize("label", ["wiki", "c4"])
def test_levels_that_were_not_scored(fits: dict[str, bl.Fit], label: str) -> None:
    grid = bl.grid(N=1e9, task=label, dataset="web")
    new = ["task"] if label == "wiki" else []
    some = BY_TASK.drop(index="c4")
    sentence = (
        f"there are no weights for task '{label}'; those are for ['books', 'code'], and a row "
        "'population' would serve all others"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        bl.forecast(stack(fits, some), grid, draw_new=new)
    some.loc["population"] = [0.0, 1.0, 0.0]
    mixture = bl.forecast(stack(fits, some), grid, draw_new=new)
    assert mixture["member"].values.tolist() == ["log-linear"]


# Caveats


def test_caveats_name_their_members(fits: dict[str, bl.Fit], later: xr.Dataset) -> None:
    caveats = bl.forecast(stack(fits, WEIGHTS), later).attrs["caveats"]
    assert caveats == [f"{NO_DISCREPANCY} (power, log-linear)"]
    two = {name: fits[name] for name in ("power", "log-linear")}
    halves = pd.Series(0.5, list(two))
    assert bl.forecast(stack(two, halves), later).attrs["caveats"] == [NO_DISCREPANCY]


def test_a_member_that_failed_says_so_first(fits: dict[str, bl.Fit], later: xr.Dataset) -> None:
    tree = fits["discrepant"].tree.copy()
    tree.attrs["gate"] = replace(Gate.of(tree), divergences=7).to_json()
    some = fits | {"discrepant": replace(fits["discrepant"], tree=tree)}
    caveats = bl.forecast(stack(some, WEIGHTS), later).attrs["caveats"]
    assert caveats[0].startswith("NOT CONVERGED, do not use: 7 divergences")
    assert caveats[0].endswith("(discrepant)")
    without = pd.Series({"power": 1.0, "log-linear": 0.0, "discrepant": 0.0})
    assert bl.forecast(stack(some, without), later).attrs["caveats"] == [NO_DISCREPANCY]


# What cannot be mixed


def rows(index: Any) -> pd.DataFrame:
    return pd.DataFrame([WEIGHTS.to_dict()] * len(index), index)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (WEIGHTS.drop("power"), "there are weights for ['log-linear', 'discrepant'] and fits"),
        (WEIGHTS * 2, "weights must be nonnegative and sum to one, got [1.0, 0.4, 0.6]"),
        (WEIGHTS - [1, -1, 0], "weights must be nonnegative and sum to one, got [-0.5, 1.2,"),
        (rows(["c4"]), "rows of weights must be levels of a group, each once, with the group as"),
        (rows(pd.Index(["c4", "c4"], name="task")), "rows of weights must be levels of a group"),
        (
            rows(pd.Index(["c4"], name="lab")),
            "weights vary by 'lab', which is not a group of the fits",
        ),
    ],
    ids=["missing", "sum", "negative", "unnamed", "twice", "group"],
)
def test_invalid_weights(fits: dict[str, bl.Fit], weights: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        stack(fits, weights)


def test_no_fits() -> None:
    with pytest.raises(ValueError, match="each fit needs one weight"):
        stack({}, pd.Series(dtype=float))


@pytest.mark.parametrize(("what", "other"), [("response", "bits"), ("groups", ["task"])])
def test_fits_that_differ(fits: dict[str, bl.Fit], what: str, other: Any) -> None:
    power = fits["power"]
    changed = fits | {"power": replace(power, runs=power.runs.assign_attrs({what: other}))}
    sentence = f"'power' and 'log-linear' cannot be mixed: their {what} are {other!r} and "
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        stack(changed, WEIGHTS)


def test_forecasts_that_differ(forecasts: dict[str, xr.Dataset]) -> None:
    some = forecasts | {"power": forecasts["power"].isel(run=[0, 1])}
    with pytest.raises(ValueError, match=r"^'power' and 'log-linear' cannot be mixed: their runs"):
        stack_forecasts(some, WEIGHTS)
    mixed = forecasts | {"power": stack_forecasts(forecasts, WEIGHTS)}
    with pytest.raises(ValueError, match=r"^'power' is a mixture already; mix all its fits at"):
        stack_forecasts(mixed, WEIGHTS)
    blind = {name: forecast.drop_vars("task") for name, forecast in forecasts.items()}
    with pytest.raises(ValueError, match=r"^weights vary by 'task', and the forecast does not say"):
        stack_forecasts(blind, BY_TASK)


def test_a_stack_in_words(fits: dict[str, bl.Fit]) -> None:
    mixture = stack(fits, WEIGHTS)
    assert isinstance(mixture, Stack)
    lines = str(mixture).splitlines()
    assert lines[0] == "Stack of 3 fits, by weight:"
    assert [line.split() for line in lines[1:]] == [
        ["power", "0.5"], ["log-linear", "0.2"], ["discrepant", "0.3"],
    ]  # fmt: skip
