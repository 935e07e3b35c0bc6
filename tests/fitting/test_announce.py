"""What a long call says before its fits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.fitting.announce import (
    _duration,
    announce_draws,
    announced_fits,
    processor_seconds,
)

EXACT, DISCREPANT = bl.Model(bl.laws.power, discrepancy=None), bl.Model(bl.laws.power)
SAMPLER = bl.Sampler(1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (8.7, "9 s"), (84.0, "80 s"), (96.0, "2 min"), (5000.0, "80 min"),
     (40_000.0, "10 h")],
)  # fmt: skip
def test_durations_have_one_digit(seconds: float, text: str) -> None:
    assert _duration(seconds) == text


def test_fits_are_counted_before_they_start(
    lone_runs: xr.Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [(EXACT, lone_runs), (bl.Model(bl.laws.log_linear), lone_runs), (EXACT, lone_runs)]
    with announced_fits("Backtest", jobs, SAMPLER), announced_fits("Fitting", jobs[:1], SAMPLER):
        pass
    line = capsys.readouterr().err
    assert line.startswith("Backtest: 3 fits of 2 laws, roughly ")
    assert line.endswith("for each model that is compiled for the first time.\n")
    assert line.count("\n") == 1
    with ThreadPoolExecutor(1) as executor, announced_fits("Fitting", jobs[:1], SAMPLER, executor):
        pass
    assert "1 fit of 1 law, roughly 2 s of processor time" in capsys.readouterr().err


def test_nothing_is_said_without_fits_or_unasked(
    lone_runs: xr.Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet = bl.Sampler(1, progressbar=False)
    with announced_fits("Fitting", [], SAMPLER), announced_fits("", [(EXACT, lone_runs)], quiet):
        announce_draws(quiet, 1000, 60.0)
    assert not capsys.readouterr().err


def test_more_draws_are_announced(capsys: pytest.CaptureFixture[str]) -> None:
    announce_draws(bl.Sampler(1, draws=2000, tune=1000), 1000, 20.0)
    assert capsys.readouterr().err.startswith(
        "Extending: 2,000 more draws of each of 4 chains, after 1,000 for tuning, roughly 30 s, "
    )


def test_longer_fits_take_longer(lone_runs: xr.Dataset, crossed_runs: xr.Dataset) -> None:
    usual = processor_seconds(EXACT, lone_runs, SAMPLER)
    assert processor_seconds(DISCREPANT, lone_runs, SAMPLER) > usual
    assert processor_seconds(EXACT, crossed_runs, SAMPLER) > usual
    assert processor_seconds(EXACT, lone_runs, bl.Sampler(1, draws=3000)) == 2 * usual
    assert processor_seconds(EXACT, lone_runs, bl.Sampler(1, importance=True)) < usual / 2
