"""Laws of a training run: steps, batch size, learning rate, and optimal use of compute.

Loss against steps or tokens is `kaplan_steps`, ``power.of("S")`` or ``chinchilla.of("N", "S")``.
For parameters that change during training, pool over the stage of training as a group::

    runs = bl.read_runs(table, predictors=["N"], groups=["stage"])  # fraction of the steps done
    model = bl.Model(bl.laws.power, pooling=["stage"])

The hyperbolic law of the position in the context (Xiong et al. 2024, arXiv:2404.17785) is not
included, because we found no second source for its formula.
"""

from __future__ import annotations

from typing import Any

from bayeslaw._law.law import law
from bayeslaw._law.roles import Amplitude, Exponent, Floor, Rate

__all__ = [
    "annealing",
    "critical_batch",
    "kaplan_steps",
    "minimum_compute",
    "minimum_steps",
    "optimal_exponents",
]


@law(latex=r"A\, N^{-\alpha_N} + B\, S^{-\alpha_S}")
def kaplan_steps(
    N: Any, S: Any, *, A: Amplitude, alpha_N: Exponent, B: Amplitude, alpha_S: Exponent
) -> Any:
    """Loss of N parameters after S steps of large batches (Kaplan et al. 2020, eq. 1.6).

    S is the least number of steps, of `minimum_steps`. Written there as (N_c/N)^alpha_N +
    (S_c/S)^alpha_S, so A = N_c^alpha_N and B = S_c^alpha_S. Published: N_c 6.5e13, alpha_N 0.077,
    S_c 2.1e3, alpha_S 0.76. With a floor it is ``chinchilla.of("N", "S")``.
    """
    return A * N**-alpha_N + B * S**-alpha_S


@law(
    latex=r"B_* L^{-1/\alpha_B}",
    rescaling=lambda scale, *, B_star, alpha_B: {"B_star": B_star * scale ** (1 / alpha_B)},
)
def critical_batch(L: Any, *, B_star: Amplitude, alpha_B: Exponent) -> Any:
    """Critical batch size, which balances time and compute at a loss (Kaplan et al. 2020, eq. 1.4).

    A smaller batch costs steps, a larger one compute. Published: B_star 2e8 tokens,
    alpha_B 0.21, L in nats.
    """
    return B_star * L ** (-1 / alpha_B)


@law(
    latex=r"L_0 + A\, S_1^{-\alpha} - C\, S_2",
    rescaling=lambda s_1, s_2, *, A, alpha, C, **_: {"A": A * s_1**alpha, "C": C / s_2},
)
def annealing(S_1: Any, S_2: Any, *, L0: Floor, A: Amplitude, alpha: Exponent, C: Rate) -> Any:
    """Loss along any learning-rate schedule (Tissue et al. 2024, eq. 1).

    S_1 is the area under the learning rate up to a step, S_2 the annealing area: the decrease of
    the rate with momentum, summed over steps. C is loss per unit of S_2. Both areas must be
    positive: fit points after annealing has begun, or finished schedules.
    """
    return L0 + A * S_1**-alpha - C * S_2


def minimum_steps(S: Any, B: Any, B_crit: Any) -> Any:
    """Steps that a run would have needed with a very large batch (Kaplan et al. 2020, eq. 5.4).

    Parameters
    ----------
    S : float or array
        Steps taken.
    B : float or array
        Batch size they were taken with.
    B_crit : float or array
        Critical batch size at the loss reached, of `critical_batch`.

    Returns
    -------
    float or array

    Examples
    --------
    >>> minimum_steps(3000.0, B=2e6, B_crit=1e6)
    2000.0
    """
    return S / (1 + B_crit / B)


def minimum_compute(C: Any, B: Any, B_crit: Any) -> Any:
    """Compute that a run would have needed with a very small batch (Kaplan et al. 2020, eq. 5.5).

    Parameters
    ----------
    C : float or array
        Compute spent.
    B : float or array
        Batch size it was spent with.
    B_crit : float or array
        Critical batch size at the loss reached, of `critical_batch`.

    Returns
    -------
    float or array

    Examples
    --------
    >>> minimum_compute(3e20, B=2e6, B_crit=1e6)
    1e+20
    """
    return C / (1 + B / B_crit)


def optimal_exponents(alpha_N: float, alpha_S: float, alpha_B: float) -> dict[str, float]:
    """Compute exponents of optimal model, batch, steps, tokens (Kaplan et al. 2020, sec. 6.2).

    They minimise `kaplan_steps` at compute 6 N B S with the critical batch size.

    Parameters
    ----------
    alpha_N, alpha_S : float
        Exponents of `kaplan_steps`.
    alpha_B : float
        Exponent of `critical_batch`.

    Returns
    -------
    dict of str to float
        Exponents of the minimal compute: of the loss ("L", a fall), parameters "N", batch "B",
        steps "S" and tokens "D" = B S.

    Examples
    --------
    >>> {name: round(power, 2) for name, power in optimal_exponents(0.076, 0.76, 0.21).items()}
    {'L': -0.05, 'N': 0.68, 'B': 0.25, 'S': 0.07, 'D': 0.32}
    """
    fall = 1 / (1 / alpha_S + 1 / alpha_B + 1 / alpha_N)
    batch, steps = fall / alpha_B, fall / alpha_S
    return {"L": -fall, "N": fall / alpha_N, "B": batch, "S": steps, "D": batch + steps}
