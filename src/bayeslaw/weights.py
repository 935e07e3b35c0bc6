"""How much to believe of each model: weights from scores at runs that were held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import softmax

from bayeslaw.data.runs import group_names

__all__ = [
    "POPULATION",
    "equal_weights",
    "hierarchical_weights",
    "log_scores",
    "pseudo_bma_weights",
    "stacking_weights",
]

POPULATION = "population"  # the row of weights for levels that were never scored
NEGLIGIBLE = 1e-9  # a weight that the search leaves above the zero that it means


def log_scores(scores: xr.Dataset | Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Table of log scores, from which weights follow.

    Parameters
    ----------
    scores : xarray.Dataset or mapping of str to xarray.Dataset
        Scores of all models, as of `bayeslaw.backtest`; or, by name, those of each model at the
        same runs in the same order, as of `bayeslaw.score`.

    Returns
    -------
    pandas.DataFrame
        A row per held-out run (and origin), a column per model: log densities of the response.
        The index is the curve: its groups, or ``curve`` where there are none. Models without a
        single log score, such as the last value, are left out.

    Raises
    ------
    ValueError
        If models were scored at different runs.

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
    where = [*curve, *(["origin"] if "origin" in rows else [])]
    rows["place"] = rows.groupby(["model", *where]).cumcount()
    names, runs = list(dict.fromkeys(rows["model"])), [*where, "place"]
    wide = rows.pivot(index=runs, columns="model", values="log_score").filter(items=names)
    known = wide.dropna(axis="columns", how="all")
    _require_everywhere(known)
    told = known.droplevel([name for name in runs if name not in curve])
    return told.set_axis(list(told.columns), axis="columns")


def _rows(scores: xr.Dataset, model: str | np.ndarray) -> pd.DataFrame:
    names = [*group_names(scores), *(["origin"] if "origin" in scores.coords else [])]
    columns = {name: scores[name].values for name in [*names, "log_score"]}
    return pd.DataFrame({**columns, "model": model}).assign(
        **({} if group_names(scores) else {"curve": "all"})
    )


def _require_everywhere(scores: pd.DataFrame) -> None:
    missing = scores.isna().to_numpy().sum(axis=0)
    if missing.any():
        worst = int(missing.argmax())
        raise ValueError(
            f"model {scores.columns[worst]!r} has no log score at {missing[worst]} of "
            f"{len(scores)} runs; weights need all models scored at the same runs"
        )


def equal_weights(scores: pd.DataFrame) -> pd.Series:
    """The same weight for every model: what there is to say before any score.

    Parameters
    ----------
    scores : pandas.DataFrame
        Log scores, as of `log_scores`.

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
    return _named(np.full(scores.shape[1], 1 / scores.shape[1]), scores)


def stacking_weights(scores: pd.DataFrame) -> pd.Series:
    """The mixture of models that would have scored best (Yao et al. 2018).

    The weights maximise the mean over curves of the log density of the mixture. They answer which
    mixture forecasts best, not which model is true: two models that agree share their weight in
    any way, and one that is second everywhere can get none.

    Parameters
    ----------
    scores : pandas.DataFrame
        Log scores, as of `log_scores`. Rows of the same index are one curve; all curves count
        alike.

    Returns
    -------
    pandas.Series
        By model; they sum to one.

    Raises
    ------
    ValueError
        If there is no score, or no model gives a run a positive density.

    Examples
    --------
    >>> scores = pd.DataFrame({"power": [1.0, 2.0], "log-linear": [0.5, 1.0]})
    >>> stacking_weights(scores).round(6).tolist()
    [1.0, 0.0]
    """
    from scipy.optimize import minimize  # slow to import

    density, share = _densities(scores), _shares(scores)
    share = share / share.sum()

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mixed = density @ np.maximum(weights, 0) + 1e-300
        return -float(share @ np.log(mixed)), -(share / mixed) @ density

    size = density.shape[1]
    found = minimize(
        loss, np.full(size, 1 / size), jac=True, method="SLSQP", bounds=[(0, 1)] * size,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 1000},
    ).x  # fmt: skip
    found = np.where(found < NEGLIGIBLE, 0.0, found)
    return _named(found / found.sum(), scores)


def pseudo_bma_weights(
    scores: pd.DataFrame, *, draws: int = 1000, random_seed: int = 0
) -> pd.Series:
    """Weigh models by how likely each model is to score best (pseudo-BMA+, Yao et al. 2018).

    Exponentials of the sum over curves of the mean log score, averaged over a Bayesian bootstrap
    of the curves, so that a lead that one curve makes counts for little.

    Parameters
    ----------
    scores : pandas.DataFrame
        Log scores, as of `log_scores`. Rows of the same index are one curve, of which the mean
        counts: held-out runs of a curve err together.
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
        If there is no score, or every model gives some run a density of zero.

    Examples
    --------
    >>> scores = pd.DataFrame({"power": [1.0, 2.0], "log-linear": [0.5, 1.0]})
    >>> bool(pseudo_bma_weights(scores)["power"] > 0.7)
    True
    """
    _densities(scores)  # raises
    curve, shared = _curves(scores), scores.to_numpy(dtype=float) * _shares(scores)[:, None]
    means = np.zeros((curve.max() + 1, scores.shape[1]))
    np.add.at(means, curve, shared)
    if np.isneginf(means).any(axis=0).all():
        raise ValueError(
            "every model gives some run a density of zero, so no sum of log scores is finite; "
            "take stacking_weights, which mixes the models run by run"
        )
    importance = np.random.default_rng(random_seed).dirichlet(np.ones(len(means)), draws)
    elpd = len(means) * (importance @ means)
    return _named(softmax(elpd, axis=1).mean(axis=0), scores)


def hierarchical_weights(
    scores: pd.DataFrame, group: str, *, draws: int = 4000, random_seed: int = 0
) -> pd.DataFrame:
    """Stacking weights that vary by the levels of a group about common ones (Yao et al. 2022).

    The logits of a level's weights are a common vector plus deviations of its own: standard
    normal and normal, with a standard deviation for each model that is half-normal. Weights are
    posterior means, by elliptical slice sampling, where each curve counts as one observation; so
    a level with few curves stays near the others.

    Parameters
    ----------
    scores : pandas.DataFrame
        Log scores, as of `log_scores`. Rows of the same index are one curve.
    group : str
        The group, a level of the index.
    draws : int
        Posterior draws.
    random_seed : int
        Seed of the draws.

    Returns
    -------
    pandas.DataFrame
        A row per level of the group, and ``population`` for those not scored; a column per model.
        Rows sum to one.

    Raises
    ------
    ValueError
        If the scores have no such group, or no model gives a run a positive density.

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
    density, share = _densities(scores), _shares(scores)
    level, labels = pd.factorize(scores.index.get_level_values(group))
    if POPULATION in labels:
        raise ValueError(f"{group} {POPULATION!r} is the name of the row for levels not scored")
    shape = len(labels) + 2, density.shape[1]

    def fitted(normals: np.ndarray) -> float:
        mixed = np.einsum("rk,rk->r", _mixtures(normals.reshape(shape))[level], density)
        return float(share @ np.log(mixed))

    rng = np.random.default_rng(random_seed)
    drawn = _elliptical_slices(fitted, shape[0] * shape[1], draws, rng).reshape(-1, *shape)
    unseen = np.concatenate([drawn[:, :2], rng.standard_normal((draws, 1, shape[1]))], axis=1)
    weights = [_mixtures(normals).mean(axis=0) for normals in (drawn, unseen)]
    index = pd.Index([*labels, POPULATION], name=group)
    return pd.DataFrame(np.concatenate(weights), index, scores.columns)


def _mixtures(normals: np.ndarray) -> np.ndarray:
    """Weights (..., level, model) from standard normals: common, spread, and own of each level."""
    common, spread, own = normals[..., :1, :], np.abs(normals[..., 1:2, :]), normals[..., 2:, :]
    return softmax(common + spread * own, axis=-1)


def _elliptical_slices(
    log_likelihood: Callable[[np.ndarray], float], size: int, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Draws of standard normals given a likelihood (Murray, Adams and MacKay 2010)."""
    here, kept = np.zeros(size), []
    for _ in range(draws + draws // 4):
        threshold = log_likelihood(here) - rng.exponential()
        other, angle = rng.standard_normal(size), rng.uniform(0, 2 * np.pi)
        low, high = angle - 2 * np.pi, angle
        while log_likelihood(there := here * np.cos(angle) + other * np.sin(angle)) < threshold:
            low, high = (angle, high) if angle < 0 else (low, angle)
            angle = rng.uniform(low, high)
        here = there
        kept.append(here)
    return np.array(kept[-draws:])


def _densities(scores: pd.DataFrame) -> np.ndarray:
    """Densities (row, model) relative to the best of the row."""
    if not scores.size:
        raise ValueError("there are no log scores to take weights from")
    _require_everywhere(scores)
    values = scores.to_numpy(dtype=float)
    best = values.max(axis=1, keepdims=True)
    if np.isneginf(best).any():
        where = scores.index[np.isneginf(best[:, 0])][0]
        raise ValueError(f"no model gives a run of curve {where!r} a positive density")
    return np.exp(values - best)


def _curves(scores: pd.DataFrame) -> np.ndarray:
    """Number of the curve of each row."""
    return pd.factorize(scores.index)[0]


def _shares(scores: pd.DataFrame) -> np.ndarray:
    """What each row counts, where each curve counts one."""
    curve = _curves(scores)
    return (1 / np.bincount(curve))[curve]


def _named(weights: np.ndarray, scores: pd.DataFrame) -> pd.Series:
    return pd.Series(weights, index=scores.columns, name="weight")
