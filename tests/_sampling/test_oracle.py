"""The stages' log density beside PyMC's of the same model, with its gradient."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_cases import CASES, Comparison, differences

from bayeslaw import laws
from bayeslaw._inference.coordinates import coordinates

STEPS = (1e-5, 1e-4, 1e-3, 3e-3)  # the best one depends on the unknown: short where laws bend much
NEARLY_EQUAL = {"one amplitude varies"}  # differences of curves that agree to six digits

comparison = lru_cache(maxsize=1)(lambda case: Comparison(*CASES[case]))


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=2, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_log_density_is_that_of_pymc_and_the_jacobian(case: str, seed: int) -> None:
    ours = comparison(case)
    point = ours.point(seed)
    value, gradient = ours.deviations(point)
    limit = 1e-6 if case in NEARLY_EQUAL else 1e-8
    assert value <= 1e-8
    # That of the Jacobian's determinant is by differences of differences.
    assert gradient <= 100 * limit
    exact = ours.compiled.log_density_and_gradient(point)[1]
    slopes = np.array([differences(ours.compiled.log_density, point, step) for step in STEPS])
    assert np.abs(exact - slopes).min(axis=0).max() <= limit * np.linalg.norm(exact)


def test_the_cases_have_all_kinds_of_models() -> None:
    models = [model for model, _ in CASES.values()]
    assert {model.law.name for model in models} >= set(laws.names())
    noise = {(type(model.noise).__name__, model.discrepancy is not None) for model in models}
    kinds = ("Gaussian", "StudentT", "Undertuned")
    assert noise >= {(kind, is_inexact) for kind in kinds for is_inexact in (True, False)}
    assert {type(model.pooling) for model in models} == {type(None), tuple, list, dict}
    assert len({type(coordinates(model)) for model in models}) == 5
    assert {len(model.tie) for model in models} >= {0, 1}
    assert any("stderr" in runs for _, runs in CASES.values())
