"""Ctrl-C during imports and callbacks, which would lose it: the interrupt waits until they end."""

from __future__ import annotations

import signal
import threading
import weakref
from types import FrameType

__all__ = ["defer_interrupts"]

PATIENCE = 0.1  # seconds until an interrupt is tried again
# How the file names of their code begin.
DEFERRING = (
    "<frozen importlib",
    weakref.WeakValueDictionary.__init__.__code__.co_filename,
    weakref.WeakSet.__init__.__code__.co_filename,
)


def defer_interrupts() -> None:
    """Raise KeyboardInterrupt outside imports and callbacks of weak references only.

    Some packages catch every exception in their imports, and lose the interrupt; others fail when
    they are imported a second time. Python itself catches every exception in callbacks of weak
    references, of which h5py and Matplotlib have many.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not _is_deferred(frame):
        raise KeyboardInterrupt
    retry = threading.Timer(PATIENCE, signal.raise_signal, [number])
    retry.daemon = True
    retry.start()


def _is_deferred(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(DEFERRING):
            return True
        frame = frame.f_back
    return False
