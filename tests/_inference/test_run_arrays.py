"""Runs as arrays, and the priors that are in units of the runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from two_curves import SIZES, read, table

from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.run_arrays import population_prior, run_arrays_of
from bayeslaw.data.runs import grid
from bayeslaw.errors import RunsError
from bayeslaw.laws import power
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian
from bayeslaw.priors import LogNormal, Normal
from bayeslaw.response_scales import LogitScale, LogScale, RawScale


def test_run_arrays_are_the_runs_as_arrays() -> None:
    runs = read(table([1e5, 1e6, 1e8], error=0.02), stderr="error")
    run_arrays = run_arrays_of(Model(power), runs)
    np.testing.assert_allclose(run_arrays.predictors[0], [0.1, 1, 100] * 2, rtol=1e-15)
    np.testing.assert_array_equal(run_arrays.response, runs["loss"])
    np.testing.assert_array_equal(run_arrays.curve, [0, 0, 0, 1, 1, 1])
    assert (run_arrays.n_curves, run_arrays.unit) == (2, np.median(runs["loss"]))
    assert run_arrays.level == np.log(run_arrays.unit)
    for end, value in {"smallest": 0.1, "largest": 100, "pivot": np.sqrt(10)}.items():
        np.testing.assert_allclose(getattr(run_arrays.frame, end)[0], [value] * 2, rtol=1e-14)


@pytest.mark.parametrize(
    ("scale", "value", "slope"),
    [
        (LogScale(), np.log, lambda loss: 1 / loss),
        (RawScale(), lambda loss: loss / np.median(loss), lambda loss: 1 / np.median(loss)),
        (
            LogitScale(0.25, 16.0),
            lambda loss: np.log((loss - 0.25) / (16 - loss)),
            lambda loss: 15.75 / (loss - 0.25) / (16 - loss),
        ),
    ],
)
def test_values_and_known_errors_are_on_the_scale_of_the_noise(
    scale: Any, value: Any, slope: Any
) -> None:
    runs = read(table([1e5, 1e6, 1e8], error=0.02), stderr="error")
    run_arrays, loss = run_arrays_of(Model(power, noise=Gaussian(scale)), runs), runs["loss"].values
    np.testing.assert_allclose(run_arrays.values, value(loss), rtol=1e-12)
    np.testing.assert_allclose(run_arrays.known_error, 0.02 * slope(loss), rtol=1e-12)


def test_run_arrays_without_standard_errors_have_none() -> None:
    assert not run_arrays_of(Model(power), read(table(SIZES))).known_error.any()


def test_responses_outside_the_scale_are_named() -> None:
    runs = read(table([1e5, 1e6, 1e8]))
    model = Model(power, noise=Gaussian(LogitScale(0.25, 3.0)))
    with pytest.raises(ValueError) as error:  # noqa: PT011
        run_arrays_of(model, runs)
    assert str(error.value) == (
        "3 responses are outside LogitScale(lower=0.25, upper=3.0), the first in run "
        f"{runs['run'].values[0]}: loss = {runs['loss'].values[0]:g}; drop them, or give the "
        "noise another scale"
    )


def test_position_is_in_e_folds_from_the_middle_of_the_curve() -> None:
    frame = pd.concat([table([1e5, 1e6, 1e7])[:3], table([1e6, 1e9])[2:]])
    run_arrays = run_arrays_of(Model(power), read(frame))
    expected = [[*np.log([0.1, 1.0, 10.0]), *np.log([1 / 1000**0.5, 1000**0.5])]]
    np.testing.assert_allclose(run_arrays.position, expected, atol=1e-12)
    # Where there is no curve yet, from the reference.
    position = run_arrays.position_of(np.array([[10.0, 10.0, 10.0]]), np.array([0, 1, 2]))
    middle = np.log([1.0, 1000**0.5, 1.0])
    np.testing.assert_allclose(position, [np.log(10.0) - middle], atol=1e-12)


def test_sums_are_over_the_runs_of_a_curve() -> None:
    run_arrays = run_arrays_of(Model(power), read(table([1e5, 1e6, 1e8])))
    values = np.arange(12.0).reshape(2, 6)
    np.testing.assert_array_equal(run_arrays.sums(values), [[3, 12], [21, 30]])


def test_a_predictor_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        run_arrays_of(Model(power.of("D")), read(table(SIZES)))
    assert str(error.value) == (
        "law 'power' needs the predictor 'D'; the runs have ['N']. Read it, or use law.of(...)"
    )


def test_runs_without_response_are_refused() -> None:
    runs = grid(N=[1e6, 1e7], task="slow")
    runs["N"].attrs["reference"] = 1e6
    with pytest.raises(RunsError, match="no response"):
        run_arrays_of(Model(power), runs)


# Priors


def test_default_priors_are_in_units_of_the_median_response() -> None:
    model = Model(power, priors={"alpha": LogNormal(0.35, 1.5)})
    roles = coordinates(model).roles
    assert population_prior(model, "k", roles["k"], 2.0) == Normal(2.0, 1.0)
    assert population_prior(model, "L0", roles["L0"], 2.0) == roles["L0"].prior
    assert population_prior(model, "alpha", roles["alpha"], 2.0) == LogNormal(0.35, 1.5)
    explicit = Model(power, priors={"L0": LogNormal(1.7, 1.1)})
    role = coordinates(explicit).roles["k"]
    prior = population_prior(explicit, "k", role, np.log(3.0))
    assert isinstance(prior, LogNormal)
    np.testing.assert_allclose([prior.median, prior.factor], [3.0, 4.5], rtol=1e-14)


def test_selected_curves_may_repeat() -> None:
    run_arrays = run_arrays_of(Model(power), read(table([1e5, 1e6, 1e8])))
    selected = run_arrays.select_curves(np.array([1, 0, 1]))
    np.testing.assert_array_equal(selected.curve, [0, 0, 0, 1, 1, 1, 2, 2, 2])
    first, second = run_arrays.response[:3], run_arrays.response[3:]
    np.testing.assert_array_equal(selected.response, [*second, *first, *second])
    np.testing.assert_array_equal(selected.values, np.log(selected.response))
    assert selected.known_error.shape == (9,)
    assert selected.unit == run_arrays.unit
    assert selected.n_curves == 3
