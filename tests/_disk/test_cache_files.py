"""The compile cache: what is damaged is not read, and it does not grow without limit."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bayeslaw._disk import cache_files
from bayeslaw._disk.cache_files import DAY, MAX_AGE, prune, read_cached, write_cached


@pytest.fixture(autouse=True)
def a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has not written anything."""
    cache_files._prune_once.cache_clear()


def of_age(folder: Path, name: str, days: float, size: int = 100) -> Path:
    """A file that was last used some days ago."""
    path = folder / name
    path.write_bytes(bytes(size))
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def age(path: Path) -> float:
    return (time.time() - path.stat().st_mtime) / DAY


@pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 100])
def test_what_is_written_is_read(content: bytes, tmp_path: Path) -> None:
    write_cached(tmp_path / "a.code", content)
    assert read_cached(tmp_path / "a.code") == content


def test_what_is_missing_or_damaged_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.code"
    assert read_cached(path) is None
    write_cached(path, b"some code")
    path.write_bytes(path.read_bytes().replace(b"code", b"cede"))
    assert read_cached(path) is None
    assert read_cached(tmp_path) is None


def test_files_unused_for_long_are_removed_whatever_they_are(tmp_path: Path) -> None:
    for name, days in {
        "new.code": 0,
        "used.sources": 89,
        "old.sources": 91,
        "old.code": 400,
    }.items():
        of_age(tmp_path, name, days)
    (tmp_path / "folder").mkdir()
    os.utime(tmp_path / "folder", (0, 0))
    prune(tmp_path)
    assert names(tmp_path) == {"new.code", "used.sources", "folder"}


def test_of_too_many_bytes_those_unused_for_longest_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as those of other versions of a kernel."""
    monkeypatch.setattr(cache_files, "MAX_BYTES", 350)
    for day in range(5):
        of_age(tmp_path, f"kernel_{day}.code", day)
    prune(tmp_path)
    assert names(tmp_path) == {"kernel_0.code", "kernel_1.code", "kernel_2.code"}


@pytest.mark.parametrize(("days", "expected"), [(0.5, 0.5), (2, 0), (80, 0)])
def test_use_is_noted_once_a_day(days: float, expected: float, tmp_path: Path) -> None:
    path = tmp_path / "a.code"
    write_cached(path, b"code")
    os.utime(path, (time.time() - days * DAY,) * 2)
    assert read_cached(path) == b"code"
    assert age(path) == pytest.approx(expected, abs=0.01)


def test_a_file_in_use_stays_however_old_it_is(tmp_path: Path) -> None:
    write_cached(tmp_path / "used.code", b"code")
    os.utime(tmp_path / "used.code", (0, 0))
    of_age(tmp_path, "unused.code", 2 * MAX_AGE / DAY)
    read_cached(tmp_path / "used.code")
    prune(tmp_path)
    assert names(tmp_path) == {"used.code"}


def test_a_process_prunes_when_it_first_writes(tmp_path: Path) -> None:
    of_age(tmp_path, "old.code", 100)
    read_cached(tmp_path / "old.code")  # damaged, so not used
    assert names(tmp_path) == {"old.code"}
    write_cached(tmp_path / "a.code", b"code")
    assert names(tmp_path) == {"a.code"}
    of_age(tmp_path, "old.code", 100)
    write_cached(tmp_path / "b.code", b"code")
    assert names(tmp_path) == {"a.code", "b.code", "old.code"}


def forbidden(*_: Any, **__: Any) -> Any:
    raise PermissionError(13, "Permission denied")


def gone(*_: Any, **__: Any) -> Any:
    raise FileNotFoundError(2, "No such file or directory")


@pytest.mark.parametrize("error", [forbidden, gone])
@pytest.mark.parametrize("method", ["unlink", "lstat", "iterdir"])
def test_what_cannot_be_removed_is_left(
    method: str, error: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_age(tmp_path, "old.code", 100)
    with monkeypatch.context() as patch:
        patch.setattr(Path, method, error)
        write_cached(tmp_path / "a.code", b"code")
    assert read_cached(tmp_path / "a.code") == b"code"
    assert names(tmp_path) == {"a.code", "old.code"}


def test_what_cannot_be_dated_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cached(tmp_path / "a.code", b"code")
    os.utime(tmp_path / "a.code", (0, 0))
    monkeypatch.setattr(os, "utime", forbidden)
    assert read_cached(tmp_path / "a.code") == b"code"


def use(folder: Path, barrier: Any) -> None:
    """Write, read and prune while another process does."""
    cache_files.MAX_BYTES = 2000
    barrier.wait()
    for i in range(200):
        path = folder / f"{i % 40}.code"
        write_cached(path, bytes(100))
        assert read_cached(path) in (bytes(100), None)
        prune(folder)


def test_processes_may_prune_together(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    processes = [context.Process(target=use, args=(tmp_path, barrier)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert 0 < len(names(tmp_path)) <= 40
