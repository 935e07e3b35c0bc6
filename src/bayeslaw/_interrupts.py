"""Ctrl-C while modules are imported: the interrupt waits until they are complete."""

from __future__ import annotations

import signal
import threading
from types import FrameType

__all__ = ["defer_interrupts_in_imports"]

PATIENCE = 0.1  # seconds until an interrupt is tried again
IMPORT_SYSTEM = "<frozen importlib"  # file name of its code


def defer_interrupts_in_imports() -> None:
    """Raise KeyboardInterrupt outside imports only.

    Some packages catch every exception in their imports, and lose the interrupt; others fail when
    they are imported a second time.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not _is_importing(frame):
        raise KeyboardInterrupt
    retry = threading.Timer(PATIENCE, signal.raise_signal, [number])
    retry.daemon = True
    retry.start()


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(IMPORT_SYSTEM):
            return True
        frame = frame.f_back
    return False
