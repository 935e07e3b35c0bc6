"""Stick-breaking: logs of positive terms as logits of shares and the log of their sum.

The logit of each term but the last is that of its share of itself and the terms after it; the
last coordinate is the log of the whole sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayeslaw._inference.coordinates.base import Values
from bayeslaw._law.law import maximum, minimum

__all__ = ["from_sticks", "log_sum", "scale_sticks", "to_sticks"]


def log_sum(logs: list[Any]) -> Any:
    """Log of the sum of exponentials."""
    total = logs[0]
    for other in logs[1:]:
        total = maximum(total, other) + np.log1p(np.exp(-abs(total - other)))
    return total


def to_sticks(terms: Values) -> dict[str, Any]:
    """Stick-breaking logits and log sum, from the logs of terms in order."""
    names = list(terms)
    logits = {
        name: terms[name] - log_sum([terms[n] for n in names[i + 1 :]])
        for i, name in enumerate(names[:-1])
    }
    return {**logits, names[-1]: log_sum([terms[name] for name in names])}


def from_sticks(values: Values, names: tuple[str, ...]) -> dict[str, Any]:
    """Logs of terms, from their stick-breaking logits and log sum."""
    rest, terms = values[names[-1]], {}
    for name in names[:-1]:
        terms[name] = rest + _log_share(values[name])
        rest = rest + _log_share(-values[name])
    return {**terms, names[-1]: rest}


def scale_sticks(
    values: Values, growth: Values, weight: Values, sign: int, names: tuple[str, ...]
) -> dict[str, Any]:
    """Stick-breaking coordinates after each term grew by its `growth` in logs, partly by `weight`.

    Sign 1 goes from the reference to the pivot, -1 back; weights of 1 go all the way.
    """
    # The logit of a term depends on the terms after it, so we go from the last to the first;
    # `rest` is the log of their sum relative to the last term, at the reference and at the pivot.
    *shares, level = names
    rest, rest_at_pivot, scaled = 0.0, growth[level], {}
    for name in reversed(shares):
        shift = weight[name] * (growth[name] - (rest_at_pivot - rest))
        scaled[name] = values[name] + sign * shift
        term = rest + (values[name] if sign > 0 else scaled[name])
        rest = log_sum([rest, term])
        rest_at_pivot = log_sum([rest_at_pivot, term + growth[name]])
    scaled[level] = values[level] + sign * weight[level] * (rest_at_pivot - rest)
    return scaled


def _log_share(logit: Any) -> Any:
    return minimum(logit, 0.0) - np.log1p(np.exp(-abs(logit)))
