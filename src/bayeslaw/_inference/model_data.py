"""All that a model's density takes from the runs, as arrays: a compiled density serves any runs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeslaw._inference.coordinates import Coordinates, Frame, coordinates
from bayeslaw._inference.hierarchy import (
    HierarchyLayout,
    coordinate_roles,
    groupings,
    hierarchy_layout,
    is_pooled,
)
from bayeslaw._inference.laplace import LaplaceApproximation, TypicalCurve, laplace_approximation
from bayeslaw._inference.marginal_discrepancy import marginal_discrepancy
from bayeslaw._inference.run_arrays import RunArrays, population_prior, spread_prior
from bayeslaw._law.roles import Role, link_normal
from bayeslaw.model.model import Model
from bayeslaw.priors import HalfNormal, Prior

__all__ = [
    "CURVE_WHITENING_ARRAYS",
    "DISCREPANCY_PREFIX",
    "FRAME_ENDS",
    "POPULATION_WHITENING_ARRAYS",
    "THETA_DIMS",
    "ModelData",
    "model_data_of",
]

CURVE_WHITENING_ARRAYS = {  # numbers of the pilot that place curves, and their dimensions
    "pivot_mode": "(p,c)",
    "pivot_information": "(p,c)",
    "mode": "(p,c)",
    "noise_alone": "(l,n,c)",
    "noise_share": "(l,n,c)",
    "noise_shift": "(l,c)",
    "jacobian": "(l,l,c)",
}
POPULATION_WHITENING_ARRAYS = {  # numbers that place the population
    "typical_mode": "(p,c)",
    "typical_information": "(p,c)",
    "curve_mixed": "(c,p,p)",
    "typical_mixed": "(p,p)",
    "level_share": "(p,s)",
    "typical_blocks": "(b,t)",
}
FRAME_ENDS = ("pivot", "smallest", "largest")
THETA_DIMS = ("parameter", "curve")
DISCREPANCY_PREFIX = "discrepancy_"  # how the arrays of a discrepancy begin

type Array = tuple[np.ndarray, str | tuple[str, ...] | None]


@dataclass(frozen=True)
class ModelData:
    """Arrays by name, each with its dimensions, and labels of the dimensions.

    Parameters
    ----------
    arrays : mapping of str to (array, dims)
        What the density takes.
    coords : mapping of str to list
        Labels along each dimension.
    level : float, optional
        The level of the runs, where a prior of the population is not among the arrays.
    given : frozenset of str
        The model's own priors that are among the arrays, or that its density does not have.
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
        """Arrays and dimensions."""
        return frozenset(self.arrays) | frozenset(self.coords)

    @property
    def structure(self) -> tuple[frozenset[str], tuple[str, ...], float | None]:
        """What one model has to share with another on other runs, for both to have one density."""
        own_priors = "spread_of" in self.coords and "spread_scale" not in self.arrays
        return self.names, tuple(self.coords["spread_of"]) if own_priors else (), self.level


def model_data_of(model: Model, run_arrays: RunArrays) -> ModelData:
    """The numbers of a model on runs.

    Parameters
    ----------
    model : Model
        The model.
    design : RunArrays
        The runs.

    Returns
    -------
    ModelData
    """
    system = coordinates(model)
    roles, wrong = coordinate_roles(model, system), marginal_discrepancy(model, run_arrays)
    priors = {
        name: population_prior(model, name, role, run_arrays.level) for name, role in roles.items()
    }
    laplace = laplace_approximation(model, system, run_arrays)
    arrays = _of_runs(run_arrays) | _of_pilot(laplace, tuple(roles))
    if wrong is not None:
        arrays |= {
            f"{DISCREPANCY_PREFIX}{name}": (values, None) for name, values in wrong.arrays.items()
        }
    curves = run_arrays.curves["curve"].values.tolist()
    coords = {"run": np.arange(run_arrays.response.size), "curve": curves, "parameter": list(roles)}
    if not is_pooled(model, run_arrays.curves):
        normal = {n for n, role in roles.items() if link_normal(priors[n], role.link)}
        spreads = {f"sd_{name}" for name in model.roles}
        arrays |= _of_curves_alone(roles, priors, run_arrays.n_curves)
        return ModelData(arrays, coords, priors_as_data=frozenset(normal | spreads))
    where = hierarchy_layout(groupings(model, run_arrays.curves), list(roles))
    coords |= {"spread_of": [" ".join(item) for item in where.spreads]}
    coords |= {"effect_of": [" ".join(item) for item in where.levels]}
    arrays |= _of_population(model, roles, priors, where)
    arrays |= _of_typical(system, run_arrays, laplace, tuple(roles), where)
    given = {*roles} if "center_mean" in arrays else set()
    given |= {f"sd_{name}" for name in roles} if "spread_scale" in arrays else set()
    level = None if "center_mean" in arrays else run_arrays.level
    return ModelData(arrays, coords, level, frozenset(given))


def _of_runs(run_arrays: RunArrays) -> dict[str, Array]:
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


def _of_pilot(laplace: LaplaceApproximation, names: tuple[str, ...]) -> dict[str, Array]:
    """Where the sampler is placed."""
    placed = {
        key: getattr(laplace, key)
        for key in ("pivot_mode", "pivot_information", "mode", "information")
    }
    rows: dict[str, Array] = {
        key: (np.array([values[n] for n in names]), THETA_DIMS) for key, values in placed.items()
    }
    return rows | {key: (values, None) for key, values in vars(laplace.expansion).items()}


def _of_population(
    model: Model, roles: Mapping[str, Role], priors: Mapping[str, Prior], where: HierarchyLayout
) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    normals = [link_normal(priors[name], role.link) for name, role in roles.items()]
    if None not in normals:
        arrays["center_mean"] = np.array([n.mean for n in normals if n]), "parameter"
        arrays["center_sd"] = np.array([n.sd for n in normals if n]), "parameter"
    spreads = [spread_prior(model, name, roles[name]) for name, _ in where.spreads]
    if all(isinstance(prior, HalfNormal) for prior in spreads):
        arrays["spread_scale"] = np.array([prior.sd for prior in spreads]), "spread_of"  # type: ignore[union-attr]
    if where.levels:
        arrays["spread_of_level"] = np.array(where.spread_of_level), "effect_of"
        arrays |= {"codes": (where.codes, None), "bounds": (where.bounds, None)}
    return arrays


def _of_typical(
    system: Coordinates,
    run_arrays: RunArrays,
    laplace: LaplaceApproximation,
    names: tuple[str, ...],
    where: HierarchyLayout,
) -> dict[str, Array]:
    """Where the population is placed: what curves say of it at the pivot of a typical one."""
    pivot, smallest, largest = (
        tuple(np.exp(np.mean(np.log(x))) for x in end) for end in run_arrays.frame.ends
    )
    frame = Frame(pivot, smallest, largest)
    found = TypicalCurve.of(system, frame, laplace, names)
    share = np.zeros((len(names), len(where.spreads)))
    levels = np.bincount(np.array(where.spread_of_level, dtype=int))
    for i in np.flatnonzero(levels):  # the mean of more levels is nearer to the population
        share[names.index(where.spreads[i][0]), i] = 1 / levels[i]
    ends = [0, *range(len(system.roles), len(names) + 1)]  # parameters of the noise are not mixed
    blocks = np.array([*itertools.pairwise(ends)])
    arrays = dict(
        zip(
            POPULATION_WHITENING_ARRAYS,
            [*found, found.jacobian.mean(axis=0), share, blocks],
            strict=True,
        )
    )
    for end, values in zip(FRAME_ENDS, frame.ends, strict=True):
        arrays |= {f"typical_{end}_{i}": np.array([x]) for i, x in enumerate(values)}
    return {name: (values, None) for name, values in arrays.items()}


def _of_curves_alone(
    roles: Mapping[str, Role], priors: Mapping[str, Prior], n_curves: int
) -> dict[str, Array]:
    """Mean and spread of curves that share nothing; nearly so where a prior is of another kind."""
    normals = [
        link_normal(priors[name], role.link) or link_normal(role.prior, role.link)
        for name, role in roles.items()
    ]
    mean = np.array([[normal.mean] * n_curves for normal in normals if normal])
    sd = np.array([normal.sd for normal in normals if normal])
    return {"prior_mean": (mean, THETA_DIMS), "prior_sd": (sd, "parameter")}
