"""What tests of stages of their own share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bayeslaw._disk import machine_code


@pytest.fixture(scope="module")
def folder_of_own_stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Machine code of stages that a test defines, whose source is no part of its key."""
    folder = tmp_path_factory.mktemp("code")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine_code, "compile_folder", lambda: folder)
        yield
