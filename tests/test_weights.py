"""Stacking, pseudo-BMA and hierarchical stacking weights, against closed forms."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import norm

import bayeslaw as bl
from bayeslaw.weights import (
    equal_weights,
    hierarchical_weights,
    log_scores,
    pseudo_bma_weights,
    stacking_weights,
)

LAWS = ["power", "log-linear", "broken"]


def frame(values: Any, curves: list[str] | None = None) -> pd.DataFrame:
    values = np.asarray(values, dtype=float)
    index = None if curves is None else pd.Index(curves, name="task")
    return pd.DataFrame(values, index, LAWS[: values.shape[1]])


# A table of log scores


@pytest.fixture(scope="module")
def later() -> xr.Dataset:
    return bl.grid(task=["c4", "code"], N=[1e9, 1e10]).assign_attrs(response="loss")


def scored(runs: xr.Dataset, values: list[float]) -> xr.Dataset:
    return runs.assign(log_score=("run", values))


def test_scores_of_several_models(later: xr.Dataset) -> None:
    values = {"power": [1.0, 2.0, 3.0, 4.0], "log-linear": [5.0, 6.0, 7.0, 8.0]}
    scores = log_scores({name: scored(later, value) for name, value in values.items()})
    assert scores.to_dict("list") == values
    assert scores.index.name == "task"
    assert scores.index.tolist() == ["c4", "c4", "code", "code"]


def test_scores_of_one_curve() -> None:
    runs = bl.grid(N=[1e9, 1e10]).assign_attrs(response="loss")
    scores = log_scores({"power": scored(runs, [1.0, 2.0])})
    assert scores.index.tolist() == ["all", "all"]
    assert scores["power"].tolist() == [1.0, 2.0]


def test_scores_of_a_backtest(later: xr.Dataset) -> None:
    """Two origins, the second of which reaches fewer runs; a baseline has no log score."""
    runs = xr.concat([later, later.isel(run=[1, 3])], "run", combine_attrs="override")
    origin = ("run", [1e8] * 4 + [1e9] * 2)
    parts = [
        scored(runs, values).assign_coords(origin=origin, model=("run", [name] * 6))
        for name, values in (
            ("power", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            ("last value", [np.nan] * 6),
            ("log-linear", [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0]),
        )
    ]
    scores = log_scores(xr.concat(parts, "run", combine_attrs="override"))
    assert scores.columns.tolist() == ["power", "log-linear"]
    assert sorted(scores["power"]) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    np.testing.assert_array_equal(scores["power"], -scores["log-linear"])
    assert sorted(scores.loc["c4", "power"]) == [1.0, 2.0, 5.0]


def test_models_scored_at_different_runs(later: xr.Dataset) -> None:
    few = scored(later, [1.0, 2.0, 3.0, 4.0]).isel(run=[0, 1, 2])
    sentence = "model 'few' has no log score at 1 of 4 runs; weights need all models scored on"
    with pytest.raises(ValueError, match=re.escape(sentence)):
        log_scores({"all": scored(later, [1.0, 2.0, 3.0, 4.0]), "few": few})


# Stacking


def test_models_that_take_turns() -> None:
    """Where only one model has a density at each curve, weights are shares of curves."""
    never = -np.inf
    weights = stacking_weights(frame([[0.3, never], [2.0, never], [0.1, never], [never, 0.5]]))
    np.testing.assert_allclose(weights, [0.75, 0.25], atol=1e-6)
    assert weights.index.tolist() == ["power", "log-linear"]


def test_curves_count_alike_in_stacking() -> None:
    never = -np.inf
    rows = [[0.0, never]] * 9 + [[never, 0.0]]
    weights = stacking_weights(frame(rows, ["c4"] * 9 + ["code"]))
    np.testing.assert_allclose(weights, [0.5, 0.5], atol=1e-6)


@given(st.integers(0, 10**6), st.integers(1, 3), st.floats(0.01, 30))
@settings(max_examples=50, deadline=None)
def test_stacking_is_the_best_mixture(seed: int, n_models: int, apart: float) -> None:
    """At the optimum of a concave function no model gains by more weight (Kuhn and Tucker)."""
    scores = frame(apart * np.random.default_rng(seed).standard_normal((20, n_models)))
    weights = stacking_weights(scores)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)
    density = np.exp(scores.to_numpy())
    gain = (density / (density @ weights.to_numpy())[:, None]).mean(axis=0)
    assert np.all(gain <= 1 + 1e-3)
    np.testing.assert_allclose(gain[weights > 0.01], 1, atol=1e-3)


def test_a_mixture_scores_better_than_the_best_model() -> None:
    rng = np.random.default_rng(1)
    observed = np.where(rng.random(200) < 0.6, -1.0, 1.0) + 0.5 * rng.standard_normal(200)
    scores = frame(np.stack([norm.logpdf(observed, m, 0.5) for m in (-1.0, 1.0)], axis=1))
    weights = stacking_weights(scores).to_numpy()
    mixed = np.log(np.exp(scores.to_numpy()) @ weights).mean()
    assert mixed > scores.mean().max() + 0.5
    # The truth is such a mixture: its weights are weights within four standard errors.
    assert abs(weights[0] - 0.6) < 4 * np.sqrt(0.6 * 0.4 / 200)


# Pseudo-BMA and equal weights


def test_equal_weights() -> None:
    weights = equal_weights(frame([[1.0, 9.0, 2.0]]))
    np.testing.assert_allclose(weights, [1 / 3] * 3)
    assert weights.index.tolist() == LAWS


def test_a_lead_that_all_curves_share() -> None:
    """Nothing is left to the bootstrap: weights are those of the sums of log scores."""
    scores = frame([[0.5, 0.3, 0.0], [2.5, 2.3, 2.0], [-1.0, -1.2, -1.5]])
    np.testing.assert_allclose(pseudo_bma_weights(scores), softmax([1.5, 0.9, 0.0]))


def test_a_lead_of_one_curve_counts_for_little() -> None:
    lead = [[0.0, 0.0]] * 9 + [[20.0, 0.0]]
    plain = softmax([20.0, 0.0])[0]
    assert plain > 0.999999
    assert 0.8 < pseudo_bma_weights(frame(lead))["power"] < 0.98


def test_the_bootstrap_of_two_curves() -> None:
    """With two curves the importance of the first is uniform, so the weight is an integral."""
    scores = frame([[1.0, 0.0], [0.0, 2.0]])
    share = (np.arange(10_000) + 0.5) / 10_000
    weight = 1 / (1 + np.exp(-2 * (share - 2 * (1 - share))))
    weights = pseudo_bma_weights(scores, draws=4000, random_seed=3)["power"]
    assert abs(weights - weight.mean()) < 4 * weight.std() / np.sqrt(4000)
    assert weights == pseudo_bma_weights(scores, draws=4000, random_seed=3)["power"]
    assert weights != pseudo_bma_weights(scores, draws=4000, random_seed=4)["power"]


def test_the_mean_of_a_curve_counts_in_pseudo_bma() -> None:
    scores = frame([[1.0, 0.0], [3.0, 0.0], [0.5, 0.0]], ["c4", "c4", "code"])
    means = frame([[2.0, 0.0], [0.5, 0.0]], ["c4", "code"])
    pd.testing.assert_series_equal(pseudo_bma_weights(scores), pseudo_bma_weights(means))


# Weights by the levels of a group


def by_importance(scores: pd.DataFrame, draws: int) -> np.ndarray:
    """Posterior mean weights of two levels by importance sampling from the prior."""
    rng, n_models = np.random.default_rng(5), scores.shape[1]
    common, sd = (
        rng.standard_normal((draws, 1, n_models)),
        rng.standard_normal((draws, 1, n_models)),
    )
    own = rng.standard_normal((draws, 2, n_models))
    weights = softmax(common + np.abs(sd) * own, axis=2)
    level = pd.factorize(scores.index)[0]
    rows = np.einsum("drk,rk->dr", weights[:, level], np.exp(scores.to_numpy()))
    share = 1 / np.bincount(level)[level]
    importance = np.exp(np.log(rows) @ share)
    return np.einsum("d,dgk->gk", importance / importance.sum(), weights)


def test_weights_of_levels_are_posterior_means() -> None:
    rows = [[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0, 1.5, 0.0]]
    scores = frame(rows, ["c4", "c4", "code"])
    seeds = [hierarchical_weights(scores, "task", draws=1000, random_seed=i) for i in range(6)]
    means = np.stack([weights.to_numpy() for weights in seeds])
    error = means.std(axis=0, ddof=1) / np.sqrt(len(means))
    expected = by_importance(scores, 200_000)
    assert np.all(np.abs(means.mean(axis=0)[:2] - expected) < 5 * error[:2] + 0.003)
    np.testing.assert_allclose(means.sum(axis=2), 1)
    assert seeds[0].index.tolist() == ["c4", "code", "population"]
    assert seeds[0].index.name == "task"


def many(n_c4: int, n_code: int) -> pd.DataFrame:
    """The first law is better by 3 in c4, the second in code."""
    curves = [("c4", str(i)) for i in range(n_c4)] + [("code", str(i)) for i in range(n_code)]
    index = pd.MultiIndex.from_tuples(curves, names=["task", "dataset"])
    return pd.DataFrame([[3.0, 0.0]] * n_c4 + [[0.0, 3.0]] * n_code, index, LAWS[:2])


def test_a_level_with_few_curves_stays_near_the_others() -> None:
    few, enough = (hierarchical_weights(many(20, n), "task", draws=1000) for n in (1, 20))
    assert enough.loc["c4", "power"] > 0.85
    assert enough.loc["code", "power"] < 0.15
    assert 0.35 < enough.loc["population", "power"] < 0.65
    assert enough.loc["code", "power"] + 0.1 < few.loc["code", "power"] < few.loc["c4", "power"]
    assert few.loc["population", "power"] > 0.6


def test_default_draws_are_enough() -> None:
    first, second = (hierarchical_weights(many(4, 3), "task", random_seed=i) for i in (0, 1))
    assert np.abs(first - second).to_numpy().max() < 0.05


# Invalid input


@pytest.mark.parametrize("weights", [stacking_weights, pseudo_bma_weights])
@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        (frame(np.empty((0, 2))), "there are no log scores to compute weights from"),
        (frame([[1.0, np.nan]]), "model 'log-linear' has no log score at 1 of 1 runs"),
        (frame([[-np.inf, -np.inf]], ["c4"]), "no model gives a run of curve 'c4' a positive"),
    ],
    ids=["none", "missing", "impossible"],
)
def test_invalid_scores(weights: Any, scores: pd.DataFrame, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}"):
        weights(scores)


def test_sums_that_are_not_finite() -> None:
    scores = frame([[-np.inf, 0.0], [0.0, -np.inf]])
    np.testing.assert_allclose(stacking_weights(scores), [0.5, 0.5], atol=1e-6)
    with pytest.raises(ValueError, match=r"^every model gives some run a density of zero"):
        pseudo_bma_weights(scores)


@pytest.mark.parametrize(
    ("label", "group", "sentence"),
    [
        ("c4", "dataset", "the scores have no group 'dataset'; those are ['task']"),
        ("population", "task", "task 'population' is the name of the row for levels not scored"),
    ],
)
def test_invalid_groups(label: str, group: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        hierarchical_weights(frame([[1.0, 2.0]], [label]), group)
