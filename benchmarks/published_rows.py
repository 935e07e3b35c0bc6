"""Rows of published numbers and our estimates, and their table; a part of `published.py`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Row:
    """A published number and our estimate; NaN where there is no interval."""

    paper: str
    quantity: str
    published: float
    low: float
    high: float
    estimate: float
    lower: float
    upper: float
    how: str

    @property
    def inside(self) -> bool | None:
        """Whether our estimate lies in the published interval."""
        return None if np.isnan(self.low) else bool(self.low <= self.estimate <= self.high)

    @property
    def holds(self) -> bool | None:
        """Whether our interval holds the published number."""
        return None if np.isnan(self.lower) else bool(self.lower <= self.published <= self.upper)


def text(rows: list[Row]) -> str:
    """The table as text."""
    shown = [
        {
            "paper": each.paper,
            "quantity": each.quantity,
            "published": f"{each.published:.5g}",
            "its interval": _interval(each.low, each.high),
            "here": f"{each.estimate:.5g}",
            "our interval": _interval(each.lower, each.upper),
            "inside": {True: "yes", False: "NO", None: ""}[each.inside],
            "holds": {True: "yes", False: "NO", None: ""}[each.holds],
            "how": each.how,
        }
        for each in rows
    ]
    return pd.DataFrame(shown).to_string(index=False)


def _interval(low: float, high: float) -> str:
    return "" if np.isnan(low) else f"{low:.4g} to {high:.4g}"
