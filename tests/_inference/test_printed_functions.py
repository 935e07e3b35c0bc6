"""The printed functions of models against NumPy: laws, coordinates, noise, priors."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import pytest
from catalogue import CATALOGUE, sample
from printed_code import applied
from scipy import special, stats
from two_curves import SIZES, read, table

from bayeslaw import laws
from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.coordinates import (
    Coordinates,
    Frame,
    LevelAndTrend,
    LinkScale,
    Recentred,
    SingleTerm,
    SumOfTerms,
    coordinates,
)
from bayeslaw._inference.laplace import laplace_approximation
from bayeslaw._inference.model_data import model_data_of
from bayeslaw._inference.printed_functions import (
    curve_priors,
    frame_names,
    from_pivot,
    parameters,
    prior_functions,
    response_function,
    run_names,
    to_pivot,
    unknown_of,
)
from bayeslaw._law.law import Law
from bayeslaw._law.roles import IDENTITY, LOG, LOGIT, Link, Real
from bayeslaw.model.discrepancy import Brownian, Discrepancy
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian, StudentT, Undertuned
from bayeslaw.model.noise_kind import Noise
from bayeslaw.priors import Fixed, HalfNormal, LinkNormal, LogNormal, Normal, Prior
from bayeslaw.response_scales import LogitScale, LogScale, RawScale

COLUMNS = 6
SINGLE = 2e-7  # PyMC keeps numbers such as 3.0 in single precision, and so their logarithms
# Weights of central differences of sixth order.
CENTRAL = {3: 1 / 60, 2: -3 / 20, 1: 3 / 4, -1: -3 / 4, -2: 3 / 20, -3: -1 / 60}

type Arrays = Mapping[str, np.ndarray]


def slopes(function: Callable[[Arrays], Any], at: Arrays, names: Any) -> list[np.ndarray]:
    """Derivatives of an elementwise function of named arrays by some of them."""

    def slope(name: str) -> np.ndarray:
        step = 1e-3 * np.maximum(0.01, np.abs(at[name]))
        steps = CENTRAL.items()
        return sum(w * function({**at, name: at[name] + k * step}) for k, w in steps) / step  # type: ignore[operator]

    return [slope(name) for name in names]


def assert_close(results: Any, expected: Any) -> None:
    """Compare, relative to the largest number of each row."""
    for one, other in zip(results, expected, strict=True):
        scale = np.max(np.abs(other), initial=1e-3)
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-8 * scale)


RAW = Gaussian(RawScale())


@pytest.mark.parametrize("law", CATALOGUE, ids=lambda law: law.name)
def test_laws_and_their_derivatives(law: Law) -> None:
    sizes, values = sample(law, COLUMNS)
    ones = np.ones(COLUMNS)
    data = dict(
        zip(run_names(law.predictors), [*sizes, *np.log(sizes), 0 * ones, ones, ones], strict=True)
    )

    def residual(at: Arrays) -> np.ndarray:
        return -law(*sizes, **at)

    source, which = response_function(Model(law, noise=RAW), with_discrepancy=True)
    curve = {**values, "sigma": ones}
    results = applied(source, 2 + which.shape[1], {}, data, curve)
    np.testing.assert_allclose(results[0], residual(values), rtol=1e-12)
    found = dict(zip(map(tuple, which.T), results[2:], strict=True))
    expected = slopes(residual, values, values)
    assert_close([found.get((0, i), 0 * ones) for i in range(len(expected))], expected)


def test_powers_of_predictors_are_exponentials_of_known_logarithms() -> None:
    text, _ = response_function(Model(laws.chinchilla, noise=RAW), with_discrepancy=True)
    assert "**" not in text.replace("** 2.0", "")  # variances are squares
    assert "math.log(" not in text


ANY = LogNormal(1.0, 2.0)
TWO = {"discrepancy": Brownian()}
MODELS: dict[str, tuple[Model, type]] = {
    "power": (Model(laws.power), SumOfTerms),
    "power, prior of the floor": (Model(laws.power, priors={"L0": ANY}), SumOfTerms),
    "power, known floor": (Model(laws.power, priors={"L0": Fixed(0.7)}), SumOfTerms),
    "power, no floor": (Model(laws.power, priors={"L0": Fixed(0.0)}), SumOfTerms),
    "power, noise that varies": (
        Model(laws.power, noise=Gaussian(varies_with="N"), priors={"sigma": Fixed(0.1)}),
        SumOfTerms,
    ),
    "chinchilla": (Model(laws.chinchilla), SumOfTerms),
    "chinchilla, tied": (Model(laws.chinchilla, tie={"beta": "alpha"}, **TWO), SumOfTerms),
    "shifted power": (Model(laws.shifted_power, noise=Undertuned()), SumOfTerms),
    "pure power": (Model(laws.pure_power, priors={"tau": Fixed(0.01)}), SingleTerm),
    "log-linear": (Model(laws.log_linear), LevelAndTrend),
    "curvature": (Model(laws.curvature), Recentred),
    "link scale": (Model(laws.pure_power, priors={"N_c": ANY}), LinkScale),
    "fractions": (Model(laws.sigmoid), LinkScale),
}
every_model = pytest.mark.parametrize(("model", "kind"), MODELS.values(), ids=MODELS)


@dataclass(frozen=True)
class Point:
    """Coordinates of a law and observed ranges of some curves."""

    system: Coordinates

    @property
    def names(self) -> list[str]:
        return list(self.system.roles)

    def rows(self, seed: int, part: str = "") -> dict[str, np.ndarray]:
        values = np.random.default_rng(seed).normal(-1, 0.4, (len(self.names), COLUMNS))
        return dict(zip([f"{part}{name}" for name in self.names], values, strict=True))

    @property
    def weight(self) -> dict[str, np.ndarray]:
        values = np.random.default_rng(7).uniform(0, 1, (len(self.names), COLUMNS))
        return dict(zip(self.names, values, strict=True))

    def frame(self, near: Arrays | None) -> Frame:
        shape = len(self.system.law.predictors), COLUMNS
        rng = np.random.default_rng(8)
        low = np.exp(rng.uniform(-1, 0, shape))
        high = low * np.exp(rng.uniform(1, 2, shape))
        return Frame(tuple(np.sqrt(low * high)), tuple(low), tuple(high), near)

    @property
    def data(self) -> dict[str, np.ndarray]:
        rows = np.array([values for end in self.frame(None).ends for values in end])
        names = frame_names(self.system.law.predictors)
        return dict(zip(names, [*rows, *np.log(rows)], strict=True))


def assert_map(
    sources: tuple[str, str],
    function: Callable[[Arrays], Mapping[str, Any]],
    state: Arrays,
    data: Arrays | None = None,
) -> None:
    """Compare a printed map with NumPy, and its adjoint with finite differences."""

    def stacked(at: Arrays) -> np.ndarray:
        return np.array([np.broadcast_to(row, COLUMNS) for row in function(at).values()])

    expected = stacked(state)
    results = applied(sources[0], len(expected), state, data)
    np.testing.assert_allclose(results, expected, rtol=1e-12, atol=1e-13)
    bars = np.random.default_rng(9).normal(size=expected.shape)
    with_bars = {**state, **{f"bar {i}": bar for i, bar in enumerate(bars)}}
    adjoint = applied(sources[1], len(state), with_bars, data)
    assert_close(adjoint, slopes(lambda at: np.sum(bars * stacked(at), axis=0), state, state))


@every_model
def test_parameters(model: Model, kind: type) -> None:
    system = coordinates(model)
    assert isinstance(system, kind)
    nuisance = [name for name in model.nuisance_roles if name in model.free]
    rng = np.random.default_rng(2)
    theta = Point(system).rows(1) | {n: rng.normal(-1, 0.4, COLUMNS) for n in nuisance}

    def all_parameters(at: Arrays) -> Mapping[str, Any]:
        values = system.parameters({name: at[name] for name in system.roles})
        links = {name: role.link.inverse for name, role in model.nuisance_roles.items()}
        own = {n: links[n](at[n]) if n in at else model.fixed[n] for n in links}
        return {name: {**values, **own}[name] for name in model.roles}

    assert_map(parameters(model, system), all_parameters, theta)


@every_model
def test_coordinates_from_the_pivot(model: Model, kind: type) -> None:
    system = coordinates(model)
    sources, point = from_pivot(system), Point(coordinates(model))
    if kind is LinkScale:
        assert sources is None
        return
    assert sources is not None
    state = point.rows(1, "eta ")
    state |= {f"weight {name}": values for name, values in point.weight.items()}
    state |= point.rows(3, "near ")

    def reference(at: Arrays) -> Mapping[str, Any]:
        eta, weight, near = (
            {name: at[f"{part} {name}"] for name in point.names}
            for part in ("eta", "weight", "near")
        )
        theta = system.from_pivot(eta, point.frame(near), weight)
        log_jacobian = system.log_jacobian(eta, point.frame(near), weight)
        return {name: theta[name] for name in point.names} | {"": log_jacobian}

    assert_map(sources, reference, state, point.data)


@every_model
def test_coordinates_at_the_pivot_of_zero_weight(model: Model, kind: type) -> None:
    system = coordinates(model)
    sources, point = to_pivot(system), Point(system)
    theta = point.rows(1)

    def pivot(at: Arrays) -> Mapping[str, Any]:
        values = system.to_pivot(at, point.frame(None), dict.fromkeys(point.names, 0.0))
        return {name: values[name] for name in point.names}

    if sources is None:  # where nothing changes
        np.testing.assert_array_equal([*pivot(theta).values()], [*theta.values()])
        return
    assert_map(sources, pivot, theta, point.data)


@dataclass(frozen=True)
class Laplace(Noise):
    """A kind of noise of a user's, with a parameter of its own."""

    scale: Any = LogScale()
    varies_with: str | None = None

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {**super().parameters, "skew": Real}

    def log_density(self, residual: Any, sigma: Any, parameters: Mapping[str, Any]) -> Any:
        return -abs(residual - parameters["skew"]) / sigma - np.log(2 * sigma)

    def draw(self, rng: np.random.Generator, sigma: Any, parameters: Mapping[str, Any]) -> Any:
        return rng.laplace(0.0, sigma, np.shape(sigma))


SCALES = [(LogScale(), None), (LogScale(), "N"), (RawScale(), None), (LogitScale(0.1, 2), "N")]
NOISES = [
    (kind(scale=scale, varies_with=varies), discrepancy)
    for kind in (Gaussian, StudentT, Undertuned)
    for scale, varies in SCALES
    for discrepancy in (None, Brownian())
]


@pytest.mark.parametrize(("noise", "discrepancy"), [*NOISES, (Laplace(), None)], ids=str)
def test_noise_and_its_derivatives(noise: Noise, discrepancy: Discrepancy | None) -> None:
    model, rng = Model(laws.power, noise=noise, discrepancy=discrepancy), np.random.default_rng(3)
    sizes, unit = np.exp(rng.normal(size=COLUMNS)), np.full(COLUMNS, 0.7)
    value = noise.scale.forward(rng.uniform(0.4, 0.9, COLUMNS), unit)
    known_error = rng.uniform(0.1, 0.2, COLUMNS)
    rows = [sizes, np.log(sizes), value, known_error, unit]
    data = dict(zip(run_names(["N"]), rows, strict=True))
    names = list(noise.parameters)
    curve: dict[str, np.ndarray] = {
        "L0": rng.uniform(0.4, 0.9, COLUMNS),
        "k": 0 * sizes,
        "alpha": 0 * sizes,
    }
    curve |= {name: rng.uniform(0.2, 0.5, COLUMNS) for name in names}
    state = {"latent": rng.uniform(0.5, 2, COLUMNS)} if model.is_augmented else {}

    def outputs(at: Arrays) -> np.ndarray:
        sigma = at["sigma"] * (sizes ** at["sigma_slope"] if noise.varies_with else 1.0)
        center, kind = noise.scale.forward(at["L0"], unit), noise
        own = {name: at[name] for name in names if name not in ("sigma", "sigma_slope")}
        if model.is_augmented:
            shift, sigma = noise.given(at["latent"], sigma, own)
            center, kind, own = center + shift, Gaussian(), {}
        variance = sigma**2 + known_error**2
        if discrepancy is not None:
            return np.array([value - center, variance])
        return np.array([kind.log_density(value - center, np.sqrt(variance), own)])

    rows = {0: "L0", **{3 + i: name for i, name in enumerate(names)}}
    rows |= {-1: "latent"} if model.is_augmented else {}
    at = {**state, **{name: curve[name] for name in rows.values() if name != "latent"}}
    by_input = dict(zip(rows, slopes(outputs, at, rows.values()), strict=True))
    source, which = response_function(model, discrepancy is not None)
    n_outputs = len(outputs(at))
    results = applied(source, n_outputs + which.shape[1], state, data, curve)
    np.testing.assert_allclose(results[:n_outputs], outputs(at), rtol=1e-11)
    found = dict(zip(map(tuple, which.T), results[n_outputs:], strict=True))
    for output in range(n_outputs):
        expected = [by_input[row][output] for row in rows]
        assert_close([found.get((output, row), 0 * sizes) for row in rows], expected)


@dataclass(frozen=True)
class Own:
    """A prior from outside the package."""

    distribution: Any
    arguments: tuple[float, ...]

    def to_pymc(self, name: str, /, *, dims: Any = None) -> Any:
        return self.distribution(name, *self.arguments, dims=dims)


@dataclass(frozen=True)
class PriorCase:
    """A prior with its link, distribution, and map from the unknown with its log slope."""

    prior: Prior
    link: Link
    distribution: Any
    value: Callable[[Any], Any]
    log_slope: Callable[[Any], Any]


def log_slope_of_expit(z: Any) -> Any:
    return np.log(special.expit(z)) + np.log(special.expit(-z))


PRIORS = {
    "HalfNormal": PriorCase(HalfNormal(0.3), LOG, stats.halfnorm(scale=0.3), np.exp, lambda z: z),
    "HalfNormal of a spread": PriorCase(
        HalfNormal(0.3), IDENTITY, stats.halfnorm(scale=0.3), np.exp, lambda z: z
    ),
    "LogNormal": PriorCase(
        LogNormal(0.3, 1.5), LOG, stats.lognorm(np.log(1.5), scale=0.3), np.exp, lambda z: z
    ),
    "LinkNormal": PriorCase(
        LinkNormal(0.3, 1.5), IDENTITY, stats.norm(0.3, 1.5), lambda z: z, np.zeros_like
    ),
    "Gamma": PriorCase(
        Own(pm.Gamma, (2.0, 3.0)), LOG, stats.gamma(2.0, scale=1 / 3), np.exp, lambda z: z
    ),
    "Beta": PriorCase(
        Own(pm.Beta, (2.0, 3.0)), LOGIT, stats.beta(2.0, 3.0), special.expit, log_slope_of_expit
    ),
    "Uniform": PriorCase(
        Own(pm.Uniform, (0.1, 0.9)),
        LOG,
        stats.uniform(0.1, 0.8),
        lambda z: 0.1 + 0.8 * special.expit(z),
        lambda z: np.log(0.8) + log_slope_of_expit(z),
    ),
}  # fmt: skip
every_prior = pytest.mark.parametrize("case", PRIORS.values(), ids=PRIORS)


@every_prior
def test_priors_of_unknowns(case: PriorCase) -> None:
    prior = unknown_of(case.prior.to_pymc, case.link)
    state = {"z": np.linspace(-2.0, 1.5, COLUMNS)}

    def outputs(at: Arrays) -> np.ndarray:
        value = case.value(at["z"])
        density = case.distribution.logpdf(value) + case.log_slope(at["z"])
        return np.array([case.link.forward(value), density])

    results = applied(prior_functions([prior]), 4, state)
    np.testing.assert_allclose(results[:2], outputs(state), rtol=SINGLE, atol=SINGLE)
    assert_close(results[2:], slopes(outputs, state, ["z"])[0])
    assert np.isfinite(outputs({"z": np.array(prior.start)})).all()


def test_a_fixed_value_has_no_unknown() -> None:
    priors = [unknown_of(p.to_pymc, LOG) for p in (HalfNormal(0.3), Fixed(0.2), HalfNormal(0.5))]
    assert priors[1].unknown is None
    state = {"first": np.array([-1.0, 0.5]), "second": np.array([0.3, 2.0])}
    results = applied(prior_functions(priors), 3 + 3 * 2, state)
    first, second = state.values()
    np.testing.assert_allclose(results[:3], [first, np.full(2, np.log(0.2)), second], rtol=1e-15)
    densities = [
        stats.halfnorm(scale=sd).logpdf(np.exp(z)) + z for sd, z in ((0.3, first), (0.5, second))
    ]
    np.testing.assert_allclose(results[3:5], densities, rtol=SINGLE)
    np.testing.assert_allclose(results[5:7], 1.0)
    expected = [1 - (np.exp(first) / 0.3) ** 2, 1 - (np.exp(second) / 0.5) ** 2]
    np.testing.assert_allclose(results[7:], expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["HalfNormal", "Gamma", "Beta", "Uniform", "Normal"])
def test_priors_of_curves(name: str) -> None:
    normal = PriorCase(Normal(0.2, 1.5), LOG, stats.norm(0.2, 1.5), np.exp, lambda z: z)
    case = {**PRIORS, "Normal": normal}[name]
    links = {"other": IDENTITY, "own": case.link}
    theta = np.array([-3.0, -2.0, -1.0, -0.3, 0.5, 2.0])
    state = {"other": np.zeros(COLUMNS), "own": theta}

    def density(at: Arrays) -> np.ndarray:
        value = case.link.inverse(at["own"])
        slope = at["own"] if case.link is LOG else log_slope_of_expit(at["own"])
        return case.distribution.logpdf(value) + slope

    results = applied(curve_priors({"own": case.prior}, links), 2, state)
    np.testing.assert_allclose(results[0], density(state), rtol=SINGLE)
    inside = np.isfinite(density(state))
    assert inside.sum() > 2
    at = {"own": theta[inside]}
    assert_close(results[1:, inside], slopes(density, at, ["own"]))


def test_rows_of_the_data_are_as_named() -> None:
    model, runs = Model(laws.power), read(table(SIZES))
    bound = bind(model, runs)
    data = model_data_of(bound, laplace_approximation(bound))
    rows = dict(zip(run_names(["N"]), data["run_values"], strict=True))
    np.testing.assert_array_equal(rows["N"], bound.run_arrays.predictors[0])
    np.testing.assert_array_equal(rows["log_N"], np.log(rows["N"]))
    np.testing.assert_array_equal(rows["value"], bound.run_arrays.values)
    np.testing.assert_array_equal(rows["known_error"], bound.run_arrays.known_error)
    np.testing.assert_array_equal(rows["unit"], bound.run_arrays.unit)
    frame = dict(zip(frame_names(["N"]), data["frame"], strict=True))
    ends = zip(("pivot_0", "smallest_0", "largest_0"), bound.run_arrays.frame.ends, strict=True)
    for name, [values] in ends:
        np.testing.assert_array_equal(frame[name], values)
        np.testing.assert_array_equal(frame[f"log_{name}"], np.log(values))


def sources(model: Model) -> str:
    """All printed functions of a model."""
    system = coordinates(model)
    texts = [response_function(model, model.discrepancy is not None)[0]]
    pairs = [parameters(model, system), from_pivot(system), to_pivot(system)]
    prior = unknown_of(HalfNormal(0.3).to_pymc, LOG)
    of_coordinates = [text for pair in pairs if pair for text in pair]
    return "\n".join([*texts, *of_coordinates, prior_functions([prior])])


PRINTED = ["power, noise that varies", "chinchilla, tied", "curvature"]


def hashes() -> list[str]:
    return [hashlib.sha256(sources(MODELS[name][0]).encode()).hexdigest() for name in PRINTED]


SCRIPT = """
import sys
sys.path[:0] = sys.argv[1:]
from test_printed_functions import PRINTED, hashes
print(*hashes())
"""


def test_every_process_prints_the_same_text() -> None:
    folder = Path(__file__).parent
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, folder, folder.parent],
        env={**os.environ, "PYTHONHASHSEED": "5"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.stdout.split() == hashes(), result.stderr
