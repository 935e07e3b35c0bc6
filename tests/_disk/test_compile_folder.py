"""The folder of compiled code: whose it may be, and what is used instead."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from bayeslaw._disk import compile_folder as module
from bayeslaw._disk.compile_folder import compile_folder, warn_if_temporary, warn_unwritten


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """PyTensor's folder, in a process that has not imported it."""
    base = tmp_path / "base"
    monkeypatch.delitem(sys.modules, "pytensor", raising=False)
    monkeypatch.setenv("PYTENSOR_FLAGS", f"floatX=float64,base_compiledir={base}")
    monkeypatch.setattr(module, "_reasons", [])
    cached = (compile_folder, warn_if_temporary, warn_unwritten)
    for function in cached:
        function.cache_clear()
    yield base
    for function in cached:
        function.cache_clear()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_is_private(base: Path) -> None:
    assert compile_folder() == base / "bayeslaw"
    assert mode(base / "bayeslaw") == 0o700
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_temporary()


@pytest.mark.parametrize(
    ("before", "stays"), [(0o700, True), (0o755, True), (0o775, False), (0o777, False)]
)
def test_permissions_of_others_are_taken_with_what_they_could_have_written(
    before: int, stays: bool, base: Path
) -> None:
    folder = base / "bayeslaw"
    (folder / "inner").mkdir(parents=True)
    (folder / "x.code").touch()
    (folder / "link").symlink_to(base)
    folder.chmod(before)
    assert compile_folder() == folder
    assert mode(folder) == 0o700
    assert sorted(os.listdir(folder)) == (["inner", "link", "x.code"] if stays else [])
    assert base.is_dir()


def test_what_killed_processes_left_is_removed(base: Path) -> None:
    (base / "bayeslaw").mkdir(parents=True)
    (base / "bayeslaw" / ".bayeslaw-0.tmp").touch()
    assert os.listdir(compile_folder()) == []


def forbid(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mkdir(path: Path, *_: object, **__: object) -> None:
        if path.is_relative_to(base):
            raise PermissionError(13, "Permission denied")
        os.mkdir(path, 0o700)

    monkeypatch.setattr(Path, "mkdir", mkdir)


def give_away(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (base / "bayeslaw").mkdir(parents=True)
    real = Path.stat
    other = SimpleNamespace(st_uid=os.getuid() + 1, st_mode=0o40700)

    def status(path: Path, *, follow_symlinks: bool = True) -> object:
        return other if path == base / "bayeslaw" else real(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", status)


def ignore_permissions(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (base / "bayeslaw").mkdir(parents=True)
    (base / "bayeslaw").chmod(0o777)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)


UNUSABLE: dict[str, tuple[Callable[[Path, pytest.MonkeyPatch], object], str]] = {
    "not allowed": (forbid, "Permission denied"),
    "a file": (lambda base, _: base.touch(), "Not a directory"),
    "another user's": (give_away, "it belongs to another user"),
    "without permissions": (ignore_permissions, "others can write in it"),
}


@pytest.mark.parametrize(("make", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_used_if_there_can_be_no_such_folder(
    make: Callable[[Path, pytest.MonkeyPatch], object],
    reason: str,
    base: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        make(base, patch)
        folder = compile_folder()
    assert not folder.is_relative_to(base)
    assert mode(folder) == 0o700
    flags = f"floatX=float64,base_compiledir={base},base_compiledir={folder.parent}"
    assert os.environ["PYTENSOR_FLAGS"] == flags  # PyTensor takes the last
    sentence = (
        f"compiled models are not kept, as {str(base / 'bayeslaw')!r} cannot be used: {reason}; "
        f"this process has them in {str(folder)!r}"
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(sentence)}$"):
        warn_if_temporary()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_temporary()  # only once


@pytest.mark.parametrize(
    ("flags", "home", "expected"),
    [
        (None, "home", "home/.pytensor"),
        ("floatX=float64", "home", "home/.pytensor"),
        ("base_compiledir=a,floatX=float64", "home", "a"),
        ("floatX=float64,base_compiledir=~/a", "home", "home/a"),
    ],
)
def test_the_folder_is_in_that_of_pytensor(
    flags: str | None, home: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", home)
    if flags is None:
        monkeypatch.delenv("PYTENSOR_FLAGS")
    else:
        monkeypatch.setenv("PYTENSOR_FLAGS", flags)
    assert module._pytensor_folder() == Path(expected)
    imported = SimpleNamespace(config=SimpleNamespace(base_compiledir="/elsewhere"))
    monkeypatch.setitem(sys.modules, "pytensor", imported)  # type: ignore[arg-type]
    assert module._pytensor_folder() == Path("/elsewhere")


def test_a_temporary_folder_is_removed_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    program = "from bayeslaw._disk.compile_folder import compile_folder as f; print(f())"
    flags = {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}/file"}
    command = [sys.executable, "-c", program]
    printed = subprocess.run(command, env={**os.environ, **flags}, capture_output=True, text=True)
    assert printed.stderr == ""
    assert not Path(printed.stdout.strip()).parent.exists()


def test_pytensor_is_imported_where_its_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    program = "import bayeslaw._inference, pytensor; print(pytensor.config.base_compiledir)"
    flags = {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}/file"}
    command = [sys.executable, "-c", program]
    printed = subprocess.run(command, env={**os.environ, **flags}, capture_output=True, text=True)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert Path(printed.stdout.strip()).name.startswith("bayeslaw-")
