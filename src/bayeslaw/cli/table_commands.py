"""`bayeslaw check`, `fit` and `compare`: commands on a table of runs."""

from __future__ import annotations

from pathlib import Path

import bayeslaw as bl
from bayeslaw.cli.console import print_answer
from bayeslaw.cli.options import FitOptions, OutputOptions, RunsTable, parse_sizes, resumable
from bayeslaw.cli.output_files import FigureFile, OutputFile

__all__ = ["check", "compare", "fit"]


def check(table: RunsTable, *, output_options: OutputOptions = OutputOptions()) -> int:
    """Check a table of runs before fitting."""
    from bayeslaw.data.curves import curves_in
    from bayeslaw.diagnostics.diagnose import describe_runs

    runs = table.read()
    count = f"{runs.sizes['run']} runs, {curves_in(runs).sizes['curve']} curve(s)"
    return print_answer({"sentences": [f"{count}.", *describe_runs(runs)]}, output_options.json)


def fit(
    table: RunsTable,
    *,
    law: str = "power",
    fit_options: FitOptions = FitOptions(),
    out: OutputFile = Path("fit.nc"),
    output_options: OutputOptions = OutputOptions(),
) -> int:
    """Fit a scaling law to a table of training runs.

    Parameters
    ----------
    law
        Name of the law.
    out
        File to save the fit in.
    """
    runs = table.read()
    train = (
        bl.split_at(runs, **parse_sizes(fit_options.hold_out))[0] if fit_options.hold_out else runs
    )
    try:
        model = fit_options.model(table.law(law), table)
        fitted = fit_options.fit(model, train, output_options.shows_progress)
    except bl.errors.Interrupted as interrupt:
        bl.save(interrupt.fit, out)
        draws = interrupt.fit.tree["posterior"].sizes["draw"]
        raise KeyboardInterrupt(
            f"the first {draws} draws of each chain are saved in {out}"
        ) from None
    bl.save(fitted, out)
    diagnosis = bl.diagnose(fitted)
    result = {
        "converged": diagnosis.gate.passed,
        "sentences": list(diagnosis.sentences),
        "parameters": bl.summary(fitted),
        "fit": str(out),
    }
    return print_answer(result, output_options.json)


def compare(
    table: RunsTable,
    *,
    laws: str = "power,pure_power,log_linear",
    store: Path | None = None,
    figure: FigureFile | None = None,
    fit_options: FitOptions = FitOptions(),
    output_options: OutputOptions = OutputOptions(),
) -> int:
    """Fit several laws and compare them, within the data and on held-out runs.

    Without --hold-out, runs marked in a column held_out are held out, if there is one.

    Parameters
    ----------
    laws
        Names of laws, separated by commas.
    store
        Folder in which each fit is saved when finished, so that an interrupted job can resume.
    figure
        File to save a figure in.
    """
    from bayeslaw._disk.files import write_figure
    from bayeslaw._progress import progress

    runs = table.read()
    train, later = runs, None
    if fit_options.hold_out:
        train, later = bl.split_at(runs, **parse_sizes(fit_options.hold_out))
    elif "held_out" in runs.coords:
        train, later = bl.split_held_out(runs)
    models = {name: fit_options.model(table.law(name), table) for name in laws.split(",")}
    with resumable(store):
        fits = {
            name: fit_options.fit(model, train, output_options.shows_progress, store)
            for name, model in models.items()
        }
    gates = {name: bl.diagnose(fitted).gate for name, fitted in fits.items()}
    with progress("Comparing", None, shown=output_options.shows_progress):
        comparison = bl.compare(fits, later)
    if figure is not None:
        write_figure(bl.plot_comparison(comparison), figure)
    result = {
        "converged": all(gate.passed for gate in gates.values()),
        "sentences": [f"{name}: {gate.sentence}" for name, gate in gates.items()],
        "comparison": comparison,
    }
    return print_answer(result, output_options.json)
