"""How a run scatters about the law: observation noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeslaw.parameters import SIGMA, Role

__all__ = ["StudentT"]


@dataclass(frozen=True)
class StudentT:
    """Multiplicative noise: the logarithm of a response is Student-t about that of the law.

    The scale ``sigma`` is a relative error (0.01: one per cent), one per curve, pooled. A known
    standard error of a run adds to it in quadrature.

    Parameters
    ----------
    nu : float
        Degrees of freedom, above 2; 4 tolerates the outliers that training runs have.

    Examples
    --------
    >>> StudentT()
    StudentT(nu=4.0)
    """

    nu: float = 4.0

    def __post_init__(self) -> None:
        if not self.nu > 2:
            raise ValueError(f"{self}: nu must be above 2, where the noise has a variance")

    @property
    def parameters(self) -> Mapping[str, Role]:
        """The parameters of the noise and their roles."""
        return {"sigma": SIGMA}

    def log_density(self, response: Any, mean: Any, sigma: Any) -> Any:
        """Log density of the raw response.

        Parameters
        ----------
        response, mean, sigma : array
            Observed response and the law's value, in the response's units, and the relative
            scale of the noise. Broadcast.

        Returns
        -------
        array
            In units of one over the response; minus infinity where the law is not positive.

        Examples
        --------
        >>> round(float(StudentT().log_density(1.0, 1.0, 1.0)), 6)
        -0.980829
        """
        constant = (
            math.lgamma((self.nu + 1) / 2)
            - math.lgamma(self.nu / 2)
            - math.log(self.nu * math.pi) / 2
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            z = (np.log(response) - np.log(mean)) / sigma
        tail = (self.nu + 1) / 2 * np.log1p(z**2 / self.nu)
        density = constant - np.log(sigma) - tail - np.log(response)
        return np.where(mean > 0, density, -np.inf)

    def draw(self, rng: np.random.Generator, mean: Any, sigma: Any) -> Any:
        """Draw responses about the law.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness.
        mean, sigma : array
            The law's value and the relative scale of the noise. Broadcast.

        Returns
        -------
        array
            A value that is not positive stays as it is: it ranks lowest.

        Examples
        --------
        >>> rng = np.random.default_rng(1)
        >>> StudentT().draw(rng, np.array([2.0, -1.0]), 0.01).round(2)
        array([ 2.01, -1.  ])
        """
        mean = np.asarray(mean)
        noise = rng.standard_t(self.nu, size=np.broadcast_shapes(mean.shape, np.shape(sigma)))
        with np.errstate(over="ignore", invalid="ignore"):
            return np.where(mean > 0, mean * np.exp(sigma * noise), mean)

    def variable(self, name: str, log_mean: Any, sigma: Any, *, observed: Any, dims: str) -> Any:
        """Register the observed response in the PyMC model on the context stack.

        Parameters
        ----------
        name : str
            Name of the response.
        log_mean, sigma : tensor
            Logarithm of the law's value and scale of the noise, per run.
        observed : array or tensor
            The response.
        dims : str
            Dimension of the runs.

        Returns
        -------
        tensor
        """
        import pymc as pm

        def response(center: Any, scale: Any, size: Any) -> Any:
            return pm.math.exp(pm.StudentT.dist(self.nu, mu=center, sigma=scale, size=size))

        return pm.CustomDist(name, log_mean, sigma, dist=response, observed=observed, dims=dims)
