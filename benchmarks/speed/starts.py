"""Imports, the first fit on a machine and the next ones, and Chinchilla's runs."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.chinchilla import published_workflow
from benchmarks.speed.measure import (
    Cost,
    Finished,
    Row,
    cost_of,
    empty_caches,
    median,
    process,
)

IMPORTS = {"bayeslaw": "0.3 s", "pymc": "", "nutpie": "", "arviz": ""}
CASES = {
    "plain": "12 crossed curves, 144 rows, no discrepancy",
    "dozen": "12 crossed curves, 144 rows",
    "images": "72 crossed curves, 3,902 rows",
}
GOALS = {
    ("images", "first"): "90 s, then 60 s",
    ("images", "second"): "60 s, then 25 s",
}


def imports(repeats: int) -> list[Row]:
    """Importing, and showing the help."""
    command = shutil.which("bayeslaw", path=str(Path(sys.executable).parent))
    if command is None:
        raise RuntimeError("the command bayeslaw is not installed")
    commands = {
        f"import {name}": (["-c", f"import {name}"], goal) for name, goal in IMPORTS.items()
    }
    commands["bayeslaw --help"] = [command, "--help"], "0.5 s"
    nothing = _median(["-c", "pass"], repeats)
    rows = []
    for what, (arguments, goal) in commands.items():
        cost = _median(arguments, repeats)
        note = f"of which the interpreter {nothing.seconds:.2f} s"
        rows.append(_row(what, cost, goal, note if goal else ""))
    return rows


def fits(cases: Sequence[str], repeats: int) -> list[Row]:
    """The first start, with no compiled code on the disk, and the second."""
    rows = []
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            empty = empty_caches(folder)
            every = [
                process(["-m", "benchmarks.speed.child", "fit", case], environment=empty)
                for _ in range(1 + repeats)
            ]
        rows.append(_fit(f"first fit on a machine, {CASES[case]}", every[:1], (case, "first")))
        rows.append(_fit(f"fit in a new process, {CASES[case]}", every[1:], (case, "second")))
    return rows


def _fit(what: str, finished: Sequence[Finished], goal: tuple[str, str]) -> Row:
    results = [each.result for each in finished if each.result]
    parts = {
        part: sorted(t["parts"][part] for t in results)[len(results) // 2]
        for part in results[0]["parts"]
    }
    note = ", ".join(f"{part} {seconds:.1f}" for part, seconds in parts.items())
    passed = all(t["passed"] for t in results)
    cost = median(each.cost for each in finished)
    note = f"processor: {note}; gate {'passed' if passed else 'FAILED'}"
    return _row(what, cost, GOALS.get(goal, ""), note, parts=parts, passed=passed)


def chinchilla(quick: bool) -> list[Row]:
    """From the data to bands, compared with a grid of starts and bootstraps."""
    if not os.environ.get("BAYESLAW_DATA"):
        return [Row("Chinchilla, 240 runs", "skipped", note="BAYESLAW_DATA is not set")]
    ours = _median(["benchmarks/chinchilla.py", "--bands"], 2, first_counts=False)
    workflow: dict[str, float] = {}
    whole = cost_of(lambda: workflow.update(published_workflow(quick)))
    sampled = workflow["grid seconds"] + workflow["bootstrap seconds"]
    theirs = Cost(sampled, sampled * whole.processor / whole.seconds)
    times = theirs.processor / ours.processor
    how = "from 100 starts and 50 bootstraps" if quick else "in full"
    return [
        _row(
            "Chinchilla, 240 runs, data to bands in a new process", ours, "12 s, 20 x",
            f"{times:.1f} x faster than 4,500 starts and 4,000 bootstraps ({how}): {theirs}",
            ratio=times, workflow=vars(theirs),
        )
    ]  # fmt: skip


def _median(arguments: Sequence[str], repeats: int, *, first_counts: bool = True) -> Cost:
    """Of several processes; the first only fills caches if it does not count."""
    every = [process(arguments).cost for _ in range(repeats + (not first_counts))]
    return median(every[not first_counts :])


def _row(what: str, cost: Cost, goal: str, note: str = "", **numbers: object) -> Row:
    return Row(what, str(cost), goal, note, vars(cost) | numbers)


def sizes(points: int) -> list[Row]:
    """The file of a fit of 872 runs and 8,000 draws, and bands at many points."""
    done = process(["-m", "benchmarks.speed.child", "sizes", "2000", str(points)])
    assert done.result is not None
    got, each = done.result, "872 runs in 20 curves, 8,000 draws"
    file = f"{got['file MB']:.1f} MB, saved in {got['save']:.2f} s, opened in {got['open']:.2f} s"
    bands = f"{got['bands']:.1f} s of processor, {got['bands MB']:.0f} MB more"
    return [
        Row("the file of a fit", file, "15 MB, 2 s", each, got),
        Row(f"bands at {got['points']:,} points", bands, "5 s, 500 MB for 10,000", each, got),
    ]
