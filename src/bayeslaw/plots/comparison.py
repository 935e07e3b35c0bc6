"""Figure of laws compared by log scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayeslaw._sampling.gate import NOT_CONVERGED
from bayeslaw.plots.forest import label_rows
from bayeslaw.plots.style import COLUMN, POINT, Inks, figure_of, house

__all__ = ["plot_comparison"]

ERROR = "less that of the best\n± standard error of the difference"


@dataclass(frozen=True)
class _Kind:
    """Scores, what they are called, and others beside them with their formats."""

    score: str
    name: str
    beside: Mapping[str, tuple[str, str]]


KINDS = (
    _Kind(
        "log_score",
        "held-out log score",
        {"rmsle": ("RMSLE", ".3f"), "crps": ("CRPS", ".3g"), "coverage_90": ("in 90%", ".0%")},
    ),
    _Kind(
        "elpd_loo",
        "expected log density",
        {"loo_weight": ("weight", ".2f"), "bad_pareto_k": ("bad k", ".0f")},
    ),
)


def plot_comparison(comparison: pd.DataFrame, *, ax: Axes | None = None) -> Figure:
    """Draw by how much laws differ in log score from the best, with the other scores beside it.

    Of held-out runs if there were any, else by leave-one-out. Differences are paired, so their
    errors are smaller than those of the scores.

    Parameters
    ----------
    comparison : pandas.DataFrame
        As of `bayeslaw.compare`.
    ax : matplotlib.axes.Axes, optional
        Where to draw the differences alone.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If a score is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> scores = {"log_score": [1.2, None], "log_score_diff": [0.0, None], "rmsle": [0.1, 0.3]}
    >>> scores |= {"log_score_diff_se": [0.0, None], "crps": [0.02, None]}
    >>> scores |= {"coverage_90": [0.9, None]}
    >>> comparison = pd.DataFrame(scores, index=["power", "last value"])
    >>> [text.get_text() for text in plot_comparison(comparison).axes[0].get_yticklabels()]
    ['power', 'last value']
    """
    kind = next((each for each in KINDS if f"{each.score}_diff" in comparison), KINDS[0])
    for name in (kind.score, f"{kind.score}_diff", f"{kind.score}_diff_se", *kind.beside):
        if name not in comparison:
            raise ValueError(f"no {name!r} in the comparison; bayeslaw.compare gives it")
    with house(ax) as inks:
        if ax is not None:
            _draw_scores(ax, comparison, kind, inks)
            return figure_of(ax)
        figure = Figure((1.5 * COLUMN, 0.7 + 0.2 * len(comparison)), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[3, 2], sharey=True)
        _draw_scores(left, comparison, kind, inks)
        _write_scores(right, comparison, kind)
    return figure


def _draw_scores(axis: Axes, comparison: pd.DataFrame, kind: _Kind, inks: Inks) -> None:
    columns = [kind.score, f"{kind.score}_diff", f"{kind.score}_diff_se"]
    scores, apart, errors = comparison[columns].to_numpy(dtype=float).T
    best = np.argmin(np.where(np.isnan(apart), np.inf, np.abs(apart)))
    with np.errstate(invalid="ignore"):  # the best may be infinitely bad
        less = scores - scores[best]
    finite, place = np.flatnonzero(np.isfinite(less)), axis.get_yaxis_transform()
    axis.axvline(0, color=inks.grey, lw=0.5)
    for row in finite:
        colour = inks.accent if row == best else inks.ink
        axis.errorbar(less[row], row, xerr=np.nan_to_num(errors[row]), color=colour, **POINT)
    for row in np.flatnonzero(np.isneginf(scores)).tolist():
        axis.text(0.01, row, "\N{MINUS SIGN}\N{INFINITY}", transform=place, va="center")
    rule = np.flatnonzero(np.isnan(scores))[:1] - 0.5
    axis.hlines(rule, 0, 1, inks.grey, lw=0.4, transform=place)
    label_rows(axis, _labels(comparison))
    axis.xaxis.set_major_locator(MaxNLocator(5 if finite.size else 1))
    axis.set_xlabel(f"{kind.name} {ERROR}")


def _labels(comparison: pd.DataFrame) -> list[str]:
    names = [str(name) for name in comparison.index]
    verdicts = comparison["verdict"] if "verdict" in comparison else [""] * len(names)
    both = zip(names, verdicts, strict=True)
    return [f"{name} ({told})" if told == NOT_CONVERGED else name for name, told in both]


def _write_scores(axis: Axes, comparison: pd.DataFrame, kind: _Kind) -> None:
    """Write the other scores in columns."""
    axis.set_axis_off()
    for column, (score, (name, how)) in enumerate(kind.beside.items(), start=1):
        values = comparison[score].to_numpy(dtype=float)
        texts = ["" if np.isnan(value) else format(value, how) for value in values]
        for row, text in enumerate([name, *texts], start=-1):
            axis.text(column / 3, row, text, ha="right", va="center")
