"""What each curve says by itself: a quick mode and its information, to place the sampler.

Nothing here enters the posterior. It only decides, curve by curve and parameter by parameter,
how far the sampler's coordinates follow the data (centred) or the population (non-centred).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeslaw.coordinates import Coordinates
from bayeslaw.design import Design, prior_of
from bayeslaw.gls import settled
from bayeslaw.misfit import misfit
from bayeslaw.model import Model
from bayeslaw.optima import Search, wide

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

    Residuals are weighted as the noise asks, under a wide prior. Where there may be several modes
    it is the one with the largest posterior mass around it. A discrepancy is reckoned with once
    the mode of independent noise is found.

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
    return _at(search, search.optima()[0])


def _at(search: Search, eta: np.ndarray) -> Pilot:
    """The pilot at an optimum of the search."""
    wrong = misfit(search.model, search.design)
    if wrong is None:
        mode, told = search.place(eta), search.information(eta)
        beside = {"sigma": mode["sigma"]}, {"sigma": told[0]["sigma"]}
    else:
        found, names = settled(search, wrong, eta), ("sigma", *wrong.names)
        eta, mode = found.eta, search.place(found.eta)
        told = search.told(eta, found.curvature)
        beside = tuple(dict(zip(names, v, strict=True)) for v in (found.logs, found.information))
    modes, information = (_completed(search, values, i) for i, values in enumerate(beside))
    return Pilot(
        {**search.named(eta), **modes},
        {**told[0], **information},
        {**mode, **modes},
        {**told[1], **information},
    )


def _completed(search: Search, known: Mapping[str, Any], which: int) -> dict[str, np.ndarray]:
    """Modes (0) or information (1) of all that is beside the law; what is not known is the prior's."""
    out = {}
    for name, role in search.model.beside.items():
        if name in search.model.free:
            prior = wide(prior_of(search.model, name, role, search.level), role)
            unknown = (prior.mean, 1e-3 * prior.sd**-2.0)[which]
            out[name] = known.get(name, np.full(search.design.n_curves, unknown))
    return out


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
    return [dict(_at(search, eta).mode) for eta in search.optima()]
