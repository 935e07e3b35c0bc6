"""How right the forecast was at runs that were held out, and whether another law does better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import xarray as xr

from bayeslaw.comparison.compare import compare
from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.forecasting.scores import score, score_table
from bayeslaw.plots import plot_calibration, plot_comparison
from bayeslaw.report.blocks import Block, Items, Paragraph, Picture, Section, Table
from bayeslaw.report.pictures import png_of

__all__ = ["Judged", "about_comparison", "judged"]

WHAT = (
    "elpd_loo and loo_weight judge a law inside its range, by leaving single runs out; log_score "
    "(higher is better), rmsle, crps (lower is better) and coverage_90 (0.9 is right) judge it at "
    "the held-out runs. A difference whose 95% interval holds zero is none."
)


@dataclass(frozen=True)
class Judged:
    """Scores of the fit at held-out runs, and its comparison; none without runs or rivals."""

    comparison: pd.DataFrame | None
    scores: xr.Dataset | None

    @property
    def sentences(self) -> list[str]:
        """What both say."""
        return [*_told_of_scores(self.scores), *_told_of_laws(self.comparison)]


def judged(fit: Fit, later: xr.Dataset | None, others: Mapping[str, Fit]) -> Judged:
    """Score a fit at held-out runs and compare it with rivals.

    Parameters
    ----------
    fit : Fit
        The fit.
    later : xarray.Dataset, optional
        Held-out runs.
    others : mapping of str to Fit
        Rivals.

    Returns
    -------
    Judged
    """
    if later is None and not others:
        return Judged(None, None)
    own = fit.model.law.name
    own = f"{own} (reported)" if own in others else own
    scores = None if later is None else score(forecast(fit, later), later)
    return Judged(compare({own: fit, **others}, later), scores)


def about_comparison(found: Judged) -> Section:
    """The comparison as table and figures.

    Parameters
    ----------
    found : Judged
        With a comparison.

    Returns
    -------
    Section
    """
    assert found.comparison is not None
    blocks: list[Block] = [Items(tuple(found.sentences))]
    if found.scores is not None:
        blocks += _pictures(found.comparison, found.scores)
    frame = found.comparison.reset_index().drop(columns="caveats")
    blocks += [Table("laws", "Laws and baselines, the best first", frame), Paragraph(WHAT)]
    return Section("comparison", "Comparison", tuple(blocks))


def _pictures(comparison: pd.DataFrame, scores: xr.Dataset) -> list[Block]:
    told = " ".join(_told_of_scores(scores))
    return [
        Picture(
            png_of(plot_comparison(comparison)),
            "Scores at held-out runs.",
            f"Held-out log score of each law with its standard error. {told}",
        ),
        Picture(
            png_of(plot_calibration(scores)),
            "Calibration at held-out runs.",
            f"Share of held-out runs below each quantile and inside each band. {told}",
        ),
    ]


def _told_of_scores(scores: xr.Dataset | None) -> list[str]:
    if scores is None:
        return []
    count = scores.sizes["run"]
    inside = {percent: int(scores[f"covered_{percent}"].sum()) for percent in (50, 90)}
    error = score_table(scores).loc["all", "rmsle"]
    return [
        f"Of {count} held-out runs {inside[50]} are in their 50% band ({count * 0.5:.3g} would be "
        f"right) and {inside[90]} in their 90% band ({count * 0.9:.3g} would be right); the "
        f"median is off by {error:.1%} (root mean square of the logarithm)."
    ]


def _told_of_laws(comparison: pd.DataFrame | None) -> list[str]:
    if comparison is None:
        return []
    laws = comparison[comparison["verdict"] != "baseline"]
    if len(laws) < 2:
        return []
    rows = zip(laws.index, laws["verdict"], laws["caveats"], strict=True)
    return [f"{law}: {_with_caveats(verdict, caveats)}." for law, verdict, caveats in rows]


def _with_caveats(verdict: str, caveats: str) -> str:
    further = [each for each in caveats.split("; ") if each not in ("", verdict)]
    return f"{verdict} ({'; '.join(further)})" if further else verdict
