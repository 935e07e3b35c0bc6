"""Read tables: CSV, JSON and Parquet files, dataframes, and xarray datasets.

Text files are read as text: a cell stays as it is written until a column is known to hold numbers.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
import json
import math
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from bayeslaw._arguments import shown
from bayeslaw._memory import require_memory
from bayeslaw._suggestions import did_you_mean
from bayeslaw.data.checks import require
from bayeslaw.errors import RunsError

if TYPE_CHECKING:
    import narwhals as nw
    import pandas as pd

__all__ = ["Table", "open_blocks", "open_table", "parse_json"]

INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Table:
    """A dataframe, the file that it was read from, and the line of each row, where there are any.

    Empty cells of a CSV file are empty text.
    """

    frame: nw.DataFrame[Any]
    path: Path | None = None
    lines: Sequence[int] | None = None

    def place(self, row: int) -> str:
        """Where a row is, for an error message."""
        if self.path is None:
            return f"row {row}"
        where = f"row {row}" if self.lines is None else f"line {self.lines[row]}"
        return f"{where} of {str(self.path)!r}"


def open_table(table: Any) -> Table:
    """Open a file, a dataframe or a dataset."""
    path = Path(table) if isinstance(table, (str, os.PathLike)) else None
    native, lines = (table, None) if path is None else _read_file(path)
    if isinstance(native, xr.Dataset):
        native = _dataframe(native)
    frame = _narwhals(_with_text_names(native))
    _require_distinct([str(name) for name in frame.columns])
    require(len(frame) > 0, "the table has no rows")
    return Table(frame, path, lines)


def open_blocks(path: Path, size: int) -> Iterator[Table]:
    """Open a file, so many rows at a time if it is delimited text, else at once."""
    delimiter = _DELIMITERS.get(_suffix(path))
    if delimiter is None:
        yield open_table(path)
        return
    blocks = _delimited_blocks(path, delimiter, size)
    while True:
        with _reading(path):
            block = next(blocks, None)
        if block is None:
            return
        frame, lines = block
        require(len(frame) > 0, "the table has no rows")
        yield Table(_narwhals(frame), path, lines)


def _narwhals(native: Any) -> nw.DataFrame[Any]:
    import narwhals as nw

    try:
        return nw.from_native(native, eager_only=True)
    except (TypeError, ValueError) as error:
        raise RunsError(
            f"a table is a path, a dataframe in memory or an xarray.Dataset: {error}"
        ) from error


def _with_text_names(native: Any) -> Any:
    """A dataframe of pandas, which may have numbers as names of columns, with text as names."""
    import pandas as pd

    if not isinstance(native, pd.DataFrame):
        return native
    names = [str(name) for name in native.columns]
    _require_distinct(names)
    return native.set_axis(names, axis=1)


def _dataframe(dataset: xr.Dataset) -> pd.DataFrame:
    """A dataset as a dataframe, one row per cell."""
    dims = dict(dataset.sizes)
    require(bool(dims), "the dataset has no dimension, so it has no rows")
    rows = math.prod(dims.values())
    require_memory(f"a table of {rows} rows", rows * (len(dataset.variables) + len(dims)))
    try:
        return dataset.to_dataframe().reset_index()
    except ValueError as error:
        raise RunsError(f"the dataset, of dimensions {dims}, is not a table: {error}") from error


def _require_distinct(names: Sequence[str]) -> None:
    for name in dict.fromkeys(names):
        places = [str(i + 1) for i, other in enumerate(names) if other == name]
        require(
            len(places) == 1,
            f"the table has {len(places)} columns called {name!r}, numbers {', '.join(places)}: "
            "rename all but one",
        )


def _similar(path: Path) -> str:
    """A file of a similar name in the folder, for an error message."""
    try:
        return did_you_mean(path.name, [each.name for each in path.parent.iterdir()], "")
    except OSError:  # there is no such folder
        return ""


def _read_file(path: Path) -> tuple[Any, Sequence[int] | None]:
    """The dataframe in a file, and the line of each row."""
    suffix = _suffix(path)
    with _reading(path):
        return _READERS[suffix](path)


def _suffix(path: Path) -> str:
    """The extension of a file that can be read."""
    require(path.is_file(), f"there is no file {str(path)!r}{_similar(path)}")
    suffix = next((suffix for suffix in _READERS if path.name.lower().endswith(suffix)), None)
    if suffix is None:
        raise RunsError(f"{str(path)!r} does not end in one of {', '.join(_READERS)}")
    return suffix


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Name the file in whatever its reader raises, a RunsError."""
    try:
        yield
    except UnicodeDecodeError as error:
        byte = f"{error.object[error.start]:#04x}"
        raise RunsError(
            f"cannot read {str(path)!r}: byte {byte} is not UTF-8; save it as UTF-8"
        ) from error
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise RunsError(f"cannot read {str(path)!r}: {error}") from error


def _text(path: Path) -> io.TextIOBase:
    """A text file as a stream, decompressed if it is a gzip file, without a byte-order mark."""
    opener: Callable[..., Any] = gzip.open if path.name.lower().endswith(".gz") else open
    return opener(path, "rt", encoding="utf-8-sig", newline="")


def _read_delimited(path: Path, *, delimiter: str) -> tuple[Any, Sequence[int]]:
    return next(_delimited_blocks(path, delimiter, None))


def _delimited_blocks(
    path: Path, delimiter: str, size: int | None
) -> Iterator[tuple[Any, Sequence[int]]]:
    """A CSV file, so many rows at a time, at least once.

    Its reader is Python's, because that of pandas renames columns of one name.
    """
    with _text(path) as stream:
        rows = _rows(csv.reader(stream, delimiter=delimiter, strict=True))
        _, names = next(rows, (0, []))
        require(bool(names), "the file is empty; its first line should name the columns")
        _require_distinct(names)
        yield _block(names, [*itertools.islice(rows, size)])
        while block := [*itertools.islice(rows, size)]:
            yield _block(names, block)


def _rows(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, with their lines."""
    try:
        yield from ((reader.line_num, cells) for cells in reader if not _is_blank(cells))
    except csv.Error as error:
        raise RunsError(f"line {reader.line_num}: {error}") from error


def _block(names: list[str], rows: list[tuple[int, list[str]]]) -> tuple[Any, Sequence[int]]:
    for line, cells in (row for row in rows if len(row[1]) != len(names)):
        raise RunsError(
            f"line {line} has {len(cells)} cells, and the first line names {len(names)} columns"
        )
    columns = zip(names, zip(*(cells for _, cells in rows), strict=True), strict=False)
    return _frame(dict(columns) or dict.fromkeys(names, ())), [line for line, _ in rows]


def _is_blank(cells: list[str]) -> bool:
    return len(cells) <= 1 and not "".join(cells).strip()


def _read_parquet(path: Path) -> tuple[Any, None]:
    import pandas as pd

    try:
        return pd.read_parquet(path), None
    except ImportError:
        raise
    except Exception as error:  # whatever a corrupt file makes the reader raise
        raise RunsError(str(error)) from error


def _read_json_lines(path: Path) -> tuple[Any, Sequence[int]]:
    with _text(path) as stream:
        # The ends of lines in JSON are \n and \r\n; text may hold what Unicode calls one.
        lines = stream.read().split("\n")
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    records = [_record(parse_json(line, f"line {n}"), f"line {n}", line) for n, line in numbered]
    return _records_frame(records), [number for number, _ in numbered]


def _read_json(path: Path) -> tuple[Any, None]:
    with _text(path) as stream:
        items = parse_json(stream.read(), "the file")
    require(isinstance(items, list), f"it holds {shown(items)}, and a table is a list of records")
    return _records_frame([_record(item, f"item {i}", item) for i, item in enumerate(items)]), None


def parse_json(text: str, place: str) -> Any:
    """Parse JSON; numbers and true or false become text, as they are written.

    `place` is for the error message.
    """
    try:
        return _as_written(_DECODER.decode(text))
    except json.JSONDecodeError as error:
        raise RunsError(f"{place} is not JSON: {error.msg} at character {error.pos}") from error
    except RecursionError as error:
        raise RunsError(f"{place} is nested too deeply") from error


def _distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = {key: _as_written(value) for key, value in pairs}
    require(len(record) == len(pairs), f"a key is given twice in {[key for key, _ in pairs]}")
    return record


def _as_written(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_distinct_keys, parse_float=str, parse_int=str, parse_constant=str
)


def _record(item: Any, place: str, written: Any) -> dict[str, Any]:
    example = '{"N": 1e9, "loss": 2.5}'
    require(isinstance(item, dict), f"{place} is {shown(written)}, and should be like {example}")
    return item


def _records_frame(records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    names = dict.fromkeys(name for record in records for name in record)
    return _frame({name: [record.get(name) for record in records] for name in names})


def _frame(columns: dict[str, Iterable[Any]]) -> pd.DataFrame:
    """A dataframe of text; columns of whole numbers, written as Python does, become numbers."""
    import pandas as pd

    return pd.DataFrame({name: pd.Series(**_typed([*cells])) for name, cells in columns.items()})


def _typed(cells: list[Any]) -> dict[str, Any]:
    whole = [*_whole_numbers(cells)]
    is_whole = bool(cells) and len(whole) == len(cells)
    return {"data": whole if is_whole else cells, "dtype": "int64" if is_whole else "object"}


def _whole_numbers(cells: Iterable[Any]) -> Iterator[int]:
    """The leading cells that are whole numbers, whose text is the only one of that number."""
    for cell in cells:
        if not (isinstance(cell, str) and cell.isascii() and cell[cell[:1] == "-" :].isdigit()):
            return
        if len(cell) > 20 or str(int(cell)) != cell or int(cell) not in INT64:
            return
        yield int(cell)


_DELIMITERS = {".csv": ",", ".csv.gz": ",", ".tsv": "\t"}
_READERS: dict[str, Callable[[Path], tuple[Any, Sequence[int] | None]]] = {
    **{end: partial(_read_delimited, delimiter=each) for end, each in _DELIMITERS.items()},
    ".parquet": _read_parquet,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
}
