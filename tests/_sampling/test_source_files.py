"""Printed sources on disk: read if they are whole and of this package, otherwise printed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from crossed_curves import crossed_curves

import bayeslaw as bl
from bayeslaw._disk import cache_files
from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.laplace import laplace_approximation
from bayeslaw._inference.model_data import ModelData, model_data_of
from bayeslaw._inference.model_sources import ModelSources
from bayeslaw._inference.printed_model import printed_model
from bayeslaw._sampling import source_files
from bayeslaw._sampling.source_files import sources_of
from bayeslaw.priors import Fixed, HalfNormal, LogNormal

RUNS = crossed_curves(2, 2)
GROUPS = ["task", "dataset"]


def prepared(model: bl.Model) -> tuple[BoundModel, ModelData]:
    bound = bind(model, RUNS)
    return bound, model_data_of(bound, laplace_approximation(bound))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of compiled code."""
    monkeypatch.setattr(source_files, "compile_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Laws that would be printed from now on."""
    names: list[str] = []

    def recorded(bound: BoundModel, _: ModelData) -> ModelSources:
        names.append(bound.model.law.name)
        return ModelSources(("f", "g"), None, None, "h", [[0], [1]], {}, None)

    monkeypatch.setattr(source_files, "_printed", recorded)
    return names


@bl.law
def own(N: Any, *, L0: bl.Floor, k: bl.Amplitude, alpha: bl.Exponent) -> Any:
    """A law of the user's."""
    return L0 + k * N**-alpha


@dataclass(frozen=True)
class Own(bl.Gaussian):
    """Noise of the user's."""


class OwnPrior:
    """A prior of the user's."""

    def to_pymc(self, name: str, /, *, dims: Any = None) -> Any:
        return LogNormal(1.0, 2.0).to_pymc(name, dims=dims)


MODELS = {
    "pooled": bl.Model(bl.laws.power, pooling=GROUPS),
    "curves by themselves": bl.Model(bl.laws.power, priors={"alpha": LogNormal(0.3, 2.0)}),
    "Student-t and a discrepancy": bl.Model(bl.laws.power, pooling=GROUPS, noise=bl.StudentT(5)),
    "under-tuned": bl.Model(bl.laws.power, noise=bl.Undertuned(), discrepancy=None),
    "fixed": bl.Model(bl.laws.power, pooling=GROUPS, priors={"L0": Fixed(0.5)}),
    "priors that are printed": bl.Model(
        bl.laws.power,
        pooling=GROUPS,
        priors={"alpha": bl.LogitNormal(0.3, 1.0), "sd_alpha": LogNormal(0.3, 2.0)},
    ),
    "a family of laws": bl.Model(bl.laws.broken(2), pooling=GROUPS),
    "ties": bl.Model(bl.laws.broken(2), tie={"f_2": "f_1"}),
}
OWN = {
    "law": bl.Model(own, pooling=GROUPS),
    "law of a known name": bl.Model(replace(own, name="power"), pooling=GROUPS),
    "changed law": bl.Model(
        replace(bl.laws.power, level=("k", lambda y, N, *, L0, alpha: (y - L0) * N**alpha))
    ),
    "noise": bl.Model(bl.laws.power, pooling=GROUPS, noise=Own()),
    "prior": bl.Model(bl.laws.power, pooling=GROUPS, priors={"k": OwnPrior()}),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_sources_are_read_as_they_were_printed(
    model: bl.Model, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound, model_data = prepared(model)
    first = sources_of(bound, model_data)
    monkeypatch.setattr(source_files, "_printed", None)  # it is not printed again
    second = sources_of(bound, model_data)
    assert first.to_json() == second.to_json() == printed_model(bound, model_data).to_json()
    assert second.priors == first.priors


@pytest.mark.parametrize("model", OWN.values(), ids=OWN.keys())
def test_parts_of_the_users_are_always_printed(
    model: bl.Model, folder: Path, printed: list[str]
) -> None:
    prepared_model = prepared(model)
    for _ in range(2):
        sources_of(*prepared_model)
    assert printed == [model.law.name] * 2
    assert list(folder.iterdir()) == []


def test_models_that_are_printed_differently_have_files_of_their_own(
    folder: Path, printed: list[str]
) -> None:
    """What is data, such as the values of normal priors, makes no difference."""
    for model in MODELS.values():
        sources_of(*prepared(model))
    assert len(list(folder.iterdir())) == len(MODELS)
    for sd in (0.1, 0.2):
        priors = {"alpha": LogNormal(0.3, 2.0 + sd), "sd_alpha": HalfNormal(sd)}
        sources_of(*prepared(bl.Model(bl.laws.power, pooling=GROUPS, priors=priors)))
    assert len(list(folder.iterdir())) == len(MODELS) + 1


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip, lambda path: path.write_bytes(b"")])
def test_a_damaged_file_is_written_again(
    damage: Callable[[Path], None], folder: Path, printed: list[str]
) -> None:
    prepared_model = prepared(MODELS["pooled"])
    expected = sources_of(*prepared_model)
    [path] = folder.iterdir()
    content = path.read_bytes()
    damage(path)
    assert sources_of(*prepared_model) == expected
    assert path.read_bytes() == content
    assert len(printed) == 2


@pytest.mark.parametrize("changed", range(5))
def test_another_version_of_what_prints_prints_again(
    changed: int, folder: Path, printed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edited law, or another PyMC."""
    prepared_model = prepared(MODELS["pooled"])
    sources_of(*prepared_model)
    printers = list(source_files._printers())
    printers[changed] += "+"
    monkeypatch.setattr(source_files, "_printers", lambda: tuple(printers))
    sources_of(*prepared_model)
    assert len(printed) == len(list(folder.iterdir())) == 2


def test_an_edited_law_is_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "laws").mkdir()
    law = tmp_path / "laws" / "joint.py"
    monkeypatch.setattr(source_files, "PACKAGE", tmp_path)
    versions = []
    for text in ("E + A * N**-alpha", "E + A / N**alpha"):
        law.write_text(text)
        versions.append(source_files._printers.__wrapped__())
    assert versions[0] != versions[1]


def test_sources_that_cannot_be_written_are_used(
    printed: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    said: list[str] = []
    monkeypatch.setattr(cache_files, "replace_file", full)
    monkeypatch.setattr(cache_files, "warn_unwritten", said.append)
    assert sources_of(*prepared(MODELS["pooled"])).parameters
    assert said == ["No space left on device"]


CODE = """
import sys
from crossed_curves import crossed_curves
import bayeslaw as bl
from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.laplace import laplace_approximation
from bayeslaw._inference.model_data import model_data_of
from bayeslaw._sampling.source_files import sources_of
bound = bind(bl.Model(bl.laws.power, pooling=["task", "dataset"]), crossed_curves(2, 2))
sources_of(bound, model_data_of(bound, laplace_approximation(bound)))
print({"pymc", "pytensor"} <= set(sys.modules))
"""


def test_a_second_process_imports_no_pytensor(tmp_path: Path) -> None:
    environment = {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}"}
    printed = [
        subprocess.run(
            [sys.executable, "-c", CODE], capture_output=True, text=True, check=True,
            cwd=Path(__file__).parents[1], env=os.environ | environment,
        ).stdout.strip()
        for _ in range(2)
    ]  # fmt: skip
    assert printed == ["True", "False"]


SETTINGS = {
    "single precision": "floatX=float32",
    "casts of NumPy": "floatX=float32,cast_policy=numpy+floatX,warn_float64=raise",
    "optimizations": "optimizer=None,optimizer_excluding=canonicalize:stabilize,linker=py,cxx=",
}
PRINT = """
import sys
sys.path.append("tests")
import preliz as pz
import pytensor
import bayeslaw as bl
from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.laplace import laplace_approximation
from bayeslaw._inference.model_data import model_data_of
from bayeslaw._inference.printed_model import printed_model
from hand_written import RUNS
before = pytensor.config.floatX
for model in (
    bl.Model(bl.laws.curvature, pooling=["task"], noise=bl.StudentT(4.2, varies_with="N")),
    bl.Model(bl.laws.power, priors={"alpha": pz.Gamma(4.1, 10.3), "sigma": bl.LogNormal(0.1, 3)}),
    bl.Model(bl.laws.power, pooling=[], priors={"k": pz.Gamma(4.1, 10), "sd_k": pz.Gamma(0.3, 2)}),
):
    bound = bind(model, RUNS)
    print(printed_model(bound, model_data_of(bound, laplace_approximation(bound))).to_json())
assert pytensor.config.floatX == before
"""


def printed_with(flags: str) -> str:
    """What a process with these settings of PyTensor prints."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PRINT], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2], env=os.environ | {"PYTENSOR_FLAGS": flags},
    ).stdout  # fmt: skip


@pytest.fixture(scope="module")
def printed_by_default() -> str:
    return printed_with("")


@pytest.mark.parametrize("flags", SETTINGS.values(), ids=SETTINGS)
def test_settings_of_pytensor_change_nothing_that_is_printed(
    flags: str, printed_by_default: str
) -> None:
    """So they are no part of the key; files with settings are flags too, such as ~/.pytensorrc."""
    assert printed_with(flags) == printed_by_default
