"""Validation of runs: errors and warnings that say what is wrong, and where."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw.errors import RunsError, RunsWarning

__all__ = [
    "check_names",
    "count_others",
    "names_in",
    "notes",
    "require",
    "require_valid",
    "shorten",
    "warn",
    "why_missing",
    "why_not_finite",
    "why_not_positive",
    "with_note",
]

_RESERVED = ("run", "chain", "draw", "curve", "held_out", "stderr")


def check_names(response: str, predictors: Sequence[str], groups: Sequence[str]) -> None:
    """Raise unless response, predictors and groups have distinct names that are not reserved."""
    require(bool(predictors), "at least one predictor is needed, such as N")
    roles: dict[str, str] = dict.fromkeys(_RESERVED, "a reserved name")
    candidates = [(response, "the response")]
    candidates += [(name, "a predictor") for name in predictors]
    candidates += [(name, "a group") for name in groups]
    for name, role in candidates:
        require(name not in roles, f"{name!r} cannot be {role}: it is {roles.get(name)}")
        require("/" not in name, f"{name!r} cannot be {role}: a slash would split a fit's tree")
        roles[name] = role


def require(condition: bool | np.bool_, message: str) -> None:
    """Raise a `RunsError` with a message unless a condition holds."""
    if not condition:
        raise RunsError(message)


def require_valid(label: str, values: Sequence[Any], why_invalid: Callable[[Any], str]) -> None:
    """Raise a `RunsError` that names the first invalid value, after a label such as "row"."""
    invalid = [row for row, value in enumerate(values) if why_invalid(value)]
    if invalid:
        value = values[invalid[0]]
        reason = f"{why_invalid(value)}{count_others(len(invalid))}"
        raise RunsError(f"{label} {invalid[0]}: {value!r} {reason}")


def why_not_positive(value: Any) -> str:
    """Say why a value is not a positive number; empty if it is one."""
    reason = "is not positive: losses, sizes and standard errors must be above zero"
    return why_not_finite(value) or ("" if float(value) > 0 else reason)


def why_not_finite(value: Any) -> str:
    """Say why a value is not a finite number; empty if it is one."""
    try:
        finite = math.isfinite(float(value))
    except (TypeError, ValueError):
        return why_missing(value) or "is not a number"
    return why_missing(value) or ("" if finite else "is not finite")


def why_missing(value: Any) -> str:
    """Say that a value is missing; empty if it is there."""
    # A table may hold None, NaN, NaT or pandas' NA, and a CSV file the same as text.
    missing = value is None or str(value).strip() in ("", "nan", "NaN", "NaT", "<NA>")
    return "is a missing value: fill it in or drop the row" if missing else ""


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
