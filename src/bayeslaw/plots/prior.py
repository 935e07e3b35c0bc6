"""Figure of runs as the prior has them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayeslaw.data.runs import group_names, predictor_names, response_values
from bayeslaw.fitting.fit import Fit
from bayeslaw.plots.forecast import dots
from bayeslaw.plots.forecast_lines import rows_by
from bayeslaw.plots.layout import small_multiples, spread, title
from bayeslaw.plots.style import house
from bayeslaw.plots.ticks import limits, log_axis

__all__ = ["plot_prior"]

MOST_PANELS, DRAWS = 4, 50
KEY = "Lines: runs drawn from the prior, noise included; dots: observed runs."


def plot_prior(fit: Fit, *, ax: Axes | None = None) -> Figure:
    """Draw runs as the prior has them, with the observed runs on top.

    Fifty draws of the prior predictive distribution in at most four curves. A line that leaves
    the frame is more than a hundredfold away from all data.

    Parameters
    ----------
    fit : Fit
        The fit, with ``prior_predictive`` in its tree.
    ax : matplotlib.axes.Axes, optional
        Where to draw a fit of one curve.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are several curves for `ax`.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> bl.plot_prior(fit).savefig("prior.png")  # doctest: +SKIP
    """
    runs, x = fit.runs, predictor_names(fit.runs)[0]
    sizes, observed = runs[x].values, response_values(runs).values
    prior = fit.tree["prior_predictive"].to_dataset()[runs.attrs["response"]].values
    drawn = np.stack(spread(list(prior.reshape(-1, sizes.size)), DRAWS), axis=1)
    curves = list(rows_by(runs, group_names(runs), range(sizes.size)).items())
    shown = spread(curves, MOST_PANELS)
    with house(ax) as inks:
        labels, counts = (runs[x], response_values(runs)), (len(shown), len(curves))
        figure, axes = small_multiples(inks, labels, counts, [KEY], ax=ax)
        log_axis(axes[0], "x", limits(sizes, sizes, 1))
        log_axis(axes[0], "y", limits(observed, drawn.ravel(), 100))
        for axis, (groups, own) in zip(axes, shown, strict=True):
            rows = np.array(own)[np.unique(sizes[own], return_index=True)[1]]
            axis.plot(sizes[rows], drawn[rows], ".-", color=inks.pale, lw=0.5, ms=1)
            dots(axis, sizes[own], observed[own], inks)
            title(axis, " / ".join(groups))
    return figure
