"""Which parameter varies over which groups, once the data have had their say."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayeslaw._inference.coordinates import Coordinates
from bayeslaw._kernels.group_effects import gather_effects
from bayeslaw._law.roles import Role
from bayeslaw.model.model import Model

__all__ = [
    "Grouping",
    "HierarchyLayout",
    "coordinate_roles",
    "groupings",
    "hierarchy_layout",
    "is_pooled",
    "mean_given_population",
]


@dataclass(frozen=True)
class Grouping:
    """The groups that one parameter is pooled over.

    Parameters
    ----------
    groups : tuple of str
        Names of the groups that are left.
    levels : tuple of tuple of str
        Levels of each group, in order of first appearance.
    codes : array of int, shape (groups, curves)
        Level of each curve, counted through all groups.
    """

    groups: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    codes: np.ndarray

    @property
    def size(self) -> int:
        """Number of levels in all."""
        return sum(map(len, self.levels))

    @property
    def starts(self) -> list[int]:
        """Number of the first level of each group."""
        return [sum(map(len, self.levels[:i])) for i in range(len(self.groups))]


@dataclass(frozen=True)
class HierarchyLayout:
    """Where the spreads and levels of all parameters stand in their vectors.

    Parameters
    ----------
    spreads : list of (parameter, group)
        One per standard deviation; the curves' own come first, under the group "own".
    levels : list of (parameter, group, level)
        One per group effect.
    spread_of_level : list of int
        Which spread each level has.
    codes : array of int, shape (groupings, curves)
        Level of each curve.
    bounds : array of int, shape (parameters, 4)
        First grouping, one past the last, first level, one past the last, of each parameter.
    """

    spreads: list[tuple[str, str]]
    levels: list[tuple[str, str, str]]
    spread_of_level: list[int]
    codes: np.ndarray
    bounds: np.ndarray


def hierarchy_layout(kept: Mapping[str, Grouping], names: list[str]) -> HierarchyLayout:
    """The layout of spreads and levels.

    Parameters
    ----------
    kept : mapping of str to Grouping
        Groupings of each parameter.
    names : list of str
        The parameters, in order.

    Returns
    -------
    Layout
    """
    spreads, levels = [(name, "own") for name in names], []
    spread_of_level: list[int] = []
    codes, bounds = [], []
    for name in names:
        grouping, start = kept[name], len(levels)
        for group, labels in zip(grouping.groups, grouping.levels, strict=True):
            spread_of_level += [len(spreads)] * len(labels)
            spreads.append((name, group))
            levels += [(name, group, label) for label in labels]
        first = sum(map(len, codes))
        bounds.append((first, first + len(grouping.groups), start, len(levels)))
        codes.append(grouping.codes + start)
    return HierarchyLayout(
        spreads, levels, spread_of_level, np.concatenate(codes), np.array(bounds)
    )


def coordinate_roles(model: Model, system: Coordinates) -> dict[str, Role]:
    """The free parameters of the model and their roles as coordinates, in order, the law's first.

    Parameters
    ----------
    model : Model
        The model.
    system : Coordinates
        Coordinates of its law.

    Returns
    -------
    dict of str to Role
    """
    beside = {name: role for name, role in model.nuisance_roles.items() if name in model.free}
    return {**system.roles, **beside}


def is_pooled(model: Model, curves: xr.Dataset) -> bool:
    """Whether there is a population: pooling is asked for and there is more than one curve.

    Parameters
    ----------
    model : Model
        The model.
    curves : xarray.Dataset
        The curves of the runs.

    Returns
    -------
    bool
    """
    return model.pooling is not None and curves.sizes["curve"] > 1


def groupings(model: Model, curves: xr.Dataset) -> dict[str, Grouping]:
    """Groups of each free parameter that carry information of their own.

    A group with one level, with one curve per level (the curve's own deviation) or that divides
    the curves as an earlier one does is left out.

    Parameters
    ----------
    model : Model
        The model.
    curves : xarray.Dataset
        The curves of the runs, with the groups as coordinates.

    Returns
    -------
    dict of str to Grouping

    Raises
    ------
    ValueError
        If the model pools over a group that the runs do not have.
    """
    return {name: _grouping(model.groups_of(name), curves) for name in model.free}


def _grouping(asked: tuple[str, ...], curves: xr.Dataset) -> Grouping:
    kept: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for group in asked:
        levels, codes = _coded(group, curves)
        repeats = any(np.array_equal(codes, other) for _, other in kept.values())
        if 1 < len(levels) < codes.size and not repeats:
            kept[group] = levels, codes
    starts = np.cumsum([0, *(len(levels) for levels, _ in kept.values())])[: len(kept)]
    codes = [code + start for (_, code), start in zip(kept.values(), starts, strict=True)]
    shape = (len(kept), curves.sizes["curve"])
    return Grouping(
        tuple(kept),
        tuple(levels for levels, _ in kept.values()),
        np.array(codes, dtype=np.int64).reshape(shape),
    )


def _coded(group: str, curves: xr.Dataset) -> tuple[tuple[str, ...], np.ndarray]:
    known = [str(name) for name in curves.coords if name != "curve"]
    if group not in known:
        near = difflib.get_close_matches(group, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(
            f"pooling over {group!r}: the runs have no such group{hint} There are {known}"
        )
    labels = [str(label) for label in curves[group].values]
    levels = tuple(dict.fromkeys(labels))
    return levels, np.array([levels.index(label) for label in labels], dtype=np.int64)


def mean_given_population(
    center: np.ndarray, effects: np.ndarray, codes: np.ndarray, bounds: np.ndarray
) -> np.ndarray:
    """Mean of each curve given its population, shape (parameters, curves).

    `center` is (parameters,), `effects` are group effects on the link scale (levels,); `codes` and
    `bounds` are those of `HierarchyLayout`.
    """
    return center[:, None] + gather_effects(effects, codes, bounds)
