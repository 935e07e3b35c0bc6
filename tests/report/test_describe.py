"""Models in sentences."""

from __future__ import annotations

import pytest

import bayeslaw as bl
from bayeslaw.model.noise_kind import Noise
from bayeslaw.report.describe import describe_discrepancy, describe_noise


@pytest.mark.parametrize(
    ("noise", "sentence"),
    [
        (bl.Gaussian(), "Noise: Gaussian on the logarithm of the response."),
        (
            bl.StudentT(),
            "Noise: Student-t with 4 degrees of freedom on the logarithm of the response.",
        ),
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
            "Noise: Gaussian with an exponential excess for under-tuned runs on the logarithm of "
            "the response.",
        ),
    ],
)
def test_noise(noise: Noise, sentence: str) -> None:
    assert describe_noise(noise) == sentence


def test_discrepancy() -> None:
    assert describe_discrepancy(None).startswith("Discrepancy: none")
    assert "Brownian motion" in describe_discrepancy(bl.Brownian())
