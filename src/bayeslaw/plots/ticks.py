"""Limits and ticks of logarithmic axes."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, ScalarFormatter

from bayeslaw.plots.style import width_of

__all__ = ["limits", "log_axis"]


def limits(core: np.ndarray, rest: np.ndarray, reach: float, margin: float = 1) -> list[float]:
    """Limits around all of the core, and around the rest as far as a factor of the core.

    Parameters
    ----------
    core, rest : array
        Values; those that are not positive numbers do not count.
    reach : float
        The factor.
    margin : float
        The upper limit on the log axis, as a share of the range.

    Returns
    -------
    list of float

    Examples
    --------
    >>> low, high = limits(np.array([1.0, 10.0]), np.array([0.1, 100.0]), 2)
    >>> 0.4 < low < 0.5, 20 < high < 25
    (True, True)
    """
    core, rest = (values[np.isfinite(values) & (values > 0)] for values in (core, rest))
    core = core if core.size else np.ones(1)
    low = max(core.min() / reach, rest.min(initial=core.min()))
    high = min(core.max() * reach, rest.max(initial=core.max()))
    pad = max((high / low) ** 0.04, 1.02)
    return [float(low / pad), float(low * (high / low) ** margin * pad)]


def log_axis(panel: Axes, which: str, ends: list[float]) -> None:
    """Make an axis logarithmic with ticks that fit.

    Parameters
    ----------
    panel : matplotlib.axes.Axes
        Where; the axes that share it follow.
    which : str
        ``x`` or ``y``.
    ends : list of float
        Limits.
    """
    panel.set(**{f"{which}scale": "log", f"{which}lim": ends})
    axis, room = (panel.xaxis, 23) if which == "x" else (panel.yaxis, 27)
    room /= float(axis.get_major_ticks(1)[0].label1.get_fontsize())
    most, decades = max(3, int(room * width_of(panel))), math.log10(ends[1] / ends[0])
    ladders = [steps for steps in (range(1, 10), (1, 2, 5), (1, 3)) if decades * len(steps) < most]
    axis.set_major_locator(LogLocator(subs=[*ladders, (1,)][0], numticks=most))
    axis.set_minor_locator(LogLocator(subs=range(1, 10) if decades < 4 else (1,), numticks=99))
    power = ScalarFormatter(useMathText=True).format_data
    is_plain = ends[0] > 1e-4 and ends[1] < 1e5
    axis.set_major_formatter(lambda v, _: f"{v:.5g}" if is_plain else f"${power(v)}$")
    axis.set_minor_formatter("")
