"""Observation noise: the distribution of a run about its curve.

A kind of noise is a density of residuals on a response scale, written once for arrays and tensors.
With a discrepancy, which is Gaussian, noise has to be Gaussian given a latent variable of each
run, which is sampled (data augmentation).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import special

from bayeslaw._law.roles import SIGMA, SLOPE, Role
from bayeslaw.response_scales import LogScale, RawScale, ResponseScale

__all__ = ["BUILT_IN", "Gaussian", "Noise", "StudentT", "Undertuned", "sigma_at"]

NO_TAIL = 1e6  # degrees of freedom at which Student-t is normal


class Noise(ABC):
    """A kind of observation noise: subclass it for one of your own.

    A kind is a frozen dataclass with the fields ``scale`` and ``varies_with``, `log_density` and
    `draw`. With more parameters than ``sigma`` it also says which, by `parameters`. Next to a
    discrepancy, which is Gaussian, it has to be Gaussian given a latent variable of each run:
    `latent` and `given` say how. Saved fits and forecasts keep the name of the class and its
    fields; the class has to be defined where they are read.

    Attributes
    ----------
    scale : LogScale, RawScale or LogitScale
        Response scale on which the noise is additive.
    varies_with : str or None
        Predictor that ``sigma`` varies with, as a power of it.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Laplace(Noise):
    ...     scale: ResponseScale = LogScale()
    ...     varies_with: str | None = None
    ...
    ...     def log_density(self, residual, sigma, parameters):
    ...         return -np.abs(residual) / sigma - np.log(2 * sigma)
    ...
    ...     def draw(self, rng, sigma, parameters):
    ...         return rng.laplace(0.0, sigma, np.shape(sigma))
    >>> import bayeslaw as bl
    >>> bl.Model(bl.laws.power, noise=Laplace(), discrepancy=None).noise.parameters.keys()
    dict_keys(['sigma'])
    """

    kinds: ClassVar[dict[str, type[Noise]]] = {}  # all that are defined, by name
    scale: ResponseScale
    varies_with: str | None

    def __init_subclass__(cls) -> None:
        """Register the kind under its name, by which files know it."""
        other = Noise.kinds.get(cls.__name__)
        if other is not None and other.__module__ == __name__ != cls.__module__:
            raise TypeError(f"a kind of noise is called {cls.__name__} already: give yours another")
        Noise.kinds[cls.__name__] = cls

    @property
    def parameters(self) -> Mapping[str, Role]:
        """Its parameters and their roles; ``sigma`` first."""
        return {"sigma": SIGMA, **({"sigma_slope": SLOPE} if self.varies_with else {})}

    @property
    def own_parameters(self) -> tuple[str, ...]:
        """Names of the parameters beside the scale of the noise."""
        return tuple(name for name in self.parameters if name not in ("sigma", "sigma_slope"))

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

    @property
    def has_latent(self) -> bool:
        """Whether it knows a latent variable given which it is Gaussian."""
        return type(self).latent is not Noise.latent

    @abstractmethod
    def log_density(self, residual: Any, sigma: Any, parameters: Mapping[str, Any]) -> Any:
        """Log density of residuals on the scale, elementwise: arrays or tensors.

        `sigma` and the values of `parameters`, by name, broadcast with the residuals.
        """

    @abstractmethod
    def draw(self, rng: np.random.Generator, sigma: Any, parameters: Mapping[str, Any]) -> Any:
        """Residuals on the scale, of the shape of `sigma`."""

    def latent(self, name: str, dims: str) -> Any:
        """Register the latent variable of each run in the PyMC model on the context stack."""
        raise NotImplementedError(f"{type(self).__name__} has no latent variable")

    def given(self, latent: Any, sigma: Any, parameters: Mapping[str, Any]) -> tuple[Any, Any]:
        """Mean and standard deviation of residuals given the latent variables of their runs."""
        raise NotImplementedError(f"{type(self).__name__} has no latent variable")

    def describe(self) -> str:
        """Its distribution in a few words, as a report has it."""
        return type(self).__name__


@dataclass(frozen=True)
class Gaussian(Noise):
    """Normal noise; the default with a discrepancy.

    ``sigma`` is a relative error on the default scale (0.01 is one per cent); one per curve.
    A known standard error of a run adds to it in quadrature.

    Parameters
    ----------
    scale : LogScale, RawScale or LogitScale
        Scale of the response on which it is additive.
    varies_with : str, optional
        Predictor that its scale varies with, as a power: ``sigma (N / N0)^sigma_slope``.

    Examples
    --------
    >>> Gaussian().parameters.keys(), Gaussian(varies_with="N").parameters.keys()
    (dict_keys(['sigma']), dict_keys(['sigma', 'sigma_slope']))
    """

    scale: ResponseScale = LogScale()
    varies_with: str | None = None

    @property
    def tail(self) -> float:
        """Practically infinite."""
        return NO_TAIL

    @property
    def absorbs(self) -> bool:
        """Yes."""
        return True

    def is_augmented(self, with_discrepancy: bool) -> bool:
        """Never: it is Gaussian as it is."""
        return False

    def log_density(self, residual: Any, sigma: Any, parameters: Mapping[str, Any]) -> Any:
        """Log density of a residual on the scale.

        Parameters
        ----------
        residual, sigma : array
            Residuals and their standard deviations. Broadcast.
        parameters : mapping
            Other parameters; none.

        Returns
        -------
        array

        Examples
        --------
        >>> round(float(Gaussian().log_density(0.0, 1.0, {})), 6)
        -0.918939
        """
        return -((residual / sigma) ** 2) / 2 - np.log(sigma) - math.log(2 * math.pi) / 2

    def draw(self, rng: np.random.Generator, sigma: Any, parameters: Mapping[str, Any]) -> Any:
        """Residuals on the scale, of the shape of `sigma`."""
        return sigma * rng.standard_normal(np.shape(sigma))

    def describe(self) -> str:
        """In words."""
        return "Gaussian"


@dataclass(frozen=True)
class StudentT(Noise):
    """Student-t noise, which tolerates outliers; the default without a discrepancy.

    Parameters
    ----------
    nu : float
        Degrees of freedom, above 2; 4 tolerates the outliers that training runs have.
    scale : LogScale, RawScale or LogitScale
        As for `Gaussian`; ``sigma`` is the scale of the distribution, not its standard deviation.
    varies_with : str, optional
        As for `Gaussian`.

    Raises
    ------
    ValueError
        If `nu` is not above 2.

    Examples
    --------
    >>> StudentT().nu
    4.0
    """

    nu: float = 4.0
    scale: ResponseScale = LogScale()
    varies_with: str | None = None

    def __post_init__(self) -> None:
        if not self.nu > 2:
            raise ValueError(f"{self}: nu must be above 2, where the noise has a variance")

    @property
    def tail(self) -> float:
        """Its degrees of freedom."""
        return self.nu

    def log_density(self, residual: Any, sigma: Any, parameters: Mapping[str, Any]) -> Any:
        """Log density of a residual on the scale; as for `Gaussian`.

        Examples
        --------
        >>> round(float(StudentT().log_density(0.0, 1.0, {})), 6)
        -0.980829
        """
        constant = (
            math.lgamma((self.nu + 1) / 2)
            - math.lgamma(self.nu / 2)
            - math.log(self.nu * math.pi) / 2
        )
        tail = (self.nu + 1) / 2 * np.log1p((residual / sigma) ** 2 / self.nu)
        return constant - np.log(sigma) - tail

    def draw(self, rng: np.random.Generator, sigma: Any, parameters: Mapping[str, Any]) -> Any:
        """Residuals on the scale, of the shape of `sigma`."""
        return sigma * rng.standard_t(self.nu, size=np.shape(sigma))

    def latent(self, name: str, dims: str) -> Any:
        """The weight of each run: gamma with mean one."""
        import pymc as pm

        half = np.float64(self.nu / 2)  # PyTensor stores Python floats in single precision
        return pm.Gamma(name, half, half, dims=dims)

    def given(self, latent: Any, sigma: Any, parameters: Mapping[str, Any]) -> tuple[Any, Any]:
        """Zero, and a standard deviation that is wide where the weight is small."""
        return 0.0, sigma / np.sqrt(latent)

    def describe(self) -> str:
        """In words."""
        return f"Student-t with {self.nu:g} degrees of freedom"


@dataclass(frozen=True)
class Undertuned(Noise):
    """Normal noise plus an exponential excess, for runs that are not fully tuned.

    An undertuned run lies above the law, never below. The excess is exponential with mean
    ``excess`` on the response scale, so the law is that of well-tuned runs.

    Parameters
    ----------
    scale : LogScale, RawScale or LogitScale
        As for `Gaussian`.
    varies_with : str, optional
        As for `Gaussian`.

    Examples
    --------
    >>> Undertuned().parameters.keys()
    dict_keys(['sigma', 'excess'])
    """

    scale: ResponseScale = LogScale()
    varies_with: str | None = None

    @property
    def parameters(self) -> Mapping[str, Role]:
        """Its parameters and their roles."""
        return {**super().parameters, "excess": SIGMA}

    @property
    def absorbs(self) -> bool:
        """Yes: into its normal part."""
        return True

    def is_augmented(self, with_discrepancy: bool) -> bool:
        """Always: the excess of each run is sampled."""
        return True

    def log_density(self, residual: Any, sigma: Any, parameters: Mapping[str, Any]) -> Any:
        """Log density of a residual on the scale; as for `Gaussian`.

        Examples
        --------
        >>> round(float(Undertuned().log_density(0.0, 1.0, {"excess": 1e-6})), 4)
        -0.9189
        """
        z, ratio = residual / sigma, sigma / parameters["excess"]
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # each form overflows where the other is used
            below = np.log(special.erfcx((ratio - z) / math.sqrt(2)) / 2) - z**2 / 2
            above = ratio * (ratio / 2 - z) + special.log_ndtr(z - ratio)
        return np.where(z < ratio, below, above) + np.log(ratio / sigma)

    def draw(self, rng: np.random.Generator, sigma: Any, parameters: Mapping[str, Any]) -> Any:
        """Residuals on the scale, of the shape of `sigma`."""
        shape = np.shape(sigma)
        return sigma * rng.standard_normal(shape) + parameters["excess"] * rng.standard_exponential(
            shape
        )

    def latent(self, name: str, dims: str) -> Any:
        """The excess of each run relative to the mean excess."""
        import pymc as pm

        return pm.Exponential(name, 1.0, dims=dims)

    def given(self, latent: Any, sigma: Any, parameters: Mapping[str, Any]) -> tuple[Any, Any]:
        """The excess, and the standard deviation of the rest."""
        return parameters["excess"] * latent, sigma

    def describe(self) -> str:
        """In words."""
        return "Gaussian with an exponential excess for under-tuned runs"


# Kinds of the package, by their names on the command line.
BUILT_IN: Mapping[str, Noise] = {
    "gaussian": Gaussian(),
    "student-t": StudentT(),
    "undertuned": Undertuned(),
    "raw-gaussian": Gaussian(RawScale()),
}


def sigma_at(noise: Noise, parameters: Mapping[str, Any], sizes: Mapping[str, Any]) -> Any:
    """Scale of the noise at runs; `sizes` are predictors in units of their reference."""
    if noise.varies_with is None:
        return parameters["sigma"]
    return parameters["sigma"] * sizes[noise.varies_with] ** parameters["sigma_slope"]
