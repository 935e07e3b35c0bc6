"""The functions of the package that the speed benchmark times."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # the benchmarks are no part of the package
from benchmarks.speed import child, refits

TIMED = [
    *(("fitting.fit", function) for function in child.PARTS),
    *((module, function) for module, parts in refits.PARTS.items() for function in parts),
]


@pytest.mark.parametrize(("module", "function"), TIMED)
def test_a_timed_function_exists(module: str, function: str) -> None:
    assert callable(getattr(importlib.import_module(f"bayeslaw.{module}"), function))
