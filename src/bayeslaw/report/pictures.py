"""Figures of the fit, in the section of the report that each belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bayeslaw.fitting.result import Fit
from bayeslaw.plots.figures import FIGURES, FitFigure, find_figure
from bayeslaw.report.blocks import Picture, Section, figure_png

__all__ = ["with_pictures"]


def with_pictures(section: Section, fit: Fit) -> Section:
    """A section with the figures that belong to it at its end."""
    return replace(section, blocks=(*section.blocks, *_pictures(section.name, fit)))


def _pictures(section: str, fit: Fit) -> Iterator[Picture]:
    for name, caption in FIGURES.items():
        figure = find_figure(name)
        if isinstance(figure, FitFigure) and figure.section == section:
            alternative = f"{caption} Law {fit.model.law.name}."
            yield Picture(figure_png(figure.draw(fit)), caption, alternative)
