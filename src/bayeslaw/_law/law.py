"""Scaling laws: plain functions of predictors (positional) and parameters (keyword-only)."""

from __future__ import annotations

import hashlib
import inspect
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, overload

from bayeslaw._law.roles import Role, role_of
from bayeslaw._law.source import source_text

__all__ = ["Law", "law", "maximum", "minimum"]

type Regions = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Law:
    """The mean response as a function of predictors and parameters.

    Made by the decorator `law`, and called like the function it wraps, with numbers, NumPy arrays,
    xarray objects or PyTensor tensors.

    Parameters
    ----------
    name : str
        Name of the law.
    function : callable
        The formula.
    predictors : tuple of str
        Names of the predictors, bound to the runs by name.
    parameters : mapping of str to Role
        The parameters and their roles, in the order of the signature.
    latex : str or None
        The formula in LaTeX, if given.
    unitless : tuple of str
        Predictors without a unit, which are not rescaled (bits, experts, samples).
    level : tuple of (str, callable) or None
        A parameter that sets the level of the response, and the function that solves for it given
        the level: ``solve(value, *predictors, **other_parameters)``.
    rescaling : callable or None
        How the parameters change with the units of the predictors, if that cannot be derived; see
        `bayeslaw.rescale`.
    direction : mapping of str to int
        Predictors in which the response does not fall: 1 if it rises, 0 if it may do either.
    regions : mapping of str to mapping of str to (float, float)
        Parameters whose value answers a question: the name and interval of each possible answer.
    recentring : tuple of (str, str, callable) or None
        For a law that keeps its form when the reference size of its parameters changes: the
        parameters that are its level and its slope there, and ``recentre(log_ratio,
        **parameters)``, which returns the parameters at a size that many e-folds larger.
    higher_is_better : bool
        Whether the response improves as it rises, as an accuracy does.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> bl.laws.power.predictors
    ('N',)
    >>> bl.laws.power(1e6, L0=1.5, k=2.0, alpha=0.5)
    1.502
    """

    name: str
    function: Callable[..., Any] = field(repr=False)
    predictors: tuple[str, ...]
    parameters: Mapping[str, Role] = field(repr=False)
    latex: str | None = field(default=None, repr=False)
    unitless: tuple[str, ...] = field(default=(), repr=False)
    level: tuple[str, Callable[..., Any]] | None = field(default=None, repr=False)
    rescaling: Callable[..., dict[str, Any]] | None = field(default=None, repr=False)
    direction: Mapping[str, int] = field(default_factory=dict, repr=False)
    regions: Mapping[str, Regions] = field(default_factory=dict, repr=False)
    recentring: tuple[str, str, Callable[..., Any]] | None = field(default=None, repr=False)
    higher_is_better: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        names = self.predictors
        if not all(isinstance(name, str) and name for name in names) or len({*names}) < len(names):
            raise ValueError(
                f"law {self.name!r}: predictors need names that differ, got {list(names)}"
            )
        _require_declared(
            self, "predictor", names, unitless=self.unitless, direction=self.direction
        )
        level, recentring = (self.level or ())[:1], (self.recentring or ())[:2]
        declared = {"level": level, "regions": self.regions, "recentring": recentring}
        _require_declared(self, "parameter", self.parameters, **declared)
        for name, sign in self.direction.items():
            if sign not in (-1, 0, 1):
                raise ValueError(
                    f"law {self.name!r}: direction of {name!r} must be -1, 0 or 1, got {sign!r}"
                )

    def __call__(self, *predictors: Any, **parameters: Any) -> Any:
        """Evaluate the law."""
        return self.function(*predictors, **parameters)

    @property
    def doc(self) -> str:
        """The docstring of the function."""
        return inspect.getdoc(self.function) or ""

    def of(self, *predictors: str) -> Law:
        """The same law in other predictors.

        Parameters
        ----------
        *predictors : str
            New names, in the order of the law's own.

        Returns
        -------
        Law

        Raises
        ------
        ValueError
            If the number of names differs from that of predictors, or a name repeats.

        Examples
        --------
        >>> from bayeslaw import laws
        >>> laws.power.of("D").predictors
        ('D',)
        """
        if len(predictors) != len(self.predictors):
            raise ValueError(
                f"law {self.name!r} has {len(self.predictors)} predictor(s) "
                f"{list(self.predictors)}, got {len(predictors)}: {list(predictors)}"
            )
        renamed = dict(zip(self.predictors, predictors, strict=True))
        return replace(
            self,
            predictors=tuple(predictors),
            unitless=tuple(renamed[name] for name in self.unitless),
            direction={renamed[name]: sign for name, sign in self.direction.items()},
        )

    @property
    def digest(self) -> str:
        """A hash of the formula's source, to recognise the law without running its code.

        Docstring, annotations, comments and the version of Python do not change it.
        """
        return hashlib.sha256(source_text(self.function).encode()).hexdigest()


@overload
def law(function: Callable[..., Any], /) -> Law: ...
@overload
def law(
    *,
    latex: str | None = None,
    unitless: tuple[str, ...] = (),
    level: tuple[str, Callable[..., Any]] | None = None,
    rescaling: Callable[..., dict[str, Any]] | None = None,
    direction: Mapping[str, int] | None = None,
    regions: Mapping[str, Regions] | None = None,
    recentring: tuple[str, str, Callable[..., Any]] | None = None,
    higher_is_better: bool = False,
) -> Callable[[Callable[..., Any]], Law]: ...


def law(
    function: Callable[..., Any] | None = None,
    /,
    *,
    latex: str | None = None,
    unitless: tuple[str, ...] = (),
    level: tuple[str, Callable[..., Any]] | None = None,
    rescaling: Callable[..., dict[str, Any]] | None = None,
    direction: Mapping[str, int] | None = None,
    regions: Mapping[str, Regions] | None = None,
    recentring: tuple[str, str, Callable[..., Any]] | None = None,
    higher_is_better: bool = False,
) -> Law | Callable[[Callable[..., Any]], Law]:
    """Make a law of a plain function.

    Positional arguments are predictors, keyword-only arguments are parameters, and the
    annotation of a parameter is its role. In the body use operators, ``np.exp``, ``np.log``,
    ``np.log1p``, ``np.expm1``, ``np.sqrt``, ``np.power``, `bayeslaw.maximum` and
    `bayeslaw.minimum`: these work on NumPy, xarray and PyTensor objects alike.

    Parameters
    ----------
    function : callable
        The formula.
    latex : str, optional
        The formula in LaTeX, for figures and reports.
    unitless : tuple of str, optional
        Predictors without a unit, which are not rescaled.
    level : tuple of (str, callable), optional
        For a law without amplitudes: the parameter that sets its level, and the function that
        solves for it.
    rescaling : callable, optional
        How parameters change with the predictors' units, if `bayeslaw.rescale` cannot derive it:
        called with one scale per predictor and all parameters, it returns those that change.
    direction : mapping of str to int, optional
        Predictors in which the response does not fall: 1 if it rises, 0 if it may do either.
    regions : mapping, optional
        For a parameter whose value answers a question, the possible answers:
        ``{"b": {"sublinear": (-inf, 0.95), ...}}``.
    recentring : tuple of (str, str, callable), optional
        For a law that keeps its form when its reference size changes: the parameters that are its
        level and slope, and the function that recentres the parameters; see `Law`.
    higher_is_better : bool
        Whether the response improves as it rises, as an accuracy does.

    Returns
    -------
    Law

    Examples
    --------
    >>> import bayeslaw as bl
    >>> @bl.law
    ... def shifted(N, *, L0: bl.Floor, k: bl.Amplitude, c: bl.Scale, alpha: bl.Exponent):
    ...     '''Power law with a shifted origin.'''
    ...     return L0 + k * (1 + N / c) ** -alpha
    >>> shifted
    Law(name='shifted', predictors=('N',))
    >>> float(shifted(0.0, L0=1.0, k=2.0, c=3.0, alpha=0.5))
    3.0
    """
    declared = (
        latex,
        unitless,
        level,
        rescaling,
        direction or {},
        regions or {},
        recentring,
        higher_is_better,
    )
    if function is None:
        return lambda body: _make(body, *declared)
    return _make(function, *declared)


def _make(function: Callable[..., Any], *declared: Any) -> Law:
    signature = inspect.signature(function)
    roles = _annotations(function)
    predictors, parameters = [], {}
    for name, argument in signature.parameters.items():
        if argument.kind is argument.KEYWORD_ONLY:
            parameters[name] = _role(function, name, roles.get(name))
        elif argument.kind in (argument.POSITIONAL_ONLY, argument.POSITIONAL_OR_KEYWORD):
            predictors.append(name)
        else:
            raise TypeError(
                f"law {function.__name__!r}: argument *{name} is neither a predictor "
                "nor a parameter; name each one"
            )
    if not predictors or not parameters:
        raise TypeError(
            f"law {function.__name__!r} needs predictors before the * and parameters after it, "
            f"got {signature}"
        )
    return Law(function.__name__, function, tuple(predictors), parameters, *declared)


def _require_declared(law: Law, kind: str, known: Iterable[str], **named: Iterable[str]) -> None:
    for option, names in named.items():
        for name in names:
            if name not in known:
                raise ValueError(
                    f"law {law.name!r}: {option} names {name!r}, which is no {kind} of it; "
                    f"those are {list(known)}"
                )


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    # A law may be defined inside a function or under `from __future__ import annotations`, so
    # names are also looked up in the scope that defines it.
    frame = sys._getframe()
    while frame is not None and frame.f_globals is globals():
        frame = frame.f_back  # type: ignore[assignment]
    local = dict(frame.f_locals) if frame is not None else {}
    return typing.get_type_hints(function, localns=local, include_extras=True)


def _role(function: Callable[..., Any], name: str, annotation: Any) -> Role:
    role = role_of(annotation)
    if role is not None:
        return role
    raise TypeError(
        f"law {function.__name__!r}: parameter {name!r} needs a role as its annotation "
        f"(Floor, Amplitude, Exponent, Scale, Shape, Fraction, Rate, Reference or Real), "
        f"got {annotation!r}"
    )


def maximum(left: Any, right: Any) -> Any:
    """The larger of two values, for NumPy, xarray and PyTensor objects.

    Parameters
    ----------
    left, right : number, array or tensor
        Values that broadcast.

    Returns
    -------
    array or tensor

    Examples
    --------
    >>> float(maximum(1.0, 2.0))
    2.0
    """
    return (left + right + abs(left - right)) / 2


def minimum(left: Any, right: Any) -> Any:
    """The smaller of two values, for NumPy, xarray and PyTensor objects.

    Parameters
    ----------
    left, right : number, array or tensor
        Values that broadcast.

    Returns
    -------
    array or tensor

    Examples
    --------
    >>> float(minimum(1.0, 2.0))
    1.0
    """
    return (left + right - abs(left - right)) / 2
