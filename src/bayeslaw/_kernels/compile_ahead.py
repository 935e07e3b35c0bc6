"""A second process that compiles stages from the last on, while this one does from the first on.

The first fit on a machine compiles for longer than it samples, and Numba compiles one function at a
time, so threads would not help. The other process leaves machine code on disk. Nothing waits for
it, and what it has not compiled is compiled here.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from bayeslaw._kernels.stage import Stage

__all__ = ["compiled_ahead"]

FEWEST = 4  # stages, for which it is worth while to start a process


@contextlib.contextmanager
def compiled_ahead(stages: Sequence[Stage]) -> Iterator[None]:
    """Compile stages in another process, if there is a core for it, until the context is left."""
    names = [stage.name for stage in reversed(stages) if not stage.is_compiled]
    process = _process(names) if len(names) >= FEWEST and _can_help() else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.communicate()


def _can_help() -> bool:
    """Whether there is another core, and the program that runs is Python's own."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    is_python = Path(sys.executable or "").stem.startswith("python")
    return cores > 1 and is_python and not getattr(sys, "frozen", False)


def _process(names: Sequence[str]) -> subprocess.Popen[bytes] | None:
    # Not in the session of a terminal, whose Ctrl-C is for this process, and without the current
    # folder in its path. It ends when its input does: with this process, however that ends.
    with contextlib.suppress(OSError):
        return subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, *names], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    return None


def _compile(names: Sequence[str]) -> None:
    """Compile stages by name, unless another process has."""
    for name in names:
        module, _, attribute = name.rpartition(".")
        getattr(importlib.import_module(module), attribute).compiled  # noqa: B018 (compiles)


def _end_with_parent() -> None:
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _compile(sys.argv[1:])
