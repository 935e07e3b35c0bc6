"""Laws along one predictor."""

from __future__ import annotations

import bayeslaw as bl
from bayeslaw.decisions.law_slice import slice_along


def test_the_other_predictors_are_held() -> None:
    law_slice = slice_along(bl.laws.chinchilla, "N", bl.grid(D=1e12))
    assert (law_slice.free, law_slice.held) == (("N",), ("D",))
    assert slice_along(bl.laws.chinchilla, None, bl.grid(D=1e12)) == law_slice
