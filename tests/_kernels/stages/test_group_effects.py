"""The stage of group effects: its adjoint, means and prior."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from stage_adjoints import assert_adjoint, run

from bayeslaw._kernels.stages.group_effects import group_effects, group_effects_adjoint

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
        bounds.append((first, len(codes), low, len(spread_of_level)))
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


@every_layout
@pytest.mark.parametrize("seed", range(2))
def test_adjoint(layout: tuple[tuple[int, ...], ...], seed: int) -> None:
    assert_adjoint(
        [group_effects],
        group_effects_adjoint,
        arguments(layout, seed),
        outputs=["mean"],
        added=["spread", "center"],
    )


@every_layout
def test_means_are_sums_of_effects(layout: tuple[tuple[int, ...], ...]) -> None:
    arrays = arguments(layout) | {"log_prior": np.zeros(1)}
    run(group_effects, arrays)
    scaled = arrays["spread"][arrays["spread_of_level"]] * arrays["effects"]
    for p, (first, last, _, _) in enumerate(arrays["bounds"]):
        expected = arrays["center"][p] + scaled[arrays["codes"][first:last]].sum(axis=0)
        np.testing.assert_allclose(arrays["mean"][p], expected, rtol=1e-13)


@every_layout
def test_prior_is_normal_with_the_jacobian(layout: tuple[tuple[int, ...], ...]) -> None:
    arrays = arguments(layout)
    z, log_prior = arrays["z_effects"], np.zeros(1)

    def effects_at(point: np.ndarray) -> np.ndarray:
        log_prior[0] = 7.0
        changed = {name: values.copy() for name, values in arrays.items()}
        changed |= {"z_effects": point, "log_prior": log_prior}
        run(group_effects, changed)
        return changed["effects"]

    # The map is affine.
    jacobian = np.array([effects_at(z + unit) - effects_at(z) for unit in np.eye(z.size)])
    log_determinant = np.linalg.slogdet(jacobian)[1] if z.size else 0.0
    expected = 7.0 + stats.norm.logpdf(effects_at(z)).sum() + log_determinant
    np.testing.assert_allclose(log_prior, [expected], rtol=1e-12)
