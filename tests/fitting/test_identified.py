"""Parameters that curves cannot tell apart differ between them in one only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.errors import RunsWarning
from bayeslaw.fitting.identified import identified_model

SHORT = bl.Sampler(1, draws=100, tune=200, chains=2, max_draws_factor=1, progressbar=False)
SPREADS = ("sd_E", "sd_A", "sd_alpha")


def shapes(sizes_per_shape: int = 1) -> xr.Dataset:
    """Runs of four shapes at five amounts of data."""
    rng = np.random.default_rng(1)
    shape, size, data = (x.ravel() for x in np.meshgrid(range(4), range(sizes_per_shape), range(5)))
    frame = pd.DataFrame({"shape": shape.astype(str), "N": 1e7 * 3.0 ** (shape + size)})
    frame["D"] = 1e9 * 4.0**data
    loss = 1.7 + 400 * frame["N"] ** -0.34 + 410 * frame["D"] ** -0.28
    frame["loss"] = loss * np.exp(rng.normal(0, 0.01, loss.size))
    return bl.read_runs(frame, response="loss", predictors=["N", "D"], groups=["shape"])


@pytest.mark.parametrize(
    ("options", "shared", "varies"),
    [
        ({}, {"E", "alpha"}, "A"),
        ({"pooling": {"E": ["shape"]}}, {"A", "alpha"}, "E"),
        ({"priors": {"sd_alpha": bl.HalfNormal(0.1)}}, {"E", "A"}, "alpha"),
        ({"priors": {"sd_A": bl.Fixed(0)}}, {"alpha"}, "E"),
        ({"priors": {"A": bl.Fixed(4.0)}}, {"alpha"}, "E"),
    ],
)
def test_of_parameters_that_act_together_one_varies(
    options: dict[str, Any], shared: set[str], varies: str
) -> None:
    model = bl.Model(bl.laws.chinchilla, **options)
    with pytest.warns(RunsWarning, match=f"one N.* in all curves.*, and {varies} varies"):
        identified = identified_model(model, shapes())
    given = set(model.priors)
    added = {name: prior for name, prior in identified.priors.items() if name not in given}
    assert added == {f"sd_{name}": bl.Fixed(0.0) for name in shared}
    assert identified_model(identified, shapes()) == identified


@pytest.mark.parametrize(
    ("model", "runs"),
    [
        (bl.Model(bl.laws.chinchilla), shapes(sizes_per_shape=2)),
        (bl.Model(bl.laws.chinchilla, pooling=None), shapes()),
        (bl.Model(bl.laws.chinchilla), shapes().isel(run=slice(5))),
        (bl.Model(bl.laws.chinchilla, priors=dict.fromkeys(SPREADS, bl.HalfNormal(0.1))), shapes()),
    ],
    ids=["two sizes", "no pooling", "one curve", "priors of one's own"],
)
def test_other_models_stay(model: bl.Model, runs: xr.Dataset) -> None:
    assert identified_model(model, runs) is model


def test_with_one_run_per_curve_one_parameter_varies() -> None:
    runs = bl.read_runs(
        pd.DataFrame(
            {"name": list("abcdef"), "N": 2.0 ** np.arange(6), "loss": np.arange(8, 2, -1.0)}
        ),
        response="loss",
        predictors=["N"],
        groups=["name"],
    )
    # They are equal in value, not as shares of the response.
    match = "L0, k and alpha of law 'power' only act .*: L0 and alpha are the same in all curves, "
    with pytest.warns(RunsWarning, match=match):
        identified = identified_model(bl.Model(bl.laws.power), runs)
    assert set(identified.priors) == {"sd_L0", "sd_alpha"}


def test_a_fit_has_shared_parameters() -> None:
    with pytest.warns(RunsWarning, match="E and alpha are the same in all curves"):
        fit = bl.fit(bl.Model(bl.laws.chinchilla), shapes(), sampler=SHORT)
    posterior = fit.tree["posterior"].to_dataset()
    spread = np.log(posterior[["alpha", "A", "B"]]).std("curve").median()
    assert spread["alpha"] < 1e-5 < 1e-3 < spread["A"]
    assert fit.model.priors["sd_E"] == bl.Fixed(0.0)
    assert np.isfinite(bl.forecast(fit, fit.runs)["mean"]).all()


def test_only_one_amplitude_may_vary() -> None:
    shared = {f"sd_{name}": bl.Fixed(0) for name in ("E", "B", "alpha", "beta")}
    fit = bl.fit(bl.Model(bl.laws.chinchilla, priors=shared), shapes(), sampler=SHORT)
    posterior = fit.tree["posterior"].to_dataset()
    spread = np.log(posterior[["E", "A", "B", "alpha", "beta"]]).std("curve").median()
    assert spread[["E", "B", "alpha", "beta"]].to_array().max() < 1e-4 < 1e-3 < spread["A"]
