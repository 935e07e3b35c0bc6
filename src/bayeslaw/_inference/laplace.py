"""What each curve says by itself: a quick mode and its information, to place the sampler.

Nothing here enters the posterior. It only decides, curve by curve and parameter by parameter,
how far the sampler's coordinates follow the data (centred) or the population (non-centred).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bayeslaw._inference.coordinates import Coordinates, Frame, SumOfTerms
from bayeslaw._inference.hierarchy import (
    HierarchyLayout,
    coordinate_roles,
    groupings,
    hierarchy_layout,
    is_pooled,
)
from bayeslaw._inference.map_gls import GlsExpansion, gls_mode
from bayeslaw._inference.map_search import Search, derivative, spread_of, wide
from bayeslaw._inference.marginal_discrepancy import marginal_discrepancy
from bayeslaw._inference.run_arrays import RunArrays, population_prior
from bayeslaw._law.roles import link_normal
from bayeslaw.model.model import Model

__all__ = [
    "LaplaceApproximation",
    "LocalExpansion",
    "TypicalCurve",
    "distinct_modes",
    "laplace_approximation",
]

ROUNDS = 3  # of finding modes and of what they let one expect of each other
AROUND, SILENT = (-0.1, 0.1), -8.0  # e-folds of noise, to see what depends on it
TINY = 1e-6
FURTHEST = 2.0  # spreads that a mode may be from where it is with what was expected of it


@dataclass(frozen=True)
class LocalExpansion:
    """What curves would say of their law around the mode, to first order.

    Parameters
    ----------
    noise_alone : array (law parameters, noise parameters, curves)
        What part of the information on each parameter at the pivot is as the inverse square of a
        parameter of the noise alone.
    noise_share : array (law parameters, noise parameters, curves)
        What part of the variance by the rest of the information is as the square of each.
    noise_shift : array (law parameters, curves)
        How far the mode is that information of the first kind leads to.
    bend : array (law parameters, law parameters, curves)
        How much each reference coordinate changes with the pivot coordinates of others.
    """

    noise_alone: np.ndarray
    noise_share: np.ndarray
    noise_shift: np.ndarray
    bend: np.ndarray


@dataclass(frozen=True)
class LaplaceApproximation:
    """Mode and information of each curve.

    Parameters
    ----------
    pivot_mode, pivot_information : mapping of str to array (curves,)
        In pivot coordinates.
    mode, information : mapping of str to array (curves,)
        In reference coordinates.
    nearby : LocalExpansion
        How that changes with the noise, and from one parameter to another.
    """

    pivot_mode: Mapping[str, np.ndarray]
    pivot_information: Mapping[str, np.ndarray]
    mode: Mapping[str, np.ndarray]
    information: Mapping[str, np.ndarray]
    nearby: LocalExpansion

    @property
    def n_curves(self) -> int:
        """Number of curves."""
        return next(iter(self.mode.values())).size


class TypicalCurve(NamedTuple):
    """What curves say of their population, at the pivot of a typical curve.

    Parameters
    ----------
    mode, information : array (parameters, curves)
        Of the law, where sums of terms are at that pivot, then of the noise.
    mixed : array (curves, parameters, parameters)
        How much each coordinate there changes with each at the reference.
    """

    mode: np.ndarray
    information: np.ndarray
    mixed: np.ndarray

    @classmethod
    def of(
        cls,
        system: Coordinates,
        frame: Frame,
        laplace: LaplaceApproximation,
        names: tuple[str, ...],
    ) -> TypicalCurve:
        """By what a pilot found of named parameters."""
        modes, told, here = (
            np.array([each[name] for name in names])
            for each in (laplace.mode, laplace.pivot_information, laplace.information)
        )
        if not isinstance(system, SumOfTerms):
            return cls(modes, here, np.tile(np.eye(len(modes)), (laplace.n_curves, 1, 1)))
        whole = dict.fromkeys(system.roles, 1.0)

        def there(law: np.ndarray) -> np.ndarray:
            moved = system.to_pivot(dict(zip(system.roles, law, strict=True)), frame, whole)
            return np.array([moved[name] for name in system.roles])

        n, mixed = len(system.roles), np.tile(np.eye(len(modes)), (laplace.n_curves, 1, 1))
        mixed[:, :n, :n] = np.moveaxis(derivative(there, modes[:n]), -1, 0)
        return cls(np.concatenate([there(modes[:n]), modes[n:]]), told, mixed)


def laplace_approximation(
    model: Model, coordinates: Coordinates, run_arrays: RunArrays
) -> LaplaceApproximation:
    """Mode and information of each curve by damped Gauss-Newton steps, all curves at once.

    Residuals are weighted as the noise asks, under a wide prior. Where there may be several modes
    it is the one with the largest posterior mass around it. A discrepancy is reckoned with once
    the mode of independent noise is found.

    Parameters
    ----------
    model : Model
        The model.
    coordinates : Coordinates
        Coordinates of its law.
    design : RunArrays
        The runs.

    Returns
    -------
    LaplaceApproximation
    """
    search = Search(model, coordinates, run_arrays, run_arrays.level)
    found = _found(search, search.optima()[0])
    if is_pooled(model, run_arrays.curves):
        where = hierarchy_layout(groupings(model, run_arrays.curves), list(found.information))
        for _ in range(ROUNDS):
            search = search.expecting(_expected(search, found, where))
            found = _found(search, found.eta, found.logs)
    return _pilot(search, found)


@dataclass(frozen=True)
class _Found:
    """A mode: pivot coordinates of the law, and by name modes and information of everything.

    Next to a discrepancy also logarithms of the scatter.
    """

    eta: np.ndarray
    mode: Mapping[str, np.ndarray]
    pivot_information: Mapping[str, np.ndarray]
    information: Mapping[str, np.ndarray]
    nearby: LocalExpansion
    logs: np.ndarray | None


def _found(search: Search, eta: np.ndarray, logs: np.ndarray | None = None) -> _Found:
    """The mode near a place and a scatter, a discrepancy reckoned with."""
    wrong = marginal_discrepancy(search.model, search.run_arrays)
    if wrong is None:
        names, told = ("sigma",), search.information(eta)
        known, beside = {"sigma": search.place(eta)["sigma"]}, {"sigma": told[0]["sigma"]}
        noise = _noise(search, names, lambda away: search.information(eta, away[0])[0])
        shift = np.zeros_like(eta)
    else:
        found, names = gls_mode(search, wrong, eta, logs), ("sigma", *wrong.names)
        eta, logs = found.eta, found.logs
        told = search.told(eta, found.curvature)
        known, beside = (
            dict(zip(names, rows, strict=True)) for rows in (found.logs, found.information)
        )
        scatter = GlsExpansion(search, wrong, found.eta, found.logs)
        noise = _noise(search, names, scatter.told)
        shift = scatter.mode(SILENT * np.eye(len(names))[0]) - eta
    modes, information = (_completed(search, values, i) for i, values in enumerate((known, beside)))
    law = search.named(search.theta(eta))
    pivot, reference = ({n: each[n] for n in search.names} for each in told)
    nearby = LocalExpansion(*noise, shift, search.bend(eta) * (1 - np.eye(len(eta)))[..., None])
    return _Found(
        eta, {**law, **modes}, {**pivot, **information}, {**reference, **information}, nearby, logs
    )


def _noise(
    search: Search,
    scales: tuple[str, ...],
    told: Callable[[np.ndarray], Mapping[str, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray]:
    """See `LocalExpansion`: from what is told of the law where each scale is some e-folds away."""
    beside = [name for name in search.model.nuisance_roles if name in search.model.free]
    share = np.zeros((len(search.names), len(beside), search.run_arrays.n_curves))
    alone = np.zeros_like(share)

    def at(i: int, by: float) -> np.ndarray:
        found = told(by * np.eye(len(scales))[i])
        return np.array([found[name] for name in search.names])

    here = at(0, 0.0)
    first = np.clip(at(0, SILENT) / here * np.exp(2 * SILENT), 0, 1 - TINY)
    for i, name in enumerate(scales):
        if name in beside:
            rest = [at(i, by) / here - first * np.exp(-2 * by * (i == 0)) for by in AROUND]
            softer, louder = np.maximum(rest, TINY)
            share[:, beside.index(name)] = np.log(softer / louder) / (2 * np.ptp(AROUND))
    if "sigma" in beside:
        alone[:, beside.index("sigma")] = first
    share = np.maximum(share, 0)
    return alone, share / np.maximum(share.sum(axis=1, keepdims=True), 1)


def _completed(search: Search, known: Mapping[str, Any], which: int) -> dict[str, np.ndarray]:
    """Modes (0) or information (1) of all that is beside the law; else it is the prior's."""
    roles = {n: r for n, r in search.model.nuisance_roles.items() if n in search.model.free}
    if not roles:
        return {}
    center, precision = search.prior(roles)
    unknown = (center, 1e-3 * precision * np.ones(search.run_arrays.n_curves))[which]
    return {name: known.get(name, row) for name, row in zip(roles, unknown, strict=True)}


def _expected(search: Search, found: _Found, where: HierarchyLayout) -> dict[str, np.ndarray]:
    """What the other curves let one expect of each: the population and effects of its groups.

    Ridge regression of the modes, as precise as the curves tell them, with the usual spreads.
    """
    out, own = {}, _by_themselves(search, found)[1]
    for row, (name, role) in enumerate(coordinate_roles(search.model, search.coordinates).items()):
        first, last, low, high = where.bounds[row]
        levels = np.zeros((search.run_arrays.n_curves, high - low))
        for codes in where.codes[first:last]:
            levels[np.arange(len(levels)), codes - low] = 1
        members = np.column_stack([np.ones(len(levels)), levels])
        prior = link_normal(population_prior(search.model, name, role, search.level), role.link)
        prior = prior or wide(role.prior, role)
        spread = spread_of(role)
        mode, told = own[name]
        weight = 1 / (spread**2 + 1 / told)
        precision = np.diag([prior.sd**-2.0, *[spread**-2.0] * levels.shape[1]])
        right = members.T @ (weight * (mode - prior.mean))
        effects = np.linalg.solve(members.T @ (weight[:, None] * members) + precision, right)
        out[name] = prior.mean + members @ effects
    return out


def _own(mode: Any, center: Any, precision: Any, information: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mode and information of a curve's own data, without what was expected of it.

    Where the data only bound a parameter they push without telling where to: their mode is then
    put some way off, and their information is what pushes as much from there.
    """
    push = precision * (mode - center)
    information = np.maximum(information, np.abs(push) * np.sqrt(precision) / FURTHEST)
    return mode + push / information, information


def _by_themselves(search: Search, found: _Found) -> tuple[dict[str, Any], dict[str, Any]]:
    """Modes and information (pairs, by name) of the curves' own data, at pivot and reference."""
    law = search.names
    reference = {n: (mode, found.information[n]) for n, mode in found.mode.items()}
    pivot = {n: (eta, found.pivot_information[n]) for n, eta in search.named(found.eta).items()}
    pivot = {n: pivot.get(n, pair) for n, pair in reference.items()}
    if search.expected is None:  # the prior is wide: it does not matter
        return pivot, reference
    roles = coordinate_roles(search.model, search.coordinates)
    center, precision = (dict(zip(roles, rows, strict=True)) for rows in search.prior(roles))
    there = search.coordinates.to_pivot({n: center[n] for n in law}, search.frame, search.whole)
    own = {n: _own(m, center[n], precision[n], told) for n, (m, told) in reference.items()}
    moved = {n: _own(m, there[n], precision[n], told) for n, (m, told) in pivot.items() if n in law}
    return own | moved, own


def _pilot(search: Search, found: _Found) -> LaplaceApproximation:
    pivot, reference = _by_themselves(search, found)
    modes, information = (
        [{name: pair[i] for name, pair in each.items()} for each in (pivot, reference)]
        for i in (0, 1)
    )
    return LaplaceApproximation(modes[0], information[0], modes[1], information[1], found.nearby)


def distinct_modes(
    model: Model, coordinates: Coordinates, run_arrays: RunArrays
) -> list[dict[str, np.ndarray]]:
    """Modes of each curve that differ and have comparable posterior mass, the best first.

    Parameters
    ----------
    model : Model
        The model.
    coordinates : Coordinates
        Coordinates of its law.
    design : RunArrays
        The runs.

    Returns
    -------
    list of dict of str to array (curves,)
        In reference coordinates. As many as the curve with most of them has; the others repeat
        theirs.
    """
    search = Search(model, coordinates, run_arrays, run_arrays.level)
    return [dict(_found(search, eta).mode) for eta in search.optima()]
