"""Options that several commands take."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.cli.options import Fitting, Say, Table, numbers, places, sizes

GROUPED = ["--predictor", "N=params", "--group", "task", "--group", "dataset"]
type Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("say", "talks"), [(Say(), True), (Say(json=True), False), (Say(quiet=True), False)]
)
def test_machines_are_not_talked_to(say: Say, talks: bool) -> None:
    assert say.talks == talks


def test_a_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("params,nats,se,task,id\n1e6,4,0.1,a,x\n1e8,3,0.1,b,y\n")
    table = Table(
        path, predictor=["N=params"], response="nats", group=["task"], stderr="se", run_id="id"
    )
    expected = bl.read_runs(
        path, response="nats", predictors={"N": "params"}, groups=["task"], stderr="se", run_id="id"
    )
    xr.testing.assert_identical(table.read(), expected)


def test_a_law_of_one_predictor_takes_that_of_the_table() -> None:
    assert Table(Path("x.csv"), predictor=["C=flops"]).law("power").predictors == ("C",)
    both = Table(Path("x.csv"), predictor=["D", "N"])
    assert both.law("chinchilla").predictors == ("N", "D")
    assert both.law("power").predictors == ("N",)
    with pytest.raises(ValueError, match=r"law 'chinchilla' needs the predictor 'D'"):
        Table(Path("x.csv"), predictor=["N"]).law("chinchilla")


@pytest.mark.parametrize(("pool", "pooling"), [(True, ["task"]), (False, None)])
def test_curves_are_pooled_over_the_groups(pool: bool, pooling: list[str] | None) -> None:
    table = Table(Path("x.csv"), predictor=["N"], group=["task"])
    assert Fitting(pool=pool).model(bl.laws.power, table).pooling == pooling


@pytest.mark.parametrize(("wanted", "found"), [(True, bl.Brownian()), (False, None)])
def test_a_law_may_be_taken_as_true(wanted: bool, found: bl.Brownian | None) -> None:
    model = Fitting(discrepancy=wanted).model(
        bl.laws.power, Table(Path("runs.csv"), predictor=["N"])
    )
    assert model.discrepancy == found


def test_numbers_by_name_and_in_a_row() -> None:
    assert sizes(["N=1e8", "D=2"]) == {"N": 1e8, "D": 2.0}
    assert numbers("--budget", "1e21,1e22") == [1e21, 1e22]
    with pytest.raises(ValueError, match=r"N=N: 'N' is not a number; write N=1e9"):
        sizes(["N"])


def test_places_are_sizes_or_levels(crossed_fit: bl.Fit) -> None:
    assert places(["N=1e9,2e9", "task=c4,7"], crossed_fit) == {"N": [1e9, 2e9], "task": ["c4", "7"]}
    assert places([], crossed_fit) == {}


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
    ("store", "kept"),
    [
        ([], "nothing was kept; --store FOLDER keeps each fit as it is done"),
        (
            ["--store", "fits"],
            "fits that were done are in fits, and the same command goes on from there",
        ),
    ],
)
def test_an_interrupt_of_many_fits_says_what_is_kept(
    run: Run,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    arguments: list[str],
    store: list[str],
    kept: str,
) -> None:
    stores = []

    def interrupted(*_: Any, store: Path | None, **__: Any) -> list[bl.Fit]:
        stores.append(store)
        raise KeyboardInterrupt

    monkeypatch.setattr(
        importlib.import_module(f"bayeslaw.comparison.{command}"), "refit", interrupted
    )
    told = run(command, folder / "runs.csv", *GROUPED, *arguments, *store)
    assert told == (130, "", f"interrupted; {kept}\n")
    assert stores == [Path("fits") if store else None]
