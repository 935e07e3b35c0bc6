"""How to sample: what is refused, and how often it is tried."""

from __future__ import annotations

from typing import Any

import pytest

from bayeslaw._sampling.nuts import Sampler


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"draws": 0}, "draws must be at least 1, got 0"),
        ({"tune": 0}, "tune must be at least 1, got 0"),
        ({"chains": -1}, "chains must be at least 1, got -1"),
        ({"random_seed": -1}, "random_seed must be a whole number, 0 or more, got -1"),
        ({"random_seed": 1.5}, "random_seed must be a whole number, 0 or more, got 1.5"),
        ({"target_accept": 1.0}, "target_accept must lie between 0 and 1, got 1.0"),
        ({"target_accept": 0.0}, "target_accept must lie between 0 and 1, got 0.0"),
    ],
)
def test_sampler_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        Sampler(**{"random_seed": 1, **arguments})
    assert str(error.value) == message


def test_each_attempt_takes_smaller_steps() -> None:
    rates = [attempt.target_accept for attempt in Sampler(1).attempts]
    assert rates == [0.9, 0.97, 0.995]


def test_asked_for_steps_are_tried_once() -> None:
    assert [attempt.target_accept for attempt in Sampler(1, target_accept=0.7).attempts] == [0.7]
