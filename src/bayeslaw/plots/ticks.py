"""Limits and ticks of logarithmic axes."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, ScalarFormatter

from bayeslaw.plots.style import width_in_inches

__all__ = ["log_limits", "set_log_scale"]


def log_limits(core: np.ndarray, rest: np.ndarray, factor: float, margin: float = 1) -> list[float]:
    """Limits around all of `core`, and around `rest` as far as a factor beyond the core.

    Only finite positive values count. `margin` stretches the upper limit, as a share of the range.
    """
    core, rest = (values[np.isfinite(values) & (values > 0)] for values in (core, rest))
    core = core if core.size else np.ones(1)
    low = max(core.min() / factor, rest.min(initial=core.min()))
    high = min(core.max() * factor, rest.max(initial=core.max()))
    pad = max((high / low) ** 0.04, 1.02)
    return [float(low / pad), float(low * (high / low) ** margin * pad)]


def set_log_scale(panel: Axes, which: str, limits: list[float]) -> None:
    """Make the "x" or "y" axis logarithmic, with as many ticks as fit; shared axes follow."""
    panel.set(**{f"{which}scale": "log", f"{which}lim": limits})
    axis, per_inch = (panel.xaxis, 23) if which == "x" else (panel.yaxis, 27)
    per_inch /= float(axis.get_major_ticks(1)[0].label1.get_fontsize())
    max_ticks = max(3, int(per_inch * width_in_inches(panel)))
    decades = math.log10(limits[1] / limits[0])
    steps = [subs for subs in (range(1, 10), (1, 2, 5), (1, 3)) if decades * len(subs) < max_ticks]
    axis.set_major_locator(LogLocator(subs=[*steps, (1,)][0], numticks=max_ticks))
    axis.set_minor_locator(LogLocator(subs=range(1, 10) if decades < 4 else (1,), numticks=99))
    power = ScalarFormatter(useMathText=True).format_data
    is_plain = limits[0] > 1e-4 and limits[1] < 1e5
    axis.set_major_formatter(lambda v, _: f"{v:.5g}" if is_plain else f"${power(v)}$")
    axis.set_minor_formatter("")
