"""`bayeslaw gather`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

type Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with scalars of two runs, and a table about them."""
    monkeypatch.chdir(tmp_path)
    for run, loss in (("a", 3.0), ("b", 2.0)):
        Path(f"run-{run}-tag-loss.csv").write_text(
            f"Wall time,Step,Value\n1.5,1,4.0\n2.5,10,{loss}\n"
        )
    Path("about.csv").write_text("id,params\na,1e6\nb,1e8\n")


@pytest.mark.usefixtures("exports")
def test_a_table_is_made(run: Run) -> None:
    files = ["run-a-tag-loss.csv", "run-b-tag-loss.csv"]
    options = ["--about", "about.csv", "--name", "id", "--response", "nats", "--last"]
    code, out, err = run("gather", *files, *options, "--out", "table.csv", "--json")
    assert (code, err) == (0, "")
    expected = {"runs": 2, "rows": 2, "columns": "id, step, nats, params", "table": "table.csv"}
    assert json.loads(out) == expected
    table = pd.read_csv("table.csv")
    assert table.to_dict("list") == {
        "id": ["a", "b"], "step": [10, 10], "nats": [3.0, 2.0], "params": [1e6, 1e8],
    }  # fmt: skip
    assert run("check", "table.csv", "--predictor", "N=params", "--response", "nats")[0] == 0


@pytest.mark.usefixtures("exports")
def test_defaults(run: Run) -> None:
    code, out, err = run("gather", "run-a-tag-loss.csv")
    assert (code, err) == (0, "")
    assert "rows: 2\n" in out
    assert list(pd.read_csv("runs.csv")) == ["Name", "step", "loss"]


@pytest.mark.usefixtures("exports")
def test_invalid_files(run: Run) -> None:
    result = run("gather", "run-a-tag-loss.csv", "--out", "nowhere/table.csv")
    assert result == (
        2,
        "",
        "error: cannot write 'nowhere/table.csv': there is no folder 'nowhere'\n",
    )
    code, _, err = run("gather", "about.csv", "--metric", "loss")
    assert code == 2
    assert err.startswith("error: 'about.csv' is not an export of W&B or TensorBoard: ")
