"""What a paper about a scaling law should tell, answered from the fit as far as it knows.

It follows the checklist in the survey of scaling laws by Li, Kudugunta and Zettlemoyer (2025),
arXiv:2502.18969, in words of our own. Names of items are keys for answers of the author.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._law.latex import plain_formula
from bayeslaw._sampling.gate import Gate
from bayeslaw.data.checks import notes
from bayeslaw.data.curves import curves_in
from bayeslaw.data.runs import predictor_names, response_values
from bayeslaw.fitting.fit import Fit
from bayeslaw.report.blocks import Block, Paragraph, Section, Table
from bayeslaw.report.describe import discrepancy_told, noise_told, pooling_told, scale_told
from bayeslaw.report.forecast_lines import number

__all__ = ["ITEMS", "Facts", "Item", "about_checklist"]

UNKNOWN = "not recorded"


@dataclass(frozen=True)
class Facts:
    """What answers are found in."""

    fit: Fit
    later: xr.Dataset | None
    others: Mapping[str, Fit]


@dataclass(frozen=True)
class Item:
    """A question of the checklist, and the answer where a fit knows it."""

    part: str
    name: str
    asks: str
    answer: Callable[[Facts], str] | None = None


def about_checklist(
    fit: Fit, later: xr.Dataset | None, others: Mapping[str, Fit], given: Mapping[str, str]
) -> Section:
    """The checklist with its answers.

    Parameters
    ----------
    fit : Fit
        The fit.
    later : xarray.Dataset, optional
        Held-out runs.
    others : mapping of str to Fit
        Fits of rival laws.
    given : mapping of str to str
        Answers of the author by name of the item.

    Returns
    -------
    Section

    Raises
    ------
    ValueError
        If an answer is to no item.
    """
    _require_known(given)
    facts = Facts(fit, later, others)
    rows = [_row(item, facts, given) for item in ITEMS]
    open_ = sum(row["answer"] == UNKNOWN for row in rows)
    told = (
        "A survey of scaling laws (Li, Kudugunta and Zettlemoyer 2025, arXiv:2502.18969) found "
        "that most papers leave out what is needed to repeat them, and asks for what follows. "
        f"{len(rows) - open_} of {len(rows)} points are answered, {open_} are not recorded in the "
        "fit; write_report(checklist={...}) takes answers by the names in the first column."
    )
    blocks: list[Block] = [Paragraph(told)]
    for part in dict.fromkeys(item.part for item in ITEMS):
        own = [row for row, item in zip(rows, ITEMS, strict=True) if item.part == part]
        name = f"checklist-{part.split()[0].lower()}"
        blocks.append(Table(name, part, pd.DataFrame(own)))
    return Section("checklist", "Checklist for a paper", tuple(blocks))


def _require_known(given: Mapping[str, str]) -> None:
    known = [item.name for item in ITEMS]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise ValueError(f"the checklist does not ask {name!r}{hint} It asks {known}")


def _row(item: Item, facts: Facts, given: Mapping[str, str]) -> dict[str, str]:
    found = item.answer(facts) if item.answer else UNKNOWN
    return {"item": item.name, "question": item.asks, "answer": given.get(item.name, found)}


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
    held = [f"{name} held at {value:g}" for name, value in model.fixed.items()]
    tied = [f"{name} tied to {other}" for name, other in model.tie.items()]
    return "; ".join([f"{', '.join(model.free)} free", *held, *tied])


def _origin(facts: Facts) -> str:
    told = facts.fit.model.law.doc.partition("\n\n")[0]
    return " ".join(told.replace("``", "").split()) or UNKNOWN


def _assumptions(facts: Facts) -> str:
    return f"{pooling_told(facts.fit)} {discrepancy_told(facts.fit.model.discrepancy)}"


def _models(facts: Facts) -> str:
    curves = curves_in(facts.fit.runs).sizes["curve"]
    return f"{facts.fit.runs.sizes['run']} runs on {curves} curve(s); a row of data is a run"


def _sizes(facts: Facts) -> str:
    runs = facts.fit.runs
    each = [(name, runs[name].values) for name in predictor_names(runs)]
    return "; ".join(
        f"{name} from {number(x.min())} to {number(x.max())}, {np.unique(x).size} distinct"
        for name, x in each
    )


def _amount(facts: Facts) -> str:
    runs = facts.fit.runs
    if "D" not in predictor_names(runs):
        return UNKNOWN
    return f"D from {number(runs['D'].values.min())} to {number(runs['D'].values.max())}"


def _counting(facts: Facts) -> str:
    runs = facts.fit.runs
    known = [name for name in predictor_names(runs) if "units" in runs[name].attrs]
    told = [f"{name} in {runs[name].attrs['units']}" for name in known]
    return "; ".join(told) or UNKNOWN


def _metric(facts: Facts) -> str:
    values = response_values(facts.fit.runs)
    column = values.attrs.get("column", values.name)
    return f"{values.attrs.get('long_name', column)}; on which data is not recorded"


def _modified(facts: Facts) -> str:
    values, scale = response_values(facts.fit.runs), facts.fit.model.noise.scale
    made = f"the response is {values.attrs['long_name']}; " if "long_name" in values.attrs else ""
    return f"{made}here it is only put on a scale, {scale_told(scale)}; before: {UNKNOWN}"


def _objective(facts: Facts) -> str:
    return f"The likelihood. {noise_told(facts.fit.model.noise)}"


def _algorithm(facts: Facts) -> str:
    versions = json.loads(facts.fit.tree.attrs.get("versions", "{}"))
    told = " ".join(["nutpie", *filter(None, [versions.get("nutpie")])])
    return f"all parameters together from their posterior, by the No-U-Turn sampler of {told}"


def _settings(facts: Facts) -> str:
    sampler = json.loads(facts.fit.tree.attrs.get("sampler", "{}"))
    wanted = ("chains", "draws", "tune", "random_seed", "target_accept")
    known = [f"{n.replace('_', ' ')} {sampler[n]}" for n in wanted if sampler.get(n) is not None]
    return ", ".join(known) or UNKNOWN


def _start(facts: Facts) -> str:
    tree = facts.fit.tree
    gate, chains = Gate.of(tree), tree["posterior"].sizes["chain"]
    k = tree["sample_stats"].attrs.get("pareto_k") if "sample_stats" in tree else None
    if k is not None:
        return f"none: independent draws by importance sampling, with Pareto k {k:.2f}"
    return (
        f"{chains} chains from random points, near each good optimum where there are several; "
        f"R-hat {gate.r_hat:.3f}"
    )


def _points(facts: Facts) -> str:
    later = facts.later.sizes["run"] if facts.later is not None else 0
    held = f"; {later} larger ones were held out" if later else ""
    told = " ".join(notes(facts.fit.runs)) or UNKNOWN
    return f"all {facts.fit.runs.sizes['run']} runs given{held}; dropped before: {told}"


def _parts(facts: Facts) -> str:
    if not facts.others:
        return "one fit, of all of them"
    same = all(facts.fit.runs["run"].equals(fit.runs["run"]) for fit in facts.others.values())
    return "all fits are of the same runs" if same else "fits are of different runs"


def _code(facts: Facts) -> str:
    versions = json.loads(facts.fit.tree.attrs.get("versions", "{}"))
    known = " ".join(["bayeslaw", *filter(None, [versions.get("bayeslaw")])])
    return f"{known}; the formula has the hash {facts.fit.model.law.digest[:12]}"


def _validation(facts: Facts) -> str:
    told = [Gate.of(facts.fit.tree).sentence]
    told += (
        [f"Judged by {facts.later.sizes['run']} held-out runs."] if facts.later is not None else []
    )
    told += [f"Compared with {', '.join(facts.others)}."] if facts.others else []
    return " ".join(told) if len(told) > 1 else f"{told[0]} No held-out runs, no rival law."


def _uncertainty(facts: Facts) -> str:
    return "credible bands from draws of the posterior, of the curve and of a new run"


FORM, SETUP = "Hypothesis", "Training setup"
COLLECTION, FITTING = "Data collection", "Fitting"
ITEMS = (
    Item(FORM, "form", "Which equation is fitted?", _form),
    Item(FORM, "variables", "Which quantities does it relate?", _variables),
    Item(FORM, "parameters", "Which parameters are fitted, which held?", _parameters),
    Item(FORM, "origin", "Where does the form come from?", _origin),
    Item(FORM, "assumptions", "What does it take for granted?", _assumptions),
    Item(SETUP, "models", "How many models were trained?", _models),
    Item(SETUP, "sizes", "Of which sizes?", _sizes),
    Item(SETUP, "data amount", "On how much data each?", _amount),
    Item(SETUP, "training data", "On which data?"),
    Item(SETUP, "repeated data", "Was any of it seen more than once in a training?"),
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
        "How were optimiser, learning rate and schedule, batch size chosen, and do they change "
        "with size?",
    ),
    Item(SETUP, "architecture", "What else was decided (width, depth), and does it change?"),
    Item(SETUP, "training code", "Is the training code public?"),
    Item(COLLECTION, "checkpoints", "How many checkpoints of each model enter the fit, and which?"),
    Item(COLLECTION, "public checkpoints", "Are the checkpoints public?"),
    Item(COLLECTION, "metric", "What is measured, and on which data?", _metric),
    Item(COLLECTION, "modified", "Is the raw measurement changed (smoothed, scaled)?", _modified),
    Item(COLLECTION, "modifying code", "Is the code that changes it public?"),
    Item(FITTING, "objective", "Which objective is optimised?", _objective),
    Item(FITTING, "algorithm", "By which algorithm?", _algorithm),
    Item(FITTING, "settings", "With which settings?", _settings),
    Item(FITTING, "start", "From where does it start?", _start),
    Item(FITTING, "points", "Do all points enter, or were some dropped?", _points),
    Item(FITTING, "parts", "Are different equations fitted to different points?", _parts),
    Item(FITTING, "validation", "How is the law checked (fit, extrapolation)?", _validation),
    Item(FITTING, "uncertainty", "How is uncertainty told?", _uncertainty),
    Item(FITTING, "fitting code", "Is the code of the fit public, and which version is it?", _code),
)
