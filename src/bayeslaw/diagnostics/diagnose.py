"""Diagnosis of a fit: convergence, influential runs (Pareto k) and identifiability."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.hierarchy import coordinate_roles
from bayeslaw._sampling.chain_modes import chain_modes
from bayeslaw._sampling.gate import Gate
from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.data.runs import predictor_names, response_values
from bayeslaw.diagnostics.psis_loo import influence
from bayeslaw.errors import StoreError
from bayeslaw.fitting.result import Fit, require_fit

__all__ = ["Diagnosis", "describe_runs", "diagnose"]

PRIOR_DRIVEN = 0.8  # ratio of posterior to prior sd above which the prior dominates
COLLINEAR = 0.99  # correlation of two log predictors
DETERMINED = 0.999  # R^2 of a log predictor given the others
NOISE_FREE = 2e-4  # noise that is a fiftieth of what its default prior expects
CLEAR = 3.0  # standard errors between a slope and zero for its sign to count


@dataclass(frozen=True)
class Diagnosis:
    """Convergence, influence and identifiability of a fit.

    Parameters
    ----------
    gate : Gate
        Convergence.
    learned : pandas.DataFrame
        Per parameter, on the link scale: ``prior_sd`` and ``posterior_sd`` of the population (of
        a curve, without pooling), their ``ratio``, and ``driven_by``: ``data`` or ``prior``.
    sentences : tuple of str
        The findings in words, the gate first.

    Examples
    --------
    >>> bl.diagnose(fit).gate.passed  # doctest: +SKIP
    True
    >>> bl.diagnose(fit).learned[["ratio", "driven_by"]]  # doctest: +SKIP
    """

    gate: Gate
    learned: pd.DataFrame
    sentences: tuple[str, ...]

    def __str__(self) -> str:
        """The sentences, one per line."""
        return "\n".join(self.sentences)


def diagnose(fit: Fit) -> Diagnosis:
    """Diagnose a fit: convergence, influential runs, and parameters that the prior decides.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ValueError
        If the fit has no draws from the prior, as fits of `bayeslaw.refit` have none.

    Examples
    --------
    >>> print(bl.diagnose(fit))  # doctest: +SKIP
    """
    require_fit(fit)
    if "unconstrained_prior" not in fit.tree:
        raise ValueError(
            "the fit has no draws from its prior, as fits of refit have none; make it with "
            "bayeslaw.fit, or print it: its first line is its gate"
        )
    gate, learned = Gate.of(fit.tree), _learned(fit)
    sentences = [
        gate.sentence,
        *([str(chain_modes(fit))] if gate.modes > 1 else []),
        *_against_direction(fit),
        _influence(fit),
        *describe_runs(fit.runs, fit.model.law.predictors),
        _identified(learned),
        _separable(fit),
        _noise_free(fit),
    ]
    return Diagnosis(gate, learned, tuple(sentence for sentence in sentences if sentence))


def describe_runs(runs: xr.Dataset, names: Sequence[str] | None = None) -> list[str]:
    """Sentences about what the sizes of the runs can identify; of all predictors unless named."""
    predictors, curves = list(names or predictor_names(runs)), curves_in(runs)
    curve = curve_index(runs, curves)
    sentences = [_span(runs, name, curve, curves.sizes["curve"]) for name in predictors]
    for i, first in enumerate(predictors):
        sentences += [_collinear(runs, first, second) for second in predictors[i + 1 :]]
    sentences += [_determined(runs, predictors)]
    sentences += [_never_rising(runs, name, curve, curves) for name in predictors[:1]]
    sentences += [_constant(runs, curve), _imprecise(runs)]
    return [sentence for sentence in sentences if sentence]


def _span(runs: xr.Dataset, name: str, curve: np.ndarray, n_curves: int) -> str:
    """Sentence about the range of sizes."""
    each = [runs[name].values[curve == i] for i in range(n_curves)]
    decades = [np.log10(x.max()) - np.log10(x.min()) for x in each]  # the ratio may overflow
    sizes = [np.unique(x).size for x in each]
    few = "" if min(sizes) >= 4 else " Fewer than 4 sizes do not show a floor."
    return (
        f"{name}: {np.median(decades):.1f} decades and {np.median(sizes):.0f} distinct sizes in "
        f"the median of {n_curves} curve(s), at least {min(decades):.1f} and {min(sizes)}.{few}"
    )


def _collinear(runs: xr.Dataset, first: str, second: str) -> str:
    """Sentence about two predictors that move together."""
    logs = np.log(runs[first].values), np.log(runs[second].values)
    if min(values.std() for values in logs) == 0:
        return f"{first} or {second} does not vary: its exponent is its prior."
    correlation = float(np.corrcoef(*logs)[0, 1])
    if abs(correlation) < COLLINEAR:
        return ""
    return (
        f"{first} and {second} move together (correlation {correlation:.3f} of their logarithms): "
        "their terms cannot be told apart."
    )


def _determined(runs: xr.Dataset, names: Sequence[str]) -> str:
    """Sentence about a predictor that is a product of powers of others, as C = 6 N D is."""
    logs = _distinct_logs(runs, names)
    for name in list(logs)[:1:-1]:
        others = {other: logs[other] for other in logs if other != name}
        slopes, residuals = _regress(logs[name], np.stack([*others.values()], 1))
        share = 1 - residuals @ residuals / (logs[name] @ logs[name])
        if share > DETERMINED:
            parts = [other for other, slope in zip(others, slopes, strict=True) if abs(slope) > 0.1]
            return (
                f"{name} is determined by {' and '.join(parts)} (R^2 {share:.3f}): their terms "
                "cannot be told apart by these runs."
            )
    return ""


def _distinct_logs(runs: xr.Dataset, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Standardised logs of predictors that vary, without those collinear with an earlier one."""
    selected: dict[str, np.ndarray] = {}
    for name in names:
        logs = np.log(runs[name].values)
        if logs.std() > 0:
            logs = (logs - logs.mean()) / logs.std()
            if all(abs(np.mean(logs * other)) < COLLINEAR for other in selected.values()):
                selected[name] = logs
    return selected


def _regress(response: np.ndarray, predictors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares slopes and residuals of centred data."""
    slopes = np.linalg.lstsq(predictors, response)[0]
    return slopes, response - predictors @ slopes


def _against_direction(fit: Fit) -> list[str]:
    """Sentences about predictors with which the response moves against the law's direction."""
    law = fit.model.law
    directions = np.array([law.direction.get(name, -1) for name in law.predictors])
    signs = np.array(_slope_signs(fit.runs, law.predictors))
    known, against = (~np.isnan(signs)).sum(0), (signs == -directions).sum(0)
    verbs = {-1: ("rises", "falls"), 1: ("falls", "rises")}
    return [
        f"The response {verbs[direction][0]} with {name} in {against[i]} of {known[i]} curves; "
        f"law {law.name!r} only {verbs[direction][1]} with {name}."
        for i, (name, direction) in enumerate(zip(law.predictors, directions, strict=True))
        if direction and against[i] > known[i] / 2
    ]


def _slope_signs(runs: xr.Dataset, names: Sequence[str]) -> list[np.ndarray]:
    """Sign of the response's partial slope along each predictor, curve by curve.

    0 where the sign is not clear, NaN where the runs of the curve do not identify the slope.
    """
    curve = curve_index(runs, curves_in(runs))
    columns = [runs[name].values for name in names]
    logs = np.log(np.stack([response_values(runs).values, *columns]))
    return [_curve_slope_signs(logs[:, curve == i]) for i in range(curve.max() + 1)]


def _curve_slope_signs(logs: np.ndarray) -> np.ndarray:
    response, *predictors = logs - logs.mean(1, keepdims=True)
    signs = np.full(len(predictors), np.nan)
    varies = np.array([np.ptp(values) > 0 for values in predictors])
    design = np.stack(predictors, 1)[:, varies]
    degrees_of_freedom = response.size - 1 - design.shape[1]
    if degrees_of_freedom > 0 and 0 < design.shape[1] == np.linalg.matrix_rank(
        design, 1e-6 * np.abs(design).max()
    ):
        slopes, residuals = _regress(response, design)
        residual_variance = residuals @ residuals / degrees_of_freedom
        variance = np.linalg.inv(design.T @ design).diagonal() * residual_variance
        signs[varies] = np.sign(slopes) * (np.abs(slopes) > CLEAR * np.sqrt(variance))
    return signs


def _never_rising(runs: xr.Dataset, name: str, curve: np.ndarray, curves: xr.Dataset) -> str:
    """Sentence about curves that never rise, as smoothed curves and running minima do not."""
    smooth = 0
    for i in range(curves.sizes["curve"]):
        own = curve == i
        order = np.argsort(runs[name].values[own], kind="stable")
        response = response_values(runs).values[own][order]
        smooth += response.size >= 10 and bool(np.all(np.diff(response) <= 0))
    if not smooth:
        return ""
    return (
        f"{smooth} of {curves.sizes['curve']} curve(s) of ten runs or more never rise: if they "
        "were smoothed or are running minima, a new raw run scatters more than the bands say."
    )


def _constant(runs: xr.Dataset, curve: np.ndarray) -> str:
    """Sentence about curves whose responses are all equal."""
    response = response_values(runs)
    own = [response.values[curve == i] for i in range(curve.max() + 1)]
    constant = [values.size > 1 and np.ptp(values) == 0 for values in own]
    if not any(constant):
        return ""
    return (
        f"All responses ({response.name}) are equal in {sum(constant)} of {len(own)} curve(s), "
        f"for example {own[constant.index(True)][0]:g}: they say nothing about how the response "
        "depends on size."
    )


def _imprecise(runs: xr.Dataset) -> str:
    """Sentence about runs whose standard error is larger than their response."""
    if "stderr" not in runs:
        return ""
    count = int(np.sum(runs["stderr"].values > response_values(runs).values))
    if not count:
        return ""
    return (
        f"The standard error of {count} of {runs.sizes['run']} runs is larger than the response: "
        "such runs say next to nothing."
    )


def _noise_free(fit: Fit) -> str:
    """Sentence about responses that scatter far less than measured ones do."""
    if "sigma" in fit.model.fixed:
        return ""
    sigma = float(np.median(fit.tree["posterior"].to_dataset()["sigma"].values))
    if sigma > NOISE_FREE:
        return ""
    return (
        f"The noise is {sigma:.1e} of the response, far less than that of measured runs: if these "
        "are values of a formula, or smoothed, the bands of new runs are too narrow."
    )


def _influence(fit: Fit) -> str:
    """Sentence about runs of high Pareto k."""
    try:
        pareto_k, good_k = influence(fit)
    except StoreError:  # the log likelihood of a damaged file
        raise
    except ValueError as error:
        return f"The influence of runs is unknown: {error}."
    bad = pareto_k > good_k
    if not bad.any():
        return f"No run is too influential (Pareto k at most {pareto_k.max():.2f})."
    names = ", ".join(str(run) for run in fit.runs["run"].values[bad][:5])
    return (
        f"{int(bad.sum())} of {bad.size} runs are influential (Pareto k above {good_k:.2f}), "
        f"such as run {names}: leave-one-out is rough there."
    )


def _learned(fit: Fit) -> pd.DataFrame:
    """Posterior against prior standard deviation, on the link scale."""
    prior, posterior = (
        _standard_deviation(fit.tree[group].to_dataset())
        for group in ("unconstrained_prior", "unconstrained_posterior")
    )
    ratio = posterior / prior
    return pd.DataFrame(
        {
            "prior_sd": prior,
            "posterior_sd": posterior,
            "ratio": ratio,
            "driven_by": np.where(ratio > PRIOR_DRIVEN, "prior", "data"),
        },
        index=pd.Index(fit.tree["unconstrained_posterior"]["parameter"].values, name="parameter"),
    )


def _standard_deviation(unconstrained: xr.Dataset) -> np.ndarray:
    """Of the population; without pooling, the mean over curves."""
    if "center" in unconstrained:
        return unconstrained["center"].std(("chain", "draw")).values
    return unconstrained["theta"].std(("chain", "draw")).mean("curve").values


def _identified(learned: pd.DataFrame) -> str:
    """Sentence about prior-driven parameters."""
    prior = [str(name) for name in learned.index[(learned["driven_by"] == "prior").to_numpy()]]
    if not prior:
        return "All parameters are data-driven."
    return (
        f"Prior-driven: {', '.join(prior)}. The data narrow the prior by less than "
        f"{1 - PRIOR_DRIVEN:.0%}; look at the prior before you quote a number."
    )


def _separable(fit: Fit) -> str:
    """Sentence about a floor and an exponent that are strongly correlated."""
    roles = coordinate_roles(fit.model, coordinates(fit.model))
    shares = [name for name, role in roles.items() if role.name == "share"]
    exponents = [name for name, role in roles.items() if role.name == "Exponent"]
    theta = fit.tree["unconstrained_posterior"].to_dataset()["theta"]
    for share, exponent in itertools.product(shares, exponents):
        pair = [theta.sel(parameter=name).values for name in (share, exponent)]
        correlations = [
            np.corrcoef([values[..., i].ravel() for values in pair])[0, 1]
            for i in range(theta.sizes["curve"])
        ]
        if np.median(correlations) > 0.95:
            return (
                f"{share} and {exponent} are hardly separable (correlation "
                f"{np.median(correlations):.2f} in the median curve): "
                "more decades would tell them apart."
            )
    return ""
