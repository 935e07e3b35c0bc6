"""What was found: convergence, parameters, and how to find it again."""

from __future__ import annotations

import json

import pandas as pd

from bayeslaw._sampling.gate import NOT_CONVERGED, Gate
from bayeslaw.diagnostics.diagnose import Diagnosis
from bayeslaw.diagnostics.summary import summary
from bayeslaw.fitting.fit import Fit
from bayeslaw.report.blocks import Block, Code, Items, Paragraph, Section, Table

__all__ = ["about_diagnostics", "about_parameters", "about_provenance"]

UNKNOWN = "not recorded"
NAMES = {"label": "name", "r_hat": "R-hat", "ess_bulk": "ESS"}
SCOPE = (
    "Medians and 90% intervals in the units of the data. A level of a group stands for the typical "
    "curve of that level."
)


def about_diagnostics(found: Diagnosis) -> Section:
    """The gate and what else a user should know, in sentences, and what the data decided.

    Parameters
    ----------
    found : Diagnosis
        Of the fit.

    Returns
    -------
    Section
    """
    caption = "Spread of each parameter before and after the data, on the scale of its link"
    learned = found.learned.reset_index()
    blocks = (Items(found.sentences), Table("learned", caption, learned))
    return Section("diagnostics", "Diagnostics", blocks)


def about_parameters(fit: Fit) -> Section:
    """A table for each parameter: population, groups, curves.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    Section
    """
    told = summary(fit).reset_index().rename(columns=NAMES)
    columns = ("name", "of", "median", "lower", "upper", "sd", "R-hat", "ESS")
    trust = "" if Gate.of(fit.tree).passed else f" ({NOT_CONVERGED})"
    blocks: list[Block] = [Paragraph(SCOPE)]
    for name, rows in told.groupby("parameter", sort=False):
        caption = f"{name}: {fit.model.roles[str(name)].doc}{trust}"
        blocks.append(Table(f"parameter-{name}", caption, rows.filter(items=columns), bars=True))
    return Section("parameters", "Parameters", tuple(blocks))


def about_provenance(fit: Fit) -> Section:
    """Versions, seed, sampler, and the lines that fit again.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    Section
    """
    versions, sampler = (json.loads(fit.tree.attrs.get(n, "{}")) for n in ("versions", "sampler"))
    kept = {**versions, **{name.replace("_", " "): value for name, value in sampler.items()}}
    rows = [(name, str(value)) for name, value in kept.items() if value is not None]
    frame = pd.DataFrame(rows or [("versions and sampler", UNKNOWN)], columns=["what", "value"])
    blocks = (Table("versions", "Versions and sampler", frame), Code(_again(fit, sampler)))
    return Section("provenance", "Provenance", blocks)


def _again(fit: Fit, sampler: dict[str, object]) -> str:
    """The call that fits again."""
    wanted = ("random_seed", "draws", "tune", "chains", "cores", "target_accept")
    given = [f"{name}={sampler[name]!r}" for name in wanted if sampler.get(name) is not None]
    return (
        f"# model: {fit.tree.attrs.get('model', repr(fit.model))}\n"
        f"fit = bl.fit(model, runs, {', '.join(given) or 'random_seed=...'})\n"
        "bl.write_report(fit)"
    )
