"""Read tables: CSV, Parquet and JSON lines files, dataframes, and xarray datasets."""

from __future__ import annotations

import json
import os
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from bayeslaw.data.checks import require
from bayeslaw.errors import RunsError

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["open_table"]


def open_table(table: Any) -> nw.DataFrame[Any]:
    """Open a file, a dataframe or a dataset; empty cells of a CSV file become empty text."""
    import narwhals as nw

    if isinstance(table, (str, os.PathLike)):
        table = _read_file(Path(table))
    if isinstance(table, xr.Dataset):
        table = table.to_dataframe().reset_index()
    try:
        frame = nw.from_native(table, eager_only=True)
    except (TypeError, ValueError) as error:
        raise RunsError(
            f"a table is a path, a dataframe in memory or an xarray.Dataset: {error}"
        ) from error
    require(len(frame) > 0, "the table has no rows")
    return frame


def _read_file(path: Path) -> Any:
    suffix = next((suffix for suffix in _READERS if path.name.lower().endswith(suffix)), None)
    if suffix is None:
        raise RunsError(f"{str(path)!r} does not end in one of {', '.join(_READERS)}")
    require(path.is_file(), f"there is no file {str(path)!r}")
    try:
        return _READERS[suffix](path)
    except (OSError, ValueError, EOFError, zlib.error, Warning) as error:
        raise RunsError(f"cannot read {str(path)!r}: {error}") from error


def _read_csv(path: Path) -> Any:
    import pandas as pd

    # "None" and "NA" are valid labels, and a cell that is not a number must keep its text for the
    # error. A surplus field in each row would turn the first column into an index, or be lost.
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(path, keep_default_na=False, low_memory=False, index_col=False)


def _read_parquet(path: Path) -> Any:
    import pandas as pd

    return pd.read_parquet(path)


def _read_json_lines(path: Path) -> Any:
    import pandas as pd

    # pandas' own reader rounds numbers, and parses columns as dates because of their names.
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return pd.DataFrame(json.loads(f"[{',\n'.join(lines)}]"))


_READERS: dict[str, Callable[[Path], Any]] = {
    ".csv": _read_csv,
    ".csv.gz": _read_csv,
    ".parquet": _read_parquet,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
}
