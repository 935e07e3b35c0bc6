"""Many fits of one model: the same as one by one, in threads and processes, and resumed."""

from __future__ import annotations

import importlib
import pickle
import re
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import arviz as az
import numpy as np
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate
from bayeslaw._sampling.importance import ImportanceDraws
from bayeslaw._sampling.nuts import Sampler
from bayeslaw._sampling.time_limit import TimeLimit

QUICK = {"draws": 25, "tune": 100, "chains": 2, "target_accept": 0.9, "progressbar": False}
MODEL = bl.Model(bl.laws.pure_power, pooling=["task", "dataset"])
SECOND_ATTEMPT = {"draws": 4 * 25, "tune": 2 * 100, "chains": 2, "target_accept": 0.9}


@pytest.fixture(scope="module")
def fewer(crossed_split: tuple[xr.Dataset, xr.Dataset]) -> xr.Dataset:
    """Nine curves of three tasks and three data sets, one run missing."""
    train = crossed_split[0]
    return train.isel(run=(train["dataset"] != "news").values).isel(run=slice(1, None))


@pytest.fixture(scope="module")
def alone(crossed_split: tuple[xr.Dataset, xr.Dataset]) -> xr.Dataset:
    """One curve, which cannot be pooled."""
    train = crossed_split[0]
    return train.isel(run=((train["task"] == "c4") & (train["dataset"] == "web")).values)


@pytest.fixture(scope="module")
def both(
    crossed_split: tuple[xr.Dataset, xr.Dataset], fewer: xr.Dataset, alone: xr.Dataset
) -> list[bl.Fit]:
    return bl.refit(
        MODEL, [crossed_split[0], fewer, alone], sampler=bl.Sampler(random_seed=5, **QUICK)
    )


def test_refits_are_fits_bit_for_bit(both: list[bl.Fit], fewer: xr.Dataset) -> None:
    first, second, _ = both
    assert first.tree["posterior"].sizes["curve"] == 12
    assert second.tree["posterior"].sizes["curve"] == 9
    # Compiled for the first, used for the second, which has other runs, curves and levels. So few
    # draws do not pass the gate, so they were made once more.
    assert not Gate.of(second.tree).passed
    whole = bl.fit(
        MODEL, fewer, sampler=bl.Sampler(random_seed=6, cores=1, **{**QUICK, **SECOND_ATTEMPT})
    )
    for group in ("posterior", "unconstrained_posterior"):
        many = whole.tree[group].to_dataset().isel(draw=slice(SECOND_ATTEMPT["draws"]))
        xr.testing.assert_identical(second.tree[group].to_dataset(), many)
    assert not np.array_equal(
        first.tree["unconstrained_posterior"]["center"],
        second.tree["unconstrained_posterior"]["center"],
    )


def test_runs_of_another_structure_are_compiled_apart(
    both: list[bl.Fit], alone: xr.Dataset
) -> None:
    lone = both[2]
    assert lone.runs.identical(alone)
    assert lone.tree["posterior"].sizes["curve"] == 1
    assert "center" not in lone.tree["unconstrained_posterior"]


def test_refits_have_what_forecasts_need(
    both: list[bl.Fit], crossed_split: tuple[xr.Dataset, xr.Dataset]
) -> None:
    assert {"posterior", "unconstrained_posterior", "sample_stats", "observed_data"} <= set(
        both[0].tree
    )
    assert not {"prior", "log_likelihood", "posterior_predictive"} & set(both[0].tree)
    assert bl.forecast(both[0], crossed_split[1]).sizes["run"] == crossed_split[1].sizes["run"]


def test_importance_sampling_agrees_with_nuts(lone_runs: xr.Dataset, lone_fit: bl.Fit) -> None:
    [fit] = bl.refit(
        lone_fit.model,
        [lone_runs],
        sampler=bl.Sampler(random_seed=1, importance=True, progressbar=False),
    )
    assert Gate.of(fit.tree).passed
    assert Gate.of(fit.tree).bfmi == np.inf
    assert 0 < fit.tree["sample_stats"].attrs["pareto_k"] < 0.67
    assert fit.tree["posterior"].sizes["draw"] == 1000
    for name in lone_fit.model.roles:
        quick, slow = (each.tree["posterior"].to_dataset()[[name]] for each in (fit, lone_fit))
        for method, of in (("mean", lambda x: x.mean()), ("sd", lambda x: x.std())):
            errors = [float(az.mcse(x, method=method)[name].max()) for x in (quick, slow)]
            difference = abs(float(of(quick[name]) - of(slow[name])))
            assert difference < 4 * np.hypot(*errors), f"{method} of {name}"


def test_nuts_samples_what_importance_sampling_refuses(
    alone: xr.Dataset, both: list[bl.Fit], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        importlib.import_module("bayeslaw._sampling.sample_posterior"), "importance_draws", _nothing
    )
    [fit] = bl.refit(MODEL, [alone], sampler=bl.Sampler(random_seed=7, importance=True, **QUICK))
    xr.testing.assert_identical(
        fit.tree["unconstrained_posterior"].to_dataset(),
        both[2].tree["unconstrained_posterior"].to_dataset(),
    )


def _nothing(*_: Any) -> Iterator[ImportanceDraws]:
    return iter([])


@pytest.mark.parametrize("good", [0, 1, 2])
def test_importance_draws_that_fail_the_gate_are_followed_by_others(
    good: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampling = importlib.import_module("bayeslaw._sampling.sample_posterior")
    attempts = [ImportanceDraws(np.full((4, 2), i), np.full(4, i), 0.1) for i in (0, 1)]
    monkeypatch.setattr(sampling, "importance_draws", lambda *_: iter(attempts))
    compiled = SimpleNamespace(initial_points=None, flat_variables=lambda points: points)

    def from_flat(rows: np.ndarray, stats: xr.Dataset) -> Any:
        passed = bool(stats["logp"].max() >= good)
        return SimpleNamespace(rows=rows, gate=SimpleNamespace(passed=passed))

    sampler = Sampler(1, draws=2, chains=2, importance=True)
    draws = sampling._by_importance(compiled, sampler, TimeLimit(), from_flat)
    assert draws.gate.passed == (good < 2)
    np.testing.assert_array_equal(draws.rows, np.full((2, 2, 2), min(good, 1)))


def test_several_modes_are_left_to_nuts() -> None:
    @dataclass
    class CompiledDensity:
        initial_points: Any

    sampling = importlib.import_module("bayeslaw._sampling.sample_posterior")
    compiled, sampler = CompiledDensity(np.zeros((2, 3))), Sampler(1, importance=True)
    assert sampling._by_importance(compiled, sampler, TimeLimit(), _nothing) is None


def test_a_lazy_module_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lazy:
        """As ArviZ leaves jax: it loads at first use, and cannot be used meanwhile."""

        state = "new"

        def __getattr__(self, name: str) -> type:
            if self.state == "loading":
                raise AttributeError(name)
            if self.state == "new":
                self.state = "loading"
                time.sleep(0.1)
                self.state = "loaded"
            return int

    refit = importlib.import_module("bayeslaw.fitting.refit")
    monkeypatch.setitem(sys.modules, "jax", Lazy())
    fit = SimpleNamespace(tree=None)
    monkeypatch.setattr(refit, "_fit", lambda *_: sys.modules["jax"].Array and fit)
    monkeypatch.setattr(refit, "Gate", SimpleNamespace(of=lambda _: SimpleNamespace(passed=True)))
    job = SimpleNamespace(is_stored=False, store=None)
    with ThreadPoolExecutor(4) as threads:
        done = [threads.submit(refit._run, job) for _ in range(4)]
        assert [each.result() for each in done] == [(None, True)] * 4


def test_nothing_to_refit() -> None:
    assert bl.refit(MODEL, [], sampler=bl.Sampler(random_seed=1)) == []


def test_runs_without_a_response_are_refused_before_sampling(
    crossed_split: tuple[xr.Dataset, xr.Dataset],
) -> None:
    class Never(Executor):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            pytest.fail("sampled")

    grid = bl.grid(N=[1e6], task="c4", dataset="web")
    with pytest.raises(bl.errors.RunsError, match="no response to fit"):
        bl.refit(
            MODEL,
            [crossed_split[0], grid],
            executor=Never(),
            sampler=bl.Sampler(random_seed=1, **QUICK),
        )


def test_stored_fits_are_not_sampled_again(
    alone: xr.Dataset, both: list[bl.Fit], tmp_path: Path
) -> None:
    store = tmp_path / "fits"
    made = bl.refit(MODEL, [alone], store=store, sampler=bl.Sampler(random_seed=7, **QUICK))
    xr.testing.assert_identical(
        made[0].tree["unconstrained_posterior"].to_dataset(),
        both[2].tree["unconstrained_posterior"].to_dataset(),
    )
    files = {path: path.stat().st_mtime_ns for path in store.rglob("*")}

    class Never(Executor):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            pytest.fail("sampled")

    again = bl.refit(
        MODEL,
        [alone],
        store=str(store),
        executor=Never(),
        sampler=bl.Sampler(random_seed=7, **QUICK),
    )
    xr.testing.assert_identical(
        again[0].tree["posterior"].to_dataset(), made[0].tree["posterior"].to_dataset()
    )
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == files


@pytest.mark.parametrize("change", [{"random_seed": 8}, {"draws": 26}], ids=["seed", "draws"])
def test_other_settings_are_other_fits_of_a_store(
    alone: xr.Dataset, tmp_path: Path, change: dict[str, int]
) -> None:
    sent = []

    class Recording(ThreadPoolExecutor):
        def submit(self, function: Any, job: Any) -> Future[Any]:  # type: ignore[override]
            sent.append(job)
            return super().submit(function, job)

    settings = {"random_seed": 7, **QUICK}
    for each in (settings, settings | change):
        with Recording(1) as executor:
            bl.refit(MODEL, [alone], store=tmp_path, executor=executor, sampler=bl.Sampler(**each))
    assert len(sent) == 2


def test_a_job_can_be_sent_to_another_process(alone: xr.Dataset, tmp_path: Path) -> None:
    @bl.law
    def own(N, *, k: bl.Amplitude, alpha: bl.Exponent):
        """A law that no other process can import."""
        return k * N**-alpha

    job = importlib.import_module("bayeslaw.fitting.refit")._RefitJob(
        bl.Model(own), alone, Sampler(1), str(tmp_path)
    )
    name = job.key  # cached with the job once computed
    back = pickle.loads(pickle.dumps(job))
    assert back.key == name
    assert back.model.law(2.0, k=3.0, alpha=1.0) == 1.5


def test_fits_done_before_a_job_was_killed_are_stored(alone: xr.Dataset, tmp_path: Path) -> None:
    class Killed(ThreadPoolExecutor):
        left = 1

        def submit(self, function: Any, job: Any) -> Future[Any]:  # type: ignore[override]
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            done = super().submit(function, job)
            done.result()
            return done

    twice = [alone, alone.isel(run=slice(1, None))]
    with pytest.raises(KeyboardInterrupt), Killed(1) as executor:
        bl.refit(
            MODEL,
            twice,
            store=tmp_path,
            executor=executor,
            sampler=bl.Sampler(random_seed=7, **QUICK),
        )
    stored = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(stored) == 1
    fits = bl.refit(MODEL, twice, store=tmp_path, sampler=bl.Sampler(random_seed=7, **QUICK))
    assert [fit.runs.sizes["run"] for fit in fits] == [6, 5]


def test_an_interrupt_ends_the_fits_of_all_threads(
    alone: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    refit, ended = importlib.import_module("bayeslaw.fitting.refit"), []

    def endless(_: Any, interrupted: threading.Event) -> bl.Fit:
        ended.append(interrupted.wait(60))
        raise KeyboardInterrupt

    def interrupt(pending: Any, *_: Any) -> Any:
        while not any(future.running() for future in pending):
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(refit, "_fit", endless)
    monkeypatch.setattr(refit, "_completed", interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        bl.refit(MODEL, [alone] * 3, sampler=bl.Sampler(random_seed=7, **QUICK))
    assert ended
    assert all(ended)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("target_accept", "divergences", "expected", "draws"),
    [(None, 0, 0.9, 200), (None, 3, 0.995, 100), (0.8, 3, 0.8, 100)],
)
def test_the_second_attempt_has_more_draws_and_smaller_steps(
    target_accept: float | None, divergences: int, expected: float, draws: int
) -> None:
    sampler = Sampler(1, 50, 60, 4, 1, target_accept)
    failed = Gate(1.2, 50, 50, "alpha", divergences, 1.0, 200)
    second = importlib.import_module("bayeslaw.fitting.refit")._second_attempt(sampler, failed)
    assert (second.draws, second.tune, second.max_draws_factor) == (draws, 120, 1)
    assert second.target_accept == expected


def test_progress_says_how_many_failed(
    alone: xr.Dataset, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module("bayeslaw._progress"), "PATIENCE", 0.0)
    bl.refit(MODEL, [alone], sampler=bl.Sampler(random_seed=7, **{**QUICK, "progressbar": True}))
    output = capsys.readouterr()
    *_, before, last = output.err.splitlines()
    assert (output.out, before) == ("", "Fitting: 100%, 0 s left, 1 not converged")
    assert re.fullmatch(r"Fitting: done in \d+ s, 1 not converged", last)
