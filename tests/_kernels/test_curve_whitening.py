"""Whitening of curves: the adjoint, and how the information depends on the noise."""

from __future__ import annotations

import numpy as np
import pytest
from finite_differences import adjoints
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeslaw._kernels import curve_whitening

LAW, NOISE, CURVES = 3, 2, 4


def curves(seed: int, noise: int = NOISE) -> list[np.ndarray]:
    """Some arguments of `transform_curves`; the first five have gradients."""
    rng = np.random.default_rng(seed)
    size = LAW + noise, CURVES
    return [
        rng.normal(size=size),
        rng.normal(0, 0.5, (noise, CURVES)),
        *rng.normal(-1, 0.5, (2, *size)),
        np.exp(rng.normal(-1, 0.5, (size[0], 1))),
        rng.normal(-1, 0.5, size),
        np.exp(rng.normal(2, 1, size)),
        rng.normal(-1, 0.5, size),
        rng.uniform(0, 0.4, (LAW, noise, CURVES)),
        rng.uniform(0, 0.4, (LAW, noise, CURVES)),
        rng.normal(0, 0.3, (LAW, CURVES)),
        rng.normal(0, 0.3, (LAW, LAW, CURVES)) * (1 - np.eye(LAW))[..., None],
    ]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), noise=st.integers(0, NOISE))
def test_the_gradient_of_curves_is_that_of_finite_differences(seed: int, noise: int) -> None:
    arguments, rng = curves(seed, noise), np.random.default_rng(seed + 1)
    bars = [*rng.normal(size=(3, LAW, CURVES)), np.asarray(rng.normal())]
    bars_of_inputs = curve_whitening.transform_curves_adjoint(*arguments, *bars)
    expected = adjoints(curve_whitening.transform_curves, arguments, bars, len(bars_of_inputs))
    for bar, gradient in zip(bars_of_inputs, expected, strict=True):
        np.testing.assert_allclose(bar, gradient, rtol=1e-5, atol=1e-6)


def test_curves_are_transformed_independently() -> None:
    arguments = curves(3)
    together = curve_whitening.transform_curves(*arguments)[0]
    for g in range(CURVES):
        one = [a if a.shape[-1] == 1 else a[..., g : g + 1].copy() for a in arguments]
        np.testing.assert_array_equal(
            curve_whitening.transform_curves(*one)[0], together[:, g : g + 1]
        )


def ratio_and_shift(
    alone: float, share: tuple[float, float], log_noise_ratio: tuple[float, float]
) -> np.ndarray:
    """Information ratio and shift of the mode for log noise ratios."""
    parts = np.array([[[alone], [0.0]]]), np.array(share)[None, :, None]
    return np.ravel(
        curve_whitening.information_ratio(np.array(log_noise_ratio)[:, None], *parts)[:2]
    )


@pytest.mark.parametrize("alone", [0.0, 0.3, 0.9])
def test_information_ratio_is_one_at_the_mode(alone: float) -> None:
    assert ratio_and_shift(alone, (0.5, 0.2), (0.0, 0.0)) == pytest.approx((1, 0))


@pytest.mark.parametrize(
    ("e_folds", "expected"), [(-1.0, np.exp(2)), (0.5, np.exp(-1)), (2, np.exp(-4))]
)
@pytest.mark.parametrize("alone", [0.0, 0.5])
def test_information_falls_as_the_square_of_all_noise(
    e_folds: float, expected: float, alone: float
) -> None:
    share = (1 - 0.4 * (alone == 0), 0.4 * (alone == 0))
    ratio, _ = ratio_and_shift(alone, share, (e_folds, e_folds))
    assert ratio == pytest.approx(expected)


def test_the_mode_shifts_fully_where_the_noise_vanishes() -> None:
    assert ratio_and_shift(0.2, (0.1, 0.9), (-12.0, 0.0))[1] == pytest.approx(1)
