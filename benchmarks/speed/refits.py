"""Many small fits with one compiled model, and the cost of all but sampling."""

from __future__ import annotations

import importlib
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate
from benchmarks.speed.cases import small
from benchmarks.speed.measure import Cost, Row, Stopwatch, cost_of

MANY = 1000
PARTS = {  # by the module that calls them: functions, and the part of a fit that each is in
    "fitting.refit": {
        "store_key": "run arrays", "bind": "run arrays", "model_data_of": "model data",
        "_compiled": "compiled density", "with_initial_points": "initial points",
        "assemble_fit": "labels",
    },
    "_sampling.sample_posterior": {
        "_by_importance": "sampling", "unconstrained_dataset": "labels",
        "posterior_dataset": "labels",
        "check_convergence": "gate",
    },
    "_sampling.nuts": {"_start": "sampling", "_first_draws": "sampling", "_stop": "sampling"},
}  # fmt: skip
MODELS = {
    "with discrepancy": bl.Model(bl.laws.power, pooling=["task"]),
    "without discrepancy": bl.Model(bl.laws.power, pooling=["task"], discrepancy=None),
}
SAMPLED, TRIED = "chains", "importance sampling first"
MORE = 10  # times as many fits by importance sampling, which are as much faster


def refits(fits: int) -> list[Row]:
    """Fits of three curves of twelve runs; extrapolated if they are fewer than MANY."""
    runs = [small(seed) for seed in range(min(MORE * fits, MANY))]
    for model in MODELS.values():
        bl.refit(model, runs[:2], sampler=bl.Sampler(random_seed=1, progressbar=False))  # compiles
    # Costs first: the stopwatches stay.
    costs = {
        (name, how): _threads(model, some, how)
        for name, model in MODELS.items()
        for how, some in ((SAMPLED, runs[:fits]), (TRIED, runs))
    }
    whole = [_whole(f"{name}, {how}", *each) for (name, how), each in costs.items()]
    return [*whole, *(_parts(name, runs[: min(len(runs), 20)]) for name in MODELS)]


def _threads(model: bl.Model, runs: list, how: str) -> tuple[Cost, list[bl.Fit]]:
    """On all cores, with the defaults except for importance sampling."""
    made: list[bl.Fit] = []
    options = {"random_seed": 1, "importance": how == TRIED, "progressbar": False}
    cost = cost_of(lambda: made.extend(bl.refit(model, runs, sampler=bl.Sampler(**options))))
    return cost, made


def _whole(name: str, cost: Cost, made: list[bl.Fit]) -> Row:
    each = Cost(cost.seconds / len(made), cost.processor / len(made))
    failed = sum(not Gate.of(fit.tree).passed for fit in made)
    taken = sum("pareto_k" in fit.tree["sample_stats"].attrs for fit in made)
    minutes = Cost(each.seconds * MANY / 60, each.processor * MANY / 60)
    how = "measured" if len(made) == MANY else f"extrapolated from {len(made)}"
    note = (
        f"{MANY} fits on {os.cpu_count()} cores: {minutes.seconds:.1f} min "
        f"({minutes.processor:.1f} min of processor), {how}; {failed} of {len(made)} did not pass"
        + (f"; {taken} by importance sampling" if taken else "")
    )
    return Row(
        f"a small fit (3 curves x 12 rows), {name}", str(each), "0.25 s, 1,000 in 4 min", note,
        vars(each) | {"fits": len(made), "failed": failed, "by importance sampling": taken},
    )  # fmt: skip


def _parts(name: str, runs: list) -> Row:
    """One by one, in seconds of processor by part."""
    model, watch = MODELS[name], Stopwatch()
    modules = {module: importlib.import_module(f"bayeslaw.{module}") for module in PARTS}
    inner = {(m, n): getattr(modules[m], n) for m, names in PARTS.items() for n in names}
    for (module, function), part in ((key, PARTS[key[0]][key[1]]) for key in inner):
        watch.watch(modules[module], function, part)
    started, each = time.process_time(), []
    try:
        with ThreadPoolExecutor(1) as executor:
            for i, one in enumerate(runs):
                spent = time.process_time()
                bl.refit(
                    model,
                    [one],
                    executor=executor,
                    sampler=bl.Sampler(random_seed=1 + i, importance=True, progressbar=False),
                )
                each.append(time.process_time() - spent)
    finally:
        for (module, function), original in inner.items():
            setattr(modules[module], function, original)
    whole = (time.process_time() - started) / len(runs)
    parts = {part: seconds / len(runs) for part, seconds in watch.parts.items()}
    parts["rest"] = whole - sum(parts.values())
    overhead = whole - parts["sampling"]
    note = ", ".join(f"{part} {1e3 * seconds:.0f}" for part, seconds in parts.items())
    return Row(
        f"a small fit, {name}, {TRIED}: all but sampling",
        f"{1e3 * overhead:.0f} ms of processor", "50 ms",
        f"ms of processor: {note} (the median fit takes {1e3 * statistics.median(each):.0f})",
        {"overhead": overhead, "parts": parts},
    )  # fmt: skip
