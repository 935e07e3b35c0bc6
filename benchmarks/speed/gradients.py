"""One gradient: compared with code written by hand, and as curves and rows grow."""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import xarray as xr

import bayeslaw as bl
from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.laplace import laplace_approximation
from bayeslaw._inference.model_data import ModelData, model_data_of
from bayeslaw._sampling.compiled import CompiledDensity
from bayeslaw._sampling.compiled import compiled_density_of as cached_density_of
from benchmarks.speed import by_hand
from benchmarks.speed.cases import GROUPS, ROWS, SHAPES, crossed, dozen, images
from benchmarks.speed.measure import Row, process

REPEATS, SLICE = 7, 0.3  # repeats for a median; seconds of each
NOTHING = 1e-14  # information
AGREE = 1e-8
FEW_DRAWS, DRAWS = (40, 240), 4000
DOUBLES, INTEGERS = ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_int64)
ENTRY = ctypes.CFUNCTYPE(
    ctypes.c_int64, ctypes.c_uint64, DOUBLES, DOUBLES, DOUBLES, INTEGERS
)  # fmt: skip


def compiled_density_of(model: bl.Model, runs: xr.Dataset) -> CompiledDensity:
    """The compiled model on its runs."""
    bound = bind(model, runs)
    return cached_density_of(bound, _model_data(bound))


def _model_data(bound: BoundModel) -> ModelData:
    return model_data_of(bound, laplace_approximation(bound))


class Entry:
    """The compiled density as the sampler calls it: a C function, a point and a gradient."""

    def __init__(self, compiled: CompiledDensity) -> None:
        self._sampler = compiled.nutpie_model()  # it owns the data
        self.point, self.gradient = (
            compiled.initial_point.copy(),
            np.empty_like(compiled.initial_point),
        )
        self.value = np.empty(1)
        self._function = ENTRY(self._sampler.compiled_logp_func.address)
        ends = [x.ctypes.data_as(DOUBLES) for x in (self.point, self.gradient, self.value)]
        table = self._sampler.user_data.ctypes.data_as(INTEGERS)
        self._arguments = (self.point.size, *ends, table)

    def __call__(self, times: int = 1) -> None:
        """Evaluate several times."""
        for _ in range(times):
            self._function(*self._arguments)


def microseconds(*works: Callable[[int], object]) -> list[list[float]]:
    """Microseconds of processor of one call of each, in turn, several times.

    Each function takes the number of calls.
    """
    times = [_enough(work) for work in works]
    return [
        [_spent(work, n) / n * 1e6 for work, n in zip(works, times, strict=True)]
        for _ in range(REPEATS)
    ]


def _spent(work: Callable[[int], object], times: int) -> float:
    started = time.thread_time()
    work(times)
    return time.thread_time() - started


def _enough(work: Callable[[int], object]) -> int:
    """Calls that fill a slice of time."""
    work(1)
    times = 1
    while (spent := _spent(work, times)) < SLICE / 10:
        times *= 4
    return max(1, round(times * SLICE / spent))


def _entry(compiled: CompiledDensity) -> Entry:
    """At a point away from the start."""
    entry = Entry(compiled)
    entry.point += np.random.default_rng(1).normal(scale=0.1, size=entry.point.size)
    return entry


def against_code_by_hand() -> list[Row]:
    """A gradient of the 72 curves."""
    model, runs = images()
    compiled = compiled_density_of(model, runs)
    entry, given = _entry(compiled), by_hand.given_of(compiled)
    point, gradient = entry.point.copy(), np.empty_like(entry.gradient)
    difference = _difference(compiled)
    if not difference < AGREE:
        raise RuntimeError(f"the two densities differ by {difference:.1e}")
    pairs = microseconds(entry, lambda times: by_hand.repeat(given, point, gradient, times))
    ours, hand = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    n_rows, n_curves = runs.sizes["run"], given.log_pivot.size
    what = f"gradient, {n_curves} crossed curves, {n_rows} rows, with discrepancy"
    return [
        Row(
            what, f"{ours:.0f} us", "at most 1.0 x, then 0.4 x",
            f"{ratio:.2f} x scalar code by hand ({hand:.0f} us), which agrees to {difference:.0e}",
            {"us": ours, "by hand, us": hand, "ratio": ratio, "difference": difference},
        )
    ]  # fmt: skip


def _difference(compiled: CompiledDensity) -> float:
    """Relative difference of density and gradient from those by hand.

    With curves of no information, both have the same coordinates except for the population.
    """
    model_data = compiled.model_data
    arrays = dict(model_data.arrays)
    for name in ("information", "pivot_information", "fisher"):
        arrays[name] = NOTHING * np.ones_like(arrays[name])
    size = arrays["typical_covariance"].shape[-1]
    arrays["typical_covariance"] = np.full_like(
        arrays["typical_covariance"], np.eye(size) / NOTHING
    )
    plain = compiled.with_data(replace(model_data, arrays=arrays))
    entry = _entry(plain)
    entry()
    spreads, size = model_data["spread_scale"].size, model_data["center_mean"].size
    rest = slice(spreads + size, None)
    center, log_stretch = _population(plain, entry.point, slice(spreads, rest.start))
    point = np.concatenate([center, entry.point[:spreads], entry.point[rest]])
    gradient = np.empty_like(point)
    value = by_hand.density(by_hand.given_of(plain), point, gradient) + log_stretch
    slopes = np.abs(gradient[rest] - entry.gradient[rest]).max() / np.abs(gradient[rest]).max()
    return max(abs(float(entry.value[0]) / value - 1), float(slopes))


def _population(
    compiled: CompiledDensity, point: np.ndarray, part: slice
) -> tuple[np.ndarray, float]:
    """The population at a point, and how much its coordinates stretch it."""
    steps = 1e-5 * np.eye(point.size)[part]
    up, down = (compiled.variables(point + by)["center"] for by in (steps, -steps))
    return compiled.variables(point)["center"], np.linalg.slogdet((up - down) / 2e-5)[1]


def growth(largest: int, memory: bool) -> list[Row]:
    """A gradient with more and more curves of 20 rows, and with more and more rows a curve."""
    model = bl.Model(bl.laws.power, pooling=GROUPS)
    compiled = compiled_density_of(model, dozen())
    by_curves = {n: _one(model, compiled, crossed(n)) for n in SHAPES if n <= largest}
    by_rows = {n: _one(model, compiled, dozen(n)) for n in ROWS if n <= largest}
    rows = [
        _line(f"gradient, {n} curves of 20 rows, {a} x {b} groups", by_curves, n)
        for n, (a, b) in SHAPES.items()
        if n in by_curves
    ]
    rows += [_line(f"gradient, 12 curves of {n} rows", by_rows, n) for n in by_rows]
    return [*rows, *([_memory(largest)] if memory else [])]


def _one(model: bl.Model, compiled: CompiledDensity, runs: xr.Dataset) -> tuple[float, float, int]:
    """Microseconds of a gradient, milliseconds for the Laplace approximation, rows."""
    started = time.process_time()
    model_data = _model_data(bind(model, runs))
    milliseconds = (time.process_time() - started) * 1e3
    us = statistics.median(each for [each] in microseconds(_entry(compiled.with_data(model_data))))
    return us, milliseconds, runs.sizes["run"]


def _line(what: str, by_size: dict[int, tuple[float, float, int]], size: int) -> Row:
    us, milliseconds, rows = by_size[size]
    per_row, note = 1e3 * us / rows, f"{milliseconds:.0f} ms for the Laplace approximation"
    numbers = {
        "us": us,
        "ns per row": per_row,
        "rows": rows,
        "ms of Laplace approximation": milliseconds,
    }
    if size // 10 in by_size:
        before, _, fewer = by_size[size // 10]
        numbers["growth"] = growth = us / before / (rows / fewer)
        note = f"{growth:.2f} x a row's cost when there are a tenth of them; {note}"
    return Row(what, f"{us:.0f} us, {per_row:.0f} ns a row", "at most 1.2 x", note, numbers)


def _memory(curves: int) -> Row:
    """Memory of sampling, of the default length, from two short ones."""
    peaks = [_peaks(curves, draws) for draws in FEW_DRAWS]
    (before, low), (_, high) = peaks
    each = (high - low) / (FEW_DRAWS[1] - FEW_DRAWS[0])
    full = low + each * (DRAWS - FEW_DRAWS[0])
    return Row(
        f"memory, sampling {curves} curves of 20 rows, {DRAWS} draws in all",
        f"{max(before, full):.2f} GB", "below 4 GB at 10,000 curves",
        f"extrapolated from {low:.2f} and {high:.2f} GB of {FEW_DRAWS[0]} and {FEW_DRAWS[1]} draws "
        f"in all; {low + each * (4 * DRAWS - FEW_DRAWS[0]):.2f} GB when sampling is extended to "
        f"four times as many; {before:.2f} GB before sampling",
        {"GB": full, "GB before": before, "GB of few": [low, high], "MB per draw": each * 1e3},
    )  # fmt: skip


def _peaks(curves: int, draws: int) -> tuple[float, float]:
    result = process(["-m", "benchmarks.speed.child", "memory", str(curves), str(draws)]).result
    assert result is not None
    return result["GB before"], result["GB"]
