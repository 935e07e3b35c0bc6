"""Sections of a report, computed from a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayeslaw.data.curves import curves_in
from bayeslaw.diagnostics.diagnose import diagnose
from bayeslaw.fitting.result import Fit
from bayeslaw.report.answer import answer_section
from bayeslaw.report.blocks import Report
from bayeslaw.report.checklist import checklist_section
from bayeslaw.report.comparison import comparison_sections, evaluate
from bayeslaw.report.convergence import convergence_banner, diagnostics_section
from bayeslaw.report.forecast import forecast_section, plan_sections
from bayeslaw.report.parameters import parameters_section
from bayeslaw.report.pictures import with_pictures
from bayeslaw.report.provenance import provenance_section
from bayeslaw.report.requested_lines import requested_lines
from bayeslaw.report.setup import data_section, model_section, priors_section

__all__ = ["ReportOptions", "assemble"]


@dataclass(frozen=True)
class ReportOptions:
    """Options of a report; see `write_report`."""

    later: xr.Dataset | None
    at: xr.Dataset | None
    others: Mapping[str, Fit]
    budget: Sequence[float] | None
    question: str | None
    checklist: Mapping[str, str]
    draw_new: Sequence[str]
    random_seed: int


def assemble(fit: Fit, options: ReportOptions) -> Report:
    """Compute the sections of a report, in order."""
    later, others = options.later, options.others
    draw_new, seed = options.draw_new, options.random_seed
    diagnosis = diagnose(fit)
    checklist = checklist_section(fit, later, others, options.checklist)
    lines = requested_lines(fit, options.at, later, draw_new, seed)
    evaluation = evaluate(fit, later, others)
    sections = [
        answer_section(fit, lines, evaluation, diagnosis),
        data_section(fit, later),
        model_section(fit),
        priors_section(fit),
        diagnostics_section(diagnosis),
        parameters_section(fit),
        forecast_section(fit, lines, later, draw_new, seed),
        *comparison_sections(evaluation),
        *plan_sections(fit, options.budget),
        checklist,
        provenance_section(fit),
    ]
    question = options.question or _default_question(fit)
    illustrated = tuple(with_pictures(section, fit) for section in sections)
    return Report(question, _subtitle(fit), convergence_banner(diagnosis.gate), illustrated)


def _default_question(fit: Fit) -> str:
    x, *_ = fit.model.law.predictors
    largest = float(np.max(fit.runs[x].values))
    return f"What will the {fit.runs.attrs['response']} be beyond {x} = {largest:.3g}?"


def _subtitle(fit: Fit) -> str:
    curves = curves_in(fit.runs).sizes["curve"]
    return (
        f"Law {fit.model.law.name} · {fit.runs.sizes['run']} runs · {curves} "
        f"curve{'s' if curves > 1 else ''} · bayeslaw"
    )
