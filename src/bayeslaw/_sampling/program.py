"""The program of a log density: a table of integers that the entry points run.

See `bayeslaw._kernels.entry_points` for its beginning and `bayeslaw._kernels.stage` for the tables
of arguments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.model_data import ModelData
from bayeslaw._kernels.stage import ROW, Stage
from bayeslaw._sampling.flat_layout import FlatLayout
from bayeslaw._sampling.tape import Tape

__all__ = ["Program", "initial_point", "layout_of", "program_of"]

UNKNOWNS = ("latent", "spread", "center", "effects", "theta")  # in the order of a point
VARIABLES = ("center", "spread", "effects", "latent", "theta")  # in the order of a draw

type Shapes = dict[str, tuple[int, ...]]


class Place(NamedTuple):
    """Where an array is, as an address or -1 - offset in scratch memory, and its shape."""

    at: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """The table, and the arrays whose addresses are in it."""

    table: np.ndarray
    arrays: tuple[np.ndarray, ...]


def layout_of(tape: Tape, model_data: ModelData) -> FlatLayout:
    """Unknowns and recorded variables of a model on these runs."""
    sizes, starts = model_data.sizes, tape.starts
    shapes: Shapes = {"theta": (sizes["parameter"], sizes["curve"])}
    if "latent" in starts:
        shapes["latent"] = (sizes["run"],)
    if sizes["spread"]:
        shapes |= {"spread": (sizes["spread"],), "center": (sizes["parameter"],)}
        shapes |= {"effects": (sizes["effect"],)} if sizes["effect"] else {}
    # A standard deviation of the user's may be fixed, so that there is no unknown.
    unknowns = shapes | {name: starts[name].shape for name in starts if name != "latent"}
    return FlatLayout(
        {name: unknowns[name] for name in UNKNOWNS if name in unknowns},
        {name: shapes[name] for name in VARIABLES if name in shapes},
    )


def initial_point(tape: Tape, model_data: ModelData) -> np.ndarray:
    """A point of the unconstrained space to start near."""
    starts = dict(tape.starts)
    if "spread_scale" in model_data:
        starts["spread"] = np.log(model_data["spread_scale"])
    unknowns = layout_of(tape, model_data).unknowns
    parts = [np.broadcast_to(starts.get(name, 0.0), shape) for name, shape in unknowns.items()]
    return np.concatenate([part.ravel() for part in parts])


def program_of(bound: BoundModel, tape: Tape, model_data: ModelData) -> Program:
    """The program of a tape on these data."""
    layout = layout_of(tape, model_data)
    scratch, (zeros, size) = _places(_scratch(bound, tape, model_data, layout))
    arrays = {**model_data.arrays, **tape.addresses}
    owned = {
        name: np.ascontiguousarray(values, dtype=np.int64 if _is_integer(values) else float)
        for name, values in arrays.items()
    }
    forward, adjoint = tape.compiled
    tables, table = [], [size, zeros, len(forward), len(forward) + len(adjoint), tape.to_variables]
    for stage, function in zip([*tape.forward, *tape.adjoint], [*forward, *adjoint], strict=True):
        tables.append(_arguments(stage, owned, scratch))
        table += [function.address, tables[-1].ctypes.data]
    return Program(np.array(table, dtype=np.int64), (*owned.values(), *tables))


def _is_integer(values: np.ndarray) -> bool:
    return np.issubdtype(values.dtype, np.integer)


def _arguments(
    stage: Stage, owned: Mapping[str, np.ndarray], scratch: Mapping[str, Place]
) -> np.ndarray:
    """Table of a stage's arguments: address, or -1 - offset in bytes, and shape of each."""
    rows = np.zeros((len(stage.arguments), ROW), dtype=np.int64)
    for row, (name, kind) in zip(rows, stage.arguments.items(), strict=True):
        array = owned.get(name)
        place = scratch[name] if array is None else Place(array.ctypes.data, array.shape)
        if len(place.shape) != kind.ndim:
            raise ValueError(
                f"{stage.name}: {name} has shape {place.shape}, not {kind.ndim} dimensions"
            )
        row[: kind.ndim + 1] = [place.at, *place.shape]
    return rows


def _scratch(
    bound: BoundModel, tape: Tape, model_data: ModelData, layout: FlatLayout
) -> tuple[Shapes, Shapes]:
    """Arrays of an evaluation: those that start at zero, in order, and the others."""
    model, n_law = bound.model, len(bound.coordinates.roles)
    n_parameters = len(model.law.parameters) + len(model.nuisance_roles)
    n_tau = len(bound.discrepancy.names) if bound.discrepancy else 0
    outputs = 2 if bound.discrepancy else 1
    curves, runs, rows = (model_data.sizes[n] for n in ("curve", "run", "parameter"))
    own_rows = 2 * int((model_data["is_normal"] == 0).sum())
    unknowns = {f"z_{name}": shape for name, shape in layout.unknowns.items()}
    gradient = {f"{name}_bar": shape for name, shape in unknowns.items()}
    spread = (model_data.sizes["spread"] or rows,)
    first = {
        **unknowns, **gradient, "log_prior": (1,), "log_likelihood": (1,), **layout.variables,
        "spread_bar": spread, "center_bar": (rows,), "theta_bar": (rows, curves),
        **({"latent_bar": (runs,)} if "latent" in layout.variables else {}),
    }  # fmt: skip
    others = {
        "spread": spread, "effects": (0,), "z_effects": (0,), "z_effects_bar": (0,), "latent": (0,),
        "mean": (rows, curves), "mean_bar": (rows, curves), "pivot_state": (3 * n_law, curves),
        "parameters": (n_parameters, curves), "parameters_bar": (n_parameters, curves),
        "response": (outputs + tape.addresses["derivatives"].shape[1], runs),
        "outputs_bar": (outputs, runs), "tau2": (n_tau, curves), "tau_bar": (n_tau, curves),
        "latent_rows": (4, runs), "latent_bar": (0,),
        "own": (own_rows, curves),
    }  # fmt: skip
    return first, {name: shape for name, shape in others.items() if name not in first}


def _places(shapes: tuple[Shapes, Shapes]) -> tuple[dict[str, Place], list[int]]:
    """Places of all arrays, and where in memory each of the two parts ends."""
    places: dict[str, Place] = {}
    at, ends = 0, []
    for part in shapes:
        for name, shape in part.items():
            places[name] = Place(-1 - 8 * at, shape)
            at += math.prod(shape)
        ends.append(at)
    return places, ends
