"""Columns of a table: conversion, validation, and copies of a run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from four_runs import table
from hypothesis import strategies as st

from bayeslaw.data.runs import group_names, read_runs, response_values
from bayeslaw.errors import RunsError, RunsWarning

SIZES = st.floats(1e-3, 1e24)
LOSSES = st.floats(1e-6, 1e3)
LABELS = st.text("abcxyz _-", min_size=1, max_size=6).map(lambda text: f"g{text}")


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


def test_reading_leaves_the_table_alone():
    frame = table(held_out=["true", "false", "0", "1"])
    before = frame.copy(deep=True)
    read_runs(frame, predictors=["params"], groups=["task"], run_id="id")
    pd.testing.assert_frame_equal(frame, before)


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
            "losses, sizes and standard errors must be above zero (and 2 more)",
        ),
        (
            "params",
            [10, 20, -5, 30],
            "column 'params', row 2: -5 is not positive: "
            "losses, sizes and standard errors must be above zero",
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
            "losses, sizes and standard errors must be above zero",
        ),
        (
            "spread",
            [0.1, 0.1, 0.1, -0.1],
            "column 'spread', row 3: -0.1 is not positive: "
            "losses, sizes and standard errors must be above zero",
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
            "column 'id': 'a' names row 0, row 2, row 3; a run's name must be unique",
        ),
        (
            "id",
            [7, 8, 8, 7],
            "column 'id': '7' names row 0, row 3; a run's name must be unique (and 1 more)",
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


def test_an_empty_table_is_an_error():
    with pytest.raises(RunsError, match=r"^the table has no rows$"):
        read_runs(table().iloc[:0], predictors=["params"])


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
            table(**COPIED), predictors=["params"], groups=["task"], duplicates=duplicates
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
def test_runs_that_differ_anywhere_are_not_copies(changes, arguments):
    frame = table(**{**COPIED, **changes})
    assert read_runs(frame, predictors=["params"], **arguments).sizes["run"] == 4


@pytest.mark.parametrize(
    ("values", "first", "second"),
    [
        ([1, 2, "1"], "1 of row 0", "'1' of row 2"),
        (["a", "1.5", 1.5], "1.5 of row 2", "'1.5' of row 1"),
        (["True", True, "x"], "True of row 1", "'True' of row 0"),
    ],
)
def test_a_number_and_its_text_are_not_one_level(
    values: list[object], first: str, second: str
) -> None:
    frame = pd.DataFrame({"N": [1e6, 1e7, 1e8], "loss": [3.0, 2.0, 1.0], "size": values})
    message = (
        f"column 'size': {first} and the text {second} would be one level; convert the column to "
        "one type, such as text"
    )
    with pytest.raises(RunsError) as error:
        read_runs(frame, predictors=["N"], groups=["size"])
    assert str(error.value) == message
    different = frame.assign(size=[1, "2", 3.0])
    runs = read_runs(different, predictors=["N"], groups=["size"])
    assert runs["size"].values.tolist() == ["1", "2", "3"]
