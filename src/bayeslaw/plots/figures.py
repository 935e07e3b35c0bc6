"""The table of figures: what `bl.plot_NAME`, `bayeslaw plot NAME` and the report draw.

To add a figure, write ``plots/NAME.py`` with a function ``plot_NAME`` and a `FIGURE`, and list it
in `FIGURES`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from bayeslaw._suggestions import did_you_mean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIGURES", "FitFigure", "ResultFigure", "find_figure"]

# Names and captions. The modules are imported when they are needed, so that the names cost nothing.
FIGURES: Mapping[str, str] = {
    "forecast": "Bands of the forecast and the runs, a panel per curve.",
    "residuals": "Residuals of the runs and the discrepancy of the law, a panel per curve.",
    "effects": "Forest plot of a parameter: typical curve, levels of each group, and curves.",
    "population": "A parameter of a new curve, of the typical curve and of the fitted curves.",
    "prior": "Runs drawn from the prior, noise included, with the observed runs on top.",
    "contours": "Contours of a law of two predictors, budgets, and the compute-optimal sizes.",
    "calibration": "Calibration at held-out runs: quantiles, and coverage of the bands.",
    "comparison": "Log scores of laws relative to the best, and their other scores.",
    "skill": "Scores of laws by how far they extrapolate.",
    "multiverse": "A forecast under every combination of modelling choices.",
}


@dataclass(frozen=True)
class FitFigure:
    """A figure drawn from a fit; other parameters of `draw` are what it takes besides the fit."""

    draw: Callable[..., Figure]
    section: str = ""  # of the report, at whose end it is shown

    @property
    def options(self) -> dict[str, bool]:
        """What it takes besides the fit, and whether it is required."""
        _, *parameters = inspect.signature(self.draw).parameters.values()
        return {each.name: each.default is each.empty for each in parameters}


@dataclass(frozen=True)
class ResultFigure:
    """A figure drawn from the result of a function that fits several times."""

    result_of: Callable[..., Any]


def find_figure(name: str) -> FitFigure | ResultFigure:
    """A figure by its name."""
    if name not in FIGURES:
        hint = did_you_mean(name, FIGURES)
        listed = " ".join(f"{each}: {caption}" for each, caption in FIGURES.items())
        raise ValueError(f"there is no figure {name!r}{hint} There are: {listed}")
    return import_module(f"bayeslaw.plots.{name}").FIGURE
