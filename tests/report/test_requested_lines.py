"""Lines through requested sizes: their sizes, runs, titles and where they extrapolate."""

from __future__ import annotations

import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw.plots.forecast_lines import line_title
from bayeslaw.report.requested_lines import RequestedLine, requested_lines


def along(fit: bl.Fit, **points: object) -> list[RequestedLine]:
    return requested_lines(fit, bl.grid(**points), None, (), 0)  # type: ignore[arg-type]


def test_a_line_goes_through_runs_and_requested_sizes(joint_fit: bl.Fit) -> None:
    [line] = along(joint_fit, N=[1e9, 1e11], D=[1e11], task="c4")
    sizes = line.quantiles("mean").index.to_numpy()
    assert (sizes[0], sizes[-1]) == (pytest.approx(1e8), 1e11)
    assert np.all(np.diff(sizes) > 0)
    assert line.requested.tolist() == [1e9, 1e11]
    assert line.start == 1e10
    assert line.fitted[0].tolist() == [1e8, 1e9, 1e10]
    assert line.later.shape == (2, 0)
    assert line.title == "c4, D = 1e11"


def test_bands_are_in_order(joint_fit: bl.Fit) -> None:
    [line] = along(joint_fit, N=[1e9], D=[1e11], task="c4")
    for frame in (line.quantiles("mean"), line.quantiles("new_run")):
        assert list(frame) == ["5%", "25%", "50%", "75%", "95%"]
        assert np.all(np.diff(frame.to_numpy(), axis=1) >= 0)


def test_the_predictor_that_varies_is_along_the_line(joint_fit: bl.Fit) -> None:
    [line] = along(joint_fit, N=[1e9], D=[1e11, 1e13], task="code")
    assert (line.predictor, line.title) == ("D", "code, N = 1e9")


def test_everything_is_extrapolated_if_another_predictor_is(joint_fit: bl.Fit) -> None:
    [line] = along(joint_fit, N=[1e9, 1e10], D=[1e14], task="c4")
    assert line.start == 0
    assert line.fitted.size == 0


def test_without_groups_every_curve_is_forecast(joint_fit: bl.Fit) -> None:
    lines = along(joint_fit, N=[1e9], D=[1e11])
    assert [line.title for line in lines] == ["c4, D = 1e11", "code, D = 1e11"]


def test_held_out_runs_are_on_their_line(joint_fit: bl.Fit) -> None:
    _, later = bl.split_at(joint_fit.runs, N=1e9)
    [line] = requested_lines(joint_fit, bl.grid(N=[1e9], D=[1e11], task="c4"), later, (), 0)
    assert line.later[0].tolist() == [1e10]


def test_at_most_max_lines_are_selected(joint_fit: bl.Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bayeslaw.report.requested_lines.MAX_LINES", 2)
    lines = requested_lines(joint_fit, None, None, (), 0)
    assert [line.title for line in lines] == ["c4, D = 1e10", "code, D = 1e12"]


def test_one_curve_without_groups_has_a_title(lone_fit: bl.Fit) -> None:
    [line] = requested_lines(lone_fit, None, None, (), 0)
    assert line.title == "all runs"
    assert line_title([], {"D": 2e9}) == "D = 2e9"
