"""Where a report says whether the sampler converged."""

from __future__ import annotations

from dataclasses import replace

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate
from bayeslaw.report.convergence import convergence_banner, convergence_mark, diagnostics_section


def test_a_failed_gate_has_a_banner_and_a_mark(lone_fit: bl.Fit) -> None:
    passed = Gate.of(lone_fit.tree)
    failed = replace(passed, divergences=7)
    assert (convergence_banner(passed), convergence_mark(passed)) == ("", "")
    assert convergence_banner(failed) == failed.sentence
    assert convergence_mark(failed) == " (NOT CONVERGED)"


def test_diagnostics_are_sentences_and_a_table(lone_fit: bl.Fit) -> None:
    diagnosis = bl.diagnose(lone_fit)
    items, table = diagnostics_section(diagnosis).blocks
    assert items.lines == diagnosis.sentences  # type: ignore[union-attr]
    assert table.frame["driven_by"].tolist() == diagnosis.learned["driven_by"].tolist()  # type: ignore[union-attr]
