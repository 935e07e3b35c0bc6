"""Small simulated runs with known truth, and fits of them that all test files share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.posterior import posterior_dataset, unconstrained_dataset
from bayeslaw._law.law import Law
from bayeslaw._law.units import predictor_scales, rescale
from bayeslaw._sampling.gate import Gate
from bayeslaw._sampling.nuts import Sampler
from bayeslaw.data.runs import read_runs
from bayeslaw.data.splits import split_at
from bayeslaw.fitting.fit import fit
from bayeslaw.fitting.result import Fit
from bayeslaw.laws import log_linear, power, pure_power
from bayeslaw.model.model import Model
from bayeslaw.model.noise import StudentT
from bayeslaw.priors import Fixed, LogNormal, Prior

TASKS, DATASETS = ["c4", "books", "code"], ["web", "wiki", "forum", "news"]
SIZES = np.geomspace(1e6, 1e9, 8)
REFERENCE = 1e7
SIGMA = 0.001
SAMPLING = {"draws": 500, "tune": 500, "chains": 2, "progressbar": False}


@pytest.fixture(scope="session")
def crossed_truth() -> xr.Dataset:
    """Parameters of twelve curves, three tasks crossed with four datasets.

    Logits of the irreducible share and logarithms of exponent and level at N = 1e7 are a
    population's value, plus an effect of the task, one of the dataset and an own deviation.
    """
    rng = np.random.default_rng(1)

    def crossed(mean: float, sd: float) -> np.ndarray:
        shape = len(TASKS), len(DATASETS)
        task, dataset = rng.normal(size=(shape[0], 1)), rng.normal(size=(1, shape[1]))
        return mean + sd * (task + dataset + rng.normal(size=shape))

    share = 1 / (1 + np.exp(-crossed(0.0, 0.3)))
    level, alpha = np.exp(crossed(1.0, 0.2)), np.exp(crossed(np.log(0.3), 0.15))
    parameters = {"L0": level * share, "k": level * (1 - share) * REFERENCE**alpha, "alpha": alpha}
    return xr.Dataset(
        {name: (("task", "dataset"), values) for name, values in parameters.items()},
        {"task": TASKS, "dataset": DATASETS},
        {"sigma": SIGMA, "nu": 4.0, "reference": REFERENCE},
    )


@pytest.fixture(scope="session")
def crossed_runs(crossed_truth: xr.Dataset) -> xr.Dataset:
    """One run of each curve at eight sizes, with Student-t noise on the logarithm of the loss."""
    sizes = xr.DataArray(SIZES, dims="N", coords={"N": SIZES})
    mean = power(sizes, **{name: crossed_truth[name] for name in power.parameters})
    mean = mean.transpose("task", "dataset", "N")
    residual = StudentT().draw(np.random.default_rng(2), np.full(mean.shape, SIGMA), {})
    loss = mean * np.exp(residual)
    frame = loss.to_dataframe("loss").reset_index()
    return read_runs(
        frame, predictors=["N"], groups=["task", "dataset"], reference={"N": REFERENCE}
    )


@pytest.fixture(scope="session")
def crossed_split(crossed_runs: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Runs up to N = 2e8, and those beyond: six and two per curve."""
    return split_at(crossed_runs, N=2e8)


@pytest.fixture(scope="session")
def crossed_fit(crossed_split: tuple[xr.Dataset, xr.Dataset]) -> Fit:
    """The true law, pooled over both groups."""
    model = Model(power, pooling=["task", "dataset"], discrepancy=None)
    return fit(model, crossed_split[0], sampler=Sampler(random_seed=1, **SAMPLING))


@pytest.fixture(scope="session")
def discrepant_fit(crossed_split: tuple[xr.Dataset, xr.Dataset]) -> Fit:
    """The true law with the default noise and discrepancy, on the same runs."""
    model = Model(power, pooling=["task", "dataset"])
    return fit(model, crossed_split[0], sampler=Sampler(random_seed=1, **{**SAMPLING, "chains": 4}))


@pytest.fixture(scope="session")
def log_linear_fit(crossed_split: tuple[xr.Dataset, xr.Dataset]) -> Fit:
    """A law that bends too little, on the same runs."""
    model = Model(log_linear, pooling=["task", "dataset"], discrepancy=None)
    return fit(model, crossed_split[0], sampler=Sampler(random_seed=1, **SAMPLING))


@pytest.fixture(scope="session")
def pure_power_fit(crossed_split: tuple[xr.Dataset, xr.Dataset]) -> Fit:
    """The true law without its floor, on the same runs."""
    model = Model(pure_power, pooling=["task", "dataset"], discrepancy=None)
    return fit(model, crossed_split[0], sampler=Sampler(random_seed=1, **SAMPLING))


@pytest.fixture(scope="session")
def lone_runs() -> xr.Dataset:
    """Thirty runs of one curve without groups: 2 + 300 N^-0.4, with a little noise."""
    sizes = np.geomspace(1e4, 1e8, 30)
    mean = power(sizes, L0=2.0, k=300.0, alpha=0.4)
    residual = StudentT().draw(np.random.default_rng(3), np.full(mean.shape, 5 * SIGMA), {})
    table = pd.DataFrame({"N": sizes, "loss": mean * np.exp(residual)})
    return read_runs(table, predictors=["N"], reference={"N": 1e6})


@pytest.fixture(scope="session")
def lone_fit(lone_runs: xr.Dataset) -> Fit:
    """The true law on one curve."""
    return fit(
        Model(power, discrepancy=None), lone_runs, sampler=Sampler(random_seed=1, **SAMPLING)
    )


@pytest.fixture(scope="session")
def known_fit() -> Callable[..., Fit]:
    """Make a fit whose draws are given, without sampling.

    Called with a law, its parameters in the user's units (chain, draw, curve), and runs.
    """

    def make(law: Law, parameters: Mapping[str, np.ndarray], runs: xr.Dataset) -> Fit:
        priors: dict[str, Prior] = {}
        priors |= dict.fromkeys(
            law.parameters, LogNormal(1.0, 2.0)
        )  # sampled in their roles' links
        priors["sigma"] = Fixed(SIGMA)
        model = Model(law, pooling=None, discrepancy=None, priors=priors)
        to_reference = {name: 1 / scale for name, scale in predictor_scales(law, runs).items()}
        at_reference = rescale(law, to_reference, parameters)
        bound = bind(model, runs)
        theta = [role.link.forward(at_reference[name]) for name, role in bound.roles.items()]
        link = unconstrained_dataset(bound, {"theta": np.stack(theta, axis=2)})
        posterior = posterior_dataset(bound, link)
        tree = xr.DataTree.from_dict({"/posterior": posterior, "/unconstrained_posterior": link})
        gate = Gate(1.0, 1000.0, 1000.0, "alpha", 0, 1.0, 1000)
        tree.attrs["gate"] = gate.to_json()
        return Fit(model, runs, tree)

    return make
