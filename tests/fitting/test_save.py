"""Saving and loading fits: what comes back, what is refused, what an accident leaves."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import preliz as pz
import pytest
import xarray as xr
from unsampled_fits import (
    assert_same,
    shifted,
    two_curves,
    unsampled,
)

from bayeslaw import laws
from bayeslaw._sampling.nuts import Sampler
from bayeslaw.errors import StoreError
from bayeslaw.fitting.fit import fit
from bayeslaw.fitting.result import Fit
from bayeslaw.fitting.save import load, save
from bayeslaw.model.model import Model
from bayeslaw.priors import Fixed, Normal


@pytest.fixture(scope="module")
def sampled() -> Fit:
    model = Model(laws.power, pooling=["model", "data set"], priors={"L0": Fixed(2.0)})
    runs = two_curves("model")
    runs = runs.assign_coords({"data set": ("run", np.repeat(["web", "books"], 4))})
    runs.attrs["groups"] = ["model", "data set"]
    runs["loss"] *= np.exp(0.01 * np.random.default_rng(1).normal(size=8))
    return fit(
        model, runs, sampler=Sampler(random_seed=1, draws=50, tune=50, chains=2, progressbar=False)
    )


ROUNDED = ("posterior_predictive", "prior_predictive")
DERIVED = {"posterior", "prior", "log_likelihood"}


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def without(fit: Fit, groups: Iterable[str]) -> Fit:
    return Fit(fit.model, fit.runs, fit.tree.drop_nodes(groups))


def test_a_sampled_fit_comes_back(sampled: Fit, tmp_path: Path) -> None:
    loaded = load(save(sampled, tmp_path / "fit.nc"))
    assert_same(without(loaded, ROUNDED), without(sampled, ROUNDED))
    assert list(loaded.tree) == list(sampled.tree)
    assert loaded.model == sampled.model
    assert loaded.model.law is laws.power
    assert str(loaded) == str(sampled)


def test_save_returns_the_path_and_changes_nothing(tmp_path: Path) -> None:
    original, untouched = unsampled(), unsampled()
    assert save(original, str(tmp_path / "a fit")) == tmp_path / "a fit"
    assert_same(original, untouched)
    assert names_in(tmp_path) == ["a fit"]


def test_a_loaded_fit_can_be_saved_over_its_own_file_and_deleted(tmp_path: Path) -> None:
    path = save(unsampled(), tmp_path / "fit.nc")
    save(load(path), path)
    loaded = load(path)
    path.unlink()
    assert_same(loaded, unsampled())


def test_a_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    path = save(unsampled(), tmp_path / "fit.nc")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "any").stat().st_mode)


def test_a_symbolic_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "fit.nc"
    link.symlink_to(tmp_path / "disk" / "fit.nc")
    save(unsampled(), link)
    assert link.is_symlink()
    assert names_in(tmp_path / "disk") == ["fit.nc"]


def test_simulated_responses_are_rounded_once(sampled: Fit, tmp_path: Path) -> None:
    once = load(save(sampled, tmp_path / "fit.nc"))
    twice = load(save(once, tmp_path / "fit.nc"))
    for name in ROUNDED:
        exact = sampled.tree[name]["loss"]
        xr.testing.assert_allclose(once.tree[name]["loss"], exact, rtol=2**-21, atol=0)
        assert not once.tree[name]["loss"].equals(exact)
        xr.testing.assert_identical(twice.tree[name], once.tree[name])


def test_a_group_that_was_changed_is_stored_as_it_is(sampled: Fit, tmp_path: Path) -> None:
    tree = sampled.tree.copy(deep=True)
    for name in DERIVED:
        tree[name].to_dataset()[next(iter(tree[name].data_vars))].values.flat[7] += 1e-3
    path = save(Fit(sampled.model, sampled.runs, tree), tmp_path / "fit.nc")
    loaded = load(path)
    for name in DERIVED:
        assert not loaded.tree[name].equals(sampled.tree[name])
        xr.testing.assert_identical(loaded.tree[name], tree[name])


def test_other_software_can_open_the_file(tmp_path: Path) -> None:
    path = save(unsampled(), tmp_path / "fit.nc")
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        # The log likelihood of this fit is not that of its draws, so it is in the file.
        assert set(tree.children) == {*unsampled().tree.children, "runs"} - {"posterior"}
        assert tree["runs"]["N"].attrs["reference"] == two_curves()["N"].attrs["reference"]


# What load refuses


def write_foreign(path: Path) -> None:
    two_curves().drop_attrs().to_netcdf(path, engine="h5netcdf")


def write_plain_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["weights"] = np.arange(3.0)


def truncated(share: float) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        content = save(unsampled(), path).read_bytes()
        path.write_bytes(content[: round(share * (len(content) - 1))])

    return write


def flip(path: Path) -> None:
    content = bytearray(save(unsampled(), path).read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


NOT_COMPLETE = (
    "'fit.nc' is not a complete fit: it was truncated or changed, or is another kind of file"
)
FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "cannot read 'fit.nc': No such file or directory"),
    "directory": (Path.mkdir, "cannot read 'fit.nc': Is a directory"),
    "empty": (Path.touch, NOT_COMPLETE),
    "text": (lambda path: path.write_text("N,loss\n1,2\n"), NOT_COMPLETE),
    "netCDF": (write_foreign, NOT_COMPLETE),
    "HDF5": (write_plain_hdf5, NOT_COMPLETE),
    "truncated to nothing": (truncated(0), NOT_COMPLETE),
    "truncated to half": (truncated(0.5), NOT_COMPLETE),
    "truncated by a byte": (truncated(1), NOT_COMPLETE),
    "one bit changed": (flip, NOT_COMPLETE),
}


@pytest.mark.parametrize(("write", "sentence"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_fit_is_refused_in_one_sentence(
    write: Callable[[Path], object],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("fit.nc"))
    with pytest.raises(StoreError) as caught:
        load("fit.nc")
    assert str(caught.value) == sentence


# What save refuses, and what an accident leaves


def with_prior(prior: Any) -> Fit:
    return unsampled(Model(laws.power, priors={"alpha": prior}))


def with_attribute(value: object) -> Fit:
    original = unsampled()
    original.runs.attrs["note"] = value
    return original


def with_group(name: str) -> Fit:
    return unsampled(group=name)


class Narrow(Normal):
    """A prior from outside the package."""


REFUSED = "which a file cannot hold without code to run: use one of Normal, LogNormal, "
REFUSED += "LogitNormal, HalfNormal, Fixed, LinkNormal"
UNSAVED: dict[str, tuple[Callable[[], Fit], str, str]] = {
    "PreliZ": (
        lambda: with_prior(pz.Gamma(2, 1)),
        "fit.nc",
        f"the prior of 'alpha' is a Gamma of preliz, {REFUSED}",
    ),
    "own prior": (
        lambda: with_prior(Narrow(0.0, 1.0)),
        "fit.nc",
        f"the prior of 'alpha' is a Narrow of {__name__.partition('.')[0]}, {REFUSED}",
    ),
    "dot": (
        lambda: with_group("."),
        "fit.nc",
        "a file cannot hold the name '.': rename that column",
    ),
    "attribute": (
        lambda: with_attribute({1, 2}),
        "fit.nc",
        "a file cannot hold the attribute 'note', a set: make it text, a number or a list of them",
    ),
    "no directory": (
        unsampled,
        "nowhere/fit.nc",
        "cannot write 'nowhere/fit.nc': there is no folder 'nowhere'",
    ),
    "below a file": (
        unsampled,
        "here/file/fit.nc",
        "cannot write 'here/file/fit.nc': Not a directory",
    ),
    "a directory": (unsampled, "here", "cannot write 'here': it is a folder; name a file"),
}


@pytest.mark.parametrize(("make", "name", "sentence"), UNSAVED.values(), ids=UNSAVED)
def test_fits_that_cannot_be_saved_are_refused_in_one_sentence(
    make: Callable[[], Fit],
    name: str,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here").mkdir()
    Path("here/file").touch()
    with pytest.raises(StoreError) as caught:
        save(make(), name)
    assert str(caught.value) == sentence
    assert names_in(tmp_path) == ["here"]


def test_a_column_of_mixed_types_gets_one_sentence(tmp_path: Path) -> None:
    original = unsampled()
    mixed = ("run", np.array(["a", 1] * 4, dtype=object))
    runs = original.runs.assign_coords(note=mixed)
    with pytest.raises(StoreError, match=r"^a file cannot hold this fit: [^\n]*'note'[^\n]*$"):
        save(Fit(original.model, runs, original.tree), tmp_path / "fit.nc")
    assert names_in(tmp_path) == []


def stop(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def fill_the_disk(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


ACCIDENTS = [
    (xr.DataTree, "to_netcdf", stop, KeyboardInterrupt),
    (os, "fsync", stop, KeyboardInterrupt),
    (os, "replace", stop, KeyboardInterrupt),
    (os, "fsync", fill_the_disk, StoreError),
]


@pytest.mark.parametrize(("owner", "function", "accident", "error"), ACCIDENTS)
def test_an_accident_leaves_the_old_file_alone(
    owner: Any,
    function: str,
    accident: Callable[..., None],
    error: type[BaseException],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = save(unsampled(), tmp_path / "fit.nc")
    before = path.read_bytes()
    monkeypatch.setattr(owner, function, accident)
    with pytest.raises(error):
        save(unsampled(Model(shifted)), path)
    assert path.read_bytes() == before
    assert names_in(tmp_path) == ["fit.nc"]


def test_a_fit_that_could_not_be_loaded_is_not_saved(tmp_path: Path) -> None:
    original = unsampled()
    del original.tree["posterior"]["alpha"]
    with pytest.raises(StoreError, match="is not saved: variable 'alpha' of group 'posterior' is"):
        save(original, tmp_path / "fit.nc")
    assert names_in(tmp_path) == []
