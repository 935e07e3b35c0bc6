"""Do this package's laws reproduce published numbers, from the published points?

    BAYESLAW_DATA=... uv run python benchmarks/published.py [--quick] [--out FILE]

One table: what a paper printed and its 95% interval, our estimate, whether it lies inside the
paper's interval, and whether our 95% interval holds the paper's number. With --quick every fit
is least squares, in seconds; otherwise small posteriors, in minutes. Then what measured times say
of two forms of an inference-time law (`inference_time.py`). Nothing is tuned: every choice is the
paper's or a default.

The interval of Li et al. is plus or minus the error that they print. Where a paper gives none, the
rounding of its digits stands in for one if the digits are all there is to compare (Clark, Kaplan).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.inference_time import inference, read, sentences
from benchmarks.published_rows import Row, text

NAN = float("nan")
SAMPLER = {"random_seed": 1, "draws": 500, "tune": 500, "chains": 2, "progressbar": False}

# Besiroglu et al. 2024, 95% bootstrap intervals.
CHINCHILLA = {
    "E": (1.81686, 1.769, 1.871),
    "A": (482.006, 285.21, 743.63),
    "alpha": (0.34781, 0.317, 0.373),
    "B": (2085.434, 1042.4, 5810.3),
    "beta": (0.36585, 0.331, 0.415),
}
# Muennighoff et al. 2023: what they hold fixed, and the objective of their optimum.
C4_BASE = {
    "A": np.exp(6.255414),
    "B": np.exp(7.3049974),
    "E": np.exp(0.6254804),
    "alpha": 0.3526596,
}
DECAY = {"R_D": 15.387756, "R_N": 5.309743}
DATA_DECAY, DECAY_OBJECTIVE, HUBER = 2.9157, 0.0158259, 1e-3
RECIPE = ["dataset", "hparams", "warmup", "decay", "param_count"]
# Li et al. 2025: power and its standard error, of the learning rate and of the batch in tokens.
STEP_LAW = {"p": (-0.713, 0.030), "q": (0.307, 0.019), "b": (0.571, 0.019)}
NEAR = 1.0025  # cells this near to the best, which their code also counts as best
# Clark et al. 2022: a, b, c, d, E_start, E_max.
ROUTERS = {
    "S-Base": (-0.082, -0.108, 0.009, 1.104, 1.847, 314.478),
    "RL-R": (-0.083, -0.126, 0.012, 1.111, 1.880, 470.0),
    "Hash": (-0.087, -0.136, 0.012, 1.157, 4.175, 477.7),
}
DIGIT = 0.0005  # half of the last digit of a, b, c and d
# Kaplan et al. 2020.
KAPLAN = {"N_c": 6.4e13, "alpha_N": 0.076, "D_c": 1.8e13, "alpha_D": 0.103}
STEPS = {"alpha_N": 0.077, "alpha_S": 0.76, "alpha_B": 0.21}
PREDICTED_FALL = -0.054
MEASURED = {"N": 0.73, "B": 0.24, "S": 0.03, "D": 0.27}
KAPLAN_NOISE = 0.02  # overfitting below this relative loss is lost in the noise


@bl.law(
    latex=r"c\, N^{p} D^{q}",
    rescaling=lambda n, d, *, c, p, q: {"c": c * n**-p * d**-q},
    direction={"N": 0, "D": 0},
)
def step_law(N: Any, D: Any, *, c: bl.Amplitude, p: bl.Real, q: bl.Real) -> Any:
    """The best learning rate in parameters and tokens (Li et al. 2025)."""
    return c * N**p * D**q


def estimate(model: bl.Model, runs: Any, quick: bool, huber: float | None = None) -> pd.DataFrame:
    """Parameters of each curve: value, 95% interval (NaN for least squares) and how."""
    if quick:
        values = bl.least_squares(model, runs, huber=huber)[[*model.law.parameters]].stack()
        return pd.DataFrame({"median": values, "lower": NAN, "upper": NAN, "how": "least squares"})
    fit = bl.fit(model, runs, sampler=bl.Sampler(**SAMPLER))
    passed = Gate.of(fit.tree).passed
    table = bl.summary(fit, prob=0.95).loc["curve"][["median", "lower", "upper"]]
    return table.assign(how="posterior" if passed else "posterior, NOT CONVERGED")


def row(paper: str, quantity: str, published: tuple[float, ...], estimated: pd.Series) -> Row:
    """A row from (value, low, high) or (value,) and an estimate."""
    value, low, high = published if len(published) == 3 else (published[0], NAN, NAN)
    numbers = (float(estimated[name]) for name in ("median", "lower", "upper"))
    return Row(paper, quantity, value, low, high, *numbers, estimated["how"])


def evaluated(value: float, lower: float = NAN, upper: float = NAN) -> pd.Series:
    """The value of a law at published constants, in the form of an estimate."""
    return pd.Series({"median": value, "lower": lower, "upper": upper, "how": "evaluated"})


def unpooled(law: bl.Law) -> bl.Model:
    """A law without discrepancy, as in the papers; each group is fitted alone."""
    return bl.Model(law, pooling=None, discrepancy=None)


def chinchilla(quick: bool) -> Iterator[Row]:
    """The refit of Chinchilla's runs: 240 digitised points, Huber's loss; no posterior here."""
    runs = bl.datasets.load("chinchilla_epoch")
    selected = runs.isel(run=runs["kept"].values)
    estimates = estimate(bl.Model(bl.laws.chinchilla), selected, quick=True, huber=HUBER).loc["all"]
    for name, published in CHINCHILLA.items():
        yield row("Besiroglu 2024", name, published, estimates.loc[name])


def repeated_runs() -> Any:
    """The 182 runs of Muennighoff's fit; fixed parameters hold at N = D = 1."""
    table = bl.datasets.table("datablations").query("in_published_fit")
    table = table.assign(epochs=table["D"] / table["U"])
    predictors = ["N", "D", "epochs"]
    return bl.read_runs(table, predictors=predictors, reference=dict.fromkeys(predictors, 1.0))


def repeated_model(law: bl.Law) -> bl.Model:
    """A law of repeated data on their base."""
    fixed = {name: bl.Fixed(float(value)) for name, value in C4_BASE.items()}
    return bl.Model(law, priors=fixed, tie={"beta": "alpha"})


def huber_sum(runs: Any, **decay: float) -> float:
    """Their objective at given decays."""
    law, base = bl.laws.data_constrained, {**C4_BASE, "beta": C4_BASE["alpha"]}
    mean = law(*(runs[name].values for name in law.predictors), **base, **decay)
    size = np.abs(np.log(runs["loss"].values) - np.log(mean))
    return float(np.where(size < HUBER, size**2 / 2, HUBER * (size - HUBER / 2)).sum())


def muennighoff(quick: bool) -> Iterator[Row]:
    """How fast repeated data lose value."""
    paper, runs = "Muennighoff 2023", repeated_runs()
    only_data, both = map(repeated_model, (bl.laws.repeated_data, bl.laws.data_constrained))
    estimates = estimate(only_data, runs, quick=True, huber=HUBER).loc["all"]
    yield row(paper, "R_D, data alone", (DATA_DECAY,), estimates.loc["R_D"])
    at_published = evaluated(huber_sum(runs, **DECAY))
    yield row(paper, "objective there", digits(DECAY_OBJECTIVE, 5e-8), at_published)
    best = bl.least_squares(both, runs, huber=HUBER).loc["all"]
    lowest = evaluated(best["objective"]).replace("evaluated", "least squares")
    yield row(paper, "lowest objective", (DECAY_OBJECTIVE,), lowest)
    for fast in (True,) if quick else (True, False):
        estimates = estimate(both, runs, quick=fast, huber=HUBER).loc["all"]
        for name, value in DECAY.items():
            yield row(paper, name, (value,), estimates.loc[name])


def porian(quick: bool) -> Iterator[Row]:
    """How the best size grows with compute, recipe by recipe."""
    files = ["isoflop_optima.csv", "published_fits.csv"]
    optima, fits = (pd.read_csv(p) for p in bl.datasets.fetch("porian_isoflop", files).values())
    optima, fits = (
        table.assign(recipe=table[RECIPE].agg(" ".join, axis=1)) for table in (optima, fits)
    )
    optima = optima.dropna(subset="n_opt").rename(columns={"flops": "C"})
    optima["stderr"] = optima["n_opt"] * optima["log_n_opt_std"]
    runs = bl.read_runs(
        optima, response="n_opt", predictors=["C"], groups=["recipe"], stderr="stderr"
    )
    estimates = estimate(unpooled(bl.laws.proportional.of("C")), runs, quick)
    for each in fits.itertuples():
        published = each.n_exponent, each.n_exp_ci_lo, each.n_exp_ci_hi
        yield row("Porian 2024", f"a, {each.recipe}", published, estimates.loc[(each.recipe, "b")])


def best_cells(nearness: float) -> pd.DataFrame:
    """The best cell of learning rate and batch for each N and D, or all that are near it."""
    table = bl.datasets.table("steplaw")
    best = table.groupby(["N", "D"])["loss"].transform("min")
    return table[table["loss"] <= nearness * best].assign(tokens=2048 * table["batch"])


def steplaw(quick: bool) -> Iterator[Row]:
    """How the best learning rate and batch grow."""
    rate, batch = bl.Model(step_law), unpooled(bl.laws.proportional.of("D"))
    for cells, nearness in (("best cell", 1.0), ("cells within .25%", NEAR)):
        table = best_cells(nearness)
        rates = read(table, "lr", ["N", "D"])
        sizes = read(table, "tokens", ["D"])
        estimates = pd.concat([estimate(rate, rates, quick), estimate(batch, sizes, quick)]).loc[
            "all"
        ]
        for name, what in {"p": "lr in N", "q": "lr in D", "b": "batch in D"}.items():
            value, error = STEP_LAW[name]
            published = value, value - error, value + error
            yield row("Li 2025", f"power of {what}, {cells}", published, estimates.loc[name])


def routed_runs(router: str) -> pd.DataFrame:
    """Final losses of a router, one expert per token in half of the layers, and plain ones."""
    table = bl.datasets.table("routed_lm_final")
    plain = (table["experts_per_token"] == 1) & (table["routing_frequency"] == 0.5)
    return table[plain & table["router"].isin([router, "Dense"])]


def experts(a: float, b: float, c: float, d: float, start: float, most: float) -> dict[str, float]:
    """Parameters of the law from Clark's constants, whose logarithms are decimal."""
    powers = {"alpha": -a, "beta": -b, "gamma": c / np.log(10), "k": 10**d}
    return {**powers, "E_0": 1 / (1 / start - 1 / most), "E_max": most}


def rounding_error(constants: tuple[float, ...], N: np.ndarray, E: np.ndarray) -> float:
    """Mean relative error that rounding a, b, c and d to three digits can make, at most."""
    law = bl.laws.mixture_of_experts
    signs = (np.array([*each, 0, 0]) for each in product((-1, 1), repeat=4))
    middle = law(N, E, **experts(*constants))
    moved = (law(N, E, **experts(*(constants + DIGIT * sign))) for sign in signs)
    return float(max(np.abs(each / middle - 1).mean() for each in moved))


def clark(quick: bool) -> Iterator[Row]:
    """Routed models: their constants on their runs, and a refit of S-Base."""
    law, paper = bl.laws.mixture_of_experts, "Clark 2022"
    for router, constants in ROUTERS.items():
        table = routed_runs(router)
        N, E = (table[name].to_numpy(float) for name in ("N", "E"))
        error = np.abs(law(N, E, **experts(*constants)) / table["loss"] - 1).mean()
        published = 0.0, 0.0, rounding_error(constants, N, E)
        yield row(paper, f"relative error of {router}", published, evaluated(error))
    runs = bl.read_runs(routed_runs("S-Base"), predictors=["N", "E"])
    # Least squares: beta, gamma and E_max trade along a ridge, on which four chains of 2000 draws
    # have an effective sample size of 243, too few for the gate.
    estimates = estimate(bl.Model(law), runs, quick=True).loc["all"]
    for name, value in experts(*ROUTERS["S-Base"]).items():
        yield row(paper, f"{name} of S-Base", (value,), estimates.loc[name])


def kaplan(quick: bool) -> Iterator[Row]:
    """What Kaplan derives from fitted constants, derived again; ours varies with their digits."""
    half = {"alpha_N": 0.0005, "alpha_S": 0.005, "alpha_B": 0.005}
    corners = [
        bl.laws.optimal_exponents(
            **{name: STEPS[name] + s * half[name] for name, s in signs.items()}
        )
        for signs in (dict(zip(half, each, strict=True)) for each in product((-1, 1), repeat=3))
    ]
    middle, ends = bl.laws.optimal_exponents(**STEPS), pd.DataFrame(corners).agg(["min", "max"])
    estimates = {name: evaluated(middle[name], *ends[name]) for name in middle}
    yield row("Kaplan 2020", "power of C in L", digits(PREDICTED_FALL, 0.0005), estimates["L"])
    for name, value in MEASURED.items():
        yield row("Kaplan 2020", f"power of C in {name}, measured", (value,), estimates[name])
    gap = evaluated(STEPS["alpha_N"] / STEPS["alpha_S"])
    yield row("Kaplan 2020", "converged gap", digits(0.10, 0.005), gap)
    needed = evaluated(tokens_for(1e9) / 1e9**0.74)
    yield row("Kaplan 2020", "D / N^.74 not to overfit", digits(5e3, 500), needed)


def tokens_for(N: float) -> float:
    """Tokens at which Kaplan's loss is within the noise of its value at infinite data."""
    share = KAPLAN["alpha_N"] / KAPLAN["alpha_D"]
    needed = (N / KAPLAN["N_c"]) ** share * KAPLAN["D_c"]
    needed /= (1 + KAPLAN_NOISE) ** (1 / KAPLAN["alpha_D"]) - 1
    excess = bl.laws.kaplan(N, needed, **KAPLAN) / bl.laws.kaplan(N, 1e40, **KAPLAN) - 1
    assert abs(excess - KAPLAN_NOISE) < 1e-9
    return needed


def digits(value: float, half: float) -> tuple[float, float, float]:
    """A published number, and the interval that rounds to it."""
    return value, value - half, value + half


PARTS: Mapping[str, Callable[[bool], Iterator[Row]]] = {
    "chinchilla": chinchilla,
    "muennighoff": muennighoff,
    "porian": porian,
    "steplaw": steplaw,
    "clark": clark,
    "kaplan": kaplan,
}


def record(rows: list[Row], quick: bool, times: pd.DataFrame) -> dict[str, Any]:
    """The whole table as JSON; missing values are null."""
    numbers = [asdict(each) | {"inside": each.inside, "holds": each.holds} for each in rows]
    numbers = [{k: None if v != v else v for k, v in each.items()} for each in numbers]
    return {
        "bayeslaw": bl.__version__,
        "quick": quick,
        "rows": numbers,
        "inference_time": json.loads(times.to_json(orient="records")),
        "inference_time_says": sentences(times),
    }


def main() -> None:
    """Estimate, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="least squares instead of posteriors")
    parser.add_argument("--out", type=Path, help="file for the numbers, as JSON")
    options = parser.parse_args()
    rows = [each for part in PARTS.values() for each in part(options.quick)]
    times = inference()
    verdicts = [each.inside for each in rows if each.inside is not None]
    print(text(rows))
    print(f"\n{sum(verdicts)} of {len(verdicts)} lie inside the published interval.\n")
    print(times.round(3).to_string(index=False))
    print(*sentences(times), sep="\n")
    if options.out:
        content = json.dumps(record(rows, options.quick, times), indent=1)
        options.out.write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
