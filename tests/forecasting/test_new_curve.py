"""Parameters of a new curve, drawn from a population."""

from __future__ import annotations

import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw.fitting.population import load_population, population
from bayeslaw.forecasting.new_curve import new_curve


def test_a_fit_and_its_population_agree(crossed_fit: bl.Fit) -> None:
    """The population is a normal fitted to what the fit's own draws give."""
    drawn, summed = new_curve(crossed_fit), new_curve(population(crossed_fit))
    for name in ("alpha", "sigma"):
        from_fit, from_population = (
            np.log(draws[name].values.ravel()) for draws in (drawn, summed)
        )
        error = from_fit.std() / np.sqrt(from_fit.size / 5)  # draws are dependent
        assert from_fit.mean() == pytest.approx(from_population.mean(), abs=4 * error)
        assert from_fit.std() == pytest.approx(from_population.std(), rel=0.25)
    assert {*drawn} == {*summed} == {"L0", "k", "alpha", "sigma"}


def test_a_new_curve_differs_from_the_typical_one(crossed_fit: bl.Fit) -> None:
    typical = crossed_fit.tree["posterior"]["alpha_population"]
    assert new_curve(crossed_fit)["alpha"].std() > 1.2 * typical.std()


@pytest.mark.parametrize("name", ["few_shot_error", "learning_curves", "small_language_models"])
def test_populations_of_the_package_have_new_curves(name: str) -> None:
    """Exponents are pooled by their logarithm, so the median is that of the prior."""
    prior = load_population(name)
    drawn = new_curve(prior)
    assert {*drawn} == {parameter for parameter in prior if not parameter.startswith("sd_")}
    for exponent in {"alpha", "beta"} & {*drawn}:
        logs = np.log(drawn[exponent].values.ravel())
        expected = prior[exponent]
        error = expected.sd / np.sqrt(logs.size)
        assert logs.mean() == pytest.approx(expected.mean, abs=4 * error)


def test_the_seed_is_chosen(crossed_fit: bl.Fit) -> None:
    for source in (crossed_fit, load_population("few_shot_error")):
        first = new_curve(source, random_seed=1)
        assert first.identical(new_curve(source, random_seed=1))
        assert not np.allclose(first["alpha"], new_curve(source)["alpha"])


def test_a_fit_without_pooling_is_refused(lone_fit: bl.Fit) -> None:
    with pytest.raises(ValueError, match="not pooled"):
        new_curve(lone_fit)
