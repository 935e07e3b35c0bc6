"""Stacking, pseudo-BMA and hierarchical stacking: model weights from held-out log scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import softmax

from bayeslaw._arguments import COUNT, SEED
from bayeslaw._suggestions import missing_name
from bayeslaw.data.runs import group_names

__all__ = [
    "POPULATION",
    "equal_weights",
    "hierarchical_weights",
    "log_scores",
    "pseudo_bma_weights",
    "stacking_weights",
]

if not TYPE_CHECKING:  # a type checker finds a wrong name by itself
    __getattr__ = missing_name(__name__, __all__)

POPULATION = "population"  # row of weights for levels without scores
NEGLIGIBLE = 1e-9  # the optimiser leaves weights of zero slightly above it


def log_scores(scores: xr.Dataset | Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Tabulate held-out log scores, the input of the weights below.

    Parameters
    ----------
    scores : xarray.Dataset or mapping of str to xarray.Dataset
        Scores of all models, as returned by `bayeslaw.backtest`; or, by name, those of each model
        as returned by `bayeslaw.score`, for the same runs in the same order.

    Returns
    -------
    pandas.DataFrame
        One row per held-out run (and origin), one column per model: log predictive densities.
        The index is the curve: its groups, or ``curve`` where there are none. Models without any
        log score, such as the last-value baseline, are left out.

    Raises
    ------
    ValueError
        If models were scored on different runs.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> scores = {
    ...     name: bl.score(bl.forecast(fit, later), later) for name, fit in fits.items()
    ... }  # doctest: +SKIP
    >>> bl.weights.log_scores(scores)  # doctest: +SKIP
    """
    if isinstance(scores, xr.Dataset):
        groups, rows = group_names(scores), _rows(scores, scores["model"].values)
    else:
        groups = group_names(next(iter(scores.values())))
        rows = pd.concat([_rows(each, name) for name, each in scores.items()])
    curve = groups or ["curve"]
    split = [*curve, *(["origin"] if "origin" in rows else [])]
    rows["row"] = rows.groupby(["model", *split]).cumcount()
    models, index = list(dict.fromkeys(rows["model"])), [*split, "row"]
    wide = rows.pivot(index=index, columns="model", values="log_score").filter(items=models)
    table = wide.dropna(axis="columns", how="all")
    _require_complete(table)
    table = table.droplevel([name for name in index if name not in curve])
    return table.set_axis(list(table.columns), axis="columns")


def _rows(scores: xr.Dataset, model: str | np.ndarray) -> pd.DataFrame:
    names = [*group_names(scores), *(["origin"] if "origin" in scores.coords else [])]
    columns = {name: scores[name].values for name in [*names, "log_score"]}
    return pd.DataFrame({**columns, "model": model}).assign(
        **({} if group_names(scores) else {"curve": "all"})
    )


def _require_complete(scores: pd.DataFrame) -> None:
    missing = scores.isna().to_numpy().sum(axis=0)
    if missing.any():
        worst = int(missing.argmax())
        raise ValueError(
            f"model {scores.columns[worst]!r} has no log score at {missing[worst]} of "
            f"{len(scores)} runs; weights need all models scored on the same runs"
        )


def equal_weights(scores: pd.DataFrame) -> pd.Series:
    """Give every model the same weight, for use before there are scores.

    Parameters
    ----------
    scores : pandas.DataFrame
        Log scores, as returned by `log_scores`.

    Returns
    -------
    pandas.Series
        By model; they sum to one.

    Examples
    --------
    >>> scores = pd.DataFrame({"power": [1.0, 2.0], "log-linear": [0.5, 1.0]})
    >>> equal_weights(scores).tolist()
    [0.5, 0.5]
    """
    return _series(np.full(scores.shape[1], 1 / scores.shape[1]), scores)


def stacking_weights(scores: pd.DataFrame) -> pd.Series:
    """Stacking: the mixture of models with the best held-out log score (Yao et al. 2018).

    The weights maximise the mean over curves of the log density of the mixture. They say which
    mixture forecasts best, not which model is true: the split between two models that agree is
    arbitrary, and a model that is second best everywhere can get no weight.

    Parameters
    ----------
    scores : pandas.DataFrame
        Log scores, as returned by `log_scores`. Rows with the same index are one curve; all
        curves count equally.

    Returns
    -------
    pandas.Series
        By model; they sum to one.

    Raises
    ------
    ValueError
        If there is no score, or some run has zero density under every model.

    Examples
    --------
    >>> scores = pd.DataFrame({"power": [1.0, 2.0], "log-linear": [0.5, 1.0]})
    >>> stacking_weights(scores).round(6).tolist()
    [1.0, 0.0]
    """
    from scipy.optimize import minimize  # slow to import

    density, share = _densities(scores), _row_shares(scores)
    share = share / share.sum()

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mixed = density @ np.maximum(weights, 0) + 1e-300
        return -float(share @ np.log(mixed)), -(share / mixed) @ density

    size = density.shape[1]
    weights = minimize(
        loss, np.full(size, 1 / size), jac=True, method="SLSQP", bounds=[(0, 1)] * size,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 1000},
    ).x  # fmt: skip
    weights = np.where(weights < NEGLIGIBLE, 0.0, weights)
    return _series(weights / weights.sum(), scores)


def pseudo_bma_weights(
    scores: pd.DataFrame, *, draws: int = 1000, random_seed: int = 0
) -> pd.Series:
    """Pseudo-BMA+: weights by exponentiated log scores, bootstrapped (Yao et al. 2018).

    Weights are the softmax of the sum over curves of the mean log score, averaged over a Bayesian
    bootstrap of the curves, so that a lead due to a single curve counts for little.

    Parameters
    ----------
    scores : pandas.DataFrame
        Log scores, as returned by `log_scores`. Rows with the same index are one curve, whose mean
        counts, because errors of held-out runs of a curve are correlated.
    draws : int
        Bootstrap draws.
    random_seed : int
        Seed of the bootstrap.

    Returns
    -------
    pandas.Series
        By model; they sum to one.

    Raises
    ------
    ValueError
        If there is no score, or every model has zero density at some run.

    Examples
    --------
    >>> scores = pd.DataFrame({"power": [1.0, 2.0], "log-linear": [0.5, 1.0]})
    >>> bool(pseudo_bma_weights(scores)["power"] > 0.7)
    True
    """
    _densities(scores)  # raises
    curve = _curve_index(scores)
    means = np.zeros((curve.max() + 1, scores.shape[1]))
    np.add.at(means, curve, scores.to_numpy(dtype=float) * _row_shares(scores)[:, None])
    if np.isneginf(means).any(axis=0).all():
        raise ValueError(
            "every model gives some run a density of zero, so no sum of log scores is finite; "
            "use stacking_weights, which mixes densities run by run"
        )
    rng = np.random.default_rng(SEED.check("random_seed", random_seed))
    bootstrap = rng.dirichlet(np.ones(len(means)), COUNT.check("draws", draws))
    elpd = len(means) * (bootstrap @ means)
    return _series(softmax(elpd, axis=1).mean(axis=0), scores)


def hierarchical_weights(
    scores: pd.DataFrame, group: str, *, draws: int = 4000, random_seed: int = 0
) -> pd.DataFrame:
    """Hierarchical stacking: weights that vary by the levels of a group (Yao et al. 2022).

    The logits of a level's weights are a common vector, with a standard normal prior, plus the
    level's own normal deviations, whose standard deviation is half-normal for each model. Weights
    are posterior means by elliptical slice sampling, with each curve as one observation; so a
    level with few curves is pulled towards the others.

    Parameters
    ----------
    scores : pandas.DataFrame
        Log scores, as returned by `log_scores`. Rows with the same index are one curve.
    group : str
        The group, a level of the index.
    draws : int
        Posterior draws.
    random_seed : int
        Seed of the draws.

    Returns
    -------
    pandas.DataFrame
        One row per level of the group, and ``population`` for levels without scores; one column
        per model. Rows sum to one.

    Raises
    ------
    ValueError
        If the scores have no such group, or some run has zero density under every model.

    Examples
    --------
    >>> curves = pd.MultiIndex.from_product([["c4", "code"], [*"abcdef"]], names=["task", "data"])
    >>> scores = pd.DataFrame({"power": [2.0] * 6 + [0.0] * 6, "log-linear": 1.0}, curves)
    >>> weights = hierarchical_weights(scores, "task")
    >>> weights["power"].idxmax(), weights["power"].idxmin()
    ('c4', 'code')
    """
    if group not in scores.index.names:
        raise ValueError(f"the scores have no group {group!r}; those are {[*scores.index.names]}")
    density, share = _densities(scores), _row_shares(scores)
    level, labels = pd.factorize(scores.index.get_level_values(group))
    if POPULATION in labels:
        raise ValueError(f"{group} {POPULATION!r} is the name of the row for levels not scored")
    shape = len(labels) + 2, density.shape[1]

    def log_likelihood(normals: np.ndarray) -> float:
        mixed = np.einsum("rk,rk->r", _mixture_weights(normals.reshape(shape))[level], density)
        return float(share @ np.log(mixed))

    draws = COUNT.check("draws", draws)
    rng = np.random.default_rng(SEED.check("random_seed", random_seed))
    fitted = _elliptical_slices(log_likelihood, shape[0] * shape[1], draws, rng).reshape(-1, *shape)
    unseen = np.concatenate([fitted[:, :2], rng.standard_normal((draws, 1, shape[1]))], axis=1)
    weights = [_mixture_weights(normals).mean(axis=0) for normals in (fitted, unseen)]
    index = pd.Index([*labels, POPULATION], name=group)
    return pd.DataFrame(np.concatenate(weights), index, scores.columns)


def _mixture_weights(normals: np.ndarray) -> np.ndarray:
    """Weights (..., level, model) from standard normals: common, spread, and one per level."""
    common, spread, own = normals[..., :1, :], np.abs(normals[..., 1:2, :]), normals[..., 2:, :]
    return softmax(common + spread * own, axis=-1)


def _elliptical_slices(
    log_likelihood: Callable[[np.ndarray], float], size: int, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Elliptical slice sampling of standard normals given a likelihood (Murray et al. 2010)."""
    current, samples = np.zeros(size), []
    for _ in range(draws + draws // 4):
        threshold = log_likelihood(current) - rng.exponential()
        other, angle = rng.standard_normal(size), rng.uniform(0, 2 * np.pi)
        low, high = angle - 2 * np.pi, angle
        proposal = current * np.cos(angle) + other * np.sin(angle)
        while log_likelihood(proposal) < threshold:
            low, high = (angle, high) if angle < 0 else (low, angle)
            angle = rng.uniform(low, high)
            proposal = current * np.cos(angle) + other * np.sin(angle)
        current = proposal
        samples.append(current)
    return np.array(samples[-draws:])


def _densities(scores: pd.DataFrame) -> np.ndarray:
    """Densities (row, model) relative to the best model of the row."""
    if not scores.size:
        raise ValueError("there are no log scores to compute weights from")
    _require_complete(scores)
    values = scores.to_numpy(dtype=float)
    best = values.max(axis=1, keepdims=True)
    if np.isneginf(best).any():
        curve = scores.index[np.isneginf(best[:, 0])][0]
        raise ValueError(f"no model gives a run of curve {curve!r} a positive density")
    return np.exp(values - best)


def _curve_index(scores: pd.DataFrame) -> np.ndarray:
    """Index of the curve of each row."""
    return pd.factorize(scores.index)[0]


def _row_shares(scores: pd.DataFrame) -> np.ndarray:
    """Weight of each row: one over the number of rows of its curve."""
    curve = _curve_index(scores)
    return (1 / np.bincount(curve))[curve]


def _series(weights: np.ndarray, scores: pd.DataFrame) -> pd.Series:
    return pd.Series(weights, index=scores.columns, name="weight")
