"""The kinds of observation noise of this package: Gaussian, Student-t, under-tuned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from bayeslaw._arguments import NumberRange
from bayeslaw._law.roles import SIGMA, Role
from bayeslaw.model.noise_kind import Noise
from bayeslaw.response_scales import LogScale, RawScale, ResponseScale

__all__ = ["BUILT_IN", "Gaussian", "StudentT", "Undertuned"]

ABOVE_TWO = NumberRange(
    "a finite number above 2, where the noise has a variance", lambda number: number > 2
)
NO_TAIL = 1e6  # degrees of freedom at which Student-t is normal


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
        super().__post_init__()
        ABOVE_TWO.check(f"{self}: nu", self.nu)

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

    def latent(self, name: str, dims: str | None) -> Any:
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

    def latent(self, name: str, dims: str | None) -> Any:
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
