"""Output files: what is refused, what is replaced, and what accidents leave."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from bayeslaw._disk import files
from bayeslaw._disk.files import (
    is_intact,
    require_folder,
    require_writable,
    sha256,
    temporary_folder,
    write_figure,
    write_file,
)
from bayeslaw.errors import StoreError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_socket() -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("out")


def make_loop() -> None:
    Path("out").symlink_to("out")


def make_dangling_link() -> None:
    Path("out").symlink_to("nowhere/target")


PLACES: dict[str, tuple[Callable[[], object], str, str]] = {
    "folder": (lambda: Path("out").mkdir(), "out", "it is a folder; name a file"),
    "missing folder": (lambda: None, "no/out", "there is no folder 'no'"),
    "below a file": (lambda: Path("no").touch(), "no/out", "Not a directory"),
    "pipe": (lambda: os.mkfifo("out"), "out", "it is not a regular file; name another"),
    "socket": (make_socket, "out", "it is not a regular file; name another"),
    "device": (lambda: None, "/dev/null", "it is not a regular file; name another"),
    "link in a circle": (make_loop, "out", "Too many levels of symbolic links"),
    "dangling link": (make_dangling_link, "out", "there is no folder '{here}/nowhere'"),
    "long name": (lambda: None, "x" * 300, "File name too long"),
}


@pytest.mark.parametrize(("make", "path", "reason"), PLACES.values(), ids=PLACES)
def test_places_that_are_refused(
    make: Callable[[], object], path: str, reason: str, here: Path
) -> None:
    make()
    sentence = f"cannot write {path!r}: {reason.format(here=here)}"
    for refuse in (require_writable, lambda path: write_file(path, b"new")):
        with pytest.raises(StoreError, match=f"^{re.escape(sentence)}$"):
            refuse(path)


@pytest.mark.parametrize(
    ("denied", "reason"),
    [("in.csv", "the file is read-only"), (".", "files cannot be written in the folder '{here}'")],
)
def test_what_permissions_forbid_is_refused(
    denied: str, reason: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("in.csv").write_text("old")
    allowed, target = os.access, (here / denied).resolve()
    monkeypatch.setattr(os, "access", lambda path, mode: path != target and allowed(path, mode))
    with pytest.raises(StoreError, match=re.escape(reason.format(here=here))):
        write_file("in.csv", b"new")
    assert Path("in.csv").read_text() == "old"


SPELLINGS: dict[str, tuple[Callable[[], object], str]] = {
    "same": (lambda: None, "in.csv"),
    "dot": (lambda: None, "./in.csv"),
    "up and down": (lambda: Path("sub").mkdir(), "sub/../in.csv"),
    "absolute": (lambda: None, "{here}/in.csv"),
    "symbolic link": (lambda: Path("link").symlink_to("in.csv"), "link"),
    "link of a link": (
        lambda: (Path("a").symlink_to("in.csv"), Path("link").symlink_to("a")),
        "link",
    ),
    "hard link": (lambda: Path("link").hardlink_to("in.csv"), "link"),
    "linked folder": (lambda: Path("sub").symlink_to("."), "sub/in.csv"),
}


@pytest.mark.parametrize(("make", "path"), SPELLINGS.values(), ids=SPELLINGS)
def test_inputs_are_refused_in_any_spelling(
    make: Callable[[], object], path: str, here: Path
) -> None:
    Path("in.csv").write_text("old")
    make()
    path = path.format(here=here)
    sentence = f"cannot write {path!r}: it is the input 'in.csv'; name another file"
    with pytest.raises(StoreError, match=f"^{re.escape(sentence)}$"):
        require_writable(path, [Path("missing"), Path("in.csv")])


def test_an_input_that_does_not_exist_is_an_input() -> None:
    with pytest.raises(StoreError, match="it is the input 'x'"):
        require_writable("./x", [Path("x")])
    require_writable("y", [Path("x")])


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("file", "'{here}/file' is a file"),
        ("file/a/b", "'{here}/file' is a file"),
        ("made/a/b", None),
        ("made", None),
        (".", None),
    ],
)
def test_folders(path: str, reason: str | None, here: Path) -> None:
    Path("file").touch()
    if reason is None:
        require_folder(path)
        return
    with pytest.raises(StoreError, match=re.escape(reason.format(here=here))):
        require_folder(path)


def test_a_read_only_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(StoreError, match=r"cannot write in 'a/b': '.*' is not writable"):
        require_folder("a/b")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_a_replaced_file_keeps_its_permissions(mode: int) -> None:
    path = Path("out")
    path.write_text("old")
    path.chmod(mode)
    assert write_file(path, b"ne", b"w") == path
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", mode)


def test_a_new_file_has_the_permissions_of_any_new_file() -> None:
    Path("any").touch()
    assert write_file("out", b"").stat().st_mode == Path("any").stat().st_mode


def test_a_link_stays_and_its_target_is_replaced() -> None:
    Path("target").write_text("old")
    Path("link").symlink_to("target")
    write_file("link", b"new")
    assert Path("link").is_symlink()
    assert Path("target").read_text() == "new"


@pytest.mark.parametrize(
    ("name", "start"), [("a.png", b"\x89PNG"), ("a.PDF", b"%PDF"), ("a", b"\x89PNG")]
)
def test_figures_are_written_in_the_format_of_their_extension(name: str, start: bytes) -> None:
    assert write_figure(Figure(), Path(name)).read_bytes().startswith(start)


def test_the_hash_of_a_content() -> None:
    content = b"content" + sha256(b"content")
    assert is_intact(content)
    assert is_intact(sha256(b""))
    damaged = [content[:n] for n in range(len(content))]
    damaged += [
        content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :] for i in range(len(content))
    ]
    assert not any(map(is_intact, damaged))


# Accidents


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("accident", "error"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OSError(28, "No space left on device"), StoreError),
    ],
)
def test_an_accident_leaves_the_old_file(
    function: str,
    accident: BaseException,
    error: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise accident

    Path("out").write_text("old")
    monkeypatch.setattr(os, function, fail)
    with pytest.raises(error):
        write_file("out", b"new")
    assert Path("out").read_text() == "old"
    assert os.listdir() == ["out"]


KILLED = """
import os, signal
from pathlib import Path
from bayeslaw._disk import files
os.fsync = lambda _: os.kill(os.getpid(), signal.{signal})
{write}
"""
WRITES = {
    "file": "files.write_file('out', b'new')",
    "folder": "with files.temporary_folder(Path()) as folder:\n"
    "    (folder / 'part').touch()\n    os.fsync(0)",
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_a_killed_process_leaves_is_removed_by_the_next_write(write: str) -> None:
    Path("out").write_text("old")
    program = KILLED.format(signal="SIGKILL", write=write)
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert Path("out").read_text() == "old"
    [left] = Path().glob(".bayeslaw-*.tmp")
    write_file("another", b"")
    assert not left.exists()


def test_other_files_and_those_of_living_processes_stay() -> None:
    others = ["notes.tmp", ".bayeslaw-x", ".bayeslaw-x.tmp.nc", "bayeslaw-x.tmp"]
    for name in others:
        Path(name).touch()
    Path(".bayeslaw-link.tmp").symlink_to("notes.tmp")
    os.mkfifo(".bayeslaw-pipe.tmp")
    with files._temporary_file(Path()) as file, temporary_folder(Path()) as folder:
        (folder / "part").touch()
        write_file("out", b"new")
        assert os.path.exists(file.name)
        assert (folder / "part").exists()
    expected = {*others, "out", ".bayeslaw-link.tmp", ".bayeslaw-pipe.tmp"}
    assert set(os.listdir()) == expected


def test_a_folder_that_was_renamed_stays() -> None:
    with temporary_folder(Path()) as folder:
        (folder / "part").touch()
        folder.rename("kept")
    assert os.listdir("kept") == ["part"]


def test_a_file_that_another_writer_removed_before_it_was_locked_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    removed: list[Path] = []

    def lock(descriptor: int, *, wait: bool = True) -> bool:
        if not removed:
            [path] = Path().glob(".bayeslaw-*.tmp")
            path.unlink()
            removed.append(path)
        return True

    monkeypatch.setattr(files, "_lock", lock)
    assert write_file("out", b"new").read_bytes() == b"new"
    assert removed


def test_without_locks_files_are_written_and_nothing_is_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files, "fcntl", None)
    Path(".bayeslaw-x.tmp").touch()
    assert write_file("out", b"new").read_bytes() == b"new"
    with temporary_folder(Path()) as folder:
        folder.rename("kept")
    assert set(os.listdir()) == {".bayeslaw-x.tmp", "out", "kept"}
