"""Amounts that decisions are made for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayeslaw.decisions.results import positive_array


def test_a_number_is_an_array_of_one() -> None:
    np.testing.assert_array_equal(positive_array("budget", 1e21), [1e21])


@pytest.mark.parametrize("values", [[], [[1.0]]])
def test_anything_but_a_list_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match=r"^budget takes a positive number or a list of them"):
        positive_array("budget", values)


@pytest.mark.parametrize("values", [0.0, [1.0, np.nan], [np.inf], "1e9", [1e9, True], None])
def test_anything_but_positive_numbers_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match=r"^budget must be a finite number above 0, got"):
        positive_array("budget", values)
