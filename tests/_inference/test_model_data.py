"""Model data: what the PyMC model holds as data, and the structure of its density."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from bound_models import model_data

from bayeslaw._inference.bound_model import bind
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


def test_fewer_curves_of_the_same_groups_have_the_same_structure(
    crossed_split: tuple[xr.Dataset, xr.Dataset],
) -> None:
    train = crossed_split[0]
    fewer = train.isel(run=(train["dataset"] != "news").values)
    first, second = (model_data(MODELS["pooled"], runs) for runs in (train, fewer))
    assert first.structure == second.structure
    assert first.sizes["curve"] == 12
    assert second.sizes["curve"] == 9


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
    train = crossed_split[0]
    usual = model_data(MODELS["pooled"], train).arrays.keys()
    odd = Model(power, pooling=GROUPS, priors={"alpha": HalfNormal(1.0)})
    of_center = {"center_mean", "center_sd", "prior_precision", "prior_score"}
    assert usual - model_data(odd, train).arrays.keys() == of_center
    assert usual - model_data(MODELS["other priors"], train).arrays.keys() == {"spread_scale"}
    known = Model(power, pooling=GROUPS, priors={"alpha": LogNormal(0.3, 1.2)})
    row = list(bind(known, train).roles).index("alpha")
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
