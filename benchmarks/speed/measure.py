"""Costs of work in this process or in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Cost:
    """Elapsed seconds, and seconds of the processor."""

    seconds: float
    processor: float

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s ({self.processor:.2f} s of processor)"


@dataclass(frozen=True)
class Row:
    """A row of the table: a measurement, its goal, a note, and its numbers."""

    what: str
    measured: str
    goal: str = ""
    note: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finished:
    """A process that ended; without a result if it was killed at its time limit."""

    cost: Cost
    result: dict[str, Any] | None


def cost_of(work: Callable[[], Any]) -> Cost:
    """The cost of a function of this process, with all its threads."""
    started, spent = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - started, time.process_time() - spent)


def median(costs: Iterable[Cost]) -> Cost:
    """Of each of the two by itself."""
    pairs = [(cost.seconds, cost.processor) for cost in costs]
    return Cost(*(statistics.median(values) for values in zip(*pairs, strict=True)))


def process(
    arguments: Sequence[str],
    *,
    limit: float | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Finished:
    """Run a fresh interpreter; the last line that it prints is its result as JSON, if any."""
    with tempfile.TemporaryFile("w+") as out:
        started = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, *arguments], stdout=out, cwd=ROOT, start_new_session=True,
            env=os.environ | {"MPLBACKEND": "Agg", **environment},
        )  # fmt: skip
        # Not by `Popen.wait`, which would not say what the process used.
        timer = threading.Timer(limit or threading.TIMEOUT_MAX, _end, (child.pid,))
        timer.start()
        _, status, used = os.wait4(child.pid, 0)
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        cost = Cost(time.perf_counter() - started, used.ru_utime + used.ru_stime)
        out.seek(0)
        lines = out.read().splitlines()
    if child.returncode == -signal.SIGKILL and limit is not None:
        return Finished(cost, None)
    if child.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {child.returncode}")
    return Finished(cost, json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {})


def empty_caches(folder: str) -> dict[str, str]:
    """Environment of processes that keep compiled code in a folder, without any at first."""
    return {
        "NUMBA_CACHE_DIR": f"{folder}/numba",  # of the kernels
        "PYTENSOR_FLAGS": f"base_compiledir={folder}/pytensor",  # of all else
    }


def _end(pid: int) -> None:
    """End a process and those that it began, which are a group of their own."""
    os.killpg(pid, signal.SIGKILL)


def forget_peak() -> None:
    """Reset `peak_memory` to what is held now."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> float:
    """Peak memory of this process in GB (Linux)."""
    [line] = [x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x]
    return int(line.split()[1]) * 1024 / 1e9


class Stopwatch:
    """Seconds of processor of functions; nested functions are counted once."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self._open: list[float] = []  # seconds of nested functions, for each running one

    def watch(self, module: Any, name: str, part: str) -> None:
        """Time a function under its name in a module, as part of the work."""
        inner = getattr(module, name)

        def watched(*arguments: Any, **named: Any) -> Any:
            self._open.append(0.0)
            started = time.process_time()
            try:
                return inner(*arguments, **named)
            finally:
                taken = time.process_time() - started
                self.parts[part] = self.parts.get(part, 0.0) + taken - self._open.pop()
                if self._open:
                    self._open[-1] += taken

        setattr(module, name, watched)
