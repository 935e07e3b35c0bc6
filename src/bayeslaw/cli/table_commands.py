"""Commands that read a table of runs."""

from __future__ import annotations

from pathlib import Path

import bayeslaw as bl
from bayeslaw.cli.console import answer
from bayeslaw.cli.options import Fitting, Say, Table, resumable, sizes

__all__ = ["check", "compare", "fit"]


def check(table: Table, *, say: Say = Say()) -> int:
    """Report on a table of runs before anything is fitted."""
    from bayeslaw.data.curves import curves_in
    from bayeslaw.diagnostics.diagnose import describe_runs

    runs = table.read()
    count = f"{runs.sizes['run']} runs, {curves_in(runs).sizes['curve']} curve(s)"
    return answer({"sentences": [f"{count}.", *describe_runs(runs)]}, say.json)


def fit(
    table: Table,
    *,
    law: str = "power",
    fitting: Fitting = Fitting(),
    out: Path = Path("fit.nc"),
    say: Say = Say(),
) -> int:
    """Fit a scaling law to a table of training runs.

    Parameters
    ----------
    law
        Name of the law.
    out
        File for the fit.
    """
    if not out.resolve().parent.is_dir():
        raise ValueError(f"--out {out}: there is no folder {out.parent}")
    runs = table.read()
    train = bl.split_at(runs, **sizes(fitting.hold_out))[0] if fitting.hold_out else runs
    try:
        found = fitting.fit(fitting.model(table.law(law), table), train, say)
    except bl.errors.Interrupted as stopped:
        bl.save(stopped.fit, out)
        draws = stopped.fit.tree["posterior"].sizes["draw"]
        raise KeyboardInterrupt(f"the {draws} draws of each chain so far are in {out}") from None
    bl.save(found, out)
    diagnosis = bl.diagnose(found)
    told = {
        "converged": diagnosis.gate.passed,
        "sentences": list(diagnosis.sentences),
        "parameters": bl.summary(found),
        "fit": str(out),
    }
    return answer(told, say.json)


def compare(
    table: Table,
    *,
    laws: str = "power,pure_power,log_linear",
    store: Path | None = None,
    fitting: Fitting = Fitting(),
    say: Say = Say(),
) -> int:
    """Fit several laws and compare them, in their range and at held-out sizes.

    Runs that are held out judge the laws; without --hold-out these are the runs that a column
    held_out marks, if there is one.

    Parameters
    ----------
    laws
        Names of laws, with commas.
    store
        Folder that keeps each fit as it is done, so that an interrupted job goes on.
    """
    from bayeslaw._progress import progress

    runs = table.read()
    train, later = runs, None
    if fitting.hold_out:
        train, later = bl.split_at(runs, **sizes(fitting.hold_out))
    elif "held_out" in runs.coords:
        train, later = bl.split_held_out(runs)
    models = {name: fitting.model(table.law(name), table) for name in laws.split(",")}
    with resumable(store):
        fits = {name: fitting.fit(model, train, say, store) for name, model in models.items()}
    gates = {name: bl.diagnose(found).gate for name, found in fits.items()}
    with progress("Comparing", None, shown=say.talks):
        comparison = bl.compare(fits, later)
    told = {
        "converged": all(gate.passed for gate in gates.values()),
        "sentences": [f"{name}: {gate.sentence}" for name, gate in gates.items()],
        "comparison": comparison,
    }
    return answer(told, say.json)
