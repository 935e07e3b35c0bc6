"""Mistaken names and arguments: what was probably meant."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from bayeslaw._arguments import shown

__all__ = ["did_you_mean", "missing_name", "names_arguments", "require_kind"]


def did_you_mean(name: str, known: Iterable[str], otherwise: str = ".") -> str:
    """The end of a message about an unknown name: a similar one, if there is one."""
    import difflib

    known = [*known]
    whole = [each for each in known if name in each.split("_")]  # `random_seed`, for `seed`
    near = difflib.get_close_matches(name, known, 1) or whole
    return f"; did you mean {near[0]!r}?" if near else otherwise


def missing_name(module: str, names: Iterable[str]) -> Callable[[str], Any]:
    """The `__getattr__` of a module with these public names."""

    def __getattr__(name: str) -> Any:
        hint = did_you_mean(name, names, "")
        raise AttributeError(f"{module} has no {name!r}{hint}", name=name)

    return __getattr__


def names_arguments[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function, so that an unknown argument is refused with a similar one."""
    parameters = inspect.signature(function).parameters

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in parameters:
                takes = ", ".join(each for each in parameters if each != "self")
                hint = did_you_mean(name, parameters)
                raise TypeError(f"there is no argument {name!r}{hint} There are: {takes}")
        return function(*args, **kwargs)

    return checked


def require_kind(name: str, value: Any, kind: type | tuple[type, ...], what: str) -> None:
    """Raise TypeError unless an argument is of a class; `what` says which, and how to get one."""
    if isinstance(value, type) or not isinstance(value, kind):
        given = shown(value) if isinstance(value, str | int | float) else type(value).__name__
        raise TypeError(f"{name} must be {what}, got {given}")
