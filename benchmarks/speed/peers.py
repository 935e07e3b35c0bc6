"""Effective draws per second, compared with a model written by hand.

The handwritten model is in raw units: log L0, log k and log alpha of each curve, centred on the
population plus crossed effects that are not marginalised, and Student-t noise per curve, as in
`benchmarks/convergence.py`. It is sampled as `pymc.sample` does by default, by nutpie, and by
NumPyro where that is installed (`uv sync --group peers`), each for at most ten times as long as
bayeslaw takes with the same law and noise, and no discrepancy; the gate of the package is
applied to the parameters of curves, population and spreads of both.

PyMC samples as many chains at once as it thinks good, half as many as there are cores; bayeslaw,
and nutpie and NumPyro here, all four. So the ratio by elapsed time holds for PyMC's default alone;
that by seconds of the processor does not depend on it.
"""

from __future__ import annotations

import importlib.util
import time
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.speed.measure import Finished, Row, process

PEERS = {"pymc": "PyMC's own sampler", "nutpie": "nutpie", "numpyro": "NumPyro"}
NEEDS = {"pymc": "pymc", "nutpie": "nutpie", "numpyro": "numpyro"}
LONGEST = 10  # times our time
CHAINS = 4
PRIORS = {"log_L0": (0.0, 1.0), "log_k": (3.0, 3.0), "log_alpha": (-1.6, 0.8)}


def against_others(most: float) -> list[Row]:
    """Twelve crossed curves of twelve runs; no peer gets more than `most` seconds."""
    first = ["-m", "benchmarks.speed.child", "fit", "plain"]
    ours = [process(first) for _ in range(2)][-1]
    assert ours.result is not None
    result = ours.result
    rate = result["ess"] / result["seconds"]
    what = "min ESS per second, 12 crossed curves, 144 rows"
    rows = [
        Row(
            f"{what}: bayeslaw", _rates(result), "",
            f"{result['ess']:.0f} in {result['seconds']:.1f} s, compiling included; "
            f"{_verdict(result)}",
            result,
        )
    ]  # fmt: skip
    for name, label in PEERS.items():
        if importlib.util.find_spec(NEEDS[name]) is None:
            rows.append(Row(f"{what}: {label}", "not installed"))
            continue
        limit = min(LONGEST * ours.cost.seconds, most)
        finished = process(["-m", "benchmarks.speed.child", "peer", name], limit=limit)
        rows.append(_peer(f"{what}: {label}", finished, ours, rate))
    return rows


def _peer(what: str, finished: Finished, here: Finished, rate: float) -> Row:
    assert here.result is not None
    if finished.result is None:
        times = finished.cost.seconds / here.cost.seconds
        note = f"ended after {finished.cost}, {times:.1f} x the time of bayeslaw ({here.cost})"
        return Row(what, "no draws in time", "", note, vars(finished.cost))
    result, ours = finished.result, here.result
    times = rate / (result["ess"] / result["seconds"])
    by_processor = (ours["ess"] / ours["processor"]) / (result["ess"] / result["processor"])
    late = result["seconds"] > LONGEST * ours["seconds"]
    note = (
        f"{result['ess']:.1f} in {result['seconds']:.1f} s, R-hat {result['r_hat']:.3f}, "
        f"{result['divergences']} divergences; {_verdict(result)}"
        f"{f', in more than {LONGEST} x our time' if late else ''}; bayeslaw is {times:.0f} x "
        f"faster ({by_processor:.0f} x by seconds of processor)"
    )
    return Row(what, _rates(result), "at least 10 x", note, result | {"ratio": times})


def _rates(result: dict[str, Any]) -> str:
    by_processor = result["ess"] / result["processor"]
    return f"{result['ess'] / result['seconds']:.2f} /s ({by_processor:.2f} per s of processor)"


def _verdict(result: dict[str, Any]) -> str:
    return "passes the gate" if result["passed"] else "does NOT pass the gate"


def sampled_by(name: str) -> dict[str, Any]:
    """Sample the model written by hand, in this process."""
    import pymc as pm

    from bayeslaw._sampling.gate import check_convergence
    from benchmarks.speed.cases import GROUPS, dozen

    runs = dozen()
    table = runs.to_dataframe().reset_index()
    spent, started = _processor(), time.perf_counter()
    how = {} if name == "pymc" else {"cores": CHAINS}
    with by_hand(table, GROUPS):
        tree = pm.sample(random_seed=1, chains=CHAINS, progressbar=False, nuts_sampler=name, **how)
    seconds, processor = time.perf_counter() - started, _processor() - spent
    posterior, stats = (tree[group].to_dataset() for group in ("posterior", "sample_stats"))
    effects = [name for name in posterior if str(name).endswith("_effect")]
    gate = check_convergence(posterior.drop_vars(effects), stats)
    return {
        "ess": min(gate.ess_bulk, gate.ess_tail),
        "r_hat": gate.r_hat,
        "divergences": gate.divergences,
        "passed": gate.passed,
        "seconds": seconds,
        "processor": processor,
    }


def _processor() -> float:
    """Seconds of processor of this process and of those it waited for."""
    import resource

    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def by_hand(table: pd.DataFrame, groups: list[str]) -> Any:
    """The handwritten model, in raw units."""
    import pymc as pm

    labels = table[groups].drop_duplicates()
    curve = pd.MultiIndex.from_frame(labels).get_indexer(pd.MultiIndex.from_frame(table[groups]))
    codes = {group: labels[group].astype("category").cat.codes.to_numpy() for group in groups}
    with pm.Model() as model:
        values = []
        for name, (mean, sd) in PRIORS.items():
            expected = pm.Normal(f"{name}_population", mean, sd)
            for group, code in codes.items():
                spread = pm.HalfNormal(f"{name}_sd_{group}", 1)
                effects = pm.Normal(f"{name}_{group}_effect", 0, spread, shape=int(code.max()) + 1)
                expected = expected + effects[code]
            own = pm.HalfNormal(f"{name}_sd", 1)
            values.append(pm.Normal(name, expected, own, shape=len(labels)))
        floor, k, alpha = (pm.math.exp(value)[curve] for value in values)
        sigma = pm.LogNormal("sigma", np.log(0.01), 1, shape=len(labels))
        mean = pm.math.log(floor + k * table["N"].to_numpy() ** -alpha)
        loss = np.log(table["loss"].to_numpy())
        pm.StudentT("log_loss", 4, mu=mean, sigma=sigma[curve], observed=loss)
    return model
