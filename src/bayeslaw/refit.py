"""Many fits of one structure with one compilation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import xarray as xr

from bayeslaw.build import build
from bayeslaw.engine import compile_engine
from bayeslaw.fit import Fit, Sampler, sample
from bayeslaw.model import Model

__all__ = ["refit"]


def refit(
    model: Model,
    many_runs: Sequence[xr.Dataset],
    *,
    random_seed: int,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    target_accept: float | None = None,
    progressbar: bool = True,
) -> list[Fit]:
    """Fit one model to many sets of runs, compiled once.

    The sets may differ in their numbers of runs and curves, not in the predictors or in the
    groups that can be pooled.

    Parameters
    ----------
    model : Model
        What to fit.
    many_runs : sequence of xarray.Dataset
        Training runs of each fit.
    random_seed : int
        Seed of the first fit; the next ones take the numbers after it.
    draws, tune, chains, cores, target_accept, progressbar
        As for `bayeslaw.fit`.

    Returns
    -------
    list of Fit
        In the order of the runs; those that did not converge are there too, and say so.

    Raises
    ------
    ValueError
        If a set of runs has another structure than the first.

    Examples
    --------
    >>> fits = bl.refit(model, [first, second], random_seed=1)  # doctest: +SKIP
    """
    if not many_runs:
        return []
    models = [build(model, runs) for runs in many_runs]
    engine = compile_engine(models[0])
    engines = [engine.on(built) for built in models]  # another structure is told before sampling
    how = Sampler(random_seed, draws, tune, chains, cores, target_accept, progressbar)
    return [
        sample(model, runs, built, ready, replace(how, random_seed=random_seed + i))
        for i, (runs, built, ready) in enumerate(zip(many_runs, models, engines, strict=True))
    ]
