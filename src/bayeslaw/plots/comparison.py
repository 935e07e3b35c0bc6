"""Model comparison figure: differences in log score (held-out or leave-one-out) between laws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayeslaw._sampling.gate import NOT_CONVERGED
from bayeslaw.comparison.compare import compare
from bayeslaw.plots.figures import ResultFigure
from bayeslaw.plots.forest import label_rows
from bayeslaw.plots.style import COLUMN_WIDTH, POINT_STYLE, Palette, figure_of, package_style

__all__ = ["FIGURE", "plot_comparison"]

ERROR = "minus that of the best\n± standard error of the difference"


@dataclass(frozen=True)
class _Criterion:
    """A log score with its label, and further scores with their labels and formats."""

    score: str
    label: str
    further: Mapping[str, tuple[str, str]]

    @property
    def columns(self) -> list[str]:
        """Columns of the score, its difference from the best, and that difference's error."""
        return [self.score, f"{self.score}_diff", f"{self.score}_diff_se"]


CRITERIA = (
    _Criterion(
        "log_score",
        "held-out log score",
        {"rmsle": ("RMSLE", ".3f"), "crps": ("CRPS", ".3g"), "coverage_90": ("in 90%", ".0%")},
    ),
    _Criterion(
        "elpd_loo",
        "expected log density",
        {"loo_weight": ("weight", ".2f"), "bad_pareto_k": ("bad k", ".0f")},
    ),
)


def plot_comparison(comparison: pd.DataFrame, *, ax: Axes | None = None) -> Figure:
    """Plot each law's log score relative to the best law, with the other scores in columns.

    The scores are those of held-out runs if there are any, and of leave-one-out otherwise.
    Differences are paired, so their standard errors are smaller than those of the scores.

    Parameters
    ----------
    comparison : pandas.DataFrame
        One row per law or baseline, as `bayeslaw.compare` returns it.
    ax : matplotlib.axes.Axes, optional
        Axes for the differences alone.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If a score is not in the table.

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
    criterion = next((each for each in CRITERIA if f"{each.score}_diff" in comparison), CRITERIA[0])
    for name in (
        criterion.score,
        f"{criterion.score}_diff",
        f"{criterion.score}_diff_se",
        *criterion.further,
    ):
        if name not in comparison:
            raise ValueError(f"no {name!r} in the comparison; bayeslaw.compare gives it")
    with package_style(ax) as palette:
        if ax is not None:
            _draw_scores(ax, comparison, criterion, palette)
            return figure_of(ax)
        figure = Figure((1.5 * COLUMN_WIDTH, 0.7 + 0.2 * len(comparison)), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[3, 2], sharey=True)
        _draw_scores(left, comparison, criterion, palette)
        _write_scores(right, comparison, criterion)
    return figure


def _draw_scores(
    axis: Axes, comparison: pd.DataFrame, criterion: _Criterion, palette: Palette
) -> None:
    scores, differences, errors = comparison[criterion.columns].to_numpy(dtype=float).T
    best = np.argmin(np.where(np.isnan(differences), np.inf, np.abs(differences)))
    with np.errstate(invalid="ignore"):  # the best may be infinitely bad
        relative = scores - scores[best]
    finite, transform = np.flatnonzero(np.isfinite(relative)), axis.get_yaxis_transform()
    axis.axvline(0, color=palette.grey, lw=0.5)
    for row in finite:
        colour = palette.accent if row == best else palette.foreground
        axis.errorbar(
            relative[row], row, xerr=np.nan_to_num(errors[row]), color=colour, **POINT_STYLE
        )
    for row in np.flatnonzero(np.isneginf(scores)).tolist():
        axis.text(0.01, row, "\N{MINUS SIGN}\N{INFINITY}", transform=transform, va="center")
    rule = np.flatnonzero(np.isnan(scores))[:1] - 0.5
    axis.hlines(rule, 0, 1, palette.grey, lw=0.4, transform=transform)
    label_rows(axis, _labels(comparison))
    axis.xaxis.set_major_locator(MaxNLocator(5 if finite.size else 1))
    axis.set_xlabel(f"{criterion.label} {ERROR}")


def _labels(comparison: pd.DataFrame) -> list[str]:
    names = [str(name) for name in comparison.index]
    verdicts = comparison["verdict"] if "verdict" in comparison else [""] * len(names)
    return [
        f"{name} ({verdict})" if verdict == NOT_CONVERGED else name
        for name, verdict in zip(names, verdicts, strict=True)
    ]


def _write_scores(axis: Axes, comparison: pd.DataFrame, criterion: _Criterion) -> None:
    """Write the further scores in columns."""
    axis.set_axis_off()
    for column, (score, (label, number_format)) in enumerate(criterion.further.items(), start=1):
        values = comparison[score].to_numpy(dtype=float)
        texts = ["" if np.isnan(value) else format(value, number_format) for value in values]
        for row, text in enumerate([label, *texts], start=-1):
            axis.text(column / 3, row, text, ha="right", va="center")


FIGURE = ResultFigure(compare)
