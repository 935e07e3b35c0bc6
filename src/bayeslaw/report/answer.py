"""The answer in short: the first section of a report (summary, headline)."""

from __future__ import annotations

import pandas as pd

from bayeslaw._sampling.gate import Gate
from bayeslaw.diagnostics.diagnose import Diagnosis
from bayeslaw.diagnostics.region_probabilities import region_probabilities
from bayeslaw.fitting.result import Fit
from bayeslaw.plots.layout import evenly_spaced
from bayeslaw.plots.numbers import format_number
from bayeslaw.report.blocks import Items, Section
from bayeslaw.report.comparison import Evaluation
from bayeslaw.report.requested_lines import RequestedLine

__all__ = ["answer_section", "describe_forecast"]

MAX_SENTENCES = 3  # on forecasts, and on regions


def answer_section(
    fit: Fit, lines: list[RequestedLine], evaluation: Evaluation, diagnosis: Diagnosis
) -> Section:
    """Convergence, the forecast, its scores at held-out runs, and its caveats."""
    gate, response = diagnosis.gate, fit.runs.attrs["response"]
    shown = evenly_spaced(lines, MAX_SENTENCES)
    more = len(lines) - len(shown)
    sentences = [
        *([gate.sentence] if gate.passed else []),  # otherwise it is in the banner above
        *(describe_forecast(line, response) for line in shown),
        *([f"{more} more are in the forecast below."] if more else []),
        *evaluation.sentences,
        *_describe_regions(fit),
        *_describe_prior_driven(diagnosis.learned),
        *(caveat for caveat in lines[0].caveats if caveat != gate.sentence),
    ]
    return Section("answer", "The answer in short", (Items(tuple(sentences)),))


def describe_forecast(line: RequestedLine, response: str) -> str:
    """The forecast at the largest requested size, in a sentence."""
    size = line.requested[-1]
    curve, new = (line.quantiles(name).loc[size].map(format_number) for name in ("mean", "new_run"))
    times = f", {format_number(size / line.start)} times the largest fitted" if line.start else ""
    return (
        f"{line.title}: at {line.predictor} = {format_number(size)}"
        f"{times if size > line.start else ''}, "
        f"the {response} is {curve['50%']} (90% band {curve['5%']} to {curve['95%']}), and a new "
        f"run lies between {new['5%']} and {new['95%']} with probability 90%."
    )


def _describe_regions(fit: Fit) -> list[str]:
    """The most probable region (kind of law) of each curve, if the law has regions."""
    if not fit.model.law.regions or not Gate.of(fit.tree).passed:
        return []
    probabilities = region_probabilities(fit).head(MAX_SENTENCES)
    return [
        f"{curve}: {row.idxmax()} with probability {row.max():.2f}."
        for curve, row in probabilities.iterrows()
    ]


def _describe_prior_driven(learned: pd.DataFrame) -> list[str]:
    names = [str(name) for name in learned.index[(learned["driven_by"] == "prior").to_numpy()]]
    if not names:
        return []
    verb = "is" if len(names) == 1 else "are"
    return [
        f"{', '.join(names)} {verb} driven by the prior, not the data: do not quote as results."
    ]
