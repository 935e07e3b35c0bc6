"""Model data: what the PyMC model holds as data, and the structure of its density."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from bound_models import model_data

from bayeslaw._inference.graph import build
from bayeslaw.laws import power
from bayeslaw.model.model import Model
from bayeslaw.model.noise import StudentT
from bayeslaw.priors import Fixed, HalfNormal, LinkNormal, LogNormal

GROUPS = ["task", "dataset"]
MODELS = {
    "pooled": Model(power, pooling=GROUPS),
    "one group": Model(power, pooling=["task"], discrepancy=None, noise=StudentT()),
    "alone": Model(power, pooling=None),
    "other priors": Model(power, pooling=GROUPS, priors={"sd_alpha": Fixed(0.1)}),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_the_pymc_model_holds_this_data(
    model: Model, crossed_split: tuple[xr.Dataset, xr.Dataset]
) -> None:
    data, built = model_data(model, crossed_split[0]), build(model, crossed_split[0])
    expected = {item.name: item.get_value() for item in built.data_vars}
    expected |= {str(dim): size.get_value() for dim, size in built.dim_lengths.items()}
    assert data.names == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(data[name], values, err_msg=name)


def test_fewer_curves_of_the_same_groups_have_the_same_structure(
    crossed_split: tuple[xr.Dataset, xr.Dataset],
) -> None:
    train = crossed_split[0]
    fewer = train.isel(run=(train["dataset"] != "news").values)
    first, second = (model_data(MODELS["pooled"], runs) for runs in (train, fewer))
    assert first.structure == second.structure
    assert first["curve"] == 12
    assert second["curve"] == 9


def test_a_dropped_group_changes_the_structure_if_spreads_have_their_own_priors(
    crossed_split: tuple[xr.Dataset, xr.Dataset],
) -> None:
    train = crossed_split[0]
    one_set = train.isel(run=(train["dataset"] == "web").values)
    for name, is_same in {"other priors": False, "alone": True}.items():
        pair = [model_data(MODELS[name], runs).structure for runs in (train, one_set)]
        assert (pair[0] == pair[1]) is is_same, name


def test_the_level_of_the_runs_is_part_of_the_structure_if_it_is_a_constant(
    crossed_split: tuple[xr.Dataset, xr.Dataset],
) -> None:
    runs = crossed_split[0]
    twice = runs.assign(loss=2 * runs["loss"]).assign_attrs(runs.attrs)
    usual, unusual = Model(power), Model(power, priors={"alpha": HalfNormal(1.0)})
    assert model_data(usual, runs).structure == model_data(usual, twice).structure
    assert model_data(unusual, runs).structure != model_data(unusual, twice).structure


def test_priors_that_are_not_usual_have_no_arrays(
    crossed_split: tuple[xr.Dataset, xr.Dataset],
) -> None:
    train, usual = crossed_split[0], model_data(MODELS["pooled"], crossed_split[0]).names
    odd = Model(power, pooling=GROUPS, priors={"alpha": HalfNormal(1.0)})
    assert usual - model_data(odd, train).names == {"center_mean", "center_sd"}
    assert usual - model_data(MODELS["other priors"], train).names == {"spread_scale"}
    known = Model(power, pooling=GROUPS, priors={"alpha": LogNormal(0.3, 1.2)})
    row = list(model_data(known, train).coords["parameter"]).index("alpha")
    assert model_data(known, train)["center_mean"][row] == pytest.approx(np.log(0.3))


POPULATION, ALONE = {"pooling": GROUPS}, {"pooling": None}
FIRST = {"alpha": LogNormal(0.3, 1.2), "sd_alpha": HalfNormal(0.1)}


@pytest.mark.parametrize(
    ("how", "second", "is_same"),
    [
        (POPULATION, {"alpha": LogNormal(0.5, 2.0), "sd_alpha": HalfNormal(0.3)}, True),
        (POPULATION, {"alpha": LinkNormal(-1.0, 0.5), "sd_alpha": HalfNormal(0.1)}, False),
        (POPULATION, {"alpha": LogNormal(0.3, 1.2), "sd_alpha": Fixed(0.1)}, False),
        (POPULATION, {"alpha": Fixed(0.3)}, False),
        (POPULATION, {"alpha": LogNormal(0.3, 1.2)}, False),
        (ALONE, {"alpha": LogNormal(0.5, 2.0), "sd_alpha": HalfNormal(0.3)}, True),
        (ALONE, {"alpha": HalfNormal(0.5), "sd_alpha": HalfNormal(0.1)}, False),
    ],
)
def test_only_the_kind_of_a_prior_that_is_data_matters_to_the_structure(
    crossed_split: tuple[xr.Dataset, xr.Dataset], how: Any, second: Any, is_same: bool
) -> None:
    pair = [Model(power, **how, priors=priors) for priors in (FIRST, second)]
    structures = [
        model.structure(model_data(model, crossed_split[0]).priors_as_data) for model in pair
    ]
    assert (structures[0] == structures[1]) is is_same
    assert pair[0].content != pair[1].content


def test_the_value_of_a_prior_of_another_kind_matters(
    crossed_split: tuple[xr.Dataset, xr.Dataset],
) -> None:
    pair = [Model(power, priors={"alpha": HalfNormal(sd)}) for sd in (0.3, 0.5)]
    structures = [
        model.structure(model_data(model, crossed_split[0]).priors_as_data) for model in pair
    ]
    assert structures[0] != structures[1]
