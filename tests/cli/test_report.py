"""The command that writes a report."""

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
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the library is asked; nothing is written."""
    seen: dict[str, Any] = {}

    def write_report(fit: bl.Fit, *, path: Path, **wishes: Any) -> Path:
        seen.update(wishes, fit=fit, path=path)
        return path

    monkeypatch.setattr("bayeslaw.report.write_report", write_report)
    return seen


def test_report_is_written(run: Run, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    where = ["--at", "N=1e9", "--at", "task=c4", "--at", "dataset=web"]
    code, text, err = run("report", folder / "fit.nc", "--path", path, *where, "--json")
    assert (code, err) == (0, "")
    assert json.loads(text) == {"converged": True, "report": str(path)}
    assert "c4 / web: at N = 1e9" in path.read_text(encoding="utf-8")


def test_wishes_are_handed_on(run: Run, folder: Path, asked: dict[str, Any]) -> None:
    wishes = ["--rival", folder / "failed.nc", "--budget", "1e21,1e22", "--question", "Why?"]
    wishes += ["--answer", "training data=C4, a = b", "--draw-new", "task"]
    code, text, err = run("report", folder / "fit.nc", folder / "runs.csv", *COLUMNS, *wishes)
    assert (code, text, err) == (0, "report: report.html\n", "")
    assert list(asked["others"]) == ["failed"]
    assert asked["budget"] == [1e21, 1e22]
    assert asked["question"] == "Why?"
    assert asked["checklist"] == {"training data": "C4, a = b"}
    assert asked["draw_new"] == ["task"]
    assert isinstance(asked["later"], xr.Dataset)
    assert asked["later"].sizes["run"] == 96


def test_without_wishes(run: Run, folder: Path, asked: dict[str, Any]) -> None:
    code, text, _ = run("report", folder / "failed.nc")
    assert (code, text) == (1, "report: report.html\n")
    assert asked.pop("fit").model.law.name == "power"
    assert asked == {
        "path": Path("report.html"), "later": None, "at": None, "others": {}, "budget": None,
        "question": None, "checklist": {}, "draw_new": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        (["--answer", "metric"], "--answer 'metric' has no answer; write --answer"),
        (["--budget", "large"], "--budget=large: 'large' is not a number"),
        (
            ["--path", "nowhere/report.html"],
            "cannot write 'nowhere/report.html': there is no folder",
        ),
    ],
)
def test_wrong_wishes(run: Run, folder: Path, wishes: list[str], sentence: str) -> None:
    code, out, err = run("report", folder / "fit.nc", *wishes)
    assert (code, out) == (2, "")
    assert sentence in err
