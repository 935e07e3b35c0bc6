"""Compiles PyMC models and evaluates their variables at unconstrained points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode
from pytensor.graph.replace import clone_replace, vectorize_graph

from bayeslaw._sampling.compile_cache import recorded_variables
from bayeslaw._sampling.compile_pymc import compile_density, values_at
from bayeslaw._sampling.compiled import CompiledDensity


def compile_graph(model: pm.Model) -> CompiledDensity:
    """The compiled model, without the compile cache."""
    return compile_density(model, recorded_variables(model))


def unconstrained(
    model: pm.Model, variables: list[str], points: np.ndarray
) -> dict[str, np.ndarray]:
    """Random and deterministic variables at points (..., unknowns) of the unconstrained space."""
    point = pt.dvector("point")
    by_value = model.replace_rvs_by_values([model[name] for name in variables])
    graphs = clone_replace(by_value, values_at(model, point))
    many = pt.dmatrix("points")
    batched = vectorize_graph(graphs, {point: many})
    # Evaluated once for all draws, with NumPy: compiling would take longer than computing.
    evaluate = pytensor.function([many], batched, mode=Mode(linker="py", optimizer="fast_compile"))
    values = evaluate(points.reshape(-1, points.shape[-1]))

    def shaped(name: str, value: Any) -> np.ndarray:
        shape = np.shape(value)[np.ndim(value) - model[name].ndim :]
        many = np.broadcast_to(value, (points[..., 0].size, *shape))  # fixed values are not batched
        return many.reshape(*points.shape[:-1], *shape)

    return {name: shaped(name, value) for name, value in zip(variables, values, strict=True)}
