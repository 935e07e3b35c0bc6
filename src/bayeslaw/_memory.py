"""Memory that a calculation needs, compared with what there is before it is taken."""

from __future__ import annotations

import math
import os
from pathlib import Path

__all__ = ["available_memory", "require_memory"]


def require_memory(what: str, numbers: float) -> None:
    """Raise ValueError unless there is memory for that many numbers of 8 bytes.

    `what` begins the message, as in "a grid of 1000000000 rows".
    """
    needed, available = 8.0 * numbers, available_memory()
    if needed > available:
        raise ValueError(
            f"{what} takes at least {needed / 1e9:.3g} GB of memory, and {available / 1e9:.3g} GB "
            "are available"
        )


def available_memory() -> float:
    """Bytes that can be taken without swapping; infinite where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return 1024.0 * int(fields["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        return _physical_memory()


def _physical_memory() -> float:
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):  # Windows has no such question
        return math.inf
