"""Observation noise, for all kinds: the distribution of a run about its curve.

A kind of noise is a density of residuals on a response scale, written once for arrays and tensors.
With a discrepancy, which is Gaussian, noise has to be Gaussian given a latent variable of each
run, which is sampled (data augmentation). The kinds of this package are in `bayeslaw.model.noise`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from bayeslaw._law.roles import SIGMA, SLOPE, Role
from bayeslaw._suggestions import require_kind
from bayeslaw.response_scales import ResponseScale

__all__ = ["Noise", "has_latent", "own_parameters", "sigma_at"]

OWN_MODULE = "bayeslaw.model.noise"  # whose names are taken


class Noise(ABC):
    """A kind of observation noise: subclass it for one of your own.

    A kind is a frozen dataclass with the fields ``scale`` and ``varies_with``, `log_density` and
    `draw`. With more parameters than ``sigma`` it also says which, by `parameters`. Next to a
    discrepancy, which is Gaussian, it has to be Gaussian given a latent variable of each run:
    `latent` and `given` say how. Saved fits and forecasts keep the names of the class and its
    module, and its fields; the class has to be defined where they are read.

    Attributes
    ----------
    scale : LogScale, RawScale or LogitScale
        Response scale on which the noise is additive.
    varies_with : str or None
        Predictor that ``sigma`` varies with, as a power of it.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import bayeslaw as bl
    >>> @dataclass(frozen=True)
    ... class Laplace(bl.Noise):
    ...     scale: ResponseScale = bl.response_scales.LogScale()
    ...     varies_with: str | None = None
    ...
    ...     def log_density(self, residual, sigma, parameters):
    ...         return -np.abs(residual) / sigma - np.log(2 * sigma)
    ...
    ...     def draw(self, rng, sigma, parameters):
    ...         return rng.laplace(0.0, sigma, np.shape(sigma))
    >>> bl.Model(bl.laws.power, noise=Laplace(), discrepancy=None).noise.parameters.keys()
    dict_keys(['sigma'])
    """

    kinds: ClassVar[dict[str, dict[str, type[Noise]]]] = {}  # all, by name and module
    scale: ResponseScale
    varies_with: str | None

    def __init_subclass__(cls) -> None:
        """Register the kind under its name and module, by which files know it."""
        of_name = Noise.kinds.setdefault(cls.__name__, {})
        if OWN_MODULE in of_name and cls.__module__ != OWN_MODULE:
            raise TypeError(f"a kind of noise is called {cls.__name__} already: give yours another")
        of_name[cls.__module__] = cls

    def __post_init__(self) -> None:
        if hasattr(self, "scale"):  # a model says so if it is missing
            scales = "LogScale(), RawScale() or LogitScale(lower, upper) of bl.response_scales"
            require_kind(f"scale of {type(self).__name__}", self.scale, ResponseScale, scales)

    @property
    def parameters(self) -> Mapping[str, Role]:
        """Its parameters and their roles; ``sigma`` first."""
        return {"sigma": SIGMA, **({"sigma_slope": SLOPE} if self.varies_with else {})}

    @property
    def tail(self) -> float:
        """Degrees of freedom with which MAP search weighs outliers."""
        return 4.0

    @property
    def absorbs(self) -> bool:
        """Whether the variance of another normal term can be added to its own."""
        return False

    def is_augmented(self, with_discrepancy: bool) -> bool:
        """Whether a latent variable of each run is sampled, given which it is Gaussian."""
        return with_discrepancy

    @abstractmethod
    def log_density(self, residual: Any, sigma: Any, parameters: Mapping[str, Any]) -> Any:
        """Log density of residuals on the scale, elementwise: arrays or tensors.

        `sigma` and the values of `parameters`, by name, broadcast with the residuals.
        """

    @abstractmethod
    def draw(self, rng: np.random.Generator, sigma: Any, parameters: Mapping[str, Any]) -> Any:
        """Residuals on the scale, of the shape of `sigma`."""

    def latent(self, name: str, dims: str | None) -> Any:
        """Register the latent variable of each run in the PyMC model on the context stack."""
        raise NotImplementedError(f"{type(self).__name__} has no latent variable")

    def given(self, latent: Any, sigma: Any, parameters: Mapping[str, Any]) -> tuple[Any, Any]:
        """Mean and standard deviation of residuals given the latent variables of their runs."""
        raise NotImplementedError(f"{type(self).__name__} has no latent variable")

    def describe(self) -> str:
        """Its distribution in a few words, as a report has it."""
        return type(self).__name__


def own_parameters(noise: Noise) -> tuple[str, ...]:
    """Names of the parameters of noise beside those of its scale."""
    return tuple(name for name in noise.parameters if name not in ("sigma", "sigma_slope"))


def has_latent(noise: Noise) -> bool:
    """Whether the kind knows a latent variable given which it is Gaussian."""
    return type(noise).latent is not Noise.latent


def sigma_at(noise: Noise, parameters: Mapping[str, Any], sizes: Mapping[str, Any]) -> Any:
    """Scale of the noise at runs; `sizes` are predictors in units of their reference."""
    if noise.varies_with is None:
        return parameters["sigma"]
    return parameters["sigma"] * sizes[noise.varies_with] ** parameters["sigma_slope"]
