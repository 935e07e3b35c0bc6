"""Progress reports: a bar in a terminal, one line in a notebook, occasional lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Timer
from typing import Any

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

__all__ = ["ProgressUpdate", "announce", "progress"]

PATIENCE = 2.0  # seconds before the first line
IN_LOG, IN_NOTEBOOK = 15.0, 0.5  # seconds between two lines

type ProgressUpdate = Callable[..., None]


def announce(line: str) -> None:
    """A line on the error stream."""
    Console(stderr=True, soft_wrap=True).print(line, markup=False, highlight=False)


@contextmanager
def progress(
    task: str, total: int | None, *, shown: bool = True, done: int = 0
) -> Iterator[ProgressUpdate]:
    """Report progress and the time left on the error stream: `update(done, remark="")`.

    `total` is None where the amount of work is unknown; `done` is what was finished before.
    """
    console = Console(stderr=True)
    if not shown:
        yield lambda done, remark="": None
    elif console.is_terminal:
        with _bar(console, task, total, done) as update:
            yield update
    else:
        write, interval = _line_writer(console)
        lines = _Lines(task, total, done, write, interval)
        with lines.announced():
            yield lines.update
        lines.end()


@contextmanager
def _bar(console: Console, task: str, total: int | None, done: int) -> Iterator[ProgressUpdate]:
    columns = (*Progress.get_default_columns(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[remark]}"), console=console) as bar:
        task_id = bar.add_task(task, total=total, completed=done, remark="")
        yield lambda done, remark="": bar.update(task_id, completed=done, remark=remark)


@dataclass
class _Lines:
    """Progress as lines of text, at most one per interval."""

    task: str
    total: int | None
    done_before: int
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
        if self.total and self.elapsed >= self.due:
            self.timer.cancel()
            self.due = self.elapsed + self.interval
            time_left = self._time_left(done)
            self.write(f"{self.task}: {done / self.total:.0%}{time_left}{self.remark}")

    def end(self) -> None:
        """Report the end of a task that took long."""
        if self.elapsed >= PATIENCE:
            self.write(f"{self.task}: done in {self.elapsed:.0f} s{self.remark}")

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def _time_left(self, done: int) -> str:
        if self.total is None or done <= self.done_before:
            return ""
        seconds = self.elapsed * (self.total - done) / (done - self.done_before)
        return f", {seconds:.0f} s left"


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
