"""What cannot be compiled is refused by its name, with the line and what it did."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import numpy as np
import preliz as pz
import pymc as pm
import pytensor.tensor as pt
import pytest
from hand_written import RUNS
from model_table import MODELS
from scipy import special

import bayeslaw as bl
from bayeslaw._inference.scalar_code import USABLE, UnprintableError
from bayeslaw._inference.user_functions import check_user_functions
from bayeslaw.fitting.fit import check_compilable

NUMBER = "turns a variable into a number"
CONDITION = "asks whether a condition holds"
SAME = "for the same values as variables"
ARRAY = "makes an array of variables"

# Bodies that a law, noise or scale may not have: the function of one variable, and what it did.
WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "math": (lambda x: math.exp(x), NUMBER),
    "float": (lambda x: float(x) + 1, NUMBER),
    "int": (lambda x: x * int(x), NUMBER),
    "round": (lambda x: round(x), NUMBER),
    "if": (lambda x: x if x > 0.1 else -x, CONDITION),
    "max": (lambda x: max(x, 1.0), CONDITION),
    "np.maximum": (lambda x: np.maximum(x, 1.0), CONDITION),
    "np.clip": (lambda x: np.clip(x, 0.1, 1.0), CONDITION),
    "np.where": (lambda x: np.where(x > 0.1, x, -x), ARRAY),
    "np.piecewise": (lambda x: np.piecewise(x, [x > 0.3], [1.0, 2.0]), ARRAY),
    "np.interp": (lambda x: np.interp(x, [0.0, 1.0], [1.0, 2.0]), ARRAY),
    "np.select": (lambda x: np.select([x > 0.3], [x], -x), CONDITION),
    "scipy": (lambda x: special.expit(x), "calls expit, which takes numbers only"),
    "np.logaddexp": (lambda x: np.logaddexp(x, 1.0), "calls logaddexp, which takes numbers only"),
    "np.cbrt": (lambda x: np.cbrt(x), "calls cbrt, which takes numbers only"),
    "np.hypot": (lambda x: np.hypot(x, 1.0), "asks a variable for `hypot`"),
    "remainder": (lambda x: x % 2, "uses mod, which cannot be compiled"),
    "PyTensor": (lambda x: pt.erfcinv(x), "uses erfcinv, which cannot be compiled"),
    "array": (lambda x: x * np.arange(1.0, 3.0), "it returns an array of 1 dimension(s)"),
    "pair": (lambda x: (x, x), "it returns an array of 1 dimension(s)"),
    "nothing": (lambda x: None, "it returns None, which is no number"),
    "equality": (lambda x: 1.0 + (x == x + 0), SAME),
    "its own fault": (lambda x: x / {}["missing"], "raises KeyError: 'missing'"),
}  # fmt: skip
every_wrong = pytest.mark.parametrize(("body", "did"), WRONG.values(), ids=WRONG)


def law_with(body: Callable[[Any], Any]) -> bl.Law:
    @bl.law
    def mine(N: Any, *, L0: bl.Floor, k: bl.Amplitude, alpha: bl.Exponent) -> Any:
        """A law of the user's."""
        wrong = body(alpha)
        return wrong if isinstance(wrong, tuple | None) else L0 + k * N**-wrong

    return mine


@dataclass(frozen=True)
class TwoPiece(bl.Noise):
    """Noise of the user's."""

    body: Callable[[Any], Any] = field(hash=False)
    scale: bl.response_scales.ResponseScale = bl.response_scales.LogScale()
    varies_with: str | None = None

    def log_density(self, residual: Any, sigma: Any, parameters: Mapping[str, Any]) -> Any:
        wrong = self.body(sigma)
        return wrong if isinstance(wrong, tuple | None) else -(residual**2) - wrong

    def draw(self, rng: np.random.Generator, sigma: Any, parameters: Mapping[str, Any]) -> Any:
        return rng.normal(0.0, sigma)

    def latent(self, name: str, dims: str | None) -> Any:
        return pm.Exponential(name, 1.0, dims=dims)

    def given(self, latent: Any, sigma: Any, parameters: Mapping[str, Any]) -> tuple[Any, Any]:
        return 0.0, self.body(sigma * latent)


@dataclass(frozen=True)
class Bounded(bl.response_scales.LogScale):
    """A response scale of the user's."""

    body: Callable[[Any], Any] = np.log

    def forward(self, response: Any, unit: float = 1.0) -> Any:
        return self.body(response)


@dataclass(frozen=True)
class Own:
    """A prior of the user's."""

    register: Callable[[str], Any]

    def to_pymc(self, name: str, /, *, dims: Any = None) -> Any:
        return self.register(name)


def refused(model: bl.Model) -> str:
    """What `fit` says of a model, before it computes anything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bayeslaw.fitting.fit.bind", None)
        with pytest.raises(TypeError) as caught:
            bl.fit(model, RUNS, random_seed=1)
    assert isinstance(caught.value, UnprintableError)
    return str(caught.value)


def require(message: str, name: str, did: str) -> None:
    """The name, the line of this file and what to use instead, unless its result is at fault."""
    assert message.startswith(f"{name} cannot be compiled: ")
    assert did in message
    assert "\n" not in message
    assert message.endswith(USABLE) or did.startswith(("it returns", "raises"))
    line = re.search(r"line \d+ of test_user_functions\.py, `(.*?)`, ", message)
    if did.startswith("it returns") or did == SAME:  # no line is at fault alone
        assert line is None
    else:
        assert line is not None
        assert "lambda" in line[1]


@every_wrong
def test_a_law_that_cannot_be_compiled_is_named(body: Callable[[Any], Any], did: str) -> None:
    require(refused(bl.Model(law_with(body))), "law 'mine'", did)


@every_wrong
def test_the_check_of_a_law_names_it(body: Callable[[Any], Any], did: str) -> None:
    report = bl.check_law(law_with(body))
    assert not report.passed
    why = report.failures["tensors and gradients"]
    assert ("tensors and arrays give different values" if did == SAME else did) in why


@every_wrong
def test_noise_that_cannot_be_compiled_is_named(body: Callable[[Any], Any], did: str) -> None:
    noise = TwoPiece(body)
    require(refused(bl.Model(bl.laws.power, noise=noise, discrepancy=None)), "noise TwoPiece", did)


@every_wrong
def test_noise_given_a_latent_variable_is_named(body: Callable[[Any], Any], did: str) -> None:
    require(refused(bl.Model(bl.laws.power, noise=TwoPiece(body))), "noise TwoPiece", did)


@every_wrong
def test_a_response_scale_that_cannot_be_compiled_is_named(
    body: Callable[[Any], Any], did: str
) -> None:
    noise = bl.Gaussian(scale=Bounded(body))
    require(refused(bl.Model(bl.laws.power, noise=noise)), "response scale Bounded", did)


def test_an_array_of_objects_is_no_number() -> None:
    noise = bl.Gaussian(scale=Bounded(lambda x: np.where(x == 0.3, x, 1.0)))
    message = refused(bl.Model(bl.laws.power, noise=noise))
    assert "it returns an array of objects, as np.where makes; laws," in message


PRIORS: dict[str, tuple[Any, str]] = {
    "whole numbers": (Own(lambda name: pm.Poisson(name, 3.0)), "it is of int64 numbers"),
    "vector": (Own(lambda name: pm.Dirichlet(name, [1.0, 2.0])), "arrays of 1 dimension(s)"),
    "no variable": (Own(lambda name: 1.0), "it returns 1.0, not the PyMC variable"),
    "nothing": (Own(lambda name: None), "it returns None, not the PyMC variable"),
    "no parameters": (pz.Gamma(), "raises"),
    "number": (Own(lambda name: pm.Normal(name, math.exp(pm.Normal("y")))), NUMBER),
    "several": (Own(lambda name: pm.Normal(name, pm.Normal("y"))), "['y', 'x']: one is inferred"),
    "no density": (
        Own(lambda name: pm.Simulator(name, lambda rng, size: rng.normal(size=size))), "raises"
    ),
    "Bessel function": (pz.VonMises(0.0, 2.0), "cannot be compiled"),
    "potential": (Own(lambda name: pm.Potential(name, pt.constant(1.0))), "no random variable"),
    "scipy": (Own(lambda name: pm.Normal(name, special.expit(pm.Normal("y")))), "calls expit"),
    "PyTensor": (
        Own(lambda name: pm.CustomDist(name, logp=lambda x: pt.erfcinv(x), signature="->()")),
        "uses erfcinv, which cannot be compiled",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("prior", "did"), PRIORS.values(), ids=PRIORS)
@pytest.mark.parametrize("name", ["alpha", "sd_alpha"])
def test_a_prior_that_cannot_be_compiled_is_named(prior: Any, did: str, name: str) -> None:
    message = refused(bl.Model(bl.laws.power, priors={name: prior}))
    assert message.startswith(f"prior of {name!r} cannot be compiled: ")
    assert did in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        (
            {"level": ("k", lambda y, N, *, L0, alpha: math.exp(y))},
            "level of law 'mine'",
        ),
        (
            {"recentring": ("L0", "k", lambda log_ratio, **at: {"L0": float(log_ratio)})},
            "recentring of law 'mine'",
        ),
    ],
)
def test_other_functions_of_a_law_are_named(changed: dict[str, Any], name: str) -> None:
    law = replace(law_with(lambda x: x), **changed)
    require(refused(bl.Model(law)), name, NUMBER)


def test_a_latent_variable_that_cannot_be_compiled_is_named() -> None:
    @dataclass(frozen=True)
    class Counted(TwoPiece):
        def latent(self, name: str, dims: str | None) -> Any:
            return pm.Poisson(name, 1.0, dims=dims)

    message = refused(bl.Model(bl.laws.power, noise=Counted(lambda x: x)))
    assert message.startswith("latent variable of noise Counted cannot be compiled: it is of int64")


def test_a_link_that_cannot_be_compiled_is_named() -> None:
    role = bl.Shape.__metadata__[0]
    link = replace(role.link, name="mine", inverse=lambda x: special.expit(x))
    Mine = Annotated[Any, replace(role, link=link)]

    def mine(N, *, L0: bl.Floor, k: bl.Amplitude, s: Mine):
        """A law with a link of the user's."""
        return L0 + k * N**-s

    mine.__annotations__["s"] = Mine
    require(refused(bl.Model(bl.law(mine))), "link 'mine'", "calls expit")


def test_refits_refuse_it_too() -> None:
    with pytest.raises(UnprintableError, match=r"^law 'mine' cannot be compiled: line .*float"):
        bl.refit(bl.Model(law_with(float)), [RUNS, RUNS], sampler=bl.Sampler(1))


GOOD: dict[str, Callable[[Any], Any]] = {
    "maximum": lambda x: bl.maximum(x, 0.3),
    "comparison": lambda x: x + 0.1 * (x > 0.3),
    "constant": lambda x: 0.3,
    "logarithms": lambda x: np.log1p(np.exp(x)) + np.expm1(x) + np.sqrt(x) + np.tanh(x),
}


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD)
def test_what_can_be_compiled_is_not_refused(body: Callable[[Any], Any]) -> None:
    check_user_functions(bl.Model(law_with(body), noise=TwoPiece(body), discrepancy=None))
    check_user_functions(bl.Model(law_with(body), noise=TwoPiece(body)))


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_models_that_are_fitted_elsewhere_are_not_refused(model: bl.Model) -> None:
    check_compilable(model)
