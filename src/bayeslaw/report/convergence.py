"""Convergence: where a report says whether the sampler converged, and what the data decided.

A fit that did not converge is marked in a banner above the page and in the captions of its
parameters; R-hat and effective sample sizes of each parameter are in the parameter tables.
"""

from __future__ import annotations

from bayeslaw._sampling.gate import NOT_CONVERGED, Gate
from bayeslaw.diagnostics.diagnose import Diagnosis
from bayeslaw.report.blocks import Items, Section, Table

__all__ = ["convergence_banner", "convergence_mark", "diagnostics_section"]


def convergence_banner(gate: Gate) -> str:
    """The sentence above the page; empty if the fit converged."""
    return "" if gate.passed else gate.sentence


def convergence_mark(gate: Gate) -> str:
    """What is added to a caption; empty if the fit converged."""
    return "" if gate.passed else f" ({NOT_CONVERGED})"


def diagnostics_section(diagnosis: Diagnosis) -> Section:
    """Convergence and other diagnostics in sentences, and prior against posterior spread."""
    caption = "Prior and posterior spread of each parameter, on its unconstrained scale"
    table = Table("learned", caption, diagnosis.learned.reset_index())
    return Section(
        "diagnostics", "Convergence and diagnostics", (Items(diagnosis.sentences), table)
    )
