"""Provenance of a fit: versions, seed, sampler settings, and the call that repeats it."""

from __future__ import annotations

import json

import pandas as pd

from bayeslaw.fitting.result import Fit
from bayeslaw.report.blocks import UNKNOWN, Code, Section, Table

__all__ = ["provenance_section"]


def provenance_section(fit: Fit) -> Section:
    """Versions, seed and sampler settings, and the code that repeats the fit."""
    versions, sampler = (json.loads(fit.tree.attrs.get(n, "{}")) for n in ("versions", "sampler"))
    entries = {**versions, **{name.replace("_", " "): value for name, value in sampler.items()}}
    rows = [(name, str(value)) for name, value in entries.items() if value is not None]
    frame = pd.DataFrame(rows or [("versions and sampler", UNKNOWN)], columns=["what", "value"])
    blocks = (Table("versions", "Versions and sampler", frame), Code(_code(fit, sampler)))
    return Section("provenance", "Provenance", blocks)


def _code(fit: Fit, sampler: dict[str, object]) -> str:
    names = ("random_seed", "draws", "tune", "chains", "cores", "target_accept", "max_seconds")
    settings = [f"{name}={sampler[name]!r}" for name in names if sampler.get(name) is not None]
    return (
        f"# model: {fit.tree.attrs.get('model', repr(fit.model))}\n"
        f"sampler = bl.Sampler({', '.join(settings) or 'random_seed=...'})\n"
        "fit = bl.fit(model, runs, sampler=sampler)\n"
        "bl.write_report(fit)"
    )
