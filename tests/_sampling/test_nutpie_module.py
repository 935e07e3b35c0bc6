"""nutpie without ArviZ: ArviZ comes when it is asked for, and is the real one."""

from __future__ import annotations

import subprocess
import sys

import pytest

ARVIZ = "nutpie_module().sample.__globals__['arviz']"
START = "import sys; from bayeslaw._sampling.nutpie_module import nutpie_module\n"
IMPORTED = "nutpie_module(); assert 'arviz' not in sys.modules, 'arviz was imported'\n"


@pytest.mark.parametrize(
    "code",
    [
        IMPORTED,
        IMPORTED
        + "import arviz; assert arviz.summary is nutpie_module().sample.__globals__['arviz']"
        ".summary",
        IMPORTED + f"assert {ARVIZ}.from_dict.__module__",
        f"import arviz; assert {ARVIZ} is arviz",
        "import nutpie; assert nutpie_module() is nutpie and 'arviz' in sys.modules",
    ],
    ids=["not imported", "imported by the user", "asked for", "there before", "nutpie before"],
)
def test_arviz_is_imported_when_it_is_asked_for(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START + code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
