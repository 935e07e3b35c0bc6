"""`bayeslaw multiverse`: forecast under all combinations of modelling choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import Parameter

import bayeslaw as bl
from bayeslaw.cli.console import print_answer
from bayeslaw.cli.options import (
    FitOptions,
    OutputOptions,
    Repeatable,
    RunsTable,
    parse_points,
    parse_sizes,
    parse_texts,
    resumable,
)
from bayeslaw.cli.output_files import FigureFile

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["multiverse"]

ALL_RUNS = "none"  # label of the alternative that leaves no run out


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Choices:
    """Modelling choices to combine, and the points to forecast.

    Parameters
    ----------
    law
        Name of a law; repeat for more.
    noise
        Noise: gaussian, student-t, undertuned, or raw-gaussian (Gaussian on the raw response);
        repeat for more.
    drop
        Suspect runs to drop, by --run-id or row number, separated by commas; repeat for more.
    at
        Point to forecast, as N=1e10 or task=c4; comma-separated values; repeat for more.
    """

    law: Repeatable
    at: Repeatable
    noise: Repeatable = field(default_factory=list)
    drop: Repeatable = field(default_factory=list)


def multiverse(
    table: RunsTable,
    choices: Choices,
    *,
    store: Path | None = None,
    figure: FigureFile | None = None,
    fit_options: FitOptions = FitOptions(),
    output_options: OutputOptions = OutputOptions(),
) -> int:
    """Forecast under all combinations of choices, and show which choices move the forecast.

    Each --hold-out and each --drop is an alternative to fitting all runs.

    Parameters
    ----------
    store
        Folder in which each fit is saved when finished, so that an interrupted job can resume.
    figure
        File to save a figure in: the forecast at the first point.
    """
    from xarray import DataTree

    from bayeslaw._disk.files import write_figure

    runs = table.read()
    models = {name: fit_options.model(table.law(name), table) for name in choices.law}
    held_out = {item: _larger_than(runs, item) for item in fit_options.hold_out}
    dropped = {item: _named(runs, parse_texts(item)) for item in choices.drop}
    unfitted = bl.Fit(next(iter(models.values())), runs, DataTree())  # to parse points with
    with resumable(store):
        result = bl.multiverse(
            runs,
            laws=models,
            noises={name: _noise(name) for name in choices.noise} or None,
            hold_outs=_with_all_runs(held_out),
            drops=_with_all_runs(dropped),
            at=bl.grid(**parse_points(choices.at, unfitted)),
            store=store,
            sampler=fit_options.sampler(output_options.shows_progress),
        )
    if figure is not None:
        write_figure(bl.plot_multiverse(result), figure)
    answer = {
        "converged": bool(result.universes["passed"].all()),
        "sentences": list(result.sentences),
        "universes": result.universes.join(result.forecasts),
        "shares": result.shares,
    }
    return print_answer(answer, output_options.json)


def _noise(name: str) -> bl.Noise:
    from bayeslaw.model.noise import BUILT_IN

    if name not in BUILT_IN:
        known = ", ".join(BUILT_IN)
        raise ValueError(f"--noise {name}: there is no such noise; there are {known}")
    return BUILT_IN[name]


def _with_all_runs(choices: dict[str, Any]) -> dict[str, Any] | None:
    return {ALL_RUNS: None, **choices} if choices else None


def _larger_than(runs: xr.Dataset, item: str) -> Any:
    """Mask of the runs larger than NAME=SIZE."""
    later = bl.split_at(runs, **parse_sizes([item]))[1]
    return runs["run"].isin(later["run"]).values


def _named(runs: xr.Dataset, names: Sequence[str]) -> Any:
    """Mask of runs by their names."""
    run_names = [str(run) for run in runs["run"].values]
    for name in names:
        if name not in run_names:
            first = run_names[0]
            raise ValueError(f"--drop {name}: no run has that name; the first is {first}")
    return runs["run"].astype(str).isin(names).values
