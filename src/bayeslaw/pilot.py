"""What each curve says by itself: a quick mode and its information, to place the sampler.

Nothing here enters the posterior. It only decides, curve by curve and parameter by parameter,
how far the sampler's coordinates follow the data (centred) or the population (non-centred).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayeslaw.coordinates import Coordinates
from bayeslaw.design import Design
from bayeslaw.model import Model
from bayeslaw.optima import Search

__all__ = ["Pilot", "fly", "several"]


@dataclass(frozen=True)
class Pilot:
    """Mode and information of each curve.

    Parameters
    ----------
    pivot_mode, pivot_information : mapping of str to array (curves,)
        In pivot coordinates.
    mode, information : mapping of str to array (curves,)
        In reference coordinates.
    """

    pivot_mode: Mapping[str, np.ndarray]
    pivot_information: Mapping[str, np.ndarray]
    mode: Mapping[str, np.ndarray]
    information: Mapping[str, np.ndarray]

    @property
    def n_curves(self) -> int:
        """Number of curves."""
        return next(iter(self.mode.values())).size


def fly(model: Model, coordinates: Coordinates, design: Design) -> Pilot:
    """Mode and information of each curve by damped Gauss-Newton steps, all curves at once.

    Residuals are weighted as Student-t noise asks, under a wide prior. Where there may be several
    modes it is the one with the largest posterior mass around it.

    Parameters
    ----------
    model : Model
        The model.
    coordinates : Coordinates
        Coordinates of its law.
    design : Design
        The runs.

    Returns
    -------
    Pilot
    """
    search = Search(model, coordinates, design, design.level)
    eta = search.optima()[0]
    place, told = search.place(eta), search.information(eta)
    pivot = {name: eta[row] for row, name in enumerate(coordinates.roles)}
    return Pilot({**pivot, "sigma": place["sigma"]}, told[0], place, told[1])


def several(model: Model, coordinates: Coordinates, design: Design) -> list[dict[str, np.ndarray]]:
    """Modes of each curve that differ and have comparable posterior mass, the best first.

    Parameters
    ----------
    model : Model
        The model.
    coordinates : Coordinates
        Coordinates of its law.
    design : Design
        The runs.

    Returns
    -------
    list of dict of str to array (curves,)
        In reference coordinates. As many as the curve with most of them has; the others repeat
        theirs.
    """
    search = Search(model, coordinates, design, design.level)
    return [search.place(eta) for eta in search.optima()]
