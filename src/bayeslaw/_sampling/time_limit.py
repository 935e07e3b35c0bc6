"""A limit on the time that sampling takes."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from bayeslaw._sampling.trace import Trace

__all__ = ["TimeLimit", "TimeLimitReached"]


@dataclass(frozen=True)
class TimeLimit:
    """Seconds from now after which sampling ends; None for no limit.

    `interrupted` ends it at once: another thread sets it, as only the main one gets interrupts.
    """

    seconds: float | None = None
    started: float = field(default_factory=time.perf_counter)
    interrupted: threading.Event = field(default_factory=threading.Event)

    @property
    def is_over(self) -> bool:
        """Whether the time is over."""
        return self.seconds is not None and time.perf_counter() - self.started >= self.seconds


class TimeLimitReached(Exception):
    """Sampling ended at its time limit; `trace` has the draws so far, if there are a few.

    `steps` is the number of steps of the slowest chain, those of tuning among them.
    """

    def __init__(self, steps: int, trace: Trace | None) -> None:
        super().__init__()
        self.steps, self.trace = steps, trace
