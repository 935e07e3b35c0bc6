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
from bayeslaw.report.answer import answer_section
from bayeslaw.report.comparison import Evaluation
from bayeslaw.report.requested_lines import requested_lines


@pytest.fixture(scope="module")
def curved(known_fit: Callable[..., bl.Fit]) -> bl.Fit:
    """A fit of the law between log-linear and power law, almost certainly a power law."""
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
    lines = requested_lines(fit, None, None, (), 0)
    [block] = answer_section(fit, lines, Evaluation(None, None), diagnosis).blocks
    return " ".join(block.lines)  # type: ignore[union-attr]


def test_most_probable_region_is_reported(curved: bl.Fit) -> None:
    [name] = [name for name, _ in bl.region_probabilities(curved).iloc[0].nlargest(1).items()]
    assert f"all: {name} with probability 1.00." in answer(curved, ["data"])


@pytest.mark.parametrize(
    ("driven_by", "sentence"),
    [
        (["prior", "data"], "m is driven by the prior, not the data"),
        (["prior", "data", "prior"], "m, k are driven by the prior, not the data"),
    ],
)
def test_prior_driven_parameters_are_named(
    curved: bl.Fit, driven_by: list[str], sentence: str
) -> None:
    assert sentence in answer(curved, driven_by)
    assert "the prior" not in answer(curved, ["data"])


def test_failed_fit_reports_no_region(curved: bl.Fit) -> None:
    tree = curved.tree.copy()
    tree.attrs["gate"] = replace(Gate.of(tree), divergences=3).to_json()
    text = answer(replace(curved, tree=tree), ["data"])
    assert "with probability 1.00" not in text
    assert "Converged" not in text
