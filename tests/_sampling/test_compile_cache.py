"""The compile cache: what is found in it, and what is compiled again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bound_models
import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from graphs import compile_graph

from bayeslaw._disk.compile_folder import warn_unwritten
from bayeslaw._disk.files import N_HASH
from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.graph import build
from bayeslaw._inference.model_data import ModelData
from bayeslaw._law.law import law
from bayeslaw._law.roles import Amplitude, Exponent
from bayeslaw._sampling import compile_cache
from bayeslaw._sampling.compiled import CompiledDensity
from bayeslaw.data.runs import read_runs
from bayeslaw.laws import power
from bayeslaw.model.model import Model
from bayeslaw.priors import HalfNormal, LogNormal

MODEL = Model(power, discrepancy=None, pooling=())


def runs(level: float = 1.0) -> xr.Dataset:
    sizes = np.tile(np.geomspace(1e6, 1e8, 5), 2)
    frame = pd.DataFrame({"N": sizes, "loss": level * (1 + (sizes / 1e6) ** -0.3)})
    return read_runs(frame.assign(task=np.repeat(["a", "b"], 5)), predictors=["N"], groups=["task"])


def density_of(model: Model = MODEL, level: float = 1.0) -> CompiledDensity:
    bound = bind(model, runs(level))
    return compile_cache.compiled_density_of(bound, model_data(model, level))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where records are written, for one test."""
    monkeypatch.setattr(compile_cache, "_record_path", lambda key: tmp_path / f"{key}.json")
    return tmp_path


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[CompiledDensity, bytes]:
    """A compiled model and its record; compiled once for all tests."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compile_cache, "_record_path", lambda key: folder / f"{key}.json")
        compiled = density_of()
    [record] = folder.iterdir()
    return compiled, record.read_bytes()


@pytest.fixture
def compilations(
    first: tuple[CompiledDensity, bytes], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Keys of what would be compiled; the first density is returned instead."""
    keys: list[str] = []

    def recorded(graph: Any, names: Any, key: str) -> CompiledDensity:
        keys.append(key)
        return first[0]

    monkeypatch.setattr(compile_cache, "compile_density", recorded)
    return keys


def test_a_second_process_builds_no_graph(
    folder: Path, first: tuple[CompiledDensity, bytes], compilations: list[str]
) -> None:
    (folder / f"{compile_cache._key(MODEL, model_data())}.json").write_bytes(first[1])
    second = density_of(level=2.0)
    assert not compilations
    points = (
        np.random.default_rng(1).normal(0, 0.1, (3, second.initial_point.size))
        + second.initial_point
    )
    other = compile_graph(build(MODEL, runs(2.0))).with_data(second.model_data)
    np.testing.assert_allclose(second.log_density(points), other.log_density(points), rtol=1e-12)
    np.testing.assert_allclose(second.initial_point, first[0].initial_point)
    for name, values in other.variables(points).items():
        np.testing.assert_allclose(second.variables(points)[name], values, rtol=1e-12)


def test_priors_with_other_parameters_build_no_graph(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def model(median: float, sd: float) -> Model:
        priors = {"alpha": LogNormal(median, 1.5), "sd_alpha": HalfNormal(sd)}
        return Model(power, discrepancy=None, pooling=(), priors=priors)

    density_of(model(0.3, 0.1))
    with monkeypatch.context() as patch:
        patch.setattr(compile_cache, "compile_density", lambda *_: pytest.fail("compiled"))
        second = density_of(model(0.6, 0.4))
    other = compile_graph(build(model(0.6, 0.4), runs())).with_data(second.model_data)
    # The initial value of a spread is that of its own prior, so draws do not depend on the cache.
    assert np.log(0.4) in second.initial_point
    np.testing.assert_array_equal(second.initial_point, other.initial_point)
    points = (
        np.random.default_rng(1).normal(0, 0.1, (3, second.initial_point.size))
        + second.initial_point
    )
    np.testing.assert_allclose(second.log_density(points), other.log_density(points), rtol=1e-12)


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "list": lambda content: b"[]",
    "object": lambda content: b"{}",
    "other keys": lambda content: b'{"kinds": {}',
    "no text": lambda content: b"\xff\x00",
    "cut short": lambda content: content[:-1],
    "half": lambda content: content[: len(content) // 2],
    "without its hash": lambda content: content[:-N_HASH],
    "one bit": lambda content: flipped(content, len(content) // 2),
    "one bit of the hash": lambda content: flipped(content, len(content) - 1),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_records_are_compiled_again(
    folder: Path,
    compilations: list[str],
    first: tuple[CompiledDensity, bytes],
    damage: Callable[[bytes], bytes],
) -> None:
    key = compile_cache._key(MODEL, model_data())
    record = folder / f"{key}.json"
    record.write_bytes(damage(first[1]))
    assert np.isfinite(density_of().log_density(density_of().initial_point))
    assert compilations == [key]  # the second time it is cached
    assert record.read_bytes() == first[1]


def test_a_record_without_code_is_not_used(
    folder: Path, first: tuple[CompiledDensity, bytes]
) -> None:
    assert compile_cache._cached("unknown", model_data()) is None
    (folder / "another.json").write_bytes(first[1])
    assert compile_cache._cached("another", model_data()) is None  # a record without code


def test_a_folder_that_cannot_be_written_leaves_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compilations: list[str]
) -> None:
    warn_unwritten.cache_clear()
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(
        compile_cache, "_record_path", lambda key: tmp_path / "file" / f"{key}.json"
    )
    with pytest.warns(UserWarning, match="are not kept: cannot write in '.*': Not a directory$"):
        density_of()
    assert np.isfinite(density_of().log_density(density_of().initial_point))
    assert len(compilations) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def model_data(model: Model = MODEL, level: float = 1.0) -> ModelData:
    return bound_models.model_data(model, runs(level))


@law
def own(N: Any, *, k: Amplitude, alpha: Exponent) -> Any:
    return k * N**-alpha


@dataclass(frozen=True)
class Own:
    """A prior from outside the package."""

    def to_pymc(self, name: str, /, *, dims: Any = None) -> Any:
        return pm.Gamma(name, 2, 10, dims=dims)


@pytest.mark.parametrize(
    ("model", "is_ours"),
    [
        (MODEL, True),
        (Model(power, priors={"alpha": LogNormal(0.2, 1.5)}), True),
        (Model(power, priors={"alpha": Own()}), False),
        (Model(own), False),
    ],
)
def test_only_code_of_the_package_is_cached(model: Model, is_ours: bool) -> None:
    assert compile_cache._is_ours(model) is is_ours


def test_key(monkeypatch: pytest.MonkeyPatch) -> None:
    key = compile_cache._key(MODEL, model_data())
    assert key == compile_cache._key(MODEL, model_data(level=3.0))
    gamma = Model(power, discrepancy=None, pooling=(), priors={"alpha": Own()})
    others = {
        compile_cache._key(Model(power, discrepancy=None, pooling=None), model_data()),
        compile_cache._key(Model(power), model_data(Model(power))),
        # A population whose prior is not normal has the level of the runs among its constants.
        compile_cache._key(gamma, model_data(gamma)),
        compile_cache._key(gamma, model_data(gamma, level=3.0)),
    }
    monkeypatch.setattr(compile_cache, "_versions", lambda: "later")
    others.add(compile_cache._key(MODEL, model_data()))
    assert len(others) == 5
    assert key not in others
