"""Figures of the table of runs: look at them before believing it."""

from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def save_all(table: Path, directory: Path) -> None:
    runs = pd.read_csv(table)
    lines(runs, "n_params", "tokens", "parameters N").savefig(
        directory / "loss_against_size.png", dpi=80
    )
    lines(runs, "tokens", "n_params", "tokens D").savefig(
        directory / "loss_against_data.png", dpi=80
    )
    rates(runs).savefig(directory / "learning_rates.png", dpi=80)
    repeats(runs).savefig(directory / "repeated_data.png", dpi=80)
    for corpus, architecture, what, rise in rises(runs):
        print(f"{corpus} {architecture}: loss rises by {rise:.4f} nats with more {what}")


def panels(runs: pd.DataFrame) -> tuple[Figure, list[tuple[pd.DataFrame, Axes]]]:
    """One panel for each corpus (column) and architecture (row)."""
    corpora, architectures = list(runs["corpus"].unique()), list(runs["architecture"].unique())
    size = (5 * len(corpora), 4.5 * len(architectures))
    figure, axes = plt.subplots(
        len(architectures), len(corpora), figsize=size, squeeze=False, layout="constrained"
    )
    pairs = []
    for (corpus, architecture), cell in runs.groupby(["corpus", "architecture"]):
        panel = axes[architectures.index(architecture), corpora.index(corpus)]
        panel.set(title=f"{corpus}, {architecture}", xscale="log", ylabel="loss, nats per byte")
        pairs.append((cell, panel))
    return figure, pairs


def lines(runs: pd.DataFrame, x: str, by: str, label: str) -> Figure:
    """Loss against `x`, one line for each level of `by`; seeds as dots, held-out runs as stars."""
    one_pass = runs[(runs["epochs"] == 1) & (runs["purpose"] != "tune")]
    figure, pairs = panels(one_pass)
    for cell, panel in pairs:
        levels = sorted(cell.loc[cell["purpose"] == "grid", by].unique())
        for i, level in enumerate(levels):
            colour = plt.cm.viridis(i / max(1, len(levels) - 1))
            at_level = cell[cell[by] == level]
            grid = at_level[at_level["purpose"] == "grid"].sort_values(x)
            panel.plot(grid[x], grid["loss"], "o-", color=colour, label=f"{level:,}", markersize=4)
            seeds = at_level[at_level["purpose"] == "seed"]
            panel.plot(seeds[x], seeds["loss"], "x", color=colour)
        held_out = cell[cell["purpose"] == "held_out"]
        panel.plot(held_out[x], held_out["loss"], "r*", markersize=12)
        panel.set(xlabel=label, yscale="log")
        panel.yaxis.set_minor_formatter("{x:.2g}")
        panel.legend(fontsize=7)
    return figure


def rates(runs: pd.DataFrame) -> Figure:
    """Loss against learning rate where three rates or more were tried, less the best of its cell."""
    first = runs[(runs["seed"] == 1) & (runs["epochs"] == 1)]
    tried = first.groupby(["corpus", "architecture", "n_params", "tokens"])["learning_rate"]
    figure, pairs = panels(first[tried.transform("nunique") > 2])
    for cell, panel in pairs:
        sizes = sorted(cell["n_params"].unique())
        styles = dict(
            zip(
                sorted(cell["tokens"].unique()),
                ("o-", "s--", "^:", "v-.", "x-", "+--"),
                strict=False,
            )
        )
        for (n_params, tokens), group in cell.groupby(["n_params", "tokens"]):
            line = group.sort_values("learning_rate")
            panel.plot(
                line["learning_rate"],
                line["loss"] - line["loss"].min(),
                styles[tokens],
                color=plt.cm.turbo(sizes.index(n_params) / len(sizes)),
                label=f"N={n_params:,} D={tokens:,}",
                markersize=4,
                linewidth=1,
            )
        panel.set(xlabel="peak learning rate", ylim=(-0.005, 0.15))
        panel.legend(fontsize=4, ncol=2, loc="upper center")
    return figure


def repeats(runs: pd.DataFrame) -> Figure:
    """Loss against epochs at fixed distinct data, compared with one pass over as many distinct tokens."""
    repeated = runs[runs["purpose"] == "repeat"]
    if repeated.empty:
        return plt.figure()
    figure, pairs = panels(repeated)
    for cell, panel in pairs:
        for (size, unique), group in cell.groupby(["size", "unique_tokens"]):
            line = group.sort_values("tokens")
            panel.plot(line["tokens"], line["loss"], "o-", label=f"{size}, {unique:,} distinct")
        for size in cell["size"].unique():
            same = runs["purpose"].eq("grid") & runs["size"].eq(size)
            for name in ("corpus", "architecture"):
                same &= runs[name].eq(cell[name].iloc[0])
            line = runs[same].sort_values("tokens")
            panel.plot(line["tokens"], line["loss"], "k:", label=f"{size}, all distinct")
        panel.set(xlabel="tokens seen D")
        panel.legend(fontsize=7)
    return figure


def rises(runs: pd.DataFrame, tolerance: float = 0.005) -> list[tuple[str, str, str, float]]:
    """Where the loss of the grid rises with N or with D by more than a tolerance."""
    grid = runs[runs["purpose"] == "grid"]
    rising = []
    for (corpus, architecture), cell in grid.groupby(["corpus", "architecture"]):
        table = cell.pivot_table(index="n_params", columns="tokens", values="loss")
        for what, steps in (("parameters", table.diff(axis=0)), ("tokens", table.diff(axis=1))):
            for (n_params, tokens), rise in steps.stack().items():
                if rise > tolerance:
                    where = f"{what} to N={n_params:,} D={tokens:,}"
                    rising.append((corpus, architecture, where, rise))
    return rising
