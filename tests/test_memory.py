"""Memory that is asked for before it is taken."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw import _memory
from bayeslaw._memory import available_memory, require_memory


def test_what_there_is_can_be_taken() -> None:
    require_memory("nothing", 0)
    assert available_memory() > 1e6


def test_a_refusal_has_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_memory, "available_memory", lambda: 2e9)
    require_memory("a grid of 9 rows", 2.5e8)
    message = "a grid of 9 rows takes at least 2.4 GB of memory, and 2 GB are available"
    with pytest.raises(ValueError, match=f"^{message}$"):
        require_memory("a grid of 9 rows", 3e8)


@pytest.mark.parametrize("text", ["", "MemTotal: 1 kB\n", "MemAvailable: much\n", "?"])
def test_a_system_that_does_not_say(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    assert available_memory() == _memory._physical_memory()
    monkeypatch.delattr("os.sysconf")
    assert available_memory() == math.inf


def _runs(sizes: int = 8) -> xr.Dataset:
    table = {"N": np.geomspace(1e6, 1e9, sizes), "loss": np.linspace(4, 2, sizes)}
    return bl.read_runs(
        xr.Dataset({name: ("run", each) for name, each in table.items()}), predictors=["N"]
    )


def _fit(**settings: Any) -> bl.Fit:
    return bl.fit(bl.Model(bl.laws.power), _runs(), sampler=bl.Sampler(1, **settings))


HUGE = 10**12


@pytest.mark.parametrize(
    ("take", "message"),
    [
        (lambda: _fit(draws=HUGE), "sampling 4 chains of up to 4000000001000 draws "),
        (lambda: _fit(tune=HUGE), "sampling 4 chains of up to 1000000004000 draws "),
        (lambda: _fit(chains=HUGE), "sampling 1000000000000 chains of up to 5000 draws "),
        (lambda: _fit(max_draws_factor=HUGE), "sampling 4 chains of up to 1000000000001000 draws "),
        (
            lambda: bl.refit(bl.Model(bl.laws.power), [_runs()], sampler=bl.Sampler(1, draws=HUGE)),
            "sampling 4 chains of up to ",
        ),
        (
            lambda: bl.grid(**{name: np.arange(1.0, 1001) for name in "ABCDEF"}),
            "a grid of 1000000000000000000 rows ",
        ),
        (
            lambda: bl.read_runs(
                xr.Dataset({"N": ("a", np.ones(10**6)), "loss": ("b", np.ones(10**6))}),
                predictors=["N"],
            ),
            "a table of 1000000000000 rows ",
        ),
    ],
)
def test_more_than_there_is_is_refused_at_once(take: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}.*takes at least .* GB of memory"):
        take()


def test_a_forecast_that_does_not_fit_is_refused(
    lone_fit: bl.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = bl.grid(N=np.geomspace(1e6, 1e9, 1000))
    monkeypatch.setattr(_memory, "available_memory", lambda: 1e6)
    sizes = lone_fit.tree["posterior"].sizes
    message = rf"^{sizes['chain'] * sizes['draw']} draws at 1000 points takes? at least"
    with pytest.raises(ValueError, match=message):
        bl.forecast(lone_fit, grid)
    with pytest.raises(ValueError, match=message):
        bl.requirement(lone_fit, 2.5, at=grid)
