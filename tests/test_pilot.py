"""The quick look at each curve that places the sampler."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayeslaw.coordinates import coordinates
from bayeslaw.design import Design, design_of, prior_of
from bayeslaw.law import law
from bayeslaw.laws import broken, double_power, find, log_linear, power, pure_power
from bayeslaw.model import Model
from bayeslaw.optima import is_plain
from bayeslaw.parameters import Amplitude, Exponent, Floor
from bayeslaw.pilot import Pilot, fly, several
from bayeslaw.priors import HalfNormal, LogNormal, Normal
from bayeslaw.runs import RunsError, grid, read_runs

TRUTH = {
    "slow": {"L0": 1.5, "k": 2.0, "alpha": 0.2},
    "fast": {"L0": 0.5, "k": 1.0, "alpha": 0.5},
}


def table(sizes: Any, sigma: float = 0.0, seed: int = 1, **columns: Any) -> pd.DataFrame:
    """Two curves with the truth above at a reference of 1e6."""
    rng, rows = np.random.default_rng(seed), []
    for task, truth in TRUTH.items():
        loss = power(np.asarray(sizes) / 1e6, **truth)
        loss = loss * np.exp(sigma * rng.normal(size=loss.size))
        rows.append(pd.DataFrame({"N": sizes, "loss": loss, "task": task, **columns}))
    return pd.concat(rows)


def read(frame: pd.DataFrame, **options: Any) -> xr.Dataset:
    return read_runs(frame, predictors=["N"], groups=["task"], reference={"N": 1e6}, **options)


def flown(model: Model, runs: xr.Dataset) -> Pilot:
    return fly(model, coordinates(model), design_of(model, runs))


SIZES = np.geomspace(1e4, 1e9, 12)


# Design


def test_design_is_the_runs_as_arrays() -> None:
    runs = read(table([1e5, 1e6, 1e8], error=0.02), stderr="error")
    design = design_of(Model(power), runs)
    np.testing.assert_allclose(design.predictors[0], [0.1, 1, 100] * 2, rtol=1e-15)
    np.testing.assert_array_equal(design.response, runs["loss"])
    np.testing.assert_allclose(design.relative_error, 0.02 / runs["loss"])
    np.testing.assert_array_equal(design.curve, [0, 0, 0, 1, 1, 1])
    assert (design.n_curves, design.level) == (2, np.log(np.median(runs["loss"])))
    for end, value in {"smallest": 0.1, "largest": 100, "pivot": np.sqrt(10)}.items():
        np.testing.assert_allclose(getattr(design.frame, end)[0], [value] * 2, rtol=1e-14)


def test_design_without_standard_errors_has_none() -> None:
    assert not design_of(Model(power), read(table(SIZES))).relative_error.any()


def test_sums_are_over_the_runs_of_a_curve() -> None:
    design = design_of(Model(power), read(table([1e5, 1e6, 1e8])))
    values = np.arange(12.0).reshape(2, 6)
    np.testing.assert_array_equal(design.sums(values), [[3, 12], [21, 30]])


def test_a_predictor_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        design_of(Model(power.of("D")), read(table(SIZES)))
    assert str(error.value) == (
        "law 'power' needs the predictor 'D'; the runs have ['N']. Read it, or use law.of(...)"
    )


def test_runs_without_response_are_refused() -> None:
    runs = grid(N=[1e6, 1e7], task="slow")
    runs["N"].attrs["reference"] = 1e6
    with pytest.raises(RunsError, match="no response"):
        design_of(Model(power), runs)


# Priors


def test_default_priors_are_in_units_of_the_median_response() -> None:
    model = Model(power, priors={"alpha": LogNormal(0.35, 1.5)})
    roles = coordinates(model).roles
    assert prior_of(model, "k", roles["k"], 2.0) == Normal(2.0, 1.0)
    assert prior_of(model, "L0", roles["L0"], 2.0) == roles["L0"].prior
    assert prior_of(model, "alpha", roles["alpha"], 2.0) == LogNormal(0.35, 1.5)
    explicit = Model(power, priors={"L0": LogNormal(1.7, 1.1)})
    role = coordinates(explicit).roles["k"]
    found = prior_of(explicit, "k", role, np.log(3.0))
    assert isinstance(found, LogNormal)
    np.testing.assert_allclose([found.median, found.factor], [3.0, 4.5], rtol=1e-14)


# Flight


@pytest.mark.parametrize("priors", [{}, {"L0": LogNormal(1.0, 4.0)}], ids=["shares", "explicit"])
def test_noiseless_truth_is_found(priors: dict) -> None:
    model = Model(power, priors=priors)
    found = coordinates(model).parameters(flown(model, read(table(SIZES))).mode)
    for name in power.parameters:
        truth = [curve[name] for curve in TRUTH.values()]
        np.testing.assert_allclose(found[name], truth, rtol=1e-3, err_msg=name)


def test_mode_is_one_place_in_both_coordinates() -> None:
    model, runs = Model(power), read(table(SIZES, 0.01))
    system, design = coordinates(model), design_of(model, runs)
    pilot = fly(model, system, design)
    weight = dict.fromkeys(system.roles, 1.0)
    there = system.to_pivot({n: pilot.mode[n] for n in system.roles}, design.frame, weight)
    for name, value in there.items():
        np.testing.assert_allclose(pilot.pivot_mode[name], value, atol=1e-8)
    assert pilot.n_curves == 2
    assert set(pilot.mode) == {"L0", "k", "alpha", "sigma"}


def test_information_is_that_of_repeated_runs() -> None:
    # The variance of the mode over repeated noise, for what the data tell far better than the
    # prior. Student-t weights make little of Gaussian noise, hence the width of the bounds.
    repeated = [table(SIZES, 0.003, seed) for seed in range(120)]
    frame = pd.concat([f.assign(task=f["task"] + str(i)) for i, f in enumerate(repeated)])
    pilot = flown(Model(power), read(frame))
    for start in range(2):  # the curves of the table alternate
        mode, told = pilot.pivot_mode["k"][start::2], pilot.pivot_information["k"][start::2]
        ratio = np.var(mode, ddof=1) * np.median(told)
        # A variance of 120 draws has a relative standard error of sqrt(2 / 119) = .13.
        assert abs(np.log(ratio)) < np.log(1.4) + 4 * 0.13, ratio


def test_information_falls_with_noise_and_rises_with_runs() -> None:
    model = Model(power)
    few, many, noisy = (
        flown(model, read(table(sizes, sigma)))
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
    known, unknown = flown(Model(power), runs.drop_vars("stderr")), flown(Model(power), runs)
    assert np.all(unknown.pivot_information["k"] < known.pivot_information["k"] / 4)


def test_noise_is_found() -> None:
    pilot = flown(Model(power), read(table(np.geomspace(1e4, 1e9, 200), 0.02)))
    # Gaussian noise seen by Student-t eyes: a scale of .02 times about .81.
    error = 1 / np.sqrt(pilot.information["sigma"])
    z = (pilot.mode["sigma"] - np.log(0.02 * 0.81)) / error
    assert np.all(np.abs(z) < 4), z


def test_an_outlier_does_not_move_the_mode() -> None:
    frame = table(SIZES, 0.005)
    spoilt = frame.assign(loss=np.where(np.arange(len(frame)) == 4, 2.0, 1.0) * frame["loss"])
    model = Model(power)
    one, other = flown(model, read(frame)), flown(model, read(spoilt))
    error = 1 / np.sqrt(one.pivot_information["k"])
    assert np.all(np.abs(one.pivot_mode["k"] - other.pivot_mode["k"]) < 3 * error)


# Several optima


def broken_twice(sigma: float, **truth: float) -> xr.Dataset:
    """Sixty runs of a law with two breaks, which come with the parameters at 1e6."""
    sizes, rng = np.geomspace(1e4, 1e10, 60), np.random.default_rng(2)
    loss = broken(2)(sizes / 1e6, **truth) * np.exp(sigma * rng.normal(size=60))
    return read(pd.DataFrame({"N": sizes, "loss": loss, "task": "x"}))


@pytest.mark.filterwarnings("ignore:.*has one level:bayeslaw.runs.RunsWarning")
def test_the_better_of_two_breaks_is_found() -> None:
    # From the middle of the prior the search ends where noise of 6% explains the larger break.
    shape = {"f_1": 0.05, "f_2": 0.05, "c_1": 0.117, "c_2": -0.387, "g_2": 2903.0}
    runs = broken_twice(0.003, L0=0.05, k=2.8, alpha=0.15, d_1=0.06, **shape)
    pilot = flown(Model(broken(1)), runs)
    assert np.exp(pilot.mode["sigma"][0]) < 0.01
    np.testing.assert_allclose(np.exp(pilot.mode["d_1"]), 0.06 * 2904, rtol=0.2)
    np.testing.assert_allclose(pilot.mode["c_1"], -0.387, atol=0.05)


@pytest.mark.filterwarnings("ignore:.*has one level:bayeslaw.runs.RunsWarning")
def test_both_breaks_are_found() -> None:
    truth = {"L0": 0.1, "k": 2.0, "alpha": 0.1, "c_1": 0.3, "d_1": 1.0, "f_1": 0.1}
    truth |= {"c_2": -0.25, "g_2": 30.0, "f_2": 0.1}
    model = Model(broken(2))
    found = coordinates(model).parameters(flown(model, broken_twice(0.003, **truth)).mode)
    for name in ("c_1", "d_1", "c_2", "g_2"):
        np.testing.assert_allclose(found[name], truth[name], rtol=0.2, err_msg=name)


def test_each_curve_keeps_its_own_best() -> None:
    model, runs = Model(double_power), read(table(SIZES, 0.01))
    design = design_of(model, runs)
    optima = several(model, coordinates(model), design)
    best = fly(model, coordinates(model), design)
    for name, values in best.mode.items():
        np.testing.assert_array_equal(optima[0][name], values)
    assert all(values.shape == (2,) for optimum in optima for values in optimum.values())


@pytest.mark.parametrize(
    ("law", "plain"),
    [
        ("power", True),
        ("chinchilla", True),
        ("double_power", False),
        ("broken_1", False),
        ("plateau_power", False),
        ("sigmoid", False),
        ("log_linear", False),
    ],
)
def test_laws_that_are_plain_sums_of_powers(law: str, plain: bool) -> None:
    assert is_plain(coordinates(Model(find(law)))) is plain


def test_chosen_curves_may_come_twice() -> None:
    design = design_of(Model(power), read(table([1e5, 1e6, 1e8])))
    chosen = design.chosen(np.array([1, 0, 1]))
    np.testing.assert_array_equal(chosen.curve, [0, 0, 0, 1, 1, 1, 2, 2, 2])
    first, second = design.response[:3], design.response[3:]
    np.testing.assert_array_equal(chosen.response, [*second, *first, *second])
    assert chosen.n_curves == 3


def finite(pilot: Pilot) -> bool:
    return all(
        np.all(np.isfinite(value)) for part in vars(pilot).values() for value in part.values()
    ) and all(
        np.all(value > 0)
        for part in (pilot.information, pilot.pivot_information)
        for value in part.values()
    )


@law
def bent(N: Any, *, L0: Floor, k: Amplitude, alpha: Exponent) -> Any:
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
    "not a number": (Model(bent), table(SIZES)),
    "absurd prior": (Model(power, priors={"alpha": LogNormal(50.0, 1.01)}), table(SIZES)),
    "prior of another kind": (Model(power, priors={"alpha": HalfNormal(1.0)}), table(SIZES)),
}


@pytest.mark.filterwarnings("ignore:.*exact copies:bayeslaw.runs.RunsWarning")
@pytest.mark.parametrize("case", HARD)
def test_hard_curves_give_finite_places(case: str) -> None:
    model, frame = HARD[case]
    assert finite(flown(model, read(frame)))


def test_what_two_runs_do_not_tell_is_left_to_the_prior() -> None:
    pilot = flown(Model(power), read(table([1e6, 1e8], 0.01)))
    share, level = pilot.pivot_information["L0"], pilot.pivot_information["k"]
    assert np.all(share < 1)
    assert np.all(level > 20)


def test_curves_do_not_see_each_other() -> None:
    model, frame = Model(power), table(SIZES, 0.01)
    both = flown(model, read(frame))
    other = frame.assign(loss=np.where(frame["task"] == "fast", 1.1, 1.0) * frame["loss"])
    # The centre of the level's prior is the median response; keep it where it is.
    design = design_of(model, read(other))
    changed = fly(
        model, coordinates(model), _Levelled.of(design, design_of(model, read(frame)).level)
    )
    np.testing.assert_allclose(both.mode["k"][0], changed.mode["k"][0], atol=1e-12)
    np.testing.assert_allclose(both.mode["k"][1] + np.log(1.1), changed.mode["k"][1], atol=1e-2)


class _Levelled(Design):
    """A design with a level of our own."""

    @classmethod
    def of(cls, design: Design, level: float) -> Design:
        levelled = cls(**vars(replace(design)))
        object.__setattr__(levelled, "_level", level)
        return levelled

    @property
    def level(self) -> float:
        return self._level  # type: ignore[attr-defined]
