"""Laws after pre-training: fine-tuning, other losses, accuracy, samples, latency."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayeslaw._law.law import law, maximum
from bayeslaw._law.roles import Amplitude, Exponent, Floor, Fraction, Scale, Shape
from bayeslaw.laws.single_predictor import GROWTH

__all__ = [
    "decoding_time",
    "inference_time",
    "loss_to_accuracy",
    "loss_to_loss",
    "pass_at_k",
    "post_training",
]


@law(latex=r"E_0 + A\, N^{-t_1} + B\, D_{\mathrm{test}}^{-t_2}")
def post_training(
    N: Any, D_test: Any, *, E_0: Floor, A: Amplitude, t_1: Exponent, B: Amplitude, t_2: Exponent
) -> Any:
    """Error after post-training, in size and task data (generic form; Sengupta et al. 2025).

    `chinchilla` for an error. We know of no published fit.
    """
    return E_0 + A * N**-t_1 + B * D_test**-t_2


@law(latex=r"T_0 + \xi\, N^{-p_1} + \eta\, D_{\mathrm{inf}}^{-p_2} + \kappa\, C^{-p_3}")
def inference_time(
    N: Any,
    D_inf: Any,
    C: Any,
    *,
    T0: Floor,
    xi: Amplitude,
    p_1: Exponent,
    eta: Amplitude,
    p_2: Exponent,
    kappa: Amplitude,
    p_3: Exponent,
) -> Any:
    """Time that falls with size, data and compute (generic form; Sengupta et al. 2025).

    This can only be a time to solution, where a better model needs fewer attempts or a faster
    machine less time. A single pass takes longer in a larger model: see `decoding_time`.
    """
    return T0 + xi * N**-p_1 + eta * D_inf**-p_2 + kappa * C**-p_3


@law(
    latex=r"T_0 + \xi\, N^{p_1} D_{\mathrm{inf}}^{p_2}",
    rescaling=lambda n, d, *, xi, p_1, p_2, **_: {"xi": xi * n**-p_1 * d**-p_2},
    direction={"N": 1, "D_inf": 1},
    regions={"p_1": GROWTH, "p_2": GROWTH},
)
def decoding_time(N: Any, D_inf: Any, *, T0: Floor, xi: Amplitude, p_1: Shape, p_2: Shape) -> Any:
    """Time to decode D_inf tokens with N parameters (exponents near 1 after Pope et al. 2022).

    Every token reads all weights once and costs 2 N operations, so time is proportional to N and
    to the tokens whether memory or arithmetic limits it. T0 is constant overhead. p_1 below 1
    means that small models underuse the machine, p_2 above 1 that attention to earlier tokens
    matters.
    """
    return T0 + xi * N**p_1 * D_inf**p_2


@law(
    latex=r"e^{-a\, k^{-b}}",
    unitless=("k",),
    direction={"k": 1},
    higher_is_better=True,
)
def pass_at_k(k: Any, *, a: Shape, b: Exponent) -> Any:
    """Share of problems solved in k samples (Brown et al. 2024; Schaeffer et al. 2025).

    One sample solves e^-a of them. b is also the exponent of the distribution of small success
    probabilities over problems: without nearly unsolvable problems the law does not hold.
    """
    return np.exp(-a * k**-b)


@law(
    latex=r"g + \frac{(1 - g)\, h}{1 + e^{(L - L_0) / w}}",
    higher_is_better=True,
)
def loss_to_accuracy(L: Any, *, g: Fraction, h: Fraction, L_0: Scale, w: Scale) -> Any:
    """Accuracy of a task as a sigmoid of a loss (Bhagia et al. 2024).

    g is chance accuracy, h the share of the range above it that a loss far below L_0 attains, w
    the width of the transition in loss. Written there as a / (1 + e^(-k (L - L_0))) + b:
    b is g, a is (1 - g) h, k is -1/w.
    """
    return g + (1 - g) * h / (1 + np.exp((L - L_0) / w))


@law(
    latex=r"E_1 + K (L - E_0)^{\kappa}",
    rescaling=lambda scale, *, K, E_0, kappa, **_: {"K": K * scale**-kappa, "E_0": E_0 * scale},
    direction={"L": 1},
)
def loss_to_loss(L: Any, *, E_1: Floor, K: Amplitude, E_0: Scale, kappa: Shape) -> Any:
    """One loss from another at the same compute (Brandfonbrener et al. 2024).

    E_0, below every L, is the irreducible part of the first loss, E_1 of the second; both are often
    known from the losses' own laws. If free they trade off against K and kappa: fits often need
    priors or fixed values for them.
    """
    # A loss below E_0 contradicts the law; the bound keeps the response a number there.
    return E_1 + K * (L * maximum(1 - E_0 / L, 1e-6)) ** kappa
