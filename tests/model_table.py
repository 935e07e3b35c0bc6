"""Models of every law structure, noise, discrepancy, pooling and kind of prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import preliz as pz
from hand_written import GROUPS

from bayeslaw import laws
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.model.noise import StudentT, Undertuned
from bayeslaw.model.noise_kind import Noise
from bayeslaw.priors import Fixed, LinkNormal, LogitNormal, LogNormal
from bayeslaw.response_scales import LogScale, ResponseScale


@dataclass(frozen=True)
class Laplace(Noise):
    """A noise of one's own."""

    scale: ResponseScale = LogScale()
    varies_with: str | None = None

    def log_density(self, residual: Any, sigma: Any, parameters: Any) -> Any:
        return -np.abs(residual) / sigma - np.log(2 * sigma)

    def draw(self, rng: np.random.Generator, sigma: Any, parameters: Any) -> Any:
        return rng.laplace(0.0, sigma, np.shape(sigma))


MODELS = {  # that are not among those with a density by hand
    "chinchilla, approximate knots": Model(
        laws.chinchilla, pooling=["data"], discrepancy=Brownian(knots=1)
    ),
    "chinchilla, tied": Model(laws.chinchilla, pooling=["task"], tie={"beta": "alpha"}),
    "curvature": Model(laws.curvature, pooling=["task"], discrepancy=None),
    "curvature, discrepancy": Model(laws.curvature, pooling=None),
    "log-linear, latent": Model(laws.log_linear, pooling=["data"], noise=StudentT(5.0)),
    "single term": Model(laws.pure_power, pooling=GROUPS),
    "links": Model(laws.sigmoid, discrepancy=None, noise=StudentT(varies_with="N")),
    "fixed floor": Model(
        laws.power, pooling=["task"], noise=Undertuned(), priors={"L0": Fixed(0.9)}
    ),
    "priors": Model(
        laws.power,
        pooling={"alpha": ["task"]},
        priors={
            "alpha": pz.Gamma(4.0, 10.0),
            "L0": LogNormal(1.0, 1.5),
            "sd_alpha": LogNormal(0.1, 2.0),
            "sd_sigma": Fixed(0.2),
        },
    ),
    "priors, unpooled": Model(
        laws.power,
        pooling=None,
        priors={"alpha": pz.Gamma(4.0, 10.0), "sigma": LinkNormal(-4.0, 0.5)},
    ),
    "prior of a fraction": Model(
        laws.sigmoid, discrepancy=None, priors={"g": pz.Beta(2, 5), "h": LogitNormal(0.6, 1.0)}
    ),
    "own noise": Model(laws.power, noise=Laplace(), discrepancy=None),
}
