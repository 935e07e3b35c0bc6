"""Runs: reading, checking, attributes, and grids."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from four_runs import read, table
from hypothesis import given
from hypothesis import strategies as st

import bayeslaw
from bayeslaw.data.checks import RESERVED_NAMES
from bayeslaw.data.runs import (
    check_runs,
    grid,
    group_names,
    has_response,
    predictor_names,
    read_runs,
    reference_sizes,
    response_values,
    scaled_predictors,
)
from bayeslaw.errors import RunsError, RunsWarning

SIZES = st.floats(1e-3, 1e24)
LABELS = st.text("abcxyz _-", min_size=1, max_size=6).map(lambda text: f"g{text}")


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
    assert reference_sizes(runs) == {"N": 3e8, "D": 6.3e8}
    assert runs["dataset"].values.tolist() == ["web", "books", "web", "books"]
    assert predictor_names(runs) == ["N", "D"]
    assert group_names(runs) == ["task", "dataset"]
    assert response_values(runs).values.tolist() == [0.4, 0.3, 0.2, 0.1]


@pytest.mark.parametrize(
    ("sizes", "centre"),
    [([1e6, 1e8], 1e7), ([1e6, 2e6, 1e8], 1e7), ([123.0, 123.0], 120.0), ([1e-3, 1e3], 1.0)],
)
def test_default_reference_is_the_geometric_centre_to_two_digits(sizes, centre):
    losses = np.arange(1.0, len(sizes) + 1)
    runs = read_runs(pd.DataFrame({"N": sizes, "loss": losses}), predictors=["N"])
    assert reference_sizes(runs) == {"N": centre}


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
    assert predictor_names(loaded) == predictor_names(original)
    assert group_names(loaded) == group_names(original)
    assert has_response(loaded) == has_response(original)
    if has_response(loaded):
        assert reference_sizes(loaded) == reference_sizes(original)


COLUMNS = "It has: params, tokens, loss, task, dataset, id"
RESERVED = (
    f"it is a reserved name. Reserved are {', '.join(RESERVED_NAMES)}; rename the column, for "
    "example with an underscore at its end"
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"predictors": {"N": "parms"}},
            f"column 'parms' is not in the table; did you mean 'params'? {COLUMNS}",
        ),
        (
            {"response": "LOSS"},
            f"column 'LOSS' is not in the table; did you mean 'loss'? {COLUMNS}; "
            "response=COLUMN says which is the response",
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
        ({"groups": ["a/b"]}, "'a/b' cannot be a group: a slash would split a fit's tree"),
        ({"predictors": {"loss": "params"}}, "'loss' cannot be a predictor: it is the response"),
        *(
            ({"groups": [name]}, f"{name!r} cannot be a group: {RESERVED}")
            for name in RESERVED_NAMES
        ),
        ({"response": "run"}, f"'run' cannot be the response: {RESERVED}"),
        ({"duplicates": "maybe"}, "duplicates must be 'drop' or 'keep', got 'maybe'"),
        ({"reference": {"D": 1e9}}, "'D' is not a predictor; there are: params"),
        (
            {"reference": {"params": 0.0}},
            "reference of 'params' must be a finite number above 0, got 0.0",
        ),
        (
            {"reference": {"params": np.inf}},
            "reference of 'params' must be a finite number above 0, got inf",
        ),
        (
            {"reference": {"params": "1e9"}},
            "reference of 'params' must be a finite number above 0, got '1e9'",
        ),
        ({"best": "5"}, "best must be a finite number, got '5'"),
        ({"best": True}, "best must be a finite number, got True"),
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


def test_one_level_is_warned_of_and_kept_as_a_label():
    frame = table(task=["c4"] * 4)
    with pytest.warns(RunsWarning) as caught:
        runs = read_runs(frame, predictors={"N": "params"}, groups=["task", "dataset"])
    assert [str(warning.message) for warning in caught] == [
        "group 'task' has one level, 'c4', in all 4 runs: dropped from the pooling"
    ]
    assert caught[0].filename == __file__
    assert group_names(runs) == ["task", "dataset"]


def test_warnings_point_to_code_in_a_folder_next_to_the_package() -> None:
    path = f"{Path(bayeslaw.__file__).parent}_study/runs.py"
    code = compile("read_runs(frame, predictors={'N': 'params'}, groups=['task'])", path, "exec")
    with pytest.warns(RunsWarning, match="has one level") as caught:
        exec(code, {"read_runs": read_runs, "frame": table(task=["c4"] * 4)})
    assert caught[0].filename == path


def test_runs_without_their_response_are_a_grid():
    dropped = read().drop_vars("loss")
    check_runs(dropped)
    assert not has_response(dropped)
    with pytest.raises(RunsError, match=r"^these runs have no response: 'loss' was dropped from"):
        response_values(dropped)


def test_all_that_was_warned_of_is_noted():
    with pytest.warns(RunsWarning) as caught:
        runs = read_runs(pd.concat([table(task="c4")] * 2), predictors=["params"], groups=["task"])
    sentences = [str(warning.message) for warning in caught]
    assert len(sentences) == 2
    assert runs.attrs["notes"] == [f"{text[0].upper()}{text[1:]}." for text in sentences]
    assert "notes" not in read().attrs


# Checks


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (
            pd.DataFrame(),
            "runs must be an xarray.Dataset, got DataFrame: bl.read_runs makes one of a table",
        ),
        (
            "mine.csv",
            "runs must be an xarray.Dataset, got 'mine.csv': bl.read_runs makes one of a table",
        ),
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
        (grid(N=1e9).assign_attrs(groups=["task"]), "group 'task' is not a coordinate of the runs"),
        (
            grid(N=1e9).assign_coords(task=("run", [3])).assign_attrs(groups=["task"]),
            "labels of group 'task' must be text",
        ),
        (grid(N=1e9).astype(int), "'N' must be float64, got int64"),
        (
            read().assign(N=("run", [1.0, 0.0, 2.0, -1.0])),
            "'N', position 1: 0.0 is not positive: "
            "losses, sizes and standard errors must be above zero (and 1 more)",
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
        response_values(runs)
    with pytest.raises(RunsError, match=r"^predictor 'N' has no reference scale$"):
        reference_sizes(runs)


def test_scaled_predictors_are_divided_by_their_reference():
    runs = read_runs(table(), predictors={"N": "params", "D": "tokens"})
    assert scaled_predictors(runs, {"D": 2e7}).keys() == {"D"}
    np.testing.assert_allclose(scaled_predictors(runs, {"D": 2e7})["D"], [1.0, 10.0, 100.0, 1000.0])
    with pytest.raises(RunsError, match=r"^'C' is not a predictor; there are: N, D$"):
        scaled_predictors(runs, {"C": 1.0})


# Grids


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
            "N, item 1: 0.0 is not positive: losses, sizes and standard errors must be above zero",
        ),
        (
            {"N": -1.0},
            "N, item 0: -1.0 is not positive: losses, sizes and standard errors must be above zero",
        ),
        ({"N": [np.inf, 1.0]}, "N, item 0: inf is not finite"),
        (
            {"N": np.nan},
            "N, item 0: nan is a missing value: fill it in or drop the row",
        ),
        ({"N": [1.0, "big"]}, "N mixes text and numbers: [1.0, 'big']"),
        ({"N": 1.0, "run": "a"}, f"'run' cannot be a group: {RESERVED}"),
        ({"N": True}, "N, item 0: True is not a number"),
        (
            {"N": 1.0, "task": "a\0"},
            "task, item 0: 'a\\x00' has the character '\\x00', which files cannot hold",
        ),
        ({"N": [10**400]}, "N, item 0: 100000000000000000...0000000000000000000 is not finite"),
    ],
)
def test_bad_grids_are_named(values, message):
    with pytest.raises(RunsError) as caught:
        grid(**values)
    assert str(caught.value) == message


def test_import_is_cheap():
    load = (
        "import sys, bayeslaw.data.runs; "
        "print(sorted({'narwhals', 'matplotlib', 'pymc'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", load]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
