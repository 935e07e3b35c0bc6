"""Stages of the log density on arrays by name, and their adjoints by finite differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from bayeslaw._kernels.printed import compiled_function
from bayeslaw._kernels.stage import Stage

type Arrays = Mapping[str, np.ndarray]
type Shapes = Mapping[str, tuple[int, ...]]

STEP = 1e-3
# Weights of central differences of sixth order.
CENTRAL = {3: 1 / 60, 2: -3 / 20, 1: 3 / 4, -1: -3 / 4, -2: 3 / 20, -3: -1 / 60}
TOTALS = ("log_prior", "log_likelihood")  # to which stages add


def addresses(*sources: str) -> list[int]:
    """Addresses of printed functions, which the cache keeps alive."""
    return [compiled_function(source).address for source in sources]


def assert_adjoint(
    forward: Sequence[Stage],
    adjoint: Stage,
    arrays: Arrays,
    outputs: Sequence[str] = (),
    added: Sequence[str] = (),
    scratch: Shapes = MappingProxyType({}),
) -> None:
    """Compare an adjoint of some stages with finite differences at random cotangents.

    `arrays` are inputs and places for outputs. `outputs` have cotangents; that of a log density is
    one. The adjoints of the inputs named in `added` are added to what is there, others written.
    Adjoints among `arrays` are not compared; what is missing is scratch memory.
    """
    rng = np.random.default_rng(1)
    here = {name: values.copy() for name, values in arrays.items()}
    totals = {name: rng.normal(size=1) for name in TOTALS}
    here |= totals | {f"{n}_bar": rng.normal(size=arrays[n].shape) for n in outputs}
    bars = {f"{name}_bar" for name in outputs}
    bars |= {name for name in arrays if name.endswith("_bar")}
    written = [name for name in adjoint.arguments if name.endswith("_bar") and name not in bars]
    inputs = [name.removesuffix("_bar") for name in written if name.removesuffix("_bar") in arrays]
    here |= {f"{name}_bar": rng.normal(size=arrays[name].shape) for name in inputs}
    here |= {name: np.full(scratch[name], np.nan) for name in scratch if name not in here}
    start = {name: values.copy() for name, values in here.items()}

    def value(name: str, at: np.ndarray) -> float:
        changed = {n: v.copy() for n, v in start.items()} | {name: at}
        for stage in forward:
            stage(changed)
        sums = [float(np.sum(start[f"{n}_bar"] * changed[n])) for n in outputs]
        return sum(sums) + sum(float(changed[n][0] - start[n][0]) for n in TOTALS)

    for stage in forward:
        stage(here)
    adjoint(here)
    assert inputs
    for name in inputs:
        bar = here[f"{name}_bar"] - (start[f"{name}_bar"] if name in added else 0)
        expected = gradient(lambda at, name=name: value(name, at), arrays[name])
        error = np.linalg.norm(bar - expected)
        assert error <= 1e-8 * np.linalg.norm(expected), (name, bar, expected)


def gradient(function: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """Gradient of a function of an array."""
    steps = STEP * np.eye(at.size).reshape(at.size, *at.shape)
    slopes = [
        sum(weight * function(at + k * step) for k, weight in CENTRAL.items()) / STEP
        for step in steps
    ]
    return np.array(slopes).reshape(at.shape)
