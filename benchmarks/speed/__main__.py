"""Measure, print the table and save it; see the package."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path

import bayeslaw as bl
from benchmarks.speed import gradients, peers, refits, sessions, starts
from benchmarks.speed.figure import figure
from benchmarks.speed.measure import Row

RESULTS = Path(__file__).parents[1] / "results" / "speed"


def parts(quick: bool) -> dict[str, Callable[[], list[Row]]]:
    """The measurements, by name."""
    largest = 1000 if quick else 10_000
    return {
        "imports": partial(starts.imports, 3 if quick else 7),
        "gradient": gradients.against_code_by_hand,
        "growth": partial(gradients.growth, largest, memory=not quick),
        "starts": partial(starts.fits, ["plain"] if quick else [*starts.CASES], 1 if quick else 3),
        "sessions": sessions.sessions,
        "chinchilla": partial(starts.chinchilla, quick),
        "sizes": partial(starts.sizes, 1000 if quick else 10_000),
        "refits": partial(refits.refits, 2 if quick else 40),
        "peers": partial(peers.against_others, 60.0 if quick else math.inf),
    }


def machine() -> str:
    """The machine and its load."""
    packages = ("bayeslaw", "pymc", "pytensor", "nutpie", "numba", "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, "
        f"OMP_NUM_THREADS {os.environ.get('OMP_NUM_THREADS', 'not set')}, "
        f"Python {platform.python_version()}, {versions}"
    )


def table(rows: Sequence[Row]) -> str:
    """In Markdown."""
    lines = [("measure", "result", "goal", "notes"), ("---",) * 4]
    lines += [(row.what, row.measured, row.goal, row.note) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def save(name: str, part: str, rows: Sequence[Row], order: Sequence[str]) -> list[Row]:
    """Replace a part of the saved table, and return the rows of all parts."""
    path, where = RESULTS / f"{name}.json", machine()
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    record |= {part: {"machine": where, "rows": [asdict(row) for row in rows]}}
    RESULTS.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    every = [Row(**row) for each in order if each in record for row in record[each]["rows"]]
    (RESULTS / f"{name}.md").write_text(f"{where}\n\n{table(every)}\n", encoding="utf-8")
    return every


def main() -> None:
    """Run the selected measurements, and save each when it is done."""
    parser = argparse.ArgumentParser(description="How long does what users do take?")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer repeats")
    parser.add_argument("--only", nargs="+", choices=parts(True), metavar="NAME")
    parser.add_argument(
        "--full", action="store_true", help="1,000 small fits by importance sampling"
    )
    options = parser.parse_args()
    warnings.simplefilter("ignore", bl.errors.RunsWarning)
    wanted, name = parts(options.quick), "quick" if options.quick else "speed"
    if options.full:
        wanted["refits"] = partial(refits.refits, refits.MANY // refits.MORE)
    print(machine(), flush=True)
    for part in options.only or wanted:
        measured = wanted[part]()
        for row in measured:
            print(f"{row.what}: {row.measured}  [{row.goal}]  {row.note}", flush=True)
        every = save(name, part, measured, list(wanted))
        figure(every).savefig(RESULTS / f"{name}.png", dpi=200)


if __name__ == "__main__":
    main()
