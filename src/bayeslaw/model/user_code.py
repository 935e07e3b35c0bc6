"""The code of those parts of a model that are not of this package, to notice that it changed."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Set
from functools import cached_property, partial
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from bayeslaw._law.source import source_text

__all__ = ["LIBRARIES", "code_hash", "is_users", "source_hash", "user_code"]

OWN = __name__.partition(".")[0]
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
GENERATED = {"__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__"}
LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))


def user_code(model: Any) -> str:
    """Hashes of the code of a model's parts that are not of this package; empty without any.

    A law is a function, every other part an object of a class. In hashes are byte code, constants,
    default values, closures, and what a function uses of the other code of the same package.
    """
    parts = [*_law_functions(model), *_link_functions(model), *map(type, _parts(model))]
    foreign = dict.fromkeys(part for part in parts if is_users(part))
    return " ".join(f"{part.__qualname__}:{code_hash(part)}" for part in foreign)


def is_users(part: Any) -> bool:
    """Whether a function or class is neither of this package nor built in."""
    return _package(part) not in (OWN, "builtins")


def code_hash(part: Any) -> str:
    """Hash of the code of a function or class."""
    text = "\n".join(_described(part, _package(part), set()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def source_hash(cls: type) -> str | None:
    """Hash of the source of a class, the same in all versions of Python; None for the package's."""
    if _package(cls) == OWN:
        return None
    functions = [
        function
        for base in cls.__mro__
        if _package(base) not in (OWN, "builtins", "abc")
        for name, value in sorted(vars(base).items())
        for function in [_unwrapped(value)]
        if isinstance(function, FunctionType) and name not in GENERATED
    ]
    texts = [f"{each.__name__} {source_text(each)}" for each in functions]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _parts(item: Any) -> Iterator[Any]:
    """The objects that a model is made of, except the law."""
    for field in dataclasses.fields(item):
        value = getattr(item, field.name)
        if field.name == "law":
            continue
        for each in value.values() if isinstance(value, Mapping) else (value,):
            yield each
            if dataclasses.is_dataclass(each):
                yield from _parts(each)


def _law_functions(model: Any) -> list[Any]:
    law = model.law
    others = (law.rescaling, *(law.level or ()), *(law.recentring or ()))
    return [law.function, *(each for each in others if isinstance(each, FunctionType))]


def _link_functions(model: Any) -> list[Any]:
    links = [role.link for role in model.roles.values()]
    functions = [function for link in links for function in (link.forward, link.inverse)]
    return [function for function in functions if isinstance(function, FunctionType)]


def _package(part: Any) -> str:
    return (part.__module__ or "").partition(".")[0]


def _is_library(package: str) -> bool:
    """Whether a package is installed, so that only a new version changes it."""
    path = getattr(sys.modules.get(package), "__file__", None) or ""
    return path.startswith(LIBRARIES)


def _described(value: Any, package: str, seen: set[int]) -> Iterator[str]:
    """Texts that identify a value, with code if it is of the package."""
    value = getattr(value, "py_func", value)  # of what Numba compiles
    if isinstance(value, FunctionType | type) and _package(value) == package:
        if id(value) not in seen:
            seen.add(id(value))
            yield from _own(value, package, seen)
    elif isinstance(value, FunctionType | type):
        yield f"{value.__module__}.{value.__qualname__}"
    elif isinstance(value, ModuleType):
        yield value.__name__
    elif isinstance(value, CodeType):
        yield from _code(value, package, seen)
    elif isinstance(value, np.ndarray) and value.dtype != object:
        yield f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    elif dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        yield from _described((type(value), fields), package, seen)
    else:
        yield from _container_or_plain(value, package, seen)


def _container_or_plain(value: Any, package: str, seen: set[int]) -> Iterator[str]:
    match value:
        case Mapping():
            items: Iterable[Any] = [item for pair in value.items() for item in pair]
        case Set():
            items = sorted(value, key=repr)  # whose order differs between processes
        case list() | tuple():
            items = value
        case partial():
            items = [value.func, value.args, value.keywords]
        case _:
            yield ADDRESS.sub("", repr(value))
            return
    items = list(items)
    yield f"{type(value).__name__} of {len(items)}"
    for item in items:
        yield from _described(item, package, seen)


def _own(value: FunctionType | type, package: str, seen: set[int]) -> Iterator[str]:
    if isinstance(value, FunctionType):
        return _function(value, package, seen)
    return _class(value, package, seen)


def _function(function: FunctionType, package: str, seen: set[int]) -> Iterator[str]:
    yield from _code(function.__code__, package, seen)
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    defaults = [function.__defaults__, function.__kwdefaults__, cells]
    yield from _described(defaults, package, seen)
    if _is_library(package):
        return
    for name in sorted(_names(function.__code__) & function.__globals__.keys()):
        yield name
        yield from _described(function.__globals__[name], package, seen)


def _code(code: CodeType, package: str, seen: set[int]) -> Iterator[str]:
    """Byte code and constants, without line numbers and names of files."""
    yield repr((code.co_code, code.co_names, code.co_varnames, code.co_freevars))
    yield from _described(code.co_consts, package, seen)


def _names(code: CodeType) -> set[str]:
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def _class(cls: type, package: str, seen: set[int]) -> Iterator[str]:
    for name, value in sorted(vars(cls).items()):
        function = _unwrapped(value)
        if isinstance(function, FunctionType) and name not in GENERATED:
            yield name
            yield from _function(function, package, seen)
        elif not name.startswith("__"):
            yield name
            yield from _described(function, package, seen)
    for base in cls.__bases__:
        yield from _described(base, package, seen)


def _unwrapped(value: Any) -> Any:
    """The function inside a property or method of a class."""
    if isinstance(value, property):
        return value.fget
    if isinstance(value, cached_property):
        return value.func
    return value.__func__ if isinstance(value, staticmethod | classmethod) else value
