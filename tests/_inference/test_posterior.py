"""Posterior draws in the user's units, with labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import expit

from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.hierarchy import coordinate_roles
from bayeslaw._inference.posterior import (
    law_values,
    level_dim,
    posterior_dataset,
    to_user_units,
    unconstrained_dataset,
)
from bayeslaw.data.runs import read_runs
from bayeslaw.laws import exponential, power
from bayeslaw.model.model import Model
from bayeslaw.priors import Fixed

SHAPE = 2, 3  # chains, draws
GROUPS = {"model": ["m0", "m1"], "task": ["t0", "t1", "t2"]}


def runs() -> xr.Dataset:
    rows = [
        {"model": m, "task": t, "N": size, "loss": 3.0 * size**-0.1}
        for m in GROUPS["model"]
        for t in GROUPS["task"]
        for size in (1e5, 1e6, 1e7)
    ]
    return read_runs(
        pd.DataFrame(rows), predictors=["N"], groups=list(GROUPS), reference={"N": 1e6}
    )


def random_datasets(model: Model, seed: int = 1) -> tuple[xr.Dataset, xr.Dataset]:
    """Random values of the sampler's variables, labelled, and the posterior dataset of them."""
    bound, rng = bind(model, runs()), np.random.default_rng(seed)
    roles, layout = bound.roles, bound.hierarchy
    assert layout is not None
    draws = {
        "theta": rng.normal(size=(*SHAPE, len(roles), 6)),
        "center": rng.normal(size=(*SHAPE, len(roles))),
        "spread": np.exp(rng.normal(size=(*SHAPE, len(layout.spreads)))),
    }
    if layout.levels:
        draws["effects"] = rng.normal(size=(*SHAPE, len(layout.levels)))
    link = unconstrained_dataset(bound, draws)
    return link, posterior_dataset(bound, link)


def units(share: Any, level: Any, alpha: Any) -> dict[str, Any]:
    """Parameters of the power law in the user's units by hand."""
    exponent = np.exp(alpha)
    k = np.exp(level) * expit(-share) * 1e6**exponent
    return {"L0": np.exp(level) * expit(share), "k": k, "alpha": exponent}


@pytest.mark.parametrize(
    ("group", "dim"),
    [("task", "task"), ("model", "model_level"), ("draw", "draw_level"), ("x", "x_level")],
)
def test_level_dim(group: str, dim: str) -> None:
    assert level_dim(group) == dim


def test_link_has_labels() -> None:
    link, _ = random_datasets(Model(power, pooling={"alpha": ["task"]}))
    assert link["theta"].dims == ("chain", "draw", "parameter", "curve")
    assert link["parameter"].values.tolist() == ["L0", "k", "alpha", "sigma", "tau"]
    assert link["curve"].values.tolist()[:2] == ["m0 / t0", "m0 / t1"]
    assert link["spread_of"].values.tolist()[-1] == "alpha task"
    assert link["effect_of"].values.tolist() == [f"alpha task t{i}" for i in range(3)]


def test_parameters_of_curves_are_in_the_users_units() -> None:
    link, posterior = random_datasets(Model(power, pooling=["model", "task"]))
    rows = link["theta"].values
    expected = units(rows[:, :, 0], rows[:, :, 1], rows[:, :, 2])
    expected |= {"sigma": np.exp(rows[:, :, 3]), "tau": np.exp(rows[:, :, 4])}
    for name, values in expected.items():
        assert posterior[name].dims == ("chain", "draw", "curve")
        np.testing.assert_allclose(posterior[name], values, rtol=1e-12, err_msg=name)
    assert posterior["task_of_curve"].values.tolist() == GROUPS["task"] * 2


def test_population_and_effects() -> None:
    model = Model(power, pooling={"alpha": ["task"], "L0": ["model", "task"]})
    link, posterior = random_datasets(model)
    center = link["center"].values
    typical = units(*np.moveaxis(center[..., :3], -1, 0))
    for name, values in typical.items():
        np.testing.assert_allclose(posterior[f"{name}_population"], values, rtol=1e-12)
    spread = {str(s): link["spread"].sel(spread_of=s).values for s in link["spread_of"].values}
    np.testing.assert_array_equal(posterior["sd_L0_model"], spread["L0 model"])
    np.testing.assert_array_equal(posterior["sd_k_own"], spread["k own"])
    assert "sd_k_task" not in posterior
    for level in GROUPS["task"]:

        def shifted(parameter: str, row: int, level: str = level) -> np.ndarray:
            effect = link["effects"].sel(effect_of=f"{parameter} task {level}").values
            return center[..., row] + spread[f"{parameter} task"] * effect

        at_level = units(shifted("L0", 0), center[..., 1], shifted("alpha", 2))
        for name, values in at_level.items():
            effect = posterior[f"{name}_task_effect"].sel(task=level)
            np.testing.assert_allclose(effect, values - typical[name], rtol=1e-9, atol=1e-12)
    # Noise and discrepancy are not pooled over tasks: no task adds to them.
    for name in ("sigma", "tau"):
        np.testing.assert_allclose(posterior[f"{name}_task_effect"], 0, atol=1e-15)


def test_reserved_names_of_groups_become_levels() -> None:
    _, posterior = random_datasets(Model(power, pooling=["model"]))
    assert posterior["alpha_model_effect"].dims == ("chain", "draw", "model_level")
    assert posterior["model_level"].values.tolist() == GROUPS["model"]
    assert posterior["model_of_curve"].values.tolist() == ["m0"] * 3 + ["m1"] * 3


def test_without_pooling_there_is_no_population() -> None:
    model = Model(power, pooling=None, priors={"alpha": Fixed(0.4)})
    bound = bind(model, runs())
    theta = np.random.default_rng(1).normal(size=(*SHAPE, 4, 6))
    posterior = posterior_dataset(bound, unconstrained_dataset(bound, {"theta": theta}))
    assert set(posterior.data_vars) == {"L0", "k", "alpha", "sigma", "tau"}
    np.testing.assert_array_equal(posterior["alpha"], np.full((*SHAPE, 6), 0.4))


def test_fixed_noise_has_the_shape_of_the_draws() -> None:
    model = Model(power, priors={"sigma": Fixed(0.02)})
    theta = {name: np.zeros((2, 5)) for name in ("L0", "k", "alpha", "tau")}
    values = to_user_units(model, coordinates(model), theta, {"N": 100.0})
    assert {value.shape for value in values.values()} == {(2, 5)}
    np.testing.assert_array_equal(values["sigma"], 0.02)
    np.testing.assert_allclose(values["k"], 0.5 * 100.0, rtol=1e-15)


def test_overflow_gives_infinity_without_a_warning() -> None:
    model = Model(power, discrepancy=None)
    theta = {"L0": np.zeros(1), "k": np.zeros(1), "alpha": np.array([8.0]), "sigma": np.zeros(1)}
    assert np.isinf(to_user_units(model, coordinates(model), theta, {"N": 1e9})["k"])


def test_law_values_at_runs() -> None:
    model = Model(power)
    parameters = {n: np.random.default_rng(1).uniform(0.5, 1, (2, 3, 2)) for n in power.parameters}
    sizes, curve = np.array([1.0, 2.0, 4.0]), np.array([0, 1, 1])
    values = law_values(model, parameters, {"N": sizes}, curve)
    assert values.shape == (2, 3, 3)
    one = {name: value[1, 2, 1] for name, value in parameters.items()}
    np.testing.assert_allclose(values[1, 2, 2], power(4.0, **one), rtol=1e-15)


def test_underflow_of_a_term_gives_no_warning() -> None:
    model = Model(exponential)
    system = coordinates(model)
    theta = {name: np.zeros(3) for name in coordinate_roles(model, system)} | {
        "c": np.full(3, -8.0)
    }
    values = to_user_units(model, system, theta, {"N": 1e6})
    assert np.all(np.isinf(values["k"]))  # of a term that underflows at the reference
