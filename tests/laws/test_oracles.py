"""Every law against published values, or values that can be computed by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from bayeslaw import laws

LN2 = math.log(2)
FIT = math.exp(6.255414), math.exp(7.3049974), math.exp(0.6254804), 0.3526596
S_BASE = {
    "k": 10**1.104,
    "alpha": 0.082,
    "beta": 0.108,
    "gamma": 0.009 / math.log(10),
    "E_0": 1 / (1 / 1.847 - 1 / 314.478),
    "E_max": 314.478,
}


class Oracle(NamedTuple):
    law: str
    predictors: Sequence[float]
    parameters: Mapping[str, float]
    expected: float
    rel: float
    source: str


EXACT = 1e-14
ORACLES = [
    # One scale.
    Oracle("power", [8], {"L0": 1, "k": 4, "alpha": 1 / 3}, 3, EXACT, "1 + 4 / 2"),
    Oracle("pure_power", [2], {"N_c": 32, "alpha": 0.25}, 2, EXACT, "16^(1/4)"),
    Oracle("pure_power", [8.8e8], {"N_c": 8.8e13, "alpha": 0.076}, 10**0.38, 1e-12, "Kaplan: L(N)"),
    Oracle(
        "shifted_power", [12], {"L0": 1, "k": 8, "s": 4, "alpha": 0.5}, 3, EXACT, "1 + 8 / 16^.5"
    ),
    Oracle("reciprocal_shift", [8], {"k": 6, "s": 8, "alpha": 0.5}, 3, EXACT, "6 (1/8 + 1/8)^.5"),
    Oracle(
        "double_power",
        [16],
        {"L0": 1, "k_1": 4, "alpha": 0.25, "k_2": 8, "delta": 0.25},
        5,
        EXACT,
        "1 + 4 / 16^.25 + 8 / 16^.5",
    ),
    Oracle(
        "curvature",
        [16 * 5],
        {"m": 3, "s": 0.5, "kappa": 1.5, "N_0": 5},
        2.0,
        EXACT,
        "floor 3 (1 - 1 / 1.5) = 1 and 2 16^-.25",
    ),
    Oracle(
        "curvature",
        [5 * math.e],
        {"m": 3, "s": 0.5, "kappa": 0, "N_0": 5},
        2.5,
        EXACT,
        "log-linear: 3 - .5",
    ),
    Oracle("log_linear", [math.e], {"a": 3, "b": 0.5}, 2.5, EXACT, "3 - .5"),
    Oracle("log_log_linear", [math.e], {"a": 1, "b": 0}, LN2, EXACT, "Domhan's start a = b = 1"),
    Oracle("log_log_linear", [math.e], {"a": 2, "b": 1}, 2 * LN2, EXACT, "log 4"),
    Oracle(
        "inverse_log", [math.e - 1], {"L0": 0.22, "k": 0.43}, 0.65, EXACT, "Domhan: 1 - (.78 - .43)"
    ),
    Oracle("exponential", [3 * math.log(4)], {"L0": 1, "k": 8, "c": 3}, 3, EXACT, "1 + 8 / 4"),
    Oracle(
        "stretched_exponential",
        [LN2**2],
        {"L0": 1, "k": 4, "c": 1, "beta": 0.5},
        3,
        EXACT,
        "1 + 4 / 2",
    ),
    Oracle(
        "sigmoid_power",
        [8],
        {"L0": 1, "k": 6, "d": 2, "alpha": 0.5},
        3,
        EXACT,
        "M4 from 7 to 1: (3 - 1) / (7 - 3) = 2^.5 8^-.5",
    ),
    Oracle(
        "plateau_power",
        [3],
        {"L0": 1, "k": 20, "d": 1, "alpha": 2, "f": 0.5},
        3,
        EXACT,
        "20 / (1 + 9)",
    ),
    Oracle(
        "plateau_power",
        [8],
        {"L0": 1, "k": 6, "d": 2, "alpha": 0.5, "f": 2},
        3,
        EXACT,
        "sigmoid_power",
    ),
    Oracle(
        "plateau_power",
        [1e-9],
        {"L0": 1, "k": 6, "d": 1, "alpha": 1, "f": 0.5},
        7,
        1e-12,
        "the plateau",
    ),
    Oracle(
        "sigmoid",
        [8],
        {"g": 0.25, "h": 0.8, "d": 2, "alpha": 0.5},
        0.65,
        EXACT,
        ".25 + .75 .8 / (1 + .5)",
    ),
    Oracle("proportional", [4], {"a": 3, "b": 0.5}, 6, EXACT, "3 * 2"),
    Oracle("proportional", [4], {"a": 3, "b": -1}, 0.75, EXACT, "3 / 4"),
    Oracle(
        "broken_1",
        [3],
        {"L0": 1, "k": 6, "alpha": 1, "c_1": 1, "d_1": 1, "f_1": 1},
        1.5,
        EXACT,
        "1 + 6 / 3 / (1 + 3)",
    ),
    Oracle(
        "broken_1",
        [2.0**10],
        {"L0": 1, "k": 8, "alpha": 0.1, "c_1": 0.2, "d_1": 1, "f_1": 1e-3},
        2,
        1e-12,
        "far beyond a sharp break: 1 + 8 / (2^10)^.3; (2^10)^1000 is more than a float holds",
    ),
    Oracle(
        "broken_2",
        [3],
        {
            "L0": 1,
            "k": 6,
            "alpha": 1,
            "c_1": 1,
            "d_1": 1,
            "f_1": 1,
            "c_2": -1,
            "g_2": 0.5,
            "f_2": 2,
        },
        1 + 0.5 * (1 + 2**0.5) ** 2,
        EXACT,
        "breaks at 1 and 1.5: 1 + 6 / 3 / (1 + 3) (1 + (3 / 1.5)^(1/2))^2",
    ),
    # Several scales.
    Oracle(
        "chinchilla",
        [280e9, 300e9],
        {"E": 1.69, "A": 406.4, "alpha": 0.34, "B": 410.7, "beta": 0.28},
        1.993,
        5e-4,
        "Gopher in Hoffmann's fit, 1.69 + .052 + .251",
    ),
    Oracle(
        "chinchilla",
        [70e9, 1.4e12],
        {"E": 1.69, "A": 406.4, "alpha": 0.34, "B": 410.7, "beta": 0.28},
        1.936,
        5e-4,
        "Chinchilla in Hoffmann's fit, 1.69 + .083 + .163",
    ),
    Oracle(
        "kaplan",
        [16, 12],
        {"N_c": 256, "alpha_N": 0.25, "D_c": 144, "alpha_D": 0.5},
        4,
        EXACT,
        "((256/16)^(1/2) + 144/12)^.5",
    ),
    Oracle(
        "kaplan",
        [6.4e8, 1e30],
        {"N_c": 6.4e13, "alpha_N": 0.076, "D_c": 1.8e13, "alpha_D": 0.103},
        10**0.38,
        1e-12,
        "Kaplan: L(N) where data do not limit",
    ),
    Oracle(
        "kaplan",
        [1e30, 1.8e10],
        {"N_c": 6.4e13, "alpha_N": 0.076, "D_c": 1.8e13, "alpha_D": 0.103},
        10**0.309,
        1e-12,
        "Kaplan: L(D) where size does not limit",
    ),
    Oracle(
        "generalised_sum",
        [16, 12],
        {"E": 0, "A": 4, "alpha": 0.5, "R": 9, "beta": 1, "gamma": 0.5},
        4,
        EXACT,
        "kaplan above: A = 256^.25, R = 144 / 256^.5",
    ),
    Oracle(
        "generalised_sum",
        [16, 27],
        {"E": 1, "A": 2, "alpha": 0.5, "R": 1.5, "beta": 1 / 3, "gamma": 1},
        2.5,
        EXACT,
        "a plain sum: 1 + 2 / 4 + 3 / 3",
    ),
    Oracle(
        "multiplicative",
        [16, 27],
        {"E": 1, "A": 12, "alpha": 0.5, "beta": 1 / 3},
        2,
        EXACT,
        "1 + 12/4/3",
    ),
    Oracle(
        "pretraining",
        [16, 27, 16],
        {"L0": 1, "a": 4, "b_1": 0.5, "g": 6, "b_2": 1 / 3, "d": 8, "b_3": 0.75},
        5,
        EXACT,
        "1 + 4 / 4 + 6 / 3 + 8 / 8",
    ),
    Oracle(
        "data_constrained",
        [4, 4, 2],
        {"E": 1, "A": 1, "alpha": 1, "R_N": 1 / LN2, "B": 1, "beta": 1, "R_D": 1 / LN2},
        1 + 2 / (2 + 1 / LN2),
        EXACT,
        "U_D = U_N = 2, one repeat of each, worth (1 - 1/2) / ln 2 of the first",
    ),
    Oracle(
        "data_constrained",
        [1, 4, 1],
        {"E": 1, "A": 1, "alpha": 1, "R_N": 3, "B": 1, "beta": 1, "R_D": 3},
        2.25,
        EXACT,
        "no repeats and N below its optimum: 1 + 1 + 1 / 4",
    ),
    Oracle(
        "data_constrained",
        [1, 4, 0.25],
        {"E": 1, "A": 1, "alpha": 1, "R_N": 3, "B": 1, "beta": 1, "R_D": 3},
        2.25,
        EXACT,
        "more unique tokens than are seen change nothing",
    ),
    Oracle(
        "repeated_data",
        [4, 4, 2],
        {"E": 1, "A": 1, "alpha": 1, "B": 1, "beta": 1, "R_D": 1 / LN2},
        1.25 + 1 / (2 + 1 / LN2),
        EXACT,
        "U_D = 2 and one repeat",
    ),
    Oracle(
        "over_training", [16, 4], {"E": 1, "a": 2, "b": 8, "eta": 0.5}, 3, EXACT, "1 + (4 + 4) / 4"
    ),
    Oracle(
        "precision",
        [32, 27, 1],
        {"E": 1, "A": 8, "alpha": 0.5, "gamma": 1 / LN2, "B": 6, "beta": 1 / 3},
        5,
        EXACT,
        "half of 32 parameters count: 1 + 8 / 4 + 6 / 3",
    ),
    Oracle(
        "precision",
        [1e8, 1, 4],
        {"E": 0, "A": 4299, "alpha": 0.4965, "gamma": 2.6745, "B": 0, "beta": 0.5},
        4299 * 1e8**-0.4965 * 0.776**-0.4965,
        5e-4,
        "Kumar's constants: at 4 bits .776 of the parameters count",
    ),
    Oracle(
        "quantization",
        [4, 16, 1],
        {
            "E": 1,
            "A": 2,
            "alpha": 0.5,
            "B": 4,
            "beta": 0.5,
            "C_T": 2,
            "gamma_D": 0.5,
            "gamma_N": 0.5,
            "gamma_P": 1 / LN2,
        },
        5,
        EXACT,
        "1 + 2 / 2 + 4 / 4 + 2 * 4 / 2 / 2",
    ),
    *(
        Oracle(
            "mixture_of_experts",
            [1e12, experts],
            S_BASE,
            10**0.12,
            1e-12,
            "Clark's S-BASE where b + c log10 N = 0: 10^(1.104 - .082 * 12) for any experts",
        )
        for experts in (1, 64, 512)
    ),
    Oracle(
        "mixture_of_experts",
        [1e9, 1],
        S_BASE,
        10 ** (1.104 - 0.738 - 0.0287784 + 0.0215838),
        1e-6,
        "one expert is E_start, of log10 .266467; his dense fit gives (3.568e13 / 1e9)^.078 = 2.27",
    ),
    Oracle(
        "mixture_of_experts",
        [1e9, 1e15],
        S_BASE,
        10 ** (1.104 - 0.738 - 0.2697398 + 0.2023049),
        1e-6,
        "no end of experts is E_max, of log10 2.497590",
    ),
    # Training.
    Oracle(
        "kaplan_steps",
        [6.5e9, 2.1e5],
        {"A": 6.5e13**0.077, "alpha_N": 0.077, "B": 2.1e3**0.76, "alpha_S": 0.76},
        10**0.308 + 10**-1.52,
        1e-12,
        "Kaplan: N = N_c / 10^4 and S = 100 S_c",
    ),
    Oracle("critical_batch", [1], {"B_star": 2e8, "alpha_B": 0.21}, 2e8, EXACT, "Kaplan at 1 nat"),
    Oracle(
        "critical_batch",
        [10**0.21],
        {"B_star": 2e8, "alpha_B": 0.21},
        2e7,
        1e-13,
        "a tenth of it at 10^alpha_B",
    ),
    Oracle(
        "annealing", [16, 2], {"L0": 1, "A": 4, "alpha": 0.25, "C": 0.5}, 2, EXACT, "1 + 4 / 2 - 1"
    ),
    # After pre-training.
    Oracle(
        "post_training",
        [16, 27],
        {"E_0": 1, "A": 4, "t_1": 0.5, "B": 6, "t_2": 1 / 3},
        4,
        EXACT,
        "1 + 4 / 4 + 6 / 3",
    ),
    Oracle(
        "inference_time",
        [16, 27, 16],
        {"T0": 1, "xi": 4, "p_1": 0.5, "eta": 6, "p_2": 1 / 3, "kappa": 8, "p_3": 0.75},
        5,
        EXACT,
        "1 + 4 / 4 + 6 / 3 + 8 / 8",
    ),
    Oracle(
        "decoding_time",
        [7e9, 100],
        {"T0": 0, "xi": 2 / 1.4e12, "p_1": 1, "p_2": 1},
        1,
        EXACT,
        "14 GB of weights read at 1.4 TB/s for each of 100 tokens",
    ),
    Oracle(
        "decoding_time",
        [4, 9],
        {"T0": 1, "xi": 2, "p_1": 1, "p_2": 0.5},
        25,
        EXACT,
        "1 + 2 * 4 * 3",
    ),
    Oracle("pass_at_k", [16], {"a": 2 * LN2, "b": 0.25}, 0.5, EXACT, "exp(-2 log 2 / 2)"),
    Oracle(
        "pass_at_k",
        [250],
        {"a": 1.8389, "b": 0.20904},
        0.56,
        1e-3,
        "Brown on SWE-bench Lite: .159 = e^-1.8389 with one sample, .56 with 250",
    ),
    Oracle(
        "loss_to_accuracy",
        [2 + 0.1 * math.log(3)],
        {"g": 0.25, "h": 0.8, "L_0": 2, "w": 0.1},
        0.4,
        1e-13,
        ".25 + .75 * .8 / (1 + 3)",
    ),
    Oracle(
        "loss_to_loss", [5], {"E_1": 1, "K": 3, "E_0": 1, "kappa": 0.5}, 7, EXACT, "1 + 3 * 4^.5"
    ),
]


@pytest.mark.parametrize(
    "oracle", ORACLES, ids=lambda oracle: f"{oracle.law}-{oracle.source.split(':')[0]}"
)
def test_oracle(oracle: Oracle) -> None:
    response = laws.find(oracle.law)(*map(float, oracle.predictors), **oracle.parameters)
    assert response == pytest.approx(oracle.expected, rel=oracle.rel, abs=0), oracle.source


def test_every_law_has_an_oracle() -> None:
    assert {oracle.law for oracle in ORACLES} >= set(laws.names())


def test_over_training_is_chinchilla_with_tied_exponents() -> None:
    A, B, E, alpha = FIT
    N, D = np.array([1e8, 1e9, 7e10]), np.array([3e11, 2e10, 1.4e12])
    tied = laws.chinchilla(N, D, E=E, A=A, alpha=alpha, B=B, beta=alpha)
    eta = alpha / 2
    same = laws.over_training(6 * N * D, D / N, E=E, a=6**eta * A, b=6**eta * B, eta=eta)
    np.testing.assert_allclose(same, tied, rtol=1e-13)


@pytest.mark.parametrize("unique", [178e9, 25e9, 4e9])
@pytest.mark.parametrize("N", [1e8, 8.7e9, 1e12])
def test_data_constrained_agrees_with_its_authors_code(N: float, unique: float) -> None:
    """Muennighoff et al.'s parametric fit, step by step, with the paper's rounded constants.

    At equal exponents the optimal size is 0.051 for each unique token.
    """
    ratio = (521 / 1488) ** (1 / 0.353)
    assert ratio == pytest.approx(0.051, abs=2e-4)
    R_D, U_N = 178e9 / unique - 1, min(ratio * unique, N)
    R_N = max(N / U_N - 1, 0)
    model = U_N + 5.3 * U_N * (1 - math.exp(-R_N / 5.3))
    tokens = unique + 15.4 * unique * (1 - math.exp(-R_D / 15.4))
    response = laws.data_constrained(
        N,
        178e9,
        178e9 / unique,
        **{"E": 1.87, "A": 521.0, "alpha": 0.353, "B": 1488.0, "beta": 0.353},
        R_N=5.3,
        R_D=15.4,
    )
    assert response == pytest.approx(1.87 + 521 / model**0.353 + 1488 / tokens**0.353, rel=1e-13)


def test_value_of_repeats_is_that_of_the_paper() -> None:
    """With R repeats the tokens are worth 1 + (1 - 1/e) R epochs, in the end 1 + R."""
    shape = {"E": 0.0, "A": 0.0, "alpha": 1.0, "B": 1.0, "beta": 1.0, "R_D": 15.0}

    def worth(epochs: float) -> float:
        return 1 / laws.repeated_data(1.0, epochs, epochs, **shape)

    assert worth(16.0) == pytest.approx(1 + (1 - 1 / math.e) * 15, rel=1e-14)
    assert worth(1e6) == pytest.approx(16, rel=1e-14)


def test_data_constrained_without_excess_is_repeated_data() -> None:
    shape = {"E": 1.9, "A": 521.0, "alpha": 0.35, "B": 1488.0, "beta": 0.35, "R_D": 15.4}
    for size, unique in ((1e8, 1e11), (1e-20, 1e30)):  # both far below the optimal size
        few = laws.data_constrained(size, 4 * unique, 4.0, **shape, R_N=5.3)
        assert few == pytest.approx(laws.repeated_data(size, 4 * unique, 4.0, **shape), rel=1e-14)


def test_broken_without_a_first_slope_is_plateau_power() -> None:
    N = np.logspace(-3, 3, 7)
    flat = laws.broken(1)(N, L0=1.0, k=2.0, alpha=0.0, c_1=0.7, d_1=2.0, f_1=0.4)
    plateau = laws.plateau_power(N, L0=1.0, k=2.0, alpha=0.7, d=2.0, f=0.4)
    np.testing.assert_allclose(flat, plateau, rtol=1e-14)


def test_a_loss_below_the_first_floor_is_finite() -> None:
    response = laws.loss_to_loss(np.array([0.5, 2.0]), E_1=1.0, K=3.0, E_0=1.0, kappa=0.5)
    np.testing.assert_allclose(response, [1, 4], atol=3e-3)


def test_steps_and_compute_trade_along_a_hyperbola() -> None:
    """(S / S_min - 1) (C / C_min - 1) = 1 at any batch size (Kaplan et al. 2020, eq. 5.1)."""
    B = np.array([1e5, 1e6, 3e7])
    steps, compute = laws.minimum_steps(1.0, B, 1e6), laws.minimum_compute(1.0, B, 1e6)
    np.testing.assert_allclose((1 / steps - 1) * (1 / compute - 1), 1, rtol=1e-12)
    assert (steps[1], compute[1]) == (0.5, 0.5)


def test_optimal_exponents_are_those_of_the_paper() -> None:
    exact = laws.optimal_exponents(alpha_N=0.5, alpha_S=0.25, alpha_B=0.25)
    assert exact == pytest.approx({"L": -0.1, "N": 0.2, "B": 0.4, "S": 0.4, "D": 0.8})
    # Kaplan et al. 2020 derive .054 and .71 in section 6.2, from less rounded constants, and
    # measure .050, .73, .24, .03 and .27 in section 6.1.
    exponents = laws.optimal_exponents(alpha_N=0.076, alpha_S=0.76, alpha_B=0.21)
    assert exponents == pytest.approx(
        {"L": -0.054, "N": 0.71, "B": 0.25, "S": 0.07, "D": 0.3}, abs=0.03
    )
    assert exponents == pytest.approx(
        {"L": -0.05, "N": 0.73, "B": 0.24, "S": 0.03, "D": 0.27}, abs=0.06
    )
    assert exponents["N"] + exponents["B"] + exponents["S"] == pytest.approx(1)


def test_optimal_exponents_minimise_compute() -> None:
    """Brute force: the cheapest size for each of two losses, at the critical batch size."""
    A, alpha_N, B, alpha_S, alpha_B = 10.0, 0.1, 5.0, 0.6, 0.3
    sizes = np.logspace(4, 14, 200_001)

    def cheapest(loss: float) -> tuple[float, float]:
        left = np.maximum(loss - A * sizes**-alpha_N, 1e-12)
        steps = (B / left) ** (1 / alpha_S)
        batch = laws.critical_batch(loss, B_star=1.0, alpha_B=alpha_B)
        compute = 6 * sizes * batch * steps
        return float(np.log(sizes[np.argmin(compute)])), float(np.log(compute.min()))

    (small, cheap), (large, dear) = cheapest(2.0), cheapest(1.0)
    exponents = laws.optimal_exponents(alpha_N, alpha_S, alpha_B)
    assert (large - small) / (dear - cheap) == pytest.approx(exponents["N"], rel=1e-4)
    assert np.log(1 / 2) / (dear - cheap) == pytest.approx(exponents["L"], rel=1e-4)


@pytest.mark.parametrize("name", [None, 3, laws.power])
def test_a_name_is_text(name: Any) -> None:
    with pytest.raises(ValueError, match=r"^the name of a law is text such as 'power', got "):
        laws.find(name)
