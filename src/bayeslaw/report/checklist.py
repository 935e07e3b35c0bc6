"""Reproducibility checklist for a paper on scaling laws, answered from the fit where possible.

It follows the checklist in the survey of scaling laws by Li, Kudugunta and Zettlemoyer (2025),
arXiv:2502.18969, in our own words. Authors give further answers by the names of the items.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._law.latex import plain_formula
from bayeslaw._sampling.gate import Gate
from bayeslaw._suggestions import did_you_mean
from bayeslaw.data.checks import notes
from bayeslaw.data.curves import curves_in
from bayeslaw.data.runs import predictor_names, response_values
from bayeslaw.fitting.result import Fit
from bayeslaw.plots.numbers import format_number
from bayeslaw.report.blocks import UNKNOWN, Block, Paragraph, Section, Table
from bayeslaw.report.describe import (
    describe_discrepancy,
    describe_noise,
    describe_pooling,
    describe_scale,
)

__all__ = ["ITEMS", "Facts", "Item", "checklist_section"]


@dataclass(frozen=True)
class Facts:
    """The fit, held-out runs and fits of other laws that answers are taken from."""

    fit: Fit
    later: xr.Dataset | None
    others: Mapping[str, Fit]


@dataclass(frozen=True)
class Item:
    """A question of the checklist, with a function that answers it from a fit, if one can."""

    part: str
    name: str
    question: str
    answer: Callable[[Facts], str] | None = None


def checklist_section(
    fit: Fit, later: xr.Dataset | None, others: Mapping[str, Fit], given: Mapping[str, str]
) -> Section:
    """The checklist with the author's answers, or else those of the fit."""
    _require_known(given)
    facts = Facts(fit, later, others)
    rows = [_row(item, facts, given) for item in ITEMS]
    unknown = sum(row["answer"] == UNKNOWN for row in rows)
    introduction = (
        "A survey of scaling laws (Li, Kudugunta and Zettlemoyer 2025, arXiv:2502.18969) found "
        "that most papers omit details that are needed to reproduce them, and asks for the "
        f"following. {len(rows) - unknown} of {len(rows)} points are answered, {unknown} are not "
        "recorded in the fit; write_report(checklist={...}) takes answers by the names in the "
        "first column."
    )
    blocks: list[Block] = [Paragraph(introduction)]
    for part in dict.fromkeys(item.part for item in ITEMS):
        part_rows = [row for row, item in zip(rows, ITEMS, strict=True) if item.part == part]
        name = f"checklist-{part.split()[0].lower()}"
        blocks.append(Table(name, part, pd.DataFrame(part_rows)))
    return Section("checklist", "Checklist for a paper", tuple(blocks))


def _require_known(given: Mapping[str, str]) -> None:
    known = [item.name for item in ITEMS]
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ValueError(f"the checklist does not ask {name!r}{hint} It asks {known}")


def _row(item: Item, facts: Facts, given: Mapping[str, str]) -> dict[str, str]:
    answer = item.answer(facts) if item.answer else UNKNOWN
    return {"item": item.name, "question": item.question, "answer": given.get(item.name, answer)}


def _form(facts: Facts) -> str:
    law = facts.fit.model.law
    return (
        f"{law.name}: {plain_formula(law.latex)}" if law.latex else f"{law.name}, without a formula"
    )


def _variables(facts: Facts) -> str:
    law = facts.fit.model.law
    return f"{facts.fit.runs.attrs['response']} as a function of {' and '.join(law.predictors)}"


def _parameters(facts: Facts) -> str:
    model = facts.fit.model
    fixed = [f"{name} held at {value:g}" for name, value in model.fixed.items()]
    tied = [f"{name} tied to {other}" for name, other in model.tie.items()]
    return "; ".join([f"{', '.join(model.free)} free", *fixed, *tied])


def _origin(facts: Facts) -> str:
    summary = facts.fit.model.law.doc.partition("\n\n")[0]
    return " ".join(summary.replace("``", "").split()) or UNKNOWN


def _assumptions(facts: Facts) -> str:
    return f"{describe_pooling(facts.fit)} {describe_discrepancy(facts.fit.model.discrepancy)}"


def _models(facts: Facts) -> str:
    curves = curves_in(facts.fit.runs).sizes["curve"]
    return f"{facts.fit.runs.sizes['run']} runs on {curves} curve(s); each row of data is one run"


def _sizes(facts: Facts) -> str:
    runs = facts.fit.runs
    sizes = [(name, runs[name].values) for name in predictor_names(runs)]
    return "; ".join(f"{_range(name, x)}, {np.unique(x).size} distinct" for name, x in sizes)


def _range(name: str, values: np.ndarray) -> str:
    return f"{name} from {format_number(values.min())} to {format_number(values.max())}"


def _amount(facts: Facts) -> str:
    runs = facts.fit.runs
    if "D" not in predictor_names(runs):
        return UNKNOWN
    return _range("D", runs["D"].values)


def _counting(facts: Facts) -> str:
    runs = facts.fit.runs
    known = [name for name in predictor_names(runs) if "units" in runs[name].attrs]
    units = [f"{name} in {runs[name].attrs['units']}" for name in known]
    return "; ".join(units) or UNKNOWN


def _metric(facts: Facts) -> str:
    values = response_values(facts.fit.runs)
    column = values.attrs.get("column", values.name)
    return f"{values.attrs.get('long_name', column)}; on which data is not recorded"


def _modified(facts: Facts) -> str:
    values, scale = response_values(facts.fit.runs), facts.fit.model.noise.scale
    name = f"the response is {values.attrs['long_name']}; " if "long_name" in values.attrs else ""
    return (
        f"{name}here it is only put on a scale, {describe_scale(scale)}; changes before: {UNKNOWN}"
    )


def _objective(facts: Facts) -> str:
    return f"The likelihood. {describe_noise(facts.fit.model.noise)}"


def _algorithm(facts: Facts) -> str:
    versions = json.loads(facts.fit.tree.attrs.get("versions", "{}"))
    sampler = " ".join(["nutpie", *filter(None, [versions.get("nutpie")])])
    return f"all parameters jointly from their posterior, by the No-U-Turn sampler of {sampler}"


def _settings(facts: Facts) -> str:
    sampler = json.loads(facts.fit.tree.attrs.get("sampler", "{}"))
    names = ("chains", "draws", "tune", "random_seed", "target_accept")
    known = [f"{n.replace('_', ' ')} {sampler[n]}" for n in names if sampler.get(n) is not None]
    return ", ".join(known) or UNKNOWN


def _start(facts: Facts) -> str:
    tree = facts.fit.tree
    gate, chains = Gate.of(tree), tree["posterior"].sizes["chain"]
    k = tree["sample_stats"].attrs.get("pareto_k") if "sample_stats" in tree else None
    if k is not None:
        return f"none: independent draws by importance sampling, with Pareto k {k:.2f}"
    return (
        f"{chains} chains from random points, near each good MAP mode if there are several; "
        f"R-hat {gate.r_hat:.3f}"
    )


def _points(facts: Facts) -> str:
    later = facts.later.sizes["run"] if facts.later is not None else 0
    held_out = f"; {later} larger ones were held out" if later else ""
    dropped = " ".join(notes(facts.fit.runs)) or UNKNOWN
    return f"all {facts.fit.runs.sizes['run']} runs given{held_out}; dropped before: {dropped}"


def _parts(facts: Facts) -> str:
    if not facts.others:
        return "one fit, of all of them"
    same = all(facts.fit.runs["run"].equals(fit.runs["run"]) for fit in facts.others.values())
    return "all fits are of the same runs" if same else "fits are of different runs"


def _code(facts: Facts) -> str:
    versions = json.loads(facts.fit.tree.attrs.get("versions", "{}"))
    package = " ".join(["bayeslaw", *filter(None, [versions.get("bayeslaw")])])
    return f"{package}; the formula has the hash {facts.fit.model.law.digest[:12]}"


def _validation(facts: Facts) -> str:
    checks = []
    if facts.later is not None:
        checks.append(f"Judged by {facts.later.sizes['run']} held-out runs.")
    if facts.others:
        checks.append(f"Compared with {', '.join(facts.others)}.")
    checks = checks or ["No held-out runs, no rival law."]
    return " ".join([Gate.of(facts.fit.tree).sentence, *checks])


def _uncertainty(facts: Facts) -> str:
    return "credible bands of the curve and of a new run, from posterior draws"


FORM, SETUP = "Hypothesis", "Training setup"
COLLECTION, FITTING = "Data collection", "Fitting"
ITEMS = (
    Item(FORM, "form", "Which equation is fitted?", _form),
    Item(FORM, "variables", "Which quantities does it relate?", _variables),
    Item(FORM, "parameters", "Which parameters are fitted, which are fixed?", _parameters),
    Item(FORM, "origin", "Where does the form come from?", _origin),
    Item(FORM, "assumptions", "What does it assume?", _assumptions),
    Item(SETUP, "models", "How many models were trained?", _models),
    Item(SETUP, "sizes", "Of which sizes?", _sizes),
    Item(SETUP, "data amount", "On how much data each?", _amount),
    Item(SETUP, "training data", "On which data?"),
    Item(SETUP, "repeated data", "Was any of it repeated within a training run?"),
    Item(
        SETUP,
        "counting",
        "How are parameters, data and compute counted (embeddings, FLOPs per token)?",
        _counting,
    ),
    Item(SETUP, "counting code", "Is the code that counts them public?"),
    Item(
        SETUP,
        "hyperparameters",
        "How were optimiser, learning rate, schedule and batch size chosen, and do they change "
        "with size?",
    ),
    Item(
        SETUP, "architecture", "What else was chosen (width, depth), and does it change with size?"
    ),
    Item(SETUP, "training code", "Is the training code public?"),
    Item(COLLECTION, "checkpoints", "How many checkpoints of each model enter the fit, and which?"),
    Item(COLLECTION, "public checkpoints", "Are the checkpoints public?"),
    Item(COLLECTION, "metric", "What is measured, and on which data?", _metric),
    Item(COLLECTION, "modified", "Is the raw measurement changed (smoothed, scaled)?", _modified),
    Item(COLLECTION, "modifying code", "Is the code that changes it public?"),
    Item(FITTING, "objective", "Which objective is optimised?", _objective),
    Item(FITTING, "algorithm", "By which algorithm?", _algorithm),
    Item(FITTING, "settings", "With which settings?", _settings),
    Item(FITTING, "start", "Where does it start?", _start),
    Item(FITTING, "points", "Are all points used, or were some dropped?", _points),
    Item(FITTING, "parts", "Are different equations fitted to different points?", _parts),
    Item(FITTING, "validation", "How is the law checked (fit, extrapolation)?", _validation),
    Item(FITTING, "uncertainty", "How is uncertainty reported?", _uncertainty),
    Item(FITTING, "fitting code", "Is the code of the fit public, and which version is it?", _code),
)
