"""The curvature law, between power law and log-linear law, and its coordinates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from bayeslaw._inference.coordinates import Frame, LinkScale, Recentred, coordinates
from bayeslaw._sampling.nuts import Sampler
from bayeslaw.data.runs import grid, read_runs, reference_sizes
from bayeslaw.diagnostics.diagnose import diagnose
from bayeslaw.fitting.fit import fit
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.laws.curvature import curvature
from bayeslaw.model.model import Model
from bayeslaw.priors import Fixed, HalfNormal, LogNormal, Normal, Prior

SIZES = np.array([1e6, 3e6, 1e7, 1e9])
FALLING = {"m": st.floats(0.5, 5), "s": st.floats(0.01, 0.1), "kappa": st.floats(-1.5, 6)}


def points(data: st.DataObject) -> dict[str, float]:
    return {name: data.draw(values, name) for name, values in FALLING.items()}


@pytest.mark.parametrize("N_0", [1.0, 1e7])
def test_kappa_zero_is_the_log_linear_law(N_0: float) -> None:
    response = curvature(SIZES, m=3.0, s=0.2, kappa=0.0, N_0=N_0)
    np.testing.assert_allclose(response, 3 - 0.2 * np.log(SIZES / N_0), rtol=1e-13)


def test_kappa_one_is_the_power_law_that_falls_to_zero() -> None:
    response = curvature(SIZES, m=3.0, s=0.6, kappa=1.0, N_0=1e7)
    np.testing.assert_allclose(response, 3 * (SIZES / 1e7) ** -0.2, rtol=1e-13)


@given(L0=st.floats(0, 3), k=st.floats(0.1, 3), alpha=st.floats(0.01, 2), N=st.floats(0.1, 100))
def test_kappa_above_one_is_the_power_law_with_a_floor(
    L0: float, k: float, alpha: float, N: float
) -> None:
    m, s = L0 + k, alpha * k
    response = curvature(N, m=m, s=s, kappa=alpha * m / s, N_0=1.0)
    assert response == pytest.approx(L0 + k * N**-alpha, rel=1e-9)


@given(m=st.floats(0.5, 5), s=st.floats(0.01, 1), small=st.floats(-1e-6, 1e-6))
def test_the_family_is_smooth_at_zero(m: float, s: float, small: float) -> None:
    near = curvature(20.0, m=m, s=s, kappa=small, N_0=1.0)
    u = np.log(20.0)
    assert near == pytest.approx(m - s * u + small * (s * u) ** 2 / (2 * m), abs=1e-9)


@given(data=st.data())
def test_recentring_changes_nothing(data: st.DataObject) -> None:
    values, ratio = points(data), data.draw(st.floats(-3, 3), "log ratio")
    assert curvature.recentring is not None
    recentred = curvature.recentring[2](ratio, **values)
    there = curvature(7.0, **recentred, N_0=np.exp(ratio))
    assert there == pytest.approx(curvature(7.0, **values, N_0=1.0), rel=1e-9)


def frame_at(pivot: float) -> Frame:
    return Frame((np.exp(pivot),), (np.exp(pivot - 1),), (np.exp(pivot + 1),))


@given(data=st.data())
def test_coordinates_round_trip_and_jacobian(data: st.DataObject) -> None:
    system = coordinates(Model(curvature))
    assert isinstance(system, Recentred)
    # The response stays positive on this range, as it does where a curve was observed.
    eta = {"m": data.draw(st.floats(-1, 1)), "s": data.draw(st.floats(-4, -2))}
    eta["kappa"] = data.draw(st.floats(-1, 6))
    frame = frame_at(data.draw(st.floats(-2, 2), "pivot"))
    weight = dict.fromkeys(eta, data.draw(st.floats(0, 1), "weight"))
    theta = system.from_pivot(eta, frame, weight)
    back = system.to_pivot(theta, frame, weight)
    np.testing.assert_allclose([back[n] for n in eta], list(eta.values()), atol=1e-8)

    def shifted(name: str, step: float) -> list[float]:
        return [
            system.from_pivot({**eta, name: eta[name] + step}, frame, weight)[n]
            for n in system.roles
        ]

    slopes = [(np.array(shifted(n, 1e-5)) - shifted(n, -1e-5)) / 2e-5 for n in system.roles]
    sign, log_determinant = np.linalg.slogdet(np.array(slopes))
    assert sign == 1
    assert log_determinant == pytest.approx(system.log_jacobian(eta, frame, weight), abs=1e-6)


def test_parameters_refer_to_the_reference() -> None:
    system = coordinates(Model(curvature))
    assert [role.name for role in system.roles.values()] == ["level", "trend", "Curvature"]
    parameters = system.parameters({"m": np.log(2.0), "s": np.log(0.1), "kappa": 0.5})
    assert parameters == pytest.approx({"m": 2.0, "s": 0.2, "kappa": 0.5, "N_0": 1.0})


@pytest.mark.parametrize(
    ("name", "prior", "kind"),
    [
        ("m", LogNormal(1.0, 2.0), LinkScale),
        ("s", LogNormal(0.1, 2.0), LinkScale),
        ("N_0", LogNormal(1.0, 2.0), LinkScale),
        ("N_0", Fixed(2.0), LinkScale),
        ("kappa", Fixed(0.5), LinkScale),
        ("kappa", Normal(0.0, 0.5), Recentred),
        ("sigma", Fixed(0.01), Recentred),
        ("sd_kappa", HalfNormal(0.1), Recentred),
    ],
)
def test_which_priors_allow_recentring(name: str, prior: Prior, kind: type) -> None:
    model = Model(curvature, priors={name: prior})
    assert type(coordinates(model)) is kind


def test_a_population_that_crosses_zero_has_finite_coordinates() -> None:
    system = coordinates(Model(curvature))
    steep = {"m": 0.0, "s": 0.0, "kappa": 0.0}
    there = system.to_pivot(steep, frame_at(3.0), dict.fromkeys(steep, 1.0))
    assert np.isfinite(list(there.values())).all()


def fitted(response: np.ndarray, sizes: np.ndarray, seed: int) -> Fit:
    rng = np.random.default_rng(seed)
    noisy = response + rng.normal(0, 0.01, sizes.size)
    runs = read_runs(pd.DataFrame({"N": sizes, "loss": noisy}), predictors=["N"])
    model = Model(curvature, pooling=None, discrepancy=None)
    how = {"draws": 500, "tune": 500, "chains": 2, "progressbar": False}
    return fit(model, runs, sampler=Sampler(random_seed=seed, **how))


@pytest.fixture(scope="module")
def log_linear_fit() -> Fit:
    sizes = np.geomspace(1, 1e4, 8)
    return fitted(5 - 0.2 * np.log(sizes), sizes, seed=1)


@pytest.fixture(scope="module")
def floor_fit() -> Fit:
    sizes = np.geomspace(1e2, 1e5, 12)
    return fitted(1.5 + 6 * sizes**-0.35, sizes, seed=3)


def curvature_draws(fitted: Fit) -> xr.DataArray:
    return fitted.tree["posterior"]["kappa"]


def test_log_linear_data_are_identified(log_linear_fit: Fit) -> None:
    assert diagnose(log_linear_fit).gate.passed
    kappa = curvature_draws(log_linear_fit)
    assert (abs(kappa) < 0.25).mean() > 0.8
    beyond = forecast(log_linear_fit, grid(N=1e6))["mean"]
    assert abs(float(beyond.mean()) - (5 - 0.2 * np.log(1e6))) < 2 * float(beyond.std())


def test_a_floor_is_identified(floor_fit: Fit) -> None:
    assert diagnose(floor_fit).gate.passed
    assert (curvature_draws(floor_fit) > 1).mean() > 0.99
    assert (
        float(floor_fit.tree["posterior"]["N_0"][0, 0, 0]) == reference_sizes(floor_fit.runs)["N"]
    )
