"""The stage of group effects: its adjoint, means and prior."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from stage_adjoints import assert_adjoint

from bayeslaw._kernels.stages.group_effects import group_effects, group_effects_adjoint
from bayeslaw._kernels.stages.scratch import group_shapes

CURVES = 6
LAYOUTS = {  # per parameter, the number of levels of each of its groupings
    "no groups": ((), (), ()),
    "one group": ((3,), (3,), ()),
    "two crossed groups": ((2, 3), (2, 3), (3,)),
}
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def arguments(layout: tuple[tuple[int, ...], ...], seed: int = 1) -> dict[str, np.ndarray]:
    rng, rows = np.random.default_rng(seed), len(layout)
    codes, bounds, spread_of_level = [], [], []
    for sizes in layout:
        first, low = len(codes), len(spread_of_level)
        for size in sizes:
            # Every curve belongs to a level, and neither grouping is a function of the other.
            codes.append(np.arange(CURVES) % size + len(spread_of_level))
            spread_of_level += [rows + len(codes) - 1] * size
        dense = low + sizes[0] if sizes else low
        bounds.append((first, len(codes), low, len(spread_of_level), dense))
    levels = len(spread_of_level)
    return {
        "z_effects": rng.normal(size=levels),
        "spread": np.exp(rng.normal(-1, 0.3, rows + len(codes))),
        "center": rng.normal(size=rows),
        "mode": rng.normal(size=(rows, CURVES)),
        "information": np.exp(rng.normal(2, 1, (rows, CURVES))),
        "spread_of_level": np.array(spread_of_level, dtype=np.int64),
        "codes": np.array(codes, dtype=np.int64).reshape(-1, CURVES),
        "bounds": np.array(bounds, dtype=np.int64),
        "effects": np.empty(levels),
        "mean": np.empty((rows, CURVES)),
    }


def scratch(layout: tuple[tuple[int, ...], ...]) -> dict[str, tuple[int, ...]]:
    return group_shapes(len(layout), sum(map(sum, layout)), max(map(sum, layout)))


def with_scratch(layout: tuple[tuple[int, ...], ...]) -> dict[str, np.ndarray]:
    return {n: np.empty(shape) for n, shape in scratch(layout).items()} | arguments(layout)


@every_layout
@pytest.mark.parametrize("seed", range(2))
def test_adjoint(layout: tuple[tuple[int, ...], ...], seed: int) -> None:
    assert_adjoint(
        [group_effects],
        group_effects_adjoint,
        arguments(layout, seed),
        outputs=["mean"],
        added=["spread", "center"],
        scratch=scratch(layout),
    )


@every_layout
def test_means_are_sums_of_effects(layout: tuple[tuple[int, ...], ...]) -> None:
    arrays = with_scratch(layout) | {"log_prior": np.zeros(1)}
    group_effects(arrays)
    scaled = arrays["spread"][arrays["spread_of_level"]] * arrays["effects"]
    for p, (first, last, *_) in enumerate(arrays["bounds"]):
        expected = arrays["center"][p] + scaled[arrays["codes"][first:last]].sum(axis=0)
        np.testing.assert_allclose(arrays["mean"][p], expected, rtol=1e-13)


@every_layout
def test_prior_is_normal_with_the_jacobian(layout: tuple[tuple[int, ...], ...]) -> None:
    arrays = with_scratch(layout)
    z, log_prior = arrays["z_effects"], np.zeros(1)

    def effects_at(point: np.ndarray) -> np.ndarray:
        log_prior[0] = 7.0
        changed = {name: values.copy() for name, values in arrays.items()}
        changed |= {"z_effects": point, "log_prior": log_prior}
        group_effects(changed)
        return changed["effects"]

    # The map is affine.
    jacobian = np.array([effects_at(z + unit) - effects_at(z) for unit in np.eye(z.size)])
    log_determinant = np.linalg.slogdet(jacobian)[1] if z.size else 0.0
    expected = 7.0 + stats.norm.logpdf(effects_at(z)).sum() + log_determinant
    np.testing.assert_allclose(log_prior, [expected], rtol=1e-12)


def memberships(arrays: dict[str, np.ndarray], parameter: int) -> np.ndarray:
    """Memberships of curves in the levels of a parameter, as a matrix."""
    first, last, low, high, _ = arrays["bounds"][parameter]
    matrix = np.zeros((CURVES, high - low))
    for codes in arrays["codes"][first:last]:
        matrix[np.arange(CURVES), codes - low] += 1
    return matrix


def dense_effects(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, float]:
    """Effects by the formula of the module's docstring, and their log density."""
    effects, log_det = np.zeros_like(arrays["effects"]), 0.0
    for p, (_, _, low, high, _) in enumerate(arrays["bounds"]):
        z = memberships(arrays, p)
        scale = np.diag(arrays["spread"][arrays["spread_of_level"][low:high]])
        information = arrays["information"][p]
        weight = np.diag(information / (1 + arrays["spread"][p] ** 2 * information))
        residual = arrays["mode"][p] - arrays["center"][p]
        lower = np.linalg.cholesky(np.eye(high - low) + scale @ z.T @ weight @ z @ scale)
        shift = np.linalg.solve(lower, scale @ z.T @ weight @ residual)
        effects[low:high] = np.linalg.solve(lower.T, arrays["z_effects"][low:high] + shift)
        log_det += np.linalg.slogdet(lower)[1]
    return effects, float(stats.norm.logpdf(effects).sum() - log_det)


@every_layout
def test_effects_are_the_dense_formula(layout: tuple[tuple[int, ...], ...]) -> None:
    arrays = with_scratch(layout) | {"log_prior": np.zeros(1)}
    group_effects(arrays)
    effects, log_density = dense_effects(arrays)
    np.testing.assert_allclose(arrays["effects"], effects, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(arrays["log_prior"], [log_density], rtol=1e-12)


@every_layout
@pytest.mark.parametrize("scale", [0.0, 1e-300, 1e-12])
def test_effects_without_scale_are_non_centred(
    layout: tuple[tuple[int, ...], ...], scale: float
) -> None:
    arrays = with_scratch(layout) | {"log_prior": np.zeros(1), "mean_bar": np.ones((3, CURVES))}
    arrays["spread"] = np.where(np.arange(arrays["spread"].size) < 3, arrays["spread"], scale)
    group_effects(arrays)
    np.testing.assert_allclose(arrays["effects"], arrays["z_effects"], rtol=1e-9)
    bars = {"spread_bar": np.zeros(arrays["spread"].size), "center_bar": np.zeros(3)}
    group_effects_adjoint(arrays | bars)
    assert all(np.all(np.isfinite(bar)) for bar in bars.values())


def test_overwhelming_information_is_finite() -> None:
    arrays = with_scratch(LAYOUTS["two crossed groups"]) | {"log_prior": np.zeros(1)}
    arrays["information"] = arrays["information"] * 1e12
    arrays["spread"] = arrays["spread"] * np.where(np.arange(arrays["spread"].size) < 3, 1e-6, 1.0)
    group_effects(arrays)
    effects, _ = dense_effects(arrays)
    # The data determine only sums over both groupings: the matrix is singular but for the identity,
    # a relative 1e-12 of its pivot, which is known to 2e-16 / 1e-12.
    scaled, expected = (
        arrays["spread"][arrays["spread_of_level"]] * e for e in (arrays["effects"], effects)
    )
    for p, (_, _, low, high, _) in enumerate(arrays["bounds"]):
        z = memberships(arrays, p)
        np.testing.assert_allclose(z @ scaled[low:high], z @ expected[low:high], atol=1e-4)
