"""Rivals and held-out runs."""

from __future__ import annotations

import bayeslaw as bl
from bayeslaw.report.comparison import about_comparison, judged


def test_nothing_to_judge_by(lone_fit: bl.Fit) -> None:
    found = judged(lone_fit, None, {})
    assert (found.comparison, found.scores, found.sentences) == (None, None, [])


def test_rivals_without_held_out_runs(crossed_fit: bl.Fit, log_linear_fit: bl.Fit) -> None:
    """A rival may have the name of the law that is reported."""
    found = judged(crossed_fit, None, {"power": log_linear_fit})
    assert found.comparison is not None
    assert list(found.comparison.index) == ["power (reported)", "power"]
    kinds = [block.kind for block in about_comparison(found).blocks]
    assert kinds == ["items", "table", "paragraph"]
    assert found.sentences[0].startswith("power (reported): best")


def test_one_law_alone_is_not_ranked(crossed_fit: bl.Fit, crossed_split: tuple) -> None:
    [told] = judged(crossed_fit, crossed_split[1], {}).sentences
    assert told.startswith("Of 24 held-out runs")
