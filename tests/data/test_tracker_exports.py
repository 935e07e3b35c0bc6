"""Tests of reading what experiment trackers export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from bayeslaw.data.runs import read_runs
from bayeslaw.data.tracker_exports import read_exports
from bayeslaw.errors import RunsError, RunsWarning

ABOUT = {"Name": ["small", "large - wide"], "State": "finished", "params": [1e6, 1e8], "loss": 9.9}


def chart(metrics: tuple[str, ...] = ("loss",), axis: str = "Step") -> str:
    """A chart of W&B: the first run has three values of each metric, the second two."""
    values = {"small": ["4.0", "3.0", "2.5"], "large - wide": ["3.5", "", "2.0"]}
    columns = {axis: ["1", "10", "100"]}
    for run, cells in values.items():
        for metric in metrics:
            columns |= {f"{run} - {metric}{end}": cells for end in ("", "__MIN", "__MAX")}
    lines = [columns, *zip(*columns.values(), strict=True)]
    return "\n".join(",".join(f'"{cell}"' for cell in line) for line in lines) + "\n"


@pytest.fixture
def wandb(tmp_path: Path) -> Path:
    (tmp_path / "chart.csv").write_text(chart())
    return tmp_path / "chart.csv"


@pytest.fixture
def tensorboard(tmp_path: Path) -> list[Path]:
    """Scalars of two runs, the first as CSV, the second as JSON, its steps out of order."""
    first = tmp_path / "run-small_train-tag-loss.csv"
    first.write_text("Wall time,Step,Value\n1.5,1,4.0\n2.5,10,3.0\n")
    second = tmp_path / "large.json"
    second.write_text(json.dumps([[2.5, 10, 2.5], [1.5, 1, 3.5]]))
    return [first, second]


# What is read


def test_a_chart_has_a_row_per_run_and_step(wandb: Path) -> None:
    table = read_exports(wandb)
    assert list(table) == ["Name", "step", "loss"]
    assert table["Name"].tolist() == ["small"] * 3 + ["large - wide"] * 2
    assert table["step"].tolist() == [1, 10, 100, 1, 100]
    assert table["loss"].tolist() == [4.0, 3.0, 2.5, 3.5, 2.0]


def test_the_last_values_with_what_is_known_of_their_runs_are_runs(wandb: Path) -> None:
    table = read_exports(str(wandb), about=pd.DataFrame(ABOUT), last=True)
    assert list(table) == ["Name", "step", "loss", "State", "params"]
    runs = read_runs(table, predictors={"N": "params"}, run_id="Name")
    assert runs["run"].values.tolist() == ["small", "large - wide"]
    assert runs["loss"].values.tolist() == [2.5, 2.0]
    assert runs["N"].values.tolist() == [1e6, 1e8]


@pytest.mark.parametrize("kind", ["csv", "polars"])
def test_what_is_known_may_be_a_file_or_any_dataframe(kind: str, wandb: Path) -> None:
    frame = pd.DataFrame(ABOUT)
    path = wandb.parent / "about.csv"
    frame.to_csv(path, index=False)
    table = read_exports(wandb, about=path if kind == "csv" else pl.from_pandas(frame))
    assert table["params"].tolist() == [1e6] * 3 + [1e8] * 2


def test_names_of_columns_are_chosen(wandb: Path) -> None:
    about = pd.DataFrame(ABOUT).rename(columns={"Name": "id"})
    table = read_exports(wandb, about=about, name="id", response="nats")
    assert list(table) == ["id", "step", "nats", "State", "params", "loss"]


def test_a_metric_is_chosen_and_the_counter_is_none(tmp_path: Path) -> None:
    path = tmp_path / "chart.csv"
    path.write_text(chart(("_step", "eval/loss"), axis="tokens"))
    assert read_exports(path).equals(read_exports(path, metric="eval/loss"))
    path.write_text(chart(("eval/loss", "train/loss")))
    assert len(read_exports(path, metric="train/loss")) == 5
    with pytest.raises(RunsError, match="the metrics 'eval/loss', 'train/loss'; choose one, such"):
        read_exports(path)


def test_a_chart_of_one_run_need_not_name_it(tmp_path: Path) -> None:
    path = tmp_path / "small.csv"
    path.write_text('"Step","loss","loss__MIN","loss__MAX"\n1,4.0,4.0,4.0\n')
    assert read_exports(path).iloc[0].tolist() == ["small", 1, 4.0]
    assert read_exports({"tiny": path})["Name"].tolist() == ["tiny"]


def test_a_chart_may_lack_the_ends(tmp_path: Path) -> None:
    path = tmp_path / "chart.csv"
    path.write_text("Step,a - loss,b - loss\n1,4.0,\n2,3.0,2.0\n")
    assert read_exports(path)["loss"].tolist() == [4.0, 3.0, 2.0]


def test_scalars_of_tensorboard_are_named_by_their_files(tensorboard: list[Path]) -> None:
    table = read_exports(tensorboard)
    assert table["Name"].tolist() == ["small_train"] * 2 + ["large"] * 2
    assert table["step"].tolist() == [1, 10, 1, 10]
    assert table["loss"].tolist() == [4.0, 3.0, 3.5, 2.5]
    assert read_exports(tensorboard, last=True)["loss"].tolist() == [3.0, 2.5]


def test_a_mapping_names_runs(tensorboard: list[Path]) -> None:
    named = dict(zip(["a", "b"], tensorboard, strict=True))
    assert read_exports(named)["Name"].unique().tolist() == ["a", "b"]


def test_a_value_that_is_not_a_number_stays_visible_to_read_runs(tmp_path: Path) -> None:
    path = tmp_path / "run-a-tag-loss.csv"
    path.write_text("Wall time,Step,Value\n1.5,1,4.0\n2.5,10,NaN\n")
    with pytest.raises(RunsError, match="column 'loss', row 1: nan is a missing value"):
        read_runs(read_exports(path), predictors=["step"])


# What is warned of


def test_a_binned_chart_gives_a_warning(wandb: Path) -> None:
    rows = wandb.read_text().replace('"3.0","3.0","3.0"', '"3.0","2.8","3.2"')
    wandb.write_text(rows)
    with pytest.warns(RunsWarning, match=r"^1 of 5 values of '.*chart\.csv' stand for several"):
        assert read_exports(wandb)["loss"].tolist()[1] == 3.0


def test_runs_without_a_curve_are_warned_of(wandb: Path) -> None:
    about = pd.concat([pd.DataFrame(ABOUT), pd.DataFrame({"Name": ["other"], "params": [1e7]})])
    with pytest.warns(RunsWarning, match="^1 of 3 runs have no curve, left out: other$"):
        assert "other" not in read_exports(wandb, about=about)["Name"].tolist()


# What is refused


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (
            "a.csv",
            "params,loss\n1,2\n",
            "'a.csv' is not an export of W&B or TensorBoard: its columns",
        ),
        ("a.json", '{"loss": 1}', "'a.json' is not a TensorBoard JSON, a list of"),
        ("a.json", "[[1.5, 1]]", "'a.json' is not a TensorBoard JSON, a list of"),
        ("a.csv", "Wall time,Step,Value\n1,2,low\n", "'a.csv' has a cell that is not a number: "),
        ("a.out", "", "'a.out' does not end in one of .csv, "),
    ],
)
def test_files_of_another_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(text)
    with pytest.raises(RunsError) as caught:
        read_exports(name)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"metric": "acc"}, "has the metrics 'loss'; choose one, such as metric='loss'"),
        ({"about": {"run": ["small"]}}, "the table about the runs has no column 'Name'; see name="),
        (
            {"about": {"Name": ["small", "large wide"]}},
            "run 'large - wide' is not in the table about the runs; did you mean 'large wide'?",
        ),
        (
            {"about": {"Name": ["small", "small"]}},
            "the table about the runs has two rows for small",
        ),
    ],
)
def test_arguments_that_do_not_fit(wandb: Path, how: dict[str, Any], sentence: str) -> None:
    if "about" in how:
        how = {"about": pd.DataFrame(how["about"])}
    with pytest.raises(RunsError) as caught:
        read_exports(wandb, **how)
    assert str(caught.value).endswith(sentence)


def test_files_that_do_not_go_together(wandb: Path) -> None:
    with pytest.raises(RunsError, match=r"^run 'small' is in two files; "):
        read_exports([wandb, wandb])
    with pytest.raises(RunsError, match=r"^'a' names one run, and '.*chart\.csv' has 2$"):
        read_exports({"a": wandb})
    with pytest.raises(RunsError, match=r"^there are no files to read$"):
        read_exports([])


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1.10", "1.10"], ["1.10", "1.10"]),
        (["1e9", "2"], ["1e9", "2"]),
        (["01", "2"], ["01", "2"]),
        (["", "2"], ["", "2"]),
        (["1.0", "1"], ["1.0", "1"]),
        (["None", "2"], ["None", "2"]),
        (["1.0", "2.0"], [1.0, 2.0]),
        (["1.1", "2"], [1.1, 2.0]),
        (["70000000", "0.25"], [7e7, 0.25]),
    ],
)
def test_what_is_known_of_runs_stays_as_it_is_written(
    cells: list[str], expected: list[object], wandb: Path
) -> None:
    names = ["small", "large - wide"]
    about = wandb.with_name("about.csv")
    about.write_text("Name,version\n" + "".join(map("{},{}\n".format, names, cells)))
    table = read_exports(wandb, about=about, last=True)
    assert table.set_index("Name").loc[names, "version"].tolist() == expected
