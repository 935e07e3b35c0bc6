"""The stage of parameters: its adjoint."""

from __future__ import annotations

import numpy as np
import pytest
from stage_adjoints import addresses, assert_adjoint

from bayeslaw import laws
from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.printed_functions import parameters as printed_parameters
from bayeslaw._kernels.stages.parameters import parameters, parameters_adjoint
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.priors import Fixed

CURVES = 3
MODELS = {
    "power": Model(laws.power),
    "tied and fixed": Model(
        laws.chinchilla,
        discrepancy=Brownian(),
        tie={"beta": "alpha"},
        priors={"E": Fixed(1.7), "tau_N": Fixed(0.01)},
    ),
    "log-linear": Model(laws.log_linear, discrepancy=None),
}
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def arguments(model: Model) -> dict[str, np.ndarray]:
    functions = addresses(*printed_parameters(model, coordinates(model)))
    theta = np.random.default_rng(1).normal(-1, 0.5, (len(model.free), CURVES))
    out = np.empty((len(model.roles), CURVES))
    return {"theta": theta, "of_parameters": np.array(functions), "parameters": out}


@every_model
def test_adjoint(model: Model) -> None:
    arrays = arguments(model)
    rows, everything = len(arrays["theta"]), len(arrays["parameters"])
    scratch = {"parameter_state": (rows + everything, CURVES), "parameter_out": (rows, CURVES)}
    assert_adjoint([parameters], parameters_adjoint, arrays, ["parameters"], ["theta"], scratch)


def test_fixed_and_tied_parameters_are_among_all() -> None:
    model = MODELS["tied and fixed"]
    arrays = arguments(model)
    parameters(arrays)
    rows = dict(zip(model.roles, arrays["parameters"], strict=True))
    np.testing.assert_array_equal(rows["E"], 1.7)
    np.testing.assert_array_equal(rows["tau_N"], 0.01)
    np.testing.assert_array_equal(rows["beta"], rows["alpha"])
