"""nutpie, imported without ArviZ."""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType
from typing import Any

__all__ = ["nutpie_module"]

_lock = threading.RLock()


def nutpie_module() -> Any:
    """The package nutpie.

    It imports ArviZ, which takes a second, and uses it only to convert draws, which is done by
    `trace_of` here. So another module has that name during the import, and imports ArviZ when an
    attribute is asked of it.
    """
    with _lock:
        stands_in = "nutpie" not in sys.modules and "arviz" not in sys.modules
        if stands_in:
            sys.modules["arviz"] = _later("arviz")
        try:
            import nutpie
        finally:
            if stands_in:
                del sys.modules["arviz"]
    return nutpie


def _later(name: str) -> ModuleType:
    """A module that is imported when an attribute is asked of it."""

    def attribute(of: str) -> Any:
        with _lock:  # until the import of nutpie has ended
            return getattr(importlib.import_module(name), of)

    module = ModuleType(name)
    module.__getattr__ = attribute  # type: ignore[method-assign]
    return module
