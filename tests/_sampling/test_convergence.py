"""R-hat and effective sample sizes of many quantities, compared with ArviZ."""

from __future__ import annotations

import arviz as az
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import rankdata

from bayeslaw._sampling.convergence import BATCH, convergence, doubled_ranks


def autoregressive(rho: float, shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise, out = rng.normal(size=shape), np.empty(shape)
    out[..., 0] = noise[..., 0]
    for i in range(1, shape[-1]):
        out[..., i] = rho * out[..., i - 1] + np.sqrt(1 - rho**2) * noise[..., i]
    return out


APART = np.array([0.0, 0.0, 0.0, 2.0])[None, :, None]
CASES = {
    "independent": autoregressive(0.0, (5, 4, 500)),
    "slow": autoregressive(0.95, (5, 4, 400)),
    "alternating": autoregressive(-0.7, (5, 4, 400)),
    "strongly alternating": autoregressive(-0.99, (3, 2, 100)),
    "chains apart": autoregressive(0.5, (5, 4, 300)) + APART,
    "odd number of draws": autoregressive(0.3, (4, 3, 251)),
    "few draws": autoregressive(0.0, (20, 2, 8)),
    "heavy tails": np.random.default_rng(2).standard_cauchy(size=(4, 4, 500)),
    "ties": np.round(autoregressive(0.5, (4, 4, 300)), 1),
    "more than a batch": autoregressive(0.2, (BATCH + 3, 2, 50)),
    "tiny": 1e-12 * autoregressive(0.5, (3, 4, 200)) + 1,
}


@pytest.mark.parametrize("draws", CASES.values(), ids=CASES.keys())
def test_same_as_arviz(draws: np.ndarray) -> None:
    result = convergence(draws)
    data = xr.Dataset({"x": (("quantity", "chain", "draw"), draws)})
    expected = {
        "r_hat": az.rhat(data),
        "ess_bulk": az.ess(data, method="bulk"),
        "ess_tail": az.ess(data, method="tail", prob=(0.05, 0.95)),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(result, name), values["x"], rtol=1e-9, err_msg=name)


def test_r_hat_of_constant_or_non_finite_draws_is_nan() -> None:
    draws = autoregressive(0.0, (3, 4, 100))
    draws[0] = 1.0
    draws[1, 2, 5] = np.inf
    result = convergence(draws)
    np.testing.assert_array_equal(np.isnan(result.r_hat), [True, True, False])
    np.testing.assert_array_equal(np.isnan(result.ess_bulk), [False, True, False])
    assert result.ess_bulk[0] == 400


@given(arrays(float, array_shapes(min_dims=2, max_dims=2), elements=st.integers(-4, 4)))
def test_equal_draws_share_their_average_rank(rows: np.ndarray) -> None:
    np.testing.assert_array_equal(doubled_ranks(rows), 2 * rankdata(rows, axis=1))


def test_repeated_draws_have_the_ranks_of_scipy() -> None:
    rows = np.repeat(np.concatenate(autoregressive(0.5, (3, 4, 300))), [1, 2, 3] * 100, axis=1)
    np.testing.assert_array_equal(doubled_ranks(rows), 2 * rankdata(rows, axis=1))
    assert np.unique(doubled_ranks(rows)).size > 300


@pytest.mark.parametrize("count", [1, 2, 3])
def test_too_few_draws_have_no_convergence(count: int) -> None:
    result = convergence(np.random.default_rng(0).normal(size=(3, 2, count)))
    for values in (result.r_hat, result.ess_bulk, result.ess_tail):
        np.testing.assert_array_equal(values, np.full(3, np.nan))
