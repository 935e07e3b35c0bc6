"""Validation of runs: errors and warnings that say what is wrong, and where."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._arguments import NumberRange, as_float, shown, text_as_float
from bayeslaw.errors import RunsError, RunsWarning

__all__ = [
    "RESERVED_NAMES",
    "check_names",
    "checked",
    "count_others",
    "names_in",
    "notes",
    "number_in",
    "require",
    "require_valid",
    "shorten",
    "warn",
    "why_missing",
    "why_not_finite",
    "why_not_positive",
    "why_not_text",
    "with_note",
]

RESERVED_NAMES = (
    *("run", "chain", "draw", "curve", "held_out", "stderr"),
    *("law", "mean", "new_run", "center", "scale", "noise"),  # variables of a forecast
    *("bound", "lower", "median", "upper", "probability"),  # of bands and decisions
)
RENAME = (
    f". Reserved are {', '.join(RESERVED_NAMES)}; rename the column, for example with an "
    "underscore at its end"
)


def check_names(response: str, predictors: Sequence[str], groups: Sequence[str]) -> None:
    """Raise unless response, predictors and groups have distinct names that are not reserved."""
    require(bool(predictors), "at least one predictor is needed, such as N")
    roles: dict[str, str] = dict.fromkeys(RESERVED_NAMES, "a reserved name")
    candidates = [(response, "the response")]
    candidates += [(name, "a predictor") for name in predictors]
    candidates += [(name, "a group") for name in groups]
    for name, role in candidates:
        hint = RENAME if name in RESERVED_NAMES else ""
        require(name not in roles, f"{name!r} cannot be {role}: it is {roles.get(name)}{hint}")
        require("/" not in name, f"{name!r} cannot be {role}: a slash would split a fit's tree")
        roles[name] = role


def require(condition: bool | np.bool_, message: str) -> None:
    """Raise a `RunsError` with a message unless a condition holds."""
    if not condition:
        raise RunsError(message)


def require_valid(
    label: str,
    values: Sequence[Any],
    why_invalid: Callable[[Any], str],
    place: Callable[[int], str] = "{}".format,
) -> None:
    """Raise a `RunsError` that names the first invalid value, by a label and its place."""
    invalid = [row for row, value in enumerate(values) if why_invalid(value)]
    if invalid:
        value = values[invalid[0]]
        reason = f"{why_invalid(value)}{count_others(len(invalid))}"
        raise RunsError(f"{label} {place(invalid[0])}: {shown(value)} {reason}")


def number_in(value: Any) -> float | None:
    """The number in a cell of a table, which may be text; None if there is none."""
    return text_as_float(value) if isinstance(value, str) else as_float(value)


def why_not_positive(value: Any) -> str:
    """Say why a value is not a positive number; empty if it is one."""
    number = number_in(value)
    if number is not None and 0 < number < math.inf:
        return ""
    reason = "is not positive: losses, sizes and standard errors must be above zero"
    return why_not_finite(value) or reason


def why_not_finite(value: Any) -> str:
    """Say why a value is not a finite number; empty if it is one."""
    number = number_in(value)
    if number is not None and math.isfinite(number):
        return ""
    return why_missing(value) or ("is not a number" if number is None else "is not finite")


def why_missing(value: Any) -> str:
    """Say that a value is missing; empty if it is there."""
    # A table may hold None, NaN, NaT or pandas' NA, and a CSV file the same as text.
    missing = value is None or str(value).strip() in ("", "nan", "NaN", "NaT", "<NA>")
    return "is a missing value: fill it in or drop the row" if missing else ""


def why_not_text(text: str) -> str:
    """Say why a text cannot be a label; empty if it can."""
    # NumPy drops NUL at the end of a text, HDF5 all that follows it; surrogates cannot be encoded.
    invalid = [each for each in text if each == "\0" or "\ud800" <= each <= "\udfff"]
    return f"has the character {invalid[0]!r}, which files cannot hold" if invalid else ""


def checked(number_range: NumberRange, name: str, value: Any) -> float:
    """A number in a range; raises a `RunsError` otherwise."""
    try:
        return number_range.check(name, value)
    except ValueError as error:
        raise RunsError(str(error)) from None


def count_others(count: int) -> str:
    """Say how many more there are than the one that a message names."""
    return f" (and {count - 1} more)" if count > 1 else ""


def warn(message: str) -> None:
    """Warn at the line that called the package, however deep inside it the warning arises."""
    package = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
    warnings.warn(message, RunsWarning, skip_file_prefixes=(package,))


def with_note(runs: xr.Dataset, message: str) -> xr.Dataset:
    """Warn about the runs, and add the sentence to their notes."""
    warn(message)
    sentence = f"{message[:1].upper()}{message[1:]}."
    return runs.assign_attrs(notes=[*notes(runs), sentence])


def notes(runs: xr.Dataset) -> list[str]:
    """Return what was changed or warned about when the runs were read."""
    return names_in(runs, "notes") if "notes" in runs.attrs else []


def shorten(items: Sequence[str]) -> str:
    """List the first three items, and how many more there are."""
    rest = [f"and {len(items) - 3} more"] if len(items) > 3 else []
    return ", ".join([*items[:3], *rest])


def names_in(runs: xr.Dataset, key: str) -> list[str]:
    """Return the names that an attribute of the runs lists."""
    # netCDF returns a list of one name as the name itself.
    return [str(name) for name in np.atleast_1d(runs.attrs[key])]
