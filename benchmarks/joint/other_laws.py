"""Studies whose laws have other predictors than parameters and tokens.

Three are tasks of ScaleBench ("Spend Less, Fit Better", arXiv:2604.22753), with its hold-outs and
its costs. Those hold-outs are not all larger: horizons below 1 occur.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

import bayeslaw as bl
from benchmarks.joint.study import COST, MODEL, Study, study, training_flop

SHIFT = 8.0  # nats per token, about the entropy of single tokens


def datablations_repeats() -> Study:
    """Runs of one or more epochs: the 182 of the published fit; predictors N, D and epochs.

    Of the other plain runs most are replicates, or larger models with few unique tokens, whose loss
    rises far with the epochs. It rises in the 182 too, in ten settings of N and U and by up to 40%
    above the law, which always falls: the misfit is real. Two runs (83m32b100m and 83m60b100m) have
    the same loss to the last digit; both stay. Cost is 6 N D, in FLOP.
    """
    rows = bl.datasets.table("datablations").query("in_published_fit")
    rows = rows.assign(epochs=rows["D"] / rows["U"], **{COST: training_flop(rows)})
    return study(
        "datablations_repeats",
        rows,
        predictors=("N", "D", "epochs"),
        laws=("repeated_data", "data_constrained"),
        source="datablations",
    )


def moe() -> Study:
    """Final losses of routed models and of dense ones; predictors N and experts E.

    One curve of 193 rows and 28 held out, as published; routers, experts per token and shares of
    routed layers are mixed, which shows as noise, and are in no column. The five dense runs with
    wider layers (E 1) have the size of the plain ones here, as in the published task. Cost is N E,
    as in the source: parameters, not FLOP. The dense runs are also in `routed_lm`.
    """
    rows = _scalebench("moe").rename(
        columns={"dense_parameter_count": "N", "num_experts": "E", "loss_validation": "loss"}
    )
    rows[COST] = rows["N"] * rows["E"]
    laws = ("mixture_of_experts",)
    return study("moe", rows, predictors=("N", "E"), laws=laws, source="routed_lm")


def sparsity() -> Study:
    """Models made sparse in a second stage of training, in three settings of its tokens.

    Predictors are the active parameters N and P, total over active parameters. The dense model
    that a run starts from is a third size: N is 1, 1.75 or 3.25 times as large, and the loss
    depends on P with another sign at each, which no law here can say. The source's laws have an R2
    of .4. Cost is 6 N_dense D1 + 6 N D2, in FLOP, over both stages.
    """
    rows = _scalebench("sparsity").rename(columns={"N_active": "N", "group": "tokens"})
    rows[COST] = 6e18 * (rows["N_dense"] * rows["D1"] + rows["N"] * rows["D2"])
    rows["N"] *= 1e9
    laws = ("multiplicative", "mixture_of_experts")
    return study("sparsity", rows, predictors=("N", "P"), laws=laws, groups=("tokens",))


def vocab() -> Study:
    """Six sizes by ten vocabularies, 20 checkpoints each; predictors N, D and vocabulary V.

    The published response, the loss less that of single tokens, is negative, from -5.3 to -.5 nats
    per token. Runs must have a positive one, so 8 nats are added to all. An additive law absorbs
    them in its floor, which then has no meaning of its own; relative errors are of the sum, which
    has the size of an ordinary loss. A law that is not additive would be changed, so there is none.

    The 20 checkpoints of a size and a vocabulary are one model. D is in characters, and the number
    of them in a token grows with V. Cost is 6 N D in characters, some four times the FLOP. The
    hold-out is the largest vocabulary, at the same costs.
    """
    rows = _scalebench("vocab").rename(
        columns={"non_vocab_parameters": "N", "num_characters": "D", "vocab_size": "V"}
    )
    rows["loss"] = rows["unigram_normalized_loss"] + SHIFT
    rows[COST] = training_flop(rows)
    rows[MODEL] = rows["N"].map("{:.0f}".format) + " / " + rows["V"].map("{:.0f}".format)
    return study(
        "vocab",
        rows,
        predictors=("N", "D", "V"),
        laws=("pretraining",),
        is_evaluated_often=True,
    )


def _scalebench(task: str) -> pd.DataFrame:
    folder = os.environ.get("BAYESLAW_DATA")
    if not folder:
        raise ValueError(f"set BAYESLAW_DATA to the folder that has scalebench/{task}.csv")
    return pd.read_csv(Path(folder) / "scalebench" / f"{task}.csv")
