"""The stages of a model's log density, and the printed functions that they call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.coordinates import SumOfTerms
from bayeslaw._inference.model_data import ModelData
from bayeslaw._kernels.compile_ahead import compiled_ahead
from bayeslaw._kernels.printed import compiled_function
from bayeslaw._kernels.stage import Stage
from bayeslaw._kernels.stages import (
    curves,
    group_effects,
    likelihood,
    own_priors,
    parameters,
    population,
)
from bayeslaw._sampling.source_files import sources_of

__all__ = ["Tape", "tape_of"]


@dataclass(frozen=True)
class Tape:
    """Stages in order, those of their adjoints, and what they share for all runs.

    `to_variables` is the number of stages after which the recorded variables are known.
    `addresses` are arrays for the stages' arguments called ``of_...``, with the addresses of
    printed functions; `functions` keeps these alive. `starts` are the unknowns of priors without a
    kernel to start from, one number for the latent variables of all runs.
    """

    forward: tuple[Stage, ...]
    adjoint: tuple[Stage, ...]
    to_variables: int
    addresses: Mapping[str, np.ndarray]
    functions: tuple[Any, ...]
    starts: Mapping[str, np.ndarray]

    @cached_property
    def compiled(self) -> tuple[list[Any], list[Any]]:
        """C functions of the stages."""
        with compiled_ahead([*self.forward, *self.adjoint]):
            return [stage.compiled for stage in self.forward], [s.compiled for s in self.adjoint]


def tape_of(bound: BoundModel, model_data: ModelData) -> Tape:
    """The tape of a model on runs of this structure."""
    builder = _Builder(bound, model_data)
    if bound.model.is_augmented:
        builder.add_latent()
    if bound.hierarchy is None:
        builder.add(own_priors.independent_curves)
    else:
        builder.add_population()
    builder.add_curves()
    to_variables = len(builder.forward)
    builder.add_likelihood()
    return Tape(
        tuple(builder.forward), tuple(reversed(builder.adjoint)), to_variables, builder.addresses,
        tuple(builder.functions), builder.starts,
    )  # fmt: skip


class _Builder:
    def __init__(self, bound: BoundModel, model_data: ModelData) -> None:
        self.bound, self.model_data = bound, model_data
        self.sources = sources_of(bound, model_data)
        self.forward: list[Stage] = []
        self.adjoint: list[Stage] = []
        self.addresses: dict[str, np.ndarray] = {}
        self.functions: list[Any] = []
        self.starts: dict[str, np.ndarray] = {}

    def add(self, stage: Stage, adjoint: Stage | None = None) -> None:
        """A stage and its adjoint."""
        self.forward.append(stage)
        self.adjoint += [adjoint] if adjoint else []

    def add_latent(self) -> None:
        prior = self.sources.priors["latent"]
        self._set("of_latent", self._address(prior.text))
        [self.starts["latent"]] = np.array(prior.starts)
        self.add(own_priors.latent_variables, own_priors.latent_variables_adjoint)

    def add_population(self) -> None:
        if "spread_scale" in self.model_data:
            self.add(population.half_normal_spreads, population.half_normal_spreads_adjoint)
        else:
            self._add_priors("spread")
            self.add(own_priors.own_spreads, own_priors.own_spreads_adjoint)
        if "center_mean" in self.model_data:
            self.add(population.whitened_center, population.whitened_center_adjoint)
        else:
            self._add_priors("center")
            self.add(own_priors.own_center, own_priors.own_center_adjoint)
        self.add(group_effects.group_effects, group_effects.group_effects_adjoint)

    def add_curves(self) -> None:
        system = self.bound.coordinates
        size = len(system.roles)
        forward, adjoint = self._pair(self.sources.from_pivot)
        to_pivot = self._pair(self.sources.to_pivot)
        at_pivot = self.bound.curve_coordinates is system
        others = (at_pivot * address for address in (adjoint, *to_pivot))
        self._set("of_coordinates", at_pivot * forward, size, *others)
        has_pivot = isinstance(system, SumOfTerms)
        self._set("of_population", has_pivot * forward, size, has_pivot * adjoint)
        self.add(curves.curves, curves.curves_adjoint)
        if self.sources.curve_priors is not None:
            self._add_curve_priors(self.sources.curve_priors)

    def add_likelihood(self) -> None:
        model, discrepancy = self.bound.model, self.bound.discrepancy
        self._set("of_parameters", *self._pair(self.sources.parameters))
        self.add(parameters.parameters, parameters.parameters_adjoint)
        self.addresses["derivatives"] = np.array(self.sources.derivatives, dtype=np.int64)
        first_tau = len(model.law.parameters) + len(model.noise.parameters)
        self._set("of_likelihood", self._address(self.sources.response), first_tau)
        stage = discrepancy.likelihood if discrepancy else likelihood.independent_likelihood
        self.add(stage, likelihood.likelihood_adjoint)

    def _add_priors(self, name: str) -> None:
        prior = self.sources.priors[name]
        self._set(f"of_{name}", self._address(prior.text), *prior.unknown)
        self.starts[name] = np.array(prior.starts)

    def _add_curve_priors(self, source: str) -> None:
        rows = np.flatnonzero(self.model_data["is_normal"] == 0)
        self._set("of_curves", self._address(source), *rows.tolist())
        self.add(own_priors.own_curve_priors, own_priors.own_curve_priors_adjoint)

    def _set(self, name: str, *values: int) -> None:
        self.addresses[name] = np.array(values, dtype=np.int64)

    def _address(self, source: str) -> int:
        function = compiled_function(source)
        self.functions.append(function)
        return function.address

    def _pair(self, sources: Sequence[str] | None) -> tuple[int, int]:
        """Addresses of a function and its adjoint, zero if the function changes nothing."""
        return (0, 0) if sources is None else (self._address(sources[0]), self._address(sources[1]))
