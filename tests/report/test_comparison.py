"""Rival laws and held-out runs."""

from __future__ import annotations

import bayeslaw as bl
from bayeslaw.report.comparison import comparison_sections, evaluate


def test_without_rivals_and_held_out_runs(lone_fit: bl.Fit) -> None:
    evaluation = evaluate(lone_fit, None, {})
    assert (evaluation.comparison, evaluation.scores) == (None, None)
    assert evaluation.sentences == comparison_sections(evaluation) == []


def test_rivals_without_held_out_runs(crossed_fit: bl.Fit, log_linear_fit: bl.Fit) -> None:
    """A rival may have the name of the law that is reported."""
    evaluation = evaluate(crossed_fit, None, {"power": log_linear_fit})
    assert evaluation.comparison is not None
    assert list(evaluation.comparison.index) == ["power (reported)", "power"]
    [section] = comparison_sections(evaluation)
    kinds = [block.kind for block in section.blocks]
    assert kinds == ["items", "table", "paragraph"]
    assert evaluation.sentences[0].startswith("power (reported): best")


def test_one_law_alone_is_not_ranked(crossed_fit: bl.Fit, crossed_split: tuple) -> None:
    [sentence] = evaluate(crossed_fit, crossed_split[1], {}).sentences
    assert sentence.startswith("Of 24 held-out runs")
