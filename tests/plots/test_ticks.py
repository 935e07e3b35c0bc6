"""Limits and ticks of logarithmic axes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from bayeslaw.plots.ticks import log_limits, set_log_scale


@pytest.mark.parametrize(
    ("low", "high"), [(1e6, 1e11), (2.0, 5.0), (3.0, 3.1), (2e8, 9e8), (1e-9, 1e9), (1e-4, 2e-3)]
)
@pytest.mark.parametrize("columns", [1, 4])
def test_axes_have_a_few_labelled_ticks(low, high, columns):
    figure = Figure((3.3 if columns == 1 else 7, 3))
    axis = figure.subplots(1, columns, squeeze=False)[0, 0]
    set_log_scale(axis, "x", [low, high])
    figure.draw_without_rendering()
    ticks = [tick for tick in axis.get_xticks() if low <= tick <= high]
    assert 2 <= len(ticks) <= 12
    labels = axis.xaxis.get_major_formatter().format_ticks(ticks)
    assert len(set(labels)) == len(ticks)
    assert axis.get_xlim() == (low, high)


def test_large_labels_do_not_overlap():
    figure = Figure((4.5, 3))
    axis = figure.subplots()
    axis.tick_params(labelsize=11)
    set_log_scale(axis, "x", [1e4, 1e8])
    figure.draw_without_rendering()
    inside = [tick for tick in axis.xaxis.get_major_ticks() if 1e4 <= tick.get_loc() <= 1e8]
    boxes = [tick.label1.get_window_extent() for tick in inside]
    assert len(boxes) >= 3
    assert not any(one.overlaps(other) for one, other in itertools.pairwise(boxes))


def test_vertical_axes_too():
    axis = Figure((3, 3)).subplots()
    set_log_scale(axis, "y", [2.0, 5.0])
    assert axis.get_yscale() == "log"
    assert axis.get_xscale() == "linear"
    assert axis.get_ylim() == (2.0, 5.0)


def test_limits_leave_out_what_is_no_positive_number():
    low, high = log_limits(np.array([np.nan, -1.0, 3.0, 5.0]), np.array([np.inf, 0.0, 100.0]), 2)
    assert 2.5 < low < 3
    assert 10 < high < 11
    assert log_limits(np.array([]), np.array([]), 2) == pytest.approx([1 / 1.02, 1.02])


def test_a_margin_is_a_share_of_the_range():
    low, high = log_limits(np.array([1.0, 100.0]), np.array([]), 1)
    wider = log_limits(np.array([1.0, 100.0]), np.array([]), 1, margin=1.5)
    assert wider == pytest.approx([low, high * 10])
