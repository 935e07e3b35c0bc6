"""Functions of printed code, and their machine code on disk."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

from bayeslaw._disk import machine_code
from bayeslaw._kernels import printed
from bayeslaw._kernels.call import apply

SOURCE = """
def entry(n, curve_at, curve_values_at, n_curves, data_at, state_at, out_at):
    state = carray(reals_at(state_at), (n,))
    out = carray(reals_at(out_at), (n,))
    for i in range(n):
        out[i] = {}(state[i])
"""


def exact_log1mexp(x: float) -> float:
    """With 60 digits."""
    with localcontext(prec=60):
        return float((1 - Decimal(x).exp()).ln())


POINTS = [0.0, 1e-300, 1e-10, 0.3, math.log(2), 1.0, 36.0, 38.0, 700.0, 1e300, math.inf]
EXACT: dict[str, tuple[Callable[[Any], Any], list[float]]] = {
    "sign": (np.sign, [*POINTS, *(-x for x in POINTS)]),
    "softplus": (lambda x: np.logaddexp(0.0, x), [*POINTS, *(-x for x in POINTS)]),
    "digamma": (special.psi, [1e-300, 1e-10, 0.3, 1.0, 1.4, 2.0, 9.999, 10.0, 38.0, 700.0, 1e300]),
    "log1mexp": (np.vectorize(exact_log1mexp), [-x for x in POINTS[2:-3]]),
}


def values(source: str, x: Any) -> np.ndarray:
    state = np.array(x, dtype=float, ndmin=2)
    out = np.empty(state.shape)
    apply(printed.compiled_function.__wrapped__(source).address, state, state, out)
    return out[0]


@pytest.mark.parametrize(("name", "case"), EXACT.items(), ids=EXACT)
def test_functions_are_exact(name: str, case: Any) -> None:
    function, points = case
    result = values(SOURCE.format(name), points)
    series = 5e-14 if name == "digamma" else 0.0  # summed by its recurrence
    np.testing.assert_allclose(result, function(np.array(points)), rtol=4e-16, atol=series)


def test_log1mexp_at_its_ends() -> None:
    result = values(SOURCE.format("log1mexp"), [0.0, -math.inf, -1e300])
    np.testing.assert_array_equal(result, [-math.inf, 0.0, 0.0])


def test_what_is_not_a_number_has_no_softplus() -> None:
    assert np.isnan(values(SOURCE.format("softplus"), [math.nan])).all()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of machine code for one test."""
    monkeypatch.setattr(machine_code, "compile_folder", lambda: tmp_path)
    return tmp_path


def test_the_same_source_is_compiled_once() -> None:
    source = SOURCE.format("sign")
    assert printed.compiled_function(source) is printed.compiled_function(source)


def test_code_is_read_from_disk_and_damaged_code_is_compiled_again(folder: Path) -> None:
    def hits() -> int:
        function = printed.compiled_function.__wrapped__(SOURCE.format("-1.5 * "))
        state, out = np.array([[2.0]]), np.empty((1, 1))
        apply(function.address, state, state, out)
        assert out.item() == -3.0
        return function.cache_hits

    assert [hits(), hits()] == [0, 1]
    for damage in (lambda content: content[: len(content) // 2], lambda content: b""):
        paths = list(folder.glob("*.code"))
        assert paths
        for path in paths:
            path.write_bytes(damage(path.read_bytes()))
        assert [hits(), hits()] == [0, 1]


def test_other_sources_have_other_code(folder: Path) -> None:
    results = [values(SOURCE.format(f"{factor} * "), [2.0]).item() for factor in (3, 5, 3)]
    assert results == [6.0, 10.0, 6.0]


SCRIPT = """
import sys
from bayeslaw._kernels.printed import compiled_function
print(compiled_function(sys.argv[1]).cache_hits)
"""


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTENSOR_FLAGS": f"base_compiledir={tmp_path}"}
    hits = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT, SOURCE.format("softplus")],
            env=environment, capture_output=True, text=True, check=True,
        ).stdout.strip()
        for _ in range(2)
    ]  # fmt: skip
    assert hits == ["0", "1"]
