"""Baselines: last values and least squares."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayeslaw as bl
from bayeslaw.comparison.baselines import baselines, last_values, require_names


def test_last_value_of_several_runs_at_the_largest_size() -> None:
    table = pd.DataFrame(
        {"N": [1e6, 1e7, 1e7, 1e6], "loss": [4.0, 2.0, 8.0, 3.0], "task": ["a", "a", "a", "b"]}
    )
    train = bl.read_runs(table, predictors=["N"], groups=["task"])
    later = bl.grid(N=1e8, task=["b", "a"])
    np.testing.assert_allclose(last_values(train, later), [3.0, 4.0])


def test_the_largest_scale_is_that_of_all_predictors() -> None:
    table = pd.DataFrame({"N": [1e6, 1e8], "D": [1e10, 1e7], "loss": [2.0, 5.0]})
    train = bl.read_runs(table, predictors=["N", "D"])
    np.testing.assert_allclose(last_values(train, bl.grid(N=1e9, D=1e10)), [2.0])


def test_errors_of_both() -> None:
    """A law that the runs follow leaves no error; where it is not positive, an infinite one."""
    sizes = np.geomspace(1e4, 1e9, 6)
    table = pd.DataFrame({"N": sizes, "loss": 10 - 0.4 * np.log(sizes)})
    runs = bl.read_runs(table, predictors=["N"])
    train, later = bl.split_at(runs, N=1e8)
    errors = baselines(bl.Model(bl.laws.log_linear), train, later)
    assert list(errors) == ["last value", "least squares"]
    squared = errors["last value"]["squared_log_error"].values
    np.testing.assert_allclose(squared, np.log(table["loss"][4] / table["loss"][5]) ** 2)
    np.testing.assert_allclose(errors["least squares"]["squared_log_error"], 0, atol=1e-12)
    far = baselines(bl.Model(bl.laws.log_linear), train, later.assign(N=later["N"] * 1e9))
    assert far["least squares"]["squared_log_error"].values == np.inf
    assert far["last value"].attrs == later.attrs


def test_an_unknown_curve_has_no_last_value() -> None:
    table = pd.DataFrame({"N": [1e6, 1e7], "loss": 2.0, "task": "a"})
    with pytest.warns(bl.errors.RunsWarning, match="one level"):
        train = bl.read_runs(table, predictors=["N"], groups=["task"])
    with pytest.raises(bl.errors.RunsError, match="unknown curve 'b'"):
        last_values(train, bl.grid(N=1e8, task="b"))


@pytest.mark.parametrize("name", ["last value", "least squares"])
def test_names_of_baselines_are_refused(name: str) -> None:
    sentence = f"^'{name}' is the name of a baseline; give the model another name$"
    with pytest.raises(ValueError, match=sentence):
        require_names(["power", name])
