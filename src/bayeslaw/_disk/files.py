"""Output files: refused before the work if something would be lost, and written atomically.

A file is written under a temporary name in its folder, flushed to the disk and renamed, so that
after a crash, a full disk or a kill it is the old one or the new one. A writer holds a lock on its
temporary file, so what nobody holds was left by a killed process, and the next writer in the folder
removes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from bayeslaw.errors import StoreError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

try:
    import fcntl
except ImportError:  # Windows, where what killed processes leave stays
    fcntl = None

__all__ = [
    "N_HASH",
    "is_intact",
    "remove_abandoned",
    "replace_file",
    "require_folder",
    "require_writable",
    "sha256",
    "temporary_folder",
    "write_figure",
    "write_file",
    "write_parts",
]

PREFIX, SUFFIX = ".bayeslaw-", ".tmp"  # of temporary files and folders
N_HASH = 32  # bytes of a hash


def require_writable(path: str | os.PathLike[str], inputs: Iterable[Path] = ()) -> None:
    """Raise StoreError unless a file can be written at a path, and is none of the inputs."""
    obstacle = _obstacle(Path(path), inputs)
    if obstacle:
        raise StoreError(f"cannot write {os.fspath(path)!r}: {obstacle}")


def write_file(path: str | os.PathLike[str], *parts: bytes | memoryview) -> Path:
    """Write a file atomically, with the permissions of the one it replaces.

    A symbolic link stays, and its target is replaced. Raises StoreError, and the old file stays.
    """
    return write_parts(path, parts)


def write_parts(path: str | os.PathLike[str], parts: Iterable[bytes | memoryview]) -> Path:
    """As `write_file`, of parts that may be made one after the other."""
    require_writable(path)
    target = Path(os.path.realpath(path))
    try:
        remove_abandoned(target.parent)
        replace_file(target, parts, is_durable=True)
    except OSError as error:
        raise StoreError(f"cannot write {os.fspath(path)!r}: {error.strerror}") from error
    return Path(path)


def replace_file(
    path: Path, parts: Iterable[bytes | memoryview], *, is_durable: bool = False
) -> None:
    """Write a file atomically, without checks; if durable, so that it survives a power cut."""
    with _temporary_file(path.parent) as file:
        file.writelines(parts)
        file.flush()
        if is_durable:
            os.fsync(file.fileno())
        if fcntl is None:
            file.close()  # Windows does not rename open files
        temporary = Path(file.name)
        with contextlib.suppress(FileNotFoundError):
            temporary.chmod(stat.S_IMODE(path.stat().st_mode))
        os.replace(temporary, path)


def write_figure(figure: Figure, path: Path, **options: Any) -> Path:
    """Write a Matplotlib figure atomically, in the format of the file's extension; PNG without."""
    path = path if path.suffix else path.with_suffix(".png")
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix[1:].lower(), **options)
    return write_file(path, content.getbuffer())


def require_folder(path: str | os.PathLike[str]) -> None:
    """Raise StoreError unless a path is a folder to write in, or one can be made there."""
    folder = Path(path).absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise StoreError(f"cannot write in {os.fspath(path)!r}: {str(folder)!r} is a file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(f"cannot write in {os.fspath(path)!r}: {str(folder)!r} is not writable")


@contextlib.contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """A new folder in another, to fill and rename; removed at the end if it is still there."""
    remove_abandoned(parent)
    folder = _temporary_path(parent)
    folder.mkdir()
    with _locked_folder(folder):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(folder: Path) -> None:
    """Remove temporary files and folders that killed processes left in a folder."""
    for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
        with contextlib.suppress(OSError):  # not ours to remove, or gone
            _remove_if_abandoned(path)


def sha256(content: bytes | memoryview) -> bytes:
    """The hash (32 bytes) that is appended to a content."""
    return hashlib.sha256(content).digest()


def is_intact(content: bytes) -> bool:
    """Whether a content ends with the hash of the rest."""
    return content[-N_HASH:] == sha256(memoryview(content)[:-N_HASH])


def _obstacle(path: Path, inputs: Iterable[Path]) -> str | None:
    """Why a file cannot be written at a path."""
    target = Path(os.path.realpath(path))
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        kind = None
    except OSError as error:
        return error.strerror
    if kind is not None and not stat.S_ISREG(kind):
        is_folder = stat.S_ISDIR(kind)
        return (
            "it is a folder; name a file" if is_folder else "it is not a regular file; name another"
        )
    if not target.parent.is_dir():
        return f"there is no folder {str((target if path.is_symlink() else path).parent)!r}"
    if not os.access(target.parent, os.W_OK | os.X_OK):
        return f"files cannot be written in the folder {str(target.parent)!r}"
    if kind is not None and not os.access(target, os.W_OK):
        return "the file is read-only"
    read = next((str(each) for each in inputs if _is_same_file(each, target)), None)
    return read and f"it is the input {read!r}; name another file"


def _is_same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, by links too."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)


@contextlib.contextmanager
def _temporary_file(folder: Path) -> Iterator[BinaryIO]:
    """A new file in a folder, locked; removed at the end if it was not renamed."""
    with _locked_file(folder) as file:
        try:
            yield file
        finally:
            with contextlib.suppress(OSError):
                os.unlink(file.name)


def _locked_file(folder: Path) -> BinaryIO:
    """Create a file and lock it; again if another writer removed it before it was locked."""
    while True:
        file = _temporary_path(folder).open("xb")
        _lock(file.fileno())
        if os.path.exists(file.name):
            return file
        file.close()


@contextlib.contextmanager
def _locked_folder(folder: Path) -> Iterator[None]:
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    _lock(descriptor)
    try:
        yield
    finally:
        os.close(descriptor)


def _temporary_path(folder: Path) -> Path:
    return folder / f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}"


def _lock(descriptor: int, *, wait: bool = True) -> bool:
    """Lock a file or folder; False if another process has it, or the file system has no locks."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _remove_if_abandoned(path: Path) -> None:
    kind = path.lstat().st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        return
    descriptor = os.open(path, os.O_RDONLY if stat.S_ISDIR(kind) else os.O_RDWR)
    try:
        if _lock(descriptor, wait=False):
            shutil.rmtree(path) if stat.S_ISDIR(kind) else path.unlink()
    finally:
        os.close(descriptor)
