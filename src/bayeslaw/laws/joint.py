"""Laws in several predictors: parameters, tokens, epochs, bits, experts."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayeslaw._law.law import law, maximum
from bayeslaw._law.roles import Amplitude, Exponent, Floor, Real, Scale, Shape

__all__ = [
    "chinchilla",
    "data_constrained",
    "generalised_sum",
    "kaplan",
    "mixture_of_experts",
    "multiplicative",
    "over_training",
    "precision",
    "pretraining",
    "quantization",
    "repeated_data",
]


@law(latex=r"E + A\, N^{-\alpha} + B\, D^{-\beta}")
def chinchilla(
    N: Any, D: Any, *, E: Floor, A: Amplitude, alpha: Exponent, B: Amplitude, beta: Exponent
) -> Any:
    """Additive power laws in parameters and tokens (Hoffmann et al. 2022, eq. 2).

    Published: E 1.69, A 406.4, alpha 0.34, B 410.7, beta 0.28 (rounding the exponents moves the
    loss by several percent); refitted on the same runs E 1.817, A 482, alpha 0.348, B 2085,
    beta 0.366 (Besiroglu et al. 2024).
    """
    return E + A * N**-alpha + B * D**-beta


@law(latex=r"\left((N_c / N)^{\alpha_N / \alpha_D} + D_c / D\right)^{\alpha_D}")
def kaplan(N: Any, D: Any, *, N_c: Scale, alpha_N: Exponent, D_c: Scale, alpha_D: Exponent) -> Any:
    """Model size and data that limit each other, without a floor (Kaplan et al. 2020, eq. 1.5).

    Published: N_c 6.4e13 parameters outside embeddings, alpha_N 0.076, D_c 1.8e13 tokens,
    alpha_D 0.103. N_c and D_c lie orders of magnitude beyond the runs, so give them priors.
    Priors are at the reference scale, so divide by the reference of the runs::

        n, d = (runs[name].attrs["reference"] for name in ("N", "D"))
        priors = {"N_c": LogNormal(6.4e13 / n, 10), "D_c": LogNormal(1.8e13 / d, 10)}

    `generalised_sum` contains this law, with coefficients of the order of the loss.
    """
    return ((N_c / N) ** (alpha_N / alpha_D) + D_c / D) ** alpha_D


@law(
    latex=r"E + A \left(N^{-\alpha} + R\, D^{-\beta}\right)^{\gamma}",
    rescaling=lambda n, d, *, A, alpha, R, beta, gamma, **_: {
        "A": A * n ** (alpha * gamma),
        "R": R * n**-alpha * d**beta,
    },
)
def generalised_sum(
    N: Any,
    D: Any,
    *,
    E: Floor,
    A: Amplitude,
    alpha: Exponent,
    R: Scale,
    beta: Exponent,
    gamma: Shape,
) -> Any:
    """Between the sums of Hoffmann and Kaplan (Kaplan et al. 2020; Busbridge et al. 2025).

    gamma 1 is `chinchilla` with B = A R; gamma = alpha_D, alpha = alpha_N / alpha_D, beta = 1 and
    E = 0 is `kaplan`. R is the data's term over the model's, at the reference.
    """
    return E + A * (N**-alpha + R * D**-beta) ** gamma


@law(latex=r"E + A\, N^{-\alpha} D^{-\beta}")
def multiplicative(
    N: Any, D: Any, *, E: Floor, A: Amplitude, alpha: Exponent, beta: Exponent
) -> Any:
    """Product of power laws in two predictors, as in fine-tuning (Zhang et al. 2024).

    Each predictor can fully compensate for the other, so at a given cost N D the optimum is at a
    boundary: the law does not allocate compute.
    """
    return E + A * N**-alpha * D**-beta


@law(latex=r"L_0 + a\, N^{-b_1} + g\, D^{-b_2} + d\, C^{-b_3}")
def pretraining(
    N: Any,
    D: Any,
    C: Any,
    *,
    L0: Floor,
    a: Amplitude,
    b_1: Exponent,
    g: Amplitude,
    b_2: Exponent,
    d: Amplitude,
    b_3: Exponent,
) -> Any:
    """Additive power laws in parameters, tokens and compute (generic form; Sengupta et al. 2025).

    In ordinary training C = 6 N D is not a third predictor: d and b_3 are then not identified and
    their posterior is their prior. The law needs runs whose compute varies at the same N and D
    (epochs, context, active parameters). We know of no published fit.
    """
    return L0 + a * N**-b_1 + g * D**-b_2 + d * C**-b_3


@law(
    latex=r"E + A \left[U_N (1 + R_N (1 - e^{-r_N / R_N}))\right]^{-\alpha}"
    r" + B \left[U_D (1 + R_D (1 - e^{-r_D / R_D}))\right]^{-\beta}",
    unitless=("epochs",),
    direction={"epochs": 1},
)
def data_constrained(
    N: Any,
    D: Any,
    epochs: Any,
    *,
    E: Floor,
    A: Amplitude,
    alpha: Exponent,
    R_N: Scale,
    B: Amplitude,
    beta: Exponent,
    R_D: Scale,
) -> Any:
    """Diminishing value of repeated tokens and excess parameters (Muennighoff et al. 2023).

    D counts all tokens seen and epochs how often each was: U_D = D / epochs are unique, r_D =
    epochs - 1 repeats; less than one epoch is one. U_N is N up to the size that is compute-optimal
    for U_D, where alpha A N^-alpha = beta B U_D^-beta, and r_N = N / U_N - 1 the excess. With R_D
    repeats data are worth 1 + 0.63 R_D epochs, and never more than 1 + R_D.

    Published: A 521, B 1488, E 1.87, alpha = beta = 0.353; R_D* 15.39, R_N* 5.31. The last two
    are one point of a ridge: with the others fixed, the published objective on the 182 published
    runs is .0158259 there and lower, .0158047, at R_D 95.4 and R_N 1.71 (benchmarks/published.py).
    """
    times = maximum(epochs, 1.0)
    U = D / times
    best = (np.log(alpha * A / (beta * B)) + beta * np.log(U)) / alpha
    excess = maximum(np.log(N) - best, 0.0)
    model = N * np.exp(-excess) * _worth(np.expm1(excess), R_N)
    return E + A * model**-alpha + B * (U * _worth(times - 1, R_D)) ** -beta


@law(
    latex=r"E + A\, N^{-\alpha}"
    r" + B \left[U_D (1 + R_D (1 - e^{-r_D / R_D}))\right]^{-\beta}",
    unitless=("epochs",),
    direction={"epochs": 1},
)
def repeated_data(
    N: Any,
    D: Any,
    epochs: Any,
    *,
    E: Floor,
    A: Amplitude,
    alpha: Exponent,
    B: Amplitude,
    beta: Exponent,
    R_D: Scale,
) -> Any:
    """Diminishing value of repeated tokens only (Muennighoff et al. 2023).

    `data_constrained` without the excess of parameters, for models that are not too large for
    their unique tokens U_D = D / epochs; r_D = epochs - 1.
    """
    times = maximum(epochs, 1.0)
    return E + A * N**-alpha + B * (D / times * _worth(times - 1, R_D)) ** -beta


@law(
    latex=r"E + \left(a\, M^{\eta} + b\, M^{-\eta}\right) C^{-\eta}",
    rescaling=lambda c, m, *, a, b, eta, **_: {"a": a * (c / m) ** eta, "b": b * (c * m) ** eta},
    direction={"M": 0},
)
def over_training(C: Any, M: Any, *, E: Floor, a: Amplitude, b: Amplitude, eta: Exponent) -> Any:
    """Over-training: compute C at M = D/N tokens per parameter (Gadre et al. 2024).

    `chinchilla` with C = 6 N D and alpha = beta = 2 eta: a = 6^eta A and b = 6^eta B. The best M
    is (b/a)^(1 / (2 eta)) at any compute, and over-training shifts the curve but keeps its slope.
    """
    return E + (a * M**eta + b * M**-eta) * C**-eta


@law(
    latex=r"E + A \left[N (1 - e^{-P/\gamma})\right]^{-\alpha} + B\, D^{-\beta}",
    unitless=("P",),
)
def precision(
    N: Any,
    D: Any,
    P: Any,
    *,
    E: Floor,
    A: Amplitude,
    alpha: Exponent,
    gamma: Scale,
    B: Amplitude,
    beta: Exponent,
) -> Any:
    """Training at a precision of P bits: fewer effective parameters (Kumar et al. 2024, eq. 3).

    P is the precision of the weights; activations and the cache of keys and values each bring
    a factor of the same form (their eq. 4). Published gamma in bits: weights 2.6745, activations
    2.2102, cache 0.9578, with A 4299 and alpha 0.4965 (arXiv:2411.04330, app. K, read in
    secondary copies). The authors doubt that these constants transfer to other models and data.
    """
    return E + A * (N * -np.expm1(-P / gamma)) ** -alpha + B * D**-beta


@law(
    latex=r"E + A\, N^{-\alpha} + B\, D^{-\beta}"
    r" + C_T\, D^{\gamma_D} N^{-\gamma_N} e^{-P/\gamma_P}",
    unitless=("P",),
    rescaling=lambda n, d, _, *, A, alpha, B, beta, C_T, gamma_D, gamma_N, **__: {
        "A": A * n**alpha,
        "B": B * d**beta,
        "C_T": C_T * n**gamma_N * d**-gamma_D,
    },
    direction={"D": 0},
)
def quantization(
    N: Any,
    D: Any,
    P: Any,
    *,
    E: Floor,
    A: Amplitude,
    alpha: Exponent,
    B: Amplitude,
    beta: Exponent,
    C_T: Amplitude,
    gamma_D: Exponent,
    gamma_N: Exponent,
    gamma_P: Scale,
) -> Any:
    """Post-training quantization to P bits, worse with more data (Kumar et al. 2024, eq. 2).

    The last term is added to `chinchilla` for models trained in 16 bits or more. Published:
    C_T 0.0598, gamma_D 0.5068, gamma_N 0.3439 (arXiv:2411.04330, app. K, table 2, read in
    secondary copies, which lack gamma_P).
    """
    harm = C_T * D**gamma_D * N**-gamma_N * np.exp(-P / gamma_P)
    return E + A * N**-alpha + B * D**-beta + harm


@law(
    latex=r"k\, \hat{E}^{-\beta} N^{-\alpha + \gamma \ln \hat{E}},"
    r"\quad \hat{E}^{-1} = (E - 1 + E_0)^{-1} + E_{\mathrm{max}}^{-1}",
    unitless=("E",),
    rescaling=lambda n, _, *, k, alpha, beta, gamma, **__: {
        "k": k * n**alpha,
        "beta": beta + gamma * np.log(n),
    },
    direction={"N": 0, "E": 0},
)
def mixture_of_experts(
    N: Any,
    E: Any,
    *,
    k: Amplitude,
    alpha: Exponent,
    beta: Exponent,
    gamma: Real,
    E_0: Scale,
    E_max: Scale,
) -> Any:
    """Experts E in a model of N parameters per token, at one data size (Clark et al. 2022, eq. 1).

    Clark's log L = a log N + b log E' + c log N log E' + d has decimal logarithms: alpha = -a,
    beta = -b, gamma = c / ln 10, k = 10^d. E_0 = 1 / (1/E_start - 1/E_max), so E' is E_start for
    one expert. Published for S-BASE: a -0.082, b -0.108, c 0.009, d 1.104, E_start 1.847, E_max
    314.478. Experts stop helping at N = e^(beta/gamma).

    Few tables identify E_0 and E_max along with beta and gamma: fits often need priors or fixed
    values.
    """
    experts = 1 / (1 / (maximum(E - 1, 0.0) + E_0) + 1 / E_max)
    return k * experts**-beta * N ** (gamma * np.log(experts) - alpha)


def _worth(repeats: Any, R: Any) -> Any:
    """Value of unique and repeated units together, relative to that of the unique ones."""
    return 1 - R * np.expm1(-repeats / R)
