"""A process that compiles ahead: what it leaves behind, and that nothing depends on it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bayeslaw._disk import compile_folder as folders
from bayeslaw._kernels import compile_ahead
from bayeslaw._kernels.compile_ahead import compiled_ahead
from bayeslaw._kernels.stages import own_priors, parameters, population

SMALL = [
    parameters.parameters, parameters.parameters_adjoint, population.half_normal_spreads,
    population.half_normal_spreads_adjoint,
]  # fmt: skip
NAMES = [stage.name for stage in SMALL]


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Processes that are started, in a folder without machine code."""
    folders.compile_folder.cache_clear()
    monkeypatch.setenv(folders.FLAGS, f"base_compiledir={tmp_path}")
    monkeypatch.setattr(folders, "_pytensor_folder", lambda: tmp_path)
    monkeypatch.setattr(compile_ahead, "_can_help", lambda: True)
    for stage in SMALL:
        monkeypatch.delitem(vars(stage), "compiled", raising=False)
    processes: list[Any] = []
    start = compile_ahead._process

    def recorded(names: list[str]) -> Any:
        processes.append(start(names))
        return processes[-1]

    monkeypatch.setattr(compile_ahead, "_process", recorded)
    yield processes
    folders.compile_folder.cache_clear()


def test_the_other_process_leaves_machine_code_from_the_last_stage_on(started: list[Any]) -> None:
    with compiled_ahead(SMALL):
        [process] = started
        assert process.args[-len(SMALL) :] == NAMES[::-1]
        assert process.wait(120) == 0
        assert all(stage.is_on_disk for stage in SMALL)
    with compiled_ahead(SMALL):
        assert started == [process]  # there is nothing to compile


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_it_ends_with_the_context(started: list[Any], error: type[BaseException] | None) -> None:
    try:
        with compiled_ahead(SMALL):
            if error:
                raise error
    except KeyboardInterrupt:
        pass
    assert started[0].returncode is not None  # not a zombie either


def test_nothing_depends_on_it(started: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with compiled_ahead(SMALL):
        started[0].kill()
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with compiled_ahead(SMALL):
        assert started[1] is None


def test_it_does_not_outlive_a_process_that_is_killed(started: list[Any]) -> None:
    code = (
        "import os, signal\n"
        "from bayeslaw._kernels import compile_ahead\n"
        f"print(compile_ahead._process({NAMES}).pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    pid, end = int(done.stdout), time.monotonic() + 60
    while _is_alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _is_alive(pid)
    assert not any(stage.is_on_disk for stage in SMALL)


def _is_alive(pid: int) -> bool:
    """Whether a process is there, and not waiting for its parent to ask how it ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("cores", "executable", "frozen"),
    [(1, "/usr/bin/python3", False), (4, "/opt/app/server", False), (4, "/usr/bin/python3", True),
     (4, "", False)],
)  # fmt: skip
def test_it_needs_a_core_and_a_python_to_run(
    cores: int, executable: str, frozen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3.12")
    assert compile_ahead._can_help()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.setattr(sys, "executable", executable)
    monkeypatch.setattr(sys, "frozen", frozen, raising=False)
    assert not compile_ahead._can_help()


def test_few_stages_are_not_worth_a_process(started: list[Any]) -> None:
    with compiled_ahead([own_priors.own_center, own_priors.own_spreads]):
        assert started == []
