"""The functions and arrays of the package that the speed benchmark uses."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import bayeslaw as bl
from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.laplace import laplace_approximation
from bayeslaw._inference.model_data import model_data_of

sys.path.insert(0, str(Path(__file__).parents[2]))  # the benchmarks are no part of the package
from benchmarks.speed import by_hand, cases, child, refits

TIMED = [
    *(("fitting.fit", function) for function in child.PARTS),
    *((module, function) for module, parts in refits.PARTS.items() for function in parts),
]


@pytest.mark.parametrize(("module", "function"), TIMED)
def test_a_timed_function_exists(module: str, function: str) -> None:
    assert callable(getattr(importlib.import_module(f"bayeslaw.{module}"), function))


def test_the_density_by_hand_gets_its_arrays() -> None:
    model, runs = bl.Model(bl.laws.power, pooling=cases.GROUPS), cases.dozen()
    bound = bind(model, runs)
    model_data = model_data_of(bound, laplace_approximation(bound))
    compiled: Any = SimpleNamespace(bound=bound, model_data=model_data)
    given = by_hand.given_of(compiled)
    assert given.log_loss.shape == given.order.shape == (runs.sizes["run"],)
    assert given.mode.shape == (len(by_hand.ROWS), 12)
