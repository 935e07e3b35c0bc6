"""Everything before sampling: from a bound model to a compiled density with its initial points."""

from __future__ import annotations

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.laplace import laplace_approximation
from bayeslaw._inference.model_data import model_data_of
from bayeslaw._sampling.compiled import CompiledDensity, compiled_density_of
from bayeslaw._sampling.initial_points import with_initial_points

__all__ = ["prepared_density"]


def prepared_density(bound: BoundModel, progressbar: bool = False) -> CompiledDensity:
    """The compiled log density of a model on its runs, ready to be sampled."""
    laplace = laplace_approximation(bound)
    model_data = model_data_of(bound, laplace)
    compiled = compiled_density_of(bound, model_data, progressbar)
    return with_initial_points(compiled, bound, laplace)
