"""Loss of small byte-level language models against size and data, measured from scratch on the CPU.

Four corpora x two architectures x sizes N x token counts D, one pass over distinct data with the
learning-rate schedule finished at each D; learning rates tuned per size first; second and third seeds,
repeated data, and held-out runs with about ten times the compute of the rest.

    python benchmarks/tiny_lm corpora    # build the texts from Debian packages and this Python's library
    python benchmarks/tiny_lm tune       # learning-rate grid, then fit the rule for all sizes
    python benchmarks/tiny_lm plan       # what would be run, and how long it takes
    python benchmarks/tiny_lm run        # everything that is not yet in the table
    python benchmarks/tiny_lm plot       # figures to look at before believing the table
    python benchmarks/tiny_lm export     # the tables, compressed, as the package carries them

Every command resumes: a run whose key is in `tiny_lm.csv` is skipped, and the table is written after
each run. The finished tables are in the package (`bayeslaw.data.datasets.table("tiny_lm")`), which `plot` reads. Needs the dependency group `train` (`uv run --group train ...`); measured with Python
3.12.1, jax 0.12.0.1, optax 0.2.8, numpy 2.5.5, pandas 3.1.1. One core is the fastest way:

    XLA_FLAGS=--xla_cpu_multi_thread_eigen=false taskset -c 0 nice -n 19 python benchmarks/tiny_lm run

Reading the table. `loss` is nats per byte over 128 validation blocks of 1 KiB, each byte predicted from at
most 64 before it; `loss_se` is its standard error over those blocks. The blocks are the same for all runs
of a corpus, so this error is mostly shared: differences between runs are far more certain, and the
spread over seeds (initial weights, order and choice of training blocks) says how much. The curves use
every fourth block. `flops_6nd` takes N with the embeddings, which are tied and so do the work of
the output layer; `flops_counted` adds up the matrix products. `train_seconds` is wall time on a shared
machine, `train_cpu_seconds` the processor time; neither has compilation or evaluation in it.

Runs with purpose `tune` compare learning rates and batches; they are not part of the scaling grid, and
some repeat its sizes with settings that were dropped. Settings were chosen on `english`, by the loss on
the same validation blocks that the table reports; the other corpora had no part in the choice, except
half and twice the rate as a check of the transfer. Learning rates were tuned at the batches of
`plan.tuned_batch` and carried to other batches by a square root.
"""

import argparse
import csv
import os
import sys
import time
from pathlib import Path

import corpora
import pandas as pd
import plan
from models import CONTEXT, parameter_counts, training_flops
from train import Outcome, Run, train

SCRIPT_VERSION = 2
HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / "src" / "bayeslaw" / "data" / "files"
RUNS, CURVES, RULES, CORPORA = (
    "tiny_lm.csv",
    "tiny_lm_curves.csv",
    "learning_rates.json",
    "corpora.json",
)
KEY = [
    "corpus",
    "architecture",
    "size",
    "tokens",
    "unique_tokens",
    "batch_tokens",
    "learning_rate",
    "seed",
]


def row_of(run: Run, outcome: Outcome) -> dict[str, object]:
    total, non_embedding = parameter_counts(run.shape)
    return {
        "corpus": run.corpus,
        "architecture": run.shape.architecture,
        "size": run.shape.label,
        "n_params": total,
        "n_params_non_embedding": non_embedding,
        "tokens": run.tokens,
        "unique_tokens": run.unique_tokens,
        "epochs": run.tokens // run.unique_tokens,
        "steps": run.steps,
        "batch_tokens": run.batch_tokens,
        "context": CONTEXT,
        "learning_rate": f"{run.learning_rate:.3g}",
        "seed": run.seed,
        "flops_6nd": 6 * total * run.tokens,
        "flops_counted": training_flops(run.shape, run.tokens),
        "loss": round(outcome.loss, 5),
        "loss_se": round(outcome.loss_se, 5),
        "train_seconds": round(outcome.train_seconds, 3),
        "train_cpu_seconds": round(outcome.train_cpu_seconds, 3),
        "train_tokens_per_second": round(run.tokens / outcome.train_seconds),
        "eval_tokens_per_second": round(2**17 / outcome.eval_seconds),
        "purpose": run.purpose,
        "held_out": run.purpose == "held_out",
        "script_version": SCRIPT_VERSION,
    }


def curve_rows(run: Run, outcome: Outcome) -> list[dict[str, object]]:
    names = [
        "corpus",
        "architecture",
        "size",
        "n_params",
        "tokens",
        "unique_tokens",
        "seed",
        "learning_rate",
    ]
    shared = {name: row_of(run, outcome)[name] for name in names}
    return [
        shared | {"step": step, "tokens_seen": step * run.batch_tokens, "loss": round(loss, 5)}
        for step, loss in outcome.curve
    ]


def append(path: Path, rows: list[dict[str, object]]) -> None:
    """Add rows to a table at once, so that a stop leaves whole runs only."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)
        file.flush()
        os.fsync(file.fileno())


def done_keys(path: Path) -> set[tuple]:
    if not path.exists():
        return set()
    table = pd.read_csv(path, dtype={"learning_rate": str})
    return set(table[KEY].itertuples(index=False, name=None))


def measure(runs: list[Run], texts: Path, results: Path, minutes: float) -> None:
    """Do the runs that are not in the table, in order, until the time is over."""
    done = done_keys(results / RUNS)
    to_do = [run for run in runs if run.key not in done]
    predicted = sum(map(plan.predicted_seconds, to_do)) / 60
    print(
        f"{len(to_do)} of {len(runs)} runs to do, about {predicted:.0f} minutes of a free core",
        flush=True,
    )
    end = time.monotonic() + 60 * minutes
    loaded = {name: corpora.load(name, texts) for name in {run.corpus for run in to_do}}
    for number, run in enumerate(to_do, 1):
        if time.monotonic() > end:
            print("time is over; the same command resumes", flush=True)
            return
        if run.key in done:
            continue
        outcome = train(run, loaded[run.corpus])
        append(results / CURVES, curve_rows(run, outcome))
        append(results / RUNS, [row_of(run, outcome)])
        done.add(run.key)
        print(
            f"{time.strftime('%H:%M:%S')} {number}/{len(to_do)} {run.purpose} {run.corpus} "
            f"{run.shape.architecture} {run.shape.label} D={run.tokens} unique={run.unique_tokens} "
            f"rate={run.learning_rate:.3g} seed={run.seed}: {outcome.loss:.4f} ± {outcome.loss_se:.4f}, "
            f"{outcome.train_seconds:.1f} s",
            flush=True,
        )


def export(results: Path, package: Path) -> None:
    """Write the tables as the package carries them, the same bytes every time."""
    runs, curves = pd.read_csv(results / RUNS), pd.read_csv(results / CURVES)
    known = [key for key in KEY if key in curves]
    marks = runs[runs["purpose"] != "tune"][[*known, "purpose", "held_out"]]
    curves = curves.merge(marks, on=known, validate="many_to_one")
    order = ["corpus", "architecture", "n_params", "tokens", "unique_tokens", "seed", "purpose"]
    for name, table in ((RUNS, runs), (CURVES, curves)):
        ordered = table.sort_values(order, kind="stable")
        ordered.to_csv(
            package / f"{name}.gz", index=False, compression={"method": "gzip", "mtime": 0}
        )


def main() -> None:
    sys.stdout.reconfigure(line_buffering=True)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["corpora", "tune", "plan", "run", "plot", "export"])
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tiny_lm"
    parser.add_argument("--texts", type=Path, default=cache, help="where the texts are built")
    parser.add_argument("--results", type=Path, default=HERE.parent / "results" / "tiny_lm")
    parser.add_argument(
        "--minutes", type=float, default=240, help="start no run after so many minutes"
    )
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    rules_file = options.results / RULES
    if options.command == "corpora":
        corpora.build_all(options.texts, options.results / CORPORA)
    elif options.command == "tune":
        measure(list(plan.tune_runs()), options.texts, options.results, options.minutes)
        plan.save_rules(plan.fit_rate_rules(pd.read_csv(options.results / RUNS)), rules_file)
    elif options.command == "plot":
        import plots

        plots.save_all(PACKAGE / f"{RUNS}.gz", options.results)
    elif options.command == "export":
        export(options.results, PACKAGE)
    else:
        runs = plan.Planner(plan.load_rules(rules_file)).all()
        if options.command == "plan":
            print_plan(runs)
        else:
            measure(runs, options.texts, options.results, options.minutes)


def print_plan(runs: list[Run]) -> None:
    table = pd.DataFrame(
        {"purpose": run.purpose, "runs": 1, "minutes": plan.predicted_seconds(run) / 60}
        for run in runs
    )
    print(table.groupby("purpose", sort=False).sum().round(1).to_string())
    print(f"{len(runs)} runs, {table['minutes'].sum():.0f} minutes of a free core")


if __name__ == "__main__":
    main()
