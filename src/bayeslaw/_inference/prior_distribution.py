"""Prior draws and prior log densities: by NumPy, or by PyMC for priors of other packages."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.hierarchy import HierarchyLayout, mean_given_population
from bayeslaw._law.roles import IDENTITY, Link, link_normal
from bayeslaw.priors import HalfNormal, Prior

__all__ = ["prior_draws", "prior_log_density", "uncompiled"]


def prior_draws(bound: BoundModel, draws: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draws (1, draws, ...) of the sampler's variables from the prior, as one chain."""
    n_curves, layout = bound.run_arrays.n_curves, bound.hierarchy
    if layout is not None:
        return _pooled(bound, layout, draws, rng)
    return {"theta": _coordinates(bound, (1, draws, n_curves), rng)}


def _pooled(
    bound: BoundModel, layout: HierarchyLayout, draws: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    center, size = _coordinates(bound, (1, draws), rng), len(bound.roles)
    spread = np.stack(
        [_draw(prior, IDENTITY, (1, draws), rng) for prior in bound.spread_priors], axis=2
    )
    effects = rng.standard_normal((1, draws, len(layout.levels)))
    scaled = spread[..., layout.spread_of_level] * effects
    mean = [
        mean_given_population(*population, layout.codes, layout.bounds)
        for population in zip(center[0], scaled[0], strict=True)
    ]
    own = rng.standard_normal((1, draws, size, bound.run_arrays.n_curves))
    variables = {"center": center, "spread": spread}
    variables |= {"effects": effects} if layout.levels else {}
    return {**variables, "theta": np.array([mean]) + spread[..., :size, None] * own}


def _coordinates(bound: BoundModel, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draws of all coordinates from their priors; they are the third dimension."""
    rows = [_draw(bound.priors[name], role.link, shape, rng) for name, role in bound.roles.items()]
    return np.stack(rows, axis=2)


def _draw(prior: Prior, link: Link, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draws of a parameter on the scale of its link."""
    if normal := link_normal(prior, link):
        return rng.normal(normal.mean, normal.sd, shape)
    if isinstance(prior, HalfNormal):
        return np.asarray(link.forward(np.abs(rng.normal(0, prior.sd, shape))))
    import pymc as pm  # slow to import

    from bayeslaw._inference.scalar_code import double_precision

    with double_precision(), pm.Model(check_bounds=False):
        variable = prior.to_pymc("x")
    draws = pm.draw(variable, draws=math.prod(shape), mode=uncompiled(), random_seed=rng)
    return np.asarray(link.forward(np.reshape(draws, shape)))


def prior_log_density(prior: Prior, values: np.ndarray) -> np.ndarray:
    """Log density of a prior at values, elementwise."""
    import pymc as pm  # slow to import

    from bayeslaw._inference.scalar_code import double_precision

    with double_precision(), pm.Model(check_bounds=False):
        density = pm.logp(prior.to_pymc("x"), values)
    return np.asarray(density.eval(mode=uncompiled()))


def uncompiled() -> Any:
    """A mode that interprets: for one evaluation, compiling would take longer."""
    from pytensor.compile.mode import Mode

    return Mode(linker="py", optimizer=None)  # pyright: ignore[reportArgumentType]
