"""Laplace approximation of each curve: MAP mode and information."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from two_curves import SIZES, TRUTH, read, table

from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.coordinates import Frame, coordinates
from bayeslaw._inference.laplace import (
    LaplaceApproximation,
    TypicalCurve,
    laplace_approximation,
)
from bayeslaw._inference.map_mode.gls import GlsExpansion
from bayeslaw._inference.map_mode.problem import MapProblem
from bayeslaw._kernels.stages.curves import information_ratio
from bayeslaw._law.law import law
from bayeslaw._law.roles import Amplitude, Exponent, Floor
from bayeslaw.data.runs import read_runs
from bayeslaw.laws import broken, chinchilla, double_power, log_linear, power, pure_power
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian, StudentT, Undertuned
from bayeslaw.priors import Fixed, HalfNormal, LogNormal


def laplace_of(model: Model, runs: xr.Dataset) -> LaplaceApproximation:
    return laplace_approximation(bind(model, runs))


# Modes


@pytest.mark.parametrize("priors", [{}, {"L0": LogNormal(1.0, 4.0)}], ids=["shares", "explicit"])
def test_noiseless_truth_is_recovered(priors: dict) -> None:
    model = Model(power, priors=priors)
    estimates = coordinates(model).parameters(laplace_of(model, read(table(SIZES))).mode)
    for name in power.parameters:
        truth = [curve[name] for curve in TRUTH.values()]
        np.testing.assert_allclose(estimates[name], truth, rtol=1e-3, err_msg=name)


def test_the_mode_is_the_same_point_in_both_coordinates() -> None:
    model, runs = Model(power, pooling=None), read(table(SIZES, 0.01))
    bound = bind(model, runs)
    system, run_arrays, laplace = bound.coordinates, bound.run_arrays, laplace_approximation(bound)
    weight = dict.fromkeys(system.roles, 1.0)
    pivot = system.to_pivot({n: laplace.mode[n] for n in system.roles}, run_arrays.frame, weight)
    for name, value in pivot.items():
        np.testing.assert_allclose(laplace.pivot_mode[name], value, atol=1e-8)
    assert laplace.n_curves == 2
    for values in (
        laplace.mode, laplace.information, laplace.pivot_mode, laplace.pivot_information
    ):  # fmt: skip
        assert set(values) == {"L0", "k", "alpha", "sigma", "tau"}


@pytest.mark.parametrize(
    ("law", "noise", "discrepancy", "names"),
    [
        (power, Gaussian(), None, ["sigma"]),
        (power, Gaussian(varies_with="N"), None, ["sigma", "sigma_slope"]),
        (power, Undertuned(), Brownian(), ["sigma", "excess", "tau"]),
        (chinchilla, StudentT(), Brownian(), ["sigma", "tau_N", "tau_D"]),
    ],
)
def test_every_noise_parameter_has_a_mode(
    law: Any, noise: Any, discrepancy: Any, names: list[str]
) -> None:
    frame = table(SIZES, 0.01, D=np.tile(np.geomspace(1e8, 1e10, 4), 3))
    runs = read_runs(frame, predictors=["N", "D"], groups=["task"])
    model = Model(law, noise=noise, discrepancy=discrepancy)
    laplace = laplace_of(model, runs)
    assert list(laplace.mode)[len(law.parameters) :] == names
    assert finite(laplace)


@pytest.mark.parametrize("discrepancy", [None, Brownian()], ids=["exact", "discrepancy"])
def test_noise_may_be_known_altogether(discrepancy: Brownian | None) -> None:
    known = {"sigma": Fixed(0.01)} | ({"tau": Fixed(0.01)} if discrepancy else {})
    model = Model(power, pooling=["task"], discrepancy=discrepancy, priors=known)
    assert set(laplace_of(model, read(table(SIZES))).mode) == {"L0", "k", "alpha"}


def test_a_parameter_without_information_keeps_its_prior() -> None:
    model = Model(power, pooling=None, noise=Undertuned(), priors={"excess": LogNormal(0.05, 3.0)})
    laplace = laplace_of(model, read(table(SIZES, 0.01)))
    np.testing.assert_allclose(laplace.mode["excess"], np.log(0.05), rtol=1e-12)
    assert np.all(laplace.information["excess"] < 0.01 / np.log(3.0) ** 2)


@pytest.mark.parametrize("pooling", [(), None])
def test_noise_that_is_known_leaves_little_to_a_discrepancy(pooling: Any) -> None:
    """And the other way round."""
    runs = read(table(SIZES, 0.02))
    by_known = {
        name: laplace_of(Model(power, pooling=pooling, priors={name: Fixed(0.02)}), runs)
        for name in ("sigma", "tau")
    }
    both = laplace_of(Model(power, pooling=pooling), runs)
    for name, other in [("sigma", "tau"), ("tau", "sigma")]:
        assert name not in by_known[name].mode
        assert np.all(by_known[name].mode[other] < np.log(0.02))
        assert finite(by_known[name])
    assert np.all(by_known["tau"].information["k"] < both.information["k"] * 1.5)


def test_a_discrepancy_is_recovered_and_lowers_the_information_on_the_law() -> None:
    """Sixty curves, each with a Brownian discrepancy of its own."""
    rng, rows = np.random.default_rng(7), []
    sizes = np.geomspace(1e4, 1e9, 41)
    steps = 0.02 * np.sqrt(np.log(sizes[1] / sizes[0])) * rng.normal(size=(60, 41))
    brownian = np.cumsum(steps, axis=1) - np.cumsum(steps, axis=1)[:, [20]]
    for i, discrepancy in enumerate(brownian):
        loss = power(sizes / 1e6, **TRUTH["slow"]) * np.exp(
            discrepancy + 0.01 * rng.normal(size=41)
        )
        rows.append(pd.DataFrame({"N": sizes, "loss": loss, "task": str(i)}))
    runs = read(pd.concat(rows))
    laplace = laplace_of(Model(power, pooling=None), runs)
    plain = laplace_of(Model(power, pooling=None, discrepancy=None), runs)
    for name, truth in [("tau", 0.02), ("sigma", 0.01)]:
        z = (laplace.mode[name] - np.log(truth)) * np.sqrt(laplace.information[name])
        # At the joint mode the law has absorbed part of the discrepancy.
        assert abs(np.median(z)) < 1.5, name
        assert 0.7 < stats.median_abs_deviation(z, scale="normal") < 2.0, name
    for name in ("L0", "k", "alpha"):
        assert np.all(laplace.information[name] < plain.information[name]), name
    level = np.log(TRUTH["slow"]["L0"] + TRUTH["slow"]["k"])
    z, without = ((p.mode["k"] - level) * np.sqrt(p.information["k"]) for p in (laplace, plain))
    assert abs(np.median(z)) < 4 * 1.25 / np.sqrt(60)
    # Some curves take the discrepancy for noise, and then overstate their information on the level.
    assert stats.median_abs_deviation(z, scale="normal") < 1.5
    assert z.std() < 0.7 * without.std()


def test_information_is_that_of_repeated_runs() -> None:
    # The variance of the mode over repeated noise, for a parameter with far more information than
    # the prior. Student-t weights lose some information on Gaussian noise: the bounds are wide.
    repeated = [table(SIZES, 0.003, seed) for seed in range(120)]
    frame = pd.concat([f.assign(task=f["task"] + str(i)) for i, f in enumerate(repeated)])
    laplace = laplace_of(Model(power, discrepancy=None), read(frame))
    for start in range(2):  # the curves of the table alternate
        mode, information = (
            laplace.pivot_mode["k"][start::2],
            laplace.pivot_information["k"][start::2],
        )
        ratio = np.var(mode, ddof=1) * np.median(information)
        # A variance of 120 draws has a relative standard error of sqrt(2 / 119) = .13.
        assert abs(np.log(ratio)) < np.log(1.4) + 4 * 0.13, ratio


def test_information_falls_with_noise_and_rises_with_runs() -> None:
    model = Model(power)
    few, many, noisy = (
        laplace_of(model, read(table(sizes, sigma)))
        for sizes, sigma in [
            (SIZES, 0.005),
            (np.geomspace(1e4, 1e9, 48), 0.005),
            (SIZES, 0.05),
        ]
    )
    for name in power.parameters:
        assert np.all(noisy.pivot_information[name] < few.pivot_information[name]), name
    assert np.all(few.pivot_information["k"] < many.pivot_information["k"])
    assert np.all(few.information["sigma"] < many.information["sigma"])
    assert np.all(few.mode["sigma"] < noisy.mode["sigma"])


def test_information_falls_with_standard_errors() -> None:
    runs = read(table(SIZES, 0.005, error=0.1), stderr="error")
    known, unknown = (
        laplace_of(Model(power), runs.drop_vars("stderr")),
        laplace_of(Model(power), runs),
    )
    assert np.all(unknown.pivot_information["k"] < known.pivot_information["k"] / 4)


@pytest.mark.parametrize(
    ("log_ratios", "error"),
    [
        ((0.0, 0.0), 1e-9),
        ((0.1, 0.0), 0.01),
        ((0.0, -0.1), 0.01),
        ((-0.7, -0.7), 0.1),  # exact without a prior
        ((-8.0, 0.0), 1.0),  # far off: about right is enough
    ],
)
def test_local_expansion_gives_the_information_at_other_noise(
    log_ratios: tuple[float, float], error: float
) -> None:
    model = Model(power, pooling=None)
    bound = bind(model, read(table(np.geomspace(1e4, 1e9, 11), 0.02)))
    system, laplace, problem = (
        bound.coordinates,
        laplace_approximation(bound),
        MapProblem.of(bound),
    )
    discrepancy, expansion = bound.discrepancy, laplace.expansion
    assert discrepancy is not None
    eta = np.array([laplace.pivot_mode[name] for name in system.roles])
    log_scales = np.array([laplace.pivot_mode[name] for name in ("sigma", "tau")])
    gls = GlsExpansion(problem, discrepancy, eta, log_scales)
    at_mode, at_other = (
        np.array([*gls.information(np.array(by)).values()]) for by in ((0.0, 0.0), log_ratios)
    )
    variance = np.full((2, eta.shape[1]), np.exp(2 * np.array(log_ratios))[:, None])
    ratio, shift_fraction = (
        np.array(
            [
                [
                    information_ratio.py_func(
                        i, g, variance, expansion.noise_alone, expansion.noise_share
                    )[k]
                    for g in range(eta.shape[1])
                ]
                for i in range(eta.shape[0])
            ]
        )
        for k in (0, 1)
    )
    np.testing.assert_allclose(ratio, at_other / at_mode, rtol=error)
    shift = gls.mode(np.array(log_ratios)) - eta
    if log_ratios[0] == -8:  # the run at the pivot determines the level
        level = list(system.roles).index("k")
        np.testing.assert_allclose(ratio[level], (at_other / at_mode)[level], rtol=0.01)
        np.testing.assert_allclose(
            (shift_fraction * expansion.noise_shift)[level], shift[level], atol=1e-3
        )


def test_the_typical_curve_has_the_modes_at_its_pivot() -> None:
    model = Model(power)
    bound = bind(model, read(table(SIZES, 0.005)))
    run_arrays, system = bound.run_arrays, bound.coordinates
    laplace, names = laplace_approximation(bound), (*system.roles, "sigma", "tau")
    one, *others = (tuple(x[0] for x in end) for end in run_arrays.frame.ends)  # both have the same
    typical = TypicalCurve.of(system, Frame(one, *others), laplace, names)
    n = len(system.roles)
    np.testing.assert_allclose(typical.mode, [laplace.pivot_mode[m] for m in names], atol=0.3)
    information = np.linalg.inv(typical.covariance)
    np.testing.assert_allclose(information[:, :n, :n], laplace.expansion.fisher, rtol=0.1, atol=3)
    noise = [laplace.pivot_information[m] for m in names[n:]]
    np.testing.assert_allclose(np.einsum("gii->ig", information)[n:], noise)
    np.testing.assert_array_equal(typical.jacobian[:, n:], [np.eye(len(names))[n:]] * 2)
    steeper = {m: laplace.mode[m] + 1e-3 * (m == "alpha") for m in system.roles}
    whole = dict.fromkeys(system.roles, 1.0)
    before, after = (
        np.array([*system.to_pivot(at, run_arrays.frame, whole).values()])
        for at in ({m: laplace.mode[m] for m in system.roles}, steeper)
    )
    np.testing.assert_allclose((after - before) / 1e-3, typical.jacobian[:, :n, 2].T, atol=1e-3)


def test_noise_is_recovered() -> None:
    model = Model(power, discrepancy=None)
    laplace = laplace_of(model, read(table(np.geomspace(1e4, 1e9, 200), 0.02)))
    # The Student-t scale of Gaussian noise is about .81 times its sd.
    error = 1 / np.sqrt(laplace.information["sigma"])
    z = (laplace.mode["sigma"] - np.log(0.02 * 0.81)) / error
    assert np.all(np.abs(z) < 4), z


def test_noise_is_not_underestimated_from_few_runs() -> None:
    # The law has three parameters, which absorb half of the variance of six residuals.
    curves, rng = 400, np.random.default_rng(1)
    frame = pd.DataFrame({"N": np.tile(np.geomspace(1e5, 1e9, 6), curves)})
    frame["task"] = np.repeat(np.arange(curves).astype(str), 6)
    frame["loss"] = 1 + 3 * (frame["N"] / 1e6) ** -0.3
    frame["loss"] *= np.exp(0.02 * rng.normal(size=len(frame)))
    model = Model(power, noise=Gaussian(), discrepancy=None, pooling=None)
    log_sigma = laplace_of(model, read_runs(frame, predictors=["N"], groups=["task"])).mode["sigma"]
    variance = np.exp(2 * log_sigma) / 0.02**2
    error = variance.std() / np.sqrt(curves)
    assert abs(variance.mean() - 1) < 3 * error + 0.1, variance.mean()


def test_curves_with_as_many_runs_as_parameters_do_not_determine_the_noise() -> None:
    model = Model(power, discrepancy=None, pooling=None)
    laplace = laplace_of(model, read(table(SIZES[:3], 0.01)))
    more = laplace_of(model, read(table(SIZES, 0.01)))
    assert np.all(laplace.information["sigma"] < 1)
    assert np.all(more.information["sigma"] > 8)
    assert np.all(laplace.mode["sigma"] > more.mode["sigma"] - 0.5)


@pytest.mark.parametrize("discrepancy", [None, Brownian()], ids=["exact", "discrepancy"])
def test_the_likelihood_and_the_prior_have_the_mode_of_the_posterior(
    discrepancy: Brownian | None,
) -> None:
    bound = bind(Model(power, discrepancy=discrepancy, pooling=None), read(table(SIZES, 0.01)))
    laplace, problem = laplace_approximation(bound), MapProblem.of(bound)
    precision = np.linalg.inv(laplace.law.covariance)
    prior, center = problem.prior.precision[:, 0], problem.prior.center.T
    score = np.einsum("gpq,qg->gp", precision, laplace.law.mode) + prior * center
    mode = np.linalg.solve(precision + np.diag(prior), score[..., None])[..., 0]
    eta = problem.law.eta(mode.T)
    expected = [laplace.pivot_mode[name] for name in problem.law.names]
    sd = [laplace.pivot_information[name] ** -0.5 for name in problem.law.names]
    assert np.all(np.abs(eta - expected) < 0.2 * np.array(sd))


def test_an_outlier_does_not_move_the_mode() -> None:
    frame = table(SIZES, 0.005)
    with_outlier = frame.assign(loss=np.where(np.arange(len(frame)) == 4, 2.0, 1.0) * frame["loss"])
    model = Model(power, discrepancy=None)
    one, other = laplace_of(model, read(frame)), laplace_of(model, read(with_outlier))
    error = 1 / np.sqrt(one.pivot_information["k"])
    assert np.all(np.abs(one.pivot_mode["k"] - other.pivot_mode["k"]) < 3 * error)


# Several modes


def broken_twice(sigma: float, **truth: float) -> xr.Dataset:
    """Sixty runs of a law with two breaks, which come with the parameters at 1e6."""
    sizes, rng = np.geomspace(1e4, 1e10, 60), np.random.default_rng(2)
    loss = broken(2)(sizes / 1e6, **truth) * np.exp(sigma * rng.normal(size=60))
    return read(pd.DataFrame({"N": sizes, "loss": loss, "task": "x"}))


@pytest.mark.filterwarnings("ignore:.*has one level:bayeslaw.errors.RunsWarning")
def test_the_better_of_two_breaks_wins() -> None:
    # From the prior mean the search ends in a mode that explains the larger break by 6% noise.
    shape = {"f_1": 0.05, "f_2": 0.05, "c_1": 0.117, "c_2": -0.387, "g_2": 2903.0}
    runs = broken_twice(0.003, L0=0.05, k=2.8, alpha=0.15, d_1=0.06, **shape)
    laplace = laplace_of(Model(broken(1)), runs)
    assert np.exp(laplace.mode["sigma"][0]) < 0.01
    np.testing.assert_allclose(np.exp(laplace.mode["d_1"]), 0.06 * 2904, rtol=0.2)
    np.testing.assert_allclose(laplace.mode["c_1"], -0.387, atol=0.05)


@pytest.mark.filterwarnings("ignore:.*has one level:bayeslaw.errors.RunsWarning")
def test_both_breaks_are_recovered() -> None:
    truth = {"L0": 0.1, "k": 2.0, "alpha": 0.1, "c_1": 0.3, "d_1": 1.0, "f_1": 0.1}
    truth |= {"c_2": -0.25, "g_2": 30.0, "f_2": 0.1}
    model = Model(broken(2))
    estimates = coordinates(model).parameters(laplace_of(model, broken_twice(0.003, **truth)).mode)
    for name in ("c_1", "d_1", "c_2", "g_2"):
        np.testing.assert_allclose(estimates[name], truth[name], rtol=0.2, err_msg=name)


def test_each_curve_has_its_own_best_mode() -> None:
    model, runs = Model(double_power, pooling=None), read(table(SIZES, 0.003))
    best = laplace_of(model, runs)
    modes = best.distinct_modes
    assert len(modes) > 1
    for name, values in best.mode.items():
        np.testing.assert_array_equal(modes[0][name], values)
    assert all(values.shape == (2,) for mode in modes for values in mode.values())


def finite(laplace: LaplaceApproximation) -> bool:
    return all(
        np.all(np.isfinite(value))
        for part in (laplace.mode, laplace.pivot_mode, vars(laplace.expansion))
        for value in part.values()
    ) and all(
        np.all(value > 0)
        for part in (laplace.information, laplace.pivot_information)
        for value in part.values()
    )


@law
def undefined_when_large(N: Any, *, L0: Floor, k: Amplitude, alpha: Exponent) -> Any:
    return (L0 + k * N**-alpha) * np.sqrt(3 - N**alpha)  # not a number beyond a size


HARD = {
    "two sizes": (Model(power), table([1e6, 1e8])),
    "one size": (Model(power), table([1e6, 1e6], 0.01)),
    "one run": (Model(power), table([1e6])),
    "rising": (Model(power), table(SIZES).assign(loss=np.tile(np.geomspace(1, 5, 12), 2))),
    "no floor": (Model(power), table(SIZES).assign(loss=np.tile(np.geomspace(5, 1e-3, 12), 2))),
    "constant": (Model(power), table(SIZES).assign(loss=2.0)),
    "enormous": (Model(power), table(SIZES).assign(loss=lambda frame: 1e12 * frame["loss"])),
    "far from the reference": (Model(power), table(SIZES * 1e12)),
    "log-linear": (Model(log_linear), table(SIZES)),
    "pure power": (Model(pure_power), table(SIZES)),
    "not a number": (Model(undefined_when_large), table(SIZES)),
    "absurd prior": (Model(power, priors={"alpha": LogNormal(50.0, 1.01)}), table(SIZES)),
    "prior of another kind": (Model(power, priors={"alpha": HalfNormal(1.0)}), table(SIZES)),
}


@pytest.mark.filterwarnings("ignore:.*exact copies:bayeslaw.errors.RunsWarning")
@pytest.mark.parametrize("case", HARD)
def test_hard_curves_give_finite_modes(case: str) -> None:
    model, frame = HARD[case]
    assert finite(laplace_of(model, read(frame)))


def test_two_runs_say_little_about_the_floor() -> None:
    laplace = laplace_of(Model(power, pooling=None), read(table([1e6, 1e8], 0.01)))
    share, level = laplace.pivot_information["L0"], laplace.pivot_information["k"]
    assert np.all(share < 1)
    assert np.all(level > 20)


def test_curves_are_independent_without_pooling() -> None:
    model, frame = Model(power, pooling=None), table(SIZES, 0.01)
    both = laplace_of(model, read(frame))
    other = frame.assign(loss=np.where(frame["task"] == "fast", 1.1, 1.0) * frame["loss"])
    # The centre of the level's prior is the median response; keep it where it is.
    bound, unit = bind(model, read(other)), bind(model, read(frame)).run_arrays.unit
    same_unit = replace(bound, run_arrays=replace(bound.run_arrays, unit=unit))
    changed = laplace_approximation(same_unit)
    np.testing.assert_allclose(both.mode["k"][0], changed.mode["k"][0], atol=1e-12)
    np.testing.assert_allclose(both.mode["k"][1] + np.log(1.1), changed.mode["k"][1], atol=1e-2)
