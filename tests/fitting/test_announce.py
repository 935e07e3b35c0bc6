"""What a long call says before its fits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.fitting.announce import _duration, announce_fits, processor_seconds

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
    announce_fits("Backtest", jobs, SAMPLER)
    line = capsys.readouterr().err
    assert line.startswith("Backtest: 3 fits of 2 laws, roughly ")
    assert line.endswith("for each model that is compiled for the first time.\n")
    assert line.count("\n") == 1
    with ThreadPoolExecutor(1) as executor:
        announce_fits("Fitting", jobs[:1], SAMPLER, executor)
    assert "1 fit of 1 law, roughly 3 s of processor time" in capsys.readouterr().err


def test_nothing_is_said_without_fits_or_unasked(
    lone_runs: xr.Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    announce_fits("Fitting", [], SAMPLER)
    announce_fits("Fitting", [(EXACT, lone_runs)], bl.Sampler(1, progressbar=False))
    assert not capsys.readouterr().err


def test_longer_fits_take_longer(lone_runs: xr.Dataset, crossed_runs: xr.Dataset) -> None:
    usual = processor_seconds(EXACT, lone_runs, SAMPLER)
    assert processor_seconds(DISCREPANT, lone_runs, SAMPLER) > usual
    assert processor_seconds(EXACT, crossed_runs, SAMPLER) > usual
    assert processor_seconds(EXACT, lone_runs, bl.Sampler(1, draws=3000)) == 2 * usual
    assert processor_seconds(EXACT, lone_runs, bl.Sampler(1, importance=True)) < usual / 2
