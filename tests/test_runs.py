"""Tests of reading, checking, splitting and gridding runs."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeslaw import runs as module
from bayeslaw.runs import (
    RunsError,
    RunsWarning,
    check_runs,
    curve_index,
    curves,
    grid,
    groups,
    has_response,
    predictors,
    read_runs,
    reference,
    response,
    scaled,
    split_at,
    split_held_out,
    warn_thin_groups,
)

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


def read(**changes: object) -> xr.Dataset:
    """The table above, read with both groups."""
    return read_runs(table(**changes), predictors={"N": "params"}, groups=["task", "dataset"])


# Reading


def test_defaults_give_plain_float_runs():
    runs = read_runs(table(loss=[4, 3, 2, 1]), predictors=["params"])
    expected = xr.Dataset(
        {
            "loss": ("run", [4.0, 3.0, 2.0, 1.0], {"column": "loss"}),
            "params": (
                "run",
                [1e6, 1e7, 1e8, 1e9],
                {"column": "params", "reference": 3.2e7},
            ),
        },
        {"run": [0, 1, 2, 3]},
        {"response": "loss", "predictors": ["params"], "groups": []},
    )
    xr.testing.assert_identical(runs, expected)
    assert runs["loss"].dtype == runs["params"].dtype == np.float64


def test_every_optional_argument():
    runs = read_runs(
        table(error_rate=[0.4, 0.3, 0.2, 0.1], spread=[0.01, 0.02, 0.03, 0.04]),
        response="error_rate",
        predictors={"N": "params", "D": "tokens"},
        groups=["task", "dataset"],
        stderr="spread",
        run_id="id",
        reference={"N": 3e8},
        duplicates="keep",
        best=None,
    )
    assert set(runs.data_vars) == {"error_rate", "N", "D", "stderr"}
    assert runs["run"].values.tolist() == ["a", "b", "c", "d"]
    assert runs["stderr"].values.tolist() == [0.01, 0.02, 0.03, 0.04]
    assert runs["stderr"].attrs == {"column": "spread"}
    assert runs["D"].attrs == {"column": "tokens", "reference": 6.3e8}
    assert reference(runs) == {"N": 3e8, "D": 6.3e8}
    assert runs["dataset"].values.tolist() == ["web", "books", "web", "books"]
    assert predictors(runs) == ["N", "D"]
    assert groups(runs) == ["task", "dataset"]
    assert response(runs).values.tolist() == [0.4, 0.3, 0.2, 0.1]


def test_best_makes_a_shortfall():
    runs = read_runs(
        table(accuracy=[0.0, 0.25, 0.5, 0.75]),
        response="accuracy",
        predictors=["params"],
        best=1.0,
    )
    assert runs.attrs["response"] == "accuracy_shortfall"
    assert response(runs).values.tolist() == [1.0, 0.75, 0.5, 0.25]
    assert response(runs).attrs == {"column": "accuracy", "long_name": "1 - accuracy"}
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
    runs = read_runs(table(model=values), predictors=["params"], groups=["model"])
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
    runs = read(held_out=marks)
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


@pytest.mark.parametrize(
    ("sizes", "centre"),
    [([1e6, 1e8], 1e7), ([1e6, 2e6, 1e8], 1e7), ([123.0, 123.0], 120.0), ([1e-3, 1e3], 1.0)],
)
def test_default_reference_is_the_geometric_centre_to_two_digits(sizes, centre):
    losses = np.arange(1.0, len(sizes) + 1)
    runs = read_runs(pd.DataFrame({"N": sizes, "loss": losses}), predictors=["N"])
    assert reference(runs) == {"N": centre}


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
    assert response(runs).values.tolist() == [row[1] for row in rows]


def test_reading_leaves_the_table_alone():
    frame = table(held_out=["true", "false", "0", "1"])
    before = frame.copy(deep=True)
    read_runs(frame, predictors=["params"], groups=["task"], run_id="id")
    pd.testing.assert_frame_equal(frame, before)


def test_labels_of_a_csv_file_stay_as_written(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("N,loss,task,note\n1e6,0.1,None,\n7e6,0.30000000000000004,NA,x\n")
    runs = read_runs(path, predictors=["N"], groups=["task"])
    assert runs["task"].values.tolist() == ["None", "NA"]
    assert response(runs).values.tolist() == [0.1, 0.1 + 0.2]


@pytest.mark.parametrize(
    "original",
    [
        read(held_out=[True, False, True, False]),
        # One name each: netCDF turns a list of one text into the text.
        read_runs(table(), predictors=["params"], groups=["task"]),
        grid(params=[1e6, 1e7]),
    ],
)
def test_runs_survive_netcdf(original, tmp_path):
    original.to_netcdf(tmp_path / "runs.nc", engine="h5netcdf")
    loaded = xr.load_dataset(tmp_path / "runs.nc", engine="h5netcdf")
    check_runs(loaded)
    xr.testing.assert_equal(loaded, original)
    assert predictors(loaded) == predictors(original)
    assert groups(loaded) == groups(original)
    assert has_response(loaded) == has_response(original)
    if has_response(loaded):
        assert reference(loaded) == reference(original)


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
        read_runs(frame, predictors=["params"], groups=["task"], stderr="spread", run_id="id")
    assert str(caught.value) == message


COLUMNS = "It has: params, tokens, loss, task, dataset, id"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"predictors": {"N": "parms"}},
            f"column 'parms' is not in the table; did you mean 'params'? {COLUMNS}",
        ),
        (
            {"response": "LOSS"},
            f"column 'LOSS' is not in the table; did you mean 'loss'? {COLUMNS}",
        ),
        ({"groups": ["zzz"]}, f"column 'zzz' is not in the table. {COLUMNS}"),
        ({"stderr": "se"}, f"column 'se' is not in the table. {COLUMNS}"),
        ({"run_id": "ids"}, f"column 'ids' is not in the table; did you mean 'id'? {COLUMNS}"),
        ({"predictors": []}, "at least one predictor is needed, such as N"),
        ({"predictors": "params"}, "predictors must be a list of columns, got 'params'"),
        ({"groups": "task"}, "groups must be a list of columns, got 'task'"),
        ({"groups": ["params"]}, "'params' cannot be a group: it is a predictor"),
        ({"groups": ["loss"]}, "'loss' cannot be a group: it is the response"),
        ({"groups": ["task", "task"]}, "'task' cannot be a group: it is a group"),
        ({"groups": ["run"]}, "'run' cannot be a group: it is a reserved name"),
        ({"groups": ["chain"]}, "'chain' cannot be a group: it is a reserved name"),
        ({"groups": ["draw"]}, "'draw' cannot be a group: it is a reserved name"),
        ({"groups": ["curve"]}, "'curve' cannot be a group: it is a reserved name"),
        ({"groups": ["held_out"]}, "'held_out' cannot be a group: it is a reserved name"),
        ({"groups": ["stderr"]}, "'stderr' cannot be a group: it is a reserved name"),
        ({"predictors": {"loss": "params"}}, "'loss' cannot be a predictor: it is the response"),
        ({"response": "run"}, "'run' cannot be the response: it is a reserved name"),
        ({"duplicates": "maybe"}, "duplicates must be 'drop' or 'keep', got 'maybe'"),
        ({"reference": {"D": 1e9}}, "'D' is not a predictor; there are: params"),
        (
            {"reference": {"params": 0.0}},
            "reference of 'params': 0.0 is not positive: "
            "a loss, a size or a standard error is above zero",
        ),
        ({"reference": {"params": np.inf}}, "reference of 'params': inf is not finite"),
        ({"reference": {"params": "big"}}, "reference of 'params': 'big' is not a number"),
        ({"best": np.inf}, "best must be a finite number, got inf"),
        (
            {"best": 3.5},
            "column 'loss', row 0: 4.0 is not below the best value, 3.5 (and 1 more)",
        ),
        ({"best": 5.0, "response": "task"}, "column 'task', row 0: 'c4' is not a number"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(RunsError) as caught:
        read_runs(table(), **{"predictors": ["params"], **arguments})
    # Not a number: the first of four texts.
    assert str(caught.value).removesuffix(" (and 3 more)") == message


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
        ("runs.csv.gz", gzip.compress(b"N,loss\n1,2\n")[:-9], "cannot read '{path}': *"),
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
            "a table is a path or a dataframe in memory: "
            "Unsupported dataframe type, got: <class 'list'>",
        ),
        (pl.LazyFrame({"N": [1]}), "a table is a path or a dataframe in memory: *"),
        (pd.DataFrame([[1, 2]]), "column 'loss' is not in the table. It has: 0, 1"),
        (
            pd.DataFrame([[1, 2]], columns=["N", "N"]),
            "a table is a path or a dataframe in memory: *",
        ),
    ],
)
def test_other_objects_are_not_tables(source, message):
    with pytest.raises(RunsError) as caught:
        read_runs(source, predictors=["N"])
    found = str(caught.value)
    assert found == message or (message.endswith("*") and found.startswith(message[:-1]))


# Warnings


def test_one_level_is_warned_of_and_kept_as_a_label():
    with pytest.warns(RunsWarning) as caught:
        runs = read(task=["c4"] * 4)
    assert [str(warning.message) for warning in caught] == [
        "group 'task' has one level, 'c4', in all 4 runs: dropped from the pooling"
    ]
    assert caught[0].filename == __file__
    assert groups(runs) == ["task", "dataset"]


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
            table(**COPIED), predictors=["params"], groups=["task"], duplicates=duplicates
        )
    assert [str(warning.message) for warning in caught] == [
        f"2 of 4 runs are exact copies of earlier ones: {ending}"
    ]
    assert runs["run"].values.tolist() == rows
    assert groups(runs) == ["task"]


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


@pytest.mark.parametrize(
    ("names", "n_parameters", "start", "thin"),
    [
        (
            ["task", "kind"],
            3,
            "5 of 6 curves",
            "b / y has 2, c / y has 1, d / y has 1, and 2 more",
        ),
        (["kind"], 3, "1 of 2 curves", "y has 2"),
        ([], 4, "1 of 1 curves", "all has 3"),
    ],
)
def test_thin_curves_are_counted_and_named(names, n_parameters, start, thin):
    sizes = [1e6, 1e7, 1e8, 1e6, 1e7, 1e6, 1e6, 1e6, 1e6]
    runs = grid(N=sizes).assign_coords(
        task=("run", list("aaabbcdef")), kind=("run", list("xxxyyyyyy"))
    )
    with pytest.warns(RunsWarning) as caught:
        warn_thin_groups(runs, names, n_parameters)
    assert [str(warning.message) for warning in caught] == [
        f"{start} have fewer distinct values of N than the law has parameters "
        f"({n_parameters}): {thin}; pooling may still carry them"
    ]


def test_thin_curves_count_settings_of_all_predictors():
    runs = grid(N=[1e6, 1e7], D=[1e8, 1e9])
    warn_thin_groups(runs, [], 4)
    with pytest.warns(RunsWarning, match=r"values of N and D .*\(5\): all has 4;"):
        warn_thin_groups(runs, [], 5)


# Checks


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (pd.DataFrame(), "runs must be an xarray.Dataset, got DataFrame"),
        (xr.Dataset(), "runs need attrs['predictors']; make them with read_runs or grid"),
        (
            xr.Dataset(attrs={"predictors": ["N"]}),
            "runs need attrs['groups']; make them with read_runs or grid",
        ),
        (grid(N=1e9).rename(run="row"), "runs need one dimension, 'run', got ['row']"),
        (
            grid(N=1e9).expand_dims(draw=2),
            "runs need one dimension, 'run', got ['draw', 'run']",
        ),
        (grid(N=1e9).isel(run=[]), "there are no runs"),
        (grid(N=1e9).isel(run=[0, 0]), "the run coordinate has repeated values"),
        (grid(N=1e9).drop_vars("run"), "the run coordinate is missing"),
        (grid(N=1e9).assign_attrs(predictors=[]), "runs need at least one predictor"),
        (grid(N=1e9).assign_attrs(predictors=["D"]), "'D' is not a variable of the runs"),
        (grid(N=1e9).assign_attrs(response="loss"), "'loss' is not a variable of the runs"),
        (grid(N=1e9).assign_attrs(groups=["task"]), "group 'task' is not a coordinate of the runs"),
        (
            grid(N=1e9).assign_coords(task=("run", [3])).assign_attrs(groups=["task"]),
            "labels of group 'task' must be text",
        ),
        (grid(N=1e9).astype(int), "'N' must be float64, got int64"),
        (
            read().assign(N=("run", [1.0, 0.0, 2.0, -1.0])),
            "'N', position 1: 0.0 is not positive: "
            "a loss, a size or a standard error is above zero (and 1 more)",
        ),
        (
            read().assign(loss=("run", [1.0, 1.0, np.inf, 1.0])),
            "'loss', position 2: inf is not finite",
        ),
        (
            read().assign(stderr=("run", [1.0, 1.0, 1.0, np.nan])),
            "'stderr', position 3: nan is a missing value: fill it in or drop the row",
        ),
        (read().assign_coords(held_out=("run", [0, 1, 0, 1])), "held_out must be true or false"),
    ],
)
def test_invalid_runs_are_refused(runs, message):
    with pytest.raises(RunsError) as caught:
        check_runs(runs)
    assert str(caught.value) == message


@pytest.mark.parametrize("runs", [read(), read(held_out=[0, 1, 0, 1]), grid(N=1e9, task="c4")])
def test_valid_runs_pass(runs):
    assert check_runs(runs) is None


def test_a_grid_has_neither_response_nor_reference():
    runs = grid(N=1e9)
    assert has_response(read())
    assert not has_response(runs)
    with pytest.raises(RunsError, match=r"^these runs have no response: they come from a grid$"):
        response(runs)
    with pytest.raises(RunsError, match=r"^predictor 'N' has no reference scale$"):
        reference(runs)


def test_scaled_divides_what_is_asked_for():
    runs = read_runs(table(), predictors={"N": "params", "D": "tokens"})
    assert scaled(runs, {"D": 2e7}).keys() == {"D"}
    np.testing.assert_allclose(scaled(runs, {"D": 2e7})["D"], [1.0, 10.0, 100.0, 1000.0])
    with pytest.raises(RunsError, match=r"^'C' is not a predictor; there are: N, D$"):
        scaled(runs, {"C": 1.0})


# Splits


@given(sizes=st.lists(SIZES, min_size=2, max_size=20, unique=True), data=st.data())
def test_split_at_partitions_the_runs(sizes, data):
    limit = data.draw(st.sampled_from(sorted(sizes)[:-1]))
    losses = np.arange(1.0, len(sizes) + 1)
    frame = pd.DataFrame({"N": sizes, "loss": losses})
    runs = read_runs(frame, predictors=["N"])
    before = runs.copy(deep=True)
    train, later = split_at(runs, N=limit)
    assert (train["N"] <= limit).all()
    assert (later["N"] > limit).all()
    xr.testing.assert_identical(xr.concat([train, later], "run").sortby("run"), before)
    xr.testing.assert_identical(runs, before)


def test_several_limits_hold_together_and_attributes_stay():
    runs = read_runs(table(), predictors={"N": "params", "D": "tokens"}, groups=["task"])
    train, later = split_at(runs, N=1e8, D=2e8)
    assert train["run"].values.tolist() == [0, 1]
    assert later["run"].values.tolist() == [2, 3]
    for part in (train, later):
        assert part.attrs == runs.attrs
        assert reference(part) == reference(runs)
        check_runs(part)


def test_a_predictor_may_be_called_runs():
    train, _ = split_at(grid(runs=[1.0, 2.0]), runs=1.0)
    assert train["runs"].values.tolist() == [1.0]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({}, "split_at needs a limit, such as split_at(runs, N=1e8)"),
        ({"C": 1e8}, "'C' is not a predictor; there are: N, D"),
        ({"N": 1e5}, "no run has N <= 100000: N in the data is 1e+06 to 1e+09"),
        ({"N": 1e9}, "every run has N <= 1e+09: N in the data is 1e+06 to 1e+09"),
        (
            {"N": 1e7, "D": 1e7},
            "no run has N <= 1e+07 and D <= 1e+07: "
            "N in the data is 1e+06 to 1e+09, D in the data is 2e+07 to 2e+10",
        ),
        ({"N": np.nan}, "no run has N <= nan: N in the data is 1e+06 to 1e+09"),
    ],
)
def test_limits_that_split_nothing(limits, message):
    runs = read_runs(table(), predictors={"N": "params", "D": "tokens"})
    with pytest.raises(RunsError) as caught:
        split_at(runs, **limits)
    assert str(caught.value) == message


def test_split_held_out_follows_the_marks():
    runs = read(held_out=[False, True, False, True])
    train, held_out = split_held_out(runs)
    assert train["run"].values.tolist() == [0, 2]
    assert held_out["run"].values.tolist() == [1, 3]
    assert train.attrs == held_out.attrs == runs.attrs
    assert held_out["N"].attrs == runs["N"].attrs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "no run is marked: the table has no column 'held_out'"),
        ({"held_out": [0, 0, 0, 0]}, "none of the 4 runs is marked as held out"),
        ({"held_out": [1, 1, 1, 1]}, "all 4 runs are marked as held out"),
    ],
)
def test_marks_that_split_nothing(changes, message):
    with pytest.raises(RunsError) as caught:
        split_held_out(read(**changes))
    assert str(caught.value) == message


# Grids and curves


@given(
    sizes=st.lists(SIZES, min_size=1, max_size=4),
    tokens=SIZES,
    tasks=st.lists(LABELS, min_size=1, max_size=3),
)
def test_grid_is_the_cross_product_in_order(sizes, tokens, tasks):
    runs = grid(task=tasks, N=sizes, D=tokens)
    check_runs(runs)
    assert runs["run"].values.tolist() == list(range(len(sizes) * len(tasks)))
    assert runs["task"].values.tolist() == [task for task in tasks for _ in sizes]
    assert runs["N"].values.tolist() == sizes * len(tasks)
    assert set(runs["D"].values.tolist()) == {tokens}
    assert runs.attrs == {"predictors": ["N", "D"], "groups": ["task"]}


def test_grid_takes_arrays_and_integers():
    assert grid(N=np.array([1, 2]))["N"].values.tolist() == [1.0, 2.0]
    assert grid(N=3)["N"].dtype == float
    assert grid(N=1.0, task=np.array(["c4", "web"]))["task"].values.tolist() == ["c4", "web"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "at least one predictor is needed, such as N"),
        ({"task": "c4"}, "at least one predictor is needed, such as N"),
        ({"N": []}, "N is empty: give a number, a text or a list of them"),
        ({"N": 1.0, "task": []}, "task is empty: give a number, a text or a list of them"),
        (
            {"N": [1e9, 0.0]},
            "N, item 1: 0.0 is not positive: a loss, a size or a standard error is above zero",
        ),
        (
            {"N": -1.0},
            "N, item 0: -1.0 is not positive: a loss, a size or a standard error is above zero",
        ),
        ({"N": [np.inf, 1.0]}, "N, item 0: inf is not finite"),
        (
            {"N": np.nan},
            "N, item 0: nan is a missing value: fill it in or drop the row",
        ),
        ({"N": [1.0, "big"]}, "N, item 1: 'big' is not a number"),
        ({"N": 1.0, "run": "a"}, "'run' cannot be a group: it is a reserved name"),
    ],
)
def test_bad_grids_are_named(values, message):
    with pytest.raises(RunsError) as caught:
        grid(**values)
    assert str(caught.value) == message


def test_curves_are_the_combinations_that_occur():
    runs = read(dataset=["web", "web", "books", "web"])
    expected = xr.Dataset(
        coords={
            "curve": ["c4 / web", "pile / books", "pile / web"],
            "task": ("curve", ["c4", "pile", "pile"]),
            "dataset": ("curve", ["web", "books", "web"]),
        },
        attrs={"groups": ["task", "dataset"]},
    )
    xr.testing.assert_identical(curves(runs), expected)
    assert curve_index(runs, curves(runs)).tolist() == [0, 0, 1, 2]


def test_runs_without_groups_are_one_curve():
    runs = grid(N=[1e6, 1e7, 1e8])
    assert curves(runs)["curve"].values.tolist() == ["all"]
    assert curve_index(runs, curves(runs)).tolist() == [0, 0, 0]


@given(labels=st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=8))
def test_curve_index_finds_the_groups_again(labels):
    first, second = zip(*labels, strict=True)
    runs = grid(N=np.arange(1.0, len(labels) + 1)).assign_coords(
        task=("run", list(first)), dataset=("run", list(second))
    )
    runs = runs.assign_attrs(groups=["task", "dataset"])
    found = curves(runs).isel(curve=curve_index(runs, curves(runs)))
    assert found["task"].values.tolist() == list(first)
    assert found["dataset"].values.tolist() == list(second)


def test_unknown_curves_are_named():
    known = curves(grid(N=1e9, task=["c4", "pile", "code", "math"], dataset="web"))
    with pytest.raises(RunsError) as caught:
        curve_index(grid(N=1e9, task=["c4", "wiki"], dataset="web"), known)
    assert str(caught.value) == (
        "unknown curve 'wiki / web'; the curves are: c4 / web, pile / web, code / web, and 1 more"
    )
    with pytest.raises(RunsError, match=r"^the runs have no group 'dataset', the curves have$"):
        curve_index(grid(N=1e9, task="c4"), known)


# The module


def test_import_is_cheap():
    # The package's own __init__ imports more, so the file is loaded by itself.
    load = (
        "import runpy, sys; runpy.run_path(sys.argv[1]); "
        "print(sorted({'narwhals', 'matplotlib', 'pymc'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", load, module.__file__]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
