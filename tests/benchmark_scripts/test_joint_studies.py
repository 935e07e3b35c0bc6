"""Studies of laws in several predictors: their rows, their splits and the simulated truths."""

from __future__ import annotations

import os
import sys
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayeslaw as bl

sys.path.insert(0, str(Path(__file__).parents[2]))  # the benchmarks are no part of the package
from benchmarks.joint import catalogue, simulated, splits
from benchmarks.joint.study import COST, MODEL, Study, runs_of, study

needs_data = pytest.mark.skipif(
    not os.environ.get("BAYESLAW_DATA"), reason="BAYESLAW_DATA names no folder of public data"
)
# Study: rows that are not held out, models of them; rows held out, models of those.
COUNTS = {
    "loss_to_loss": (529 * 8, 529, 6 * 8, 6),
    "tiny_lm": (872, 872, 16, 16),
    "chinchilla_epoch": (240, 240, 0, 0),
    "porian_isoflop": (940, 6 * 16 + 2 * 88, 0, 0),
    "misfitting": (81, 81, 0, 0),
    "steplaw": (17, 17, 0, 0),
    "datablations_repeats": (182, 182, 0, 0),
    "gzip_syntax": (150, 150, 0, 0),
    "moe": (193, 193, 28, 28),
    "vocab": (1080, 54, 120, 6),
    "sparsity": (70, 70, 18, 18),
}
TOO_FEW = {("steplaw", 10), ("steplaw", 30), ("sparsity", 30)}  # rows below the cut-off
PARAMETERS = {"E": 1.7, "A": 0.6, "alpha": 0.35, "B": 0.8, "beta": 0.28}
SIZES = np.geomspace(0.05, 20, 7), np.geomspace(0.02, 50, 7)
NO_MISFIT = np.zeros(2)


@cache
def read(name: str) -> Study:
    """A study, read once."""
    return catalogue.read(name)


def made_up(**columns: object) -> Study:
    """A study of a table, by default of four runs."""
    table = pd.DataFrame({"N": [1e6, 1e6, 1e7, 1e7], "D": [1e8, 1e9, 1e8, 1e9]})
    table = table.assign(loss=[4.0, 3.0, 3.5, 2.5], cost=6 * table["N"] * table["D"])
    return study("made up", table.assign(**columns), predictors=("N", "D"), laws=("chinchilla",))


@needs_data
@pytest.mark.parametrize("name", COUNTS)
def test_rows_and_models_are_as_published(name: str) -> None:
    runs = read(name).runs
    held_out = runs["held_out"]
    each = [(len(rows), rows[MODEL].nunique()) for rows in (runs[~held_out], runs[held_out])]
    assert (*each[0], *each[1]) == COUNTS[name]


@needs_data
@pytest.mark.parametrize("name", catalogue.STUDIES)
def test_runs_have_what_the_laws_take(name: str) -> None:
    each = read(name)
    runs = runs_of(each, each.runs)
    assert each.name == name
    assert runs.sizes["run"] == len(each.runs)
    assert runs["held_out"].values.tolist() == each.runs["held_out"].tolist()
    assert runs[MODEL].values.tolist() == each.runs[MODEL].tolist()
    for law in each.laws:
        assert each.law(law).predictors == tuple(runs.attrs["predictors"])


@needs_data
@pytest.mark.parametrize("name", catalogue.STUDIES)
def test_rows_of_a_model_are_in_one_part_of_the_official_split(name: str) -> None:
    runs = read(name).runs
    assert (runs.groupby(MODEL)["held_out"].nunique() == 1).all()


@needs_data
@pytest.mark.parametrize("divisor", splits.DIVISORS)
@pytest.mark.parametrize("name", catalogue.STUDIES)
def test_a_rolling_cut_off_is_in_cost_and_without_official_rows(name: str, divisor: int) -> None:
    each = read(name)
    split = splits.rolling_split(each, divisor)
    if isinstance(split, splits.NoSplit):
        assert (name, divisor) in TOO_FEW
        return
    assert not pd.concat([split.train, split.test])["held_out"].any()
    assert set(each.curve(split.test)) <= set(each.curve(split.train))
    largest = split.train.groupby(each.curve(split.train))[COST].max()
    smallest = split.test.groupby(each.curve(split.test))[COST].min()
    assert (smallest > largest[smallest.index]).all()
    assert split.horizon.min() > 1
    assert (split.train.groupby(each.curve(split.train)).size() >= splits.LEAST_ROWS).all()


@needs_data
@pytest.mark.parametrize("name", [n for n, counts in COUNTS.items() if counts[2]])
def test_the_official_split_has_all_rows(name: str) -> None:
    each = read(name)
    split = splits.official_split(each)
    assert (len(split.train), len(split.test)) == COUNTS[name][::2]
    assert splits.described(split).split()[1] == splits.OFFICIAL
    assert len(splits.splits_of(each)) == len(splits.DIVISORS) + 1


@needs_data
def test_held_out_models_of_loss_to_loss_use_twenty_times_the_compute() -> None:
    horizon = splits.official_split(read("loss_to_loss")).horizon
    assert horizon == pytest.approx(1e21 / 4.84e19, rel=1e-6)


@needs_data
def test_wider_dense_models_have_their_own_size() -> None:
    sizes = read("routed_lm").runs.groupby(MODEL)["N"].nunique()
    assert sizes.size == 13
    assert (sizes == 1).all()
    assert read("routed_lm").runs["N"].nunique() == 13 - 2  # the three seeds have one size


def test_curves_with_too_few_rows_are_left_out() -> None:
    grid = pd.DataFrame(
        [(n, d) for n in np.geomspace(1e6, 1e8, 4) for d in np.geomspace(1e8, 1e10, 4)],
        columns=["N", "D"],
    )
    grid = grid.assign(
        loss=1 + grid["N"] ** -0.1 + grid["D"] ** -0.1, cost=6 * grid["N"] * grid["D"]
    )
    both = pd.concat([grid.assign(task="whole"), grid[::4].assign(task="few")])
    split = splits.rolling_split(
        study("grid", both, predictors=("N", "D"), laws=("chinchilla",), groups=("task",)), 3
    )
    assert isinstance(split, splits.Split)
    assert split.n_left_out == 1
    assert set(split.train["task"]) == set(split.test["task"]) == {"whole"}


def test_a_study_without_enough_rows_has_no_rolling_split() -> None:
    split = splits.rolling_split(made_up(), 3)
    assert isinstance(split, splits.NoSplit)
    assert "fewer than 10 training rows" in splits.described(split)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"loss": [4.0, 3.0, np.nan, 2.0]}, "misses values of: loss"),
        ({"cost": [-1.0, 1.0, 1.0, 1.0]}, "not all are positive of: cost"),
        ({"N": 1e6, "D": 1e8, "loss": 3.0}, "3 copies of rows"),
    ],
)
def test_a_table_that_is_no_study(columns: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made_up(**columns)


def test_a_law_that_does_not_apply() -> None:
    with pytest.raises(ValueError, match=r"'kaplan' does not apply to made up; .* chinchilla"):
        made_up().law("kaplan")


def test_an_unknown_study() -> None:
    with pytest.raises(ValueError, match="unknown study 'pythia'; there are: loss_to_loss"):
        catalogue.read("pythia")


@pytest.mark.parametrize("truth", [t for t in simulated.TRUTHS if t is not simulated.generalised])
def test_a_truth_without_misfit_is_the_law(truth: simulated.Truth) -> None:
    law = bl.laws.chinchilla(*SIZES, **PARAMETERS)
    np.testing.assert_allclose(truth(*SIZES, PARAMETERS, NO_MISFIT), law, rtol=1e-14)


def test_the_generalised_sum_is_the_law_at_gamma_one_and_agrees_at_the_reference() -> None:
    law = bl.laws.chinchilla(*SIZES, **PARAMETERS)
    one = simulated.generalised_sum(*SIZES, PARAMETERS, gamma=1.0)
    np.testing.assert_allclose(one, law, rtol=1e-14)
    middle = simulated.generalised(np.ones(1), np.ones(1), PARAMETERS, np.ones(2))
    assert middle == pytest.approx(PARAMETERS["E"] + PARAMETERS["A"] + PARAMETERS["B"])


@pytest.mark.parametrize("truth", [t for t in simulated.TRUTHS if t is not simulated.exact])
def test_a_misfit_is_small_inside_and_grows_beyond(truth: simulated.Truth) -> None:
    """Against the law with the truth's own parameters, both ways along the sizes."""
    reference = (
        simulated.generalised_sum(*SIZES, PARAMETERS, gamma=simulated.GAMMA)
        if truth is simulated.generalised
        else simulated.exact(*SIZES, PARAMETERS, NO_MISFIT)
    )
    miss = np.abs(np.log(truth(*SIZES, PARAMETERS, np.ones(2)) / reference))
    assert 0 < miss[-1] < 0.1
    assert miss[-1] > miss[3]


@pytest.mark.parametrize("truth", simulated.TRUTHS)
def test_the_loss_falls_with_both_sizes(truth: simulated.Truth) -> None:
    x, y = np.meshgrid(np.geomspace(0.1, 130, 40), np.geomspace(0.1, 130, 40))
    corners = np.array([-1, 1]) * simulated.LARGEST
    for z in product(corners, corners):
        loss = truth(x.ravel(), y.ravel(), simulated.CENTRE, np.array(z)).reshape(x.shape)
        assert (np.diff(loss, axis=0) < 0).all()
        assert (np.diff(loss, axis=1) < 0).all()


@pytest.mark.parametrize("case", simulated.CASES, ids=lambda case: case.name)
def test_a_simulated_study(case: simulated.Case) -> None:
    each = simulated.simulate(case, np.random.default_rng(1))
    split = splits.official_split(each)
    n_test = len(simulated.HORIZONS) * len(simulated.SHARES_OF_N)
    assert len(split.train) == case.n_N * case.n_D * case.n_curves
    assert len(split.test) == n_test * case.n_curves
    np.testing.assert_allclose(np.unique(split.horizon.round(6)), simulated.HORIZONS)
    noise = np.log(each.runs["loss"] / each.runs["truth"]).std()
    assert noise == pytest.approx(case.noise, rel=0.6)
    assert (split.test["truth"] > 1).all()
    assert runs_of(each, split.train).sizes["run"] == len(split.train)


def test_simulated_cases_span_the_sizes_and_are_repeatable() -> None:
    cells = {case.n_N * case.n_D for case in simulated.CASES}
    curves = {case.n_curves for case in simulated.CASES}
    assert (min(cells), max(cells)) == (4, 40)
    assert (min(curves), max(curves)) == (1, 8)
    assert len({case.name for case in simulated.CASES}) == len(simulated.CASES)
    case = simulated.CASES[7]
    one, same, other = (
        simulated.simulate(case, np.random.default_rng(seed)).runs["loss"] for seed in (1, 1, 2)
    )
    assert one.equals(same)
    assert not one.equals(other)
