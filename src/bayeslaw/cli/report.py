"""The command that writes a saved fit down for others."""

from __future__ import annotations

import warnings
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

import bayeslaw as bl
from bayeslaw.cli.console import answer
from bayeslaw.cli.options import Many, Say, Table, numbers, places

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["report"]


@Parameter(name="*", group=Group("Report", sort_key=0))
@dataclass(frozen=True)
class Wanted:
    """A saved fit, and what its report tells.

    Parameters
    ----------
    fit
        File of the fit.
    path
        File for the report.
    at
        What to forecast, as N=1e10 or task=c4; several values with commas; repeat for more.
    draw_new
        Group whose unknown levels are drawn from the population; repeat for more.
    rival
        File of a fit of another law to the same runs; repeat for more.
    budget
        FLOPs to plan for; several with commas.
    question
        What the study asks; the title.
    answer
        What the fit cannot know of the checklist, as "training data=C4, one epoch"; repeat for
        more.
    """

    fit: Path
    _: KW_ONLY
    path: Path = Path("report.html")
    at: Many = field(default_factory=list)
    draw_new: Many = field(default_factory=list)
    rival: Annotated[list[Path], Parameter(consume_multiple=False, show_default=False)] = field(
        default_factory=list
    )
    budget: str | None = None
    question: str | None = None
    answer: Many = field(default_factory=list)


def report(wanted: Wanted, later: Table | None = None, *, say: Say = Say()) -> int:
    """Write a saved fit into one HTML file: data, model, diagnostics, forecast, comparison, plan.

    A table of runs that were held out, or came later, judges the forecast.
    """
    from bayeslaw._progress import progress
    from bayeslaw._sampling.gate import Gate
    from bayeslaw.report import write_report

    kept = bl.load(wanted.fit)
    with progress("Writing the report", None, shown=say.talks):
        path = write_report(
            kept,
            path=wanted.path,
            later=None if later is None else _read(later),
            at=bl.grid(**places(wanted.at, kept)) if wanted.at else None,
            others={file.stem: bl.load(file) for file in wanted.rival},
            budget=None if wanted.budget is None else numbers("--budget", wanted.budget),
            question=wanted.question,
            checklist=dict(_answer(each) for each in wanted.answer),
            draw_new=wanted.draw_new,
        )
    return answer({"converged": Gate.of(kept.tree).passed, "report": str(path)}, say.json)


def _read(later: Table) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "group .* has one level")  # these runs pool nothing
        return later.read()


def _answer(item: str) -> tuple[str, str]:
    name, sign, text = item.partition("=")
    if not sign:
        raise ValueError(f"--answer {item!r} has no answer; write --answer 'training data=C4'")
    return name, text
