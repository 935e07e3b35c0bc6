"""`bayeslaw report`: write an HTML report on a saved fit."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

import bayeslaw as bl
from bayeslaw.cli.console import print_answer
from bayeslaw.cli.options import (
    OutputOptions,
    Repeatable,
    RunsTable,
    parse_numbers,
    parse_points,
    read_quietly,
)
from bayeslaw.cli.output_files import OutputFile

__all__ = ["report"]


@Parameter(name="*", group=Group("Report", sort_key=0))
@dataclass(frozen=True)
class ReportArguments:
    """A saved fit and the contents of its report.

    Parameters
    ----------
    fit
        File of a saved fit.
    path
        File to write the report to.
    at
        Point to forecast, as N=1e10 or task=c4; comma-separated values; repeat for more.
    draw_new
        Group whose unseen levels are drawn from the population; repeat for more.
    rival
        File of a fit of another law to the same runs; repeat for more.
    budget
        Training budget in FLOPs to plan for; several separated by commas.
    question
        Question of the study; it becomes the title.
    answer
        Answer to an item of the checklist, as "training data=C4, one epoch"; repeat for more.
    """

    fit: Path
    _: KW_ONLY
    path: OutputFile = Path("report.html")
    at: Repeatable = field(default_factory=list)
    draw_new: Repeatable = field(default_factory=list)
    rival: Annotated[list[Path], Parameter(consume_multiple=False, show_default=False)] = field(
        default_factory=list
    )
    budget: str | None = None
    question: str | None = None
    answer: Repeatable = field(default_factory=list)


def report(
    arguments: ReportArguments,
    later: RunsTable | None = None,
    *,
    output_options: OutputOptions = OutputOptions(),
) -> int:
    """Write a one-file HTML report: data, model, diagnostics, forecast, comparison, plan.

    With a table of held-out or later runs, the forecast is scored on them.
    """
    from bayeslaw._progress import progress
    from bayeslaw._sampling.gate import Gate
    from bayeslaw.report import write_report

    fit = bl.load(arguments.fit)
    with progress("Writing the report", None, shown=output_options.shows_progress):
        path = write_report(
            fit,
            path=arguments.path,
            later=None if later is None else read_quietly(later),
            at=bl.grid(**parse_points(arguments.at, fit)) if arguments.at else None,
            others={file.stem: bl.load(file) for file in arguments.rival},
            budget=None
            if arguments.budget is None
            else parse_numbers("--budget", arguments.budget),
            question=arguments.question,
            checklist=dict(_item_and_answer(item) for item in arguments.answer),
            draw_new=arguments.draw_new,
        )
    return print_answer(
        {"converged": Gate.of(fit.tree).passed, "report": str(path)}, output_options.json
    )


def _item_and_answer(item: str) -> tuple[str, str]:
    name, sign, text = item.partition("=")
    if not sign:
        raise ValueError(f"--answer {item!r} has no answer; write --answer 'training data=C4'")
    return name, text
