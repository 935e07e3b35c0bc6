"""Laws in one predictor: parameters, tokens, samples or compute, whichever the runs vary."""

from __future__ import annotations

import functools
from typing import Any, get_args

import numpy as np

from bayeslaw._arguments import COUNT
from bayeslaw._law.law import Law, law, maximum
from bayeslaw._law.roles import Amplitude, Exponent, Floor, Fraction, Rate, Real, Scale, Shape

__all__ = [
    "broken",
    "double_power",
    "exponential",
    "inverse_log",
    "log_linear",
    "log_log_linear",
    "plateau_power",
    "power",
    "proportional",
    "pure_power",
    "reciprocal_shift",
    "shifted_power",
    "sigmoid",
    "sigmoid_power",
    "stretched_exponential",
]

GROWTH = {
    "sublinear": (-np.inf, 0.95),
    "linear": (0.95, 1.05),
    "superlinear": (1.05, np.inf),
}


@law(latex=r"L_0 + k\, N^{-\alpha}")
def power(N: Any, *, L0: Floor, k: Amplitude, alpha: Exponent) -> Any:
    """Power law above an irreducible loss (Hestness et al. 2017; Henighan et al. 2020)."""
    return L0 + k * N**-alpha


@law(
    latex=r"(N_c / N)^{\alpha}",
    level=("N_c", lambda value, N, *, alpha: N * value ** (1 / alpha)),
)
def pure_power(N: Any, *, N_c: Scale, alpha: Exponent) -> Any:
    """Power law without a floor (Kaplan et al. 2020, eq. 1.1).

    Published for language models: alpha 0.076 and N_c 8.8e13 in parameters, 0.095 and 5.4e13 in
    tokens, 0.050 and 3.1e8 in PF-days of compute spent best.
    """
    return (N_c / N) ** alpha


@law(latex=r"L_0 + k\, (N + s)^{-\alpha}")
def shifted_power(N: Any, *, L0: Floor, k: Amplitude, s: Scale, alpha: Exponent) -> Any:
    """Power law with a shifted origin, for curves that start flat (Zhai et al. 2022).

    s is the size below which growing hardly helps. The runs need sizes on both sides of s.
    """
    return L0 + k * (N + s) ** -alpha


@law(latex=r"k\, (1/N + 1/s)^{\alpha}")
def reciprocal_shift(N: Any, *, k: Amplitude, s: Scale, alpha: Exponent) -> Any:
    """Power law that saturates at a size (Bansal et al. 2022; M3 of Alabdulmohsin et al. 2022).

    Written there as beta (1/x + gamma)^c: k is beta and s is 1/gamma, the size beyond which the
    loss stays near k s^-alpha.
    """
    return k * (1 / N + 1 / s) ** alpha


@law(
    latex=r"L_0 + k_1 N^{-\alpha} + k_2 N^{-(\alpha + \delta)}",
    rescaling=lambda scale, *, k_1, k_2, alpha, delta, **_: {
        "k_1": k_1 * scale**alpha,
        "k_2": k_2 * scale ** (alpha + delta),
    },
)
def double_power(
    N: Any, *, L0: Floor, k_1: Amplitude, alpha: Exponent, k_2: Amplitude, delta: Exponent
) -> Any:
    """Sum of a slow and a fast power law (for theory: Bordelon et al. 2024).

    The fast exponent is the slow one plus delta, so that the two terms cannot switch.
    """
    return L0 + k_1 * N**-alpha + k_2 * N ** -(alpha + delta)


@law(
    latex=r"a - b \log N",
    rescaling=lambda scale, *, a, b: {"a": a + b * np.log(scale)},
)
def log_linear(N: Any, *, a: Amplitude, b: Rate) -> Any:
    """Loss that falls by b with every e-fold of size (Domhan et al. 2015, ``logx_linear``)."""
    return a - b * np.log(N)


@law(
    latex=r"\log(1 + a \log N + b)",
    rescaling=lambda scale, *, a, b: {"b": b - a * np.log(scale)},
    direction={"N": 1},
    higher_is_better=True,
)
def log_log_linear(N: Any, *, a: Shape, b: Shape) -> Any:
    """Accuracy that rises as a double logarithm (Domhan et al. 2015, ``loglog_linear``).

    Domhan's b is one more than ours, which keeps the response above zero at the reference.
    In the user's own unit b may be negative.
    """
    return np.log1p(a * np.log(N) + b)


@law(latex=r"L_0 + \frac{k}{\log(1 + N)}", unitless=("N",))
def inverse_log(N: Any, *, L0: Floor, k: Amplitude) -> Any:
    """Loss that falls as one over a logarithm (Domhan et al. 2015, ``ilog2``).

    Domhan's accuracy c - k / log(1 + N) is one minus this, with c = 1 - L0. It is a law of
    counts such as epochs: a change of unit changes the curve, so N has no unit.
    """
    return L0 + k / np.log1p(N)


@law(latex=r"L_0 + k\, e^{-N/c}")
def exponential(N: Any, *, L0: Floor, k: Amplitude, c: Scale) -> Any:
    """Exponential approach to a floor within the size c (Domhan et al. 2015, ``exp3``)."""
    return L0 + k * np.exp(-N / c)


@law(latex=r"L_0 + k\, e^{-(N/c)^{\beta}}")
def stretched_exponential(N: Any, *, L0: Floor, k: Amplitude, c: Scale, beta: Shape) -> Any:
    """Exponential in a power of the size (Domhan et al. 2015, ``exp4`` and ``weibull``).

    beta below 1 stretches the decay over many sizes; 1 is `exponential`.
    """
    return L0 + k * np.exp(-((N / c) ** beta))


@law(latex=r"L_0 + \frac{k}{1 + (N/d)^{\alpha}}")
def sigmoid_power(N: Any, *, L0: Floor, k: Amplitude, d: Scale, alpha: Exponent) -> Any:
    """From a plateau to a power law, symmetric in log size (Alabdulmohsin et al. 2022).

    Their M4, (L - L0) / (L_max - L)^a = beta x^-c, with a = 1 and solved for L: the plateau
    L_max is L0 + k, the exponent alpha is c, and half of k is gone at d = beta^(1/c).
    """
    return L0 + k / (1 + (N / d) ** alpha)


@law(latex=r"L_0 + k\, \left(1 + (N/d)^{1/f}\right)^{-\alpha f}")
def plateau_power(N: Any, *, L0: Floor, k: Amplitude, d: Scale, alpha: Exponent, f: Shape) -> Any:
    """From a plateau to a power law with sharpness 1/f (Caballero et al. 2023, eq. 1).

    A broken law with one break and nothing before it: L0 + k, the guess level, for N far below
    d, then a power law of exponent alpha. Small f gives a sharp knee; f = 1/alpha is
    `sigmoid_power`.
    """
    return L0 + k * _bend(N, d, alpha, f)


@law(
    latex=r"g + \frac{(1 - g)\, h}{1 + (N/d)^{-\alpha}}",
    direction={"N": 1},
    higher_is_better=True,
)
def sigmoid(N: Any, *, g: Fraction, h: Fraction, d: Scale, alpha: Exponent) -> Any:
    """Accuracy that rises in log size from chance to a ceiling (Domhan et al. 2015, ``hill3``).

    g is chance accuracy (0.25 for four choices; fix it if it is known), h the share of the range
    above it that is ever reached, d the size at half of that.
    """
    return g + (1 - g) * h / (1 + (N / d) ** -alpha)


@law(
    latex=r"a\, X^{b}",
    rescaling=lambda scale, *, a, b: {"a": a * scale**-b},
    direction={"X": 0},
    regions={"b": GROWTH},
)
def proportional(X: Any, *, a: Amplitude, b: Real) -> Any:
    """A quantity that grows as a power of another, such as time or cost (Huxley 1932).

    Growth is sublinear for b below 0.95, linear up to 1.05, and superlinear above.
    """
    return a * X**b


@functools.cache
def broken(breaks: int) -> Law:
    """Power law whose exponent changes smoothly at a number of breaks, in order of size.

    Parameters
    ----------
    breaks : int
        Number of breaks, 1 or more.

    Returns
    -------
    Law
        Its name is ``broken_1``, ``broken_2`` and so on.

    Examples
    --------
    >>> list(broken(2).parameters)
    ['L0', 'k', 'alpha', 'c_1', 'd_1', 'f_1', 'c_2', 'g_2', 'f_2']
    >>> round(float(broken(1)(3.0, L0=1.0, k=6.0, alpha=1.0, c_1=1.0, d_1=1.0, f_1=1.0)), 12)
    1.5
    """
    breaks = COUNT.check("breaks", breaks)  # without a break it is `power`

    def formula(N: Any, *, L0: Any, k: Any, alpha: Any, d_1: Any, **bends: Any) -> Any:
        """Power law with smooth breaks (Caballero et al. 2023, eq. 1).

        Their a, b and c_0 are L0, k and alpha. Beyond the break at d_i the exponent is larger by
        c_i, or smaller where c_i is negative; small f_i is a sharp break. Every break lies beyond
        the one before, d_i = d_(i-1) (1 + g_i), so that no two can switch. Three parameters
        per break are many for one curve: fits often need priors or fixed values.
        """
        loss, d = k * N**-alpha, d_1
        for i in range(1, breaks + 1):
            d = d * (1 + bends[f"g_{i}"]) if i > 1 else d
            loss = loss * _bend(N, d, bends[f"c_{i}"], bends[f"f_{i}"])
        return L0 + loss

    roles = {"L0": Floor, "k": Amplitude, "alpha": Exponent}
    factors, orders = [], []
    for i in range(1, breaks + 1):
        location = "d_1" if i == 1 else f"g_{i}"
        roles |= {f"c_{i}": Real, location: Scale, f"f_{i}": Shape}
        factors.append(rf"\left(1 + (N/d_{i})^{{1/f_{i}}}\right)^{{-c_{i} f_{i}}}")
        orders += [rf",\quad d_{i} = d_{i - 1} (1 + g_{i})"] if i > 1 else []
    formula.__name__ = f"broken_{breaks}"
    return Law(
        formula.__name__,
        formula,
        ("N",),
        {name: get_args(role)[1] for name, role in roles.items()},
        latex=rf"L_0 + k\, N^{{-\alpha}} {' '.join(factors)}{''.join(orders)}",
        direction={"N": 0},
    )


# This name is part of the formulas above, by whose hash a saved fit recognises its law.
def _bend(N: Any, d: Any, c: Any, f: Any) -> Any:
    """Smooth break (1 + (N/d)^(1/f))^(-c f), in logs because sharp breaks overflow."""
    u = (np.log(N) - np.log(d)) / f
    return np.exp(-c * f * (maximum(u, 0.0) + np.log1p(np.exp(-abs(u)))))
