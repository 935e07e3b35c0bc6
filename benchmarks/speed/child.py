"""Work in a fresh interpreter: a fit in parts, memory, and other samplers.

    python -m benchmarks.speed.child fit plain|dozen|images
    python -m benchmarks.speed.child memory CURVES DRAWS
    python -m benchmarks.speed.child peer NAME
    python -m benchmarks.speed.child sizes DRAWS POINTS
    python -m benchmarks.speed.child compare
    python -m benchmarks.speed.child backtest

Prints JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

PARTS = {  # functions that `fit` calls, and the part of a fit that each is in
    "bind": "build", "laplace_approximation": "build", "model_data_of": "build",
    "compiled_density_of": "compile",
    "sample_posterior": "sample", "_predictive_groups": "predictive groups",
    "_prior_groups": "predictive groups",
}  # fmt: skip
SHORT = 2  # doublings of a trajectory


def fit(which: str) -> dict[str, Any]:
    """A fit from runs to a file, in seconds of processor by part."""
    import bayeslaw as bl

    module = importlib.import_module("bayeslaw.fitting.fit")  # with all imports that a fit needs
    imported = time.process_time()
    from bayeslaw._sampling.gate import Gate
    from benchmarks.speed import cases
    from benchmarks.speed.measure import Stopwatch

    model, runs = cases.find(which)
    read, watch = time.process_time(), Stopwatch()
    for name, part in PARTS.items():
        watch.watch(module, name, part)
    started = time.perf_counter()
    fitted_model = module.fit(model, runs, sampler=bl.Sampler(random_seed=1, progressbar=False))
    fitted, seconds = time.process_time(), time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        bl.save(fitted_model, Path(folder) / "fit.nc")
    parts = {"import": imported, "read": read - imported, **watch.parts}
    gate = Gate.of(fitted_model.tree)
    return {
        "parts": parts | {"save": time.process_time() - fitted},
        "passed": gate.passed,
        "ess": min(gate.ess_bulk, gate.ess_tail),
        "seconds": seconds,
        "processor": fitted - read,
    }


def memory(curves: str, draws: str) -> dict[str, Any]:
    """Peak memory before and during a short sampling."""
    import nutpie

    import bayeslaw as bl
    from bayeslaw._inference.bound_model import bind
    from bayeslaw._sampling.nuts import Sampler
    from bayeslaw._sampling.sample_posterior import sample_posterior
    from benchmarks.speed import cases, gradients
    from benchmarks.speed.measure import forget_peak, peak_memory

    model, runs = bl.Model(bl.laws.power, pooling=cases.GROUPS), cases.crossed(int(curves))
    compiled, bound = gradients.compiled_density_of(model, runs), bind(model, runs)
    before = peak_memory()
    forget_peak()
    how = Sampler(1, int(draws) // 2, 10, 2, None, 0.9, progressbar=False, max_draws_factor=1)
    # Short trajectories: what draws hold does not depend on how they are made.
    nutpie.sample = partial(nutpie.sample, maxdepth=SHORT)
    sample_posterior(bound, compiled, how)
    return {"GB before": before, "GB": peak_memory()}


def sizes(draws: str, points: str) -> dict[str, Any]:
    """The file of a fit, and bands at many points: seconds, MB of the file and of memory."""
    import numpy as np

    import bayeslaw as bl
    from benchmarks.speed import cases
    from benchmarks.speed.measure import cost_of, forget_peak, peak_memory

    model, runs = cases.find("twenty")
    settings = {"draws": int(draws), "tune": 500, "max_draws_factor": 1, "progressbar": False}
    fitted = bl.fit(model, runs, sampler=bl.Sampler(random_seed=1, **settings))
    levels = {name: np.unique(runs[name]) for name in cases.GROUPS}
    grid = bl.grid(N=np.geomspace(1e6, 1e12, int(points) // 20), **levels)
    few, result = grid.isel(run=slice(0, 20)), {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fit.nc"
        bl.save(fitted, path)  # with all code compiled
        result["save"] = cost_of(lambda: bl.save(fitted, path)).processor
        result["open"] = cost_of(lambda: bl.load(path)).processor
        result["file MB"] = path.stat().st_size / 1e6
        opened = bl.load(path)
    bl.forecast_bands(opened, few)
    forget_peak()
    before = peak_memory()
    result["bands"] = cost_of(lambda: bl.forecast_bands(opened, grid)).processor
    return result | {"bands MB": 1000 * (peak_memory() - before), "points": grid.sizes["run"]}


LAWS = ("power", "pure_power", "log_linear", "shifted_power", "exponential")
JOINT = ("chinchilla", "multiplicative", "kaplan", "generalised_sum")


def compare() -> dict[str, Any]:
    """Five laws in N fitted to the demonstration's runs of the largest D, and compared."""
    import bayeslaw as bl

    fits = {
        name: bl.fit(model, _steady_runs(), sampler=bl.Sampler(random_seed=1, progressbar=False))
        for name, model in _models(LAWS).items()
    }
    bl.compare(fits)
    passed = sum(bl.diagnose(each).gate.passed for each in fits.values())
    return {"passed": f"{passed} of {len(fits)}"}


def backtest() -> dict[str, Any]:
    """A backtest of four laws in N and D on three curves of 32 runs, along N."""
    import bayeslaw as bl
    from benchmarks import shapes

    sampler = bl.Sampler(random_seed=1, progressbar=False)
    models = {name: bl.Model(getattr(bl.laws, name)) for name in JOINT}
    result = bl.backtest(models, shapes.joint(3, 32)[1], sampler=sampler)
    failed, fits = result.attrs["failed"], result.attrs["refits"]
    return {"passed": f"{fits - failed} of {fits}"}


def _models(names: Sequence[str]) -> dict[str, Any]:
    import bayeslaw as bl

    groups = ["corpus", "architecture"]
    return {name: bl.Model(getattr(bl.laws, name), pooling=groups) for name in names}


def _steady_runs() -> Any:
    import bayeslaw as bl

    train, _ = bl.split_held_out(bl.datasets.load("tiny_lm"))
    return train.isel(run=(train["D"] == train["D"].max()).values)


def peer(name: str) -> dict[str, Any]:
    """The model written by hand, by another sampler."""
    from benchmarks.speed import peers

    return peers.sampled_by(name)


WORK = {each.__name__: each for each in (fit, memory, sizes, compare, backtest, peer)}

if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    print(json.dumps(WORK[what](*arguments)))
