"""Partial pooling: the groups each parameter is pooled over, and the layout of their effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayeslaw._inference.coordinates import Coordinates
from bayeslaw._law.roles import Role
from bayeslaw._suggestions import did_you_mean
from bayeslaw.model.model import Model

__all__ = [
    "Grouping",
    "HierarchyLayout",
    "coordinate_roles",
    "groupings",
    "hierarchy_layout",
    "is_pooled",
    "level_effects",
    "mean_given_population",
]


@dataclass(frozen=True)
class Grouping:
    """The groups that one parameter is pooled over, redundant ones dropped.

    `levels` of each group are in order of first appearance; `codes` (groups, curves) give the level
    of each curve, numbered through all groups.
    """

    groups: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    codes: np.ndarray

    @property
    def size(self) -> int:
        """Number of levels of all groups."""
        return sum(map(len, self.levels))

    @property
    def starts(self) -> list[int]:
        """Number of the first level of each group."""
        return [sum(map(len, self.levels[:i])) for i in range(len(self.groups))]


@dataclass(frozen=True)
class HierarchyLayout:
    """Layout of the vectors of spreads and group effects of all parameters.

    `spreads` has one (parameter, group) per standard deviation; the spreads between curves come
    first, under the group "own". `levels` has one (parameter, group, level) per group effect, and
    `spread_of_level` the index of its spread. `codes` (groupings, curves) give the level of each
    curve. `bounds` (parameters, 5) hold the first grouping of each parameter, one past its last,
    its first level, one past its last, and the first level of its second grouping.
    """

    spreads: list[tuple[str, str]]
    levels: list[tuple[str, str, str]]
    spread_of_level: list[int]
    codes: np.ndarray
    bounds: np.ndarray


def hierarchy_layout(groupings: Mapping[str, Grouping], names: list[str]) -> HierarchyLayout:
    """The layout of spreads and group effects for parameters in this order."""
    spreads, levels = [(name, "own") for name in names], []
    spread_of_level: list[int] = []
    codes, bounds = [], []
    for name in names:
        grouping, start = groupings[name], len(levels)
        for group, labels in zip(grouping.groups, grouping.levels, strict=True):
            spread_of_level += [len(spreads)] * len(labels)
            spreads.append((name, group))
            levels += [(name, group, label) for label in labels]
        first = sum(map(len, codes))
        dense = start + len(grouping.levels[0]) if grouping.groups else start
        bounds.append((first, first + len(grouping.groups), start, len(levels), dense))
        codes.append(grouping.codes + start)
    return HierarchyLayout(
        spreads, levels, spread_of_level, np.concatenate(codes), np.array(bounds)
    )


def coordinate_roles(model: Model, system: Coordinates) -> dict[str, Role]:
    """Free parameters and their roles as coordinates: of the law, then of noise and discrepancy."""
    nuisance = {name: role for name, role in model.nuisance_roles.items() if name in model.free}
    return {**system.roles, **nuisance}


def is_pooled(model: Model, curves: xr.Dataset) -> bool:
    """Whether there is a population: pooling is requested and there is more than one curve."""
    return model.pooling is not None and curves.sizes["curve"] > 1


def groupings(model: Model, curves: xr.Dataset) -> dict[str, Grouping]:
    """Groups over which each free parameter is pooled, by parameter.

    A group is dropped if it has one level, has one curve per level (that is the curve's own
    deviation), or partitions the curves as an earlier group does.
    """
    return {name: _grouping(model.groups_of(name), curves) for name in model.free}


def _grouping(requested: tuple[str, ...], curves: xr.Dataset) -> Grouping:
    levels: dict[str, tuple[str, ...]] = {}
    codes: list[np.ndarray] = []
    for group in requested:
        labels, code = _levels_and_codes(group, curves)
        repeats = any(np.array_equal(code, other) for other in codes)
        if 1 < len(labels) < code.size and not repeats:
            levels[group] = labels
            codes.append(code)
    starts = np.cumsum([0, *map(len, levels.values())])[: len(levels)]
    numbered = [code + start for code, start in zip(codes, starts, strict=True)]
    shape = (len(levels), curves.sizes["curve"])
    return Grouping(
        tuple(levels), tuple(levels.values()), np.array(numbered, dtype=np.int64).reshape(shape)
    )


def _levels_and_codes(group: str, curves: xr.Dataset) -> tuple[tuple[str, ...], np.ndarray]:
    known = [str(name) for name in curves.coords if name != "curve"]
    if group not in known:
        hint = did_you_mean(group, known)
        raise ValueError(
            f"pooling over {group!r}: the runs have no such group{hint} There are {known}"
        )
    labels = [str(label) for label in curves[group].values]
    levels = tuple(dict.fromkeys(labels))
    return levels, np.array([levels.index(label) for label in labels], dtype=np.int64)


def level_effects(
    unconstrained: xr.Dataset, layout: HierarchyLayout
) -> dict[tuple[str, str, str], np.ndarray]:
    """Group effects on the link scale (chain, draw), by parameter, group and level."""
    if not layout.levels:
        return {}
    spread = unconstrained["spread"].values[..., layout.spread_of_level]
    effects = spread * unconstrained["effects"].values
    return {level: effects[..., i] for i, level in enumerate(layout.levels)}


def mean_given_population(
    center: np.ndarray, effects: np.ndarray, codes: np.ndarray, bounds: np.ndarray
) -> np.ndarray:
    """Mean of each curve given its population, shape (parameters, curves).

    `center` is (parameters,); `effects` (levels,) are group effects on the link scale.
    """
    sums = [effects[codes[first:last]].sum(axis=0) for first, last, *_ in bounds]
    return center[:, None] + np.array(sums)
