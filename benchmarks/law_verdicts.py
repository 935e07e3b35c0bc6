"""Does a comparison of three laws identify the true one? Simulated data sets.

    uv run python benchmarks/law_verdicts.py --repeats 9 --seed 2

A data set is 5 tasks with related parameters and the same 6 to 12 sizes, spread evenly (in
logarithms) over 1 to 4 decades, with log-normal noise of 0.3 to 1.5%. The truth is a power law
with a floor; a log-linear law; or two power laws without a floor, whose exponents differ by a
factor of 1.5 or more and meet in the middle of the sizes, within about half a decade. The two
largest sizes are held out. All three laws are fitted to the others, pooled over tasks, with normal
noise and without a discrepancy, and compared by the rule that `bayeslaw.compare` and
`bayeslaw.backtest` share. Importance sampling is tried before chains. The broken law has a fixed
location and width of its break and no floor: with these free, fits had several modes in
trials, which importance sampling does not take on, and one by chains was not done after two
minutes.

The verdict is right where the true law is best and both others are worse, wrong where the true law
is worse than another, and "not distinguishable" in between. Where the true law's fit does not pass
its gate, or the verdict would be right but for a fit that does not, it is "not converged". Each
data set has a seed of its own and is saved as it is done, so an interrupted run resumes. Give a new
seed, or remove the results, after a change of what is simulated.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate
from bayeslaw.comparison.caveats import unclear
from bayeslaw.comparison.paired_differences import paired_differences
from bayeslaw.plots.style import PAGE_WIDTH, Palette, package_style

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "law_verdicts.csv"
PICTURE = ROOT / "docs" / "_static" / "law_verdicts.png"
DECADES, MIDDLE = (1.0, 1.5, 2.0, 3.0, 4.0), 1e7
TASKS, SIZES, HELD_OUT = 5, (6, 12), 2
WIDTH, LEAST = 0.3, 1.5  # of a break in e-folds; factor between its exponents
RIGHT, UNDECIDED, WRONG, FAILED = "right", "not distinguishable", "wrong", "not converged"
OUTCOMES = (RIGHT, UNDECIDED, WRONG, FAILED)
LABEL_GAP = 10  # percent, between names in the figure
HOW = {"draws": 1500, "tune": 400, "chains": 2, "importance": True, "progressbar": False}
CELL = ["seed", "truth", "decades", "repeat"]
# The break is known beforehand: it is in the middle of the sizes.
BREAK = {"L0": bl.Fixed(0.0), "f_1": bl.Fixed(WIDTH), "d_1": bl.Fixed(1.0)}
EXACT = {"noise": bl.Gaussian(), "discrepancy": None}
MODELS = {
    "power": bl.Model(bl.laws.power, **EXACT),
    "log-linear": bl.Model(bl.laws.log_linear, **EXACT),
    "broken": bl.Model(bl.laws.broken(1), priors={**BREAK, "c_1": bl.Normal(0.0, 0.3)}, **EXACT),
}

type Curve = Callable[[np.ndarray], np.ndarray]


def levels(rng: np.random.Generator) -> np.ndarray:
    """Losses at the middle size."""
    return 3 * np.exp(0.2 * rng.standard_normal(TASKS))


def power(rng: np.random.Generator) -> list[Curve]:
    """Power laws with a floor, which is some half of the loss in the middle."""
    alpha = np.exp(rng.normal(np.log(0.3), 0.3) + 0.1 * rng.standard_normal(TASKS))
    share = 1 / (1 + np.exp(-rng.normal(0, 0.5) - 0.2 * rng.standard_normal(TASKS)))
    return [
        lambda x, m=m, s=s, a=a: m * (s + (1 - s) * (x / MIDDLE) ** -a)
        for m, s, a in zip(levels(rng), share, alpha, strict=True)
    ]


def log_linear(rng: np.random.Generator) -> list[Curve]:
    """Losses that fall by 4% to 12% of that in the middle with every e-fold."""
    slope = rng.uniform(0.04, 0.12) * np.exp(0.1 * rng.standard_normal(TASKS))
    return [
        lambda x, m=m, b=b: m * (1 - b * np.log(x / MIDDLE))
        for m, b in zip(levels(rng), slope, strict=True)
    ]


def broken(rng: np.random.Generator) -> list[Curve]:
    """Power laws without a floor whose exponents change at a size."""
    first = last = rng.uniform(0.1, 0.4)
    while abs(np.log(first / last)) < np.log(LEAST):
        last = rng.uniform(0.1, 0.4)
    a, b = np.exp(0.1 * rng.standard_normal((2, TASKS))) * np.array([[first], [last]])
    return [
        lambda x, m=m, a=a, c=c: bl.laws.broken(1)(
            x, L0=0.0, k=m * MIDDLE**a, alpha=a, c_1=c, d_1=MIDDLE, f_1=WIDTH
        )
        for m, a, c in zip(levels(rng), a, b - a, strict=True)
    ]


TRUTHS = {"power": power, "log-linear": log_linear, "broken": broken}


def simulate(truth: str, decades: float, rng: np.random.Generator) -> tuple[xr.Dataset, xr.Dataset]:
    """Runs to be fitted, and those that are held out."""
    count = rng.integers(*SIZES, endpoint=True)
    sizes = MIDDLE * np.logspace(-decades / 2, decades / 2, count)
    noise = np.exp(rng.uniform(np.log(0.003), np.log(0.015)))
    curves = TRUTHS[truth](rng)
    scatter = np.exp(noise * rng.standard_normal((TASKS, count)))
    rows = [
        pd.DataFrame({"task": f"t{i}", "N": sizes, "loss": curve(sizes) * scatter[i]})
        for i, curve in enumerate(curves)
    ]
    runs = bl.read_runs(pd.concat(rows), predictors=["N"], groups=["task"], reference={"N": MIDDLE})
    return bl.split_at(runs, N=float(sizes[-1 - HELD_OUT]))


def verdicts_of(seed: int, truth: str, decades: float, repeat: int) -> pd.DataFrame:
    """The comparison of the three laws on one data set: a row per law."""
    started, where = time.process_time(), [[*TRUTHS].index(truth), int(10 * decades), repeat]
    train, later = simulate(truth, decades, np.random.default_rng([seed, *where]))
    fits = {
        law: bl.refit(m, [train], sampler=bl.Sampler(random_seed=seed, **HOW))[0]
        for law, m in MODELS.items()
    }
    scored = {law: bl.score(bl.forecast(fit, later), later) for law, fit in fits.items()}
    passed = {law: Gate.of(fit.tree).passed for law, fit in fits.items()}
    table = paired_differences(scored, [law for law in fits if passed[law]] or [*fits])
    k = {law: fit.tree["sample_stats"].attrs.get("pareto_k") for law, fit in fits.items()}
    table = table.assign(n_curves=TASKS, passed=passed, pareto_k=k).rename_axis("law").reset_index()
    cell = {"seed": seed, "truth": truth, "decades": decades, "repeat": repeat}
    return table.assign(**cell, seconds=time.process_time() - started)[[*CELL, *table, "seconds"]]


def outcome(table: pd.DataFrame, truth: str) -> str:
    """The verdict of one comparison, by the rule of `bayeslaw.compare`."""
    rows = table.set_index("law")
    cases = zip(rows["log_score_diff"], rows["log_score_diff_se"], rows["n_curves"], strict=True)
    worse = pd.Series([d < 0 and not unclear(d, e, n) for d, e, n in cases], rows.index)
    passed, others = rows["passed"], rows.index != truth
    if not passed[truth]:
        return FAILED
    if worse[truth]:
        return WRONG
    if rows["log_score_diff"][truth] < 0 or not worse[others & passed].all():
        return UNDECIDED
    return RIGHT if passed.all() else FAILED


def shares(rows: pd.DataFrame) -> pd.DataFrame:
    """The share of each outcome by truth and decades, and the number of data sets."""
    verdicts = pd.Series(
        {
            key: outcome(table_of_set, str(key[1]))
            for key, table_of_set in rows.groupby(CELL, sort=False)
        }
    ).rename_axis(CELL)
    cells = verdicts.groupby(["truth", "decades"])
    table = cells.value_counts(normalize=True).unstack(fill_value=0.0)
    return table.reindex(columns=[*OUTCOMES], fill_value=0.0).assign(sets=cells.size())


def by_law(rows: pd.DataFrame) -> pd.DataFrame:
    """Fits of each law to each truth: how many, that did not pass, by importance sampling."""
    flagged = rows.assign(fits=1, failed=~rows["passed"], weighed=rows["pareto_k"].notna())
    return flagged.groupby(["truth", "law"])[["fits", "failed", "weighed"]].sum()


def error(share: pd.Series, sets: pd.Series) -> pd.Series:
    """Binomial standard error; one success and one failure are added, so that 0 of 6 has one."""
    shrunk = (share * sets + 1) / (sets + 2)
    return np.sqrt(shrunk * (1 - shrunk) / (sets + 2))


def figure(table: pd.DataFrame) -> Figure:
    """Shares of the outcomes against decades, a panel per truth."""
    with package_style() as palette:
        drawn = Figure(figsize=(PAGE_WIDTH * 0.93, 2.2), layout="constrained")
        panels = drawn.subplots(1, len(TRUTHS), sharex=True, sharey=True)
        for axis, truth in zip(panels, TRUTHS, strict=True):
            _draw(axis, table.loc[truth], palette)
            axis.set_title(f"truth: {truth}", loc="left")
        _name(panels[-1], table.loc[[*TRUTHS][-1]], palette)
        panels[0].set(ylabel="share of data sets, %", ylim=(-4, 104), xticks=range(1, 5))
        drawn.supxlabel("decades of sizes observed")
        return drawn


def looks(palette: Palette) -> dict[str, dict[str, Any]]:
    """Line styles of the outcomes."""
    return {
        RIGHT: {"color": palette.accent, "lw": 2, "marker": "o", "ms": 4, "zorder": 4},
        UNDECIDED: {"color": palette.grey, "lw": 1, "marker": "s", "ms": 3},
        WRONG: {"color": palette.foreground, "lw": 1.2, "marker": "X", "ms": 4, "zorder": 3},
        FAILED: {
            "color": palette.grey,
            "lw": 1,
            "ls": ":",
            "marker": "o",
            "ms": 3,
            "mfc": palette.background,
        },
    }


def _draw(axis: Axes, table: pd.DataFrame, palette: Palette) -> None:
    """Lines, with a bar of one standard error either way at the right verdicts."""
    for name, look in looks(palette).items():
        axis.plot(table.index, 100 * table[name], clip_on=False, **look)
    bars = {"fmt": "none", "ecolor": palette.accent, "elinewidth": 0.7}
    axis.errorbar(table.index, 100 * table[RIGHT], 100 * error(table[RIGHT], table["sets"]), **bars)


def _name(axis: Axes, table: pd.DataFrame, palette: Palette) -> None:
    """Labels at the ends of the lines, spaced so that they do not overlap."""
    ends, height = 100 * table[[*OUTCOMES]].iloc[-1].sort_values(), -np.inf
    for name, end in ends.items():
        height = max(height + LABEL_GAP, end)
        style = {"color": looks(palette)[str(name)]["color"], "size": 7, "va": "center"}
        axis.annotate(str(name), (4, height), (6, 0), textcoords="offset points", **style)


def read_results(path: Path) -> pd.DataFrame:
    """Results of earlier runs."""
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=[*CELL])


def run_all(seed: int, repeats: int, minutes: float, path: Path) -> None:
    """Run the data sets that are not done, in rounds over all cells, until the time is up."""
    known, end = {*read_results(path)[CELL].itertuples(index=False, name=None)}, 60 * minutes
    started = time.perf_counter()
    for repeat, decades, truth in itertools.product(range(repeats), DECADES, TRUTHS):
        cell = seed, truth, decades, repeat
        if cell not in known and time.perf_counter() - started < end:
            verdicts_of(*cell).to_csv(path, mode="a", header=not path.exists(), index=False)


def main() -> None:
    """Simulate, fit, compare, print and plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=np.inf, help="begin no data set later")
    options = parser.parse_args()
    run_all(options.seed, options.repeats, options.minutes, RESULTS)
    rows = read_results(RESULTS)
    rows = rows[(rows["seed"] == options.seed) & (rows["repeat"] < options.repeats)]
    table = shares(rows)
    with_errors = table.assign(**{f"{x} se": error(table[x], table["sets"]) for x in OUTCOMES})
    print(with_errors.to_string(float_format=lambda x: f"{x:.2f}"), by_law(rows), sep="\n")
    print(f"seed {options.seed}; {rows.groupby(CELL)['seconds'].first().sum():.0f} s of processor")
    figure(table).savefig(PICTURE)


if __name__ == "__main__":
    main()
