"""`bayeslaw multiverse`."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import bayeslaw as bl

GROUPED = ["--predictor", "N=params", "--group", "task", "--group", "dataset"]
AT = ["--at", "N=1e9,1e10", "--at", "task=c4", "--at", "dataset=web"]
type Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def calls(
    monkeypatch: pytest.MonkeyPatch,
    crossed_fit: bl.Fit,
    log_linear_fit: bl.Fit,
    failed_fit: bl.Fit,
) -> list[dict[str, Any]]:
    """Return existing fits instead of sampling, and record the calls."""
    recorded = []
    fits = {"power": crossed_fit, "log_linear": log_linear_fit, "pure_power": failed_fit}

    def refit(model: bl.Model, many: Sequence[xr.Dataset], **sampler: Any) -> list[bl.Fit]:
        recorded.append({"model": model, "many": many, **sampler})
        return [fits[model.law.name] for _ in many]

    monkeypatch.setattr(importlib.import_module("bayeslaw.comparison.multiverse"), "refit", refit)
    return recorded


def test_multiverse(run: Run, folder: Path, tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    choices = ["--law", "power", "--law", "log_linear", "--noise", "gaussian", "--noise"]
    choices += ["student-t", "--hold-out", "N=2e8", "--drop", "3,4", "--seed", 9]
    sampler = ["--draws", 7, "--tune", 8, "--chains", 3]
    arguments = ["multiverse", folder / "runs.csv", *GROUPED, *choices, *AT, *sampler]
    code, text, err = run(*arguments, "--json")
    assert (code, err) == (0, "")
    result = json.loads(text)
    assert result["sentences"] == ["16 of 16 universes were fitted and passed their gate."]
    assert len(result["universes"]) == 32
    names = {"law", "noise", "drop", "hold_out"}
    row = {name: result["universes"][-1][name] for name in (*names, "N", "task", "runs")}
    assert row == {
        "law": "log_linear", "noise": "student-t", "drop": "3,4", "hold_out": "N=2e8", "N": 1e10,
        "task": "c4", "runs": 70,
    }  # fmt: skip
    assert {row["source"] for row in result["shares"]} == {*names, "all choices", "posterior"}
    assert [call["model"].noise for call in calls] == 2 * [bl.Gaussian(), bl.StudentT()]
    assert [runs.sizes["run"] for runs in calls[0]["many"]] == [96, 72, 94, 70]
    expected = bl.Sampler(9, draws=7, tune=8, chains=3, progressbar=False)
    assert calls[0]["sampler"] == expected
    assert calls[0]["model"].pooling == ["task", "dataset"]
    figure = tmp_path / "multiverse.pdf"
    code, text, _ = run(*arguments, "--figure", figure)
    assert code == 0
    assert figure.read_bytes().startswith(b"%PDF")
    assert text.startswith("16 of 16 universes were fitted and passed their gate.\n")
    assert "all choices" in text


def test_kinds_of_noise(run: Run, folder: Path, calls: list[dict[str, Any]]) -> None:
    kinds = ["gaussian", "student-t", "undertuned", "raw-gaussian"]
    noises = [each for kind in kinds for each in ("--noise", kind)]
    code, _, _ = run("multiverse", folder / "runs.csv", *GROUPED, "--law", "power", *noises, *AT)
    assert code == 0
    assert [call["model"].noise for call in calls] == [
        bl.Gaussian(), bl.StudentT(), bl.Undertuned(), bl.Gaussian(bl.response_scales.RawScale())
    ]  # fmt: skip


def test_without_a_choice_there_is_one_universe(
    run: Run, folder: Path, calls: list[dict[str, Any]]
) -> None:
    alone = ["--law", "power", "--no-discrepancy"]
    code, text, _ = run("multiverse", folder / "runs.csv", *GROUPED, *alone, *AT, "--json")
    assert code == 0
    result = json.loads(text)
    assert {row["source"] for row in result["shares"]} == {"all choices", "posterior"}
    assert "drop" not in result["universes"][0]
    assert calls[0]["model"].noise == bl.StudentT()


def test_a_failed_gate_exits_with_one(run: Run, folder: Path, calls: list[dict[str, Any]]) -> None:
    laws = ["--law", "power", "--law", "pure_power"]
    code, text, _ = run("multiverse", folder / "runs.csv", *GROUPED, *laws, *AT)
    assert code == 1
    assert text.startswith("1 of 2 universes were fitted and passed their gate.\n")
    assert "1 of 2 did not pass their gate" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--noise", "cauchy"], "--noise cauchy: there is no such noise; there are gaussian, "),
        (["--drop", "3,x"], "--drop x: no run has that name; the first is 0"),
        (["--hold-out", "N=1e20"], "every run has N <= 1e+20"),
    ],
)
def test_invalid_input(run: Run, folder: Path, arguments: list[str], sentence: str) -> None:
    table = [folder / "runs.csv", *GROUPED]
    code, text, err = run("multiverse", *table, "--law", "power", *AT, *arguments)
    assert (code, text) == (2, "")
    assert err.startswith(f"error: {sentence}")
