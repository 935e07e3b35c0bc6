"""Shares of the variance of choices: identities, and values worked out by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeslaw.comparison.variance_decomposition import variance_shares

SIZES = {"law": 3, "noise": 2, "drop": 2}
effects = st.lists(st.floats(-3, 3), min_size=7, max_size=7)


def crossed() -> dict[str, list[str]]:
    rows = list(itertools.product(*(map(str, range(n)) for n in SIZES.values())))
    return {name: [row[i] for row in rows] for i, name in enumerate(SIZES)}


@settings(deadline=None)
@given(effects)
def test_additive_choices(values: list[float]) -> None:
    choices, effect = crossed(), iter(values)
    by_level = {name: [next(effect) for _ in range(n)] for name, n in SIZES.items()}
    summed = sum(np.array([by_level[n][int(i)] for i in choices[n]]) for n in SIZES)
    assert isinstance(summed, np.ndarray)
    if np.var(summed) < 1e-6:
        return
    shares = variance_shares(summed, choices)
    parts = shares.drop("all choices")
    np.testing.assert_allclose(parts["first_order"], parts["total"], atol=1e-9)
    assert parts["first_order"].sum() == pytest.approx(1, abs=1e-9)
    expected = [np.std(by_level[name]) for name in SIZES]
    np.testing.assert_allclose(parts["sd"], expected, atol=1e-9)
    assert shares.loc["all choices", "sd"] == pytest.approx(np.std(summed))


@settings(deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=12, max_size=12))
def test_bounds_in_a_full_cross(values: list[float]) -> None:
    if np.var(values) < 1e-6:
        return
    shares = variance_shares(np.array(values), crossed())
    parts = shares.drop("all choices")
    assert parts["first_order"].sum() <= 1 + 1e-9
    assert parts["total"].sum() >= 1 - 1e-9
    assert np.all(parts["first_order"] <= parts["total"] + 1e-9)


def test_a_pure_interaction() -> None:
    choices = {"law": ["a", "a", "b", "b"], "noise": ["x", "y", "x", "y"]}
    shares = variance_shares(np.array([1.0, -1.0, -1.0, 1.0]), choices)
    assert shares["first_order"].to_list() == [0.0, 0.0, 1.0]
    assert shares["total"].to_list() == [1.0, 1.0, 1.0]
    assert shares["sd"].to_list() == [0.0, 0.0, 1.0]
    assert shares.index.to_list() == ["law", "noise", "all choices"]
    assert shares.index.name == "source"


def test_one_choice_is_all() -> None:
    shares = variance_shares(np.array([1.0, 3.0]), {"law": ["a", "b"]})
    assert shares.loc["law"].to_dict() == {"sd": 1.0, "first_order": 1.0, "total": 1.0}


def test_no_variance_has_no_shares() -> None:
    shares = variance_shares(np.ones(2), {"law": ["a", "b"]})
    assert shares["sd"].to_list() == [0.0, 0.0]
    assert shares[["first_order", "total"]].isna().all(axis=None)


def test_two_additive_choices() -> None:
    choices = {"law": ["a", "a", "b", "b"], "noise": ["x", "y", "x", "y"]}
    shares = variance_shares(np.array([0.0, 1.0, 2.0, 3.0]), choices)
    assert shares["total"].tolist() == [0.8, 0.2, 1.0]
