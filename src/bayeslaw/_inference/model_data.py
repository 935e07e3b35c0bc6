"""The data of a log density: all that its stages need from runs, prior and Laplace approximation.

Arrays have the names under which the stages in `bayeslaw._kernels.stages` read them. One compiled
density serves all runs of the same structure.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.coordinates import Frame, SumOfTerms
from bayeslaw._inference.hierarchy import HierarchyLayout
from bayeslaw._inference.laplace import LaplaceApproximation, TypicalCurve
from bayeslaw._law.roles import link_normal
from bayeslaw.priors import HalfNormal

__all__ = ["CURVE_WHITENING_ARRAYS", "ModelData", "model_data_of"]

CURVE_WHITENING_ARRAYS = (  # the Laplace approximation that curves are whitened by
    "pivot_mode", "pivot_information", "mode", "noise_alone", "noise_share", "noise_shift",
    "jacobian", "fisher",
)  # fmt: skip

type Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class ModelData:
    """Arrays by name, and the lengths of their dimensions.

    `own_spreads` names the standard deviations if some have priors of the user's, and `level` is
    the log median response if the density has it as a constant, because of a prior of the user's.
    `priors_as_data` names the user's priors whose parameters are arrays, or that the density does
    not depend on.
    """

    arrays: Mapping[str, np.ndarray]
    sizes: Mapping[str, int]
    own_spreads: tuple[str, ...] = ()
    level: float | None = None
    priors_as_data: frozenset[str] = frozenset()

    def __getitem__(self, name: str) -> np.ndarray:
        """An array."""
        return self.arrays[name]

    def __contains__(self, name: str) -> bool:
        """Whether there is an array of this name."""
        return name in self.arrays

    @property
    def structure(self) -> tuple[frozenset[str], tuple[str, ...], float | None]:
        """What two models on different runs must share to have the same compiled density."""
        return frozenset(self.arrays), self.own_spreads, self.level


def model_data_of(bound: BoundModel, laplace: LaplaceApproximation) -> ModelData:
    """The data of a model on runs."""
    layout, roles = bound.hierarchy, bound.roles
    arrays = _runs(bound) | _curve_whitening(laplace, tuple(roles)) | _discrepancy(bound)
    sizes = {
        "run": bound.run_arrays.response.size,
        "curve": bound.run_arrays.n_curves,
        "parameter": len(roles),
        "spread": len(layout.spreads if layout else ()),
        "effect": len(layout.levels if layout else ()),
    }
    normal = {n for n, role in roles.items() if link_normal(bound.priors[n], role.link)}
    if layout is None:
        arrays |= _unpooled_prior(bound, normal)
        spreads = {f"sd_{name}" for name in bound.model.roles}
        return ModelData(arrays, sizes, priors_as_data=frozenset(normal | spreads))
    arrays["is_normal"] = np.ones(len(roles), dtype=np.int64)
    arrays |= _hierarchy_prior(bound, layout) | _population_whitening(bound, layout, laplace)
    as_data = {*roles} if "center_mean" in arrays else set()
    as_data |= {f"sd_{name}" for name in roles} if "spread_scale" in arrays else set()
    own = () if "spread_scale" in arrays else tuple(" ".join(item) for item in layout.spreads)
    level = None if "center_mean" in arrays else bound.run_arrays.level
    return ModelData(arrays, sizes, own, level, frozenset(as_data))


def _discrepancy(bound: BoundModel) -> Arrays:
    arrays = bound.discrepancy.arrays if bound.discrepancy else {}
    return {f"discrepancy_{name}": values for name, values in arrays.items()}


def _runs(bound: BoundModel) -> Arrays:
    """Rows as `run_names` and `frame_names` name them."""
    run_arrays, scale = bound.run_arrays, bound.model.noise.scale
    sizes = np.array(run_arrays.predictors)
    unit = np.full_like(run_arrays.values, run_arrays.unit)
    slopes = np.log(scale.slope(run_arrays.response, run_arrays.unit))
    return {
        "run_values": np.array(
            [*sizes, *np.log(sizes), run_arrays.values, run_arrays.known_error, unit]
        ),
        "curve_of_run": run_arrays.curve,
        "constant": np.array([slopes.sum()]),
        "frame": _frame_rows(run_arrays.frame),
    }


def _frame_rows(frame: Frame) -> np.ndarray:
    rows = np.array([values for end in frame.ends for values in end])
    return np.concatenate([rows, np.log(rows)])


def _curve_whitening(laplace: LaplaceApproximation, names: tuple[str, ...]) -> Arrays:
    """Laplace approximation of the curves, as arrays."""
    keys = ("pivot_mode", "pivot_information", "mode", "information")
    rows = {key: np.array([getattr(laplace, key)[name] for name in names]) for key in keys}
    return rows | dict(vars(laplace.expansion))


def _hierarchy_prior(bound: BoundModel, layout: HierarchyLayout) -> Arrays:
    levels = len(layout.levels)
    arrays: Arrays = {
        "spread_of_level": np.array(layout.spread_of_level, dtype=np.int64).reshape(levels),
        "codes": layout.codes,
        "bounds": layout.bounds,
    }
    normals = [link_normal(bound.priors[name], role.link) for name, role in bound.roles.items()]
    if None not in normals:
        arrays["center_mean"] = np.array([n.mean for n in normals if n])
        arrays["center_sd"] = np.array([n.sd for n in normals if n])
    if all(isinstance(prior, HalfNormal) for prior in bound.spread_priors):
        scales = [prior.sd for prior in bound.spread_priors if isinstance(prior, HalfNormal)]
        arrays["spread_scale"] = np.array(scales)
    return arrays


def _population_whitening(
    bound: BoundModel, layout: HierarchyLayout, laplace: LaplaceApproximation
) -> Arrays:
    """Laplace approximation of the curves at a typical curve's pivot, as arrays."""
    system, names = bound.coordinates, tuple(bound.roles)
    pivot, smallest, largest = (
        tuple(np.exp(np.mean(np.log(x))) for x in end) for end in bound.run_arrays.frame.ends
    )
    frame = Frame(pivot, smallest, largest)
    typical = TypicalCurve.of(system, frame, laplace, names)
    curve_share = np.array([[name == of for of, _ in layout.spreads] for name in names], float)
    levels = np.bincount(np.array(layout.spread_of_level, dtype=int), minlength=len(layout.spreads))
    # A mean over fewer levels than curves is farther from the population.
    excess = np.where(levels, 1 / np.maximum(levels, 1) - 1 / laplace.n_curves, 0)
    # The law's parameters are one block; each nuisance parameter is a block of its own.
    ends = [0, *range(len(system.roles), len(names) + 1)]
    mixed = typical.jacobian.mean(axis=0)
    return {
        "typical_mode": typical.mode,
        "typical_covariance": typical.covariance,
        "curve_mixed": typical.jacobian,
        "typical_mixed": mixed,
        "curve_share": curve_share,
        "level_share": curve_share * excess,
        "typical_blocks": np.array([*itertools.pairwise(ends)]),
        "typical_frame": _frame_rows(frame)[:, None],
        **_prior_at_pivot(bound, frame, mixed),
    }


def _prior_at_pivot(bound: BoundModel, frame: Frame, mixed: np.ndarray) -> Arrays:
    """Prior precision of the population at a pivot, and its product with the mean.

    Only sums of terms reach every population at a pivot.
    """
    system = bound.coordinates
    normals = [link_normal(bound.priors[name], role.link) for name, role in bound.roles.items()]
    if None in normals:
        return {}
    mean = np.array([normal.mean for normal in normals if normal])
    if isinstance(system, SumOfTerms):
        rows = dict(zip(system.roles, mean, strict=False))
        at_pivot = system.to_pivot(rows, frame, dict.fromkeys(rows, 1.0))
        mean[: len(rows)] = [at_pivot[name] for name in rows]
    sd = np.array([normal.sd for normal in normals if normal])
    precision = np.linalg.inv(mixed * sd**2 @ mixed.T)
    return {"prior_precision": precision, "prior_score": precision @ mean}


def _unpooled_prior(bound: BoundModel, normal: set[str]) -> Arrays:
    """Prior mean and sd of curves that share nothing, approximate where a prior is not normal."""
    normals = [
        link_normal(bound.priors[name], role.link) or link_normal(role.prior, role.link)
        for name, role in bound.roles.items()
    ]
    means = [[n.mean] * bound.run_arrays.n_curves for n in normals if n]
    return {
        "prior_mean": np.array(means),
        "prior_sd": np.array([n.sd for n in normals if n]),
        "is_normal": np.array([name in normal for name in bound.roles], dtype=np.int64),
    }
