"""Model data: everything the log density takes from the runs, as named arrays.

One compiled density therefore serves any runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.coordinates import Frame
from bayeslaw._inference.hierarchy import HierarchyLayout
from bayeslaw._inference.laplace import LaplaceApproximation, TypicalCurve
from bayeslaw._inference.run_arrays import RunArrays
from bayeslaw._law.roles import link_normal
from bayeslaw.priors import HalfNormal

__all__ = [
    "CURVE_WHITENING_ARRAYS",
    "DISCREPANCY_PREFIX",
    "FRAME_ENDS",
    "POPULATION_WHITENING_ARRAYS",
    "THETA_DIMS",
    "ModelData",
    "model_data_of",
]

CURVE_WHITENING_ARRAYS = {  # Laplace approximation that curves are whitened by, with dimensions
    "pivot_mode": "(p,c)",
    "pivot_information": "(p,c)",
    "mode": "(p,c)",
    "noise_alone": "(l,n,c)",
    "noise_share": "(l,n,c)",
    "noise_shift": "(l,c)",
    "jacobian": "(l,l,c)",
}
POPULATION_WHITENING_ARRAYS = {  # what the population is whitened by, with dimensions
    "typical_mode": "(p,c)",
    "typical_information": "(p,c)",
    "curve_mixed": "(c,p,p)",
    "typical_mixed": "(p,p)",
    "level_share": "(p,s)",
    "typical_blocks": "(b,t)",
}
FRAME_ENDS = ("pivot", "smallest", "largest")
THETA_DIMS = ("parameter", "curve")
DISCREPANCY_PREFIX = "discrepancy_"  # of the names of the discrepancy's arrays

type Array = tuple[np.ndarray, str | tuple[str, ...] | None]


@dataclass(frozen=True)
class ModelData:
    """Named arrays with their dimensions, and the labels along each dimension.

    `level` is the log median response, if the density has it as a constant because a prior of the
    population is not among the arrays. `priors_as_data` names the user's priors whose parameters
    are arrays, or that the density does not depend on.
    """

    arrays: Mapping[str, Array]
    coords: Mapping[str, Any]
    level: float | None = None
    priors_as_data: frozenset[str] = frozenset()

    def __getitem__(self, name: str) -> np.ndarray:
        """An array, or the length of a dimension."""
        if name in self.arrays:
            return np.asarray(self.arrays[name][0])
        return np.asarray(len(self.coords[name]), dtype=np.int64)

    @property
    def names(self) -> frozenset[str]:
        """Names of arrays and dimensions."""
        return frozenset(self.arrays) | frozenset(self.coords)

    @property
    def structure(self) -> tuple[frozenset[str], tuple[str, ...], float | None]:
        """What two models on different runs must share to have the same compiled density."""
        own_priors = "spread_of" in self.coords and "spread_scale" not in self.arrays
        return self.names, tuple(self.coords["spread_of"]) if own_priors else (), self.level


def model_data_of(bound: BoundModel, laplace: LaplaceApproximation) -> ModelData:
    """The data of a model on runs."""
    run_arrays, roles, layout = bound.run_arrays, bound.roles, bound.hierarchy
    arrays = _runs(run_arrays) | _curve_whitening(laplace, tuple(roles)) | _discrepancy(bound)
    curves = run_arrays.curves["curve"].values.tolist()
    coords = {"run": np.arange(run_arrays.response.size), "curve": curves, "parameter": list(roles)}
    if layout is None:
        normal = {n for n, role in roles.items() if link_normal(bound.priors[n], role.link)}
        spreads = {f"sd_{name}" for name in bound.model.roles}
        arrays |= _unpooled_prior(bound)
        return ModelData(arrays, coords, priors_as_data=frozenset(normal | spreads))
    coords |= {"spread_of": [" ".join(item) for item in layout.spreads]}
    coords |= {"effect_of": [" ".join(item) for item in layout.levels]}
    arrays |= _hierarchy_prior(bound, layout) | _population_whitening(bound, layout, laplace)
    as_data = {*roles} if "center_mean" in arrays else set()
    as_data |= {f"sd_{name}" for name in roles} if "spread_scale" in arrays else set()
    level = None if "center_mean" in arrays else run_arrays.level
    return ModelData(arrays, coords, level, frozenset(as_data))


def _discrepancy(bound: BoundModel) -> dict[str, Array]:
    arrays = bound.discrepancy.arrays if bound.discrepancy else {}
    return {f"{DISCREPANCY_PREFIX}{name}": (values, None) for name, values in arrays.items()}


def _runs(run_arrays: RunArrays) -> dict[str, Array]:
    per_run = {f"predictor_{i}": x for i, x in enumerate(run_arrays.predictors)}
    per_run |= {f"log_{name}": np.log(x) for name, x in per_run.items()}
    per_run |= {"observed": run_arrays.response, "known_error": run_arrays.known_error}
    per_run |= {"curve_of_run": run_arrays.curve}
    per_curve = {
        f"{end}_{i}": x
        for end, values in zip(FRAME_ENDS, run_arrays.frame.ends, strict=True)
        for i, x in enumerate(values)
    }
    arrays: dict[str, Array] = {name: (values, "run") for name, values in per_run.items()}
    arrays |= {name: (values, "curve") for name, values in per_curve.items()}
    return arrays | {"unit": (np.asarray(run_arrays.unit), None)}


def _curve_whitening(laplace: LaplaceApproximation, names: tuple[str, ...]) -> dict[str, Array]:
    """Laplace approximation of the curves, as arrays."""
    by_name = {
        key: getattr(laplace, key)
        for key in ("pivot_mode", "pivot_information", "mode", "information")
    }
    rows: dict[str, Array] = {
        key: (np.array([values[n] for n in names]), THETA_DIMS) for key, values in by_name.items()
    }
    return rows | {key: (values, None) for key, values in vars(laplace.expansion).items()}


def _hierarchy_prior(bound: BoundModel, layout: HierarchyLayout) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    normals = [link_normal(bound.priors[name], role.link) for name, role in bound.roles.items()]
    if None not in normals:
        arrays["center_mean"] = np.array([n.mean for n in normals if n]), "parameter"
        arrays["center_sd"] = np.array([n.sd for n in normals if n]), "parameter"
    if all(isinstance(prior, HalfNormal) for prior in bound.spread_priors):
        scales = [prior.sd for prior in bound.spread_priors]  # type: ignore[union-attr]
        arrays["spread_scale"] = np.array(scales), "spread_of"
    if layout.levels:
        arrays["spread_of_level"] = np.array(layout.spread_of_level), "effect_of"
        arrays |= {"codes": (layout.codes, None), "bounds": (layout.bounds, None)}
    return arrays


def _population_whitening(
    bound: BoundModel, layout: HierarchyLayout, laplace: LaplaceApproximation
) -> dict[str, Array]:
    """Laplace approximation of the curves at a typical curve's pivot, as arrays."""
    system, names = bound.coordinates, tuple(bound.roles)
    pivot, smallest, largest = (
        tuple(np.exp(np.mean(np.log(x))) for x in end) for end in bound.run_arrays.frame.ends
    )
    frame = Frame(pivot, smallest, largest)
    typical = TypicalCurve.of(system, frame, laplace, names)
    share = np.zeros((len(names), len(layout.spreads)))
    levels = np.bincount(np.array(layout.spread_of_level, dtype=int))
    for i in np.flatnonzero(levels):  # a mean over more levels is closer to the population
        share[names.index(layout.spreads[i][0]), i] = 1 / levels[i]
    # The law's parameters are one block; each nuisance parameter is a block of its own.
    ends = [0, *range(len(system.roles), len(names) + 1)]
    blocks = np.array([*itertools.pairwise(ends)])
    arrays = dict(
        zip(
            POPULATION_WHITENING_ARRAYS,
            [*typical, typical.jacobian.mean(axis=0), share, blocks],
            strict=True,
        )
    )
    for end, values in zip(FRAME_ENDS, frame.ends, strict=True):
        arrays |= {f"typical_{end}_{i}": np.array([x]) for i, x in enumerate(values)}
    return {name: (values, None) for name, values in arrays.items()}


def _unpooled_prior(bound: BoundModel) -> dict[str, Array]:
    """Prior mean and sd of curves that share nothing, approximate where a prior is not normal."""
    normals = [
        link_normal(bound.priors[name], role.link) or link_normal(role.prior, role.link)
        for name, role in bound.roles.items()
    ]
    mean = np.array([[normal.mean] * bound.run_arrays.n_curves for normal in normals if normal])
    sd = np.array([normal.sd for normal in normals if normal])
    return {"prior_mean": (mean, THETA_DIMS), "prior_sd": (sd, "parameter")}
