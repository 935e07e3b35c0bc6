"""Tests of curves: their labels, their positions, and warnings of thin ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from bayeslaw.data.curves import curve_index, curves_in, warn_thin_groups
from bayeslaw.data.runs import grid, read_runs
from bayeslaw.errors import RunsError, RunsWarning

LABELS = st.text("abcxyz _-", min_size=1, max_size=6).map(lambda text: f"g{text}")


def test_curves_are_the_combinations_that_occur():
    frame = pd.DataFrame(
        {
            "params": [1e6, 1e7, 1e8, 1e9],
            "loss": [4.0, 3.5, 3.2, 3.0],
            "task": ["c4", "c4", "pile", "pile"],
            "dataset": ["web", "web", "books", "web"],
        }
    )
    runs = read_runs(frame, predictors={"N": "params"}, groups=["task", "dataset"])
    expected = xr.Dataset(
        coords={
            "curve": ["c4 / web", "pile / books", "pile / web"],
            "task": ("curve", ["c4", "pile", "pile"]),
            "dataset": ("curve", ["web", "books", "web"]),
        },
        attrs={"groups": ["task", "dataset"]},
    )
    xr.testing.assert_identical(curves_in(runs), expected)
    assert curve_index(runs, curves_in(runs)).tolist() == [0, 0, 1, 2]


def test_runs_without_groups_are_one_curve():
    runs = grid(N=[1e6, 1e7, 1e8])
    assert curves_in(runs)["curve"].values.tolist() == ["all"]
    assert curve_index(runs, curves_in(runs)).tolist() == [0, 0, 0]


@given(labels=st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=8))
def test_curve_index_finds_the_groups_again(labels):
    first, second = zip(*labels, strict=True)
    runs = grid(N=np.arange(1.0, len(labels) + 1)).assign_coords(
        task=("run", list(first)), dataset=("run", list(second))
    )
    runs = runs.assign_attrs(groups=["task", "dataset"])
    curves = curves_in(runs).isel(curve=curve_index(runs, curves_in(runs)))
    assert curves["task"].values.tolist() == list(first)
    assert curves["dataset"].values.tolist() == list(second)


def test_unknown_curves_are_named():
    known = curves_in(grid(N=1e9, task=["c4", "pile", "code", "math"], dataset="web"))
    with pytest.raises(RunsError) as caught:
        curve_index(grid(N=1e9, task=["c4", "wiki"], dataset="web"), known)
    assert str(caught.value) == (
        "unknown curve 'wiki / web'; the curves are: c4 / web, pile / web, code / web, and 1 more"
    )
    with pytest.raises(RunsError, match=r"^the runs have no group 'dataset', but the curves do$"):
        curve_index(grid(N=1e9, task="c4"), known)


def labelled(tasks: list[str], datasets: list[str]) -> xr.Dataset:
    """A grid with one run per pair of labels."""
    runs = grid(N=np.arange(1.0, len(tasks) + 1))
    runs = runs.assign_coords(task=("run", tasks), dataset=("run", datasets))
    return runs.assign_attrs(groups=["task", "dataset"])


@pytest.mark.parametrize(
    ("tasks", "datasets", "message"),
    [
        (
            ["x", "a / b", "a"],
            ["y", "c", "b / c"],
            "two curves are called 'a / b / c': task 'a / b', dataset 'c' and "
            "task 'a', dataset 'b / c'; rename a label",
        ),
        (
            ["a /", "a"],
            ["b", "/ b"],
            "two curves are called 'a / / b': task 'a /', dataset 'b' and "
            "task 'a', dataset '/ b'; rename a label",
        ),
    ],
)
def test_two_curves_of_one_label_are_an_error(tasks, datasets, message):
    with pytest.raises(RunsError) as caught:
        curves_in(labelled(tasks, datasets))
    assert str(caught.value) == message


def test_labels_may_contain_the_separator():
    runs = labelled(["a / b", "a", "a / b"], ["c", "b / d", "c"])
    assert curves_in(runs)["curve"].values.tolist() == ["a / b / c", "a / b / d"]
    assert curve_index(runs, curves_in(runs)).tolist() == [0, 1, 0]


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
