"""Parameters of new curves and levels, and what a grid must say."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import bayeslaw as bl

QUICK = {"draws": 100, "tune": 200, "chains": 2, "progressbar": False}


@pytest.fixture(scope="module")
def partial_fit(crossed_split: tuple[xr.Dataset, xr.Dataset]) -> bl.Fit:
    """A fit that never saw code from the news, though code and news apart."""
    train = crossed_split[0]
    left_out = (train["task"] == "code") & (train["dataset"] == "news")
    model = bl.Model(bl.laws.pure_power, pooling=["task", "dataset"], discrepancy=None)
    return bl.fit(
        model, train.isel(run=~left_out.values), sampler=bl.Sampler(random_seed=1, **QUICK)
    )


@pytest.fixture(scope="module")
def alone_fit(crossed_fit: bl.Fit) -> bl.Fit:
    """Twelve curves as if they had been fitted without pooling."""
    return replace(crossed_fit, model=bl.Model(bl.laws.power, pooling=None, discrepancy=None))


def relative_width(draws: xr.DataArray) -> np.ndarray:
    low, high = np.log(draws).quantile([0.25, 0.75], ("chain", "draw")).values
    return high - low


def test_known_levels_never_seen_together_are_forecast(
    partial_fit: bl.Fit, crossed_split: tuple[xr.Dataset, xr.Dataset]
) -> None:
    assert "code / news" not in partial_fit.tree["posterior"]["curve"].values
    both = bl.grid(N=1e8, task="code", dataset=["news", "web"])
    forecast = bl.forecast(partial_fit, both)
    unseen, observed = relative_width(forecast["mean"])
    assert unseen > 3 * observed  # its own deviation is drawn
    new = bl.grid(N=1e8, task="poems", dataset="plays")
    drawn = bl.forecast(partial_fit, new, draw_new=["task", "dataset"])
    assert unseen < relative_width(drawn["mean"])[0]  # its effects are known
    left_out = (crossed_split[0]["task"] == "code") & (crossed_split[0]["dataset"] == "news")
    truth = crossed_split[0].isel(run=left_out.values)
    band = bl.interval(bl.forecast(partial_fit, truth), 0.99)["mean"]
    assert np.all(band.sel(bound="lower") < truth["loss"])
    assert np.all(truth["loss"] < band.sel(bound="upper"))


def test_curves_of_a_new_level_share_its_effect(crossed_fit: bl.Fit) -> None:
    """Their levels correlate as the variances of the model say."""
    grid = bl.grid(N=1e7, task=["new", "other"], dataset=["web", "wiki"])
    forecast = np.log(bl.forecast(crossed_fit, grid, draw_new=["task"])["mean"])
    shift = forecast - forecast.mean(("chain", "draw"))
    same = float(xr.corr(shift.isel(run=0), shift.isel(run=1)))
    unconstrained = crossed_fit.tree["unconstrained_posterior"].to_dataset()
    task, own = (
        float((unconstrained["spread"].sel(spread_of=f"k {of}") ** 2).mean())
        for of in ("task", "own")
    )
    shared = task / (task + own)
    assert same > shared / 2
    apart = float(xr.corr(shift.isel(run=0), shift.isel(run=2)))
    assert apart < same


def test_a_new_level_is_drawn_from_the_population(crossed_fit: bl.Fit) -> None:
    """Moments of the noise of a new curve, against those that the draws of the fit imply."""
    forecast = bl.forecast(
        crossed_fit, bl.grid(N=1e7, task="new", dataset="unseen"), draw_new=["task", "dataset"]
    )
    unconstrained = crossed_fit.tree["unconstrained_posterior"].to_dataset()
    center = unconstrained["center"].sel(parameter="sigma")
    spread = unconstrained["spread"].sel(spread_of=["sigma own", "sigma task", "sigma dataset"])
    z = (np.log(forecast["noise"].isel(run=0)) - center) / np.sqrt((spread**2).sum("spread_of"))
    n = z.size
    assert abs(float(z.mean())) < 4 / np.sqrt(n)
    assert abs(float((z**2).mean()) - 1) < 4 * np.sqrt(2 / n)


@pytest.mark.parametrize(
    ("where", "draw_new", "sentence"),
    [
        (
            {"N": 1e9, "task": ["c4", "poems"], "dataset": "web"},
            (),
            "task 'poems' is not in this fit, which has ['c4', 'books', 'code']; to draw a new "
            "task from the population pass draw_new=['task']",
        ),
        (
            {"N": 1e9, "task": "poems", "dataset": "plays"},
            ("task",),
            "dataset 'plays' is not in this fit, which has ['web', 'wiki', 'forum', 'news']; to "
            "draw a new dataset from the population pass draw_new=['dataset']",
        ),
        (
            {"D": 1e9, "task": "c4", "dataset": "web"},
            (),
            "the grid has no 'N', which law 'power' needs; it has ['D']",
        ),
        (
            {"N": 1e9, "task": "c4"},
            (),
            "the grid does not say which 'dataset'; the fit has ['web', 'wiki', 'forum', 'news']",
        ),
    ],
    ids=["task", "dataset", "predictor", "group"],
)
def test_what_a_grid_lacks(
    crossed_fit: bl.Fit, where: dict, draw_new: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        bl.forecast(crossed_fit, bl.grid(**where), draw_new=draw_new)


@pytest.mark.parametrize(
    ("draw_new", "kind", "sentence"),
    [
        (
            ["tsk"],
            ValueError,
            "'tsk' in draw_new is not a group of the fit; did you mean 'task'? Those are "
            "['task', 'dataset']",
        ),
        (
            ["task", "zzz"],
            ValueError,
            "'zzz' in draw_new is not a group of the fit. Those are ['task', 'dataset']",
        ),
        ("task", TypeError, "draw_new takes a list of groups, got the string 'task'"),
    ],
)
def test_what_draw_new_names(
    crossed_fit: bl.Fit, draw_new: list[str] | str, kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=f"^{re.escape(sentence)}$"):
        bl.forecast(crossed_fit, bl.grid(N=1e9, task="c4", dataset="web"), draw_new=draw_new)


def test_without_pooling_nothing_is_known_of_other_curves(alone_fit: bl.Fit) -> None:
    sentence = (
        "no curve 'c4 / plays' in this fit, which was made without pooling: nothing is known "
        "about other curves"
    )
    grid = bl.grid(N=1e9, task="c4", dataset=["web", "plays"])
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        bl.forecast(alone_fit, grid, draw_new=["task", "dataset"])
    known = bl.forecast(alone_fit, bl.grid(N=1e9, task="c4", dataset=["web", "wiki"]))
    assert np.all(known["mean"] > 0)
