"""What a user's work takes, from the command to the answer.

Each in processes of its own; the first on empty caches, the others with all code kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping

from benchmarks.speed.measure import Cost, Row, empty_caches, median, process

CHILD = ("-m", "benchmarks.speed.child")
BAYESLAW = ("-m", "bayeslaw")
QUICK = {  # commands on a saved fit
    "forecast": ("--at", "N=1e8", "--at", "corpus=c", "--at", "architecture=transformer"),
    "diagnose": (),
}
# What each took with the engine of version 1, on the same kind of machine, and what was aimed at.
BEFORE = {
    "demo": ("200 s", "60 s"),
    "law": ("33 to 60 s more", "1.5 s more"),
    "learners": ("60 s of processor", "20 s of processor"),
    "compare": ("more than 180 s", "60 s"),
    "backtest": ("337 s", "60 s"),
    "forecast": ("5.5 s", "2 s"),
    "diagnose": ("5.5 s", "2 s"),
}


def sessions() -> list[Row]:
    """The demonstration first, which compiles what the others use."""
    with tempfile.TemporaryDirectory() as folder:
        caches = empty_caches(folder)
        return [
            _row("demo", "the demonstration, both acts, on empty caches", _demo(folder, caches)),
            *_another_law(caches),
            _fit("learners", "20 crossed curves of learners, 888 runs", caches),
            _fit("compare", "five laws in N fitted and compared, 8 curves", caches),
            _fit("backtest", "backtest of four laws in N and D, 3 curves of 32 runs", caches),
            *_commands(f"{folder}/demo/fit_size.nc", caches),
        ]


def _demo(folder: str, caches: Mapping[str, str]) -> Cost:
    arguments = [*BAYESLAW, "demo", "--quiet", "--out", f"{folder}/demo"]
    return process(arguments, environment=caches).cost


def _another_law(caches: Mapping[str, str]) -> list[Row]:
    """A fit of a law that was not fitted on this machine, and then once more."""
    first, second = (process([*CHILD, "fit", "another"], environment=caches).cost for _ in range(2))
    more = Cost(first.seconds - second.seconds, first.processor - second.processor)
    note = f"{first} instead of {second}"
    return [_row("law", "a law fitted for the first time, all else kept", more, note)]


def _fit(work: str, what: str, caches: Mapping[str, str]) -> Row:
    """All but its laws is compiled."""
    arguments = [*CHILD, *(("fit", work) if work == "learners" else (work,))]
    done = process(arguments, environment=caches)
    return _row(work, what, done.cost, f"gates passed: {(done.result or {}).get('passed')}")


def _commands(fit: str, caches: Mapping[str, str]) -> list[Row]:
    """Commands on a saved fit, medians of three."""
    rows = []
    for name, options in QUICK.items():
        arguments = [*BAYESLAW, name, fit, *options]
        costs = [process(arguments, environment=caches).cost for _ in range(3)]
        rows.append(_row(name, f"bayeslaw {name} of a saved fit", median(costs)))
    return rows


def _row(name: str, what: str, cost: Cost, note: str = "") -> Row:
    before, goal = BEFORE[name]
    return Row(what, str(cost), goal, f"{note}{'; ' if note else ''}it was {before}", vars(cost))
