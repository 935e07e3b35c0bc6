"""Partial pooling: groupings of parameters and the layout of their effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.hierarchy import (
    Grouping,
    coordinate_roles,
    groupings,
    hierarchy_layout,
    is_pooled,
    mean_given_population,
)
from bayeslaw.data.curves import curves_in
from bayeslaw.data.runs import grid
from bayeslaw.laws import power
from bayeslaw.model.model import Model
from bayeslaw.priors import Fixed

CROSSED = curves_in(grid(N=1e6, task=["a", "b"], data=["x", "y", "z"]))


def groupings_of(pooling: Any, table: xr.Dataset = CROSSED) -> dict[str, Grouping]:
    return groupings(Model(power, pooling=pooling), table)


def test_levels_are_counted_through_the_groups() -> None:
    grouping = groupings_of(["task", "data"])["alpha"]
    assert grouping.groups == ("task", "data")
    assert grouping.levels == (("a", "b"), ("x", "y", "z"))
    np.testing.assert_array_equal(grouping.codes, [[0, 0, 0, 1, 1, 1], [2, 3, 4, 2, 3, 4]])
    assert (grouping.size, grouping.starts) == (5, [0, 2])
    assert grouping.codes.dtype == np.int64


def test_each_parameter_has_its_own_groups() -> None:
    by_parameter = groupings_of({"alpha": ["data"], "L0": ["task", "data"]})
    assert {name: grouping.groups for name, grouping in by_parameter.items()} == {
        "L0": ("task", "data"),
        "k": (),
        "alpha": ("data",),
        "sigma": (),
        "tau": (),
    }
    assert by_parameter["k"].codes.shape == (0, 6)
    assert (by_parameter["k"].size, by_parameter["k"].starts) == (0, [])


def named(**labels: list[str]) -> xr.Dataset:
    """Curves with these labels of their groups."""
    n = len(next(iter(labels.values())))
    coords = {name: ("curve", np.array(values)) for name, values in labels.items()}
    return xr.Dataset(coords={"curve": [f"c{i}" for i in range(n)], **coords})


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"task": ["a", "a", "a"], "data": ["x", "y", "x"]}, ("data",)),  # one level
        ({"task": ["a", "b", "c"], "data": ["x", "y", "x"]}, ("data",)),  # a curve per level
        ({"task": ["a", "b", "a"], "data": ["x", "y", "x"]}, ("task",)),  # the same division
        ({"task": ["a", "b", "a"], "data": ["y", "x", "y"]}, ("task",)),  # under other names
        ({"task": ["a", "b", "c"], "data": ["x", "x", "x"]}, ()),
        ({"task": ["a", "a", "b", "b"], "data": ["x", "y", "z", "z"]}, ("task", "data")),  # nested
    ],
)
def test_uninformative_groups_are_dropped(labels: dict, expected: tuple[str, ...]) -> None:
    assert groupings_of(["task", "data"], named(**labels))["alpha"].groups == expected


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (
            "tusk",
            "pooling over 'tusk': the runs have no such group; did you mean 'task'? "
            "There are ['task', 'data']",
        ),
        (
            "zzz",
            "pooling over 'zzz': the runs have no such group. There are ['task', 'data']",
        ),
        (
            "curve",
            "pooling over 'curve': the runs have no such group. There are ['task', 'data']",
        ),
    ],
)
def test_unknown_groups_are_named(group: str, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        groupings_of({"alpha": [group]})
    assert str(error.value) == message


def test_layout_of_spreads_and_levels() -> None:
    layout = hierarchy_layout(
        groupings_of({"alpha": ["data"], "L0": ["task", "data"]}), ["L0", "k", "alpha"]
    )
    assert layout.spreads == [
        *[(name, "own") for name in ("L0", "k", "alpha")],
        ("L0", "task"),
        ("L0", "data"),
        ("alpha", "data"),
    ]
    labels = [("task", "a"), ("task", "b"), ("data", "x"), ("data", "y"), ("data", "z")]
    assert layout.levels == [
        *[("L0", *label) for label in labels],
        *[("alpha", *label) for label in labels[2:]],
    ]
    assert layout.spread_of_level == [3, 3, 4, 4, 4, 5, 5, 5]
    np.testing.assert_array_equal(
        layout.bounds, [[0, 2, 0, 5, 2], [2, 2, 5, 5, 5], [2, 3, 5, 8, 8]]
    )
    np.testing.assert_array_equal(
        layout.codes, [[0, 0, 0, 1, 1, 1], [2, 3, 4, 2, 3, 4], [5, 6, 7, 5, 6, 7]]
    )


def test_layout_agrees_with_labels_of_the_curves() -> None:
    layout = hierarchy_layout(groupings_of(["task", "data"]), ["L0", "k", "alpha", "sigma"])
    for row, (first, last, low, high, _) in enumerate(layout.bounds):
        for codes in layout.codes[first:last]:
            assert np.all((low <= codes) & (codes < high))
            for curve, code in enumerate(codes):
                name, group, level = layout.levels[code]
                assert name == ["L0", "k", "alpha", "sigma"][row]
                assert level == str(CROSSED[group].values[curve])


def test_mean_of_a_curve_is_the_center_and_the_effects_of_its_groups() -> None:
    names = ["L0", "k", "alpha"]
    layout = hierarchy_layout(groupings_of({"alpha": ["data"], "L0": ["task", "data"]}), names)
    rng = np.random.default_rng(3)
    center, effects = rng.normal(size=3), rng.normal(size=len(layout.levels))
    mean = mean_given_population(center, effects, layout.codes, layout.bounds)
    for row, name in enumerate(names):
        for curve in range(CROSSED.sizes["curve"]):
            own = [
                effect
                for effect, (owner, group, level) in zip(effects, layout.levels, strict=True)
                if owner == name and str(CROSSED[group].values[curve]) == level
            ]
            np.testing.assert_allclose(mean[row, curve], center[row] + sum(own), rtol=1e-14)


def test_nothing_pooled_has_no_levels() -> None:
    layout = hierarchy_layout(groupings_of(()), ["L0", "k"])
    assert (layout.levels, layout.spread_of_level) == ([], [])
    assert layout.codes.shape == (0, 6)


def test_roles_of_law_noise_and_discrepancy() -> None:
    model = Model(power, priors={"alpha": Fixed(0.3)})
    roles = coordinate_roles(model, coordinates(model))
    assert {name: role.name for name, role in roles.items()} == {
        "L0": "share",
        "k": "level",
        "sigma": "noise",
        "tau": "discrepancy",
    }
    silent = Model(power, priors={"sigma": Fixed(0.01)}, discrepancy=None)
    assert list(coordinate_roles(silent, coordinates(silent))) == ["L0", "k", "alpha"]


@pytest.mark.parametrize(
    ("pooling", "n_curves", "expected"),
    [(["task"], 3, True), ((), 3, True), (None, 3, False), (["task"], 1, False)],
)
def test_there_is_a_population(pooling: Any, n_curves: int, expected: bool) -> None:
    table = named(task=["a", "b", "a"][:n_curves])
    assert is_pooled(Model(power, pooling=pooling), table) is expected
