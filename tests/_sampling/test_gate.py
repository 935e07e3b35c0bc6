"""The convergence gate and its sentences."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr

from bayeslaw._sampling.gate import Gate, check_convergence

GOOD: dict[str, Any] = {
    "r_hat": 1.004,
    "ess_bulk": 900.0,
    "ess_tail": 801.2,
    "worst": "alpha",
    "divergences": 0,
    "bfmi": 0.9,
    "draws": 4000,
}


def posterior(seed: int = 1, **changes: Any) -> xr.Dataset:
    """Two thousand independent draws of two quantities."""
    rng = np.random.default_rng(seed)
    draws = {
        "L0": (("chain", "draw", "curve"), rng.normal(size=(4, 500, 3))),
        "alpha": (("chain", "draw"), rng.normal(size=(4, 500))),
    }
    return xr.Dataset({**draws, **changes}, {"chain": range(4), "draw": range(500)})


def stats(diverging: int = 0, energy: np.ndarray | None = None) -> xr.Dataset:
    marks = np.zeros((4, 500), dtype=bool)
    marks.ravel()[:diverging] = True
    if energy is None:
        energy = np.random.default_rng(2).normal(size=(4, 500))
    return xr.Dataset(
        {"diverging": (("chain", "draw"), marks), "energy": (("chain", "draw"), energy)}
    )


def test_independent_draws_pass() -> None:
    gate = check_convergence(posterior(), stats())
    assert gate.passed
    assert gate.failures == []
    assert gate.draws == 2000
    assert gate.worst in ("L0", "alpha")
    # The smallest effective size of four quantities, which is near the number of draws.
    assert 1200 < gate.ess_bulk < 2600


def stuck() -> xr.Dataset:
    draws = np.random.default_rng(3).normal(size=(4, 500))
    draws[0] = 5.0
    return posterior(alpha=(("chain", "draw"), draws))


def separate_chains() -> xr.Dataset:
    draws = np.random.default_rng(3).normal(size=(4, 500)) + np.arange(4)[:, None]
    return posterior(alpha=(("chain", "draw"), draws))


def wandering() -> np.ndarray:
    return np.cumsum(np.random.default_rng(4).normal(size=(4, 500)), axis=1)


@pytest.mark.parametrize(
    ("draws", "statistics", "failure", "helps"),
    [
        (separate_chains(), stats(), "R-hat", True),
        (stuck(), stats(), "R-hat", True),
        (posterior(alpha=(("chain", "draw"), wandering())), stats(), "R-hat", True),
        (posterior().isel(draw=slice(40)), stats(), "effective sample size", True),
        (posterior(), stats(diverging=3), "3 divergences", False),
        (posterior(), stats(energy=wandering()), "BFMI", False),
    ],
    ids=["separate", "stuck", "wandering", "short", "diverging", "energy"],
)
def test_failures_are_detected(
    draws: xr.Dataset, statistics: xr.Dataset, failure: str, helps: bool
) -> None:
    gate = check_convergence(draws, statistics)
    assert not gate.passed
    assert any(failure in sentence for sentence in gate.failures), gate.failures
    assert gate.would_more_draws_help is helps


def test_the_worst_quantity_is_named() -> None:
    assert check_convergence(separate_chains(), stats()).worst == "alpha"


def test_effects_and_constants_are_ignored() -> None:
    bad = separate_chains()["alpha"].values
    draws = posterior(
        alpha_task_effect=(("chain", "draw", "task"), bad[..., None]),
        beta=(("chain", "draw"), np.full((4, 500), 0.5)),
    )
    assert check_convergence(draws, stats()) == check_convergence(posterior(), stats())


def test_constant_curves_among_varying_ones_fail() -> None:
    values = posterior()["L0"].values.copy()
    values[..., 1] = 2.0
    gate = check_convergence(posterior(L0=(("chain", "draw", "curve"), values)), stats())
    assert gate.worst == "L0"
    assert not gate.passed
    assert gate.r_hat == np.inf


def test_nan_draws_fail() -> None:
    draws = separate_chains()["alpha"].values.copy()
    draws[0, 0] = np.nan
    gate = check_convergence(posterior(alpha=(("chain", "draw"), draws)), stats())
    assert not gate.passed


def test_sentence_of_a_fit_that_passes() -> None:
    assert Gate(**GOOD).sentence == (
        "Converged: R-hat at most 1.004, effective sample size at least 801, no divergences "
        "(4000 draws)."
    )


@pytest.mark.parametrize("changes", [{}, {"divergences": 2}])
def test_a_time_limit_that_ended_sampling_is_in_the_sentence(changes: dict[str, Any]) -> None:
    gate = Gate(**{**GOOD, **changes})
    limited = Gate(**{**GOOD, **changes, "time_limit": 60.0})
    assert limited.passed == gate.passed
    end = " Sampling was ended by max_seconds=60, after 4000 draws."
    assert limited.sentence == gate.sentence + end


@pytest.mark.parametrize(
    ("changes", "failures"),
    [
        ({"r_hat": 1.01}, "R-hat 1.010 of alpha (should be below 1.01)"),
        ({"ess_tail": 400.0}, "effective sample size 400 (should be above 400)"),
        ({"ess_bulk": 12.3}, "effective sample size 12 (should be above 400)"),
        ({"divergences": 2}, "2 divergences (should be none)"),
        ({"bfmi": 0.3}, "BFMI 0.30 (should be above 0.3)"),
        ({"modes": 2}, "chains in 2 modes, which are not averaged (should be one)"),
        ({"r_hat": float("nan")}, "R-hat nan of alpha (should be below 1.01)"),
        (
            {"r_hat": 2.5, "divergences": 1, "bfmi": 0.1, "ess_bulk": 5.0},
            "R-hat 2.500 of alpha (should be below 1.01); effective sample size 5 (should be "
            "above 400); 1 divergences (should be none); BFMI 0.10 (should be above 0.3)",
        ),
    ],
)
def test_sentence_of_a_fit_that_fails(changes: dict[str, Any], failures: str) -> None:
    gate = Gate(**{**GOOD, **changes})
    assert not gate.passed
    assert gate.sentence == f"NOT CONVERGED, do not use: {failures}."


def test_a_gate_is_final_when_nothing_would_change_the_verdict() -> None:
    assert Gate(**GOOD).is_final
    assert Gate(**{**GOOD, "modes": 2}).is_final
    assert not Gate(**{**GOOD, "r_hat": 1.1}).is_final
    assert not Gate(**{**GOOD, "modes": 2, "divergences": 3}).is_final  # smaller steps may help


def test_a_gate_stored_before_modes_were_counted_can_be_read() -> None:
    tree = xr.DataTree()
    tree.attrs["gate"] = json.dumps(GOOD)
    assert Gate.of(tree).modes == 1


def test_a_tree_carries_its_gate() -> None:
    gate = Gate(**{**GOOD, "bfmi": 0.1})
    tree = xr.DataTree()
    tree.attrs["gate"] = gate.to_json()
    assert Gate.of(tree) == gate


def test_constant_draws_fail() -> None:
    still = posterior(
        L0=(("chain", "draw", "curve"), np.ones((4, 500, 3))),
        alpha=(("chain", "draw"), np.ones((4, 500))),
    )
    gate = check_convergence(still, stats())
    assert gate.r_hat == np.inf
    assert not gate.passed
