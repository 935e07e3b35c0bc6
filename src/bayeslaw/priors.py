"""Priors: records that register a PyMC variable.

The default prior of a parameter stands with its role, in `bayeslaw._law.roles`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from bayeslaw._arguments import ABOVE_ONE, FINITE, POSITIVE, PROBABILITY, NumberRange
from bayeslaw._suggestions import missing_name

__all__ = [
    "Fixed",
    "HalfNormal",
    "LinkNormal",
    "LogNormal",
    "LogitNormal",
    "Normal",
    "Population",
    "Prior",
]

if not TYPE_CHECKING:  # a type checker finds a wrong name by itself
    __getattr__ = missing_name(__name__, __all__)


@runtime_checkable
class Prior(Protocol):
    """Anything that can register a PyMC random variable: these records, or a PreliZ distribution.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> isinstance(bl.LogNormal(0.35, 1.5), bl.priors.Prior)
    True
    """

    def to_pymc(self, name: str, /, *, dims: Any = None) -> Any:
        """Register a variable called `name` in the PyMC model on the context stack."""
        ...


@dataclass(frozen=True)
class Normal:
    """Normal prior of a real parameter.

    Parameters
    ----------
    mean, sd : float
        Mean and standard deviation, in the parameter's units.

    Examples
    --------
    >>> Normal(0.0, 1.5)
    Normal(mean=0.0, sd=1.5)
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        _check(self, "mean", FINITE)
        _check(self, "sd", POSITIVE)

    def to_pymc(self, name: str, /, *, dims: Any = None) -> Any:
        """Register a PyMC normal variable."""
        import pymc as pm

        return pm.Normal(name, self.mean, self.sd, dims=dims)


@dataclass(frozen=True)
class LogNormal:
    """Log-normal prior of a positive parameter, by its median and a factor.

    About 68% of the prior lies between ``median / factor`` and ``median * factor``, about 95%
    between ``median / factor**2`` and ``median * factor**2``.

    Parameters
    ----------
    median : float
        Median, in the parameter's units.
    factor : float
        Exponential of the standard deviation of the logarithm; above 1.

    Examples
    --------
    >>> LogNormal(0.35, 1.5)
    LogNormal(median=0.35, factor=1.5)
    """

    median: float
    factor: float

    def __post_init__(self) -> None:
        _check(self, "median", POSITIVE)
        _check(self, "factor", ABOVE_ONE)

    def to_pymc(self, name: str, /, *, dims: Any = None) -> Any:
        """Register a PyMC log-normal variable."""
        import pymc as pm

        return pm.LogNormal(name, math.log(self.median), math.log(self.factor), dims=dims)


@dataclass(frozen=True)
class LogitNormal:
    """Logit-normal prior of a fraction between 0 and 1.

    Parameters
    ----------
    median : float
        Median, between 0 and 1.
    sd : float
        Standard deviation of the logit.

    Examples
    --------
    >>> LogitNormal(0.5, 1.5)
    LogitNormal(median=0.5, sd=1.5)
    """

    median: float
    sd: float

    def __post_init__(self) -> None:
        _check(self, "sd", POSITIVE)
        _check(self, "median", PROBABILITY)

    def to_pymc(self, name: str, /, *, dims: Any = None) -> Any:
        """Register a PyMC logit-normal variable."""
        import pymc as pm

        logit = math.log(self.median) - math.log1p(-self.median)
        return pm.LogitNormal(name, logit, self.sd, dims=dims)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class LinkNormal:
    """Normal prior on the link scale, on which curves are pooled.

    That is the logit of a floor's share of the response, the log response at the reference for an
    amplitude, or the log of an exponent, a scale or a standard deviation. `bayeslaw.population`
    summarises a population of curves by such priors.

    Parameters
    ----------
    mean, sd : float
        Mean and standard deviation, on that scale.

    Examples
    --------
    >>> LinkNormal(-0.9, 0.5)
    LinkNormal(mean=-0.9, sd=0.5)
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        _check(self, "mean", FINITE)
        _check(self, "sd", POSITIVE)

    def to_pymc(self, name: str, /, *, dims: Any = None) -> Any:
        """Register a PyMC normal variable, on the scale of the link."""
        import pymc as pm

        return pm.Normal(name, self.mean, self.sd, dims=dims)


@dataclass(frozen=True)
class HalfNormal:
    """Half-normal prior of a standard deviation.

    Parameters
    ----------
    sd : float
        Standard deviation of the normal distribution before it is folded at zero.

    Examples
    --------
    >>> HalfNormal(0.3)
    HalfNormal(sd=0.3)
    """

    sd: float

    def __post_init__(self) -> None:
        _check(self, "sd", POSITIVE)

    def to_pymc(self, name: str, /, *, dims: Any = None) -> Any:
        """Register a PyMC half-normal variable."""
        import pymc as pm

        return pm.HalfNormal(name, self.sd, dims=dims)


@dataclass(frozen=True)
class Fixed:
    """A parameter fixed at a known value, at the reference scale.

    Parameters
    ----------
    value : float
        The value.

    Examples
    --------
    >>> Fixed(1.69)
    Fixed(value=1.69)
    """

    value: float

    def to_pymc(self, name: str, /, *, dims: Any = None) -> Any:
        """Register the value as a constant."""
        import pymc as pm
        import pytensor.tensor as pt

        shape = () if dims is None else (len(pm.modelcontext(None).coords[dims] or ()),)
        return pm.Deterministic(name, pt.full(shape, float(self.value)), dims=dims)


@dataclass(frozen=True)
class Population(Mapping[str, Prior]):
    """Priors of a new curve, learned from other curves; can be passed as `priors` of a model.

    Parameters
    ----------
    law : str
        Name of the law.
    reference : mapping of str to float
        Reference scale of each predictor, at which the priors hold; read new runs with it.
    priors : mapping of str to Prior
        A `LinkNormal` per parameter of law, noise and discrepancy and, for fits of several new
        curves, a `HalfNormal` per standard deviation between them (``sd_alpha``).
    provenance : mapping
        Where they were learned: data, curves, groups, seed, versions.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> learned = bl.load_population("few_shot_error")
    >>> learned.law
    'plateau_power'
    """

    law: str
    reference: Mapping[str, float]
    priors: Mapping[str, Prior]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Prior:
        """The prior of a parameter."""
        return self.priors[name]

    def __iter__(self) -> Iterator[str]:
        """Names of the parameters."""
        return iter(self.priors)

    def __len__(self) -> int:
        """Number of priors."""
        return len(self.priors)


def _check(prior: object, name: str, number_range: NumberRange) -> None:
    number_range.check(f"{prior}: {name}", getattr(prior, name))
