"""Models in sentences."""

from __future__ import annotations

import pytest

import bayeslaw as bl
from bayeslaw.model.noise import Noise
from bayeslaw.report.describe import discrepancy_told, noise_told


@pytest.mark.parametrize(
    ("noise", "told"),
    [
        (bl.Gaussian(), "Noise: Gaussian on the logarithm of the response."),
        (
            bl.StudentT(nu=5.0, scale=bl.response_scales.RawScale()),
            "Noise: Student-t with 5 degrees of freedom on the response itself.",
        ),
        (
            bl.Gaussian(scale=bl.response_scales.LogitScale(0.25, 1.0), varies_with="N"),
            "Noise: Gaussian on the logit of the response between 0.25 and 1, its size a power "
            "of N.",
        ),
        (
            bl.Undertuned(),
            "Noise: Gaussian with an exponential excess of runs that were not tuned to the end on "
            "the logarithm of the response.",
        ),
    ],
)
def test_noise(noise: Noise, told: str) -> None:
    assert noise_told(noise) == told


def test_discrepancy() -> None:
    assert discrepancy_told(None).startswith("Discrepancy: none")
    assert "Brownian motion" in discrepancy_told(bl.Brownian())
