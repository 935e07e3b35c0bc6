"""Printed results: text and tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

__all__ = ["cell", "print_answer", "printable"]

SUCCESS, NOT_CONVERGED = 0, 1  # exit codes
UNBOUNDED = 1000  # columns


def print_answer(result: Mapping[str, Any], as_json: bool) -> int:
    """Print sentences (lists), tables and single values by name, and return the exit code.

    It is 1 if ``converged`` is there and false. In JSON, infinities are the text "inf" and NaN is
    null.
    """
    if as_json:
        print(json.dumps(result, default=_jsonable))
    else:
        _print(result)
    return SUCCESS if result.get("converged", True) else NOT_CONVERGED


def _jsonable(value: Any) -> Any:
    if hasattr(value, "to_dict"):
        frame = _spell_infinities(_flat(value))
        return json.loads(frame.to_json(None, orient="records", double_precision=15) or "[]")
    return str(value)


def _spell_infinities(frame: pd.DataFrame) -> pd.DataFrame:
    """Replace infinities by text, because JSON has no number for them and null means missing."""
    infinities = {float("inf"): "inf", float("-inf"): "-inf"}
    return frame.assign(**frame.select_dtypes("float").replace(infinities))


def _print(result: Mapping[str, Any]) -> None:
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = UNBOUNDED  # do not wrap lines in a log
    with console.capture() as text:  # if the pipe is closed, rich itself would exit with 1
        for key, value in result.items():
            _print_one(console, key, value)
    print(text.get(), end="")


def _print_one(console: Console, key: str, value: Any) -> None:
    if isinstance(value, list) and not value:
        return
    if isinstance(value, list):
        console.print(*map(printable, value), sep="\n")
    elif hasattr(value, "columns"):
        console.print(f"\n{key.replace('_', ' ')}:")
        _print_table(console, _readable(value))
    elif key != "converged":
        console.print(printable(f"{key}: {value}"))


def _readable(frame: pd.DataFrame) -> pd.DataFrame:
    """A parameter table with parameters side by side, each with its interval; others as is."""
    import pandas as pd

    if list(frame.index.names) != ["of", "label", "parameter"]:
        return frame
    columns = zip(frame["median"], frame["lower"], frame["upper"], strict=True)
    cells = [f"{median:.3g} ({lower:.2g}, {upper:.2g})" for median, lower, upper in columns]
    return pd.Series(cells, frame.index).unstack("parameter", sort=False).pipe(pd.DataFrame)


def _print_table(console: Console, frame: pd.DataFrame) -> None:
    """Print a table, or one line per value if words and numbers would wrap in it."""
    from pandas import RangeIndex

    flat = frame if isinstance(frame.index, RangeIndex) else frame.reset_index(names=_names(frame))
    flat = flat.rename(columns=lambda name: printable(str(name).replace("_", " ")))
    wide, narrow = _rich_table(flat), _rich_table(flat.rename(columns=_stacked))
    unbounded = console.options.update(width=UNBOUNDED)
    if console.measure(wide, options=unbounded).maximum <= console.width:
        console.print(wide)
    elif console.measure(narrow, options=unbounded).minimum <= console.width:
        console.print(narrow)
    else:
        _print_records(console, flat)


def _stacked(title: str) -> str:
    return title.replace(" ", "\n")


def _rich_table(flat: pd.DataFrame) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title, column in flat.items():
        justify: Any = "right" if column.dtype.kind in "fi" else "left"
        table.add_column(Text(str(title)), justify=justify, overflow="fold")
    for row in flat.itertuples(index=False):
        table.add_row(*(Text(cell(value)) for value in row))
    return table


def _print_records(console: Console, flat: pd.DataFrame) -> None:
    for row in flat.itertuples(index=False):
        lines = [f"{title}: {cell(value)}" for title, value in zip(flat, row, strict=True)]
        console.print("", *lines, sep="\n")


def _names(frame: pd.DataFrame) -> list[str]:
    return [str(name) if name is not None else "" for name in frame.index.names]


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn a named index into columns."""
    return frame if frame.index.names == [None] else frame.reset_index()


def cell(value: Any) -> str:
    """A value as it is printed."""
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    if isinstance(value, dict):
        return printable(", ".join(f"{key} {item}" for key, item in value.items()))
    return printable(", ".join(value) if isinstance(value, list) else str(value))


def printable(text: str) -> str:
    """The text with control characters, such as escapes of the terminal, as Python writes them."""
    return "".join(each if each.isprintable() or each == "\n" else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return repr(character)[1:-1]
