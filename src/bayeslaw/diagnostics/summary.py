"""Posterior summary of the parameters of curves, groups and the population."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._arguments import PROBABILITY
from bayeslaw._inference.posterior import level_dim
from bayeslaw._sampling.convergence import convergence
from bayeslaw._sampling.gate import NOT_CONVERGED, Gate
from bayeslaw.data.runs import group_names
from bayeslaw.fitting.result import Fit, require_fit

__all__ = ["parameter_draws", "summary"]


def summary(fit: Fit, *, prob: float = 0.9) -> pd.DataFrame:
    """Summarise the parameters of the population, of each level of a group, and of each curve.

    Parameters
    ----------
    fit : Fit
        The fit.
    prob : float
        Probability inside the equal-tailed interval, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``of`` (population, the group's name, or curve), ``label`` and ``parameter``:
        ``median``, ``lower``, ``upper``, ``sd`` in the user's units, ``r_hat`` and ``ess_bulk``.
        The parameters of a level are those of a typical curve of that level. Rows are ordered by
        label, and `loc` takes the first key, the first two, or all three. If the fit did not pass
        its gate, a first column ``verdict`` says so.

    Raises
    ------
    ValueError
        If `prob` is not between 0 and 1.

    Examples
    --------
    >>> bl.summary(fit).loc["population"]  # doctest: +SKIP
    """
    require_fit(fit)
    prob = PROBABILITY.check("prob", prob)
    parts = [
        _rows(values, prob).assign(of=of, parameter=parameter)
        for (of, parameter), values in parameter_draws(fit)
    ]
    table = _in_order(pd.concat(parts).reset_index())
    if not Gate.of(fit.tree).passed:
        table.insert(0, "verdict", NOT_CONVERGED)
    return table


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows indexed by `of`, label and parameter, each in order of first appearance."""
    names = ["of", "label", "parameter"]
    factors = [pd.factorize(rows[name]) for name in names]
    order = np.lexsort([codes for codes, _ in factors[::-1]])
    levels, codes = [level for _, level in factors], [codes[order] for codes, _ in factors]
    # With a sorted index pandas looks rows up without a scan.
    return rows.drop(columns=names).iloc[order].set_axis(pd.MultiIndex(levels, codes, names=names))


def parameter_draws(fit: Fit) -> Iterator[tuple[tuple[str, str], xr.DataArray]]:
    """(population, group or curve; parameter) and draws over a dimension ``label``."""
    posterior, names = fit.tree["posterior"].to_dataset(), list(fit.model.roles)
    for name in names:
        if f"{name}_population" in posterior:
            yield ("population", name), posterior[f"{name}_population"].expand_dims(label=["all"])
    for group in group_names(fit.runs):
        for name in names:
            if f"{name}_{group}_effect" in posterior:
                level = posterior[f"{name}_population"] + posterior[f"{name}_{group}_effect"]
                yield (group, name), level.rename({level_dim(group): "label"})
    for name in names:
        yield ("curve", name), posterior[name].reset_coords(drop=True).rename(curve="label")


def _rows(draws: xr.DataArray, prob: float) -> pd.DataFrame:
    """A row of statistics per label."""
    draws = draws.reset_coords(drop=True).rename("x")
    flat = draws.transpose("chain", "draw", "label")
    levels = np.quantile(flat.values, [(1 - prob) / 2, 0.5, (1 + prob) / 2], axis=(0, 1))
    reached = convergence(np.moveaxis(flat.values, 2, 0))
    return pd.DataFrame(
        {
            "median": levels[1],
            "lower": levels[0],
            "upper": levels[2],
            "sd": flat.values.std(axis=(0, 1)),
            "r_hat": reached.r_hat,
            "ess_bulk": reached.ess_bulk,
        },
        index=pd.Index([str(label) for label in flat["label"].values], name="label"),
    )
