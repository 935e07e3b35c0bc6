"""The package: names, docstrings, and imports that cost nothing."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import pytest

import bayeslaw as bl
from bayeslaw._law.roles import Role

STUB = ast.parse(Path(bl.__file__).with_suffix(".pyi").read_text())
NAMES = [name.asname for node in STUB.body for name in getattr(node, "names", ())]
HEAVY = ("pymc", "pytensor", "arviz", "nutpie", "numba", "scipy", "matplotlib", "pandas", "xarray")


def python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there_and_documented(name: str) -> None:
    item = getattr(bl, name)
    assert name in bl.__all__
    assert name in dir(bl)
    role = next((x for x in getattr(item, "__metadata__", ()) if isinstance(x, Role)), None)
    assert role.doc if role else inspect.getdoc(item)


@pytest.mark.parametrize(
    "verb",
    [
        item
        for file in (bl, bl.weights)
        for item in [getattr(file, name) for name in file.__all__]
        if isinstance(item, FunctionType)
    ],
    ids=lambda verb: verb.__name__,
)
def test_arguments_are_documented(verb: FunctionType) -> None:
    docstring = inspect.getdoc(verb) or ""
    for argument in inspect.signature(verb).parameters:
        assert argument in docstring, argument
    assert "Examples\n--------" in docstring or verb.__name__.startswith("plot_")


def test_all_is_the_stub() -> None:
    assert sorted(bl.__all__) == sorted(NAMES)
    assert bl.__version__ == "0.1.0"


def test_a_name_that_is_not() -> None:
    with pytest.raises(AttributeError, match="bayeslaw has no 'fitt'; did you mean 'fit'"):
        bl.fitt  # noqa: B018


def test_importing_costs_nothing() -> None:
    loaded = python("import sys, bayeslaw; print(*sys.modules)").split()
    assert "bayeslaw" in loaded
    assert not set(HEAVY) & set(loaded)


def test_packages_do_not_hide_names() -> None:
    """No package or file at the top is called like a public name, whichever is imported first."""
    files = {path.stem for path in Path(bl.__file__).parent.iterdir()}
    assert files & set(bl.__all__) == {
        "errors",
        "laws",
        "priors",
        "response_scales",
        "weights",
    }


def test_eager_import() -> None:
    loaded = python("import sys, bayeslaw; print(*sys.modules)", EAGER_IMPORT="1").split()
    assert {"pymc", "bayeslaw.plots", "bayeslaw.diagnostics.summary"} <= set(loaded)
