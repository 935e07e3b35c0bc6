"""Stores of fits: complete or absent, under keys of model, runs and settings."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import xarray as xr
import zarr
from unsampled_fits import two_curves, unsampled

import bayeslaw as bl
from bayeslaw._sampling.nuts import Sampler
from bayeslaw.fitting.fit_store import FitStore, store_key

SAMPLER = Sampler(1, 10, 10, 2, 1)


def key(fit: bl.Fit, **changes: object) -> str:
    return store_key(fit.model, changes.get("runs", fit.runs), changes.get("sampler", SAMPLER))  # type: ignore[arg-type]


def test_a_fit_comes_back_complete(lone_fit: bl.Fit, tmp_path: Path) -> None:
    store = FitStore(tmp_path / "store")
    name = key(lone_fit)
    assert name not in store
    store.put(name, lone_fit)
    assert name in store
    back = store.get(name, lone_fit.model)
    assert back.model == lone_fit.model
    xr.testing.assert_identical(back.runs, lone_fit.runs)
    assert set(back.tree) == set(lone_fit.tree)
    for group in lone_fit.tree:
        is_rounded = group in ("posterior_predictive", "prior_predictive")
        saved, tolerance = lone_fit.tree[group].to_dataset(), 2**-21 if is_rounded else 0.0
        xr.testing.assert_allclose(back.tree[group].to_dataset(), saved, rtol=tolerance, atol=0)
    assert back.tree.attrs == lone_fit.tree.attrs
    assert name in set(zarr.open_group(str(tmp_path / "store"), mode="r").group_keys())


def test_two_jobs_can_store_the_same_fit(lone_fit: bl.Fit, tmp_path: Path) -> None:
    store = FitStore(tmp_path)
    for _ in range(2):
        store.put("one", lone_fit)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["one"]


def test_two_jobs_can_create_the_store(
    lone_fit: bl.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(path: str, mode: str) -> None:
        zarr.open_group(path, mode=mode)  # type: ignore[arg-type]
        zarr.create_group(path, overwrite=False)  # which another job did in the meantime

    store = FitStore(tmp_path / "store")
    monkeypatch.setattr(store, "_open_group", late)
    store.put("one", lone_fit)
    assert "one" in store


def test_an_incomplete_fit_is_absent(lone_fit: bl.Fit, tmp_path: Path) -> None:
    store = FitStore(tmp_path)
    (tmp_path / ".one-abcd").mkdir()
    assert "one" not in store


def test_different_fits_have_different_keys(lone_fit: bl.Fit, crossed_fit: bl.Fit) -> None:
    runs = lone_fit.runs
    other = runs.copy(deep=True)
    other["loss"][3] *= 1 + 1e-12
    keys = {
        key(lone_fit),
        key(crossed_fit),
        key(lone_fit, runs=other),
        key(lone_fit, runs=runs.isel(run=slice(1, None))),
        key(lone_fit, runs=runs.assign_attrs(reference={"N": 2e6})),
        key(lone_fit, sampler=replace(SAMPLER, random_seed=2)),
        store_key(replace(lone_fit.model, noise=bl.StudentT(8.0)), runs, SAMPLER),
    }
    assert len(keys) == 7


def test_keys_do_not_depend_on_settings_that_change_no_draw(lone_fit: bl.Fit) -> None:
    same = replace(SAMPLER, cores=2, progressbar=False)
    assert key(lone_fit) == key(lone_fit, sampler=same)


def test_without_zarr_an_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match=r'needs zarr: .*pip install "bayeslaw\[zarr\]"'):
        FitStore(tmp_path)


# Damage


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def as_list(path: Path) -> None:
    path.write_text("[]")


def without_hash(path: Path) -> None:
    metadata = json.loads(path.read_text())
    del metadata["attributes"]["bayeslaw_sha256"]
    path.write_text(json.dumps(metadata))


def add(path: Path) -> None:
    (path.parent / "more").touch()


DRAWS = "unconstrained_posterior"
CHUNK, ARRAY, GROUP = f"{DRAWS}/theta/c/0/0/0/0", f"{DRAWS}/theta/zarr.json", f"{DRAWS}/zarr.json"
DAMAGES: list[tuple[Callable[[Path], object], str]] = [
    *(
        (damage, name)
        for damage in (Path.unlink, empty, cut, flip)
        for name in (CHUNK, ARRAY, GROUP)
    ),
    (empty, "zarr.json"),
    (cut, "zarr.json"),
    (flip, "zarr.json"),
    (as_list, "zarr.json"),
    (without_hash, "zarr.json"),
    (add, "zarr.json"),
    (lambda path: shutil.rmtree(path.parent), ARRAY),
]


@pytest.mark.parametrize(("damage", "name"), DAMAGES)
def test_damaged_fits_are_removed_and_said(
    damage: Callable[[Path], object], name: str, tmp_path: Path
) -> None:
    store, fits = FitStore(tmp_path), {"one": unsampled(), "two": unsampled(group="corpus")}
    models = {key: fit.model for key, fit in fits.items()} | {"three": fits["one"].model}
    for key, fit in fits.items():
        store.put(key, fit)
    assert store.intact(models).keys() == fits.keys()
    damage(tmp_path / "one" / name)
    with pytest.raises(bl.errors.StoreError, match=r"fit one in .* is damaged"):
        store.get("one", models["one"])
    sentence = f"1 of 2 fits in {str(tmp_path)!r} are damaged, or without a hash, and are fitted"
    with pytest.warns(UserWarning, match=f"^{re.escape(sentence)} again$"):
        intact = store.intact(models)
    xr.testing.assert_identical(intact["two"].tree, fits["two"].tree)
    assert "one" not in store
    store.put("one", fits["one"])
    xr.testing.assert_identical(store.intact(models)["one"].tree, fits["one"].tree)


def test_what_a_killed_job_left_is_removed_by_the_next(tmp_path: Path) -> None:
    store = FitStore(tmp_path)
    (tmp_path / ".bayeslaw-0.tmp").mkdir()
    (tmp_path / ".bayeslaw-0.tmp" / "zarr.json").touch()
    store.put("one", unsampled())
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["one"]


def test_a_store_that_is_a_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "store").touch()
    with pytest.raises(bl.errors.StoreError, match=r"cannot write in .*store' is a file"):
        FitStore(tmp_path / "store")


# Keys, and code of the user's


NOISE = """
from dataclasses import dataclass
import numpy as np
import bayeslaw as bl

WIDTH = 1.0

def width(sigma):
    return WIDTH * sigma

@dataclass(frozen=True)
class Own(bl.Noise):
    scale: object = bl.response_scales.LogScale()
    varies_with: object = None
    FACTOR = 2.0

    def log_density(self, residual, sigma, parameters):
        return -np.abs(residual) / width(sigma) - np.log(2 * sigma)

    def draw(self, rng, sigma, parameters):
        return rng.laplace(0.0, sigma, np.shape(sigma))
"""
LAW = """
from functools import partial
import numpy as np
import bayeslaw as bl
from bayeslaw.laws import power as base

SHIFT = np.array([1.0])

def shifted(N, by=1.0):
    return N + by * SHIFT[0]

further = partial(shifted, by=2.0)

@bl.law
def own(N, *, k: bl.Amplitude, alpha: bl.Exponent):
    return k * further(N) ** -alpha
"""
EDITS = {
    "noise": [
        ("np.log(2 * sigma)", "np.log(3 * sigma)"),
        ("rng.laplace", "rng.normal"),
        ("return WIDTH * sigma", "return WIDTH * sigma * 2"),
        ("WIDTH = 1.0", "WIDTH = 1.5"),
        ("FACTOR = 2.0", "FACTOR = 2.5"),
    ],
    "law": [
        ("k * further(N)", "2 * k * further(N)"),
        ("N + by * SHIFT", "N - by * SHIFT"),
        ("by=1.0", "by=0.5"),
        ("by=2.0", "by=3.0"),
        ("np.array([1.0])", "np.array([1.5])"),
    ],
}
SAME = [
    ("\n\n", "\n\n# a comment\n"),
    ("import numpy as np", "import math\nimport numpy as np"),
]


def model_of(what: str, source: str) -> bl.Model:
    """A model whose noise or law is typed, as into a notebook: there is no file to read."""
    sys.modules["notebook"] = module = ModuleType("notebook")  # where dataclasses look
    names = vars(module)
    exec(source, names)
    if what == "law":
        return bl.Model(names["own"], discrepancy=None)
    return bl.Model(bl.laws.power, noise=names["Own"](), discrepancy=None)


@pytest.fixture
def _no_kinds_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bl.Noise, "kinds", dict(bl.Noise.kinds))


@pytest.mark.usefixtures("_no_kinds_stay")
@pytest.mark.parametrize(
    ("what", "old", "new"), [(what, *edit) for what, edits in EDITS.items() for edit in edits]
)
def test_changed_code_has_another_key(what: str, old: str, new: str) -> None:
    source, runs = {"noise": NOISE, "law": LAW}[what], two_curves()
    assert old in source
    before, after = (model_of(what, text) for text in (source, source.replace(old, new)))
    assert store_key(before, runs, SAMPLER) != store_key(after, runs, SAMPLER)
    assert before.structure([]) != after.structure([])


@pytest.mark.usefixtures("_no_kinds_stay")
@pytest.mark.parametrize("what", ["noise", "law"])
@pytest.mark.parametrize(("old", "new"), SAME)
def test_the_same_code_has_the_same_key(what: str, old: str, new: str) -> None:
    source, runs = {"noise": NOISE, "law": LAW}[what], two_curves()
    assert old in source
    keys = {
        store_key(model_of(what, text), runs, SAMPLER)
        for text in (source, source, source.replace(old, new))
    }
    assert len(keys) == 1


def test_keys_are_the_same_in_other_processes(tmp_path: Path) -> None:
    script = tmp_path / "keys.py"
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    script.write_text(
        f"import sys\nsys.path[:0] = {folders!r}\n"
        "import test_fit_store as t\n"
        "print(*[t.model_of(what, text).content.encode().hex() for what, text in"
        " (('noise', t.NOISE), ('law', t.LAW))])\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
