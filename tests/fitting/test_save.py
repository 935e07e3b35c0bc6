"""Tests of saving and loading fits: what comes back, what is refused, what an accident leaves."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import preliz as pz
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bayeslaw as bl
from bayeslaw import laws, priors
from bayeslaw import response_scales as scales
from bayeslaw._law.law import Law, law
from bayeslaw._law.roles import Amplitude, Exponent, Floor, Scale
from bayeslaw.data.runs import read_runs
from bayeslaw.errors import StoreError
from bayeslaw.fitting import save as store
from bayeslaw.fitting.fit import Fit, fit
from bayeslaw.fitting.save import load, save
from bayeslaw.model import discrepancy, noise
from bayeslaw.model import serialise as records
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian, StudentT, Undertuned
from bayeslaw.priors import Fixed, HalfNormal, LogitNormal, LogNormal, Normal
from bayeslaw.response_scales import LogitScale, LogScale, RawScale


@law
def shifted(N: Any, *, L0: Floor, k: Amplitude, c: Scale, alpha: Exponent) -> Any:
    """Power law with a shifted origin."""
    return L0 + k * (1 + N / c) ** -alpha


@law
def twice_shifted(N: Any, *, k: Amplitude, c: Scale, delta: Scale, alpha: Exponent) -> Any:
    """Power law with an origin that is shifted twice."""
    return k * (1 + N / c + N / delta) ** -alpha


def changed_formula() -> Law:
    """The law above, edited."""

    @law
    def shifted(N: Any, *, L0: Floor, k: Amplitude, c: Scale, alpha: Exponent) -> Any:
        return L0 + k * (2 + N / c) ** -alpha

    return shifted


def changed_role() -> Law:
    """The law above with another role."""
    parameters = {**shifted.parameters, "k": laws.log_linear.parameters["b"]}
    return dataclasses.replace(shifted, parameters=parameters)


def two_curves(group: str = "task") -> xr.Dataset:
    """Two exact curves of four runs, with labels that a path would split."""
    size = np.tile([1e6, 1e7, 1e8, 1e9], 2)
    labels = np.repeat(["a/b", "c d"], 4)
    loss = 2 + 3 * (size / 1e6) ** -0.3 * np.where(labels == "a/b", 1.0, 1.2)
    frame = pd.DataFrame({"params": size, "loss": loss, group: labels})
    return read_runs(frame, predictors={"N": "params"}, groups=[group])


def unsampled(model: Model | None = None, group: str = "task") -> Fit:
    """A fit with draws that nobody sampled."""
    runs, rng = two_curves(group), np.random.default_rng(1)
    labels = {"curve": ["a/b", "c d"], f"{group}_of_curve": ("curve", ["a/b", "c d"])}
    axes = {"chain": [0, 1], "draw": np.arange(3)}
    alpha = (["chain", "draw", "curve"], rng.normal(size=(2, 3, 2)))
    tree = {
        "/posterior": xr.Dataset({"alpha": alpha}, {**axes, **labels}),
        "/sample_stats": xr.Dataset(
            {"diverging": (["chain", "draw"], rng.random((2, 3)) < 0.5)}, axes
        ),
        "/log_likelihood": xr.Dataset({"loss": ("run", [-np.inf, np.nan])}),
        "/constant_data": runs.drop_vars("loss").drop_attrs(deep=False),
    }
    result = xr.DataTree.from_dict(tree)
    result.attrs.update(gate=json.dumps({"r_hat": np.inf}), law="power")
    return Fit(model or Model(laws.power), runs, result)


@pytest.fixture(scope="module")
def sampled() -> Fit:
    model = Model(laws.power, pooling=["model", "data set"], priors={"L0": Fixed(2.0)})
    runs = two_curves("model")
    runs = runs.assign_coords({"data set": ("run", np.repeat(["web", "books"], 4))})
    runs.attrs["groups"] = ["model", "data set"]
    return fit(model, runs, random_seed=1, draws=50, tune=50, chains=2, progressbar=False)


def assert_same(loaded: Fit, original: Fit) -> None:
    xr.testing.assert_identical(loaded.runs, original.runs)
    xr.testing.assert_identical(loaded.tree, original.tree)
    assert loaded.runs.attrs == original.runs.attrs
    for node in original.tree.subtree:
        data, expected = loaded.tree[node.path].to_dataset(), node.to_dataset()
        assert data.dtypes == expected.dtypes
        assert list(data.indexes) == list(expected.indexes)


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_sampled_fit_comes_back(sampled: Fit, tmp_path: Path) -> None:
    loaded = load(save(sampled, tmp_path / "fit.nc"))
    assert_same(loaded, sampled)
    assert loaded.model == sampled.model
    assert loaded.model.law is laws.power
    assert str(loaded) == str(sampled)


def test_save_gives_the_path_and_changes_nothing(tmp_path: Path) -> None:
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


def test_a_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    path = save(unsampled(), tmp_path / "fit.nc")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "any").stat().st_mode)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "fit.nc"
    link.symlink_to(tmp_path / "disk" / "fit.nc")
    save(unsampled(), link)
    assert link.is_symlink()
    assert names_in(tmp_path / "disk") == ["fit.nc"]


def test_others_can_open_the_file(tmp_path: Path) -> None:
    path = save(unsampled(), tmp_path / "fit.nc")
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        assert set(tree.children) == {*unsampled().tree.children, "runs"}
        assert tree["runs"]["N"].attrs["reference"] == two_curves()["N"].attrs["reference"]


GROUPS = [
    "model",
    "plot",
    "Run",
    "data set",
    " ",
    "a\tb",
    "größe",
    "a.b",
    "coordinates",
    "f(x)",
    "1",
]


@pytest.mark.parametrize("group", GROUPS)
def test_odd_names_of_groups_come_back(group: str, tmp_path: Path) -> None:
    original = unsampled(group=group)
    assert_same(load(save(original, tmp_path / "fit.nc")), original)


ATTRIBUTES = [
    True, False, None, 3, 10**30, 2.5, -np.inf, "", "json:", "zwölf", "two\nlines", "x" * 100_000,
    [], ["one"], ["one", "two"], [1, 2.5, None], {"web": [1, 2]}, {},
]  # fmt: skip


@pytest.mark.parametrize("value", ATTRIBUTES, ids=lambda value: repr(value)[:20])
def test_attributes_come_back(value: object, tmp_path: Path) -> None:
    original = unsampled()
    places = (original.runs, original.runs["N"], original.runs["run"], original.tree)
    for place in (*places, original.tree["posterior"], original.tree["posterior"]["curve"]):
        place.attrs["note"] = value
    loaded = load(save(original, tmp_path / "fit.nc"))
    assert_same(loaded, original)
    note = loaded.runs["N"].attrs["note"]
    assert (note, type(note)) == (value, type(value))


@pytest.mark.parametrize("value", [np.float64(2.5), np.int64(3), np.bool_(True), np.arange(3)])
def test_numpy_attributes_come_back_as_plain_ones(value: Any, tmp_path: Path) -> None:
    original = unsampled()
    original.runs.attrs["note"] = value
    assert load(save(original, tmp_path / "fit.nc")).runs.attrs["note"] == value.tolist()


def test_values_of_other_types_come_back(tmp_path: Path) -> None:
    original = unsampled()
    columns: dict[str, Any] = {
        "held_out": np.arange(8) > 5,
        "note": np.array(["x", "", "zwölf", "a/b"] * 2, dtype=object),
        "start": pd.date_range("2024-01-01", periods=8, unit="ns"),
        "hours": ("run", np.arange(8.0), {"units": "hours"}),
    }
    columns = {name: c if isinstance(c, tuple) else ("run", c) for name, c in columns.items()}
    runs = original.runs.assign_coords({**columns, "run": list("abcdefgh")})
    loaded = load(save(Fit(original.model, runs, original.tree), tmp_path / "fit.nc"))
    xr.testing.assert_identical(loaded.runs, runs)


# Models


POSITIVE = st.floats(1e-6, 1e6)
PRIORS = st.one_of(
    st.builds(Normal, st.floats(-1e6, 1e6), POSITIVE),
    st.builds(LogNormal, POSITIVE, st.floats(1.001, 1e3)),
    st.builds(LogitNormal, st.floats(0.001, 0.999), POSITIVE),
    st.builds(HalfNormal, POSITIVE),
    st.builds(HalfNormal, st.integers(1, 9)),
    st.builds(HalfNormal, POSITIVE.map(np.float64)),
)
GROUP_NAMES = st.lists(st.sampled_from(["task", "each", "tuple", "a/b", "größe"]), unique=True)
GROUP_LISTS = GROUP_NAMES | GROUP_NAMES.map(tuple)
POOLINGS = (
    st.none() | GROUP_LISTS | st.dictionaries(st.sampled_from(["alpha", "sigma"]), GROUP_LISTS)
)
SCALES = st.one_of(
    st.just(LogScale()),
    st.just(RawScale()),
    st.builds(LogitScale, st.floats(-1, 0.4), st.floats(0.5, 100)),
)
VARIES = st.sampled_from([None, "N", "D"])
NOISES = st.one_of(
    st.builds(Gaussian, SCALES, VARIES),
    st.builds(StudentT, st.floats(2.1, 100), SCALES, VARIES),
    st.builds(Undertuned, SCALES, VARIES),
)
MODELS = st.builds(
    Model,
    st.just(laws.chinchilla),
    pooling=POOLINGS,
    noise=st.none() | NOISES,
    discrepancy=st.none() | st.builds(Brownian, st.integers(1, 20)),
    priors=st.dictionaries(st.sampled_from(["alpha", "sigma", "sd_alpha"]), PRIORS),
    tie=st.sampled_from([{}, {"beta": "alpha"}]),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(model=MODELS)
def test_any_model_comes_back(model: Model, tmp_path: Path) -> None:
    bare = Fit(model, two_curves(), xr.DataTree())
    assert load(save(bare, tmp_path / "fit.nc")).model == model


def test_every_part_of_a_model_is_kept() -> None:
    fields = {field.name for field in dataclasses.fields(Model)}
    assert set(store._model_record(Model(laws.power))) == fields
    parts = {*priors.__all__, *noise.__all__, *scales.__all__, *discrepancy.__all__}
    assert set(records.PARTS) == parts - {"Population", "Prior", "Noise", "ResponseScale", "spread"}


@pytest.mark.parametrize("name", [n for n in laws.__all__ if isinstance(getattr(laws, n), Law)])
def test_a_law_of_the_catalogue_comes_back_itself(name: str, tmp_path: Path) -> None:
    model = Model(getattr(laws, name))
    assert load(save(unsampled(model), tmp_path / "fit.nc")).model == model


def test_predictors_come_back(tmp_path: Path) -> None:
    path = save(unsampled(Model(laws.power.of("D"))), tmp_path / "fit.nc")
    assert load(path).model.law.predictors == ("D",)
    assert load(path, law=laws.power).model.law.predictors == ("D",)


def test_a_law_of_ones_own_comes_back_when_passed(tmp_path: Path) -> None:
    model = Model(twice_shifted, tie={"delta": "c"})
    assert load(save(unsampled(model), tmp_path / "fit.nc"), law=twice_shifted).model == model


def test_a_law_of_ones_own_may_be_called_as_one_of_the_catalogue(tmp_path: Path) -> None:
    mine = dataclasses.replace(shifted, name="power")
    path = save(unsampled(Model(mine)), tmp_path / "fit.nc")
    assert load(path, law=mine).model.law is mine
    with pytest.raises(StoreError, match="keeps law 'power' by name and hash only"):
        load(path)


# What load refuses


def hashes(old: Law, new: Law) -> str:
    return f"its hash was {old.digest[:8]} and is {new.digest[:8]}"


FITTED: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: None,
        "'fit.nc' keeps law 'shifted' by name and hash only: pass the law itself, "
        "load('fit.nc', law=shifted)",
    ),
    (lambda: laws.power, "the law that was fitted is 'shifted', got law 'power'"),
    (lambda: shifted.function, "law must be a Law, as bl.law makes, got a function"),
    (
        changed_formula,
        "the formula of law 'shifted' was changed after 'fit.nc' was saved by bayeslaw 0.1.0: "
        + hashes(shifted, changed_formula()),
    ),
    (
        changed_role,
        "law 'shifted' was changed after 'fit.nc' was saved by bayeslaw 0.1.0: parameter 'k' was "
        "Amplitude with priors LogNormal(median=1.0, factor=4.5) and HalfNormal(sd=1.0), and is "
        "Rate with priors LogNormal(median=0.1, factor=3.0) and HalfNormal(sd=0.5)",
    ),
]


@pytest.mark.parametrize(("given", "sentence"), FITTED)
def test_another_law_is_refused(
    given: Callable[[], Any], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(store, "version", lambda package: "0.1.0")
    save(unsampled(Model(shifted)), "fit.nc")
    with pytest.raises(StoreError) as caught:
        load("fit.nc", law=given())
    assert str(caught.value) == sentence


def test_a_law_of_the_catalogue_that_was_changed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(store, "version", lambda package: "0.1.0")
    old, new = laws.power, dataclasses.replace(shifted, name="power")
    save(unsampled(), "fit.nc")
    monkeypatch.setattr(laws, "power", new)
    with pytest.raises(StoreError) as caught:
        load("fit.nc")
    changed = "the formula of law 'power' was changed after 'fit.nc' was saved by bayeslaw 0.1.0: "
    assert str(caught.value) == changed + hashes(old, new)


def write_foreign(path: Path) -> None:
    two_curves().drop_attrs().to_netcdf(path, engine="h5netcdf")


def write_plain_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["weights"] = np.arange(3.0)


def cut(share: float) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        content = save(unsampled(), path).read_bytes()
        path.write_bytes(content[: round(share * (len(content) - 1))])

    return write


def flip(path: Path) -> None:
    content = bytearray(save(unsampled(), path).read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


NOT_WHOLE = "'fit.nc' is not a whole fit: it was cut short or changed, or is another kind of file"
FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "cannot read 'fit.nc': No such file or directory"),
    "directory": (Path.mkdir, "cannot read 'fit.nc': Is a directory"),
    "empty": (Path.touch, NOT_WHOLE),
    "text": (lambda path: path.write_text("N,loss\n1,2\n"), NOT_WHOLE),
    "netCDF": (write_foreign, NOT_WHOLE),
    "HDF5": (write_plain_hdf5, NOT_WHOLE),
    "cut to nothing": (cut(0), NOT_WHOLE),
    "cut to half": (cut(0.5), NOT_WHOLE),
    "cut by a byte": (cut(1), NOT_WHOLE),
    "one bit changed": (flip, NOT_WHOLE),
}


@pytest.mark.parametrize(("write", "sentence"), FILES.values(), ids=FILES)
def test_what_is_no_fit_gets_one_sentence(
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


def test_a_file_of_before_the_renames_opens() -> None:
    """Two curves, twelve draws, saved by the first version, whose groups had other names."""
    old = load(Path(__file__).parent / "files" / "format_1.nc")
    assert old.model == Model(laws.power, pooling=["task"])
    assert {"unconstrained_posterior", "unconstrained_prior"} <= set(old.tree.children)
    assert not {"link", "prior_link"} & set(old.tree.children)
    assert old.tree["posterior"]["alpha"].sizes == {"chain": 2, "draw": 12, "curve": 2}
    ahead = bl.forecast(old, bl.grid(N=[1e10], task="a"))
    assert np.isfinite(ahead["mean"]).all()


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as future:
        future.setattr(store, "FORMAT", 3)
        future.setattr(store, "version", lambda package: "9.0.0")
        save(unsampled(), "fit.nc")
    monkeypatch.setattr(store, "version", lambda package: "0.1.0")
    with pytest.raises(StoreError) as caught:
        load("fit.nc")
    assert str(caught.value) == (
        "'fit.nc' has format 3, of bayeslaw 9.0.0; this is bayeslaw 0.1.0, which reads format 2: "
        "upgrade it"
    )


# What save refuses, and what an accident leaves


def with_prior(prior: Any) -> Fit:
    return unsampled(Model(laws.power, priors={"alpha": prior}))


def with_attribute(value: object) -> Fit:
    original = unsampled()
    original.runs.attrs["note"] = value
    return original


def with_group(name: str) -> Fit:
    original = unsampled()
    return Fit(original.model, two_curves(name), original.tree)


class Narrow(Normal):
    """A prior that only its author knows."""


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
        "cannot write 'nowhere/fit.nc': No such file or directory",
    ),
    "below a file": (
        unsampled,
        "here/file/fit.nc",
        "cannot write 'here/file/fit.nc': Not a directory",
    ),
    "a directory": (unsampled, "here", "cannot write 'here': Is a directory"),
}


@pytest.mark.parametrize(("make", "name", "sentence"), UNSAVED.values(), ids=UNSAVED)
def test_what_cannot_be_saved_gets_one_sentence(
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
