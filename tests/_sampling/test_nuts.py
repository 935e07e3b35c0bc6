"""How to sample: what is refused, and how often it is tried."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from bayeslaw._sampling import nuts
from bayeslaw._sampling.gate import Gate
from bayeslaw._sampling.nuts import Sampler
from bayeslaw._sampling.time_limit import TimeLimit


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"draws": 0}, "draws must be a whole number, 1 or more, got 0"),
        ({"tune": 0}, "tune must be a whole number, 1 or more, got 0"),
        ({"chains": -1}, "chains must be a whole number, 1 or more, got -1"),
        ({"random_seed": -1}, "random_seed must be a whole number from 0 to 2**64 - 1, got -1"),
        ({"random_seed": 1.5}, "random_seed must be a whole number from 0 to 2**64 - 1, got 1.5"),
        ({"target_accept": 1.0}, "target_accept must be a number between 0 and 1, got 1.0"),
        (
            {"random_seed": 2**64},
            f"random_seed must be a whole number from 0 to 2**64 - 1, got {2**64}",
        ),
        ({"random_seed": True}, "random_seed must be a whole number from 0 to 2**64 - 1, got True"),
        ({"draws": float("inf")}, "draws must be a whole number, 1 or more, got inf"),
        ({"draws": "500"}, "draws must be a whole number, 1 or more, got '500'"),
        ({"tune": None}, "tune must be a whole number, 1 or more, got None"),
        ({"cores": 0}, "cores must be a whole number, 1 or more, got 0"),
        ({"max_draws_factor": 1.5}, "max_draws_factor must be a whole number, 1 or more, got 1.5"),
        ({"max_seconds": 0}, "max_seconds must be a finite number above 0, got 0"),
        ({"max_seconds": float("inf")}, "max_seconds must be a finite number above 0, got inf"),
        ({"target_accept": 0.0}, "target_accept must be a number between 0 and 1, got 0.0"),
    ],
)
def test_sampler_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        Sampler(**{"random_seed": 1, **arguments})
    assert str(error.value) == message


def test_whole_numbers_of_any_type_are_settings() -> None:
    sampler = Sampler(np.int64(2**40), draws=1e3, chains=np.uint8(2))  # pyright: ignore
    assert (sampler.random_seed, sampler.draws, sampler.chains) == (2**40, 1000, 2)
    assert {type(value) for value in (sampler.random_seed, sampler.draws, sampler.chains)} == {int}


def test_each_attempt_takes_smaller_steps() -> None:
    rates = [attempt.target_accept for attempt in Sampler(1).attempts]
    assert rates == [0.9, 0.97, 0.995]


def test_asked_for_steps_are_tried_once() -> None:
    assert [attempt.target_accept for attempt in Sampler(1, target_accept=0.7).attempts] == [0.7]


@pytest.mark.parametrize("sampler", [Sampler(1), Sampler(1, max_seconds=5, max_draws_factor=2)])
def test_settings_are_read_as_they_were_recorded(sampler: Sampler) -> None:
    assert Sampler.from_record({**sampler.to_record(), "seconds": 3.0}) == sampler


def test_without_a_time_limit_records_are_those_of_older_files() -> None:
    assert "max_seconds" not in Sampler(1).to_record()
    assert Sampler(1, max_seconds=5).to_record()["max_seconds"] == 5


FEW = Gate(1.02, 210.0, 300.0, "alpha", 0, 1.0, 4000)
DIVERGED = Gate(1.02, 210.0, 300.0, "alpha", 3, 1.0, 4000)


@pytest.mark.parametrize(
    ("factor", "failed", "task"),
    [
        (1, [], "Sampling 4 chains"),
        (
            3,
            [DIVERGED, FEW],
            "Sampling 4 chains, 3 times the draws: effective sample size 210 (should be above 400)",
        ),
        (
            1,
            [FEW, DIVERGED],
            "Sampling 4 chains again, with smaller steps: 3 divergences (should be none)",
        ),
    ],
)
def test_each_round_of_sampling_says_why(factor: int, failed: list[Gate], task: str) -> None:
    assert nuts._task(Sampler(1), factor, failed) == task


def test_progress_goes_on_where_chains_are_extended_until_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After 2000 steps of 3000 in an earlier round, this one starts at two thirds."""
    seen = []

    @contextmanager
    def progress(task: str, total: int, *, shown: bool, done: int, pace: Any) -> Iterator[Any]:
        seen.append((task, total, shown, done, pace.left))
        yield lambda done: None

    monkeypatch.setattr(nuts, "progress", progress)
    monkeypatch.setattr(nuts, "_is_finished", lambda _: False)
    job = nuts._Job(None, [2000, 2100, 2300, 2000], TimeLimit())
    job.limit.interrupted.set()
    with pytest.raises(KeyboardInterrupt):
        nuts._wait_for(job, Sampler(1), 3000, "Sampling")
    assert seen == [("Sampling", 3000, True, 2000, "left in this round")]


@pytest.mark.parametrize(
    ("cores", "finished", "done"),
    [
        (None, [200, 100, 300, 150], 100),
        (4, [200, 100, 300, 150], 100),
        (2, [2000, 2300, 400, 0], 1100),  # each chain counts up to the steps of the round
        (1, [500, 0, 0, 0], 125),
    ],
)
def test_progress_of_chains_that_take_turns_is_their_mean(
    cores: int | None, finished: list[int], done: int
) -> None:
    job = nuts._Job(None, finished, TimeLimit())
    assert job.steps_done(Sampler(1, cores=cores), 2000) == done
