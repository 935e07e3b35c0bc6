"""Kernels that settle coordinates: gradients by hand, and what noise makes of information."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slopes import slopes

from bayeslaw._kernels import curve_transform as settling

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
    found = settling.transform_curves_adjoint(*arguments, *bars)
    expected = slopes(settling.transform_curves, arguments, bars, len(found))
    for bar, slope in zip(found, expected, strict=True):
        np.testing.assert_allclose(bar, slope, rtol=1e-5, atol=1e-6)


def test_all_curves_alone_are_settled_as_together() -> None:
    arguments = curves(3)
    together = settling.transform_curves(*arguments)[0]
    for g in range(CURVES):
        one = [a if a.shape[-1] == 1 else a[..., g : g + 1].copy() for a in arguments]
        np.testing.assert_array_equal(settling.transform_curves(*one)[0], together[:, g : g + 1])


def heard(alone: float, share: tuple[float, float], away: tuple[float, float]) -> np.ndarray:
    """Times more that is told, and how far the mode moves, of noise so many e-folds away."""
    parts = np.array([[[alone], [0.0]]]), np.array(share)[None, :, None]
    return np.ravel(settling.information_ratio(np.array(away)[:, None], *parts)[:2])


@pytest.mark.parametrize("alone", [0.0, 0.3, 0.9])
def test_information_at_the_mode_is_that_of_the_pilot(alone: float) -> None:
    assert heard(alone, (0.5, 0.2), (0.0, 0.0)) == pytest.approx((1, 0))


@pytest.mark.parametrize(
    ("e_folds", "kept"), [(-1.0, np.exp(2)), (0.5, np.exp(-1)), (2, np.exp(-4))]
)
@pytest.mark.parametrize("alone", [0.0, 0.5])
def test_information_falls_as_the_square_of_all_noise(
    e_folds: float, kept: float, alone: float
) -> None:
    share = (1 - 0.4 * (alone == 0), 0.4 * (alone == 0))
    louder, _ = heard(alone, share, (e_folds, e_folds))
    assert louder == pytest.approx(kept)


def test_the_mode_moves_all_the_way_where_the_noise_is_gone() -> None:
    assert heard(0.2, (0.1, 0.9), (-12.0, 0.0))[1] == pytest.approx(1)
