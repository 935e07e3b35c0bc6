"""Invariants of the scaling study that comes with the package."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pandas as pd
import pytest

from bayeslaw.data import datasets
from bayeslaw.data.splits import split_held_out

CURVE = ["corpus", "architecture"]
CELL = [*CURVE, "n_params", "tokens"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return datasets.table("tiny_lm")


@pytest.fixture(scope="module")
def final(table: pd.DataFrame) -> pd.DataFrame:
    """Runs of the scaling grid with their seeds, one pass over distinct data."""
    return table[table["purpose"].isin(["grid", "seed"])]


@pytest.fixture(scope="module")
def curves() -> pd.DataFrame:
    return datasets.table("tiny_lm_curves")


def test_the_files_are_small() -> None:
    files = (resources.files("bayeslaw") / "data" / "files").iterdir()
    assert sum(len(file.read_bytes()) for file in files if file.name.startswith("tiny")) < 2e6


def test_the_grid_is_crossed(final: pd.DataFrame) -> None:
    assert final["corpus"].nunique() == 4
    assert set(final["architecture"]) == {"transformer", "recurrent"}
    grid = final[final["purpose"] == "grid"].groupby(CURVE)
    assert (grid.size() == grid["n_params"].nunique() * grid["tokens"].nunique()).all()
    assert (grid["n_params"].nunique() >= 6).all()
    assert (grid["tokens"].nunique() >= 5).all()
    for size in ("n_params", "tokens"):
        assert (np.log10(grid[size].max() / grid[size].min()) > 1.49).all(), size


def test_seeds_repeat_the_grid(final: pd.DataFrame) -> None:
    seeds = final.groupby(CELL)["seed"].agg(lambda values: tuple(sorted(values)))
    assert set(seeds) == {(1,), (1, 2, 3)}
    assert (seeds == (1, 2, 3)).sum() > 200


def test_one_pass_over_distinct_data(final: pd.DataFrame) -> None:
    assert (final["epochs"] == 1).all()
    assert (final["unique_tokens"] == final["tokens"]).all()


def test_repeated_data(table: pd.DataFrame) -> None:
    repeats = table[table["purpose"] == "repeat"]
    assert set(repeats["epochs"]) == {2, 4, 8, 16}
    # More passes over the same bytes are never better than as many distinct bytes.
    distinct = table[table["purpose"] == "grid"].set_index(CELL)["loss"]
    cost = repeats["loss"].to_numpy() - distinct.loc[list(map(tuple, repeats[CELL].values))]
    assert cost.groupby([*CURVE]).mean().min() > 0


def test_counts_agree(table: pd.DataFrame) -> None:
    assert (table["epochs"] * table["unique_tokens"] == table["tokens"]).all()
    assert (table["steps"] * table["batch_tokens"] == table["tokens"]).all()
    assert (6 * table["n_params"] * table["tokens"] == table["flops_6nd"]).all()
    assert (table["n_params_non_embedding"] < table["n_params"]).all()
    assert table["flops_counted"].between(0.5 * table["flops_6nd"], 2 * table["flops_6nd"]).all()
    rate = table["tokens"] / table["train_seconds"]
    np.testing.assert_allclose(rate, table["train_tokens_per_second"], rtol=0.02)


def test_losses_are_possible(table: pd.DataFrame) -> None:
    unigram = {
        name: facts["validation_unigram_nats"]
        for name, facts in datasets.info("tiny_lm").provenance["corpora"].items()
    }
    final = table[table["purpose"] != "tune"]
    assert final["loss"].between(0.5, final["corpus"].map(unigram)).all()
    assert final["loss_se"].between(0.003, 0.06).all()


@pytest.mark.parametrize(("along", "held"), [("n_params", "tokens"), ("tokens", "n_params")])
def test_loss_falls_within_noise(final: pd.DataFrame, along: str, held: str) -> None:
    mean = final.groupby([*CURVE, held, along])["loss"].mean()
    rise = mean.groupby([*CURVE, held]).diff().dropna()
    seeds = final.groupby(CELL)["loss"].std().dropna()
    assert rise.max() < 4 * seeds.mean()
    assert (rise > 0).mean() < 0.02


def test_seed_noise_is_small(final: pd.DataFrame) -> None:
    relative = final.groupby(CELL)["loss"].std() / final.groupby(CELL)["loss"].mean()
    assert 0.002 < relative.median() < 0.02


def test_held_out_runs_are_far_beyond(table: pd.DataFrame) -> None:
    held_out = table[table["held_out"]].groupby(CURVE)
    rest = table[~table["held_out"] & (table["purpose"] != "tune")].groupby(CURVE)
    assert (held_out["flops_6nd"].min() / rest["flops_6nd"].max() >= 8).all()
    for size in ("n_params", "tokens"):
        assert (held_out[size].min() > rest[size].max()).all(), size
    assert (held_out["loss"].max() < rest["loss"].min()).all()


def test_runs_leave_tuning_out() -> None:
    train, later = split_held_out(datasets.load("tiny_lm"))
    assert train.sizes["run"] == 872
    assert later.sizes["run"] == 16
    assert train.attrs["predictors"] == ["N", "D"]
    assert any("tune" in note for note in train.attrs["notes"])


def test_repeats_have_epochs() -> None:
    runs = datasets.load("tiny_lm_repeats")
    assert runs.attrs["predictors"] == ["N", "D", "epochs"]
    assert float(runs["epochs"].max()) == 16


def test_curves_end_at_the_final_loss(curves: pd.DataFrame, table: pd.DataFrame) -> None:
    run = [*CURVE, "n_params", "tokens", "unique_tokens", "seed", "learning_rate", "purpose"]
    last = curves.sort_values("step").groupby(run).last()
    assert (last["tokens_seen"] == last.index.get_level_values("tokens")).all()
    final = table[table["purpose"] != "tune"].set_index(run)["loss"]
    assert len(final) == len(last)
    # The curves use every fourth validation block.
    ratio = last["loss"] / final.reindex(last.index)
    assert ratio.between(0.94, 1.06).all()


def test_curves_fall(curves: pd.DataFrame) -> None:
    run = [*CURVE, "n_params", "tokens", "unique_tokens", "seed", "learning_rate", "purpose"]
    ends = curves.sort_values("step").groupby(run)["loss"].agg(["first", "last", "size"])
    assert (ends["last"] < ends["first"]).all()
    assert ends["size"].min() >= 5
