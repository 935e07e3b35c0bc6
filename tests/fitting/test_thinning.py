"""Every n-th draw of a fit."""

from __future__ import annotations

import numpy as np

import bayeslaw as bl
from bayeslaw.fitting.thinning import thin


def test_every_third_draw(lone_fit: bl.Fit) -> None:
    thinned = thin(lone_fit, 3)
    for name in ("posterior", "unconstrained_posterior"):
        draws = lone_fit.tree[name].to_dataset()["alpha" if name == "posterior" else "theta"]
        np.testing.assert_array_equal(
            thinned.tree[name][draws.name], draws.isel(draw=slice(None, None, 3))
        )
    assert thinned.tree.attrs == lone_fit.tree.attrs
    assert thinned.model == lone_fit.model


def test_a_step_of_one_changes_nothing(lone_fit: bl.Fit) -> None:
    assert thin(lone_fit, 1) is lone_fit
