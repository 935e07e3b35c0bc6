"""The models of this package as predictors of the benchmark: one fit for each domain."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate
from bayeslaw.forecasting.forecast import log_density
from benchmarks.extrapolation.data import Curve, Prediction

SIZE = "D"


@dataclass(frozen=True)
class Recipe:
    """How the curves of a domain are fitted.

    Parameters
    ----------
    law : Law
        In one predictor.
    discrepancy : Brownian or None
        Discrepancy of the law.
    is_pooled : bool
        Whether curves and the groups of the domain are pooled; otherwise each curve is fitted
        by itself.
    """

    law: bl.Law
    discrepancy: bl.Brownian | None = bl.Brownian()  # noqa: RUF009
    is_pooled: bool = True

    def model(self, groups: Sequence[str]) -> bl.Model:
        """The model for curves of these groups."""
        pooling = list(groups) if self.is_pooled else None
        return bl.Model(self.law.of(SIZE), pooling=pooling, discrepancy=self.discrepancy)


@dataclass(frozen=True)
class Sampling:
    """Length of sampling, and the folder of saved fits."""

    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    seed: int = 1
    folder: Path | None = None


def runs_of(
    curves: Sequence[Curve],
    part: str,
    groups: Sequence[str],
    reference: Mapping[str, float] | None = None,
) -> xr.Dataset:
    """The training or test rows of curves ("train", "test") as runs; copies of test rows stay."""
    frames = []
    for curve in curves:
        x, y = getattr(curve, f"x_{part}"), getattr(curve, f"y_{part}")
        frame = pd.DataFrame({SIZE: x, "loss": y, "curve_name": curve.name, **curve.groups})
        error = getattr(curve, f"stderr_{part}")
        frames.append(frame if error is None else frame.assign(error=error))
    rows = pd.concat(frames, ignore_index=True)
    with warnings.catch_warnings():
        # One curve has one level of each group, and copies are dropped knowingly.
        warnings.simplefilter("ignore", bl.errors.RunsWarning)
        return bl.read_runs(
            rows,
            predictors=[SIZE],
            groups=list(groups),
            reference=reference,
            stderr="error" if "error" in rows else None,
            duplicates="drop" if part == "train" else "keep",  # LM has each row four times
        )


def groups_of(curves: Sequence[Curve]) -> list[str]:
    """The groups that name a curve: those of the domain, and its own name if they do not."""
    groups = list(curves[0].groups)
    levels = {tuple(curve.groups.values()) for curve in curves}
    return groups if groups and len(levels) == len(curves) else [*groups, "curve_name"]


def fitted(name: str, curves: Sequence[Curve], recipe: Recipe, how: Sampling) -> bl.Fit:
    """Fit the training rows of all curves at once, or load a saved fit."""
    path = how.folder / f"{name}.nc" if how.folder else None
    if path and path.exists():
        return bl.load(path)
    runs = runs_of(curves, "train", groups_of(curves))
    fit = bl.fit(
        recipe.model(list(curves[0].groups)),
        runs,
        sampler=bl.Sampler(
            random_seed=how.seed,
            draws=how.draws,
            tune=how.tune,
            chains=how.chains,
            progressbar=False,
        ),
    )
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        bl.save(fit, path)
    return fit


def predict(
    name: str, curves: Sequence[Curve], recipe: Recipe, how: Sampling, *, learn_noise: bool = False
) -> list[Prediction]:
    """Forecast the test rows of curves that are fitted together.

    Parameters
    ----------
    name : str
        Name of the fit, for its file.
    curves : sequence of Curve
        Of one domain.
    recipe : Recipe
        How they are fitted.
    how : Sampling
        How long.
    learn_noise : bool
        Whether the noise of a test row is learned from the test rows of the other curves, instead
        of from the training rows of its own.

    Returns
    -------
    list of Prediction
    """
    started, groups = time.perf_counter(), groups_of(curves)
    if recipe.is_pooled:
        fits = [fitted(name, curves, recipe, how)] * len(curves)
        seconds = [_seconds(fits[0]) / len(curves)] * len(curves)
    else:
        fits = alone(name, curves, recipe, how)
        seconds = [_seconds(fit) for fit in fits]
    spent = (time.perf_counter() - started) / len(curves)
    noises = [_noise(curves, curve, groups) if learn_noise else None for curve in curves]
    return [
        prediction(fit, curve, groups, max(each, spent), noise)
        for fit, curve, each, noise in zip(fits, curves, seconds, noises, strict=True)
    ]


def _seconds(fit: bl.Fit) -> float:
    return float(json.loads(fit.tree.attrs["sampler"])["seconds"])


def alone(name: str, curves: Sequence[Curve], recipe: Recipe, how: Sampling) -> list[bl.Fit]:
    """Fit the training rows of each curve by itself; saved fits are loaded."""
    groups = groups_of(curves)
    return bl.refit(
        recipe.model(groups),
        [runs_of([curve], "train", groups) for curve in curves],
        store=how.folder / f"{name}.zarr" if how.folder else None,
        sampler=bl.Sampler(
            random_seed=how.seed,
            draws=how.draws,
            tune=how.tune,
            chains=how.chains,
            importance=True,
            progressbar=False,
        ),
    )


def _noise(curves: Sequence[Curve], left_out: Curve, groups: Sequence[str]) -> bl.LogNormal:
    others = [curve for curve in curves if curve is not left_out]
    return bl.observation_noise(runs_of(others, "test", groups))


def prediction(
    fit: bl.Fit,
    curve: Curve,
    groups: Sequence[str],
    seconds: float,
    noise: bl.LogNormal | None = None,
) -> Prediction:
    """Forecast the test rows of a curve.

    Parameters
    ----------
    fit : Fit
        That knows the curve.
    curve : Curve
        The curve.
    groups : sequence of str
        As of `groups_of`.
    seconds : float
        That fitting it took.
    noise : LogNormal, optional
        Noise of test rows; that of the training rows unless given.

    Returns
    -------
    Prediction
    """
    runs = runs_of([curve], "test", groups)
    drawn = bl.forecast(fit, runs, noise=noise)
    flat = {name: drawn[name].values.reshape(-1, runs.sizes["run"]) for name in ("mean", "new_run")}
    density = log_density(drawn, runs["loss"].values).reshape(flat["mean"].shape)
    top = density.max(axis=0)
    return Prediction(
        median=np.median(flat["mean"], axis=0),
        new_run=flat["new_run"],
        log_density=top + np.log(np.mean(np.exp(density - top), axis=0)),
        curve=flat["mean"],
        seconds=seconds,
        gate=Gate.of(fit.tree).passed,
        converged=True,
    )
