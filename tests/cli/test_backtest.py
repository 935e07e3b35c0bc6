"""`bayeslaw backtest`."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw import cli

type Run = Callable[..., tuple[int, str, str]]
COLUMNS = ["--predictor", "N=params", "--group", "task", "--group", "dataset"]
ORIGIN = ["--origins", "2e8"]  # of the existing fits
SAMPLER = bl.Sampler(1, progressbar=False)


@pytest.fixture
def calls(
    monkeypatch: pytest.MonkeyPatch,
    crossed_fit: bl.Fit,
    log_linear_fit: bl.Fit,
    pure_power_fit: bl.Fit,
) -> list[dict[str, Any]]:
    """Return existing fits instead of sampling, and record the calls."""
    recorded = []
    fits = {fit.model.law.name: fit for fit in (crossed_fit, log_linear_fit, pure_power_fit)}

    def refit(model: bl.Model, many: Sequence[xr.Dataset], **sampler: Any) -> list[bl.Fit]:
        recorded.append({"model": model, "many": many, **sampler})
        return [fits[model.law.name] for _ in many]

    monkeypatch.setattr(importlib.import_module("bayeslaw.comparison.backtest"), "refit", refit)
    return recorded


def test_backtest(run: Run, folder: Path, tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    code, text, err = run("backtest", folder / "runs.csv", *COLUMNS, *ORIGIN, "--json")
    assert (code, err) == (0, "")
    result = json.loads(text)
    assert result["sentences"] == ["Fits: 3, of runs up to N = 2e+08."]
    horizons, models = (
        list(dict.fromkeys(row[key] for row in result["backtest"])) for key in ("horizon", "model")
    )
    assert horizons == [2, 5]  # the later runs are 1.9 and 5 times the origin
    assert models == ["power", "pure_power", "log_linear", "last value", "least squares"]
    assert result["backtest"][0]["log_score_diff"] == 0
    assert result["backtest"][1]["caveats"].startswith("12 curves (fewer than 16)")
    assert [call["sampler"] for call in calls] == [SAMPLER] * 3
    assert [call["model"].pooling for call in calls] == [["task", "dataset"]] * 3
    assert {call["many"][0].sizes["run"] for call in calls} == {72}
    figure = tmp_path / "skill.svg"
    code, text, _ = run("backtest", folder / "runs.csv", *COLUMNS, *ORIGIN, "--figure", figure)
    assert code == 0
    assert text.startswith("Fits: 3, of runs up to N = 2e+08.\n")
    assert figure.read_bytes().startswith(b"<?xml")
    for word in ("caveats", "12 curves (fewer than 16)", "least squares"):
        assert word in text


def test_options_are_passed_on(run: Run, folder: Path, calls: list[dict[str, Any]]) -> None:
    """Held-out runs are left out."""
    typed = ["--laws", "power", "--origins", "2e7,2e6", "--horizons", "3,30", "--along", "N"]
    typed += ["--hold-out", "N=5e8", "--seed", 9, "--draws", 7, "--tune", 8, "--chains", 3]
    typed += ["--no-pool", "--no-discrepancy"]
    code, text, _ = run("backtest", folder / "runs.csv", *COLUMNS, *typed, "--json")
    assert code == 0
    [call] = calls
    assert [runs.sizes["run"] for runs in call["many"]] == [12, 48]
    assert call["sampler"] == bl.Sampler(9, draws=7, tune=8, chains=3, progressbar=False)
    assert (call["model"].pooling, call["model"].discrepancy) == (None, None)
    horizons = [row["horizon"] for row in json.loads(text)["backtest"]]
    assert list(dict.fromkeys(horizons)) == [3, 30, "inf"]


def test_default_origins(run: Run, folder: Path, calls: list[dict[str, Any]]) -> None:
    code, text, _ = run("backtest", folder / "runs.csv", *COLUMNS, "--laws", "power", "--json")
    assert code == 0
    assert [runs.sizes["run"] for runs in calls[0]["many"]] == [48, 60, 72]
    sizes = [f"{size:.3g}" for size in np.geomspace(1e6, 1e9, 8)[3:6]]
    assert json.loads(text)["sentences"] == [f"Fits: 3, of runs up to N = {', '.join(sizes)}."]


def test_a_failed_fit_exits_with_one(
    run: Run,
    folder: Path,
    calls: list[dict[str, Any]],
    failed_fit: bl.Fit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = importlib.import_module("bayeslaw.comparison.backtest")
    monkeypatch.setattr(module, "refit", lambda model, many, **_: [failed_fit for _ in many])
    typed = ["backtest", folder / "runs.csv", *COLUMNS, *ORIGIN, "--laws", "power"]
    code, text, _ = run(*typed)
    assert code == 1
    assert text.startswith("NOT CONVERGED: 1 of 1 fits.\n")
    code, text, _ = run(*typed, "--json")
    assert (code, json.loads(text)["converged"]) == (1, False)


def test_curves_that_are_left_out_are_reported(
    run: Run, folder: Path, tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    lines = (folder / "runs.csv").read_text().splitlines(keepends=True)
    fewer = [
        line for line in lines if not ("code,news" in line and float(line.split(",")[0]) < 3e8)
    ]
    assert 0 < len(fewer) < len(lines)
    (tmp_path / "fewer.csv").write_text("".join(fewer))
    typed = ["backtest", tmp_path / "fewer.csv", *COLUMNS, *ORIGIN, "--laws", "power"]
    assert run(*typed)[1].startswith("Fits: 1, of runs up to N = 2e+08 (curves left out: 1).\n")


def test_invalid_input(run: Run, folder: Path, calls: list[dict[str, Any]]) -> None:
    typed = ["backtest", folder / "runs.csv", *COLUMNS]
    code, out, err = run(*typed, "--origins", "1e8,many")
    sentence = "error: --origins=many: 'many' is not a number; write --origins=1e9\n"
    assert (code, out, err) == (2, "", sentence)
    code, out, err = run(*typed, "--along", "C")
    assert (code, out) == (2, "")
    assert err == "error: along='C' is no number of the runs; those are ['N']\n"
    assert not calls


def test_it_is_a_command() -> None:
    assert "backtest" in [command.__name__ for command in cli.COMMANDS]
