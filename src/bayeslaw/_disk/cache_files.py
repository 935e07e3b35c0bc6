"""Files of the compile cache: whole or not read, and those unused for longest make room for new.

Every version of a kernel, law or package has files of its own, and none knows which others are
still in use. A file that is read is dated anew, so that its date says when it was last used.
Processes may read, write and remove at the same time: a file is read at once, written under another
name, and if it is gone, written again.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bayeslaw._disk.compile_folder import warn_unwritten
from bayeslaw._disk.files import N_HASH, is_intact, replace_file, sha256

__all__ = ["prune", "read_cached", "write_cached"]

DAY = 86_400.0  # seconds
MAX_AGE = 90 * DAY
MAX_BYTES = 500_000_000  # those of one version of the package are about 10 MB

type Use = tuple[float, int, Path]  # when a file was last used, its bytes, and where it is


def read_cached(path: Path) -> bytes | None:
    """The content of a file; None if there is none, or it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if not is_intact(content):
        return None
    _note_use(path)
    return content[:-N_HASH]


def write_cached(path: Path, content: bytes) -> None:
    """Write a file; a full disk does not prevent that its content is used."""
    try:
        replace_file(path, [content, sha256(content)])
    except OSError as error:
        warn_unwritten(str(error.strerror))
    _prune_once(path.parent)


def prune(folder: Path) -> None:
    """Remove files that nobody used for long, and what is too much, unused for longest first."""
    oldest, total = time.time() - MAX_AGE, 0
    for used, size, path in sorted(_uses(folder), reverse=True):
        total += size
        if used < oldest or total > MAX_BYTES:
            with contextlib.suppress(OSError):  # gone, or not ours to remove
                path.unlink()


@cache
def _prune_once(folder: Path) -> None:
    """Once in a process: reading the folder takes as long as writing a few files."""
    with contextlib.suppress(OSError):
        prune(folder)


def _note_use(path: Path) -> None:
    """Date a file, at most once a day."""
    with contextlib.suppress(OSError):  # read-only, or gone
        if path.stat().st_mtime < time.time() - DAY:
            os.utime(path)


def _uses(folder: Path) -> Iterator[Use]:
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # removed by another process
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                yield status.st_mtime, status.st_size, path
