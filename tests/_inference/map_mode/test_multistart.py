"""Multi-start search of modes."""

from __future__ import annotations

import pytest

from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.map_mode.multistart import is_additive_power_law
from bayeslaw.laws import find
from bayeslaw.model.model import Model


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        ("power", True),
        ("chinchilla", True),
        ("double_power", False),
        ("broken_1", False),
        ("plateau_power", False),
        ("sigmoid", False),
        ("log_linear", False),
    ],
)
def test_additive_power_laws(law: str, expected: bool) -> None:
    assert is_additive_power_law(coordinates(Model(find(law)))) is expected
