"""Curves: the distinct combinations of the groups' levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from bayeslaw.data.checks import names_in, require, shorten, warn
from bayeslaw.errors import RunsError

__all__ = ["curve_index", "curves_in", "warn_thin_groups"]


def curves_in(runs: xr.Dataset) -> xr.Dataset:
    """Distinct combinations of the groups, on dim curve in order of appearance."""
    names = names_in(runs, "groups")
    distinct = list(dict.fromkeys(_combinations(runs, names)))
    _check_distinct(names, distinct)
    columns = zip(names, zip(*distinct, strict=True), strict=True)
    coordinates = {name: ("curve", np.array(labels, dtype=str)) for name, labels in columns}
    return xr.Dataset(
        coords={"curve": [_curve_label(labels) for labels in distinct], **coordinates},
        attrs={"groups": names},
    )


def curve_index(runs: xr.Dataset, curves: xr.Dataset) -> np.ndarray:
    """Position of each run's curve among the curves, int (run,)."""
    names = names_in(curves, "groups")
    for name in names:
        require(name in runs.coords, f"the runs have no group {name!r}, but the curves do")
    position = {labels: index for index, labels in enumerate(_combinations(curves, names))}
    requested = _combinations(runs, names)
    unknown = list(dict.fromkeys(labels for labels in requested if labels not in position))
    if unknown:
        known = shorten([_curve_label(labels) for labels in position])
        raise RunsError(f"unknown curve {_curve_label(unknown[0])!r}; the curves are: {known}")
    return np.array([position[labels] for labels in requested], dtype=int)


def warn_thin_groups(runs: xr.Dataset, groups: Sequence[str], n_parameters: int) -> None:
    """Warn of curves with fewer distinct sizes than a law has parameters."""
    predictors = names_in(runs, "predictors")
    sizes: dict[tuple[str, ...], set[tuple[float, ...]]] = {}
    settings = zip(*(runs[name].values.tolist() for name in predictors), strict=True)
    for labels, setting in zip(_combinations(runs, groups), settings, strict=True):
        sizes.setdefault(labels, set()).add(setting)
    thin = [
        f"{_curve_label(labels)} has {len(distinct)}"
        for labels, distinct in sizes.items()
        if len(distinct) < n_parameters
    ]
    if thin:
        warn(
            f"{len(thin)} of {len(sizes)} curves have fewer distinct values of "
            f"{' and '.join(predictors)} than the law has parameters ({n_parameters}): "
            f"{shorten(thin)}; pooling may still carry them"
        )


def _combinations(runs: xr.Dataset, groups: Sequence[str]) -> list[tuple[str, ...]]:
    if not groups:
        return [()] * next(iter(runs.sizes.values()))
    return list(zip(*(runs[name].values.tolist() for name in groups), strict=True))


def _curve_label(labels: Sequence[str]) -> str:
    return " / ".join(labels) or "all"


def _check_distinct(names: Sequence[str], combinations: Sequence[tuple[str, ...]]) -> None:
    labels_of: dict[str, tuple[str, ...]] = {}
    for labels in combinations:
        text = _curve_label(labels)
        if text in labels_of:
            both = " and ".join(_spell_out(names, each) for each in (labels_of[text], labels))
            raise RunsError(f"two curves are called {text!r}: {both}; rename a label")
        labels_of[text] = labels


def _spell_out(names: Sequence[str], labels: Sequence[str]) -> str:
    return ", ".join(f"{name} {label!r}" for name, label in zip(names, labels, strict=True))
