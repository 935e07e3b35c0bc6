"""`bayeslaw diagnose`, `forecast`, `plan` and `requirement`: commands on a saved fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bayeslaw as bl
from bayeslaw.cli.console import cell, print_answer
from bayeslaw.cli.options import (
    OutputOptions,
    Positive,
    Probability,
    RunsTable,
    SavedFit,
    parse_numbers,
    parse_points,
    read_quietly,
)
from bayeslaw.cli.output_files import FigureFile, OutputFile

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["diagnose", "forecast", "plan", "requirement"]

MANY = 1000  # points of a file whose draws are made at once, and which are printed
BLOCK = 10_000  # points of a file that are read and written at once


def diagnose(
    fit: Path, *, prob: Probability = 0.9, output_options: OutputOptions = OutputOptions()
) -> int:
    """Diagnose a saved fit: convergence, influential runs, and what the data determined.

    Parameters
    ----------
    fit
        File of a saved fit.
    prob
        Probability of the parameters' intervals.
    """
    loaded = bl.load(fit)
    diagnosis = bl.diagnose(loaded)
    result = {
        "converged": diagnosis.gate.passed,
        "sentences": list(diagnosis.sentences),
        "learned": diagnosis.learned,
        "parameters": bl.summary(loaded, prob=prob),
    }
    return print_answer(result, output_options.json)


def forecast(
    saved: SavedFit,
    later: RunsTable | None = None,
    *,
    figure: FigureFile | None = None,
    rivals: bool = False,
    out: OutputFile | None = None,
    output_options: OutputOptions = OutputOptions(),
) -> int:
    """Forecast the curve and a new run from a saved fit, at given sizes or for a table of runs.

    The sizes may be a file: --at points.csv, with a column for each predictor and group.

    Parameters
    ----------
    figure
        File to save a figure in.
    rivals
        Also fit other laws by least squares, to see where the forecast depends on the choice of
        law; takes seconds per curve.
    out
        CSV file to write the bands to instead of printing them, for any number of points. What
        decides them is not examined.
    """
    from bayeslaw._disk.files import write_figure
    from bayeslaw._progress import progress

    fit = bl.load(saved.fit)
    if out is not None:
        _require_bands_alone(figure, rivals)
        return _write_bands(out, saved, later, fit, output_options)
    points = _points(saved, later, fit)
    draws = bl.forecast(fit, points, draw_new=saved.draw_new)
    if figure is not None:
        write_figure(bl.plot_forecast(draws, fit.runs), figure)
    bands = _band_table(bl.interval(draws, saved.prob), points)
    with progress("Fitting other laws", None, shown=rivals and output_options.shows_progress):
        drivers = bl.forecast_drivers(fit, draws, None if rivals else {})
    bands["decided by"] = drivers["verdict"].str.removesuffix("-driven").values
    sentences = _named(drivers["sentence"].tolist(), _labels(draws))
    result = {**_convergence(draws.attrs["caveats"]), "forecast": bands, "what decides": sentences}
    return print_answer(result, output_options.json)


def plan(saved: SavedFit, *, budget: str, output_options: OutputOptions = OutputOptions()) -> int:
    """Compute-optimal sizes for training budgets, from a saved fit of a law of N and D.

    For all curves, or for those selected with --at.

    Parameters
    ----------
    budget
        Training compute 6 N D in FLOPs; several separated by commas.
    """
    fit = bl.load(saved.fit)
    draws = bl.plan(
        fit,
        parse_numbers("--budget", budget),
        at=parse_points(saved.at, fit),
        draw_new=saved.draw_new,
    )
    return print_answer(_draws_tables("plan", draws, saved.prob), output_options.json)


def requirement(
    saved: SavedFit,
    *,
    target: str,
    along: str | None = None,
    largest: Positive | None = None,
    output_options: OutputOptions = OutputOptions(),
) -> int:
    """Size or budget needed to reach a target response, from a saved fit.

    For all curves, or for those selected with --at, which also fixes predictors, as D=1e12.

    Parameters
    ----------
    target
        Response to reach; several separated by commas.
    along
        Predictor to increase; or training_flops, the budget at compute-optimal sizes. By default
        the predictor that is not fixed.
    largest
        Largest size or budget available; by default there is no limit.
    """
    fit = bl.load(saved.fit)
    draws = bl.requirement(
        fit,
        parse_numbers("--target", target),
        along=bl.training_flops if along == bl.training_flops.__name__ else along,
        at=parse_points(saved.at, fit),
        largest=largest,
        draw_new=saved.draw_new,
    )
    return print_answer(_draws_tables("requirement", draws, saved.prob), output_options.json)


def _points(saved: SavedFit, later: RunsTable | None, fit: bl.Fit) -> xr.Dataset:
    """Points to forecast with all draws: the runs of a table, a grid, or a file of few points."""
    points = next(_point_blocks(saved, later, fit, MANY + 1))
    if saved.at_file and points.sizes["run"] > MANY:
        raise ValueError(
            f"{str(saved.at_file)!r} has more than {MANY} points: write their bands to a file, "
            "--out bands.csv"
        )
    return points


def _point_blocks(
    saved: SavedFit, later: RunsTable | None, fit: bl.Fit, size: int
) -> Iterator[xr.Dataset]:
    """Points to forecast; those of a file so many at a time, the others at once."""
    from bayeslaw.data.runs import group_names, predictor_names
    from bayeslaw.data.table import read_points

    if (later is None) == (not saved.at):
        given = "both are" if saved.at else "neither is"
        raise ValueError(
            f"forecast takes sizes or a table of runs, and {given} given; write --at N=1e10, "
            "--at points.csv, or TABLE --predictor N=COLUMN"
        )
    if later is not None:
        yield read_quietly(later)
    elif saved.at_file:
        names = predictor_names(fit.runs), group_names(fit.runs)
        yield from read_points(saved.at_file, *names, size)
    else:
        yield bl.grid(**parse_points(saved.at, fit))


def _require_bands_alone(figure: Path | None, rivals: bool) -> None:
    for option, is_given in (("--figure", figure is not None), ("--rivals", rivals)):
        if is_given:
            raise ValueError(f"{option} needs all draws, which --out does not make: leave one out")


def _write_bands(
    out: Path, saved: SavedFit, later: RunsTable | None, fit: bl.Fit, options: OutputOptions
) -> int:
    """Write the bands at all points, block by block."""
    from bayeslaw._disk.files import require_writable, write_parts
    from bayeslaw._progress import progress
    from bayeslaw.forecasting.caveats import fit_caveats

    require_writable(out, [saved.at_file] if saved.at_file else [])
    count = 0

    def parts(update: Callable[..., None]) -> Iterator[bytes]:
        nonlocal count
        for points in _point_blocks(saved, later, fit, BLOCK):
            bands = bl.forecast_bands(fit, points, prob=saved.prob, draw_new=saved.draw_new)
            yield _band_table(bands, points).to_csv(index=False, header=count == 0).encode()
            count += points.sizes["run"]
            update(count)

    with progress("Forecasting", None, shown=options.shows_progress) as update:
        write_parts(out, parts(update))
    result = {**_convergence(fit_caveats(fit)), "points": count, "bands": str(out)}
    return print_answer(result, options.json)


def _convergence(caveats: list[str]) -> dict[str, Any]:
    failed = any(caveat.startswith("NOT") for caveat in caveats)
    return {"converged": not failed, "caveats": caveats}


def _band_table(bands: xr.Dataset, points: xr.Dataset) -> pd.DataFrame:
    """One row per point: groups and predictors, the observed response if any, and the bands."""
    from bayeslaw.data.runs import has_response, response_values

    frame = _labels(bands)
    if has_response(points):
        frame[response_values(points).name] = response_values(points).values
    for quantity in ("mean", "new_run"):
        for bound in bands["bound"].values:
            frame[f"{quantity}_{bound}"] = bands[quantity].sel(bound=bound).values
    return frame.reset_index(drop=True)


def _labels(draws: xr.Dataset) -> pd.DataFrame:
    """Groups and predictors of each point."""
    labels = [n for n, values in draws.coords.items() if values.dims == ("run",) and n != "run"]
    return draws.coords.to_dataset()[labels].to_dataframe().filter(items=labels)


def _named(sentences: list[str], labels: pd.DataFrame) -> list[str]:
    """Sentences that begin with what sets their point apart; a sentence of all points is one."""
    if len(set(sentences)) == 1:
        return sentences[:1]
    points = labels.loc[:, labels.nunique() > 1].to_dict("records")
    names = [", ".join(f"{name}={cell(value)}" for name, value in each.items()) for each in points]
    return [f"{name}: {sentence}" for name, sentence in zip(names, sentences, strict=True)]


def _draws_tables(name: str, draws: xr.Dataset, prob: float) -> dict[str, Any]:
    """Bands of the variables with draws, and the probabilities, which have none."""
    [dim] = set(draws.dims) - {"chain", "draw", "curve"}  # budget or target
    unlabelled = draws.drop_vars("curve")  # its groups identify it
    bands = bl.interval(unlabelled, prob).to_array("quantity").to_dataset("bound")
    without_draws = [each for each in unlabelled if "draw" not in unlabelled[each].dims]
    return {
        **_convergence(draws.attrs["caveats"]),
        name: _rows(bands, "curve", dim, "quantity"),
        "probability": _rows(unlabelled[without_draws], "curve", dim),
    }


def _rows(values: xr.Dataset, *dims: Any) -> pd.DataFrame:
    """One row per prediction point, labels first."""
    frame = values.to_dataframe(list(dims)).reset_index().drop(columns="curve")
    return frame.filter(items=sorted(frame, key=lambda column: column in values.data_vars))
