"""`bayeslaw backtest`: fit laws up to several sizes and score them beyond."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bayeslaw as bl
from bayeslaw._arguments import ABOVE_ONE
from bayeslaw.cli.console import print_answer
from bayeslaw.cli.options import (
    FitOptions,
    OutputOptions,
    RunsTable,
    parse_numbers,
    parse_sizes,
    resumable,
)
from bayeslaw.cli.output_files import FigureFile

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["backtest"]


def backtest(
    table: RunsTable,
    *,
    laws: str = "power,pure_power,log_linear",
    along: str | None = None,
    origins: str | None = None,
    horizons: str = "2,5,10",
    store: Path | None = None,
    figure: FigureFile | None = None,
    fit_options: FitOptions = FitOptions(),
    output_options: OutputOptions = OutputOptions(),
) -> int:
    """Fit several laws up to each of several sizes, and score them on the runs beyond it.

    Runs selected by --hold-out are neither fitted nor scored.

    Parameters
    ----------
    laws
        Names of laws, separated by commas.
    along
        Predictor to extrapolate, or C, the training compute 6 N D. By default the first predictor.
    origins
        Sizes to fit up to, separated by commas. By default at most three that leave enough runs.
    horizons
        Upper limits of size ranges in which runs are scored together, as multiples of the origin,
        separated by commas.
    store
        Folder in which each fit is saved when finished, so that an interrupted job can resume.
    figure
        File to save a figure in.
    """
    from bayeslaw._disk.files import write_figure
    from bayeslaw.comparison.backtest import backtest, backtest_table
    from bayeslaw.data.runs import predictor_names

    runs = table.read()
    if fit_options.hold_out:
        runs = bl.split_at(runs, **parse_sizes(fit_options.hold_out))[0]
    with resumable(store):
        scores = backtest(
            {name: fit_options.model(table.law(name), table) for name in laws.split(",")},
            runs,
            along=along or predictor_names(runs)[0],
            origins=None if origins is None else parse_numbers("--origins", origins),
            horizons=parse_numbers("--horizons", horizons, ABOVE_ONE),
            store=store,
            sampler=fit_options.sampler(output_options.shows_progress),
        )
    by_horizon = backtest_table(scores)
    if figure is not None:
        write_figure(bl.plot_skill(by_horizon), figure)
    result = {
        "converged": scores.attrs["failed"] == 0,
        "sentences": _sentences(scores),
        "backtest": by_horizon,
    }
    return print_answer(result, output_options.json)


def _sentences(scores: xr.Dataset) -> list[str]:
    attrs = scores.attrs
    origins = ", ".join(
        f"{origin:.3g}" + (f" (curves left out: {left_out})" if left_out else "")
        for origin, left_out in zip(attrs["origins"], attrs["left_out"], strict=True)
    )
    failed = f"NOT CONVERGED: {attrs['failed']} of {attrs['refits']} fits."
    return [
        *([failed] if attrs["failed"] else []),
        f"Fits: {attrs['refits']}, of runs up to {attrs['along']} = {origins}.",
    ]
