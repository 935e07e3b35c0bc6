"""Ctrl-C during imports and callbacks."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

# A package that is interrupted while it is imported, and loses the interrupt.
SWALLOWS = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
    sum(range(10**6))
except BaseException:
    pass
else:
    complete = True
"""


def program(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "swallows.py").write_text(SWALLOWS)
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


@pytest.mark.parametrize("is_deferred", [True, False])
def test_an_interrupt_waits_for_the_end_of_an_import(is_deferred: bool, tmp_path: Path) -> None:
    done = program(
        f"""
        import time
        from bayeslaw._interrupts import defer_interrupts
        if {is_deferred}:
            defer_interrupts()
        try:
            import swallows
            print(hasattr(swallows, "complete"))
            time.sleep(3)
            print("lost")
        except KeyboardInterrupt:
            print("interrupted")
        """,
        tmp_path,
    )
    assert done.stderr == ""
    assert done.stdout.split() == (["True", "interrupted"] if is_deferred else ["False", "lost"])


@pytest.mark.parametrize("is_deferred", [True, False])
@pytest.mark.parametrize(
    "collection",
    [
        "weakref.WeakValueDictionary({Key(): value})",  # as h5py has of all that is open
        "weakref.WeakSet([value]); values.data = Loud(values.data)",
    ],
    ids=["dictionary", "set"],
)
def test_an_interrupt_waits_for_the_end_of_a_callback(
    collection: str, is_deferred: bool, tmp_path: Path
) -> None:
    done = program(
        f"""
        import os, signal, time, weakref
        from bayeslaw._interrupts import defer_interrupts
        if {is_deferred}:
            defer_interrupts()
        finished = []
        class Value: pass
        class Key:
            def __hash__(self):
                if finished:
                    os.kill(os.getpid(), signal.SIGINT)
                return 1
        class Loud(set):
            def discard(self, item):
                os.kill(os.getpid(), signal.SIGINT)
        value = Value()
        values = {collection}
        finished = [True]
        try:
            del value
            time.sleep(3)
            print("lost")
        except KeyboardInterrupt:
            print("interrupted")
        """,
        tmp_path,
    )
    assert done.stdout.split() == (["interrupted"] if is_deferred else ["lost"])
    assert ("Exception ignored" in done.stderr) is not is_deferred


def test_a_command_that_imports_is_interrupted_in_one_line(tmp_path: Path) -> None:
    done = program(
        """
        import bayeslaw as bl
        from bayeslaw import cli
        def command(*_):
            import swallows, time
            time.sleep(3)
        bl.laws.find = command
        cli.main(["laws", "power"])
        """,
        tmp_path,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "interrupted; nothing was written\n"


def test_an_interrupt_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    done = program(
        """
        import signal
        from bayeslaw._interrupts import defer_interrupts
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        defer_interrupts()
        print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)
        """,
        tmp_path,
    )
    assert done.stdout == "True\n"


# Named like a package that the command line imports: interrupts, then imports the real one.
INTERRUPTS = """
import os, signal, sys
os.kill(os.getpid(), signal.SIGINT)
sys.path.remove("")
del sys.modules["cyclopts"]
import cyclopts
"""


def test_a_command_that_is_still_imported_is_interrupted_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "cyclopts.py").write_text(INTERRUPTS)
    done = program(
        """
        import sys, time
        import bayeslaw as bl
        from bayeslaw.__main__ import main
        bl.laws.find = lambda *_: time.sleep(3)
        sys.argv = ["bayeslaw", "laws", "power"]
        main()
        """,
        tmp_path,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "interrupted; nothing was written\n"
