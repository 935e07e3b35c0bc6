"""The runs and their order: a study that is cut short at any point is still balanced.

Every stage is a list of runs with the corpora and architectures innermost and the cost rising.
"""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from corpora import SOURCES
from models import Shape, parameter_counts, training_flops
from train import Run

LAYERS = {"transformer": 2, "recurrent": 1}
WIDTHS = {"transformer": (8, 12, 16, 24, 32, 48, 64), "recurrent": (8, 12, 16, 24, 32, 48, 64, 96)}
HELD_OUT_WIDTH = {"transformer": 128, "recurrent": 192}
LATE_HELD_OUT_WIDTH = {"transformer": 160, "recurrent": 256}
TOKENS = tuple(2**k for k in range(15, 21))
HELD_OUT_TOKENS = 3 * 2**20
TUNE_CORPUS = "english"
TUNE_CENTRE = {"transformer": 0.016, "recurrent": 0.04}  # at width 8, falling as width ** -0.75
# Learning rates tried at each token count, as multiples of the centre.
TUNE_FACTORS = {2**16: (0.25, 0.5, 1, 2, 4), 2**19: (0.25, 0.5, 1, 2, 4), 2**20: (0.5, 1, 2)}
HELD_OUT_TUNE_FACTORS = {2**17: (0.25, 0.5, 1, 2, 4), 2**19: (0.5, 1, 2)}
REPEATED_TOKENS, EPOCHS, REPEATED_WIDTHS = (2**16, 2**18), (2, 4, 8, 16), (32, 64)
SEEDS, SEED_TOKENS = (2, 3), dict.fromkeys((8, 12, 16, 24, 32), TOKENS) | {64: (2**16, 2**19)}


# --- learning rates -------------------------------------------------------------------------------


@dataclass(frozen=True)
class RateRule:
    """Peak learning rate: its logarithm is quadratic in log width and linear in log tokens."""

    at_reference: float  # at width 32 and 2**18 tokens
    width_exponent: float
    width_curvature: float
    tokens_exponent: float
    interaction: float

    def __call__(self, width: int, tokens: int) -> float:
        w, d = math.log(width / 32), math.log(tokens / 2**18)
        of_width = self.width_exponent * w + self.width_curvature * w**2
        of_tokens = (self.tokens_exponent + self.interaction * w) * d
        return float(f"{self.at_reference * math.exp(of_width + of_tokens):.3g}")


def best_rate(rates: np.ndarray, losses: np.ndarray) -> float:
    """Minimum of the parabola through the runs within two octaves of the best, kept inside the grid.

    Not a number when the losses bend the other way, as noise between runs makes them once in a while.
    """
    x = np.log2(rates)
    near = np.abs(x - x[np.argmin(losses)]) < 2.1
    curvature, slope, _ = np.polyfit(x[near], losses[near], 2)
    return (
        float(2.0 ** np.clip(-slope / (2 * curvature), x.min(), x.max()))
        if curvature > 0
        else math.nan
    )


def fit_rate_rules(table: pd.DataFrame) -> dict[str, RateRule]:
    """Fit the rule of each architecture to the best rate of every tuned size and token count."""
    rules = {}
    tuned = table[(table["purpose"] == "tune") & (table["corpus"] == TUNE_CORPUS)]
    for architecture, runs in tuned.groupby("architecture"):
        same_batch = runs[runs["batch_tokens"] == runs["tokens"].map(tuned_batch)]
        cells = {
            cell: group for cell, group in same_batch.groupby(["size", "tokens"]) if len(group) > 2
        }
        rates = [
            best_rate(g["learning_rate"].to_numpy(), g["loss"].to_numpy()) for g in cells.values()
        ]
        best = np.log(rates)
        is_known = np.isfinite(best)
        w = np.log(np.array([int(size[1:].split("l")[0]) for size, _ in cells]) / 32)
        d = np.log(np.array([tokens for _, tokens in cells]) / 2**18)
        design = np.column_stack([np.ones(len(w)), w, w**2, d, w * d])
        level, *exponents = np.linalg.lstsq(design[is_known], best[is_known], rcond=None)[0]
        rules[architecture] = RateRule(math.exp(level), *(float(e) for e in exponents))
    return rules


def save_rules(rules: dict[str, RateRule], path: Path) -> None:
    path.write_text(
        json.dumps({name: asdict(rule) for name, rule in rules.items()}, indent=2) + "\n"
    )


def load_rules(path: Path) -> dict[str, RateRule]:
    return {name: RateRule(**rule) for name, rule in json.loads(path.read_text()).items()}


# --- stages ---------------------------------------------------------------------------------------


def shape_of(architecture: str, width: int) -> Shape:
    return Shape(architecture, width, LAYERS[architecture])


def tuned_batch(tokens: int) -> int:
    """Tokens in a batch of the learning-rate grid."""
    if tokens <= 2**17:
        return 128
    return 256 if tokens <= 2**20 else 512


def batch_of(architecture: str, tokens: int) -> int:
    """Tokens in a batch, rising about as the square root of the token count.

    Compared on the tuning corpus at a few widths only. Against the batches of the learning-rate grid the
    gain is clear with little data (0.03 to 0.06 nats at 2**15 tokens) and within noise from 2**18 on.
    """
    if tokens <= (2**16 if architecture == "transformer" else 2**17):
        return 64
    if tokens <= (2**18 if architecture == "transformer" else 2**19):
        return 128
    return tuned_batch(tokens)


def tune_runs() -> Iterator[Run]:
    """Learning-rate grid of every size; of the held-out sizes too, at token counts that are cheap."""
    for architecture, widths in WIDTHS.items():
        held_out = (HELD_OUT_WIDTH[architecture],)
        for sizes, factors_at in ((widths, TUNE_FACTORS), (held_out, HELD_OUT_TUNE_FACTORS)):
            for (tokens, factors), width in product(factors_at.items(), sizes):
                shape, centre = (
                    shape_of(architecture, width),
                    TUNE_CENTRE[architecture] * (width / 8) ** -0.75,
                )
                for rate in (float(f"{centre * factor:.3g}") for factor in factors):
                    yield Run(
                        "tune", TUNE_CORPUS, shape, tokens, tokens, tuned_batch(tokens), rate, 1
                    )


class Planner:
    """Makes runs with the tuned learning rate; the methods are the stages of the study."""

    def __init__(self, rules: dict[str, RateRule]) -> None:
        self.rules = rules

    def run(
        self, purpose: str, corpus: str, architecture: str, width: int, tokens: int,
        unique: int | None = None, seed: int = 1, factor: float = 1.0,
    ) -> Run:  # fmt: skip
        batch = batch_of(architecture, tokens)
        scale = factor * math.sqrt(batch / tuned_batch(tokens))  # Adam's rate for another batch
        rate = float(f"{self.rules[architecture](width, tokens) * scale:.3g}")
        shape = shape_of(architecture, width)
        return Run(purpose, corpus, shape, tokens, unique or tokens, batch, rate, seed)

    def each(self) -> Iterable[tuple[str, str]]:
        return product(SOURCES, LAYERS)

    def grid(self) -> list[Run]:
        return [
            self.run("grid", corpus, architecture, width, tokens)
            for corpus, architecture in self.each()
            for width, tokens in product(WIDTHS[architecture], TOKENS)
        ]

    def held_out(self, widths: dict[str, int]) -> list[Run]:
        return [
            self.run("held_out", corpus, architecture, widths[architecture], HELD_OUT_TOKENS)
            for corpus, architecture in self.each()
        ]

    def repeats(self) -> list[Run]:
        return [
            self.run("repeat", corpus, architecture, width, epochs * unique, unique)
            for corpus, architecture in self.each()
            for width, unique, epochs in product(REPEATED_WIDTHS, REPEATED_TOKENS, EPOCHS)
            if epochs * unique <= TOKENS[-1]
        ]

    def seeds(self) -> list[Run]:
        return [
            self.run("seed", corpus, architecture, width, tokens, seed=seed)
            for corpus, architecture in self.each()
            for width in SEED_TOKENS
            for tokens, seed in product(SEED_TOKENS[width], SEEDS)
        ]

    def transfer_check(self) -> list[Run]:
        """Half and twice the tuned rate on the corpora on which nothing was tuned."""
        return [
            self.run("tune", corpus, architecture, 32, 2**19, factor=factor)
            for corpus, architecture in self.each()
            for factor in (0.5, 2)
            if corpus != TUNE_CORPUS
        ]

    def all(self) -> list[Run]:
        stages = [
            self.grid(),
            self.transfer_check(),
            self.held_out(HELD_OUT_WIDTH),
            self.repeats(),
            self.seeds(),
            self.held_out(LATE_HELD_OUT_WIDTH),
        ]
        return [run for stage in stages for run in by_cost(stage)]


def by_cost(runs: list[Run]) -> list[Run]:
    """Cheapest sizes first; runs of one size and token count stay together over the corpora."""
    return sorted(runs, key=lambda run: (run.tokens * run.shape.width**2, run.tokens, run.seed))


def predicted_seconds(run: Run, flops_per_second: float = 6e10) -> float:
    """Rough time on one free core: matrix products, a cost for every token, the evaluations."""
    total, _ = parameter_counts(run.shape)
    evaluation = 5e5 * 2 * total / flops_per_second
    return (
        training_flops(run.shape, run.tokens) / flops_per_second + 1.5e-6 * run.tokens + evaluation
    )
