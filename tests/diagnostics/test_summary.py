"""The table of parameters."""

from __future__ import annotations

from dataclasses import replace

import arviz as az
import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate


def test_rows_and_columns(crossed_fit: bl.Fit) -> None:
    table = bl.summary(crossed_fit)
    assert list(table.index.names) == ["of", "label", "parameter"]
    assert list(table.columns) == ["median", "lower", "upper", "sd", "r_hat", "ess_bulk"]
    assert table.index.is_unique
    counts = table.groupby(level="of", sort=False).size().to_dict()
    assert counts == {"population": 4, "task": 12, "dataset": 16, "curve": 48}
    assert list(table.index.unique("parameter")) == ["L0", "k", "alpha", "sigma"]
    curves = crossed_fit.tree["posterior"]["curve"].values
    assert table.loc["curve"].index.unique("label").tolist() == curves.tolist()
    assert table.loc[("curve", "books / web")].index.tolist() == ["L0", "k", "alpha", "sigma"]
    assert table.loc[("curve", "books / web", "k")].name == ("curve", "books / web", "k")


@pytest.mark.parametrize("prob", [0.5, 0.9])
def test_curves_are_quantiles_of_the_posterior(crossed_fit: bl.Fit, prob: float) -> None:
    table = bl.summary(crossed_fit, prob=prob)
    draws = crossed_fit.tree["posterior"].to_dataset()["k"].sel(curve="books / forum")
    row = table.loc["curve", "books / forum", "k"]
    expected = np.quantile(draws, [(1 - prob) / 2, 0.5, (1 + prob) / 2])
    np.testing.assert_allclose(row[["lower", "median", "upper"]].to_numpy(float), expected)
    assert row["sd"] == pytest.approx(float(draws.std()))
    assert row["r_hat"] == pytest.approx(float(az.rhat(draws.rename("x"))))
    assert row["ess_bulk"] == pytest.approx(float(az.ess(draws.rename("x"), method="bulk")))


def test_levels_are_the_population_and_an_effect(crossed_fit: bl.Fit) -> None:
    posterior, table = crossed_fit.tree["posterior"].to_dataset(), bl.summary(crossed_fit)
    population = posterior["alpha_population"]
    assert table.loc[("population", "all", "alpha"), "median"] == pytest.approx(
        float(population.median())
    )
    level = population + posterior["alpha_dataset_effect"].sel(dataset="wiki")
    row = table.loc["dataset", "wiki", "alpha"]
    np.testing.assert_allclose(
        row[["lower", "median", "upper"]].to_numpy(float), np.quantile(level, [0.05, 0.5, 0.95])
    )


def test_a_lone_curve(lone_fit: bl.Fit) -> None:
    table = bl.summary(lone_fit)
    assert list(table.index) == [("curve", "all", name) for name in ("L0", "k", "alpha", "sigma")]
    truth = {"L0": 2.0, "k": 300.0, "alpha": 0.4}
    for name, value in truth.items():
        row = table.loc["curve", "all", name]
        assert abs(np.log(row["median"] / value)) < 4 * row["sd"] / row["median"], name


def test_groups_with_reserved_names(crossed_fit: bl.Fit) -> None:
    """A column called model is a dimension of another name in the tree, and itself in the table."""
    tree = crossed_fit.tree.copy()
    posterior = tree["posterior"].to_dataset()
    names = {f"{n}_task_effect": f"{n}_model_effect" for n in ("L0", "k", "alpha", "sigma")}
    tree["posterior"] = posterior.rename(names | {"task": "model_level"})
    runs = crossed_fit.runs.rename(task="model").assign_attrs(groups=["model", "dataset"])
    renamed = bl.summary(replace(crossed_fit, runs=runs, tree=tree))
    expected = bl.summary(crossed_fit)
    assert list(renamed.loc["model"].index) == list(expected.loc["task"].index)
    np.testing.assert_array_equal(renamed, expected)


def test_a_fixed_parameter(crossed_fit: bl.Fit) -> None:
    tree = crossed_fit.tree.copy()
    posterior = tree["posterior"].to_dataset()
    tree["posterior"] = posterior.assign(L0=posterior["L0"] * 0 + 1.69)
    row = bl.summary(replace(crossed_fit, tree=tree)).loc["curve", "c4 / web", "L0"]
    assert row["median"] == row["lower"] == row["upper"] == pytest.approx(1.69)
    assert row["sd"] == pytest.approx(0, abs=1e-12)


def test_a_fit_that_failed_says_so_first(crossed_fit: bl.Fit) -> None:
    tree = crossed_fit.tree.copy()
    tree.attrs["gate"] = replace(Gate.of(tree), r_hat=1.2).to_json()
    table = bl.summary(replace(crossed_fit, tree=tree))
    assert table.columns[0] == "verdict"
    assert set(table["verdict"]) == {"NOT CONVERGED"}
    assert "verdict" not in bl.summary(crossed_fit)


@pytest.mark.parametrize("prob", [0.0, 1.0, 90.0])
def test_prob(crossed_fit: bl.Fit, prob: float) -> None:
    with pytest.raises(ValueError, match=f"^prob must be a number between 0 and 1, got {prob}$"):
        bl.summary(crossed_fit, prob=prob)
