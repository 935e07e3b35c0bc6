"""The answer in a few sentences, which stands first."""

from __future__ import annotations

import pandas as pd

from bayeslaw._sampling.gate import Gate
from bayeslaw.diagnostics.diagnose import Diagnosis
from bayeslaw.diagnostics.region_probabilities import region_probabilities
from bayeslaw.fitting.fit import Fit
from bayeslaw.report.blocks import Items, Section
from bayeslaw.report.comparison import Judged
from bayeslaw.report.forecast_lines import Line, nearest, number

__all__ = ["about_answer", "told_of"]

MOST_TOLD = 3  # lines


def about_answer(fit: Fit, lines: list[Line], found: Judged, diagnosis: Diagnosis) -> Section:
    """The gate, the forecast, what held-out runs say of it, and what it is subject to.

    Parameters
    ----------
    fit : Fit
        The fit.
    lines : list of Line
        Forecasts.
    found : Judged
        Scores and comparison.
    diagnosis : Diagnosis
        Of the fit.

    Returns
    -------
    Section
    """
    gate = diagnosis.gate
    told = [told_of(lines[i], fit.runs.attrs["response"]) for i in nearest(len(lines), MOST_TOLD)]
    more = len(lines) - len(told)
    rest = [f"{more} more are in the forecast below."] if more else []
    first = [gate.sentence] if gate.passed else []  # a failure stands above the page
    last = [each for each in lines[0].caveats if each != gate.sentence]
    kind, prior = _kind(fit), _prior(diagnosis.learned)
    sentences = [*first, *told, *rest, *found.sentences, *kind, *prior, *last]
    return Section("answer", "The answer in short", (Items(tuple(sentences)),))


def told_of(line: Line, response: str) -> str:
    """The forecast at the largest size that was asked for, in a sentence.

    Parameters
    ----------
    line : Line
        The forecast.
    response : str
        What is forecast.

    Returns
    -------
    str
    """
    size = line.asked[-1]
    curve, new = (line.bands[name].loc[size].map(number) for name in ("mean", "new_run"))
    far = f", {number(size / line.start)} times the largest fitted" if line.start else ""
    return (
        f"{line.title}: at {line.predictor} = {number(size)}{far if size > line.start else ''}, "
        f"the {response} is {curve['50%']} (90% band {curve['5%']} to {curve['95%']}), and a new "
        f"run lies between {new['5%']} and {new['95%']} with probability 90%."
    )


def _kind(fit: Fit) -> list[str]:
    """What a law's own parameter tells of the kind of law, if it tells."""
    if not fit.model.law.regions or not Gate.of(fit.tree).passed:
        return []
    told = region_probabilities(fit)
    return [
        f"{where}: {row.idxmax()} with probability {row.max():.2f}."
        for where, row in told.head(MOST_TOLD).iterrows()
    ]


def _prior(learned: pd.DataFrame) -> list[str]:
    names = [str(name) for name in learned.index[(learned["driven_by"] == "prior").to_numpy()]]
    if not names:
        return []
    verb = "is the prior's" if len(names) == 1 else "are the prior's"
    return [f"{', '.join(names)} {verb} rather than the data's: no finding to quote."]
