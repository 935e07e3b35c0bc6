"""Output files of commands, which are checked before any work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

from cyclopts import Parameter

__all__ = ["OutputFile", "check_output_files"]

type OutputFile = Annotated[Path, Parameter()]  # type of an option; other paths are inputs


def check_output_files(command: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Refuse, with a StoreError, output files that cannot be written or are inputs as well."""
    from bayeslaw._files import require_writable

    paths = list(_paths(command, arguments))
    inputs = [path for is_output, path in paths if not is_output]
    for is_output, path in paths:
        if is_output:
            require_writable(path, inputs)


def _paths(owner: Any, values: Mapping[str, Any]) -> Iterator[tuple[bool, Path]]:
    """All paths among the arguments of a function or fields of a class; whether each is written."""
    hints = get_type_hints(owner)
    for name, value in values.items():
        if is_dataclass(value):
            yield from _paths(type(value), vars(value))
        is_output = OutputFile in (hints[name], *get_args(hints[name]))
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Path):
                yield is_output, item
