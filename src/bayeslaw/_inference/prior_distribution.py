"""Prior draws and prior log densities, evaluated by PyMC without compilation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pymc as pm
from pytensor.compile.mode import Mode

from bayeslaw.priors import Prior

__all__ = ["prior_draws", "prior_log_density"]

# For one evaluation compiling would take longer than interpreting.
UNCOMPILED = Mode(linker="py", optimizer=None)  # pyright: ignore[reportArgumentType]


def prior_draws(
    model: pm.Model, names: Sequence[str], draws: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draws (1, draws, ...) of named variables from the prior, as one chain."""
    variables = [model[name] for name in names]
    values = pm.draw(variables, draws=draws, mode=UNCOMPILED, random_seed=rng)
    return {name: each[None] for name, each in zip(names, values, strict=True)}


def prior_log_density(prior: Prior, values: np.ndarray) -> np.ndarray:
    """Log density of a prior at values, elementwise."""
    with pm.Model(check_bounds=False):
        density = pm.logp(prior.to_pymc("x"), values)
    return np.asarray(density.eval(mode=UNCOMPILED))
