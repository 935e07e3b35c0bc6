"""The program of a log density: a table of integers that the entry points run.

See `bayeslaw._kernels.entry_points` for its beginning and `bayeslaw._kernels.stage` for the tables
of arguments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.model_data import ModelData
from bayeslaw._kernels.stage import Place
from bayeslaw._kernels.stages.scratch import scratch_shapes
from bayeslaw._sampling.flat_layout import FlatLayout
from bayeslaw._sampling.tape import Tape

__all__ = ["Program", "initial_point", "layout_of", "program_of"]

UNKNOWNS = ("latent", "spread", "center", "effects", "theta")  # in the order of a point
VARIABLES = ("center", "spread", "effects", "latent", "theta")  # in the order of a draw

ADDED = ("spread_bar", "center_bar", "theta_bar", "latent_bar")

type Shapes = dict[str, tuple[int, ...]]


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
    places = scratch | {name: Place(v.ctypes.data, v.shape) for name, v in owned.items()}
    for stage, function in zip([*tape.forward, *tape.adjoint], [*forward, *adjoint], strict=True):
        tables.append(stage.table(places))
        table += [function.address, tables[-1].ctypes.data]
    return Program(np.array(table, dtype=np.int64), (*owned.values(), *tables))


def _is_integer(values: np.ndarray) -> bool:
    return np.issubdtype(values.dtype, np.integer)


def _scratch(
    bound: BoundModel, tape: Tape, model_data: ModelData, layout: FlatLayout
) -> tuple[Shapes, Shapes]:
    """Arrays of an evaluation: those that start at zero, in order, and the others."""
    sizes, bounds = dict(model_data.sizes), model_data.arrays.get("bounds", np.zeros((1, 4)))
    sizes |= {
        "law": len(bound.coordinates.roles),
        "level": int(np.max(bounds[:, 3] - bounds[:, 2])),
        "spread": sizes["spread"] or sizes["parameter"],
        "all_parameter": len(bound.model.law.parameters) + len(bound.model.nuisance_roles),
        "tau": len(bound.discrepancy.names) if bound.discrepancy else 0,
        "output": 2 if bound.discrepancy else 1,
        "derivative": tape.addresses["derivatives"].shape[1],
        "own": int((model_data["is_normal"] == 0).sum()),
    }
    shapes = scratch_shapes(sizes)
    unknowns = {f"z_{name}": shape for name, shape in layout.unknowns.items()}
    gradient = {f"{name}_bar": shape for name, shape in unknowns.items()}
    first = {**unknowns, **gradient, "log_prior": (1,), "log_likelihood": (1,), **layout.variables}
    # Adjoints to which stages add, before the first of them writes.
    first |= {name: shapes[name] for name in ADDED}
    return first, {name: shape for name, shape in shapes.items() if name not in first}


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
