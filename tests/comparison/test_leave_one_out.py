"""Leave-one-curve-out, and exact leave-one-out by refitting, against normal closed forms."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import bayeslaw as bl
from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.pointwise import DrawsAtRuns
from bayeslaw._inference.posterior import posterior_dataset, unconstrained_dataset
from bayeslaw._inference.run_arrays import run_arrays_of
from bayeslaw._sampling.gate import Gate
from bayeslaw.comparison.leave_one_out import leave_one_curve_out, leave_one_out_exactly
from bayeslaw.diagnostics.psis_loo import leave_one_out

module = importlib.import_module("bayeslaw.comparison.leave_one_out")
SIGMA, TAU, OWN, OF_TASK, WIDE = 0.1, 0.2, 0.3, 0.4, 1.0


@bl.law
def constant(N, *, k: bl.Amplitude):
    """A level, whatever the size."""
    return k * N**0


def model_with(discrepancy: bl.Brownian | None) -> bl.Model:
    """Curves that differ in their level alone, by task and of their own; all else is known."""
    priors: dict[str, Any] = {"k": bl.LogNormal(1.0, 2.0), "sigma": bl.Fixed(SIGMA)}
    priors |= {"tau": bl.Fixed(TAU)} if discrepancy else {}
    return bl.Model(
        constant, pooling=["task"], noise=bl.Gaussian(), discrepancy=discrepancy, priors=priors
    )


@pytest.fixture(scope="module")
def runs() -> xr.Dataset:
    """Six curves of three tasks, three to five runs each."""
    rng = np.random.default_rng(4)
    rows = [
        {"N": 10.0**j, "loss": np.exp(0.4 * i + 0.1 * rng.normal()), "task": task, "data": data}
        for i, (task, data) in enumerate((t, d) for t in "abc" for d in "de")
        for j in range(4, 7 + i % 3)
    ]
    return bl.read_runs(pd.DataFrame(rows), predictors=["N"], groups=["task", "data"])


def covariance(model: bl.Model, runs: xr.Dataset) -> np.ndarray:
    """Of log responses and, behind them, the centre, three effects of tasks and all levels."""
    run_arrays = run_arrays_of(model, runs)
    levels, of_task = np.unique(run_arrays.curves["task"], return_inverse=True)
    to_level = np.hstack([np.ones((of_task.size, 1)), OF_TASK * np.eye(levels.size)[of_task]])
    above = np.diag([WIDE**2] + [1.0] * levels.size)
    of_levels = to_level @ above @ to_level.T + OWN**2 * np.eye(of_task.size)
    hidden = np.block([[above, above @ to_level.T], [to_level @ above, of_levels]])
    pick = np.zeros((run_arrays.curve.size, len(hidden)))
    pick[np.arange(run_arrays.curve.size), 1 + levels.size + run_arrays.curve] = 1
    away, same = run_arrays.position[0], run_arrays.curve[:, None] == run_arrays.curve
    brownian = np.minimum(abs(away), abs(away[:, None])) * (away * away[:, None] > 0) * same
    scatter = SIGMA**2 * np.eye(away.size) + (TAU**2 * brownian if model.discrepancy else 0)
    observed = pick @ hidden @ pick.T + scatter
    return np.block([[observed, pick @ hidden], [hidden @ pick.T, hidden]])


def given(joint: np.ndarray, known: np.ndarray, values: np.ndarray) -> tuple[Any, Any]:
    """Mean and covariance of all, given some."""
    gain = np.linalg.solve(joint[np.ix_(known, known)], joint[known]).T
    return gain @ values, joint - gain @ joint[known]


def density_given(joint: np.ndarray, known: np.ndarray, new: np.ndarray, y: np.ndarray) -> float:
    """Log density of some log responses given others."""
    mean, rest = given(joint, known, y[known])
    return float(stats.multivariate_normal.logpdf(y[new], mean[new], rest[np.ix_(new, new)]))


def exact_fit(model: bl.Model, runs: xr.Dataset, seed: int, draws: int = 500) -> bl.Fit:
    """Independent draws of the posterior, which is normal."""
    bound, joint = bind(model, runs), covariance(model, runs)
    run_arrays = bound.run_arrays
    n = run_arrays.curve.size
    mean, rest = given(joint, np.arange(n), np.log(run_arrays.response))
    rng = np.random.default_rng(seed)
    drawn = rng.multivariate_normal(mean[n:], rest[n:, n:], (4, draws), method="cholesky", tol=1e-6)
    tasks = np.unique(run_arrays.curves["task"]).size
    spread = np.broadcast_to([OWN, OF_TASK], (4, draws, 2))
    values = {"center": drawn[..., :1], "effects": drawn[..., 1 : 1 + tasks], "spread": spread}
    values["theta"] = drawn[..., None, 1 + tasks :]
    link = unconstrained_dataset(bound, values)
    posterior = posterior_dataset(bound, link)
    parameters = {name: posterior[name].values for name in model.roles}
    density = DrawsAtRuns.of(bound, parameters).pointwise_log_likelihood()
    likelihood = xr.Dataset({"loss": (("chain", "draw", "run"), density)}, {"run": runs["run"]})
    likelihood = likelihood.assign_coords(chain=range(4), draw=range(draws))
    groups = {
        "/posterior": posterior,
        "/unconstrained_posterior": link,
        "/log_likelihood": likelihood,
    }
    tree = xr.DataTree.from_dict(groups)
    tree.attrs["gate"] = Gate(1.0, 1000.0, 1000.0, "k", 0, 1.0, 4 * draws).to_json()
    return bl.Fit(model, runs, tree)


@pytest.mark.parametrize("discrepancy", [None, bl.Brownian()])
def test_curves_left_out_have_the_density_of_the_closed_form(
    runs: xr.Dataset, discrepancy: bl.Brownian | None
) -> None:
    """The mean over ten fits, within four standard errors between them."""
    model = model_with(discrepancy)
    curve, y = run_arrays_of(model, runs).curve, np.log(runs["loss"].values)
    joint = covariance(model, runs)
    exact = [
        density_given(joint, np.flatnonzero(curve != i), np.flatnonzero(curve == i), y)
        - y[curve == i].sum()  # of the raw responses
        for i in range(6)
    ]
    results = [leave_one_curve_out(exact_fit(model, runs, seed)) for seed in range(10)]
    each = np.array([loo.elpd_i for loo in results])
    error = each.std(axis=0, ddof=1) / np.sqrt(len(results))
    assert (error < 0.1).all()
    np.testing.assert_array_less(abs(each.mean(axis=0) - exact), 4 * error + 0.01)
    assert results[0].elpd == pytest.approx(each[0].sum())
    assert results[0].elpd_i["curve"].values.tolist() == [f"{t} / {d}" for t in "abc" for d in "de"]


def test_curves_pooled_without_groups_have_no_effects(runs: xr.Dataset) -> None:
    model = bl.Model(constant, pooling=(), discrepancy=None, priors={"sigma": bl.Fixed(SIGMA)})
    bound = bind(model, runs)
    draws = {
        "center": (("chain", "draw", "parameter"), np.full((2, 5, 1), 1.5)),
        "spread": (("chain", "draw", "spread_of"), np.full((2, 5, 1), OWN)),
    }
    mean, spread = module._population(bound, bound.hierarchy, xr.Dataset(draws))
    np.testing.assert_array_equal(mean, np.full((2, 5, 1, 6), 1.5))
    np.testing.assert_array_equal(spread, np.full((2, 5, 1), OWN))


def test_no_population_or_no_closed_form(lone_fit: bl.Fit, crossed_fit: bl.Fit) -> None:
    assert leave_one_curve_out(lone_fit) is None
    unpooled = replace(crossed_fit, model=bl.Model(bl.laws.power, pooling=None, discrepancy=None))
    assert leave_one_curve_out(unpooled) is None
    augmented = bl.Model(bl.laws.power, pooling=["task", "dataset"], noise=bl.StudentT())
    assert leave_one_curve_out(replace(crossed_fit, model=augmented)) is None


# Exact refits of runs

type Calls = list[dict[str, Any]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Exact posteriors in place of sampling; the calls are recorded."""
    recorded: Calls = []

    def refit(model: bl.Model, many: Sequence[xr.Dataset], **sampler: Any) -> list[bl.Fit]:
        recorded.append({"many": many, **sampler})
        return [exact_fit(model, each, i) for i, each in enumerate(many)]

    monkeypatch.setattr(module, "refit", refit)
    return recorded


def with_bad(monkeypatch: pytest.MonkeyPatch, bad: Sequence[int]) -> None:
    """Some runs are too influential, the others are not."""

    def with_high_k(fit: bl.Fit) -> Any:
        loo, k = leave_one_out(fit), np.zeros(fit.runs.sizes["run"])
        k[list(bad)] = 0.9
        return replace(loo, pareto_k=loo.pareto_k.copy(data=k))

    monkeypatch.setattr(module, "leave_one_out", with_high_k)


def test_influential_runs_are_left_out_exactly(
    runs: xr.Dataset, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, y = model_with(None), np.log(runs["loss"].values)
    with_bad(monkeypatch, [2, 7])
    fit = exact_fit(model, runs, 1)
    loo, smoothed = (
        leave_one_out_exactly(fit, sampler=bl.Sampler(random_seed=1)),
        leave_one_out(fit),
    )
    [call] = calls
    assert [sorted({*range(24)} - {*each["run"].values.tolist()}) for each in call["many"]] == [
        [2], [7]
    ]  # fmt: skip
    joint = covariance(model, runs)
    for i in (2, 7):
        known = np.delete(np.arange(24), i)
        exact = density_given(joint, known, np.array([i]), y) - y[i]
        assert loo.elpd_i.values[i] == pytest.approx(exact, abs=0.05)  # 2,000 draws
    rest = np.delete(np.arange(24), [2, 7])
    np.testing.assert_array_equal(loo.elpd_i[rest], smoothed.elpd_i[rest])
    assert (loo.pareto_k == 0).all()
    assert loo.elpd == pytest.approx(float(loo.elpd_i.sum()))
    assert loo.p - smoothed.p == pytest.approx(smoothed.elpd - loo.elpd)
    assert not loo.warning


def test_nothing_is_refitted_without_need(
    runs: xr.Dataset, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_bad(monkeypatch, [])
    fit = exact_fit(model_with(None), runs, 1)
    loo, smoothed = (
        leave_one_out_exactly(fit, sampler=bl.Sampler(random_seed=1)),
        leave_one_out(fit),
    )
    assert calls[0]["many"] == []
    for name in ("elpd", "se", "p"):
        assert getattr(loo, name) == pytest.approx(getattr(smoothed, name), rel=1e-12)


def test_a_refit_that_failed_changes_nothing(
    runs: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refit(model: bl.Model, many: Sequence[xr.Dataset], **_: Any) -> list[bl.Fit]:
        fits = [exact_fit(model, each, i) for i, each in enumerate(many)]
        tree = fits[0].tree
        tree.attrs["gate"] = replace(Gate.of(tree), divergences=7).to_json()
        return fits

    monkeypatch.setattr(module, "refit", refit)
    with_bad(monkeypatch, [2, 7])
    fit = exact_fit(model_with(None), runs, 1)
    loo, smoothed = (
        leave_one_out_exactly(fit, sampler=bl.Sampler(random_seed=1)),
        leave_one_out(fit),
    )
    assert loo.elpd_i.values[2] == smoothed.elpd_i.values[2]
    assert (loo.pareto_k.values[2], loo.pareto_k.values[7]) == (0.9, 0)
    assert loo.warning


def test_the_last_run_of_a_curve_comes_from_the_population(
    runs: xr.Dataset, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A curve, of a task of its own, whose only run is left out."""
    lone = (runs["task"] != "c") | ((runs["data"] == "d") & (runs["N"] == 1e4))
    few = runs.isel(run=lone.values)
    with_bad(monkeypatch, [few.sizes["run"] - 1])
    loo = leave_one_out_exactly(
        exact_fit(model_with(None), few, 1), sampler=bl.Sampler(random_seed=1)
    )
    assert np.isfinite(loo.elpd)


def test_options_are_passed_to_the_sampler(
    runs: xr.Dataset, calls: Calls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_bad(monkeypatch, [2])
    fit = exact_fit(model_with(None), runs, 1, draws=50)
    leave_one_out_exactly(fit, sampler=bl.Sampler(1))
    given: dict[str, Any] = {"sampler": bl.Sampler(1), "executor": None, "store": None}
    assert {name: calls[0][name] for name in given} == given
    sampler = bl.Sampler(2, draws=3, tune=4, chains=5, target_accept=0.7)
    with ThreadPoolExecutor(1) as executor:
        given = {"sampler": sampler, "executor": executor, "store": tmp_path}
        leave_one_out_exactly(fit, **given)
        assert {name: calls[1][name] for name in given} == given
