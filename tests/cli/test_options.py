"""Options that several commands take."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.cli.options import (
    FitOptions,
    OutputOptions,
    RunsTable,
    parse_numbers,
    parse_points,
    parse_sizes,
    parse_texts,
)

GROUPED = ["--predictor", "N=params", "--group", "task", "--group", "dataset"]
type Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("output", "shows_progress"),
    [
        (OutputOptions(), True),
        (OutputOptions(json=True), False),
        (OutputOptions(quiet=True), False),
    ],
)
def test_progress_is_for_people(output: OutputOptions, shows_progress: bool) -> None:
    assert output.shows_progress == shows_progress


def test_a_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("params,nats,se,task,id\n1e6,4,0.1,a,x\n1e8,3,0.1,b,y\n")
    table = RunsTable(
        path, predictor=["N=params"], response="nats", group=["task"], stderr="se", run_id="id"
    )
    expected = bl.read_runs(
        path, response="nats", predictors={"N": "params"}, groups=["task"], stderr="se", run_id="id"
    )
    xr.testing.assert_identical(table.read(), expected)


def test_a_law_of_one_predictor_takes_that_of_the_table() -> None:
    assert RunsTable(Path("x.csv"), predictor=["C=flops"]).law("power").predictors == ("C",)
    both = RunsTable(Path("x.csv"), predictor=["D", "N"])
    assert both.law("chinchilla").predictors == ("N", "D")
    assert both.law("power").predictors == ("N",)
    with pytest.raises(ValueError, match=r"law 'chinchilla' needs the predictor 'D'"):
        RunsTable(Path("x.csv"), predictor=["N"]).law("chinchilla")


@pytest.mark.parametrize(("pool", "pooling"), [(True, ["task"]), (False, None)])
def test_curves_are_pooled_over_the_groups(pool: bool, pooling: list[str] | None) -> None:
    table = RunsTable(Path("x.csv"), predictor=["N"], group=["task"])
    assert FitOptions(pool=pool).model(bl.laws.power, table).pooling == pooling


@pytest.mark.parametrize(("flag", "discrepancy"), [(True, bl.Brownian()), (False, None)])
def test_no_discrepancy(flag: bool, discrepancy: bl.Brownian | None) -> None:
    model = FitOptions(discrepancy=flag).model(
        bl.laws.power, RunsTable(Path("runs.csv"), predictor=["N"])
    )
    assert model.discrepancy == discrepancy


def test_sizes_and_numbers_are_parsed() -> None:
    assert parse_sizes(["N=1e8", "D=2"]) == {"N": 1e8, "D": 2.0}
    assert parse_numbers("--budget", "1e21,1e22") == [1e21, 1e22]
    with pytest.raises(ValueError, match=r"'N' has no value; write N=VALUE"):
        parse_sizes(["N"])


def test_points_have_sizes_or_levels(crossed_fit: bl.Fit) -> None:
    assert parse_points(["N=1e9,2e9", "task=c4,7"], crossed_fit) == {
        "N": [1e9, 2e9],
        "task": ["c4", "7"],
    }
    assert parse_points([], crossed_fit) == {}


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("backtest", ["--origins", "2e8"]),
        (
            "multiverse",
            ["--law", "power", "--at", "N=1e9", "--at", "task=c4", "--at", "dataset=web"],
        ),
    ],
)
@pytest.mark.parametrize(
    ("store", "sentence"),
    [
        ([], "nothing was saved; use --store FOLDER to save each fit when it is finished"),
        (
            ["--store", "fits"],
            "finished fits are saved in fits; run the same command to resume",
        ),
    ],
)
def test_an_interrupt_of_many_fits_says_what_is_saved(
    run: Run,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    arguments: list[str],
    store: list[str],
    sentence: str,
) -> None:
    stores = []

    def interrupted(*_: Any, store: Path | None, **__: Any) -> list[bl.Fit]:
        stores.append(store)
        raise KeyboardInterrupt

    monkeypatch.setattr(
        importlib.import_module(f"bayeslaw.comparison.{command}"), "refit", interrupted
    )
    code, out, error = run(command, folder / "runs.csv", *GROUPED, *arguments, *store)
    announced, *rest = error.splitlines()
    assert (code, out, rest) == (130, "", [f"interrupted; {sentence}"])
    assert announced.startswith(f"{command.capitalize()}: ")
    assert stores == [Path("fits") if store else None]


@pytest.mark.parametrize(
    ("typed", "texts"),
    [
        ("c4", ["c4"]),
        ("1.10,1.1,01", ["1.10", "1.1", "01"]),
        ('"a,b",c', ["a,b", "c"]),
        ('"say ""a""",b"c', ['say "a"', 'b"c']),
        (" a, b", [" a", " b"]),
    ],
)
def test_texts_are_separated_by_commas(typed: str, texts: list[str]) -> None:
    assert parse_texts(typed) == texts
