"""From a fit and what is asked of it to the blocks of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayeslaw.data.curves import curves_in
from bayeslaw.diagnostics.diagnose import diagnose
from bayeslaw.fitting.fit import Fit
from bayeslaw.report.blocks import Report, Section
from bayeslaw.report.checklist import about_checklist
from bayeslaw.report.comparison import Judged, about_comparison, judged
from bayeslaw.report.forecast import about_forecast, about_plan
from bayeslaw.report.forecast_lines import lines_of
from bayeslaw.report.judgement import about_answer
from bayeslaw.report.results import about_diagnostics, about_parameters, about_provenance
from bayeslaw.report.setup import about_data, about_model, about_priors

__all__ = ["Asked", "assemble"]


@dataclass(frozen=True)
class Asked:
    """What a report is asked beside the fit; see `write_report`."""

    later: xr.Dataset | None
    at: xr.Dataset | None
    others: Mapping[str, Fit]
    budget: Sequence[float] | None
    question: str | None
    checklist: Mapping[str, str]
    draw_new: Sequence[str]
    random_seed: int


def assemble(fit: Fit, asked: Asked) -> Report:
    """Ask the fit, and put what it tells in order.

    Parameters
    ----------
    fit : Fit
        The fit.
    asked : Asked
        What is asked.

    Returns
    -------
    Report
    """
    diagnosis = diagnose(fit)
    last = about_checklist(fit, asked.later, asked.others, asked.checklist)
    lines = lines_of(fit, asked.at, asked.later, asked.draw_new, asked.random_seed)
    found = judged(fit, asked.later, asked.others)
    sections = [
        about_answer(fit, lines, found, diagnosis),
        about_data(fit, asked.later),
        about_model(fit),
        about_priors(fit),
        about_diagnostics(diagnosis),
        about_parameters(fit),
        about_forecast(fit, lines, asked.later, asked.draw_new, asked.random_seed),
        *_comparison(found),
        *about_plan(fit, asked.budget),
        last,
        about_provenance(fit),
    ]
    warning = "" if diagnosis.gate.passed else diagnosis.gate.sentence
    return Report(asked.question or _question(fit), _about(fit), warning, tuple(sections))


def _comparison(found: Judged) -> list[Section]:
    return [] if found.comparison is None else [about_comparison(found)]


def _question(fit: Fit) -> str:
    x, *_ = fit.model.law.predictors
    largest = float(np.max(fit.runs[x].values))
    return f"What will the {fit.runs.attrs['response']} be beyond {x} = {largest:.3g}?"


def _about(fit: Fit) -> str:
    curves = curves_in(fit.runs).sizes["curve"]
    return (
        f"Law {fit.model.law.name} · {fit.runs.sizes['run']} runs · {curves} "
        f"curve{'s' if curves > 1 else ''} · bayeslaw"
    )
