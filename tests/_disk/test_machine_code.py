"""Machine code on disk: damaged files are compiled again, and those of others are not touched."""

from __future__ import annotations

import importlib.util
import multiprocessing
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from bayeslaw._disk import cache_files, machine_code
from bayeslaw._disk.compile_folder import warn_unwritten
from bayeslaw._disk.files import sha256

SOURCE = """
import numba

@numba.njit(cache=True)
def twice(x):
    return 2 * x
"""
OWN, FOREIGN = "bayeslaw.kernels_of_test", "foreign_kernels"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.setattr(machine_code, "compile_folder", lambda: folder)
    yield folder
    for name in (OWN, FOREIGN):
        sys.modules.pop(name, None)


def twice(path: Path, name: str = OWN) -> Any:
    """A new import of a module with a kernel."""
    path = path / "kernels_of_test.py"
    if not path.exists():
        path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # Numba looks it up when it reads code
    spec.loader.exec_module(module)
    return module.twice


def hits(kernel: Any) -> int:
    return sum(kernel.stats.cache_hits.values())


def test_code_is_read_by_the_next_import(folder: Path, tmp_path: Path) -> None:
    for expected_hits in (0, 2):
        kernel = twice(tmp_path)
        assert (kernel(2), kernel(1.5)) == (4, 3.0)
        assert hits(kernel) == expected_hits
        assert len(list(folder.iterdir())) == 2  # one file per signature, and no index


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


def resealed(data: object) -> bytes:
    content = pickle.dumps(data)
    return content + sha256(content)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "garbage": lambda content: b"garbage",
    "list": lambda content: b"[]",
    "cut short": lambda content: content[:-1],
    "half": lambda content: content[: len(content) // 2],
    "first bit": lambda content: flipped(content, 0),
    "a bit of the code": lambda content: flipped(content, len(content) // 2),
    "last bit": lambda content: flipped(content, len(content) - 1),
    "plain pickle": lambda content: content[:-32],
    "no pickle": lambda content: b"garbage" + sha256(b"garbage"),
    "other data": lambda content: resealed(3),
    "other key": lambda content: resealed(("key", 3)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_code_is_compiled_and_written_again(
    damage: Callable[[bytes], bytes], folder: Path, tmp_path: Path
) -> None:
    assert twice(tmp_path)(2) == 4
    [file] = folder.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    for expected_hits in (0, 1):
        kernel = twice(tmp_path)
        assert kernel(2) == 4
        assert hits(kernel) == expected_hits


def test_code_of_other_packages_stays_where_numba_has_it(folder: Path, tmp_path: Path) -> None:
    kernel = twice(tmp_path, FOREIGN)
    assert kernel(2) == 4
    assert isinstance(kernel._cache._cache_file, machine_code.NumbaFiles)
    assert not list(folder.iterdir())


def test_code_of_another_version_of_numba_is_not_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice(tmp_path)(2)
    monkeypatch.setattr(numba, "__version__", "0.0")
    kernel = twice(tmp_path)
    assert (kernel(2), hits(kernel)) == (4, 0)


def test_a_full_disk_does_not_prevent_a_result(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    warn_unwritten.cache_clear()
    monkeypatch.setattr(cache_files, "replace_file", fill_the_disk)
    with pytest.warns(UserWarning, match="are not kept: cannot write in .*: No space left"):
        assert twice(tmp_path)(2) == 4


def test_flush_removes_the_code_of_one_function(folder: Path, tmp_path: Path) -> None:
    (folder / "other.code").touch()
    kernel = twice(tmp_path)
    kernel(2)
    kernel._cache.flush()
    assert [path.name for path in folder.iterdir()] == ["other.code"]


def compute(folder: Path, path: Path, barrier: Any) -> None:
    machine_code.compile_folder = lambda: folder  # type: ignore[assignment]
    kernel = twice(path)
    barrier.wait()
    assert (kernel(2), kernel(1.5), kernel(np.float32(1))) == (4, 3.0, 2.0)


@pytest.fixture
def context() -> Any:
    return multiprocessing.get_context("spawn")


def test_processes_that_start_together_do_not_disturb_each_other(
    folder: Path, tmp_path: Path, context: Any
) -> None:
    twice(tmp_path)
    barrier = context.Barrier(2)
    processes = [
        context.Process(target=compute, args=(folder, tmp_path, barrier)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    kernel = twice(tmp_path)
    assert (kernel(2), kernel(1.5), kernel(np.float32(1))) == (4, 3.0, 2.0)
    assert hits(kernel) == 3
