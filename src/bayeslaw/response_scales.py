"""Response scales, on which noise and discrepancy are additive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from bayeslaw._arguments import FINITE
from bayeslaw._suggestions import missing_name

__all__ = ["LogScale", "LogitScale", "RawScale", "ResponseScale"]

if not TYPE_CHECKING:  # a type checker finds a wrong name by itself
    __getattr__ = missing_name(__name__, __all__)


@runtime_checkable
class ResponseScale(Protocol):
    """A monotone map of responses, for numbers, arrays and tensors alike.

    Every method takes the `unit` of the responses, the median of the fitted ones: the map applies
    to the response in that unit, so that noise on any scale is relative to it.
    """

    def forward(self, response: Any, unit: float) -> Any:
        """The response on this scale."""
        ...

    def inverse(self, value: Any, unit: float) -> Any:
        """The response at a value of this scale."""
        ...

    def slope(self, response: Any, unit: float) -> Any:
        """Derivative of `forward`."""
        ...

    def holds(self, response: Any) -> Any:
        """Whether a response or a law may have this value."""
        ...


@dataclass(frozen=True)
class LogScale:
    """The logarithm, on which noise is relative; for losses, errors and perplexities.

    Examples
    --------
    >>> LogScale().forward(1.0, unit=1.0)
    np.float64(0.0)
    """

    def forward(self, response: Any, unit: float = 1.0) -> Any:
        """The logarithm."""
        return np.log(response)

    def inverse(self, value: Any, unit: float = 1.0) -> Any:
        """The exponential."""
        return np.exp(value)

    def slope(self, response: Any, unit: float = 1.0) -> Any:
        """One over the response."""
        return 1 / response

    def holds(self, response: Any) -> Any:
        """Whether the response is positive."""
        return response > 0


@dataclass(frozen=True)
class RawScale:
    """The response itself, in units of the median fitted response.

    Noise is as large at small losses as at large ones, and ``sigma`` is relative to the median: a
    sigma of 0.01 at a median loss of 3 is 0.03.

    Examples
    --------
    >>> RawScale().forward(6.0, unit=3.0)
    2.0
    """

    def forward(self, response: Any, unit: float) -> Any:
        """The response in the unit."""
        return response / unit

    def inverse(self, value: Any, unit: float) -> Any:
        """The response."""
        return value * unit

    def slope(self, response: Any, unit: float) -> Any:
        """One over the unit."""
        return 0 * response + 1 / unit

    def holds(self, response: Any) -> Any:
        """Whether the response is finite."""
        return np.isfinite(response)


@dataclass(frozen=True)
class LogitScale:
    """The logit between two bounds: for accuracies, pass rates and other bounded metrics.

    Parameters
    ----------
    lower, upper : float
        The bounds, in the response's units; `lower` is chance level, if there is one.

    Raises
    ------
    ValueError
        If `lower` is not below `upper`.

    Examples
    --------
    >>> LogitScale(lower=0.25).forward(0.625, unit=1.0)
    np.float64(0.0)
    """

    lower: float = 0.0
    upper: float = 1.0

    def __post_init__(self) -> None:
        for name in ("lower", "upper"):
            FINITE.check(f"{self}: {name}", getattr(self, name))
        if not self.lower < self.upper:
            raise ValueError(f"{self}: lower must be below upper")

    def forward(self, response: Any, unit: float = 1.0) -> Any:
        """The logit of the position between the bounds."""
        return np.log(response - self.lower) - np.log(self.upper - response)

    def inverse(self, value: Any, unit: float = 1.0) -> Any:
        """The response between the bounds."""
        return self.lower + (self.upper - self.lower) / (1 + np.exp(-value))

    def slope(self, response: Any, unit: float = 1.0) -> Any:
        """Derivative of the logit, infinite at the bounds."""
        return 1 / (response - self.lower) + 1 / (self.upper - response)

    def holds(self, response: Any) -> Any:
        """Whether the response is strictly between the bounds."""
        return (response > self.lower) & (response < self.upper)
