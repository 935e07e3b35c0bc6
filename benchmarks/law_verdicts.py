"""Is the true kind of law told from false ones? A comparison of three, with known truth.

    uv run python benchmarks/law_verdicts.py --repeats 6

A data set is 3 or 4 tasks with related parameters and the same 8 to 12 sizes, spread evenly (in
logarithms) over 1, 2 or 4 decades, with log-normal noise of 0.3 to 1.5%. The truth is a power law
with a floor; a log-linear law; or two power laws without a floor, whose exponents differ by a
factor of 1.5 or more and meet in the middle of the sizes, within about half a decade. The two
largest sizes are held out. All three laws are fitted to the others, pooled over tasks, with normal
noise and without a discrepancy, and judged as by `bayeslaw.compare` (`bayeslaw.backtest`, which
refits, has the same rule). The broken law is told the place and width of its break and that there
is no floor: with the place free, a fit took from 7 to over 120 s in trials, and some did not pass.

The verdict is right where the true law is best and both others are worse, wrong where the true law
is worse than another, and "not distinguishable" in between. Where the true law's fit does not pass
its gate, or the verdict would be right but for a fit that does not, it is "not converged". Each
data set has a seed of its own and is kept as it is done, so an interrupted run goes on. Give a new
seed, or remove the results, after a change of what is simulated.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import bayeslaw as bl
from bayeslaw.paired import unclear
from bayeslaw.plots.style import PAGE, Inks, house

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "law_verdicts.csv"
PICTURE = ROOT / "docs" / "_static" / "law_verdicts.png"
DECADES, MIDDLE, HELD_OUT = (1.0, 2.0, 4.0), 1e7, 2
WIDTH, LEAST = 0.3, 1.5  # of a break in e-folds; factor between its exponents
RIGHT, UNDECIDED, WRONG, FAILED = "right", "not distinguishable", "wrong", "not converged"
OUTCOMES = (RIGHT, UNDECIDED, WRONG, FAILED)
DRAWS, TUNE, CHAINS = 1000, 400, 2
CELL = ["seed", "truth", "decades", "repeat"]
BREAK = {  # what is known of the break beforehand; its place is the middle of the sizes
    "L0": bl.Fixed(0.0),
    "f_1": bl.Fixed(WIDTH),
    "c_1": bl.Normal(0.0, 0.3),
    "d_1": bl.Fixed(1.0),
}
EXACT = {"noise": bl.Gaussian(), "discrepancy": None}
MODELS = {
    "power": bl.Model(bl.laws.power, **EXACT),
    "log-linear": bl.Model(bl.laws.log_linear, **EXACT),
    "broken": bl.Model(bl.laws.broken(1), priors=BREAK, **EXACT),
}

type Curve = Callable[[np.ndarray], np.ndarray]


def levels(rng: np.random.Generator, tasks: int) -> np.ndarray:
    """Losses at the middle size."""
    return 3 * np.exp(0.2 * rng.standard_normal(tasks))


def power(rng: np.random.Generator, tasks: int) -> list[Curve]:
    """Power laws with a floor, which is some half of the loss in the middle."""
    alpha = np.exp(rng.normal(np.log(0.3), 0.3) + 0.1 * rng.standard_normal(tasks))
    share = 1 / (1 + np.exp(-rng.normal(0, 0.5) - 0.2 * rng.standard_normal(tasks)))
    return [
        lambda x, m=m, s=s, a=a: m * (s + (1 - s) * (x / MIDDLE) ** -a)
        for m, s, a in zip(levels(rng, tasks), share, alpha, strict=True)
    ]


def log_linear(rng: np.random.Generator, tasks: int) -> list[Curve]:
    """Losses that fall by 4% to 12% of that in the middle with every e-fold."""
    slope = rng.uniform(0.04, 0.12) * np.exp(0.1 * rng.standard_normal(tasks))
    return [
        lambda x, m=m, b=b: m * (1 - b * np.log(x / MIDDLE))
        for m, b in zip(levels(rng, tasks), slope, strict=True)
    ]


def broken(rng: np.random.Generator, tasks: int) -> list[Curve]:
    """Power laws without a floor whose exponents change at a size."""
    first = last = rng.uniform(0.1, 0.4)
    while abs(np.log(first / last)) < np.log(LEAST):
        last = rng.uniform(0.1, 0.4)
    a, b = np.exp(0.1 * rng.standard_normal((2, tasks))) * np.array([[first], [last]])
    return [
        lambda x, m=m, a=a, c=c: bl.laws.broken(1)(
            x, L0=0.0, k=m * MIDDLE**a, alpha=a, c_1=c, d_1=MIDDLE, f_1=WIDTH
        )
        for m, a, c in zip(levels(rng, tasks), a, b - a, strict=True)
    ]


TRUTHS = {"power": power, "log-linear": log_linear, "broken": broken}


def simulate(truth: str, decades: float, rng: np.random.Generator) -> tuple[xr.Dataset, float]:
    """Runs, and the largest size that is fitted."""
    tasks, count = rng.integers(3, 5), rng.integers(8, 13)
    sizes = MIDDLE * np.logspace(-decades / 2, decades / 2, count)
    noise = np.exp(rng.uniform(np.log(0.003), np.log(0.015)))
    curves = TRUTHS[truth](rng, tasks)
    scatter = np.exp(noise * rng.standard_normal((tasks, count)))
    rows = [
        pd.DataFrame({"task": f"t{i}", "N": sizes, "loss": curve(sizes) * scatter[i]})
        for i, curve in enumerate(curves)
    ]
    runs = bl.read_runs(pd.concat(rows), predictors=["N"], groups=["task"], reference={"N": MIDDLE})
    return runs, float(sizes[-1 - HELD_OUT])


def judged(seed: int, truth: str, decades: float, repeat: int) -> pd.DataFrame:
    """What a comparison of the three laws on one data set says: a row per law."""
    started, where = time.process_time(), [[*TRUTHS].index(truth), int(10 * decades), repeat]
    runs, largest = simulate(truth, decades, np.random.default_rng([seed, *where]))
    scores = bl.backtest(
        MODELS, runs, origins=[largest], horizons=(), random_seed=seed, draws=DRAWS, tune=TUNE,
        chains=CHAINS, progressbar=False,
    )  # fmt: skip
    told = bl.backtest_table(scores).droplevel("horizon").loc[[*MODELS]].rename_axis("law")
    passed = told["n_failed"] == 0
    kept = (
        told[["log_score_diff", "log_score_diff_se", "n_curves"]]
        .assign(passed=passed)
        .reset_index()
    )
    cell = {"seed": seed, "truth": truth, "decades": decades, "repeat": repeat}
    return kept.assign(**cell, seconds=time.process_time() - started)[[*CELL, *kept, "seconds"]]


def outcome(told: pd.DataFrame, truth: str) -> str:
    """The verdict of one comparison, by the rule of `bayeslaw.compare`."""
    rows = told.set_index("law")
    differs = [
        row.log_score_diff < 0
        and not unclear(row.log_score_diff, row.log_score_diff_se, row.n_curves)
        for row in rows.itertuples()
    ]
    worse, passed = pd.Series(differs, rows.index), rows["passed"]
    others = rows.index != truth
    if not passed[truth]:
        return FAILED
    if worse[truth]:
        return WRONG
    if rows["log_score_diff"][truth] < 0 or not worse[others & passed].all():
        return UNDECIDED
    return RIGHT if passed.all() else FAILED


def shares(rows: pd.DataFrame) -> pd.DataFrame:
    """The share of each outcome by truth and decades, the data sets, and the fits that failed."""
    verdicts = pd.Series(
        {key: outcome(told, str(key[1])) for key, told in rows.groupby(CELL, sort=False)}
    ).rename_axis(CELL)
    cells = verdicts.groupby(["truth", "decades"], sort=False)
    table = cells.value_counts(normalize=True).unstack(fill_value=0.0)
    failed = (~rows["passed"]).groupby([rows["truth"], rows["decades"], rows["law"]]).sum()
    return (
        table.reindex(columns=[*OUTCOMES], fill_value=0.0)
        .assign(sets=cells.size())
        .join(failed.unstack().add_prefix("failed: "))
        .sort_index()
    )


def error(share: pd.Series, sets: pd.Series) -> pd.Series:
    """Binomial standard error; one success and one failure are added, so that 0 of 6 has one."""
    near = (share * sets + 1) / (sets + 2)
    return np.sqrt(near * (1 - near) / (sets + 2))


def figure(table: pd.DataFrame) -> Figure:
    """Shares of the outcomes against decades, a panel per truth."""
    with house() as inks:
        drawn = Figure(figsize=(PAGE * 0.93, 2.1), layout="constrained")
        panels = drawn.subplots(1, len(TRUTHS), sharey=True)
        for axis, truth in zip(panels, TRUTHS, strict=True):
            _draw(axis, table.loc[truth], inks)
            axis.set_title(f"truth: {truth}", loc="left")
        panels[0].set_ylabel("share of data sets, %")
        drawn.supxlabel("decades of sizes observed")
        key = panels[0].get_legend_handles_labels()
        drawn.legend(*key, loc="outside upper left", ncols=len(OUTCOMES), frameon=False, fontsize=6)
        return drawn


def _draw(axis: Axes, table: pd.DataFrame, inks: Inks) -> None:
    """Stacked bars, each piece with its number of data sets."""
    looks = {
        RIGHT: (inks.accent, inks.paper),
        UNDECIDED: (inks.bands[0.9], inks.ink),
        WRONG: (inks.ink, inks.paper),
        FAILED: (inks.beyond, inks.ink),
    }
    places, base = np.arange(len(table)), np.zeros(len(table))
    for name, (fill, text) in looks.items():
        height = 100 * table[name].to_numpy()
        axis.bar(places, height, 0.85, base, color=fill, edgecolor=inks.paper, lw=0.5, label=name)
        for x, y, h in zip(places, base, height, strict=True):
            if h >= 7:
                look = {"ha": "center", "va": "center", "size": 6, "color": text}
                axis.text(x, y + h / 2, f"{h * table['sets'].iloc[x] / 100:.0f}", **look)
        base += height
    axis.set_xticks(places, [f"{d:g}\nn = {n}" for d, n in table["sets"].items()])
    axis.set(ylim=(0, 100))


def kept(path: Path) -> pd.DataFrame:
    """What was judged before."""
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=[*CELL])


def judge_all(seed: int, repeats: int, minutes: float, path: Path) -> None:
    """Judge what was not judged before, all cells once before any twice, until the time is up."""
    known, end = {*kept(path)[CELL].itertuples(index=False, name=None)}, 60 * minutes
    cells = [
        (seed, truth, decades, repeat)
        for repeat in range(repeats)
        for decades in DECADES
        for truth in TRUTHS
    ]
    started = time.perf_counter()
    for cell in cells:
        if cell not in known and time.perf_counter() - started < end:
            judged(*cell).to_csv(path, mode="a", header=not path.exists(), index=False)


def main() -> None:
    """Simulate, fit, judge, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=np.inf, help="begin no data set later")
    options = parser.parse_args()
    judge_all(options.seed, options.repeats, options.minutes, RESULTS)
    rows = kept(RESULTS)
    rows = rows[(rows["seed"] == options.seed) & (rows["repeat"] < options.repeats)]
    table = shares(rows)
    told = table.assign(**{f"{x} se": error(table[x], table["sets"]) for x in OUTCOMES})
    print(told.T.to_string(float_format=lambda x: f"{x:.2f}"))
    print(f"seed {options.seed}; {rows.groupby(CELL)['seconds'].first().sum():.0f} s of processor")
    figure(table).savefig(PICTURE)


if __name__ == "__main__":
    main()
