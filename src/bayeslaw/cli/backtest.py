"""The command that fits laws up to several sizes and judges them beyond."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bayeslaw as bl
from bayeslaw.cli.console import answer
from bayeslaw.cli.options import Fitting, Say, Table, numbers, resumable, sizes

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["backtest"]


def backtest(
    table: Table,
    *,
    laws: str = "power,pure_power,log_linear",
    along: str | None = None,
    origins: str | None = None,
    horizons: str = "2,5,10",
    store: Path | None = None,
    fitting: Fitting = Fitting(),
    say: Say = Say(),
) -> int:
    """Fit several laws up to each of several sizes, and judge them on the runs beyond it.

    Runs that --hold-out names are neither fitted nor judges.

    Parameters
    ----------
    laws
        Names of laws, with commas.
    along
        Predictor that grows, or C, the training compute 6 N D. By default the first predictor.
    origins
        Sizes to fit up to, with commas. By default up to three that leave enough to fit.
    horizons
        Multiples of the origin up to which runs are judged together, with commas.
    store
        Folder that keeps each fit as it is done, so that an interrupted job goes on.
    """
    from bayeslaw.comparison.backtest import backtest, backtest_table
    from bayeslaw.data.runs import predictor_names

    runs = table.read()
    if fitting.hold_out:
        runs = bl.split_at(runs, **sizes(fitting.hold_out))[0]
    with resumable(store):
        scores = backtest(
            {name: fitting.model(table.law(name), table) for name in laws.split(",")},
            runs,
            along=along or predictor_names(runs)[0],
            origins=None if origins is None else numbers("--origins", origins),
            horizons=numbers("--horizons", horizons),
            random_seed=fitting.seed,
            draws=fitting.draws,
            tune=fitting.tune,
            chains=fitting.chains,
            progressbar=say.talks,
            store=store,
        )
    told = {
        "converged": scores.attrs["failed"] == 0,
        "sentences": _sentences(scores),
        "backtest": backtest_table(scores),
    }
    return answer(told, say.json)


def _sentences(scores: xr.Dataset) -> list[str]:
    told = scores.attrs
    where = ", ".join(
        f"{origin:.3g}" + (f" (curves left out: {left_out})" if left_out else "")
        for origin, left_out in zip(told["origins"], told["left_out"], strict=True)
    )
    failed = f"NOT CONVERGED: {told['failed']} of {told['refits']} fits."
    return [
        *([failed] if told["failed"] else []),
        f"Fits: {told['refits']}, of runs up to {told['along']} = {where}.",
    ]
