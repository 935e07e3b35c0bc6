"""How far long work is: a bar in a terminal, a line in a notebook, lines now and then in a log."""

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

__all__ = ["Tell", "progress"]

PATIENCE = 2.0  # seconds before the first line
IN_LOG, IN_NOTEBOOK = 15.0, 0.5  # seconds between two lines

type Tell = Callable[..., None]


@contextmanager
def progress(what: str, total: int | None, *, shown: bool = True, done: int = 0) -> Iterator[Tell]:
    """Tell how far work is, and how long it will still take, on the error stream.

    Parameters
    ----------
    what : str
        The work.
    total : int, optional
        How much there is to do; none where nobody knows.
    shown : bool
        Whether to tell.
    done : int
        How much was done before.

    Yields
    ------
    callable
        Takes how much is done now and, if there is more to say, a remark.

    Examples
    --------
    >>> with progress("Counting", 3, shown=False) as tell:
    ...     for i in range(3):
    ...         tell(i + 1)
    """
    console = Console(stderr=True)
    if not shown:
        yield lambda done, remark="": None
    elif console.is_terminal:
        with _bar(console, what, total, done) as tell:
            yield tell
    else:
        lines = _Lines(what, total, done, *_place(console))
        with lines.begun():
            yield lines.tell
        lines.end()


@contextmanager
def _bar(console: Console, what: str, total: int | None, done: int) -> Iterator[Tell]:
    columns = (*Progress.get_default_columns(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[told]}"), console=console) as bar:
        task = bar.add_task(what, total=total, completed=done, told="")
        yield lambda done, remark="": bar.update(task, completed=done, told=remark)


@dataclass
class _Lines:
    """Lines of text, not too many."""

    what: str
    total: int | None
    before: int
    say: Callable[[str], None]
    every: float
    started: float = field(default_factory=lambda: time.monotonic())
    due: float = field(default_factory=lambda: PATIENCE)
    last: str = ""

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Say what the work is, if it takes long until somebody can tell how far it is."""
        self.timer = Timer(2 * PATIENCE, self.say, [self.what])
        self.timer.daemon = True
        self.timer.start()
        try:
            yield
        finally:
            self.timer.cancel()

    def tell(self, done: int, remark: str = "") -> None:
        """What is done now."""
        self.last = f", {remark}" if remark else ""
        if self.total and self.passed >= self.due:
            self.timer.cancel()
            self.due = self.passed + self.every
            self.say(f"{self.what}: {done / self.total:.0%}{self._left(done)}{self.last}")

    def end(self) -> None:
        """That it is done, if it took long."""
        if self.passed >= PATIENCE:
            self.say(f"{self.what}: done in {self.passed:.0f} s{self.last}")

    @property
    def passed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def _left(self, done: int) -> str:
        if self.total is None or done <= self.before:
            return ""
        return f", {self.passed * (self.total - done) / (done - self.before):.0f} s left"


def _place(console: Console) -> tuple[Callable[[str], None], float]:
    """Where lines go, and the seconds between two of them."""
    return (_cell(), IN_NOTEBOOK) if console.is_jupyter else (_log, IN_LOG)


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _cell() -> Callable[[str], None]:
    """A line below a cell of a notebook that is written over; rich's bar would need widgets."""
    from IPython.display import display

    handle: Any = display({"text/plain": ""}, raw=True, display_id=True)
    return lambda line: handle.update({"text/plain": line}, raw=True)
