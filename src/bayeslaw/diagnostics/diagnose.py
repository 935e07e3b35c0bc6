"""What every fit tells its user: numbers, and sentences about them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.hierarchy import coordinate_roles
from bayeslaw._sampling.chain_modes import chain_modes
from bayeslaw._sampling.gate import Gate
from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.data.runs import predictor_names, response_values
from bayeslaw.fitting.fit import Fit

__all__ = ["Diagnosis", "describe_runs", "diagnose", "leave_one_out"]

PRIOR_DRIVEN = 0.8  # posterior sd over prior sd above which the data said little
SAME_RAY = 0.99
DETERMINED = 0.999  # R^2 of a predictor given others, above which it says nothing of its own
CLEAR = 3.0  # standard errors that a slope is away from zero before its sign counts


@dataclass(frozen=True)
class Diagnosis:
    """Convergence, influence and identifiability of a fit.

    Parameters
    ----------
    gate : Gate
        Convergence.
    learned : pandas.DataFrame
        Per parameter, on the link scale: ``prior_sd`` and ``posterior_sd`` of the population (of
        a curve, without pooling), their ``ratio``, and what it means: ``data-driven`` or
        ``prior-driven``.
    sentences : tuple of str
        What a user should know, the gate first.

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
        """The sentences, one a line."""
        return "\n".join(self.sentences)


def diagnose(fit: Fit) -> Diagnosis:
    """Judge a fit: did it converge, which runs weigh most, what did the data decide.

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
        If the fit is one of `bayeslaw.refit`, which makes no draws from the prior.

    Examples
    --------
    >>> print(bl.diagnose(fit))  # doctest: +SKIP
    """
    if "unconstrained_prior" not in fit.tree:
        raise ValueError(
            "the fit has no draws from its prior, as fits of refit have none; make it with "
            "bayeslaw.fit, or print it: its first line is its gate"
        )
    gate, learned = Gate.of(fit.tree), _learned(fit)
    found = [str(chain_modes(fit))] if gate.modes > 1 else []
    sentences = [
        gate.sentence,
        *found,
        *_against_direction(fit),
        _influence(fit),
        *describe_runs(fit.runs, fit.model.law.predictors),
        *_identified(learned),
    ]
    sentences += [_separable(fit)]
    return Diagnosis(gate, learned, tuple(sentence for sentence in sentences if sentence))


def describe_runs(runs: xr.Dataset, names: Sequence[str] | None = None) -> list[str]:
    """What can be learned from the sizes that were run, in sentences.

    Parameters
    ----------
    runs : xarray.Dataset
        The runs.
    names : sequence of str, optional
        Predictors to look at; all of the runs' unless given.

    Returns
    -------
    list of str
    """
    predictors, curves = list(names or predictor_names(runs)), curves_in(runs)
    curve = curve_index(runs, curves)
    sentences = [_span(runs, name, curve, curves.sizes["curve"]) for name in predictors]
    for i, first in enumerate(predictors):
        sentences += [_ray(runs, first, second) for second in predictors[i + 1 :]]
    sentences += [_determined(runs, predictors)]
    sentences += [_envelope(runs, name, curve, curves) for name in predictors[:1]]
    return [sentence for sentence in sentences if sentence]


def leave_one_out(fit: Fit) -> Any:
    """Pareto-smoothed leave-one-out of a fit, run by run.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    arviz_stats.ELPDData
    """
    with warnings.catch_warnings():
        # Influential runs are counted in every answer; ArviZ would warn of them as well.
        warnings.filterwarnings("ignore", "Estimated shape parameter of Pareto", UserWarning)
        return az.loo(fit.tree, pointwise=True)


def _span(runs: xr.Dataset, name: str, curve: np.ndarray, n_curves: int) -> str:
    each = [runs[name].values[curve == i] for i in range(n_curves)]
    decades = [np.log10(x.max() / x.min()) for x in each]
    sizes = [np.unique(x).size for x in each]
    few = "" if min(sizes) >= 4 else " Fewer than 4 sizes do not show a floor."
    return (
        f"{name}: {np.median(decades):.1f} decades and {np.median(sizes):.0f} distinct sizes in "
        f"the median of {n_curves} curve(s), at least {min(decades):.1f} and {min(sizes)}.{few}"
    )


def _ray(runs: xr.Dataset, first: str, second: str) -> str:
    logs = np.log(runs[first].values), np.log(runs[second].values)
    if min(values.std() for values in logs) == 0:
        return f"{first} or {second} does not vary: its exponent is its prior."
    correlation = float(np.corrcoef(*logs)[0, 1])
    if abs(correlation) < SAME_RAY:
        return ""
    return (
        f"{first} and {second} move together (correlation {correlation:.3f} of their logarithms): "
        "their terms cannot be told apart."
    )


def _determined(runs: xr.Dataset, names: Sequence[str]) -> str:
    """Whether a predictor is a product of powers of others, as C = 6 N D is."""
    logs = _apart(runs, names)
    for name in list(logs)[:1:-1]:
        others = {other: logs[other] for other in logs if other != name}
        slopes, residuals = _regressed(logs[name], np.stack([*others.values()], 1))
        share = 1 - residuals @ residuals / (logs[name] @ logs[name])
        if share > DETERMINED:
            parts = [other for other, slope in zip(others, slopes, strict=True) if abs(slope) > 0.1]
            return (
                f"{name} is determined by {' and '.join(parts)} (R^2 {share:.3f}): their terms "
                "cannot be told apart by these runs."
            )
    return ""


def _apart(runs: xr.Dataset, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Standardised logarithms of predictors that vary, without those on the ray of another."""
    kept: dict[str, np.ndarray] = {}
    for name in names:
        logs = np.log(runs[name].values)
        if logs.std() > 0:
            logs = (logs - logs.mean()) / logs.std()
            if all(abs(np.mean(logs * other)) < SAME_RAY for other in kept.values()):
                kept[name] = logs
    return kept


def _regressed(response: np.ndarray, predictors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares slopes, and what they leave; all are centred."""
    slopes = np.linalg.lstsq(predictors, response)[0]
    return slopes, response - predictors @ slopes


def _against_direction(fit: Fit) -> list[str]:
    """Predictors with which the response goes the way that the law cannot."""
    law = fit.model.law
    ways = np.array([law.direction.get(name, -1) for name in law.predictors])
    signs = np.array(_signs(fit.runs, law.predictors))
    told, against = (~np.isnan(signs)).sum(0), (signs == -ways).sum(0)
    verbs = {-1: ("rises", "falls"), 1: ("falls", "rises")}
    return [
        f"The response {verbs[way][0]} with {name} in {against[i]} of {told[i]} curves; law "
        f"{law.name!r} only {verbs[way][1]} with {name}."
        for i, (name, way) in enumerate(zip(law.predictors, ways, strict=True))
        if way and against[i] > told[i] / 2
    ]


def _signs(runs: xr.Dataset, names: Sequence[str]) -> list[np.ndarray]:
    """Sign of the response's slope along each predictor at given others, curve by curve.

    It is 0 where the sign is not clear, and not a number where the curve cannot tell.
    """
    curve = curve_index(runs, curves_in(runs))
    columns = [runs[name].values for name in names]
    logs = np.log(np.stack([response_values(runs).values, *columns]))
    return [_signs_of(logs[:, curve == i]) for i in range(curve.max() + 1)]


def _signs_of(logs: np.ndarray) -> np.ndarray:
    response, *predictors = logs - logs.mean(1, keepdims=True)
    signs = np.full(len(predictors), np.nan)
    varies = np.array([np.ptp(values) > 0 for values in predictors])
    chosen = np.stack(predictors, 1)[:, varies]
    free = response.size - 1 - chosen.shape[1]
    if free > 0 and 0 < chosen.shape[1] == np.linalg.matrix_rank(
        chosen, 1e-6 * np.abs(chosen).max()
    ):
        slopes, residuals = _regressed(response, chosen)
        spread = np.linalg.inv(chosen.T @ chosen).diagonal() * (residuals @ residuals / free)
        signs[varies] = np.sign(slopes) * (np.abs(slopes) > CLEAR * np.sqrt(spread))
    return signs


def _envelope(runs: xr.Dataset, name: str, curve: np.ndarray, curves: xr.Dataset) -> str:
    """Whether responses never rise, as smoothed curves and running minima do not."""
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


def _influence(fit: Fit) -> str:
    loo: Any = leave_one_out(fit)
    bad = np.asarray(loo.pareto_k.values) > loo.good_k
    if not bad.any():
        return f"No run is too influential (Pareto k at most {float(loo.pareto_k.max()):.2f})."
    names = ", ".join(str(run) for run in fit.runs["run"].values[bad][:5])
    return (
        f"{int(bad.sum())} of {bad.size} runs are influential (Pareto k above {loo.good_k:.2f}), "
        f"such as run {names}: leave-one-out is rough there."
    )


def _learned(fit: Fit) -> pd.DataFrame:
    """Posterior against prior spread of what the fit is about, on the link scale."""
    prior, posterior = (
        _spread(fit.tree[group].to_dataset())
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


def _spread(link: xr.Dataset) -> np.ndarray:
    """Standard deviation of the population, or of a curve where there is none."""
    if "center" in link:
        return link["center"].std(("chain", "draw")).values
    return link["theta"].std(("chain", "draw")).mean("curve").values


def _identified(learned: pd.DataFrame) -> list[str]:
    prior = [str(name) for name in learned.index[(learned["driven_by"] == "prior").to_numpy()]]
    if not prior:
        return ["All parameters are data-driven."]
    return [
        f"Prior-driven: {', '.join(prior)}. The data narrow the prior by less than "
        f"{1 - PRIOR_DRIVEN:.0%}; look at the prior before you quote a number."
    ]


def _separable(fit: Fit) -> str:
    roles = coordinate_roles(fit.model, coordinates(fit.model))
    shares = [name for name, role in roles.items() if role.name == "share"]
    exponents = [name for name, role in roles.items() if role.name == "Exponent"]
    theta = fit.tree["unconstrained_posterior"].to_dataset()["theta"]
    for share in shares:
        for exponent in exponents:
            pair = [theta.sel(parameter=name).values for name in (share, exponent)]
            both = [
                np.corrcoef([p[..., i].ravel() for p in pair])[0, 1]
                for i in range(theta.sizes["curve"])
            ]
            if np.median(both) > 0.95:
                return (
                    f"{share} and {exponent} are hardly separable (correlation "
                    f"{np.median(both):.2f} in the median curve): "
                    "more decades would tell them apart."
                )
    return ""
