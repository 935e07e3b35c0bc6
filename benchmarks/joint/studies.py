"""Studies of language models in parameters N and tokens D, or steps S.

A reader is a function without arguments. It says what is left out of the tables of
`bayeslaw.datasets`, and why; the notes of ``bayeslaw.datasets.info`` say what those leave out of
the files. Cost is 6 N D in FLOP, where nothing else is said.
"""

from __future__ import annotations

import pandas as pd

import bayeslaw as bl
from benchmarks.joint.study import COST, MODEL, Study, study, training_flop

SIZES = ("N", "D")
SUMS = ("chinchilla", "generalised_sum")
ROUTED_LOSSES = {
    "loss_validation": "validation",
    "loss_c4": "c4",
    "loss_curation_corpus": "curation_corpus",
    "loss_lambada": "lambada",
    "loss_pile": "pile",
    "loss_wikitext103": "wikitext103",
}


def loss_to_loss() -> Study:
    """Six training sets by eight validation sets; 529 models, and six larger ones held out.

    A model is eight rows, one per validation set.
    """
    rows = bl.datasets.table("loss_to_loss").rename(columns={"C": COST})
    rows[MODEL] = _joined(rows, "train_set", "N", "D")
    groups = ("train_set", "validation_set")
    return study(
        "loss_to_loss", rows, predictors=SIZES, laws=SUMS, groups=groups, is_evaluated_often=True
    )


def tiny_lm() -> Study:
    """Four corpora by two architectures; 16 larger runs held out.

    The runs of the grid with their seeds: those of several epochs and those that chose learning
    rates are left out, as in ``bayeslaw.datasets.load``.
    """
    name, names = "tiny_lm", {"n_params": "N", "tokens": "D", "flops_6nd": COST}
    rows = bl.datasets.table(name).rename(columns=names)
    rows = rows[rows["purpose"].isin(bl.datasets.info(name).keep["purpose"])]
    return study(name, rows, predictors=SIZES, laws=SUMS, groups=("corpus", "architecture"))


def chinchilla_epoch() -> Study:
    """Chinchilla's runs as read off its figure: 240 of the 245, as in the published refit."""
    rows = bl.datasets.table("chinchilla_epoch").query("kept").rename(columns={"C": COST})
    return study("chinchilla_epoch", rows, predictors=SIZES, laws=SUMS)


def porian_isoflop() -> Study:
    """Two corpora by four recipes, in the standard way of counting parameters.

    A loss is interpolated along a training run to several budgets, so the model is the run: one per
    corpus, recipe and size. With the learning rate decayed to the budget there is one run for each
    budget as well.
    """
    rows = bl.datasets.table("porian_isoflop").rename(columns={"C": COST})
    budget = rows[COST].map("{:g}".format).where(rows["recipe"].str.endswith("chinchilla"), "all")
    rows[MODEL] = _joined(rows.assign(budget=budget), "corpus", "recipe", "N", "budget")
    groups = ("corpus", "recipe")
    return study(
        "porian_isoflop", rows, predictors=SIZES, laws=SUMS, groups=groups, is_evaluated_often=True
    )


def misfitting() -> Study:
    """The smallest loss over learning rates at each of 81 pairs of N and D.

    A minimum over one to four learning rates, and sometimes over replicates, is a little low.
    """
    rows = bl.datasets.table("misfitting").sort_values("loss").drop_duplicates(["N", "D"])
    return study("misfitting", _with_cost(rows.sort_index()), predictors=SIZES, laws=SUMS)


def steplaw() -> Study:
    """The smallest smoothed loss over learning rate and batch at each of 17 pairs of N and D."""
    rows = _with_cost(bl.datasets.table("steplaw_best"))
    return study("steplaw", rows, predictors=SIZES, laws=SUMS)


def datablations() -> Study:
    """Plain runs of one epoch, with their seeds. Shares its runs with the study of repeats."""
    rows = bl.datasets.table("datablations").query("variant == 'plain' and D <= 1.01 * U")
    return study(
        "datablations", _with_cost(rows), predictors=SIZES, laws=SUMS, source="datablations"
    )


def gzip_syntax() -> Study:
    """Five synthetic languages. Large models with few tokens are far from converged."""
    rows = _with_cost(bl.datasets.table("gzip_syntax"))
    return study("gzip_syntax", rows, predictors=SIZES, laws=SUMS, groups=("language",))


def routed_lm() -> Study:
    """Dense models every 10,000 steps, seen through six losses; predictors N and steps S.

    All checkpoints of a training run, in all losses, are one model: 13 runs. Of the five runs with
    wider layers, N is their own size (total parameters): the column of dense parameters has the
    plain one. Step 0 and missing losses are left out. The last step is 249,000; checkpoints before
    it are amid the learning-rate schedule. Cost is FLOP per step, as in the source, times steps.
    The mixture-of-experts study has the last rows of these runs.
    """
    [path] = bl.datasets.fetch("routed_lm").values()
    names = {"total_parameter_count": "N", "step": "S", "hyper_id": MODEL, **ROUTED_LOSSES}
    rows = pd.read_csv(path).query("router_type == 'Dense' and step > 0").rename(columns=names)
    rows[COST] = rows["flops_per_step"] * rows["S"]
    rows = rows.melt(["N", "S", COST, MODEL], [*ROUTED_LOSSES.values()], "measure", "loss")
    return study(
        "routed_lm",
        rows.dropna(subset="loss"),
        predictors=("N", "S"),
        laws=SUMS,
        groups=("measure",),
        source="routed_lm",
        is_evaluated_often=True,
    )


def _with_cost(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(**{COST: training_flop(rows)})


def _joined(rows: pd.DataFrame, *columns: str) -> pd.Series:
    return rows[list(columns)].astype(str).agg(" / ".join, axis=1)
