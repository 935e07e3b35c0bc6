"""Sampling that its time limit ends: which draws there are then, and that the fit says so."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate
from bayeslaw._sampling.nuts import TraceInterrupted
from bayeslaw._sampling.sample_posterior import PosteriorDraws, SamplingInterrupted
from bayeslaw._sampling.time_limit import TimeLimit, TimeLimitReached
from bayeslaw.fitting.fit_store import store_key

module = importlib.import_module("bayeslaw._sampling.sample_posterior")
ENDLESS = {"draws": 500_000, "max_draws_factor": 1, "chains": 2, "progressbar": False}
LIMIT = 1.0
SAYS_SO = "Sampling was ended by max_seconds=1, after "


@pytest.mark.parametrize(
    ("limit", "is_over"), [(TimeLimit(), False), (TimeLimit(1e9), False), (TimeLimit(1e-9), True)]
)
def test_the_time_is_over(limit: TimeLimit, is_over: bool) -> None:
    assert limit.is_over is is_over


def draws(number: int, passed: bool = False) -> PosteriorDraws:
    """Draws with a gate, which passes or has divergences, and nothing else."""
    gate = Gate(1.0, 1e4, 1e4, "alpha", 0 if passed else 3, 1.0, number)
    nothing = xr.Dataset()
    return PosteriorDraws(nothing, nothing, nothing, gate, 1.0)


CUT_SHORT = pytest.mark.parametrize(
    ("before", "whole", "cut_short", "expected"),
    [
        (None, [], draws(20), 20),
        (None, [draws(500)], None, 500),
        (None, [draws(500)], draws(40), 500),
        (None, [draws(500)], draws(40, passed=True), 40),
        (None, [draws(500), draws(1000)], None, 1000),
        (draws(300), [], None, 300),
        (draws(300), [], draws(400), 400),
    ],
)


def rounds(whole: list[PosteriorDraws], end: BaseException) -> Any:
    """In place of `nuts_traces`: draws of one round for each target acceptance, then the end."""
    complete = iter(whole)

    def nuts_traces(*_: Any) -> Any:
        for trace in complete:
            yield trace
            return
        raise end

    return nuts_traces


@CUT_SHORT
def test_the_best_draws_so_far_are_used(
    before: PosteriorDraws | None,
    whole: list[PosteriorDraws],
    cut_short: Any,
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end = TimeLimitReached(70, cut_short)
    monkeypatch.setattr(module, "nuts_traces", rounds(whole, end))
    limit, sampler = TimeLimit(60.0), bl.Sampler(1)
    result = module._by_nuts(None, sampler, limit, lambda trace: trace, before)
    assert result.gate.draws == expected
    assert result.gate.time_limit == 60


@CUT_SHORT
def test_an_interrupt_of_any_round_keeps_the_best_draws(
    before: PosteriorDraws | None,
    whole: list[PosteriorDraws],
    cut_short: Any,
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end = KeyboardInterrupt() if cut_short is None else TraceInterrupted(cut_short)
    monkeypatch.setattr(module, "nuts_traces", rounds(whole, end))
    with pytest.raises(SamplingInterrupted) as caught:
        module._by_nuts(None, bl.Sampler(1), TimeLimit(), lambda trace: trace, before)
    assert caught.value.draws.gate.draws == expected


def test_an_interrupt_before_there_are_draws_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "nuts_traces", rounds([], KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt) as caught:
        module._by_nuts(None, bl.Sampler(1), TimeLimit(), lambda trace: trace, None)
    assert type(caught.value) is KeyboardInterrupt


def test_each_attempt_knows_the_gates_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, whole = [], iter([draws(500), draws(600), draws(700, passed=True)])

    def nuts_traces(_: Any, attempt: bl.Sampler, __: Any, failed: list[Gate]) -> Any:
        seen.append((attempt.target_accept, [gate.draws for gate in failed]))
        yield next(whole)

    monkeypatch.setattr(module, "nuts_traces", nuts_traces)
    module._by_nuts(None, bl.Sampler(1), TimeLimit(), lambda trace: trace, None)
    assert seen == [(0.9, []), (0.97, [500]), (0.995, [500, 600])]


def test_draws_that_are_complete_do_not_name_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "nuts_traces", lambda *_: iter([draws(500, passed=True)]))
    limit, sampler = TimeLimit(1e-9), bl.Sampler(1)
    result = module._by_nuts(None, sampler, limit, lambda trace: trace, None)
    assert result.gate.time_limit == np.inf


@pytest.fixture(scope="module")
def limited(lone_fit: bl.Fit) -> bl.Fit:
    sampler = bl.Sampler(1, tune=100, max_seconds=LIMIT, **ENDLESS)
    return bl.fit(lone_fit.model, lone_fit.runs, sampler=sampler)


def test_a_fit_ends_with_the_draws_so_far(limited: bl.Fit) -> None:
    gate = Gate.of(limited.tree)
    assert gate.time_limit == LIMIT
    assert 10 <= limited.tree["posterior"].sizes["draw"] < ENDLESS["draws"]
    assert gate.draws == 2 * limited.tree["posterior"].sizes["draw"]
    assert np.isfinite(limited.tree["posterior"]["alpha"]).all()


def test_the_fit_says_that_the_limit_ended_sampling(limited: bl.Fit, tmp_path: Path) -> None:
    short = _thinned(limited)
    assert SAYS_SO in str(short)
    assert SAYS_SO in str(bl.diagnose(short))
    assert SAYS_SO in str(bl.load(bl.save(short, tmp_path / "fit.nc")))
    assert SAYS_SO in bl.write_report(short, path=tmp_path / "report.html").read_text("utf-8")


def _thinned(fit: bl.Fit) -> bl.Fit:
    """The fit with a few of its draws, which are many, for what takes long."""
    tree = fit.tree.isel(draw=slice(100), missing_dims="ignore")
    tree.attrs = fit.tree.attrs
    return replace(fit, tree=tree)


def test_the_limit_holds_for_an_extension(limited: bl.Fit) -> None:
    short, endless = _thinned(limited), ENDLESS["draws"]
    longer = bl.extend(short, draws=endless, progressbar=False)
    assert Gate.of(longer.tree).time_limit == LIMIT
    again = bl.extend(short, draws=endless, progressbar=False, max_seconds=0.7)
    assert Gate.of(again.tree).time_limit == 0.7
    assert SAYS_SO not in str(bl.extend(short, draws=20, progressbar=False, max_seconds=100))


def test_the_limit_holds_for_each_fit_of_many(lone_fit: bl.Fit) -> None:
    sampler = bl.Sampler(1, tune=100, max_seconds=LIMIT, **ENDLESS)
    for fit in bl.refit(lone_fit.model, [lone_fit.runs] * 2, sampler=sampler):
        assert SAYS_SO in str(fit)


@pytest.mark.parametrize(
    ("settings", "seconds", "hint"),
    [
        ({}, 0.2, "allow more time, or tune less"),
        ({"cores": 1}, 0.2, "allow more time, or a core for each chain (cores=1), or tune less"),
        ({"importance": True}, 1e-4, "allow more time, or tune less"),
    ],
)
def test_a_limit_before_there_are_draws_is_an_error(
    settings: dict[str, Any], seconds: float, hint: str, lone_fit: bl.Fit
) -> None:
    endless = {**ENDLESS, "draws": 500, "tune": 10**6, "max_seconds": seconds}
    sampler = bl.Sampler(1, **endless, **settings)
    with pytest.raises(TimeoutError) as caught:
        bl.fit(lone_fit.model, lone_fit.runs, sampler=sampler)
    message = str(caught.value)
    assert message.startswith(
        f"max_seconds={seconds:g} ended sampling before there were draws to use: each of 2 "
        "chains takes 1000000 steps of tuning and 10 draws, and the slowest had made "
    )
    assert message.endswith(f" steps; {hint} (tune=1000000)")


def test_fits_with_a_limit_have_keys_of_their_own(lone_fit: bl.Fit) -> None:
    samplers = [bl.Sampler(1, max_seconds=seconds) for seconds in (None, 60, 61)]
    keys = {store_key(lone_fit.model, lone_fit.runs, sampler) for sampler in samplers}
    assert len(keys) == 3
