"""Scores at held-out runs, and the comparison with other laws and baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import xarray as xr

from bayeslaw.comparison.compare import compare
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.forecasting.scores import score, score_table
from bayeslaw.plots.calibration import plot_calibration
from bayeslaw.plots.comparison import plot_comparison
from bayeslaw.report.blocks import Block, Items, Paragraph, Picture, Section, Table, figure_png

__all__ = ["Evaluation", "comparison_sections", "evaluate"]

EXPLANATION = (
    "elpd_loo and loo_weight score a law within the data, by leave-one-out; log_score (higher is "
    "better), rmsle, crps (lower is better) and coverage_90 (0.9 is ideal) score it on held-out "
    "runs. A difference whose 95% interval includes zero does not rank two laws."
)


@dataclass(frozen=True)
class Evaluation:
    """Comparison with other laws, and scores at held-out runs; None without either."""

    comparison: pd.DataFrame | None
    scores: xr.Dataset | None

    @property
    def sentences(self) -> list[str]:
        """Both in sentences."""
        return [*_describe_scores(self.scores), *_describe_ranking(self.comparison)]


def evaluate(fit: Fit, later: xr.Dataset | None, others: Mapping[str, Fit]) -> Evaluation:
    """Score a fit at held-out runs and compare it with fits of other laws."""
    if later is None and not others:
        return Evaluation(None, None)
    name = fit.model.law.name
    name = f"{name} (reported)" if name in others else name
    scores = None if later is None else score(forecast(fit, later), later)
    return Evaluation(compare({name: fit, **others}, later), scores)


def comparison_sections(evaluation: Evaluation) -> list[Section]:
    """The comparison as table and figures, if there is one."""
    if evaluation.comparison is None:
        return []
    blocks: list[Block] = [Items(tuple(evaluation.sentences))]
    if evaluation.scores is not None:
        blocks += _figures(evaluation.comparison, evaluation.scores)
    frame = evaluation.comparison.reset_index().drop(columns="caveats")
    blocks += [Table("laws", "Laws and baselines, the best first", frame), Paragraph(EXPLANATION)]
    return [Section("comparison", "Comparison", tuple(blocks))]


def _figures(comparison: pd.DataFrame, scores: xr.Dataset) -> list[Block]:
    sentences = " ".join(_describe_scores(scores))
    return [
        Picture(
            figure_png(plot_comparison(comparison)),
            "Scores at held-out runs.",
            f"Held-out log score of each law with its standard error. {sentences}",
        ),
        Picture(
            figure_png(plot_calibration(scores)),
            "Calibration at held-out runs.",
            f"Share of held-out runs below each quantile and inside each band. {sentences}",
        ),
    ]


def _describe_scores(scores: xr.Dataset | None) -> list[str]:
    if scores is None:
        return []
    count = scores.sizes["run"]
    inside = {percent: int(scores[f"covered_{percent}"].sum()) for percent in (50, 90)}
    error = score_table(scores).loc["all", "rmsle"]
    return [
        f"Of {count} held-out runs, {inside[50]} are in their 50% band ({count * 0.5:.3g} "
        f"expected) and {inside[90]} in their 90% band ({count * 0.9:.3g} expected); the median is "
        f"off by {error:.1%} (root mean square of the logarithm)."
    ]


def _describe_ranking(comparison: pd.DataFrame | None) -> list[str]:
    if comparison is None:
        return []
    laws = comparison[comparison["verdict"] != "baseline"]
    if len(laws) < 2:
        return []
    rows = zip(laws.index, laws["verdict"], laws["caveats"], strict=True)
    return [f"{law}: {_with_caveats(verdict, caveats)}." for law, verdict, caveats in rows]


def _with_caveats(verdict: str, caveats: str) -> str:
    further = [caveat for caveat in caveats.split("; ") if caveat not in ("", verdict)]
    return f"{verdict} ({'; '.join(further)})" if further else verdict
