"""Joint log likelihoods of curves, against the pointwise one and a dense covariance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import bayeslaw as bl
from bayeslaw.diagnostics import curve_likelihood
from bayeslaw.diagnostics.curve_likelihood import curve_log_likelihood


def test_likelihood_without_discrepancy(crossed_fit: bl.Fit) -> None:
    density = curve_log_likelihood(crossed_fit)
    each = crossed_fit.tree["log_likelihood"]["loss"]
    assert density.shape == (*each.shape[:2], 12)
    np.testing.assert_allclose(density.sum(2), each.sum("run"), rtol=1e-9)


def test_likelihood_with_discrepancy(discrepant_fit: bl.Fit) -> None:
    """Two-sided Brownian motion from the middle of the curve, written out."""
    posterior, runs = discrepant_fit.tree["posterior"].to_dataset(), discrepant_fit.runs
    label = posterior["curve"].values[3]
    own = (runs["task"] + " / " + runs["dataset"]).values == label
    at = posterior.isel(curve=3, draw=slice(0, 40))
    size, loss = np.log(runs["N"].values[own]), np.log(runs["loss"].values[own])
    u = size - (size.min() + size.max()) / 2
    together = np.where(np.sign(u) == np.sign(u)[:, None], 1, 0)
    brownian = together * np.minimum(np.abs(u), np.abs(u)[:, None])
    expected = np.empty((4, 40))
    for i, j in np.ndindex(4, 40):
        one = at.isel(chain=i, draw=j)
        law = np.log(one["L0"].item() + one["k"].item() * np.exp(-one["alpha"].item() * size))
        covariance = one["tau"].item() ** 2 * brownian + one["sigma"].item() ** 2 * np.eye(
            size.size
        )
        expected[i, j] = stats.multivariate_normal(law, covariance).logpdf(loss)
    expected -= loss.sum()  # the Jacobian of the log response
    density = curve_log_likelihood(discrepant_fit)[:, :40, 3]
    np.testing.assert_allclose(density, expected, rtol=1e-7)


def test_draws_in_batches(discrepant_fit: bl.Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    density = curve_log_likelihood(discrepant_fit)
    monkeypatch.setattr(curve_likelihood, "MAX_BATCH", 20_000)
    np.testing.assert_array_equal(curve_log_likelihood(discrepant_fit), density)
