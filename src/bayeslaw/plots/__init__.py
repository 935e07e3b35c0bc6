"""Matplotlib figures of results; nothing is computed here except intervals.

Each function draws into your axes if given `ax`; otherwise it makes a figure one column or one page
wide. Figures follow Matplotlib's background: they are dark under
``plt.style.use("bayeslaw.dark")`` or any other style with a dark ``figure.facecolor``.
"""

from bayeslaw.plots.calibration import plot_calibration
from bayeslaw.plots.comparison import plot_comparison
from bayeslaw.plots.contours import plot_contours
from bayeslaw.plots.effects import plot_effects
from bayeslaw.plots.forecast import plot_forecast
from bayeslaw.plots.multiverse import plot_multiverse
from bayeslaw.plots.population import plot_population
from bayeslaw.plots.prior import plot_prior
from bayeslaw.plots.residuals import plot_residuals
from bayeslaw.plots.skill import plot_skill

__all__ = [
    "plot_calibration",
    "plot_comparison",
    "plot_contours",
    "plot_effects",
    "plot_forecast",
    "plot_multiverse",
    "plot_population",
    "plot_prior",
    "plot_residuals",
    "plot_skill",
]
