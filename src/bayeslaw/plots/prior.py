"""Prior predictive figure: runs drawn from the prior, with the observed runs."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayeslaw.data.runs import group_names, predictor_names, response_values
from bayeslaw.fitting.result import Fit
from bayeslaw.plots.figures import FitFigure
from bayeslaw.plots.forecast import draw_runs
from bayeslaw.plots.forecast_lines import group_rows
from bayeslaw.plots.layout import evenly_spaced, set_title, small_multiples
from bayeslaw.plots.style import package_style
from bayeslaw.plots.ticks import log_limits, set_log_scale

__all__ = ["FIGURE", "plot_prior"]

MAX_PANELS, MAX_DRAWS = 4, 50
CAPTION = "Lines: runs drawn from the prior, noise included; dots: observed runs."


def plot_prior(fit: Fit, *, ax: Axes | None = None) -> Figure:
    """Plot draws from the prior predictive distribution, with the observed runs on top.

    At most fifty draws are shown for at most four curves. A line that leaves the frame is more
    than a factor of 100 away from all data.

    Parameters
    ----------
    fit : Fit
        A fitted model with ``prior_predictive`` in its tree.
    ax : matplotlib.axes.Axes, optional
        Axes to draw in, for a fit of one curve.

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
    prior_runs = fit.tree["prior_predictive"].to_dataset()[runs.attrs["response"]].values
    draws = np.stack(evenly_spaced(list(prior_runs.reshape(-1, sizes.size)), MAX_DRAWS), axis=1)
    curves = list(group_rows(runs, group_names(runs), range(sizes.size)).items())
    shown = evenly_spaced(curves, MAX_PANELS)
    with package_style(ax) as palette:
        variables, counts = (runs[x], response_values(runs)), (len(shown), len(curves))
        figure, axes = small_multiples(palette, variables, counts, [CAPTION], ax=ax)
        set_log_scale(axes[0], "x", log_limits(sizes, sizes, 1))
        set_log_scale(axes[0], "y", log_limits(observed, draws.ravel(), 100))
        for axis, (levels, curve_rows) in zip(axes, shown, strict=True):
            first = np.unique(sizes[curve_rows], return_index=True)[1]
            rows = np.array(curve_rows)[first]
            axis.plot(sizes[rows], draws[rows], ".-", color=palette.pale, lw=0.5, ms=1)
            draw_runs(axis, sizes[curve_rows], observed[curve_rows], palette)
            set_title(axis, " / ".join(levels))
    return figure


FIGURE = FitFigure(plot_prior, section="priors")
