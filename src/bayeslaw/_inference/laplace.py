"""Laplace approximation of each curve by itself: MAP mode and Fisher information.

Nothing here enters the posterior. It only decides, curve by curve and parameter by parameter,
how far the whitened coordinates follow the data (centred) or the population (non-centred).
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
from bayeslaw._inference.map_search import (
    Search,
    central_differences,
    single_curve_prior,
    typical_spread,
)
from bayeslaw._inference.marginal_discrepancy import MarginalDiscrepancy, marginal_discrepancy
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

POOLING_ROUNDS = 3  # of modes given the population, and the population given the modes
SIGMA_STEPS = (-0.1, 0.1)  # in log sigma or log tau, for numerical derivatives
LOG_NO_NOISE = -8.0  # in log sigma, relative to the mode: next to no noise
TINY = 1e-6
MAX_SHIFT = 2.0  # spreads from a mode to the mode without the population's prior

type NamedArrays = Mapping[str, np.ndarray]
type NoiseShares = tuple[np.ndarray, np.ndarray]  # (law parameters, noise parameters, curves)


@dataclass(frozen=True)
class LocalExpansion:
    """How information and mode change with the noise, to first order around the mode.

    noise_alone : array (law parameters, noise parameters, curves)
        Part of the information at the pivot that is proportional to the inverse square of one
        noise parameter.
    noise_share : array (law parameters, noise parameters, curves)
        Part of the remaining variance that is proportional to the square of each.
    noise_shift : array (law parameters, curves)
        Shift of the mode when only the first part of the information is left.
    jacobian : array (law parameters, law parameters, curves)
        Derivatives of each reference coordinate with respect to the other pivot coordinates.
    """

    noise_alone: np.ndarray
    noise_share: np.ndarray
    noise_shift: np.ndarray
    jacobian: np.ndarray


@dataclass(frozen=True)
class LaplaceApproximation:
    """Mode and information (curves,) of each parameter, in pivot and in reference coordinates."""

    pivot_mode: NamedArrays
    pivot_information: NamedArrays
    mode: NamedArrays
    information: NamedArrays
    expansion: LocalExpansion

    @property
    def n_curves(self) -> int:
        """Number of curves."""
        return next(iter(self.mode.values())).size


class TypicalCurve(NamedTuple):
    """Modes and information of all curves at the pivot of a typical curve.

    mode, information : array (parameters, curves)
        Of the law, then of the noise. Only sums of terms have a pivot of their own.
    jacobian : array (curves, parameters, parameters)
        Derivatives of the coordinates there with respect to reference coordinates.
    """

    mode: np.ndarray
    information: np.ndarray
    jacobian: np.ndarray

    @classmethod
    def of(
        cls,
        system: Coordinates,
        frame: Frame,
        laplace: LaplaceApproximation,
        names: tuple[str, ...],
    ) -> TypicalCurve:
        """From the Laplace approximation of the named parameters."""
        modes, pivot_information, information = (
            np.array([values[name] for name in names])
            for values in (laplace.mode, laplace.pivot_information, laplace.information)
        )
        jacobian = np.tile(np.eye(len(modes)), (laplace.n_curves, 1, 1))
        if not isinstance(system, SumOfTerms):
            return cls(modes, information, jacobian)
        whole = dict.fromkeys(system.roles, 1.0)

        def at_pivot(theta: np.ndarray) -> np.ndarray:
            eta = system.to_pivot(dict(zip(system.roles, theta, strict=True)), frame, whole)
            return np.array([eta[name] for name in system.roles])

        n = len(system.roles)
        jacobian[:, :n, :n] = np.moveaxis(central_differences(at_pivot, modes[:n]), -1, 0)
        return cls(np.concatenate([at_pivot(modes[:n]), modes[n:]]), pivot_information, jacobian)


def laplace_approximation(
    model: Model, coordinates: Coordinates, run_arrays: RunArrays
) -> LaplaceApproximation:
    """Mode and information of each curve by damped Gauss-Newton steps, all curves at once.

    The prior is wide, and residuals have the weights of Student-t noise. Of several modes it is
    the one with the largest posterior mass. A discrepancy enters after the search with
    independent noise. Pooled curves get their prior from the modes of the others, by iteration.
    """
    search = Search(model, coordinates, run_arrays, run_arrays.level)
    modes = _curve_modes(search, search.modes()[0])
    if is_pooled(model, run_arrays.curves):
        layout = hierarchy_layout(groupings(model, run_arrays.curves), list(modes.information))
        for _ in range(POOLING_ROUNDS):
            search = search.expecting(_population_mean(search, modes, layout))
            modes = _curve_modes(search, modes.eta, modes.log_scales)
    return _approximation(search, modes)


@dataclass(frozen=True)
class _CurveModes:
    """A mode of each curve: pivot coordinates of the law, and all parameters by name.

    With a discrepancy, log_scales are the logarithms of sigma and tau.
    """

    eta: np.ndarray
    mode: NamedArrays
    pivot_information: NamedArrays
    information: NamedArrays
    expansion: LocalExpansion
    log_scales: np.ndarray | None


class _NoiseMode(NamedTuple):
    """Mode of the noise, information on law and noise, and how the first depends on the second."""

    mode: NamedArrays
    information: NamedArrays
    pivot_information: NamedArrays  # on the law
    reference_information: NamedArrays
    shares: NoiseShares
    shift: np.ndarray


def _curve_modes(
    search: Search, eta: np.ndarray, log_scales: np.ndarray | None = None
) -> _CurveModes:
    """The mode near a point (parameters, curves), with the discrepancy if there is one."""
    discrepancy = marginal_discrepancy(search.model, search.run_arrays)
    if discrepancy is None:
        noise = _independent_noise(search, eta)
    else:
        eta, log_scales, noise = _with_discrepancy(search, discrepancy, eta, log_scales)
    modes, information = (
        _with_prior_values(search, values, i)
        for i, values in enumerate((noise.mode, noise.information))
    )
    law = search.named(search.theta(eta))
    pivot, reference = (
        {name: values[name] for name in search.names}
        for values in (noise.pivot_information, noise.reference_information)
    )
    jacobian = search.coordinate_jacobian(eta) * (1 - np.eye(len(eta)))[..., None]
    return _CurveModes(
        eta,
        {**law, **modes},
        {**pivot, **information},
        {**reference, **information},
        LocalExpansion(*noise.shares, noise.shift, jacobian),
        log_scales,
    )


def _independent_noise(search: Search, eta: np.ndarray) -> _NoiseMode:
    pivot, reference = search.information(eta)
    shares = _noise_shares(
        search, ("sigma",), lambda log_ratio: search.information(eta, log_ratio[0])[0]
    )
    mode = {"sigma": search.reference_mode(eta)["sigma"]}
    return _NoiseMode(mode, {"sigma": pivot["sigma"]}, pivot, reference, shares, np.zeros_like(eta))


def _with_discrepancy(
    search: Search,
    discrepancy: MarginalDiscrepancy,
    eta: np.ndarray,
    log_scales: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, _NoiseMode]:
    gls, names = gls_mode(search, discrepancy, eta, log_scales), ("sigma", *discrepancy.names)
    pivot, reference = search.marginal_information(gls.eta, gls.hessian)
    mode, information = (
        dict(zip(names, rows, strict=True)) for rows in (gls.log_scales, gls.information)
    )
    expansion = GlsExpansion(search, discrepancy, gls.eta, gls.log_scales)
    shares = _noise_shares(search, names, expansion.information)
    shift = expansion.mode(LOG_NO_NOISE * np.eye(len(names))[0]) - gls.eta
    noise = _NoiseMode(mode, information, pivot, reference, shares, shift)
    return gls.eta, gls.log_scales, noise


def _noise_shares(
    search: Search,
    scales: tuple[str, ...],
    information: Callable[[np.ndarray], NamedArrays],
) -> NoiseShares:
    """See `LocalExpansion`; `information` is on the law, at log ratios (scales,) to the mode."""
    noise = [name for name in search.model.nuisance_roles if name in search.model.free]
    share = np.zeros((len(search.names), len(noise), search.run_arrays.n_curves))
    alone = np.zeros_like(share)

    def at(i: int, log_ratio: float) -> np.ndarray:
        values = information(log_ratio * np.eye(len(scales))[i])
        return np.array([values[name] for name in search.names])

    at_mode = at(0, 0.0)
    first = np.clip(at(0, LOG_NO_NOISE) / at_mode * np.exp(2 * LOG_NO_NOISE), 0, 1 - TINY)
    for i, name in enumerate(scales):
        if name in noise:
            rest = [
                at(i, step) / at_mode - first * np.exp(-2 * step * (i == 0)) for step in SIGMA_STEPS
            ]
            less_noise, more_noise = np.maximum(rest, TINY)
            share[:, noise.index(name)] = np.log(less_noise / more_noise) / (
                2 * np.ptp(SIGMA_STEPS)
            )
    if "sigma" in noise:
        alone[:, noise.index("sigma")] = first
    share = np.maximum(share, 0)
    return alone, share / np.maximum(share.sum(axis=1, keepdims=True), 1)


def _with_prior_values(search: Search, known: NamedArrays, which: int) -> NamedArrays:
    """Modes (0) or information (1) of all noise parameters; the prior's where not known."""
    roles = {n: r for n, r in search.model.nuisance_roles.items() if n in search.model.free}
    if not roles:
        return {}
    center, precision = search.prior(roles)
    unknown = (center, 1e-3 * precision * np.ones(search.run_arrays.n_curves))[which]
    return {name: known.get(name, row) for name, row in zip(roles, unknown, strict=True)}


def _population_mean(
    search: Search, modes: _CurveModes, layout: HierarchyLayout
) -> dict[str, np.ndarray]:
    """Mean of each curve given the others: population and group effects by ridge regression.

    Modes have the weight of their information; spreads are the typical ones.
    """
    means, own = {}, _likelihood_only(search, modes)[1]
    for row, (name, role) in enumerate(coordinate_roles(search.model, search.coordinates).items()):
        first, last, low, high = layout.bounds[row]
        indicators = np.zeros((search.run_arrays.n_curves, high - low))
        for codes in layout.codes[first:last]:
            indicators[np.arange(len(indicators)), codes - low] = 1
        design = np.column_stack([np.ones(len(indicators)), indicators])
        prior = link_normal(population_prior(search.model, name, role, search.level), role.link)
        prior = prior or single_curve_prior(role.prior, role)
        spread = typical_spread(role)
        mode, information = own[name]
        weight = 1 / (spread**2 + 1 / information)
        ridge = np.diag([prior.sd**-2.0, *[spread**-2.0] * indicators.shape[1]])
        target = design.T @ (weight * (mode - prior.mean))
        effects = np.linalg.solve(design.T @ (weight[:, None] * design) + ridge, target)
        means[name] = prior.mean + design @ effects
    return means


def _without_prior(
    mode: Any, center: Any, precision: Any, information: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Mode and information of the likelihood alone, the normal prior taken out.

    Data that only bound a parameter have a gradient and no curvature. The mode is then moved at
    most `MAX_SHIFT`, and the information is what gives the same gradient from there.
    """
    gradient = precision * (mode - center)
    information = np.maximum(information, np.abs(gradient) * np.sqrt(precision) / MAX_SHIFT)
    return mode + gradient / information, information


def _likelihood_only(search: Search, modes: _CurveModes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Pairs of mode and information without the prior, in pivot and in reference coordinates."""
    law = search.names
    reference = {n: (mode, modes.information[n]) for n, mode in modes.mode.items()}
    pivot = {n: (eta, modes.pivot_information[n]) for n, eta in search.named(modes.eta).items()}
    pivot = {n: pivot.get(n, pair) for n, pair in reference.items()}
    if search.expected is None:  # the prior is too wide to matter
        return pivot, reference
    roles = coordinate_roles(search.model, search.coordinates)
    center, precision = (dict(zip(roles, rows, strict=True)) for rows in search.prior(roles))
    at_pivot = search.coordinates.to_pivot({n: center[n] for n in law}, search.frame, search.whole)
    own = {n: _without_prior(m, center[n], precision[n], i) for n, (m, i) in reference.items()}
    own_pivot = {
        n: _without_prior(m, at_pivot[n], precision[n], i)
        for n, (m, i) in pivot.items()
        if n in law
    }
    return own | own_pivot, own


def _approximation(search: Search, modes: _CurveModes) -> LaplaceApproximation:
    pivot, reference = _likelihood_only(search, modes)
    mode, information = (
        [{name: pair[i] for name, pair in pairs.items()} for pairs in (pivot, reference)]
        for i in (0, 1)
    )
    return LaplaceApproximation(mode[0], information[0], mode[1], information[1], modes.expansion)


def distinct_modes(
    model: Model, coordinates: Coordinates, run_arrays: RunArrays
) -> list[dict[str, np.ndarray]]:
    """Distinct modes of each curve with comparable posterior mass, the best first.

    Reference coordinates (curves,) by name. There are as many as the curve with most modes has;
    other curves repeat theirs.
    """
    search = Search(model, coordinates, run_arrays, run_arrays.level)
    return [dict(_curve_modes(search, eta).mode) for eta in search.modes()]
