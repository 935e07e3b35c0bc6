"""`bayeslaw report`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import bayeslaw as bl

type Run = Callable[..., tuple[int, str, str]]

COLUMNS = ["--predictor", "N=params", "--group", "task", "--group", "dataset"]


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Record the arguments of `write_report`; nothing is written."""
    recorded: dict[str, Any] = {}

    def write_report(fit: bl.Fit, *, path: Path, **options: Any) -> Path:
        recorded.update(options, fit=fit, path=path)
        return path

    monkeypatch.setattr("bayeslaw.report.write_report", write_report)
    monkeypatch.setattr("bayeslaw._progress.PATIENCE", 600.0)  # no progress on a slow machine
    return recorded


def test_report_is_written(run: Run, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    points = ["--at", "N=1e9", "--at", "task=c4", "--at", "dataset=web"]
    code, text, err = run("report", folder / "fit.nc", "--path", path, *points, "--json")
    assert (code, err) == (0, "")
    assert json.loads(text) == {"converged": True, "report": str(path)}
    assert "c4 / web: at N = 1e9" in path.read_text(encoding="utf-8")


def test_options_are_passed_on(run: Run, folder: Path, arguments: dict[str, Any]) -> None:
    options = ["--rival", folder / "failed.nc", "--budget", "1e21,1e22", "--question", "Why?"]
    options += ["--answer", "training data=C4, a = b", "--draw-new", "task"]
    code, text, err = run("report", folder / "fit.nc", folder / "runs.csv", *COLUMNS, *options)
    assert (code, text, err) == (0, "report: report.html\n", "")
    assert list(arguments["others"]) == ["failed"]
    assert arguments["budget"] == [1e21, 1e22]
    assert arguments["question"] == "Why?"
    assert arguments["checklist"] == {"training data": "C4, a = b"}
    assert arguments["draw_new"] == ["task"]
    assert isinstance(arguments["later"], xr.Dataset)
    assert arguments["later"].sizes["run"] == 96


def test_default_options(run: Run, folder: Path, arguments: dict[str, Any]) -> None:
    code, text, _ = run("report", folder / "failed.nc")
    assert (code, text) == (1, "report: report.html\n")
    assert arguments.pop("fit").model.law.name == "power"
    assert arguments == {
        "path": Path("report.html"), "later": None, "at": None, "others": {}, "budget": None,
        "question": None, "checklist": {}, "draw_new": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--answer", "metric"], "--answer 'metric' has no answer; write --answer"),
        (["--budget", "large"], "--budget=large: 'large' is not a number"),
        (
            ["--path", "nowhere/report.html"],
            "cannot write 'nowhere/report.html': there is no folder",
        ),
    ],
)
def test_invalid_options(run: Run, folder: Path, options: list[str], sentence: str) -> None:
    code, out, err = run("report", folder / "fit.nc", *options)
    assert (code, out) == (2, "")
    assert sentence in err
