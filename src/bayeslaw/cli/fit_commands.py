"""Commands that ask a saved fit."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bayeslaw as bl
from bayeslaw.cli.console import answer
from bayeslaw.cli.options import Saved, Say, Table, numbers, places

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["diagnose", "forecast", "plan", "requirement"]


def diagnose(fit: Path, *, prob: float = 0.9, say: Say = Say()) -> int:
    """Judge a saved fit: did it converge, which runs weigh most, what did the data decide.

    Parameters
    ----------
    fit
        File of the fit.
    prob
        Probability inside the intervals of the parameters.
    """
    kept = bl.load(fit)
    diagnosis = bl.diagnose(kept)
    told = {
        "converged": diagnosis.gate.passed,
        "sentences": list(diagnosis.sentences),
        "learned": diagnosis.learned,
        "parameters": bl.summary(kept, prob=prob),
    }
    return answer(told, say.json)


def forecast(
    saved: Saved,
    later: Table | None = None,
    *,
    figure: Path | None = None,
    rivals: bool = False,
    say: Say = Say(),
) -> int:
    """Forecast the curve and a new run from a saved fit, at given sizes or for a table of runs.

    Parameters
    ----------
    figure
        File for a figure.
    rivals
        Also fit other laws by least squares, to tell where the law alone decides; takes seconds
        for each curve.
    """
    from bayeslaw._progress import progress

    kept = bl.load(saved.fit)
    where = _where(saved, later, kept)
    drawn = bl.forecast(kept, where, draw_new=saved.draw_new)
    if figure is not None:
        bl.plot_forecast(drawn, kept.runs).savefig(figure)
    bands = _bands(drawn, where, saved.prob)
    with progress("Fitting other laws", None, shown=rivals and say.talks):
        decides = bl.forecast_drivers(kept, drawn, None if rivals else {})
    bands["decided by"] = decides["verdict"].str.removesuffix("-driven").values
    told = {**_verdict(drawn), "forecast": bands, "what decides": decides["sentence"].tolist()}
    return answer(told, say.json)


def plan(saved: Saved, *, budget: str, say: Say = Say()) -> int:
    """Give the compute-optimal sizes for budgets, from a saved fit of a law of N and D.

    Answers for all curves, or for those that --at names.

    Parameters
    ----------
    budget
        FLOPs to train with, 6 N D; several with commas.
    """
    kept = bl.load(saved.fit)
    found = bl.plan(
        kept,
        numbers("--budget", budget),
        at=places(saved.at, kept),
        draw_new=saved.draw_new,
    )
    return answer(_told("plan", found, saved.prob), say.json)


def requirement(
    saved: Saved,
    *,
    target: str,
    along: str | None = None,
    largest: float = float("inf"),
    say: Say = Say(),
) -> int:
    """Give the size or the budget at which the curve reaches a target, from a saved fit.

    Answers for all curves, or for those that --at names; --at also holds predictors, as D=1e12.

    Parameters
    ----------
    target
        Response to reach; several with commas.
    along
        Predictor that grows; or training_flops, the budget at compute-optimal sizes. By default
        the predictor that is not held.
    largest
        Largest size or budget that could be had.
    """
    kept = bl.load(saved.fit)
    found = bl.requirement(
        kept,
        numbers("--target", target),
        along=bl.training_flops if along == bl.training_flops.__name__ else along,
        at=places(saved.at, kept),
        largest=largest,
        draw_new=saved.draw_new,
    )
    return answer(_told("requirement", found, saved.prob), say.json)


def _where(saved: Saved, later: Table | None, fit: bl.Fit) -> xr.Dataset:
    """What to forecast: the runs of a table, or a grid."""
    if (later is None) == (not saved.at):
        found = "both are" if saved.at else "neither is"
        raise ValueError(
            f"forecast takes sizes or a table of runs, and {found} given; write --at N=1e10, or "
            "TABLE --predictor N=COLUMN"
        )
    if later is None:
        return bl.grid(**places(saved.at, fit))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "group .* has one level")  # these runs pool nothing
        return later.read()


def _verdict(drawn: xr.Dataset) -> dict[str, Any]:
    caveats = drawn.attrs["caveats"]
    return {"converged": not any(each.startswith("NOT") for each in caveats), "caveats": caveats}


def _bands(drawn: xr.Dataset, where: xr.Dataset, prob: float) -> pd.DataFrame:
    """A row for each run: where, what was observed if it was, and the bands."""
    from bayeslaw.data.runs import has_response, response_values

    bands = bl.interval(drawn, prob)
    labels = [name for name in drawn.coords if name not in ("run", "chain", "draw")]
    frame = drawn.coords.to_dataset()[labels].to_dataframe().filter(items=labels)
    if has_response(where):
        frame[response_values(where).name] = response_values(where).values
    for what in ("mean", "new_run"):
        for bound in bands["bound"].values:
            frame[f"{what}_{bound}"] = bands[what].sel(bound=bound).values
    return frame.reset_index(drop=True)


def _told(name: str, drawn: xr.Dataset, prob: float) -> dict[str, Any]:
    """Bands of what was drawn, and the probabilities beside it."""
    [asked] = set(drawn.dims) - {"chain", "draw", "curve"}
    plain = drawn.drop_vars("curve")  # its groups say it
    bands = bl.interval(plain, prob).to_array("quantity").to_dataset("bound")
    shares = plain[[each for each in plain if "draw" not in plain[each].dims]]
    return {
        **_verdict(drawn),
        name: _rows(bands, "curve", asked, "quantity"),
        "probability": _rows(shares, "curve", asked),
    }


def _rows(values: xr.Dataset, *dims: Any) -> pd.DataFrame:
    """A row for each place, what it is first."""
    frame = values.to_dataframe(list(dims)).reset_index().drop(columns="curve")
    return frame.filter(items=sorted(frame, key=lambda column: column in values.data_vars))
