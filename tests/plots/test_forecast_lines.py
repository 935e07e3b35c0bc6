"""Lines of a forecast along one predictor."""

from __future__ import annotations

import numpy as np

from bayeslaw.data.runs import grid
from bayeslaw.plots.forecast_lines import (
    group_rows,
    line_title,
    runs_on_line,
    split_into_lines,
    varying_predictor,
)


def test_rows_are_grouped_by_value() -> None:
    points = grid(task=["c4", "books"], N=[1e8, 1e9])
    assert group_rows(points, ["task"], range(4)) == {("c4",): [0, 1], ("books",): [2, 3]}
    frame = points.to_dataframe()
    assert group_rows(frame, ["task"], [1, 2]) == {("c4",): [1], ("books",): [2]}


def test_titles_have_levels_and_held_predictors() -> None:
    assert line_title(["c4", "web"], {"D": 1e10}) == "c4 / web, D = 1e10"
    assert line_title([], {"D": 2e9}) == "D = 2e9"
    assert line_title([], {}) == ""


def test_the_predictor_that_varies_is_horizontal() -> None:
    assert varying_predictor(grid(N=[1e8], D=[1e9, 1e10]), ["N", "D"]) == "D"
    assert varying_predictor(grid(N=[1e8], D=[1e9]), ["N", "D"]) == "N"


def test_each_setting_of_the_others_is_a_line() -> None:
    lines = dict(split_into_lines(grid(D=[1e9, 1e10], N=[1e9, 1e8]), "N"))
    assert {title: rows.tolist() for title, rows in lines.items()} == {
        "D = 1e9": [1, 0],
        "D = 1e10": [3, 2],
    }


def test_runs_on_a_line_have_its_curve_and_nearly_its_other_predictors() -> None:
    runs = grid(task=["c4", "books"], N=[1e8], D=[1e9, 1.05e9, 1.2e9])
    mask = runs_on_line(runs, {"task": "c4"}, {"D": np.log(1e9)})
    assert mask.tolist() == [True, True, False, False, False, False]
