"""Which modes are kept."""

from __future__ import annotations

import numpy as np

from bayeslaw._inference.map_mode.ranking import best_first

FAR = np.full((3, 3), 10.0)


def test_the_first_start_comes_first_unless_another_is_clearly_better() -> None:
    assert best_first(np.array([0.0, 0.9, -1.0]), FAR) == [0, 1, 2]
    assert best_first(np.array([0.0, 1.1, -1.0]), FAR) == [1, 0, 2]


def test_modes_of_little_mass_are_left_out() -> None:
    assert best_first(np.array([0.0, np.log(0.06), np.log(0.04)]), FAR) == [0, 1]
    assert best_first(np.array([-10.0, -1e300, 0.0]), FAR) == [2]


def test_a_mode_counts_once() -> None:
    distance = np.array([[0.0, 0.1, 6.0], [0.1, 0.0, 6.0], [6.0, 6.0, 0.0]])
    assert best_first(np.array([0.0, 0.1, 0.2]), distance) == [0, 2]
