"""Progress reports: a bar in a terminal, one line in a notebook, occasional lines in a log.

Each has the time left, at the pace so far or of late.
"""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Timer
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

__all__ = ["Pace", "ProgressUpdate", "announce", "progress"]

PATIENCE = 2.0  # seconds before the first line
IN_LOG, IN_NOTEBOOK = 15.0, 0.5  # seconds between two lines

type ProgressUpdate = Callable[..., None]


@dataclass(frozen=True)
class Pace:
    """What an estimate of the time left is based on: the last seconds, once so much is done.

    `left` says of what it is the time left.
    """

    seconds: float = math.inf
    least: int = 1
    left: str = "left"


STEADY = Pace()


def announce(line: str) -> None:
    """A line on the error stream."""
    Console(stderr=True, soft_wrap=True).print(line, markup=False, highlight=False)


@contextmanager
def progress(
    task: str, total: int | None, *, shown: bool = True, done: int = 0, pace: Pace = STEADY
) -> Iterator[ProgressUpdate]:
    """Report progress and the time left on the error stream: `update(done, remark="")`.

    `total` is None where the amount of work is unknown; `done` is what was finished before.
    """
    console = Console(stderr=True)
    if not shown:
        yield lambda done, remark="": None
    elif console.is_terminal:
        with _bar(console, task, total, _TimeLeft(total, done, pace)) as update:
            yield update
    else:
        write, interval = _line_writer(console)
        lines = _Lines(task, total, _TimeLeft(total, done, pace), write, interval)
        with lines.announced():
            yield lines.update
        lines.end()


@contextmanager
def _bar(
    console: Console, task: str, total: int | None, time_left: _TimeLeft
) -> Iterator[ProgressUpdate]:
    fields = (TextColumn(f"{{task.fields[{name}]}}") for name in ("left", "remark"))
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeElapsedColumn(), *fields, console=console) as bar:
        task_id = bar.add_task(task, total=total, completed=time_left.done, left="", remark="")

        def update(done: int, remark: str = "") -> None:
            bar.update(task_id, completed=done, left=time_left.after(done), remark=remark)

        yield update


@dataclass
class _TimeLeft:
    """The time left of a task, from when how much was done."""

    total: int | None
    done: int  # before
    pace: Pace
    marks: deque[tuple[float, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.marks.append((time.monotonic(), self.done))

    def after(self, done: int) -> str:
        """The time left in words, now that so much is done; empty while it is unknown."""
        now = time.monotonic()
        self.marks.append((now, done))
        while now - self.marks[1][0] >= self.pace.seconds and len(self.marks) > 2:
            self.marks.popleft()
        since, before = self.marks[0]
        if self.total is None or done <= before or done - self.done < self.pace.least:
            return ""
        seconds = (now - since) * (self.total - done) / (done - before)
        return f"{_duration(seconds)} {self.pace.left}"


def _duration(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


@dataclass
class _Lines:
    """Progress as lines of text, at most one per interval."""

    task: str
    total: int | None
    time_left: _TimeLeft
    write: Callable[[str], None]
    interval: float  # seconds
    started: float = field(default_factory=lambda: time.monotonic())
    due: float = field(default_factory=lambda: PATIENCE)
    remark: str = ""

    @contextmanager
    def announced(self) -> Iterator[None]:
        """Name the task, if the first update takes long."""
        self.timer = Timer(2 * PATIENCE, self.write, [self.task])
        self.timer.daemon = True
        self.timer.start()
        try:
            yield
        finally:
            self.timer.cancel()

    def update(self, done: int, remark: str = "") -> None:
        """Report how much is done, if a line is due."""
        self.remark = f", {remark}" if remark else ""
        left = self.time_left.after(done)
        # The first line waits for an estimate, if that does not take too long.
        if self.total and self.elapsed >= (self.due if left else max(self.due, IN_LOG)):
            self.timer.cancel()
            self.due = self.elapsed + self.interval
            left = f", {left}" if left else ""
            self.write(f"{self.task}: {done / self.total:.0%}{left}{self.remark}")

    def end(self) -> None:
        """Report the end of a task that took long."""
        if self.elapsed >= PATIENCE:
            self.write(f"{self.task}: done in {self.elapsed:.0f} s{self.remark}")

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started


def _line_writer(console: Console) -> tuple[Callable[[str], None], float]:
    """A function that writes a line, and the seconds between two lines."""
    return (_notebook_line(), IN_NOTEBOOK) if console.is_jupyter else (_log_line, IN_LOG)


def _log_line(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _notebook_line() -> Callable[[str], None]:
    """A line below a notebook cell that is overwritten; rich's bar would need widgets."""
    from IPython.display import display

    handle: Any = display({"text/plain": ""}, raw=True, display_id=True)
    return lambda line: handle.update({"text/plain": line}, raw=True)
