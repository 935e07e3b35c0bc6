"""The record of what is fitted: a law, its pooling, noise and priors."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any

from bayeslaw._law.law import Law
from bayeslaw._law.roles import Role
from bayeslaw._law.units import rescale
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.noise import Gaussian, Noise, StudentT
from bayeslaw.priors import Fixed, Prior

__all__ = ["Model"]

type Pooling = Sequence[str] | Mapping[str, Sequence[str]] | None

# Where a finite fixed value may lie, by the name of its role, else of its link.
SUPPORTS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "Floor": ("finite and at or above 0", lambda value: value >= 0),
    "spread": (  # of which the sampler takes the logarithm
        "finite and above 0, such as 0.001 for curves that hardly differ",
        lambda value: value > 0,
    ),
    "log": ("finite and above 0", lambda value: value > 0),
    "logit": ("strictly between 0 and 1", lambda value: 0 < value < 1),
    "identity": ("finite", lambda value: True),
}


UNSET: Any = object()  # an argument that was not given, where None is an answer


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
    noise : Gaussian, StudentT or Undertuned, optional
        Scatter of a run about the curve. Unless given it is `Gaussian` next to a discrepancy,
        which outliers then pass through, and `StudentT` without one.
    discrepancy : Brownian or None, optional
        What the law gets wrong. With None every band takes the law as true. Unless given it is
        `Brownian` for a law in one predictor, and none for laws in several, where it can take
        over what the law's own terms should tell.
    priors : mapping of str to Prior
        Priors of the population's parameters, at the reference scale, in place of the roles'
        defaults; ``"sd_alpha"`` for the spread of ``alpha`` between curves and groups. That of a
        `Scale` is in multiples of the reference size, so the default puts the size about the
        middle of the runs, unless `read_runs` is given another reference.
    tie : mapping of str to str
        Parameters that equal another one of the same role, in any units.

    Raises
    ------
    TypeError
        If `law` is no law, a prior is no distribution, groups are a string, or noise or
        discrepancy are something else.
    ValueError
        If a prior, tie or pooling names a parameter that the model does not have, a fixed value
        is one that its parameter cannot have, a tie would hold in some units only, nothing is
        left to infer, or the noise varies with what the law does not depend on.

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
    discrepancy: Brownian | None = UNSET  # set below as well; None means none
    priors: Mapping[str, Prior] = field(default_factory=dict)
    tie: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.discrepancy is UNSET:
            alone = isinstance(self.law, Law) and len(self.law.predictors) == 1
            object.__setattr__(self, "discrepancy", Brownian() if alone else None)
        if self.noise is None:
            object.__setattr__(self, "noise", Gaussian() if self.discrepancy else StudentT())
        _require_kinds(self)
        _require_apart(self)
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
        """All parameters of the model, of the law first, and their roles."""
        return {**self.law.parameters, **self.nuisance_roles}

    @property
    def nuisance_roles(self) -> dict[str, Role]:
        """Parameters beside the law's, of noise and discrepancy, and their roles."""
        more = self.discrepancy.parameters(self.law) if self.discrepancy else {}
        return {**self.noise.parameters, **more}

    @property
    def content(self) -> str:
        """Everything that makes the model what it is, with the formula and the roles of its law."""
        return self._told(self.priors)

    def structure(self, priors_as_data: Collection[str]) -> str:
        """The same, but of the priors whose numbers are given apart only what kind they are."""
        kinds = {n: type(p).__name__ if n in priors_as_data else p for n, p in self.priors.items()}
        return self._told(kinds)

    def _told(self, priors: Mapping[str, Any]) -> str:
        # A link's functions have no text that is the same in every process; its name tells it.
        roles = [(n, r.name, r.link.name, r.prior, r.spread) for n, r in self.roles.items()]
        rest = [getattr(self, field.name) for field in fields(self) if field.name != "priors"]
        return f"{rest} {dict(priors)} {self.law.digest} {roles}"

    @property
    def is_augmented(self) -> bool:
        """Whether the noise is sampled with a number for each run."""
        return self.noise.is_augmented(self.discrepancy is not None)

    @property
    def fixed(self) -> dict[str, float]:
        """Parameters that are held at a value, by a prior or by their role."""
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


def _require_known(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise ValueError(f"{what} for {name!r}: no such parameter{hint} There are {known}")


def _require_kinds(model: Model) -> None:
    if not isinstance(model.law, Law):
        found = getattr(model.law, "__name__", repr(model.law))
        raise TypeError(
            f"a model takes a law, such as bl.laws.power, or bl.laws.broken(2), got {found}"
        )
    if isinstance(model.noise, type) or not isinstance(model.noise, Noise):
        raise TypeError(f"noise takes a kind of noise, such as bl.StudentT(), got {model.noise!r}")
    if not isinstance(model.discrepancy, Brownian | None):
        raise TypeError(f"discrepancy takes bl.Brownian() or None, got {model.discrepancy!r}")
    pooling = model.pooling
    for groups in pooling.values() if isinstance(pooling, Mapping) else [pooling]:
        if isinstance(groups, str):
            raise TypeError(f"pooling takes lists of groups, got the string {groups!r}")


def _require_apart(model: Model) -> None:
    clash = set(model.law.parameters) & set(model.nuisance_roles)
    if clash:
        raise ValueError(
            f"law {model.law.name!r} and the noise or discrepancy both have {sorted(clash)}"
        )
    varies = model.noise.varies_with
    if varies is not None and varies not in model.law.predictors:
        raise ValueError(
            f"the noise varies with {varies!r}, and law {model.law.name!r} is one of "
            f"{list(model.law.predictors)}"
        )


def _require_prior(name: str, prior: Prior, role: Role | None) -> None:
    """Raise unless a prior is one, and a fixed value is one that its parameter can have."""
    if isinstance(prior, Real):
        raise TypeError(f"prior of {name!r} is a bare number: write bl.Fixed({prior})")
    if isinstance(prior, type) or not isinstance(prior, Prior):
        raise TypeError(
            f"prior of {name!r} must be a distribution, such as bl.LogNormal(1.0, 2.0), or "
            f"bl.Fixed(1.0), got {prior!r}"
        )
    if isinstance(prior, Fixed):
        what, link = (role.name, role.link.name) if role else ("spread", "log")
        words, holds = SUPPORTS.get(what) or SUPPORTS.get(link, SUPPORTS["identity"])
        value = _number(prior.value)
        if not (math.isfinite(value) and holds(value)):
            raise ValueError(f"a fixed {what}, {name!r}, must be {words}, got {prior}")


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
    moved = rescale(law, {name: 2.0 + i for i, name in enumerate(scaled)}, values)
    for name, other in tie.items():
        if not math.isclose(moved[name], moved[other]):
            raise ValueError(
                f"tie {name!r} = {other!r}: a change of the predictors' units moves them "
                "differently, so they would be equal at the reference scale only; tie parameters "
                "that units do not move, such as exponents"
            )
