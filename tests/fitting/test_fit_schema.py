"""What a fit consists of, against the models that are sampled; edited files are another test."""

from __future__ import annotations

from pathlib import Path

import pytest
from unsampled_fits import two_curves, unsampled

import bayeslaw as bl
from bayeslaw._inference.bound_model import bind
from bayeslaw._sampling.prepare import prepared_density
from bayeslaw.errors import StoreError
from bayeslaw.fitting.fit_schema import _unconstrained, check_fit, reading

MODELS = {
    "default": bl.Model(bl.laws.power),
    "alone": bl.Model(bl.laws.power, pooling=None),
    "groups": bl.Model(bl.laws.power, pooling=["task"]),
    "some": bl.Model(bl.laws.power, pooling={"alpha": ["task"]}),
    "no discrepancy": bl.Model(bl.laws.power, pooling=["task"], discrepancy=None),
    "latent": bl.Model(bl.laws.power, noise=bl.StudentT()),
    "undertuned": bl.Model(bl.laws.power, noise=bl.Undertuned(), discrepancy=None),
    "fixed": bl.Model(bl.laws.power, priors={"L0": bl.Fixed(1.0)}),
    "recentred": bl.Model(bl.laws.log_linear),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_variables_are_those_that_are_sampled(model: bl.Model) -> None:
    bound = bind(model, two_curves())
    expected = _unconstrained(bound).data_vars
    shapes = {str(name): values.shape[2:] for name, values in expected.items()}
    assert shapes == prepared_density(bound).layout.variables


def test_a_fit_that_was_not_sampled_has_runs_only() -> None:
    fit = unsampled()
    fit.tree.children = {}
    check_fit(fit)
    with pytest.raises(ValueError, match="group 'posterior' is missing"):
        check_fit(fit, ["posterior"])


def test_a_sampled_fit_needs_a_response() -> None:
    fit = unsampled()
    with pytest.raises(ValueError, match="the runs have no response"):
        check_fit(bl.Fit(fit.model, fit.runs.drop_vars("loss"), fit.tree))


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (StoreError("cannot read 'fit.nc'"), "cannot read 'fit.nc'"),
        (StoreError("no such noise"), "'fit.nc': no such noise"),
        (KeyError("law"), "'fit.nc' is damaged: its record has no 'law'"),
        (ValueError("two\n lines"), "'fit.nc' is damaged: its record: two lines"),
        (TypeError("not\nthis"), "'fit.nc' is damaged: its record: TypeError not this"),
        (RuntimeError(), "'fit.nc' is damaged: its record: RuntimeError"),
    ],
)
def test_whatever_is_raised_names_the_file(error: Exception, sentence: str) -> None:
    with pytest.raises(StoreError) as caught, reading(Path("fit.nc"), "its record"):
        raise error
    assert str(caught.value) == sentence
