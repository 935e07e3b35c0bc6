"""The record of what is fitted: a law, its pooling, noise and priors."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bayeslaw.law import Law
from bayeslaw.noise import StudentT
from bayeslaw.parameters import Role
from bayeslaw.priors import Fixed, Prior

__all__ = ["Model"]

type Pooling = Sequence[str] | Mapping[str, Sequence[str]] | None


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
    noise : StudentT
        Scatter of a run about the law.
    discrepancy : None
        What the law gets wrong; not modelled yet, so every band is the law's own.
    priors : mapping of str to Prior
        Priors of the population's parameters, at the reference scale, in place of the roles'
        defaults; ``"sd_alpha"`` for the spread of ``alpha`` between curves and groups.
    tie : mapping of str to str
        Parameters that equal another one.

    Raises
    ------
    ValueError
        If a prior, tie or pooling names a parameter that the model does not have.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> model = bl.Model(bl.laws.power, pooling=["task"], priors={"L0": bl.Fixed(1.69)})
    >>> model.free
    ('k', 'alpha', 'sigma')
    """

    law: Law
    pooling: Pooling = ()
    noise: StudentT = StudentT()
    discrepancy: None = None
    priors: Mapping[str, Prior] = field(default_factory=dict)
    tie: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        listed = self.pooling.values() if isinstance(self.pooling, Mapping) else [self.pooling]
        for groups in listed:
            if isinstance(groups, str):
                raise TypeError(f"pooling takes lists of groups, got the string {groups!r}")
        clash = set(self.law.parameters) & set(self.noise.parameters)
        if clash:
            raise ValueError(f"law {self.law.name!r} and the noise both have {sorted(clash)}")
        spreads = [f"sd_{name}" for name in self.free]
        _require_known("prior", self.priors, [*self.roles, *spreads])
        _require_known("tie", {*self.tie, *self.tie.values()}, self.law.parameters)
        if isinstance(self.pooling, Mapping):
            _require_known("pooling", self.pooling, self.free)
        for name, other in self.tie.items():
            if name == other or other in self.tie or name in self.priors:
                raise ValueError(
                    f"tie {name!r} = {other!r}: a tied parameter has no prior of its "
                    "own, and follows one that is not tied itself"
                )

    @property
    def roles(self) -> dict[str, Role]:
        """All parameters of the model, of the law first, and their roles."""
        return {**self.law.parameters, **self.noise.parameters}

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
