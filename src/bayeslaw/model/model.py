"""The statistical model: a law, its pooling, noise, discrepancy and priors."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any

from bayeslaw._law.law import Law
from bayeslaw._law.roles import Role, role_of
from bayeslaw._law.units import rescale
from bayeslaw._suggestions import did_you_mean
from bayeslaw.model.discrepancy import Brownian, Discrepancy
from bayeslaw.model.noise import Gaussian, StudentT
from bayeslaw.model.noise_kind import Noise, has_latent, own_parameters
from bayeslaw.model.user_code import user_code
from bayeslaw.priors import Fixed, Prior

__all__ = ["Model"]

type Pooling = Sequence[str] | Mapping[str, Sequence[str]] | None

# Support of fixed values, by the name of the role, else of the link.
SUPPORTS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "Floor": ("finite and at or above 0", lambda value: value >= 0),
    "spread": ("finite and at or above 0", lambda value: value >= 0),
    "log": ("finite and above 0", lambda value: value > 0),
    "logit": ("strictly between 0 and 1", lambda value: 0 < value < 1),
    "identity": ("finite", lambda value: True),
}


RESERVED = {"mean", "new_run", "law", "center", "scale", "noise", "weight"}  # of forecasts

UNSET: Any = object()  # default of an argument for which None has a meaning


@dataclass(frozen=True)
class Model:
    """A law, how its parameters are pooled over groups, its noise and its priors.

    Parameters
    ----------
    law : Law
        Mean response.
    pooling : sequence of str, mapping of str to sequence of str, or None
        Groups over which every parameter (a list) or each named parameter (a mapping) is
        pooled: a curve's parameter is the population's, plus an effect of each of its groups,
        plus a deviation of its own. Parameters that a mapping leaves out have no group effects.
        None fits each curve alone.
    noise : Gaussian, StudentT, Undertuned or another Noise, optional
        Scatter of a run about the curve. The default is `Gaussian` with a discrepancy, and
        `StudentT` without one.
    discrepancy : Brownian or None, optional
        The error of the law, as a random function of size. With None all bands take the law
        as exact. The default is `Brownian` for a law in one predictor and None for laws in several,
        where a discrepancy can compete with the law's own terms.
    priors : mapping of str to Prior
        Priors of the population's parameters, at the reference scale, instead of the defaults of
        their roles; ``"sd_alpha"`` is the standard deviation of ``alpha`` between curves and
        groups: with ``bl.Fixed(0)`` it is the same in all curves. The prior of a `Scale` is in
        multiples of the reference size, so that the default is centred on the middle of the runs
        unless `read_runs` is given another reference.
    tie : mapping of str to str
        Parameters that equal another parameter of the same role, in any units.

    Raises
    ------
    TypeError
        If `law` is not a law, a prior not a distribution, groups are a string, or noise or
        discrepancy are of another kind.
    ValueError
        If a prior, tie or pooling names an unknown parameter, a fixed value is outside its
        parameter's support, a tie would hold in some units only, no parameter of the law is free,
        or the noise varies with something that is not a predictor of the law.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> model = bl.Model(bl.laws.power, pooling=["task"], priors={"L0": bl.Fixed(1.69)})
    >>> model.free
    ('k', 'alpha', 'sigma', 'tau')
    >>> model.noise
    Gaussian(scale=LogScale(), varies_with=None)
    """

    law: Law
    pooling: Pooling = ()
    noise: Noise = None  # type: ignore[assignment]  # set below, where it is not given
    discrepancy: Discrepancy | None = UNSET  # set below as well; None means none
    priors: Mapping[str, Prior] = field(default_factory=dict)
    tie: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.discrepancy is UNSET:
            alone = isinstance(self.law, Law) and len(self.law.predictors) == 1
            object.__setattr__(self, "discrepancy", Brownian() if alone else None)
        if self.noise is None:
            object.__setattr__(self, "noise", Gaussian() if self.discrepancy else StudentT())
        _require_kinds(self)
        _require_compatible(self)
        spreads = [f"sd_{name}" for name in self.free]
        _require_known("prior", self.priors, [*self.roles, *spreads])
        _require_known("tie", {*self.tie, *self.tie.values()}, self.law.parameters)
        if isinstance(self.pooling, Mapping):
            _require_known("pooling", self.pooling, self.free)
        for name, prior in self.priors.items():
            _require_prior(name, prior, self.roles.get(name))
        _require_ties(self)
        if not set(self.free) & set(self.law.parameters):
            raise ValueError(
                f"nothing to infer: all parameters of law {self.law.name!r} are fixed, "
                f"{self.fixed}; leave one free"
            )

    @property
    def roles(self) -> dict[str, Role]:
        """Roles of all parameters of the model; the law's first."""
        return {**self.law.parameters, **self.nuisance_roles}

    @property
    def nuisance_roles(self) -> dict[str, Role]:
        """Roles of the parameters of noise and discrepancy."""
        more = self.discrepancy.parameters(self.law) if self.discrepancy else {}
        return {**_noise_roles(self.noise), **more}

    @property
    def content(self) -> str:
        """Text that identifies the model, with the roles of its law and the code of the user's."""
        return self._text(self.priors)

    def structure(self, priors_as_data: Collection[str]) -> str:
        """The same text, with only the kind of those priors whose parameters are data."""
        kinds = {n: type(p).__name__ if n in priors_as_data else p for n, p in self.priors.items()}
        return self._text(kinds)

    def _text(self, priors: Mapping[str, Any]) -> str:
        # The repr of a link's functions differs between processes; its name identifies it.
        roles = [(n, r.name, r.link.name, r.prior, r.spread) for n, r in self.roles.items()]
        rest = [getattr(self, field.name) for field in fields(self) if field.name != "priors"]
        return f"{rest} {dict(priors)} {self.law.digest} {roles} {user_code(self)}".rstrip()

    @property
    def is_augmented(self) -> bool:
        """Whether a latent variable of each run is sampled with the noise."""
        return self.noise.is_augmented(self.discrepancy is not None)

    @property
    def fixed(self) -> dict[str, float]:
        """Parameters that a prior or their role fixes, and their values."""
        priors = {name: role.prior for name, role in self.roles.items()} | dict(self.priors)
        return {name: prior.value for name, prior in priors.items() if isinstance(prior, Fixed)}

    @property
    def free(self) -> tuple[str, ...]:
        """Parameters that are inferred: neither fixed nor tied."""
        return tuple(n for n in self.roles if n not in self.fixed and n not in self.tie)

    def groups_of(self, parameter: str) -> tuple[str, ...]:
        """The groups over which a parameter is pooled."""
        if self.pooling is None:
            return ()
        if isinstance(self.pooling, Mapping):
            return tuple(self.pooling.get(parameter, ()))
        return tuple(self.pooling)


def _noise_roles(noise: Noise) -> dict[str, Role]:
    roles = {name: role_of(given) for name, given in noise.parameters.items()}
    for name, role in roles.items():
        if role is None:
            raise TypeError(
                f"noise {type(noise).__name__}: parameter {name!r} needs a role, such as "
                f"bl.NoiseScale, bl.Shape or bl.Real, got {noise.parameters[name]!r}"
            )
    return {name: role for name, role in roles.items() if role is not None}


def _require_known(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ValueError(f"{what} for {name!r}: no such parameter{hint} There are {known}")


def _require_kinds(model: Model) -> None:
    if not isinstance(model.law, Law):
        name = getattr(model.law, "__name__", repr(model.law))
        raise TypeError(
            f"a model takes a law, such as bl.laws.power, or bl.laws.broken(2), got {name}"
        )
    if isinstance(model.noise, type) or not isinstance(model.noise, Noise):
        raise TypeError(f"noise takes a kind of noise, such as bl.StudentT(), got {model.noise!r}")
    missing = {"scale", "varies_with"} - set(getattr(model.noise, "__dataclass_fields__", ()))
    if missing:
        raise TypeError(
            f"noise {type(model.noise).__name__} has no field {min(missing)!r}: make it a frozen "
            "dataclass with the fields scale and varies_with, as in the example of bl.Noise"
        )
    if model.is_augmented and not has_latent(model.noise):
        raise TypeError(
            f"noise {type(model.noise).__name__} next to a discrepancy has to be Gaussian given a "
            "latent variable of each run: give it `latent` and `given`, or take discrepancy=None"
        )
    if not isinstance(model.discrepancy, Discrepancy | None):
        raise TypeError(f"discrepancy takes bl.Brownian() or None, got {model.discrepancy!r}")
    pooling = model.pooling
    for groups in pooling.values() if isinstance(pooling, Mapping) else [pooling]:
        if isinstance(groups, str):
            raise TypeError(f"pooling takes lists of groups, got the string {groups!r}")


def _require_compatible(model: Model) -> None:
    clash = set(model.law.parameters) & set(model.nuisance_roles)
    if clash:
        raise ValueError(
            f"law {model.law.name!r} and the noise or discrepancy both have {sorted(clash)}"
        )
    reserved = RESERVED & set(own_parameters(model.noise))
    if reserved:
        raise ValueError(f"a forecast has variables {sorted(reserved)}: name the noise's otherwise")
    varies = model.noise.varies_with
    if varies is not None and varies not in model.law.predictors:
        raise ValueError(
            f"the noise varies with {varies!r}, and law {model.law.name!r} is one of "
            f"{list(model.law.predictors)}"
        )


def _require_prior(name: str, prior: Prior, role: Role | None) -> None:
    """Raise unless a prior is a distribution, and a fixed value in the support of its parameter."""
    if isinstance(prior, Real):
        raise TypeError(f"prior of {name!r} is a bare number: write bl.Fixed({prior})")
    if isinstance(prior, type) or not isinstance(prior, Prior):
        raise TypeError(
            f"prior of {name!r} must be a distribution, such as bl.LogNormal(1.0, 2.0), or "
            f"bl.Fixed(1.0), got {prior!r}"
        )
    if isinstance(prior, Fixed):
        what, link = (role.name, role.link.name) if role else ("spread", "log")
        description, contains = SUPPORTS.get(what) or SUPPORTS.get(link, SUPPORTS["identity"])
        value = _number(prior.value)
        if not (math.isfinite(value) and contains(value)):
            raise ValueError(f"a fixed {what}, {name!r}, must be {description}, got {prior}")


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan


def _require_ties(model: Model) -> None:
    for name, other in model.tie.items():
        if name == other or other in model.tie or name in model.priors:
            raise ValueError(
                f"tie {name!r} = {other!r}: a tied parameter has no prior of its "
                "own, and follows one that is not tied itself"
            )
        roles = model.roles[name].name, model.roles[other].name
        if len({*roles}) > 1:
            raise ValueError(
                f"tie {name!r} = {other!r}: {roles[0]} and {roles[1]} are different roles; tie "
                "parameters of the same role"
            )
    if model.tie:
        _require_ties_in_all_units(model.law, model.tie)


def _require_ties_in_all_units(law: Law, tie: Mapping[str, str]) -> None:
    values = {name: 0.2 + 0.1 * i for i, name in enumerate(law.parameters)}
    values |= {name: values[other] for name, other in tie.items()}
    scaled = [name for name in law.predictors if name not in law.unitless]
    rescaled = rescale(law, {name: 2.0 + i for i, name in enumerate(scaled)}, values)
    for name, other in tie.items():
        if not math.isclose(rescaled[name], rescaled[other]):
            raise ValueError(
                f"tie {name!r} = {other!r}: a change of the predictors' units moves them "
                "differently, so they would be equal at the reference scale only; tie parameters "
                "that units do not move, such as exponents"
            )
