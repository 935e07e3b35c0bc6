"""Models as JSON records: what comes back, and which laws are refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unsampled_fits import (
    changed_formula,
    changed_role,
    shifted,
    twice_shifted,
    two_curves,
    unsampled,
)

from bayeslaw import laws, priors
from bayeslaw import response_scales as scales
from bayeslaw._law.law import Law
from bayeslaw.errors import StoreError
from bayeslaw.fitting import fit_tree
from bayeslaw.fitting.model_record import model_to_record
from bayeslaw.fitting.result import Fit
from bayeslaw.fitting.save import load, save
from bayeslaw.model import discrepancy, noise
from bayeslaw.model import serialise as records
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian, StudentT, Undertuned
from bayeslaw.priors import HalfNormal, LogitNormal, LogNormal, Normal
from bayeslaw.response_scales import LogitScale, LogScale, RawScale

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


def test_every_part_of_a_model_is_recorded() -> None:
    fields = {field.name for field in dataclasses.fields(Model)}
    assert set(model_to_record(Model(laws.power))) == fields | {"noise_source"}
    parts = {*priors.__all__, *noise.__all__, *scales.__all__, *discrepancy.__all__}
    recorded = {*records.PARTS, *(type(kind).__name__ for kind in noise.BUILT_IN.values())}
    assert recorded == parts - {"Population", "Prior", "ResponseScale", "Discrepancy", "BUILT_IN"}


@pytest.mark.parametrize("name", [n for n in laws.__all__ if isinstance(getattr(laws, n), Law)])
def test_a_law_of_the_catalogue_comes_back_itself(name: str, tmp_path: Path) -> None:
    model = Model(getattr(laws, name))
    assert load(save(unsampled(model), tmp_path / "fit.nc")).model == model


def test_predictors_come_back(tmp_path: Path) -> None:
    path = save(unsampled(Model(laws.power.of("D"))), tmp_path / "fit.nc")
    assert load(path).model.law.predictors == ("D",)
    assert load(path, law=laws.power).model.law.predictors == ("D",)


def test_a_custom_law_comes_back_when_passed(tmp_path: Path) -> None:
    model = Model(twice_shifted, tie={"delta": "c"})
    assert load(save(unsampled(model), tmp_path / "fit.nc"), law=twice_shifted).model == model


def test_a_custom_law_may_have_the_name_of_one_in_the_catalogue(tmp_path: Path) -> None:
    mine = dataclasses.replace(shifted, name="power")
    path = save(unsampled(Model(mine)), tmp_path / "fit.nc")
    assert load(path, law=mine).model.law is mine
    with pytest.raises(StoreError, match="has law 'power' by name and hash only"):
        load(path)


# Laws that are refused


def hashes(old: Law, new: Law) -> str:
    return f"its hash was {old.digest[:8]} and is {new.digest[:8]}"


OTHER_LAWS: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: None,
        "'fit.nc' has law 'shifted' by name and hash only: pass the law itself, "
        "load('fit.nc', law=shifted)",
    ),
    (lambda: laws.power, "'fit.nc': the law that was fitted is 'shifted', got law 'power'"),
    (lambda: shifted.function, "'fit.nc': law must be a Law, as bl.law makes, got a function"),
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


@pytest.mark.parametrize(("passed", "sentence"), OTHER_LAWS)
def test_another_law_is_refused(
    passed: Callable[[], Any], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fit_tree, "version", lambda package: "0.1.0")
    save(unsampled(Model(shifted)), "fit.nc")
    with pytest.raises(StoreError) as caught:
        load("fit.nc", law=passed())
    assert str(caught.value) == sentence


def test_a_law_of_the_catalogue_that_was_changed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fit_tree, "version", lambda package: "0.1.0")
    old, new = laws.power, dataclasses.replace(shifted, name="power")
    save(unsampled(), "fit.nc")
    monkeypatch.setattr(laws, "power", new)
    with pytest.raises(StoreError) as caught:
        load("fit.nc")
    changed = "the formula of law 'power' was changed after 'fit.nc' was saved by bayeslaw 0.1.0: "
    assert str(caught.value) == changed + hashes(old, new)
