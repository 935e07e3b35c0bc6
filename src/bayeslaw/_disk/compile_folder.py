"""The folder of compiled code: one that only the user can write, or else a temporary one.

Compiled code is read as pickles, and run. What others could have written there is never read.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import stat
import sys
import tempfile
import warnings
from functools import cache
from pathlib import Path

from bayeslaw._disk.files import remove_abandoned

__all__ = ["compile_folder", "warn_if_temporary", "warn_unwritten"]

FLAGS = "PYTENSOR_FLAGS"  # environment variable with PyTensor's settings

_reasons: list[str] = []  # why the folder is temporary, if it is


@cache
def compile_folder() -> Path:
    """The folder; call it before PyTensor is imported, which fails where it cannot write."""
    base = _pytensor_folder()
    try:
        (base / "numba").mkdir(parents=True, exist_ok=True)  # as PyTensor does
        folder = _private(base / "bayeslaw")
    except OSError as error:
        _reasons.append(f"{str(base / 'bayeslaw')!r} cannot be used: {error.strerror}")
        folder = _temporary()
    remove_abandoned(folder)
    return folder


@cache
def warn_if_temporary() -> None:
    """Say, once, if the next process will have to compile again."""
    for reason in _reasons:
        warnings.warn(
            f"compiled models are not kept, as {reason}; this process has them in "
            f"{str(compile_folder())!r}",
            stacklevel=2,
        )


@cache
def warn_unwritten(reason: str) -> None:
    """Say, once, that compiled code could not be written to the folder."""
    warnings.warn(
        f"compiled models are not kept: cannot write in {str(compile_folder())!r}: {reason}",
        stacklevel=2,
    )


def _pytensor_folder() -> Path:
    """The folder in which PyTensor compiles, or is going to."""
    if "pytensor" in sys.modules:
        return Path(sys.modules["pytensor"].config.base_compiledir)
    given = re.search(r"base_compiledir=([^,]+)", os.environ.get(FLAGS, ""))
    if given:
        return Path(given[1]).expanduser()
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", tempfile.gettempdir())) / "PyTensor"
    return Path(os.environ.get("HOME", "~")).expanduser() / ".pytensor"


def _private(folder: Path) -> Path:
    """A folder that only the user can write, made if needed; raises OSError if it cannot be."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "getuid"):
        _require_own(folder)
    tempfile.TemporaryFile(dir=folder).close()
    return folder


def _require_own(folder: Path) -> None:
    """Take the permissions of others; what they could have put there is removed."""
    before = folder.stat()
    if before.st_uid != os.getuid():
        raise PermissionError(None, "it belongs to another user")
    if before.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        folder.chmod(0o700)
    if not before.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return
    if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(None, "others can write in it")
    for item in folder.iterdir():
        shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()


def _temporary() -> Path:
    """A folder for this process and those that it starts, removed at its end."""
    base = Path(tempfile.mkdtemp(prefix="bayeslaw-"))
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    given = os.environ.get(FLAGS)
    os.environ[FLAGS] = ",".join([*([given] if given else []), f"base_compiledir={base}"])
    return _private(base / "bayeslaw")
