"""`bayeslaw plot`: draw a figure from a saved fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from bayeslaw.cli.output_files import FigureFile
from bayeslaw.plots.figures import FIGURES, FitFigure, find_figure

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["plot"]

NAME_HELP = "\n".join(
    ["Name of the figure:", *(f"{name}: {caption}" for name, caption in FIGURES.items())]
)
USAGE = {  # how what a figure takes is given
    "at": "--at N=1e10",
    "later": "TABLE --predictor N=COLUMN",
    "parameter": "--parameter NAME",
    "budget": "--budget 1e22",
    "x": "--x PREDICTOR",
    "draw_new": "--draw-new GROUP",
}


@Parameter(name="*", group=Group("Figure", sort_key=0))
@dataclass(frozen=True)
class FigureArguments:
    """A figure, the saved fit that it is drawn from, and what it takes besides.

    Parameters
    ----------
    fit
        File of a saved fit.
    out
        File to save the figure in, in the format of its extension, such as png, svg or pdf.
    at
        Point to forecast, or curve, as N=1e10 or task=c4; comma-separated values; repeat for more.
    draw_new
        Group whose unseen levels are drawn from the population; repeat for more.
    parameter
        Parameter of the law, the noise or the discrepancy.
    budget
        Training budget in FLOPs; several separated by commas.
    x
        Predictor on the horizontal axis.
    dark
        Draw on a dark background.
    """

    name: Annotated[str, Parameter(help=NAME_HELP)]
    fit: Path
    _: KW_ONLY
    out: FigureFile = Path("figure.png")
    at: Repeatable = field(default_factory=list)
    draw_new: Repeatable = field(default_factory=list)
    parameter: str | None = None
    budget: str | None = None
    x: str | None = None
    dark: bool = False

    def given(self, later: RunsTable | None) -> dict[str, Any]:
        """What is given for the figure besides the fit, as it was typed."""
        options = {name: later if name == "later" else getattr(self, name) for name in USAGE}
        return {name: value for name, value in options.items() if value}


def plot(
    arguments: FigureArguments,
    later: RunsTable | None = None,
    *,
    output_options: OutputOptions = OutputOptions(),
) -> int:
    """Draw a figure from a saved fit, with held-out or later runs if a table of them is given."""
    from bayeslaw._disk.files import write_figure
    from bayeslaw._progress import progress
    from bayeslaw._sampling.gate import Gate
    from bayeslaw.plots.style import background_style

    figure, given = _fit_figure(arguments.name), arguments.given(later)
    _require_options(arguments.name, figure.options, given)
    fit = bl.load(arguments.fit)
    values = {name: _parsed(name, value, fit) for name, value in given.items()}
    with (
        progress("Drawing", None, shown=output_options.shows_progress),
        background_style(arguments.dark),
    ):
        path = write_figure(figure.draw(fit, **values), arguments.out)
    result = {"converged": Gate.of(fit.tree).passed, "figure": str(path)}
    return print_answer(result, output_options.json)


def _fit_figure(name: str) -> FitFigure:
    figure = find_figure(name)
    if isinstance(figure, FitFigure):
        return figure
    command = figure.result_of.__name__
    raise ValueError(
        f"the figure {name!r} is not drawn from a saved fit; "
        f"bayeslaw {command} TABLE --figure {name}.png draws it"
    )


def _require_options(name: str, options: Mapping[str, bool], given: Iterable[str]) -> None:
    """Require that a figure takes what is given, and that what it needs is given."""
    for option in given:
        if option not in options:
            option_name, *_ = USAGE[option].split()
            known = ", ".join(USAGE[each] for each in USAGE if each in options)
            takes = f"it takes {known}" if known else "it takes the fit alone"
            raise ValueError(f"the figure {name!r} does not take {option_name}; {takes}")
    for option, required in options.items():
        if required and option not in given:
            raise ValueError(f"the figure {name!r} needs {USAGE[option]}")


def _parsed(name: str, value: Any, fit: bl.Fit) -> Any:
    """An option as a figure takes it."""
    match name:
        case "at":
            return parse_points(value, fit)
        case "later":
            return read_quietly(value)
        case "budget":
            return parse_numbers("--budget", value)
    return value
