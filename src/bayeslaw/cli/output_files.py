"""Output files of commands, which are checked before any work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

from cyclopts import Parameter

from bayeslaw.errors import StoreError

__all__ = ["FigureFile", "OutputFile", "check_output_files"]

# Types of options; other paths are inputs.
type OutputFile = Annotated[Path, Parameter()]
type FigureFile = Annotated[Path, Parameter()]


def check_output_files(command: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Refuse, with a StoreError, output files that cannot be written or are inputs as well."""
    from bayeslaw._disk.files import require_writable

    paths = list(_paths(command, arguments))
    inputs = [path for kind, path in paths if kind is None]
    for kind, path in paths:
        if kind:
            require_writable(path, inputs)
        if kind is FigureFile:
            _require_figure_format(path)


def _require_figure_format(path: Path) -> None:
    """Refuse a file whose extension is not a format of figures; one without will be a PNG."""
    from bayeslaw.plots.style import file_formats

    if path.suffix and path.suffix[1:].lower() not in file_formats():
        raise StoreError(
            f"cannot write {str(path)!r}: figures have an extension of {', '.join(file_formats())}"
        )


def _paths(owner: Any, values: Mapping[str, Any]) -> Iterator[tuple[Any, Path]]:
    """All paths among the arguments of a function or fields of a class, with their output types."""
    hints = get_type_hints(owner)
    for name, value in values.items():
        if is_dataclass(value):
            yield from _paths(type(value), vars(value))
        types = (hints[name], *get_args(hints[name]))
        kind = next((each for each in (OutputFile, FigureFile) if each in types), None)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Path):
                yield kind, item
