"""The laws of the catalogue, and parameters and predictors at which they are finite."""

from __future__ import annotations

import numpy as np

from bayeslaw import laws
from bayeslaw._law.law import Law
from bayeslaw.diagnostics.check_law import RANGES

OWN_RANGES = {
    ("annealing", "C"): (0.01, 0.03),  # the annealing area may not cost more than the loss
    ("loss_to_loss", "E_0"): (0.1, 0.9),  # below every loss
}
CATALOGUE = [laws.find(name) for name in laws.names()]


def parameters_at(law: Law, position: np.ndarray | float) -> dict[str, np.ndarray]:
    """Parameters somewhere between the ends of their roles' ranges."""
    return {
        name: low + (high - low) * np.asarray(position)
        for name, role in law.parameters.items()
        for low, high in [OWN_RANGES.get((law.name, name), RANGES[role.name])]
    }


def sample(law: Law, size: int = 8) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Predictors and parameters, different in every element."""
    rng = np.random.default_rng(4)
    predictors = [rng.uniform(1, 10, size) for _ in law.predictors]
    drawn = {name: parameters_at(law, rng.uniform(size=size))[name] for name in law.parameters}
    return predictors, drawn
