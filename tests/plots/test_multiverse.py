"""Figure of a forecast in every universe."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from bayeslaw.comparison.multiverse import Multiverse
from bayeslaw.plots.multiverse import plot_multiverse
from bayeslaw.plots.style import LIGHT


def multiverse(laws: int = 3, points: int = 1, passed: bool = True) -> Multiverse:
    """Made-up universes; the last could not be fitted."""
    chosen = [
        {"law": f"law {law}", "noise": noise, "drop": "all"}
        for law, noise in itertools.product(range(laws), ["normal", "Student-t"])
    ]
    universes = pd.DataFrame(chosen).rename_axis("universe")
    universes = universes.assign(runs=9, passed=True, fault="")
    universes.loc[[0], "passed"] = passed
    rows = [
        {"universe": i, "point": point, "N": 1e10 * (1 + point), "task": "c4", "median": median,
         "lower": median - 0.2, "upper": median + 0.3, "sd": 0.1}
        for i, point in itertools.product(range(2 * laws - 1), range(points))
        for median in [3 - 0.1 * i + point]
    ]  # fmt: skip
    forecasts = pd.DataFrame(rows).set_index(["universe", "point"])
    return Multiverse(universes, forecasts, pd.DataFrame(), pd.DataFrame(), (), "loss")


def medians(axis) -> np.ndarray:
    return np.concatenate([line.get_xydata() for line in axis.lines])


def test_universes_are_in_order_above_their_choices():
    upper, lower = plot_multiverse(multiverse()).axes
    np.testing.assert_allclose(medians(upper), np.stack([range(5), 2.6 + 0.1 * np.arange(5)], 1))
    labels = [label.get_text() for label in lower.get_yticklabels()]
    assert labels == ["law", "law 2", "law 1", "law 0", "noise", "normal", "Student-t"]
    marks = {labels[round(y)]: set() for _, y in medians(lower)}
    for x, y in (
        point for each in lower.lines if each.get_marker() == "s" for point in each.get_xydata()
    ):
        marks[labels[round(y)]].add(round(x))
    assert marks["law 2"] == {0}
    assert marks["law 1"] == {1, 2}
    assert marks["normal"] == {0, 2, 4}
    assert marks["Student-t"] == {1, 3}


def test_bands_and_title_are_those_of_the_prediction_point():
    upper, _ = plot_multiverse(multiverse(points=2), point=1).axes
    assert upper.get_title("left") == "N = 2e10, task = c4"
    assert upper.get_ylabel() == "forecast of loss"
    bands = upper.collections[0].get_segments()
    np.testing.assert_allclose(bands[0], [[0, 3.4], [0, 3.9]])


def test_a_long_title_takes_two_lines():
    result = multiverse()
    forecasts = result.forecasts.assign(
        dataset="a data set of a long name", architecture="transformer"
    )
    upper, _ = plot_multiverse(replace(result, forecasts=forecasts)).axes
    title = upper.get_title("left")
    assert title.count("\n") == 1
    assert title.replace("\n", " ").endswith("a long name, architecture = transformer")


def test_failed_fits_are_hollow_or_counted(words):
    figure = plot_multiverse(multiverse(passed=False))
    (hollow,) = [
        line
        for line in figure.axes[0].lines
        if line.get_mfc() == LIGHT.background and line.get_xdata().size
    ]
    np.testing.assert_allclose(hollow.get_xydata(), [[4, 3.0]])
    assert "Hollow: fits that did not pass their gate." in words(figure)
    assert "1 of 6 could not be fitted." in words(figure)
    assert "Hollow" not in words(plot_multiverse(multiverse()))


@pytest.mark.parametrize(("laws", "width"), [(20, 3.3), (22, 7.0)])
def test_many_universes_take_a_page(laws: int, width: float):
    assert plot_multiverse(multiverse(laws)).get_figwidth() == pytest.approx(width)


def test_given_axes_have_the_upper_part_alone():
    axis = Figure((3, 2)).subplots()
    assert plot_multiverse(multiverse(), ax=axis) is axis.figure
    assert axis.figure.axes == [axis]
    assert len(medians(axis)) == 5


def test_an_unknown_prediction_point_is_refused():
    with pytest.raises(ValueError, match=r"point must be one of \[0\], got 1"):
        plot_multiverse(multiverse(), point=1)
