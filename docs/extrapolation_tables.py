"""Tables of the extrapolation benchmark, for the page that compares with other tools."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE)]
from markup import markdown_table  # noqa: E402

from benchmarks.extrapolation.published import published  # noqa: E402

__all__ = ["extrapolation"]

RESULTS = ROOT / "benchmarks" / "results"
OURS = "bayeslaw"
BROAD = {"IC": "IC (72)", "LM": "LM (5)", "NMT": "NMT (5)", "BB": "BB (10)", "all 92": "all 92"}
OTHER = {
    "DD": "DD (16)", "Nano": "Nano (24)", "NLP+Nano": "NLP+Nano (44)", "ColPret": "ColPret (192)",
    "LCDB": "LCDB (60)", "Datablations": "Datablations (40)",
}  # fmt: skip


def extrapolation() -> str:
    """Tables of the extrapolation benchmark: a row per method, a column per domain."""
    measured = pd.read_csv(RESULTS / "extrapolation" / "summary.csv")
    others = published()
    scores = pd.concat(
        [measured, others.assign(configuration=others["configuration"] + ", published")]
    )
    both = (("RMSLE x100", "rmsle", 100), ("Log density", "log_density", 1))
    return "\n".join(
        f"**{title}**\n\n{_scores(scores, domains, *what)}\n"
        for title, *what in both
        for domains in (BROAD, OTHER)
    )


def _scores(scores: pd.DataFrame, domains: Mapping[str, str], column: str, factor: float) -> str:
    order = list(dict.fromkeys([OURS, *scores["configuration"]]))
    names = [column, f"{column}_se"]
    wide = scores.pivot(index="configuration", columns="domain", values=names) * factor
    values, errors = (wide[name].reindex(order)[list(domains)] for name in names)
    methods = values.dropna(how="all").index
    rows = [(name, *_cells(values.loc[name], errors.loc[name])) for name in methods]
    return markdown_table(("method", *domains.values()), rows)


def _cells(values: pd.Series, errors: pd.Series) -> list[str]:
    means = [f"{value:.3g}" if pd.notna(value) else "" for value in values]
    standard_errors = [f" ({error:.2g})" if pd.notna(error) else "" for error in errors]
    return [
        first + second if first else ""
        for first, second in zip(means, standard_errors, strict=True)
    ]
