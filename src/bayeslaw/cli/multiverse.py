"""The command that asks what a forecast owes to choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import Parameter

import bayeslaw as bl
from bayeslaw.cli.console import answer
from bayeslaw.cli.options import Fitting, Many, Say, Table, places, resumable, sizes

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["multiverse"]

EVERY_RUN = "none"  # the alternative that leaves no run out


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Choices:
    """What could have been chosen otherwise, and where that is looked at.

    Parameters
    ----------
    law
        Name of a law; repeat for more.
    noise
        Kind of noise: gaussian, student-t, undertuned, or raw-gaussian, which is normal on the
        response itself; repeat for more.
    drop
        Runs that may be faulty, by their --run-id or row number, with commas; repeat for more.
    at
        Where to forecast, as N=1e10 or task=c4; several values with commas; repeat for more.
    """

    law: Many
    at: Many
    noise: Many = field(default_factory=list)
    drop: Many = field(default_factory=list)


def multiverse(
    table: Table,
    choices: Choices,
    *,
    store: Path | None = None,
    fitting: Fitting = Fitting(),
    say: Say = Say(),
) -> int:
    """Forecast under all combinations of choices, and say which choice moves the forecast.

    Each --hold-out and each --drop is an alternative to fitting all runs.

    Parameters
    ----------
    store
        Folder that keeps each fit as it is done, so that an interrupted job goes on.
    """
    from xarray import DataTree

    runs = table.read()
    models = {name: fitting.model(table.law(name), table) for name in choices.law}
    held_out = {item: _beyond(runs, item) for item in fitting.hold_out}
    dropped = {item: _named(runs, item.split(",")) for item in choices.drop}
    unfitted = bl.Fit(next(iter(models.values())), runs, DataTree())  # to read sizes by
    with resumable(store):
        found = bl.multiverse(
            runs,
            laws=models,
            noises={name: _noise(name) for name in choices.noise} or None,
            hold_outs=_beside_every_run(held_out),
            drops=_beside_every_run(dropped),
            at=bl.grid(**places(choices.at, unfitted)),
            random_seed=fitting.seed,
            draws=fitting.draws,
            tune=fitting.tune,
            chains=fitting.chains,
            progressbar=say.talks,
            store=store,
        )
    told = {
        "converged": bool(found.universes["passed"].all()),
        "sentences": list(found.sentences),
        "universes": found.universes.join(found.forecasts),
        "shares": found.shares,
    }
    return answer(told, say.json)


def _noise(name: str) -> Any:
    kinds = {
        "gaussian": bl.Gaussian(),
        "student-t": bl.StudentT(),
        "undertuned": bl.Undertuned(),
        "raw-gaussian": bl.Gaussian(bl.response_scales.RawScale()),
    }
    if name not in kinds:
        raise ValueError(f"--noise {name}: there is no such noise; there are {', '.join(kinds)}")
    return kinds[name]


def _beside_every_run(choices: dict[str, Any]) -> dict[str, Any] | None:
    return {EVERY_RUN: None, **choices} if choices else None


def _beyond(runs: xr.Dataset, item: str) -> Any:
    """A mask of the runs that are larger than a size."""
    later = bl.split_at(runs, **sizes([item]))[1]
    return runs["run"].isin(later["run"]).values


def _named(runs: xr.Dataset, names: Sequence[str]) -> Any:
    """A mask of runs by their names."""
    known = [str(run) for run in runs["run"].values]
    for name in names:
        if name not in known:
            raise ValueError(f"--drop {name}: no run has that name; the first is {known[0]}")
    return runs["run"].astype(str).isin(names).values
