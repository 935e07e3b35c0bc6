"""Numbers as text."""

from __future__ import annotations

__all__ = ["format_number", "short_exponent"]


def format_number(value: float) -> str:
    """A number with at least three digits and a short exponent: 1e10, 2.5e6, 20480, 0.123."""
    return short_exponent(f"{value:.0f}" if 1e3 <= abs(value) < 1e5 else f"{value:.3g}")


def short_exponent(text: str) -> str:
    """The number without sign and leading zero of a positive exponent: 1e6 for 1e+06."""
    return text.replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")
