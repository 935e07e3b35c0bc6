"""Parameter tables of a report: posterior summaries of population, groups and curves."""

from __future__ import annotations

from bayeslaw._sampling.gate import Gate
from bayeslaw.diagnostics.summary import summary
from bayeslaw.fitting.result import Fit
from bayeslaw.report.blocks import Block, Paragraph, Section, Table
from bayeslaw.report.convergence import convergence_mark

__all__ = ["parameters_section"]

TITLES = {"label": "name", "r_hat": "R-hat", "ess_bulk": "ESS"}
COLUMNS = ("name", "of", "median", "lower", "upper", "sd", "R-hat", "ESS")
SCOPE = (
    "Medians and 90% intervals in the units of the data. A level of a group stands for the typical "
    "curve of that level."
)


def parameters_section(fit: Fit) -> Section:
    """A table for each parameter: population, groups, curves."""
    table = summary(fit).reset_index().rename(columns=TITLES)
    mark = convergence_mark(Gate.of(fit.tree))
    blocks: list[Block] = [Paragraph(SCOPE)]
    for name, rows in table.groupby("parameter", sort=False):
        caption = f"{name}: {fit.model.roles[str(name)].doc}{mark}"
        blocks.append(Table(f"parameter-{name}", caption, rows.filter(items=COLUMNS), bars=True))
    return Section("parameters", "Parameters", tuple(blocks))
