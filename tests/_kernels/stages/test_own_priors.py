"""Stages of priors of the user's: their adjoints, and which rows they read and write."""

from __future__ import annotations

import numpy as np
import pytest
from stage_adjoints import addresses, assert_adjoint

from bayeslaw._inference.printed_functions import curve_priors, prior_functions, unknown_of
from bayeslaw._kernels.stage import Stage
from bayeslaw._kernels.stages import own_priors
from bayeslaw._law.roles import IDENTITY, LOG, LOGIT
from bayeslaw.model.noise import StudentT, Undertuned
from bayeslaw.model.noise_kind import Noise
from bayeslaw.priors import Fixed, HalfNormal, LogNormal, Normal, Prior

RUNS, CURVES = 6, 3
PRIORS: list[tuple[list[Prior], list[int]]] = [  # and which of them are unknown
    ([HalfNormal(0.3)], [0]),
    ([LogNormal(0.3, 1.5), Fixed(0.2), HalfNormal(0.3)], [0, 2]),
    ([Fixed(0.2), Fixed(0.3)], []),
]
VECTORS = {
    "spread": (own_priors.own_spreads, own_priors.own_spreads_adjoint),
    "center": (own_priors.own_center, own_priors.own_center_adjoint),
}


def vector(name: str, priors: list[Prior], unknown: list[int]) -> dict[str, np.ndarray]:
    printed = prior_functions([unknown_of(prior.to_pymc, LOG) for prior in priors])
    return {
        f"z_{name}": np.random.default_rng(1).normal(-1, 0.5, len(unknown)),
        f"of_{name}": np.array([*addresses(printed), *unknown]),
        name: np.empty(len(priors)),
    }


@pytest.mark.parametrize(("name", "stages"), VECTORS.items(), ids=VECTORS)
@pytest.mark.parametrize(("priors", "unknown"), PRIORS[:2], ids=["one", "some fixed"])
def test_adjoints_of_vectors(
    name: str, stages: tuple[Stage, Stage], priors: list[Prior], unknown: list[int]
) -> None:
    assert_adjoint(stages[:1], stages[1], vector(name, priors, unknown), outputs=[name])


@pytest.mark.parametrize(("name", "stages"), VECTORS.items(), ids=VECTORS)
@pytest.mark.parametrize(("priors", "unknown"), PRIORS[1:], ids=["some fixed", "all fixed"])
def test_fixed_values_are_in_their_rows(
    name: str, stages: tuple[Stage, Stage], priors: list[Prior], unknown: list[int]
) -> None:
    arrays = vector(name, priors, unknown) | {"log_prior": np.array([3.0])}
    stages[0](arrays)
    np.testing.assert_allclose(arrays[name][1], np.log(priors[1].value), rtol=1e-15)  # type: ignore[attr-defined]
    assert bool(unknown) == (arrays["log_prior"][0] != 3.0)
    bars = {f"{name}_bar": np.ones(len(priors)), f"z_{name}_bar": np.empty(len(unknown))}
    stages[1](arrays | bars)
    assert np.all(np.isfinite(bars[f"z_{name}_bar"]))


def test_independent_curves_have_the_means_of_their_priors() -> None:
    rng = np.random.default_rng(1)
    arrays = {"prior_mean": rng.normal(size=(3, CURVES)), "prior_sd": rng.uniform(size=3)}
    arrays |= {"mean": np.empty((3, CURVES)), "spread": np.empty(3)}
    own_priors.independent_curves(arrays)
    np.testing.assert_array_equal(arrays["mean"], arrays["prior_mean"])
    np.testing.assert_array_equal(arrays["spread"], arrays["prior_sd"])


def test_adjoint_of_priors_of_curves() -> None:
    links = {"L0": LOGIT, "k": IDENTITY, "alpha": LOG}
    own: dict[str, Prior] = {"k": Normal(0.0, 2.0), "alpha": HalfNormal(0.5)}
    arrays = {
        "theta": np.random.default_rng(1).normal(-1, 0.5, (3, CURVES)),
        "of_curves": np.array([*addresses(curve_priors(own, links)), 1, 2]),
        "own": np.empty((4, CURVES)),
    }
    stages = own_priors.own_curve_priors, own_priors.own_curve_priors_adjoint
    assert_adjoint(stages[:1], stages[1], arrays, added=["theta"])


@pytest.mark.parametrize("noise", [StudentT(), Undertuned()], ids=str)
def test_adjoint_of_latent_variables(noise: Noise) -> None:
    prior = unknown_of(lambda name: noise.latent(name, None), IDENTITY)  # type: ignore[arg-type]
    arrays = {
        "z_latent": np.random.default_rng(1).normal(size=RUNS),
        "of_latent": np.array(addresses(prior_functions([prior]))),
        "latent_rows": np.empty((4, RUNS)),
        "latent": np.empty(RUNS),
    }
    stages = own_priors.latent_variables, own_priors.latent_variables_adjoint
    assert_adjoint(stages[:1], stages[1], arrays, outputs=["latent"])
