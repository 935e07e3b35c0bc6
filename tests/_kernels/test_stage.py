"""Stages read and write their arguments where a table says, and are compiled with their source."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import table_of

import bayeslaw
from bayeslaw._kernels.stage import Cube, IndexMatrix, Indices, Matrix, Stage, Vector, stage

pytestmark = pytest.mark.usefixtures("folder_of_own_stages")


@stage
def reads(
    vector: Vector, matrix: Matrix, cube: Cube, index: Indices, indices: IndexMatrix, out: Vector
) -> None:
    """Write numbers that depend on the order of all elements, and the lengths of all arguments."""
    out[:] = 0.0
    for i in range(vector.shape[0]):
        out[0] += (i + 1) * vector[i]
        for j in range(matrix.shape[1]):
            out[1] += (i + 2 * j + 1) * matrix[i, j]
            for k in range(cube.shape[2]):
                out[2] += (i + 2 * j + 3 * k + 1) * cube[i, j, k]
    for i in range(indices.shape[0]):
        for j in range(indices.shape[1]):
            out[3] += (i + 2 * j + 1) * indices[i, j] * index[i]
    out[4], out[5], out[6] = vector.shape[0], matrix.shape[0], matrix.shape[1]
    out[7], out[8], out[9] = cube.shape[0], cube.shape[1], cube.shape[2]
    out[10], out[11], out[12] = index.shape[0], indices.shape[0], indices.shape[1]


@stage
def doubles(first: Vector, second: Vector) -> None:
    """Write twice the first to the second."""
    for i in range(first.shape[0]):
        second[i] = 2 * first[i]


@stage
def adds(second: Vector, total: Vector) -> None:
    """Add the second to a total."""
    for i in range(second.shape[0]):
        total[0] += second[i]


def call(stage: Stage, table: np.ndarray, scratch: np.ndarray) -> None:
    stage.compiled.ctypes(table.ctypes.data, scratch.ctypes.data)


def values(i: int, j: int, k: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(i + 10 * j + 100 * k)
    return {
        "vector": rng.normal(size=i),
        "matrix": rng.normal(size=(i, j)),
        "cube": rng.normal(size=(i, j, k)),
        "index": rng.integers(0, 9, i),
        "indices": rng.integers(0, 9, (i, j)),
        "out": np.empty(13),
    }


@settings(deadline=None)
@given(
    shape=st.tuples(*[st.integers(0, 4)] * 3),
    in_scratch=st.sets(st.sampled_from(["vector", "matrix", "cube", "out"])),
)
def test_arguments_are_read_by_address_or_offset(
    shape: tuple[int, int, int], in_scratch: set[str]
) -> None:
    data = values(*shape)
    reads(data)
    expected, data["out"] = data["out"], np.empty(13)
    places, parts, start = {}, [], 0
    for name in sorted(in_scratch):
        places[name] = start, data[name].shape
        parts.append(data.pop(name).ravel())
        start += parts[-1].size
    scratch = np.concatenate([*parts, [0.0]])
    call(reads, table_of(reads, data, places), scratch)
    first = places["out"][0] if "out" in places else 0
    out = scratch[first : first + 13] if "out" in places else data["out"]
    np.testing.assert_array_equal(out, expected)


def test_a_stage_reads_what_another_wrote_to_scratch_memory() -> None:
    first, scratch = np.array([1.0, 2.0, 4.0]), np.full(6, np.nan)
    scratch[1] = 100.0
    places = {"second": (2, (3,)), "total": (1, (1,))}
    call(doubles, table_of(doubles, {"first": first}, places), scratch)
    call(adds, table_of(adds, {}, places), scratch)
    np.testing.assert_array_equal(scratch, [np.nan, 114.0, 2.0, 4.0, 8.0, np.nan])


def test_names_and_types_of_arguments_are_those_of_the_function() -> None:
    assert list(reads.arguments) == ["vector", "matrix", "cube", "index", "indices", "out"]
    kinds = [(kind.dtype, kind.ndim) for kind in reads.arguments.values()]
    reals, integers = "float64", "int64"
    assert kinds == [(reals, 1), (reals, 2), (reals, 3), (integers, 1), (integers, 2), (reals, 1)]
    assert reads.name == f"{__name__}.reads"


SCRIPT = """
import numpy as np
from bayeslaw._kernels.stages.own_priors import independent_curves as stage

data = {"prior_mean": np.ones((2, 3)), "prior_sd": np.full(2, 0.5)}
data |= {"mean": np.empty((2, 3)), "spread": np.empty(2)}
stage(data)
print(data["mean"].sum(), data["spread"].sum(), stage.compiled.cache_hits)
"""


def test_an_edited_stage_is_compiled_again(tmp_path: Path) -> None:
    package = tmp_path / "bayeslaw"
    shutil.copytree(Path(bayeslaw.__file__).parent, package, ignore=lambda *_: ["__pycache__"])
    path = package / "_kernels" / "stages" / "own_priors.py"
    before = path.read_text()
    flags = f"base_compiledir={tmp_path / 'compiled'}"
    environment = {**os.environ, "PYTENSOR_FLAGS": flags, "PYTHONPATH": str(tmp_path)}

    def printed(source: str) -> str:
        path.write_text(source)
        result = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    old, new = "mean[:], spread[:] = prior_mean, prior_sd", "mean[:], spread[:] = 7.0, prior_sd"
    assert old in before
    assert printed(before) == "6.0 1.0 0"
    assert printed(before.replace(old, new)) == "42.0 1.0 0"
    assert printed(before) == "6.0 1.0 1"  # the first code is still there
