"""Machine code of kernels on disk."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from bayeslaw._kernels import jit

FACTOR = "from bayeslaw._kernels.jit import kernel\n\n@kernel\ndef factor():\n    return {}\n"
PRODUCT = """
from bayeslaw._kernels.jit import kernel
from factor_of_test import factor

@kernel
def product(x):
    return factor() * x
"""


def test_a_change_in_another_file_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "product_of_test.py").write_text(PRODUCT)
    products = []
    for source_hash, factor in (("a", 2), ("b", 35)):
        monkeypatch.setattr(jit, "SOURCE_HASH", source_hash)
        (tmp_path / "factor_of_test.py").write_text(FACTOR.format(factor))
        importlib.invalidate_caches()
        products.append(importlib.import_module("product_of_test").product(10.0))
        for name in ("factor_of_test", "product_of_test"):
            del sys.modules[name]
    assert products == [20.0, 350.0]
