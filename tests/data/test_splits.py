"""Train/test splits by size and by mark."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from four_runs import read, table
from hypothesis import given
from hypothesis import strategies as st

from bayeslaw.data.runs import check_runs, grid, read_runs, reference_sizes
from bayeslaw.data.splits import split_at, split_held_out
from bayeslaw.errors import RunsError

SIZES = st.floats(1e-3, 1e24)


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
        assert reference_sizes(part) == reference_sizes(runs)
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
        ({"N": np.nan}, "N must be a finite number above 0, got nan"),
        ({"N": np.inf}, "N must be a finite number above 0, got inf"),
        ({"N": "1e8"}, "N must be a finite number above 0, got '1e8'"),
        ({"N": True}, "N must be a finite number above 0, got True"),
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
