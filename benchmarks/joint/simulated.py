"""Simulated studies, whose truth is known beyond the data.

A study is a grid of N and D, the same for each of its curves, with one noisy run per cell. Its test
rows are at 10 and 30 times the compute of the largest cell: from there, a quarter, a half or three
quarters of the way (in logarithms) is made in N, the rest in D. They are marked as held out, so
that `splits.official_split` splits a study. Column ``truth`` is the loss without noise.

With x = N / 1e8, y = D / 2e9, u = log x, v = log y, the truths of a curve are::

    exact        E + A x^-alpha + B y^-beta
    drifting     E + A x^-(alpha + a u) + B y^-(beta + b v)
    interacting  E + (A x^-alpha + B y^-beta) exp(c u v)
    generalised  E + K (x^-(alpha / g) + (B / A) y^-(beta / g))^g
    broken       E + A x^-alpha + B y^-beta (1 + (y / y_b)^5)^(-d beta / 5)

K is such that the loss at x = y = 1 is that of exact, and y_b is a third of the way (in logarithms)
from the largest D to the smallest: beyond it the exponent is (1 + d) beta. The coefficients are
normal: a and b with standard deviation .012, c .006, log(g / .6) .4 and d .4. They are cut at two
standard deviations, so that the loss falls with N and D up to the last test row; and correlate by
.7 between the curves of a study, because laws err together. The logarithms of E, A, alpha, B and
beta are normal between curves, around those of `CENTRE` with standard deviations of `SPREAD`.
Noise is log-normal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

import bayeslaw as bl
from benchmarks.joint.study import COST, HELD_OUT, TRUTH, Study, study, training_flop

REFERENCE = {"N": 1e8, "D": 2e9}
N_RANGE = (1e7, 1e9)
D_RANGE = (2e8, 2e10)
CENTRE = {"E": 1.8, "A": 0.7, "alpha": 0.34, "B": 0.7, "beta": 0.3}
SPREAD = {"E": 0.1, "A": 0.2, "alpha": 0.08, "B": 0.2, "beta": 0.08}
HORIZONS = (10.0, 30.0)
SHARES_OF_N = (0.25, 0.5, 0.75)
CORRELATION, LARGEST = 0.7, 2.0
DRIFT, INTERACTION, BREAK = 0.012, 0.006, 0.4
GAMMA, GAMMA_SPREAD = 0.6, 0.4
SHARPNESS, BREAK_FROM_TOP = 5.0, 1 / 3
BREAK_AT = (D_RANGE[1] / REFERENCE["D"]) * (D_RANGE[0] / D_RANGE[1]) ** BREAK_FROM_TOP

type Parameters = Mapping[str, float]
type Truth = Callable[[np.ndarray, np.ndarray, Parameters, np.ndarray], np.ndarray]


def exact(x: np.ndarray, y: np.ndarray, parameters: Parameters, z: np.ndarray) -> np.ndarray:
    """Chinchilla's law; x and y (row,), coefficients z (2,) not used. Returns (row,)."""
    return bl.laws.chinchilla(x, y, **parameters)


def drifting(x: np.ndarray, y: np.ndarray, parameters: Parameters, z: np.ndarray) -> np.ndarray:
    """Exponents that drift with the size."""
    slow_N, slow_D = np.exp(-DRIFT * z[:, None] * np.log([x, y]) ** 2)
    model, data = _terms(x, y, parameters)
    return parameters["E"] + model * slow_N + data * slow_D


def interacting(x: np.ndarray, y: np.ndarray, parameters: Parameters, z: np.ndarray) -> np.ndarray:
    """An interaction of N and D in what is above the floor."""
    factor = np.exp(INTERACTION * z[0] * np.log(x) * np.log(y))
    return parameters["E"] + sum(_terms(x, y, parameters)) * factor


def generalised(x: np.ndarray, y: np.ndarray, parameters: Parameters, z: np.ndarray) -> np.ndarray:
    """A generalised sum."""
    gamma = GAMMA * np.exp(GAMMA_SPREAD * z[0])
    return generalised_sum(x, y, parameters, gamma)


def generalised_sum(
    x: np.ndarray, y: np.ndarray, parameters: Parameters, gamma: float
) -> np.ndarray:
    """A generalised sum that is Chinchilla's law if gamma is 1."""
    ratio = parameters["B"] / parameters["A"]
    at_reference = parameters["A"] + parameters["B"]
    return bl.laws.generalised_sum(
        x,
        y,
        E=parameters["E"],
        A=at_reference / (1 + ratio) ** gamma,
        alpha=parameters["alpha"] / gamma,
        R=ratio,
        beta=parameters["beta"] / gamma,
        gamma=gamma,
    )


def broken(x: np.ndarray, y: np.ndarray, parameters: Parameters, z: np.ndarray) -> np.ndarray:
    """Another exponent of the data beyond a size within the data."""
    more = parameters["beta"] * BREAK * z[0]
    model, data = _terms(x, y, parameters)
    bent = (1 + (y / BREAK_AT) ** SHARPNESS) ** (-more / SHARPNESS)
    return parameters["E"] + model + data * bent


def _terms(x: np.ndarray, y: np.ndarray, parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
    A, alpha, B, beta = (parameters[name] for name in ("A", "alpha", "B", "beta"))
    return A * x**-alpha, B * y**-beta


@dataclass(frozen=True)
class Case:
    """A truth, and what is seen of it.

    Parameters
    ----------
    truth : function
        Of x and y, (row,), parameters, and standardised coefficients, (2,), to the loss, (row,).
    n_N, n_D : int
        Sizes of models and of data: the grid has their product of cells.
    n_curves : int
        Number of curves.
    noise : float
        Standard deviation of the log loss of a run.
    """

    truth: Truth
    n_N: int
    n_D: int
    n_curves: int
    noise: float

    @property
    def name(self) -> str:
        """Such as ``drifting, 3 x 3 cells, 8 curves``."""
        return f"{self.truth.__name__}, {self.n_N} x {self.n_D} cells, {self.n_curves} curves"


TRUTHS: tuple[Truth, ...] = (exact, drifting, interacting, generalised, broken)
SHAPES = (  # sizes of models, of data, curves, noise
    (2, 2, 1, 0.003),
    (2, 2, 8, 0.01),
    (3, 3, 3, 0.005),
    (4, 5, 4, 0.01),
    (5, 8, 1, 0.005),
    (5, 8, 8, 0.003),
)
CASES = tuple(Case(truth, *shape) for truth, shape in product(TRUTHS, SHAPES))


def simulate(case: Case, rng: np.random.Generator) -> Study:
    """Draw a study.

    Parameters
    ----------
    case : Case
        One of `CASES`, or another.
    rng : numpy.random.Generator
        Source of randomness. Equal states give equal studies.

    Returns
    -------
    Study
        Pooled over ``task``, with the column ``truth``.
    """
    cells = pd.concat([_grid(case), _beyond()], ignore_index=True)
    curves = [
        cells.assign(task=f"task {number}", **{TRUTH: _truth(case, cells, _parameters(rng), z)})
        for number, z in enumerate(_coefficients(case.n_curves, rng))
    ]
    rows = pd.concat(curves, ignore_index=True)
    rows["loss"] = rows[TRUTH] * np.exp(case.noise * rng.normal(size=len(rows)))
    laws = ("chinchilla", "generalised_sum")
    return study(case.name, rows, predictors=("N", "D"), laws=laws, groups=("task",))


def _grid(case: Case) -> pd.DataFrame:
    sizes = product(np.geomspace(*N_RANGE, case.n_N), np.geomspace(*D_RANGE, case.n_D))
    cells = pd.DataFrame(sizes, columns=["N", "D"])
    return cells.assign(**{COST: training_flop(cells), HELD_OUT: False})


def _beyond() -> pd.DataFrame:
    horizon, share = np.array([*product(HORIZONS, SHARES_OF_N)]).T
    cells = pd.DataFrame(
        {"N": N_RANGE[1] * horizon**share, "D": D_RANGE[1] * horizon ** (1 - share)}
    )
    return cells.assign(**{COST: training_flop(cells), HELD_OUT: True})


def _coefficients(n_curves: int, rng: np.random.Generator) -> np.ndarray:
    """Standardised coefficients of misfit, (curve, 2)."""
    shared, own = rng.normal(size=2), rng.normal(size=(n_curves, 2))
    z = np.sqrt(CORRELATION) * shared + np.sqrt(1 - CORRELATION) * own
    return np.clip(z, -LARGEST, LARGEST)


def _parameters(rng: np.random.Generator) -> dict[str, float]:
    return {name: CENTRE[name] * np.exp(SPREAD[name] * rng.normal()) for name in CENTRE}


def _truth(case: Case, cells: pd.DataFrame, parameters: Parameters, z: np.ndarray) -> np.ndarray:
    x, y = (cells[name].to_numpy() / size for name, size in REFERENCE.items())
    return case.truth(x, y, parameters, z)
