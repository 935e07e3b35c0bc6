"""Tests of reading tables of every kind, good and bad."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeslaw.data.runs import group_names, read_runs, response_values
from bayeslaw.errors import RunsError, RunsWarning

SIZES = st.floats(1e-3, 1e24)
LOSSES = st.floats(1e-6, 1e3)
LABELS = st.text("abcxyz _-", min_size=1, max_size=6).map(lambda text: f"g{text}")


def table(**changes: object) -> pd.DataFrame:
    """Four runs of two tasks, with columns replaced or added."""
    columns = {
        "params": [1e6, 1e7, 1e8, 1e9],
        "tokens": [2e7, 2e8, 2e9, 2e10],
        "loss": [4.0, 3.5, 3.2, 3.0],
        "task": ["c4", "c4", "pile", "pile"],
        "dataset": ["web", "books", "web", "books"],
        "id": ["a", "b", "c", "d"],
    }
    return pd.DataFrame({**columns, **changes})


# Columns


def test_best_makes_a_shortfall():
    runs = read_runs(
        table(accuracy=[0.0, 0.25, 0.5, 0.75]),
        response="accuracy",
        predictors=["params"],
        best=1.0,
    )
    assert runs.attrs["response"] == "accuracy_shortfall"
    assert response_values(runs).values.tolist() == [1.0, 0.75, 0.5, 0.25]
    assert response_values(runs).attrs == {"column": "accuracy", "long_name": "1 - accuracy"}
    assert "accuracy" not in runs


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([70000000, 70000000, 5, 5], ["70000000", "70000000", "5", "5"]),
        ([7e7, 7e7, 0.5, 0.5], ["70000000", "70000000", "0.5", "0.5"]),
        (["v1.0", "v1.0", "None", "NA"], ["v1.0", "v1.0", "None", "NA"]),
        ([True, True, False, False], ["True", "True", "False", "False"]),
    ],
)
def test_group_labels_are_text_under_any_name(values, labels):
    runs = read_runs(table(model=values), predictors=["params"], group_names=["model"])
    assert runs["model"].values.tolist() == labels
    assert runs["model"].dtype.kind == "U"


@pytest.mark.parametrize(
    "marks",
    [
        [False, True, False, True],
        [0, 1, 0, 1],
        [0.0, 1.0, 0.0, 1.0],
        ["false", "true", "False", "TRUE"],
        ["0", "1", "0", "1"],
    ],
)
def test_held_out_is_read_as_boolean(marks):
    runs = read_runs(table(held_out=marks), predictors=["params"])
    assert runs["held_out"].dtype == bool
    assert runs["held_out"].values.tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    ("ids", "expected", "kind"),
    [([7, 3, 9, 1], [7, 3, 9, 1], "i"), (["x", 2, "y", 1], ["x", "2", "y", "1"], "U")],
)
def test_run_ids_are_integers_or_text(ids, expected, kind):
    runs = read_runs(table(id=ids), predictors=["params"], run_id="id")
    assert runs["run"].values.tolist() == expected
    assert runs["run"].dtype.kind == kind


# Tables of every kind


def write_csv(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_csv(folder / "runs.csv", index=False)
    return folder / "runs.csv"


def write_csv_gz(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_csv(folder / "runs.v1.CSV.GZ", index=False, compression="gzip")
    return folder / "runs.v1.CSV.GZ"


def write_parquet(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_parquet(folder / "runs.parquet")
    return folder / "runs.parquet"


def write_json_lines(frame: pd.DataFrame, folder: Path) -> Path:
    lines = [json.dumps(record) for record in frame.to_dict("records")]
    (folder / "runs.jsonl").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    return folder / "runs.jsonl"


def write_ndjson(frame: pd.DataFrame, folder: Path) -> Path:
    return write_json_lines(frame, folder).rename(folder / "runs.ndjson")


FORMS = {
    "csv": write_csv,
    "csv.gz": write_csv_gz,
    "parquet": write_parquet,
    "jsonl": write_json_lines,
    "ndjson": write_ndjson,
    "text path": lambda frame, folder: str(write_csv(frame, folder)),
    "polars": lambda frame, folder: pl.from_pandas(frame),
    "pyarrow": lambda frame, folder: pa.Table.from_pandas(frame),
    "xarray": lambda frame, folder: frame.rename_axis("run").to_xarray(),
    "categories": lambda frame, folder: frame.astype({"date": "category"}),
    "text numbers": lambda frame, folder: frame.assign(params=frame["params"].map(repr)),
    "nullable": lambda frame, folder: frame.convert_dtypes(),
}


ROWS = st.lists(
    st.tuples(SIZES, LOSSES, LABELS, st.integers(1, 10**9), st.booleans()),
    min_size=2,
    max_size=6,
    unique_by=(lambda row: row[1], lambda row: row[2], lambda row: row[3]),
)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=10, deadline=None)
@given(rows=ROWS)
def test_every_kind_of_table_gives_the_same_runs(form, rows, tmp_path_factory):
    frame = pd.DataFrame(rows, columns=["params", "loss", "date", "width", "held_out"])
    arguments = {"predictors": {"N": "params"}, "groups": ["date", "width"], "run_id": "width"}
    source = FORMS[form](frame, tmp_path_factory.mktemp("table"))
    runs = read_runs(source, **arguments)
    xr.testing.assert_identical(runs, read_runs(frame, **arguments))
    assert response_values(runs).values.tolist() == [row[1] for row in rows]


def test_reading_leaves_the_table_alone():
    frame = table(held_out=["true", "false", "0", "1"])
    before = frame.copy(deep=True)
    read_runs(frame, predictors=["params"], group_names=["task"], run_id="id")
    pd.testing.assert_frame_equal(frame, before)


def test_labels_of_a_csv_file_stay_as_written(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("N,loss,task,note\n1e6,0.1,None,\n7e6,0.30000000000000004,NA,x\n")
    runs = read_runs(path, predictors=["N"], group_names=["task"])
    assert runs["task"].values.tolist() == ["None", "NA"]
    assert response_values(runs).values.tolist() == [0.1, 0.1 + 0.2]


# Bad tables


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        (
            "loss",
            [4.0, "high", 3.2, "low"],
            "column 'loss', row 1: 'high' is not a number (and 1 more)",
        ),
        (
            "loss",
            ["4.0", "3.5", "n/a", "3.0"],
            "column 'loss', row 2: 'n/a' is not a number",
        ),
        (
            "loss",
            [4.0, 3.5, np.nan, 3.0],
            "column 'loss', row 2: nan is a missing value: fill it in or drop the row",
        ),
        (
            "loss",
            pd.array([4.0, None, 3.2, 3.0], dtype="Float64"),
            "column 'loss', row 1: <NA> is a missing value: fill it in or drop the row",
        ),
        ("loss", [4.0, 3.5, 3.2, np.inf], "column 'loss', row 3: inf is not finite"),
        (
            "loss",
            [0.0, -1.0, -2.0, 3.0],
            "column 'loss', row 0: 0.0 is not positive: "
            "a loss, a size or a standard error is above zero (and 2 more)",
        ),
        (
            "params",
            [10, 20, -5, 30],
            "column 'params', row 2: -5 is not positive: "
            "a loss, a size or a standard error is above zero",
        ),
        ("params", [1.0, -np.inf, 2.0, 3.0], "column 'params', row 1: -inf is not finite"),
        (
            "params",
            [1.0, 2.0, None, 3.0],
            "column 'params', row 2: nan is a missing value: fill it in or drop the row",
        ),
        (
            "params",
            pd.to_datetime(["2024-01-01"] * 4),
            "column 'params', row 0: Timestamp('2024-01-01 00:00:00') is not a number (and 3 more)",
        ),
        (
            "spread",
            [0.1, 0.0, 0.1, 0.1],
            "column 'spread', row 1: 0.0 is not positive: "
            "a loss, a size or a standard error is above zero",
        ),
        (
            "spread",
            [0.1, 0.1, 0.1, -0.1],
            "column 'spread', row 3: -0.1 is not positive: "
            "a loss, a size or a standard error is above zero",
        ),
        (
            "spread",
            [np.nan, 0.1, 0.1, 0.1],
            "column 'spread', row 0: nan is a missing value: fill it in or drop the row",
        ),
        (
            "task",
            ["c4", None, "pile", "pile"],
            "column 'task', row 1: nan is a missing value: fill it in or drop the row",
        ),
        (
            "task",
            ["c4", "c4", "", " "],
            "column 'task', row 2: '' is a missing value: fill it in or drop the row (and 1 more)",
        ),
        (
            "id",
            ["a", None, "c", "d"],
            "column 'id', row 1: nan is a missing value: fill it in or drop the row",
        ),
        (
            "id",
            ["a", "b", "a", "a"],
            "column 'id': 'a' names rows 0, 2, 3; a run's name must be unique",
        ),
        (
            "id",
            [7, 8, 8, 7],
            "column 'id': '7' names rows 0, 3; a run's name must be unique (and 1 more)",
        ),
        (
            "held_out",
            ["true", "Maybe", "0", "2"],
            "column 'held_out', row 1: 'Maybe' is neither true nor false (nor 1 nor 0) "
            "(and 1 more)",
        ),
        (
            "held_out",
            [0.0, np.nan, 1.0, 1.0],
            "column 'held_out', row 1: nan is a missing value: fill it in or drop the row",
        ),
    ],
)
def test_bad_values_are_named(column, values, message):
    frame = table(**{"spread": [0.1, 0.2, 0.3, 0.4], column: values})
    with pytest.raises(RunsError) as caught:
        read_runs(frame, predictors=["params"], group_names=["task"], stderr="spread", run_id="id")
    assert str(caught.value) == message


def test_an_empty_table_is_an_error():
    with pytest.raises(RunsError, match=r"^the table has no rows$"):
        read_runs(table().iloc[:0], predictors=["params"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("runs.csv", None, "there is no file '{path}'"),
        (
            "runs.xlsx",
            b"",
            "'{path}' does not end in one of .csv, .csv.gz, .parquet, .jsonl, .ndjson",
        ),
        ("runs.csv", b"", "cannot read '{path}': No columns to parse from file"),
        ("runs.csv", b"N,loss\n", "the table has no rows"),
        ("runs.csv", b"N,loss\n0,1,2\n1,3,4\n", "cannot read '{path}': Length of header *"),
        ("runs.csv", b"N,loss\n1,2\n1,3,4\n", "cannot read '{path}': *"),
        ("runs.csv.gz", b"N,loss\n", "cannot read '{path}': Not a gzipped file (b'N,')"),
        ("runs.csv.gz", gzip.compress(b"N,loss\n1,2\n", mtime=0)[:-9], "cannot read '{path}': *"),
        ("runs.parquet", b"N,loss\n", "cannot read '{path}': *"),
        (
            "runs.jsonl",
            b'{"N": 1, "loss": 2}\n{"N": 1\n',
            "cannot read '{path}': Expecting ',' delimiter: line 2 column 8 (char 29)",
        ),
        ("runs.jsonl", b"", "the table has no rows"),
    ],
)
def test_bad_files_are_named(name, content, message, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunsError) as caught:
        read_runs(path, predictors=["N"])
    expected = message.format(path=path)
    found = str(caught.value)
    assert found == expected or (expected.endswith("*") and found.startswith(expected[:-1]))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            [1, 2],
            "a table is a path, a dataframe in memory or an xarray.Dataset: "
            "Unsupported dataframe type, got: <class 'list'>",
        ),
        (
            pl.LazyFrame({"N": [1]}),
            "a table is a path, a dataframe in memory or an xarray.Dataset: *",
        ),
        (pd.DataFrame([[1, 2]]), "column 'loss' is not in the table. It has: 0, 1"),
        (
            pd.DataFrame([[1, 2]], columns=["N", "N"]),
            "a table is a path, a dataframe in memory or an xarray.Dataset: *",
        ),
    ],
)
def test_other_objects_are_not_tables(source, message):
    with pytest.raises(RunsError) as caught:
        read_runs(source, predictors=["N"])
    found = str(caught.value)
    assert found == message or (message.endswith("*") and found.startswith(message[:-1]))


# Copies


COPIED = {
    "params": [1e6, 1e6, 1e8, 1e6],
    "loss": [4.0, 4.0, 3.2, 4.0],
    "task": ["c4", "c4", "pile", "c4"],
}


@pytest.mark.parametrize(
    ("duplicates", "rows", "ending"),
    [
        ("drop", [0, 2], "dropped (duplicates='keep' keeps them)"),
        ("keep", [0, 1, 2, 3], "kept, so they count as new evidence"),
    ],
)
def test_copies_are_counted(duplicates, rows, ending):
    with pytest.warns(RunsWarning) as caught:
        runs = read_runs(
            table(**COPIED), predictors=["params"], group_names=["task"], duplicates=duplicates
        )
    assert [str(warning.message) for warning in caught] == [
        f"2 of 4 runs are exact copies of earlier ones: {ending}"
    ]
    assert runs.attrs["notes"] == [f"2 of 4 runs are exact copies of earlier ones: {ending}."]
    assert runs["run"].values.tolist() == rows
    assert group_names(runs) == ["task"]


def test_copies_are_dropped_by_default_whatever_their_ids():
    with pytest.warns(RunsWarning, match=r"^2 of 4 runs are exact copies"):
        runs = read_runs(table(**COPIED), predictors=["params"], run_id="id")
    assert runs["run"].values.tolist() == ["a", "c"]


@pytest.mark.parametrize(
    ("changes", "arguments"),
    [
        ({"loss": [4.0, np.nextafter(4.0, 5.0), 3.2, 3.9]}, {}),
        ({"params": [1e6, 2e6, 1e8, 3e6]}, {}),
        ({"task": ["c4", "pile", "c4", "code"]}, {"groups": ["task"]}),
        ({"spread": [0.1, 0.2, 0.3, 0.4]}, {"stderr": "spread"}),
    ],
)
def test_runs_that_differ_anywhere_are_no_copies(changes, arguments):
    frame = table(**{**COPIED, **changes})
    assert read_runs(frame, predictors=["params"], **arguments).sizes["run"] == 4
