"""The answer in short."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate
from bayeslaw.diagnostics.diagnose import Diagnosis
from bayeslaw.report.comparison import Judged
from bayeslaw.report.forecast_lines import lines_of
from bayeslaw.report.judgement import about_answer


@pytest.fixture(scope="module")
def curved(known_fit: Callable[..., bl.Fit]) -> bl.Fit:
    """A fit of the law that is a power law or a log-linear one, nearly sure to be the first."""
    rng = np.random.default_rng(5)
    known = {"m": 3.0, "s": 0.3, "kappa": 1.2}
    drawn = {n: v * np.exp(0.01 * rng.standard_normal((2, 50, 1))) for n, v in known.items()}
    drawn["N_0"] = np.full((2, 50, 1), 1e7)
    table = pd.DataFrame({"N": [1e6, 1e7, 1e8], "loss": [4.0, 3.0, 2.5]})
    runs = bl.read_runs(table, predictors=["N"])
    return known_fit(bl.laws.curvature, drawn, runs)


def answer(fit: bl.Fit, driven_by: list[str]) -> str:
    learned = pd.DataFrame({"driven_by": driven_by}, index=list("msk")[: len(driven_by)])
    diagnosis = Diagnosis(Gate.of(fit.tree), learned, ())
    [block] = about_answer(
        fit, lines_of(fit, None, None, (), 0), Judged(None, None), diagnosis
    ).blocks
    return " ".join(block.lines)  # type: ignore[union-attr]


def test_kind_of_law_is_told(curved: bl.Fit) -> None:
    [name] = [name for name, _ in bl.region_probabilities(curved).iloc[0].nlargest(1).items()]
    assert f"all: {name} with probability 1.00." in answer(curved, ["data"])


@pytest.mark.parametrize(
    ("driven_by", "told"),
    [
        (["prior", "data"], "m is the prior's rather than the data's"),
        (["prior", "data", "prior"], "m, k are the prior's rather than the data's"),
    ],
)
def test_prior_driven_parameters_are_named(curved: bl.Fit, driven_by: list[str], told: str) -> None:
    assert told in answer(curved, driven_by)
    assert "the prior's" not in answer(curved, ["data"])


def test_failed_fit_has_no_verdict(curved: bl.Fit) -> None:
    tree = curved.tree.copy()
    tree.attrs["gate"] = replace(Gate.of(tree), divergences=3).to_json()
    told = answer(replace(curved, tree=tree), ["data"])
    assert "with probability 1.00" not in told
    assert "Converged" not in told
