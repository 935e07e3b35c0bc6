"""Universes of a multiverse analysis: every combination of modelling and data choices."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._inference.hierarchy import groupings
from bayeslaw._inference.run_arrays import run_arrays_of
from bayeslaw._law.law import Law
from bayeslaw._sampling.gate import Gate
from bayeslaw.data.runs import group_names, predictor_names
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.curve_lookup import require_columns, taken_by
from bayeslaw.model.model import Model
from bayeslaw.model.noise_kind import Noise

__all__ = ["Choices", "Conversion", "RunSelection", "Universe", "universes_of"]

SELECTIONS = ("drop", "hold_out")  # choices of runs that are not fitted

type Choices = Mapping[str, Mapping[str, Any]]  # alternatives by name, of each choice
type Conversion = Callable[[xr.Dataset], xr.Dataset]
type RunSelection = Conversion | np.ndarray | xr.DataArray | None


@dataclass(frozen=True)
class Universe:
    """One combination of choices by name: model, data and prediction points; its fit or fault."""

    names: Mapping[str, str]
    model: Model | None = None
    runs: xr.Dataset | None = None
    at: xr.Dataset | None = None
    fault: str = ""
    fit: Fit | None = None

    @property
    def passed(self) -> bool:
        """Whether it was fitted and passed its gate."""
        return self.fit is not None and Gate.of(self.fit.tree).passed


def universes_of(choices: Choices, runs: xr.Dataset, at: xr.Dataset) -> list[Universe]:
    """All combinations of the alternatives of each choice, before they are fitted."""
    _require_alternatives(choices)
    _require_masks(choices, runs)
    universes = [_universe(names, choices, runs, at) for names in _combinations(choices)]
    for convention in {each.names.get("convention") for each in universes}:
        _require_taken([u for u in universes if u.names.get("convention") == convention])
    return universes


def _require_taken(universes: Sequence[Universe]) -> None:
    """Raise if there is a predictor in the grid that no law takes."""
    valid = [
        (Fit(u.model, u.runs, xr.DataTree()), u.at)
        for u in universes
        if u.model and u.runs is not None
    ]
    if valid and valid[0][1] is not None:
        require_columns([fit for fit, _ in valid], valid[0][1])


def _require_alternatives(choices: Choices) -> None:
    for name, alternatives in choices.items():
        if not alternatives:
            raise ValueError(f"there is nothing to choose from: {name}s are empty")


def _require_masks(choices: Choices, runs: xr.Dataset) -> None:
    masks = [choices.get(choice, {}) for choice in SELECTIONS]
    for name, mask in itertools.chain(*(each.items() for each in masks)):
        if mask is not None and not callable(mask):
            array = np.asarray(mask)
            if array.dtype != bool or array.shape != (runs.sizes["run"],):
                raise ValueError(
                    f"the mask {name!r} must be true or false for each of the "
                    f"{runs.sizes['run']} runs, got {array.dtype} of shape {array.shape}"
                )


def _combinations(choices: Choices) -> Iterator[dict[str, str]]:
    for names in itertools.product(*choices.values()):
        yield dict(zip(choices, names, strict=True))


def _universe(
    names: Mapping[str, str], choices: Choices, runs: xr.Dataset, at: xr.Dataset
) -> Universe:
    chosen = {choice: choices[choice][name] for choice, name in names.items()}
    try:
        model = _model(chosen["law"], chosen.get("noise"))
        convert = chosen.get("convention")
        grid = at if convert is None else convert(at)
        data = runs if convert is None else _with_references(convert(runs), runs)
        for choice in SELECTIONS:
            data = _selected(chosen.get(choice), data, runs)
        _require_valid(model, data, grid)
    except (ValueError, KeyError) as error:
        fault = str(error) if isinstance(error, ValueError) else f"there is no {error}"
        return Universe(names, fault=" ".join(fault.split()))
    return Universe(names, model, data, grid)


def _model(law: Law | Model, noise: Noise | None) -> Model:
    model = law if isinstance(law, Model) else Model(law)
    return model if noise is None else replace(model, noise=noise)


def _with_references(changed: xr.Dataset, runs: xr.Dataset) -> xr.Dataset:
    """The changed runs with attributes of predictors, such as references, that were dropped."""
    attrs = {name: {**runs[name].attrs, **changed[name].attrs} for name in predictor_names(changed)}
    return changed.assign({name: changed[name].assign_attrs(own) for name, own in attrs.items()})


def _selected(choice: RunSelection, data: xr.Dataset, runs: xr.Dataset) -> xr.Dataset:
    """The runs that are not left out; a mask is over the runs as they were given."""
    if choice is None:
        return data
    if callable(choice):
        return choice(data)
    left_out = runs["run"].values[np.asarray(choice)]
    return data.isel(run=~np.isin(data["run"].values, left_out))


def _require_valid(model: Model, runs: xr.Dataset, at: xr.Dataset) -> None:
    """Raise early what fit and forecast would raise."""
    groupings(model, run_arrays_of(model, runs).curves)
    fit = Fit(model, runs, xr.DataTree())
    require_columns([fit], taken_by(fit, at))
    for group in group_names(runs):
        known = {str(label) for label in runs[group].values}
        wanted = {str(label) for label in at[group].values} if group in at.coords else {"none"}
        if wanted - known:
            raise ValueError(
                f"the forecast is for {group} {sorted(wanted - known)}, and the remaining runs "
                f"have {sorted(known)}"
            )
