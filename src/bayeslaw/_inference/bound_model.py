"""A model bound to runs: coordinates, priors, hierarchy and discrepancy, each worked out once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from bayeslaw._inference.coordinates import (
    Coordinates,
    SumOfTerms,
    coordinates,
    differs_in_one,
)
from bayeslaw._inference.hierarchy import (
    Grouping,
    HierarchyLayout,
    coordinate_roles,
    groupings,
    hierarchy_layout,
    is_pooled,
)
from bayeslaw._inference.run_arrays import (
    RunArrays,
    population_prior,
    run_arrays_of,
    spread_prior,
)
from bayeslaw._law.roles import Role
from bayeslaw._law.units import predictor_scales
from bayeslaw.model.model import Model
from bayeslaw.priors import Prior

if TYPE_CHECKING:
    from bayeslaw._inference.marginal_discrepancy import MarginalDiscrepancy

__all__ = ["BoundModel", "bind"]


@dataclass(frozen=True)
class BoundModel:
    """A model and the runs that it is fitted to, as datasets and as arrays."""

    model: Model
    runs: xr.Dataset
    run_arrays: RunArrays
    coordinates: Coordinates

    @cached_property
    def roles(self) -> dict[str, Role]:
        """Free parameters and their roles as coordinates: of the law, then the nuisance ones."""
        return coordinate_roles(self.model, self.coordinates)

    @cached_property
    def curve_coordinates(self) -> Coordinates:
        """Those that curves are sampled in, the population always in `coordinates`.

        Parameters that are equal in all curves are a plane at the reference and curved at pivots.
        """
        system = self.coordinates
        if not self.hierarchy or not isinstance(system, SumOfTerms):
            return system
        return system.at_reference if differs_in_one(self.model, system.terms) else system

    @cached_property
    def priors(self) -> dict[str, Prior]:
        """Prior of each coordinate of the population."""
        level = self.run_arrays.level
        return {
            name: population_prior(self.model, name, role, level)
            for name, role in self.roles.items()
        }

    @cached_property
    def groupings(self) -> dict[str, Grouping]:
        """Groups over which each free parameter is pooled."""
        return groupings(self.model, self.run_arrays.curves)

    @cached_property
    def hierarchy(self) -> HierarchyLayout | None:
        """Layout of spreads and group effects; None without pooling."""
        if not is_pooled(self.model, self.run_arrays.curves):
            return None
        return hierarchy_layout(self.groupings, list(self.roles))

    @cached_property
    def spread_priors(self) -> list[Prior]:
        """Priors of the hierarchy's standard deviations, in its order."""
        spreads = self.hierarchy.spreads if self.hierarchy else []
        return [spread_prior(self.model, name, self.roles[name]) for name, _ in spreads]

    @cached_property
    def discrepancy(self) -> MarginalDiscrepancy | None:
        """The discrepancy on the runs, if the model has one."""
        if self.model.discrepancy is None:
            return None
        # Its kernels are slow to import.
        from bayeslaw._inference.marginal_discrepancy import marginal_discrepancy

        return marginal_discrepancy(self.model, self.run_arrays)

    @cached_property
    def scales(self) -> Mapping[str, float]:
        """Reference scale of each predictor."""
        return predictor_scales(self.model.law, self.runs)

    def select_curves(self, curves: np.ndarray) -> BoundModel:
        """The model on the runs of some curves, by index, numbered from zero in this order."""
        return BoundModel(
            self.model,
            self.runs.isel(run=self.run_arrays.run_indices(curves)),
            self.run_arrays.select_curves(curves),
            self.coordinates,
        )


def bind(model: Model, runs: xr.Dataset) -> BoundModel:
    """A model bound to runs; raises if the runs do not suit the model."""
    return BoundModel(model, runs, run_arrays_of(model, runs), coordinates(model))
