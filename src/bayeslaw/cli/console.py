"""Answers of the command line: text for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

__all__ = ["answer"]

GOOD, FAILED = 0, 1
UNBOUNDED = 1000  # columns


def answer(told: Mapping[str, Any], as_json: bool) -> int:
    """Print an answer and give the exit code.

    Parameters
    ----------
    told : mapping
        Sentences (lists), tables (data frames) and single values by name; ``converged`` decides
        the exit code.
    as_json : bool
        Print one JSON object instead of text; in its tables what is infinite is the text "inf",
        and null is no number.

    Returns
    -------
    int
        0, or 1 if a fit failed its gate.
    """
    if as_json:
        print(json.dumps(told, default=_plain))
    else:
        _print(told)
    return GOOD if told.get("converged", True) else FAILED


def _plain(value: Any) -> Any:
    if hasattr(value, "to_dict"):
        frame = _spelled(_flat(value))
        return json.loads(frame.to_json(None, orient="records", double_precision=15) or "[]")
    return str(value)


def _spelled(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with infinities as text: JSON has no number for them, and null is no number."""
    infinities = {float("inf"): "inf", float("-inf"): "-inf"}
    return frame.assign(**frame.select_dtypes("float").replace(infinities))


def _print(told: Mapping[str, Any]) -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = UNBOUNDED  # a log has no edge to wrap at
    with console.capture() as text:  # where nobody reads on, rich would exit with 1
        for key, value in told.items():
            _print_one(console, key, value)
    print(text.get(), end="")


def _print_one(console: Console, key: str, value: Any) -> None:
    if isinstance(value, list) and not value:
        return
    if isinstance(value, list):
        console.print(*value, sep="\n", markup=False, highlight=False)
    elif hasattr(value, "columns"):
        console.print(f"\n{key.replace('_', ' ')}:", highlight=False)
        _print_table(console, _readable(value))
    elif key != "converged":
        console.print(f"{key}: {value}", markup=False, highlight=False)


def _readable(frame: pd.DataFrame) -> pd.DataFrame:
    """The table as people read it: parameters side by side, each with its interval."""
    import pandas as pd

    if list(frame.index.names) != ["of", "label", "parameter"]:
        return frame
    columns = zip(frame["median"], frame["lower"], frame["upper"], strict=True)
    cells = [f"{median:.3g} ({lower:.2g}, {upper:.2g})" for median, lower, upper in columns]
    return pd.Series(cells, frame.index).unstack("parameter", sort=False).pipe(pd.DataFrame)


def _print_table(console: Console, frame: pd.DataFrame) -> None:
    """As a table; where words and numbers would break in it, a line for each value."""
    from pandas import RangeIndex

    flat = frame if isinstance(frame.index, RangeIndex) else frame.reset_index(names=_names(frame))
    flat = flat.rename(columns=lambda name: str(name).replace("_", " "))
    wide, narrow = _rich_table(flat), _rich_table(flat.rename(columns=_stacked))
    anything = console.options.update(width=UNBOUNDED)
    if console.measure(wide, options=anything).maximum <= console.width:
        console.print(wide)
    elif console.measure(narrow, options=anything).minimum <= console.width:
        console.print(narrow)
    else:
        _print_records(console, flat)


def _stacked(title: str) -> str:
    return title.replace(" ", "\n")


def _rich_table(flat: pd.DataFrame) -> Table:
    from rich import box
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title, column in flat.items():
        side = "right" if column.dtype.kind in "fi" else "left"
        shown.add_column(str(title), justify=side, overflow="fold")
    for row in flat.itertuples(index=False):
        shown.add_row(*(_cell(value) for value in row))
    return shown


def _print_records(console: Console, flat: pd.DataFrame) -> None:
    for row in flat.itertuples(index=False):
        lines = [f"{title}: {_cell(value)}" for title, value in zip(flat, row, strict=True)]
        console.print("", *lines, sep="\n", highlight=False)


def _names(frame: pd.DataFrame) -> list[str]:
    return [str(name) if name is not None else "" for name in frame.index.names]


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its index as columns, where the index says something."""
    return frame if frame.index.names == [None] else frame.reset_index()


def _cell(value: Any) -> str:
    from rich.markup import escape

    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return ", ".join(value) if isinstance(value, list) else escape(str(value))
