"""Priors: their errors, and that PyMC variables have the distribution of their record."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from bayeslaw.priors import Fixed, HalfNormal, LogitNormal, LogNormal, Normal, Prior

CASES = [
    (Normal(0.3, 1.5), 1.0, stats.norm(0.3, 1.5).logpdf(1.0)),
    (LogNormal(0.35, 1.5), 0.25, stats.lognorm(np.log(1.5), scale=0.35).logpdf(0.25)),
    (
        LogitNormal(0.8, 1.5),
        0.25,
        stats.norm(np.log(4), 1.5).logpdf(np.log(1 / 3)) - np.log(0.25 * 0.75),
    ),
    (HalfNormal(0.3), 0.25, stats.halfnorm(scale=0.3).logpdf(0.25)),
]


@pytest.mark.parametrize(("prior", "value", "expected"), CASES)
def test_density_is_that_of_the_record(prior: Prior, value: float, expected: float) -> None:
    with pm.Model():
        variable = prior.to_pymc("x")
    density = pm.logp(variable, value).eval(mode="FAST_COMPILE")
    # PyMC keeps the logarithm of the square root of two pi in single precision.
    np.testing.assert_allclose(density, expected, atol=2e-8)


@pytest.mark.parametrize("prior", [case[0] for case in CASES] + [Fixed(1.69)])
def test_dims_give_a_value_per_label(prior: Prior) -> None:
    with pm.Model(coords={"curve": ["a", "b", "c"]}) as model:
        variable = prior.to_pymc("x", dims="curve")
        scalar = prior.to_pymc("y")
    assert variable.eval(mode="FAST_COMPILE").shape == (3,)
    assert scalar.ndim == 0
    assert model.named_vars_to_dims["x"] == ("curve",)
    assert isinstance(prior, Prior)


def test_fixed_is_its_value() -> None:
    with pm.Model(coords={"curve": ["a", "b"]}) as model:
        variable = Fixed(1.69).to_pymc("x", dims="curve")
    np.testing.assert_array_equal(variable.eval(mode="FAST_COMPILE"), [1.69, 1.69])
    assert not model.free_RVs


def test_other_objects_are_not_priors() -> None:
    assert not isinstance(0.5, Prior)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Normal(0.0, 0.0),
            "Normal(mean=0.0, sd=0.0): sd must be a finite number above 0, got 0.0",
        ),
        (
            lambda: LogNormal(-1.0, 2.0),
            "LogNormal(median=-1.0, factor=2.0): median must be a finite number above 0, got -1.0",
        ),
        (
            lambda: LogNormal(1.0, 1.0),
            "LogNormal(median=1.0, factor=1.0): factor must be a finite number above 1, got 1.0",
        ),
        (
            lambda: LogitNormal(1.0, 1.0),
            "LogitNormal(median=1.0, sd=1.0): median must be a number between 0 and 1, got 1.0",
        ),
        (
            lambda: LogitNormal(0.5, -1.0),
            "LogitNormal(median=0.5, sd=-1.0): sd must be a finite number above 0, got -1.0",
        ),
        (
            lambda: HalfNormal(np.nan),
            "HalfNormal(sd=nan): sd must be a finite number above 0, got nan",
        ),
    ],
)
def test_errors_name_the_argument(make: object, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        make()  # type: ignore[operator]
    assert str(error.value) == message
