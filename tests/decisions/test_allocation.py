"""The compute-optimal allocation, against its closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import bayeslaw as bl
from bayeslaw.decisions.allocation import AllocationProblem, optimum, scale_at_budget
from bayeslaw.decisions.law_slice import LawSlice
from bayeslaw.laws import chinchilla


def closed_form(budget: Any, flops: float = 6.0, **law: Any) -> tuple[Any, Any]:
    """N and D by Hoffmann et al. 2022, eq. 4, for a cost of flops N D."""
    total = law["alpha"] + law["beta"]
    lead = (law["alpha"] * law["A"] / (law["beta"] * law["B"])) ** (1 / total)
    shared = budget / flops
    return lead * shared ** (law["beta"] / total), shared ** (law["alpha"] / total) / lead


@settings(deadline=None)
@given(
    E=st.floats(0.01, 10), A=st.floats(1, 1e4), B=st.floats(1, 1e4),
    alpha=st.floats(0.05, 1.5), beta=st.floats(0.05, 1.5), budget=st.floats(1e12, 1e30),
)  # fmt: skip
def test_the_optimum_is_the_closed_form(budget: float, **law: float) -> None:
    law_slice = LawSlice(chinchilla, ("N", "D"), ())
    problem = AllocationProblem(law_slice, bl.training_flops, (3.0, 22.0))
    arguments = (budget, *(law[name] for name in chinchilla.parameters))
    ratio, scale = optimum(problem, scale_at_budget, arguments)
    sizes = problem.sizes(ratio, scale, ())
    expected = closed_form(budget, **law)
    np.testing.assert_allclose((sizes["N"], sizes["D"]), expected, rtol=1e-10)
