"""Responses drawn at the runs of a fit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.pointwise import DrawsAtRuns, batches

__all__ = ["responses_at_runs"]


def responses_at_runs(
    bound: BoundModel,
    parameters: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    latent: np.ndarray | None = None,
    *,
    is_conditional: bool = True,
) -> np.ndarray:
    """A response for each run and draw (chain, draw, run), a batch of draws at a time.

    `parameters` are (chain, draw, curve), `latent` (chain, draw, run). The discrepancy is
    conditional on the responses, or drawn from its prior. The noise is drawn anew, so that it does
    not depend on the latent values.
    """
    shape = *np.shape(parameters["sigma"])[:2], bound.run_arrays.curve.size
    draws = shape[0] * shape[1]
    flat = {name: values.reshape(1, draws, -1) for name, values in parameters.items()}
    latent = None if latent is None else latent.reshape(1, draws, -1)
    result = np.zeros((1, draws, shape[2]))
    # Discrepancies of all draws come first, as if there were one batch; each of them takes as many
    # draws as `DrawsAtRuns` computes at a time for the runs themselves.
    if bound.discrepancy is not None:
        for batch in batches(draws, 2 * shape[2]):
            some = None if latent is None else latent[:, batch]
            at_runs = DrawsAtRuns.of(bound, _of_draws(flat, batch), some)
            result[:, batch] = at_runs.discrepancy_at_runs(rng, is_conditional=is_conditional)
    for batch in batches(draws, 2 * shape[2]):
        distribution = DrawsAtRuns.of(bound, _of_draws(flat, batch)).distribution
        result[:, batch] = distribution.draw(rng, result[:, batch])
    return result.reshape(shape)


def _of_draws(parameters: Mapping[str, np.ndarray], batch: slice) -> dict[str, np.ndarray]:
    return {name: values[:, batch] for name, values in parameters.items()}
