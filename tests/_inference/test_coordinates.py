"""Coordinate systems of laws: maps, their inverses and their determinants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import expit

from bayeslaw import laws
from bayeslaw._inference.coordinates import (
    Coordinates,
    Frame,
    LevelAndTrend,
    LinkScale,
    SingleTerm,
    SumOfTerms,
    coordinates,
)
from bayeslaw._law.law import law
from bayeslaw._law.roles import Amplitude, Exponent, Floor, Fraction, Scale
from bayeslaw.laws import log_linear, power, pure_power
from bayeslaw.model.model import Model
from bayeslaw.priors import Fixed, HalfNormal, LogNormal


@law
def shifted(N: Any, *, L0: Floor, k: Amplitude, c: Scale, alpha: Exponent) -> Any:
    return L0 + k * (1 + N / c) ** -alpha


@law
def chinchilla(
    N: Any, D: Any, *, E: Floor, A: Amplitude, alpha: Exponent, B: Amplitude, beta: Exponent
) -> Any:
    return E + A * N**-alpha + B * D**-beta


@law(unitless=("N", "D"))
def unitless_sum(
    N: Any, D: Any, *, E: Floor, A: Amplitude, alpha: Exponent, B: Amplitude, beta: Exponent
) -> Any:
    return E + A * N**-alpha + B * D**-beta


@law
def product(N: Any, *, L0: Floor, k: Amplitude, w: Fraction) -> Any:
    return L0 * (1 + k * w / N)


@law
def summed_inside(N: Any, D: Any, *, A: Amplitude, B: Amplitude, g: Exponent) -> Any:
    return (A / N + B / D) ** g


ANY = LogNormal(1.0, 2.0)
CASES: dict[str, tuple[Model, type]] = {
    "power": (Model(power), SumOfTerms),
    "power, prior of the floor": (Model(power, priors={"L0": ANY}), SumOfTerms),
    "power, prior of the amplitude": (Model(power, priors={"k": ANY}), SumOfTerms),
    "power, prior of the exponent": (Model(power, priors={"alpha": ANY}), SumOfTerms),
    "power, known floor": (Model(power, priors={"L0": Fixed(0.7)}), SumOfTerms),
    "power, no floor": (Model(power, priors={"L0": Fixed(0.0)}), SumOfTerms),
    "power, known amplitude": (Model(power, priors={"k": Fixed(0.7)}), SumOfTerms),
    "power, known exponent": (Model(power, priors={"alpha": Fixed(0.7)}), SumOfTerms),
    "pure power": (Model(pure_power), SingleTerm),
    "pure power, known exponent": (Model(pure_power, priors={"alpha": Fixed(0.3)}), SingleTerm),
    "pure power, known scale": (Model(pure_power, priors={"N_c": Fixed(3.0)}), LinkScale),
    "pure power, prior of the scale": (Model(pure_power, priors={"N_c": ANY}), LinkScale),
    "log-linear": (Model(log_linear), LevelAndTrend),
    "log-linear, prior of the constant": (Model(log_linear, priors={"a": ANY}), LinkScale),
    "shifted": (Model(shifted), SumOfTerms),
    "shifted, known scale": (Model(shifted, priors={"c": Fixed(2.0)}), SumOfTerms),
    "sum": (Model(chinchilla), SumOfTerms),
    "sum, tied exponents": (Model(chinchilla, tie={"beta": "alpha"}), SumOfTerms),
    "sum, tied amplitudes": (Model(unitless_sum, tie={"B": "A"}), LinkScale),
    "sum, known floor": (Model(chinchilla, priors={"E": Fixed(1.69)}), SumOfTerms),
    "sum, no floor": (Model(chinchilla, priors={"E": Fixed(0.0)}), SumOfTerms),
    "sum, known term": (Model(chinchilla, priors={"A": Fixed(0.7)}), SumOfTerms),
    "sum, prior of a term": (Model(chinchilla, priors={"B": ANY}), SumOfTerms),
    "product": (Model(product), LinkScale),
    "sum inside a power": (Model(summed_inside), LinkScale),
}
every_case = pytest.mark.parametrize("case", CASES)
COORDINATE = st.floats(-3, 2)


def frames(n: int) -> st.SearchStrategy[Frame]:
    """Ranges of a curve that lie below, about or above the reference."""

    def frame(ends: list[tuple[float, float]]) -> Frame:
        low = tuple(float(np.exp(min(pair))) for pair in ends)
        high = tuple(float(np.exp(max(pair))) for pair in ends)
        return Frame(
            tuple(float(np.sqrt(a * b)) for a, b in zip(low, high, strict=True)), low, high
        )

    exponent = st.floats(-6, 6)
    return st.lists(st.tuples(exponent, exponent), min_size=n, max_size=n).map(frame)


def drawn(data: st.DataObject, system: Coordinates) -> tuple[dict, Frame, dict]:
    """Pivot coordinates, a frame and weights."""
    eta = {name: data.draw(COORDINATE, name) for name in system.roles}
    weight = {name: data.draw(st.floats(0, 1), f"weight of {name}") for name in system.roles}
    return eta, data.draw(frames(len(system.law.predictors)), "frame"), weight


@every_case
def test_kind_of_coordinates(case: str) -> None:
    model, kind = CASES[case]
    system = coordinates(model)
    assert type(system) is kind
    assert tuple(system.roles) == tuple(
        name for name in model.free if name not in model.nuisance_roles
    )


@pytest.mark.parametrize(
    ("case", "roles"),
    [
        ("power", "share level Exponent"),
        ("power, prior of the floor", "Floor Amplitude Exponent"),
        ("power, known floor", "Amplitude Exponent"),
        ("power, no floor", "level Exponent"),
        ("pure power", "level Exponent"),
        ("pure power, prior of the scale", "Scale Exponent"),
        ("log-linear", "level trend"),
        ("log-linear, prior of the constant", "Amplitude Rate"),
        ("shifted", "share level Scale Exponent"),
        ("sum", "share share Exponent level Exponent"),
    ],
)
def test_roles_as_coordinates(case: str, roles: str) -> None:
    names = [role.name for role in coordinates(CASES[case][0]).roles.values()]
    assert " ".join(names) == roles


@pytest.mark.parametrize(
    ("case", "terms", "steepens", "log_coefficients"),
    [
        ("power", ("L0", "k"), {"alpha": ("k",)}, False),
        ("power, prior of the amplitude", ("L0", "k"), {"alpha": ("k",)}, True),
        ("power, prior of the exponent", ("L0", "k"), {"alpha": ("k",)}, False),
        ("power, no floor", ("k",), {"alpha": ("k",)}, False),
        ("power, known exponent", ("L0", "k"), {}, False),
        ("power, known amplitude", ("L0", "k"), {}, True),
        ("shifted", ("L0", "k"), {"alpha": ("k",)}, False),
        ("sum", ("E", "A", "B"), {"alpha": ("A",), "beta": ("B",)}, False),
        ("sum, tied exponents", ("E", "A", "B"), {"alpha": ("A", "B")}, False),
        ("sum, known floor", ("E", "A", "B"), {"alpha": ("A",), "beta": ("B",)}, True),
        ("sum, known term", ("E", "A", "B"), {}, True),
    ],
)
def test_terms_and_exponents_of_sums(
    case: str, terms: tuple, steepens: dict, log_coefficients: bool
) -> None:
    system = coordinates(CASES[case][0])
    assert isinstance(system, SumOfTerms)
    assert (system.terms, system.steepens, system.log_coefficients) == (
        terms,
        steepens,
        log_coefficients,
    )


ZERO = {f"sd_{name}": Fixed(0) for name in ("E", "A", "B", "alpha", "beta")}


@pytest.mark.parametrize(
    ("varying", "pooling", "in_one"),
    [
        ("A", (), True),
        ("A", {"A": ["task"]}, True),
        ("", {"A": ["task"]}, True),
        ("A", {"B": ["task"]}, False),
        ("A", ["task"], False),
        ("alpha", (), False),
        ("A B", (), False),
        ("", (), False),
    ],
)
def test_where_curves_differ_in_one_coefficient_the_others_are_equal_in_value(
    varying: str, pooling: Any, in_one: bool
) -> None:
    priors = {name: prior for name, prior in ZERO.items() if name[3:] not in varying.split()}
    system = coordinates(Model(laws.chinchilla, pooling=pooling, priors=priors))
    assert isinstance(system, SumOfTerms)
    assert system.log_coefficients == in_one


def test_priors_of_noise_and_spreads_are_none_of_a_law() -> None:
    model = Model(power, priors={"sigma": Fixed(0.01), "sd_L0": HalfNormal(1.0)})
    system = coordinates(model)
    assert isinstance(system, SumOfTerms)
    assert not system.log_coefficients
    assert tuple(system.roles) == ("L0", "k", "alpha")


@every_case
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_round_trip(case: str, data: st.DataObject) -> None:
    system = coordinates(CASES[case][0])
    eta, frame, weight = drawn(data, system)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        theta = system.from_pivot(eta, frame, weight)
        back = system.to_pivot(theta, frame, weight)
    assume(np.all(np.isfinite([*theta.values(), *back.values()])))  # exponents of hundreds overflow
    assert list(back) == list(system.roles)
    np.testing.assert_allclose([back[name] for name in eta], list(eta.values()), atol=1e-10)


@every_case
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_log_jacobian_is_that_of_finite_differences(case: str, data: st.DataObject) -> None:
    system = coordinates(CASES[case][0])
    eta, frame, weight = drawn(data, system)
    names, step = list(eta), 1e-6

    def shifted(name: str, by: float) -> np.ndarray:
        theta = system.from_pivot({**eta, name: eta[name] + by}, frame, weight)
        return np.array([theta[n] for n in names])

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        slopes = np.array(
            [(shifted(name, step) - shifted(name, -step)) / (2 * step) for name in names]
        )
    assume(np.all(np.isfinite(slopes)))
    sign, log_determinant = np.linalg.slogdet(slopes)
    assert sign == 1
    # Entries grow with the exponents; so does the error of their differences.
    tolerance = 1e-7 * max(1.0, np.abs(slopes).max())
    np.testing.assert_allclose(
        log_determinant, system.log_jacobian(eta, frame, weight), atol=tolerance
    )


@every_case
def test_tensors_agree_with_arrays(case: str) -> None:
    system = coordinates(CASES[case][0])
    rng = np.random.default_rng(3)
    n, names = len(system.law.predictors), list(system.roles)
    values, weights = rng.uniform(-2, 1, (len(names), 5)), rng.uniform(0, 1, (len(names), 5))
    low = np.exp(rng.normal(size=(n, 5)))
    high = low * np.exp(rng.uniform(0, 3, size=(n, 5)))
    frame = Frame(tuple(np.sqrt(low * high)), tuple(low), tuple(high))
    weight = dict(zip(names, weights, strict=True))

    def all_maps(eta: dict[str, Any]) -> list[Any]:
        theta = system.from_pivot(eta, frame, weight)
        there = system.to_pivot(theta, frame, weight)
        parameters = system.parameters(theta)
        jacobian = system.log_jacobian(eta, frame, weight)
        return [*theta.values(), *there.values(), *parameters.values(), jacobian]

    eta = pt.dmatrix("eta")
    tensors = all_maps({name: eta[row] for row, name in enumerate(names)})
    tensors = [pt.as_tensor(item) for item in tensors]
    evaluate = pytensor.function([eta], tensors, mode="FAST_COMPILE")
    arrays = all_maps(dict(zip(names, values, strict=True)))
    for tensor, array in zip(evaluate(values), arrays, strict=True):
        np.testing.assert_allclose(tensor, array, rtol=1e-12, atol=1e-12)


@every_case
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_parameters_are_what_the_coordinates_say(case: str, data: st.DataObject) -> None:
    model, _ = CASES[case]
    system = coordinates(model)
    theta = {name: data.draw(COORDINATE, name) for name in system.roles}
    parameters = system.parameters(theta)
    assert list(parameters) == list(model.law.parameters)
    for name, value in model.fixed.items():
        assert parameters[name] == value
    for name, other in model.tie.items():
        assert parameters[name] == parameters[other]
    unit = (1.0,) * len(model.law.predictors)
    for name, role in system.roles.items():
        if role.name == "level":
            np.testing.assert_allclose(
                np.log(model.law(*unit, **parameters)), theta[name], atol=1e-12
            )
        elif role.name not in ("share", "trend"):
            np.testing.assert_allclose(parameters[name], role.link.inverse(theta[name]), rtol=1e-12)


@given(share=COORDINATE, level=COORDINATE, alpha=COORDINATE)
def test_share_of_a_power_law_is_that_of_its_floor(
    share: float, level: float, alpha: float
) -> None:
    parameters = coordinates(Model(power)).parameters({"L0": share, "k": level, "alpha": alpha})
    response = power(1.0, **parameters)
    np.testing.assert_allclose(parameters["L0"] / response, expit(share), rtol=1e-12)


@given(first=COORDINATE, second=COORDINATE)
def test_shares_of_a_sum_break_a_stick(first: float, second: float) -> None:
    theta = {"E": first, "A": second, "alpha": -1.0, "B": 0.5, "beta": -1.5}
    parameters = coordinates(Model(chinchilla)).parameters(theta)
    terms = [parameters[name] for name in ("E", "A", "B")]  # sizes at the reference are one
    np.testing.assert_allclose(terms[0] / sum(terms), expit(first), rtol=1e-12)
    np.testing.assert_allclose(terms[1] / sum(terms[1:]), expit(second), rtol=1e-12)


def test_trend_of_a_log_linear_law_is_relative_to_its_level() -> None:
    parameters = coordinates(Model(log_linear)).parameters({"a": 1.0, "b": -2.0})
    np.testing.assert_allclose([parameters["a"], parameters["b"]], np.exp([1.0, -1.0]), rtol=1e-14)


@pytest.mark.parametrize(
    "case", ["power", "power, prior of the floor", "shifted", "sum", "pure power"]
)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_with_weight_one_the_pivot_has_level_shares_and_slopes(
    case: str, data: st.DataObject
) -> None:
    system = coordinates(CASES[case][0])
    theta = {name: data.draw(COORDINATE, name) for name in system.roles}
    frame = data.draw(frames(len(system.law.predictors)))
    eta = system.to_pivot(theta, frame, dict.fromkeys(theta, 1.0))
    parameters = system.parameters(theta)
    response = system.law(*frame.pivot, **parameters)
    level = system.terms[-1] if isinstance(system, SumOfTerms) else "N_c"
    np.testing.assert_allclose(eta[level], np.log(response), atol=1e-9)
    if isinstance(system, SumOfTerms):
        floor = parameters[system.terms[0]]
        np.testing.assert_allclose(expit(eta[system.terms[0]]), floor / response, rtol=1e-8)
    if case.startswith("power"):
        term = parameters["k"] * frame.pivot[0] ** -parameters["alpha"]
        slope = parameters["alpha"] * term / response
        np.testing.assert_allclose(np.exp(eta["alpha"]), slope, rtol=1e-8)
    if case == "sum":
        term = parameters["B"] * frame.pivot[1] ** -parameters["beta"]
        slope = parameters["beta"] * term / response
        np.testing.assert_allclose(np.exp(eta["beta"]), slope, rtol=1e-8)


@pytest.mark.parametrize("case", ["power", "pure power", "shifted", "sum", "product"])
@given(data=st.data())
def test_with_weight_zero_coordinates_stay(case: str, data: st.DataObject) -> None:
    system = coordinates(CASES[case][0])
    theta, frame, _ = drawn(data, system)
    assert system.to_pivot(theta, frame, dict.fromkeys(theta, 0.0)) == theta


@given(
    level=st.floats(-20, 20),
    trend=st.floats(-20, 20),
    frame=frames(1),
    weight=st.floats(0, 1),
    at=st.floats(0, 1),
)
def test_log_linear_law_is_positive_where_its_curve_was_observed(
    level: float, trend: float, frame: Frame, weight: float, at: float
) -> None:
    system = coordinates(Model(log_linear))
    theta = system.from_pivot({"a": level, "b": trend}, frame, {"a": weight, "b": weight})
    low, high = np.log([frame.smallest[0], frame.largest[0]])
    response = log_linear(np.exp(low + at * (high - low)), **system.parameters(theta))
    # Zero to rounding only where the trend is as steep as can be.
    assert response > -1e-12 * np.exp(theta["a"])
    if trend < 10:
        assert response > 0


def test_a_population_too_steep_for_a_curve_has_finite_coordinates() -> None:
    system = coordinates(Model(log_linear))
    frame = Frame((10.0,), (1.0,), (100.0,))
    eta = system.to_pivot({"a": 0.0, "b": 2.0}, frame, {"a": 1.0, "b": 1.0})
    assert np.all(np.isfinite(list(eta.values())))
