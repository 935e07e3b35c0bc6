"""Figures: results in, a Matplotlib figure out; nothing is computed here but bands.

Each function takes `ax` to draw into axes of yours; without, it makes a figure at the width of a
column or a page. Figures are dark where Matplotlib's are: under
``plt.style.use("bayeslaw.dark")``, or any other style with a dark ``figure.facecolor``.
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
