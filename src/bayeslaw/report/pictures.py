"""Figures as bytes that stand inside a page."""

from __future__ import annotations

import io
from typing import Any

__all__ = ["png_of"]

DOTS = 200  # per inch: a page is seven inches wide


def png_of(figure: Any) -> bytes:
    """A Matplotlib figure as PNG, the same for the same figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.

    Returns
    -------
    bytes
    """
    kept = io.BytesIO()
    figure.savefig(kept, format="png", dpi=DOTS, metadata={"Software": None})
    return kept.getvalue()
