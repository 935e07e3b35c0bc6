"""Tables of every kind, good and bad: files, dataframes, and xarray datasets."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeslaw.data.runs import read_runs, response_values
from bayeslaw.errors import RunsError

SIZES = st.floats(1e-3, 1e24)
LOSSES = st.floats(1e-6, 1e3)
LABELS = st.text("abcxyz _-", min_size=1, max_size=6).map(lambda text: f"g{text}")


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


def test_labels_of_a_csv_file_stay_as_written(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("N,loss,task,note\n1e6,0.1,None,\n7e6,0.30000000000000004,NA,x\n")
    runs = read_runs(path, predictors=["N"], groups=["task"])
    assert runs["task"].values.tolist() == ["None", "NA"]
    assert response_values(runs).values.tolist() == [0.1, 0.1 + 0.2]


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
    error = str(caught.value)
    assert error == expected or (expected.endswith("*") and error.startswith(expected[:-1]))


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
    error = str(caught.value)
    assert error == message or (message.endswith("*") and error.startswith(message[:-1]))
