"""Lines of a forecast: where they go, what lies beside them, where they extrapolate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw.report import forecast_lines as lines
from bayeslaw.report.forecast_lines import Line, lines_of


def along(fit: bl.Fit, **where: object) -> list[Line]:
    return lines_of(fit, bl.grid(**where), None, (), 0)  # type: ignore[arg-type]


def test_a_line_goes_through_runs_and_what_is_asked(joint_fit: bl.Fit) -> None:
    [line] = along(joint_fit, N=[1e9, 1e11], D=[1e11], task="c4")
    sizes = line.bands["mean"].index.to_numpy()
    assert (sizes[0], sizes[-1]) == (pytest.approx(1e8), 1e11)
    assert np.all(np.diff(sizes) > 0)
    assert line.asked.tolist() == [1e9, 1e11]
    assert line.start == 1e10
    assert line.fitted[0].tolist() == [1e8, 1e9, 1e10]
    assert line.later.shape == (2, 0)
    assert line.title == "c4, D = 1e11"


def test_bands_are_in_order(joint_fit: bl.Fit) -> None:
    [line] = along(joint_fit, N=[1e9], D=[1e11], task="c4")
    for frame in line.bands.values():
        assert list(frame) == ["5%", "25%", "50%", "75%", "95%"]
        assert np.all(np.diff(frame.to_numpy(), axis=1) >= 0)


def test_the_predictor_that_varies_moves(joint_fit: bl.Fit) -> None:
    [line] = along(joint_fit, N=[1e9], D=[1e11, 1e13], task="code")
    assert (line.predictor, line.title) == ("D", "code, N = 1e9")


def test_all_is_extrapolated_where_another_size_is_beyond_the_data(joint_fit: bl.Fit) -> None:
    [line] = along(joint_fit, N=[1e9, 1e10], D=[1e14], task="c4")
    assert line.start == 0
    assert line.fitted.size == 0


def test_without_groups_every_curve_is_forecast(joint_fit: bl.Fit) -> None:
    found = along(joint_fit, N=[1e9], D=[1e11])
    assert [line.title for line in found] == ["c4, D = 1e11", "code, D = 1e11"]


def test_held_out_runs_lie_beside_their_line(joint_fit: bl.Fit) -> None:
    _, later = bl.split_at(joint_fit.runs, N=1e9)
    [line] = lines_of(joint_fit, bl.grid(N=[1e9], D=[1e11], task="c4"), later, (), 0)
    assert line.later[0].tolist() == [1e10]


def test_of_many_lines_some_are_kept(joint_fit: bl.Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_LINES", 2)
    found = lines_of(joint_fit, None, None, (), 0)
    assert [line.title for line in found] == ["c4, D = 1e10", "code, D = 1e12"]


def test_one_curve_without_groups_has_a_title(lone_fit: bl.Fit) -> None:
    [line] = lines_of(lone_fit, None, None, (), 0)
    assert line.title == "all runs"
    assert replace(line, held={"D": 2e9}).title == "D = 2e9"
