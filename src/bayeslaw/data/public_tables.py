"""Tidy public data sets: from the files as published to a table with one row per run.

There is one function per data set, which takes its files. The notes of the data set's description
say what it drops or changes, and why, with numbers; the description also lists the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bayeslaw.data.public_files import describe

__all__ = ["TABLES", "read_table"]


def read_table(name: str, files: Mapping[str, Path]) -> pd.DataFrame:
    """A public data set as one tidy table, from its files in the order of its description."""
    rows = TABLES[name](*(pd.read_csv(path) for path in files.values()))
    return rows.loc[:, [*describe(name)["columns"]]].reset_index(drop=True)


def chinchilla_epoch(points: pd.DataFrame) -> pd.DataFrame:
    """Tokens from compute; the five largest losses, which the refit excludes, are not `kept`."""
    rows = points.rename(columns={"Model Size": "N", "Training FLOP": "C"})
    in_refit = rows["loss"] < np.sort(rows["loss"])[-5]
    return rows.assign(D=rows["C"] / (6 * rows["N"]), kept=in_refit)


def datablations(finals: pd.DataFrame) -> pd.DataFrame:
    """Replicates have a seed, and plain runs a variant of that name."""
    rows = _repeated(finals).rename(columns={"val_loss": "loss", "run": "name"})
    rows["seed"] = rows["seed"].fillna(0).astype(int)
    rows["variant"] = rows["variant"].fillna("plain")
    return rows.assign(in_published_fit=rows["in_fit182"] == 1)


def datablations_curves(points: pd.DataFrame) -> pd.DataFrame:
    """Without two identical curves: one of them is mislabelled, but it is not known which."""
    copied = points["data"].eq("oscar") & points["params"].eq(2.8e9) & points["epochs"].isin([3, 4])
    rows = _repeated(points.loc[~copied])
    sizes = zip(rows["N"], rows["U"], rows["epochs"], strict=True)
    return rows.assign(setting=[f"{n:.1e}, {unique:.3g} x {epochs}" for n, unique, epochs in sizes])


def gzip_syntax(runs: pd.DataFrame) -> pd.DataFrame:
    """The spread over two or four validation batches is a column, but not a standard error."""
    language = runs["dataset"].str.extract(r"(\d\.\d+)", expand=False)  # gzipscale-0.12-10M
    losses = {"val_loss_mean": "loss", "val_loss_sd": "loss_sd", "n_val": "batches"}
    sizes = {"params": "N", "tokens": "D", "n_train_steps": "steps", "gzip_mean": "gzip_ratio"}
    return runs.rename(columns=losses | sizes).assign(language=language)


def inference_time_accuracy(rows: pd.DataFrame) -> pd.DataFrame:
    """Each measurement once: single answers are also listed under the votes."""
    names = {"just_ask_nicely": "single", "majority_vote": "vote"}
    rows = rows.replace({"method": names}).rename(columns={"avg_tokens_used": "tokens"})
    rows = rows.sort_values("method", kind="stable")  # single answers first, so that they stay
    variance = rows["accuracy"] * (1 - rows["accuracy"]) / rows["n_questions"]
    rows = rows.assign(accuracy_stderr=np.sqrt(variance))
    return rows.drop_duplicates(["tokens", "accuracy"])


def inference_time_latency(rows: pd.DataFrame, time: str) -> pd.DataFrame:
    """Without times of zero or less, which were not measured, and without empty contexts."""
    names = {"num_params": "N", "batchsize": "batch", "prefill": "context"}
    rows = rows.rename(columns={**names, "model_type": "architecture", time: "milliseconds"})
    return rows.loc[rows["milliseconds"].gt(0) & rows["context"].gt(0)]


def lcdb11(points: pd.DataFrame, datasets: pd.DataFrame) -> pd.DataFrame:
    """Without errors of zero; standard errors rounded to zero are set to the rounding error."""
    names = {"val_error": "error", "val_error_stderr": "error_stderr", "train_size": "D"}
    names_of_tasks = dict(zip(datasets["OpenML_ID"], datasets["Name"], strict=True))
    rows = points.rename(columns=names).assign(task=points["openml_id"].replace(names_of_tasks))
    rows["error_stderr"] = rows["error_stderr"].clip(lower=0.5e-4)  # rounded to four digits
    return rows.loc[rows["error"] > 0]


def llm_families(models: pd.DataFrame) -> pd.DataFrame:
    """One row per model and benchmark, without missing ones; two sizes are corrected."""
    names = {"Model": "model", "Model Family": "family"}
    sizes = {"Model Size (B)": "N", "Pretraining Data Size (T)": "D"}
    scores = [*models.loc[:, "MMLU":]]
    rows = models.rename(columns=names | sizes)
    rows = rows.melt([*names.values(), *sizes.values()], scores, "benchmark", "accuracy").dropna()
    rows = rows.assign(N=rows["N"] * 1e9, D=rows["D"] * 1e12)
    rows.loc[rows["model"] == "cerebras/btlm-3b-8k-base", "D"] = 627e9
    rows.loc[rows["model"] == "openlm-research/open_llama_7b_v2", "N"] = 7e9
    return rows.assign(C=6 * rows["N"] * rows["D"])


def loss_to_loss(
    sweep: pd.DataFrame, extrapolation: pd.DataFrame, kind: str, pattern: str
) -> pd.DataFrame:
    """One row per model and evaluation; the larger models are held out."""
    names = {"params": "N", "tokens": "D", "data": "train_set", "iso_flop": "C"}
    models = pd.concat([sweep.assign(held_out=False), extrapolation.assign(held_out=True)])
    losses = [*models.filter(regex=pattern)]
    rows = models.rename(columns=names)
    rows = rows.melt([*names.values(), "held_out"], losses, kind, "loss")
    return rows.assign(**{kind: rows[kind].str.extract(pattern, expand=False)})


def misfitting(rows: pd.DataFrame) -> pd.DataFrame:
    """Each run or checkpoint once: some are in several sweeps."""
    rows = rows.rename(columns={"N_no_emb": "N_body", "peak_lr": "lr"})
    # `train_tokens` counts up to the checkpoint; every step is 2^20 tokens.
    rows = rows.assign(planned_D=rows["total_steps"] * 2**20)
    return rows.drop_duplicates(["N", "D", "lr", "planned_D", "loss"])


def double_descent(points: pd.DataFrame) -> pd.DataFrame:
    """The benchmark's split, without exact copies."""
    rows = points.rename(columns={"curve": "setting", "y": "loss"})
    return _split(rows, ["setting", "x", "loss"])


def nanogpt(points: pd.DataFrame) -> pd.DataFrame:
    """The smallest and the final loss of each setting are two measures; the benchmark's split."""
    names = {"n_embd": "width", "val_loss": "loss"}
    rows = points.rename(columns=names)
    rows[["measure", "setting"]] = rows["curve"].str.extract(r"(min|final)val_(\w+)")
    return _split(rows, ["curve", "width", "loss"])


def colpret(points: pd.DataFrame) -> pd.DataFrame:
    """The benchmark's split, without exact copies, some of which are on both sides of it."""
    names = {"curve": "model", "tokens_seen": "D"}
    return _split(points.rename(columns=names), ["model", "D", "loss"])


def porian_isoflop(points: pd.DataFrame, counting: str | None = None) -> pd.DataFrame:
    """One parameter count, so that each run is there once; or all counts of each run."""
    names = {"params": "N", "tokens": "D", "dataset": "corpus", "flops": "C", "val": "measured_on"}
    rows = points.rename(columns={**names, "param_count": "counting"})
    recipe = rows["hparams"] + " " + rows["warmup"] + " " + rows["decay"]
    rows = rows.assign(recipe=recipe)
    return rows.loc[rows["counting"] == counting] if counting else rows


def pythia_steps(rows: pd.DataFrame) -> pd.DataFrame:
    """Without step 0, before training; perplexity as a loss, with its standard error."""
    names = {"params_total": "N", "params_nonembed": "N_body", "tokens": "D"}
    corpus = rows["variant"].replace({"pile-bf16": "pile"})
    rows = rows.rename(columns=names).assign(corpus=corpus, loss=np.log(rows["lambada_ppl"]))
    rows["loss_stderr"] = rows["lambada_ppl_stderr"] / rows["lambada_ppl"]
    return rows.loc[rows["step"] > 0]


def revisiting_nsl(*parts: pd.DataFrame, domain: str | None = None) -> pd.DataFrame:
    """The benchmark's split, without copies of the language models' rows."""
    names = {"Loss": "loss", "Seen Examples": "D", "Training": "train"}
    groups = {"Domain": "domain", "Task": "task", "Model": "model"}
    rows = pd.concat(parts, ignore_index=True).rename(columns=names | groups)
    rows["task"] = rows["task"].str.replace(r"[(),']", "", regex=True)  # ('date', '1-shot')
    rows = _split(rows, [*groups.values(), "D", "loss"])
    return rows.loc[rows["domain"] == domain] if domain else rows


def routed_lm(points: pd.DataFrame) -> pd.DataFrame:
    """Without step 0 and missing losses; dense models are sized by their total parameters."""
    sizes = {"dense_parameter_count": "N", "total_parameter_count": "N_total", "num_experts": "E"}
    names = {"loss_validation": "loss", "router_type": "router", "k": "experts_per_token"}
    rows = points.rename(columns=sizes | names)
    rows["N"] = rows["N"].mask(rows["router"] == "Dense", rows["N_total"])
    return rows.loc[rows["step"].gt(0) & rows["loss"].notna()]


def routed_lm_final(points: pd.DataFrame) -> pd.DataFrame:
    """The last row of each run that has a loss."""
    rows = routed_lm(points).sort_values(["hyper_id", "step"])
    return rows.drop_duplicates("hyper_id", keep="last")


def steplaw(runs: pd.DataFrame) -> pd.DataFrame:
    """The smoothed loss is the response, the raw one a coordinate; diverged runs stay."""
    return runs.rename(columns={"loss": "raw_loss", "smooth loss": "loss", "bs": "batch"})


def steplaw_best(runs: pd.DataFrame) -> pd.DataFrame:
    """The run with the smallest smoothed loss at each pair of parameters and tokens."""
    best = steplaw(runs).sort_values("loss").drop_duplicates(["N", "D"])
    return best.sort_values(["N", "D"])


def steplaw_moe(runs: pd.DataFrame) -> pd.DataFrame:
    """The size is the number of active parameters."""
    return steplaw(runs.rename(columns={"N": "N_total", "Na": "N", "moe_name": "mixture"}))


def _repeated(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.rename(columns={"params": "N", "train_tokens": "D", "unique_tokens": "U"})


def _split(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    rows = rows.assign(held_out=rows["train"] == 0)
    # A copy of a training row tests nothing, so of the two the held-out row is dropped.
    first = rows.sort_values("held_out", kind="stable").drop_duplicates(columns).index
    return rows.loc[rows.index.isin(first)]


TABLES: Mapping[str, Callable[..., pd.DataFrame]] = {
    "chinchilla_epoch": chinchilla_epoch,
    "datablations": datablations,
    "datablations_curves": datablations_curves,
    "gzip_syntax": gzip_syntax,
    "inference_time_accuracy": inference_time_accuracy,
    "inference_time_first_token": partial(inference_time_latency, time="ttft"),
    "inference_time_step": partial(inference_time_latency, time="steptime"),
    "lcdb11": lcdb11,
    "llm_families": llm_families,
    "loss_to_loss": partial(
        loss_to_loss, kind="validation_set", pattern=r"^eval/(\w+)_val/CrossEntropyLoss$"
    ),
    "loss_to_loss_downstream": partial(
        loss_to_loss, kind="task", pattern=r"^eval/downstream_ce_loss/(\w+?)(?:_test)?_ce_loss$"
    ),
    "misfitting": misfitting,
    "misfitting_checkpoints": misfitting,
    "nslpfn_extra_colpret": colpret,
    "nslpfn_extra_double_descent": double_descent,
    "nslpfn_extra_nanogpt": nanogpt,
    "porian_isoflop": partial(porian_isoflop, counting="standard"),
    "porian_isoflop_counts": porian_isoflop,
    "pythia_steps": pythia_steps,
    "revisiting_nsl": revisiting_nsl,
    "revisiting_nsl_bb": partial(revisiting_nsl, domain="BB"),
    "revisiting_nsl_ic": partial(revisiting_nsl, domain="IC"),
    "revisiting_nsl_lm": partial(revisiting_nsl, domain="LM"),
    "revisiting_nsl_nmt": partial(revisiting_nsl, domain="NMT"),
    "routed_lm": routed_lm,
    "routed_lm_final": routed_lm_final,
    "steplaw": steplaw,
    "steplaw_best": steplaw_best,
    "steplaw_moe": steplaw_moe,
}
