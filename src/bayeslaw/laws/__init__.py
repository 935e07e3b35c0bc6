"""Catalogue of scaling laws, each a function with its formula and source."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bayeslaw._law.law import Law
from bayeslaw._suggestions import did_you_mean, missing_name
from bayeslaw.laws.curvature import curvature
from bayeslaw.laws.downstream import (
    decoding_time,
    inference_time,
    loss_to_accuracy,
    loss_to_loss,
    pass_at_k,
    post_training,
)
from bayeslaw.laws.joint import (
    chinchilla,
    data_constrained,
    generalised_sum,
    kaplan,
    mixture_of_experts,
    multiplicative,
    over_training,
    precision,
    pretraining,
    quantization,
    repeated_data,
)
from bayeslaw.laws.single_predictor import (
    broken,
    double_power,
    exponential,
    inverse_log,
    log_linear,
    log_log_linear,
    plateau_power,
    power,
    proportional,
    pure_power,
    reciprocal_shift,
    shifted_power,
    sigmoid,
    sigmoid_power,
    stretched_exponential,
)
from bayeslaw.laws.training import (
    annealing,
    critical_batch,
    kaplan_steps,
    minimum_compute,
    minimum_steps,
    optimal_exponents,
)

__all__ = [
    "annealing",
    "broken",
    "chinchilla",
    "critical_batch",
    "curvature",
    "data_constrained",
    "decoding_time",
    "double_power",
    "exponential",
    "find",
    "generalised_sum",
    "inference_time",
    "inverse_log",
    "kaplan",
    "kaplan_steps",
    "log_linear",
    "log_log_linear",
    "loss_to_accuracy",
    "loss_to_loss",
    "minimum_compute",
    "minimum_steps",
    "mixture_of_experts",
    "multiplicative",
    "names",
    "optimal_exponents",
    "over_training",
    "pass_at_k",
    "plateau_power",
    "post_training",
    "power",
    "precision",
    "pretraining",
    "proportional",
    "pure_power",
    "quantization",
    "reciprocal_shift",
    "repeated_data",
    "shifted_power",
    "sigmoid",
    "sigmoid_power",
    "stretched_exponential",
]

if not TYPE_CHECKING:  # a type checker finds a wrong name by itself
    __getattr__ = missing_name(__name__, __all__)


def names() -> list[str]:
    """Names of the laws of the catalogue, with the first two members of each family.

    Returns
    -------
    list of str

    Examples
    --------
    >>> names()[:4]
    ['annealing', 'broken_1', 'broken_2', 'chinchilla']
    """
    single = [name for name in __all__ if isinstance(globals()[name], Law)]
    return sorted([*single, "broken_1", "broken_2"])


def find(name: str) -> Law:
    """The law of a name, such as ``chinchilla`` or ``broken_2``.

    Parameters
    ----------
    name : str
        A law of the catalogue or a member of a family.

    Returns
    -------
    Law

    Raises
    ------
    ValueError
        If there is none; the message suggests a similar name.

    Examples
    --------
    >>> find("broken_2")
    Law(name='broken_2', predictors=('N',))
    """
    if not isinstance(name, str):
        raise ValueError(f"the name of a law is text such as 'power', got {name!r}")
    if family := re.fullmatch(r"broken_([1-9]\d?)", name):
        return broken(int(family[1]))
    if name in names():
        return globals()[name]
    raise ValueError(f"no law is called {name!r}{_hint(name)} There are {names()}")


def _hint(name: str) -> str:
    if name.startswith("broken"):
        return "; laws of that family are 'broken_1', 'broken_2' and so on, by the breaks."
    return did_you_mean(name, names())
