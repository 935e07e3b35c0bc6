"""Compiled models that the disk remembers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from graphs import compile_graph

from bayeslaw._inference.graph import build
from bayeslaw._inference.model_data import ModelData, model_data_of
from bayeslaw._inference.run_arrays import run_arrays_of
from bayeslaw._law.law import law
from bayeslaw._law.roles import Amplitude, Exponent
from bayeslaw._sampling import compile_cache as kept
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


def asked(model: Model = MODEL, level: float = 1.0) -> CompiledDensity:
    table = runs(level)
    run_arrays = run_arrays_of(model, table)
    return kept.compiled_density_of(model, table, run_arrays, model_data_of(model, run_arrays))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where records are kept, for one test."""
    monkeypatch.setattr(kept, "_record", lambda key: tmp_path / f"{key}.json")
    return tmp_path


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[CompiledDensity, str]:
    """A compiled model and its record; compiled once for all tests."""
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept, "_record", lambda key: folder / f"{key}.json")
        compiled = asked()
    [record] = folder.iterdir()
    return compiled, record.read_text()


@pytest.fixture
def compilations(first: tuple[CompiledDensity, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of what is compiled, which is not done again."""
    keys: list[str] = []

    def noted(built: Any, names: Any, key: str) -> CompiledDensity:
        keys.append(key)
        return first[0]

    monkeypatch.setattr(kept, "compile_density", noted)
    return keys


def test_a_second_start_builds_no_graph(
    folder: Path, first: tuple[CompiledDensity, str], compilations: list[str]
) -> None:
    (folder / f"{kept._key(MODEL, model_data())}.json").write_text(first[1])
    second = asked(level=2.0)
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


def test_other_numbers_of_the_same_priors_build_no_graph(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def model(median: float, sd: float) -> Model:
        priors = {"alpha": LogNormal(median, 1.5), "sd_alpha": HalfNormal(sd)}
        return Model(power, discrepancy=None, pooling=(), priors=priors)

    asked(model(0.3, 0.1))
    with monkeypatch.context() as patch:
        patch.setattr(kept, "compile_density", lambda *_: pytest.fail("compiled"))
        second = asked(model(0.6, 0.4))
    other = compile_graph(build(model(0.6, 0.4), runs())).with_data(second.model_data)
    # The start of a spread is that of its own prior, so that draws do not depend on what is kept.
    assert np.log(0.4) in second.initial_point
    np.testing.assert_array_equal(second.initial_point, other.initial_point)
    points = (
        np.random.default_rng(1).normal(0, 0.1, (3, second.initial_point.size))
        + second.initial_point
    )
    np.testing.assert_allclose(second.log_density(points), other.log_density(points), rtol=1e-12)


@pytest.mark.parametrize("text", ["", "{}", '{"kinds": {}'])
def test_what_is_broken_is_compiled_again(
    folder: Path, compilations: list[str], first: tuple[CompiledDensity, str], text: str
) -> None:
    key = kept._key(MODEL, model_data())
    record = folder / f"{key}.json"
    record.write_text(text)
    assert np.isfinite(asked().log_density(asked().initial_point))
    assert compilations == [key]  # the second time it was there
    assert json.loads(record.read_text()) == json.loads(first[1])


def test_code_that_was_deleted_is_compiled_again(
    folder: Path, first: tuple[CompiledDensity, str]
) -> None:
    assert kept._kept("unheard of", model_data()) is None
    (folder / "another.json").write_text(first[1])
    assert kept._kept("another", model_data()) is None  # a record without code


def test_where_nothing_can_be_written_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compilations: list[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(kept, "_record", lambda key: tmp_path / "file" / f"{key}.json")
    assert np.isfinite(asked().log_density(asked().initial_point))
    assert len(compilations) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def model_data(model: Model = MODEL, level: float = 1.0) -> ModelData:
    return model_data_of(model, run_arrays_of(model, runs(level)))


@law
def own(N: Any, *, k: Amplitude, alpha: Exponent) -> Any:
    return k * N**-alpha


@dataclass(frozen=True)
class Own:
    """A prior of somebody else."""

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
def test_only_code_of_the_package_is_kept(model: Model, is_ours: bool) -> None:
    assert kept._is_ours(model) is is_ours


def test_key(monkeypatch: pytest.MonkeyPatch) -> None:
    key = kept._key(MODEL, model_data())
    assert key == kept._key(MODEL, model_data(level=3.0))
    gamma = Model(power, discrepancy=None, pooling=(), priors={"alpha": Own()})
    others = {
        kept._key(Model(power, discrepancy=None, pooling=None), model_data()),
        kept._key(Model(power), model_data(Model(power))),
        # A population whose prior is not normal has the level of the runs among its constants.
        kept._key(gamma, model_data(gamma)),
        kept._key(gamma, model_data(gamma, level=3.0)),
    }
    monkeypatch.setattr(kept, "_versions", lambda: "later")
    others.add(kept._key(MODEL, model_data()))
    assert len(others) == 5
    assert key not in others
