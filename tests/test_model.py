"""The record of what is fitted, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from bayeslaw.law import law
from bayeslaw.laws import power
from bayeslaw.model import Model
from bayeslaw.noise import StudentT
from bayeslaw.parameters import Amplitude, Exponent, Floor, Scale
from bayeslaw.priors import Fixed, HalfNormal, LogNormal


@law
def two(
    N: Any, D: Any, *, E: Floor, A: Amplitude, alpha: Exponent, B: Amplitude, beta: Exponent
) -> Any:
    return E + A * N**-alpha + B * D**-beta


def test_defaults() -> None:
    model = Model(power)
    assert list(model.roles) == ["L0", "k", "alpha", "sigma"]
    assert model.free == ("L0", "k", "alpha", "sigma")
    assert model.fixed == {}
    assert model.noise == StudentT(4.0)
    assert model.groups_of("alpha") == ()


def test_fixed_and_tied_parameters_are_not_free() -> None:
    model = Model(two, priors={"E": Fixed(1.69), "A": LogNormal(1.0, 2.0)}, tie={"beta": "alpha"})
    assert model.fixed == {"E": 1.69}
    assert model.free == ("A", "alpha", "B", "sigma")


def test_noise_can_be_fixed() -> None:
    assert Model(power, priors={"sigma": Fixed(0.01)}).free == ("L0", "k", "alpha")


@pytest.mark.parametrize(
    ("pooling", "of_alpha", "of_k"),
    [
        (None, (), ()),
        ((), (), ()),
        (["task", "dataset"], ("task", "dataset"), ("task", "dataset")),
        ({"alpha": ["task"]}, ("task",), ()),
    ],
)
def test_groups_of(pooling: Any, of_alpha: tuple[str, ...], of_k: tuple[str, ...]) -> None:
    model = Model(power, pooling=pooling)
    assert (model.groups_of("alpha"), model.groups_of("k")) == (of_alpha, of_k)


def test_spreads_have_priors() -> None:
    model = Model(power, priors={"sd_alpha": HalfNormal(0.1), "sd_sigma": HalfNormal(0.1)})
    assert model.free == ("L0", "k", "alpha", "sigma")


@law
def noisy(N: Any, *, sigma: Scale) -> Any:
    return sigma / N


KNOWN = "['L0', 'k', 'alpha', 'sigma', 'sd_L0', 'sd_k', 'sd_alpha', 'sd_sigma']"
RULE = "a tied parameter has no prior of its own, and follows one that is not tied itself"


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (
            {"pooling": "task"},
            TypeError,
            "pooling takes lists of groups, got the string 'task'",
        ),
        (
            {"pooling": {"alpha": "task"}},
            TypeError,
            "pooling takes lists of groups, got the string 'task'",
        ),
        ({"law": noisy}, ValueError, "law 'noisy' and the noise both have ['sigma']"),
        (
            {"priors": {"alhpa": Fixed(1.0)}},
            ValueError,
            f"prior for 'alhpa': no such parameter; did you mean 'alpha'? There are {KNOWN}",
        ),
        (
            {"priors": {"zzz": Fixed(1.0)}},
            ValueError,
            f"prior for 'zzz': no such parameter. There are {KNOWN}",
        ),
        (
            {"priors": {"alpha": Fixed(1.0), "sd_alpha": HalfNormal(1.0)}},
            ValueError,
            "prior for 'sd_alpha': no such parameter; did you mean 'alpha'? There are "
            "['L0', 'k', 'alpha', 'sigma', 'sd_L0', 'sd_k', 'sd_sigma']",
        ),
        (
            {"tie": {"alpha": "beta"}},
            ValueError,
            "tie for 'beta': no such parameter. There are ['L0', 'k', 'alpha']",
        ),
        (
            {"pooling": {"apha": ["task"]}},
            ValueError,
            "pooling for 'apha': no such parameter; did you mean 'alpha'? There are "
            "['L0', 'k', 'alpha', 'sigma']",
        ),
        ({"tie": {"alpha": "alpha"}}, ValueError, f"tie 'alpha' = 'alpha': {RULE}"),
        (
            {"law": two, "tie": {"beta": "alpha", "alpha": "beta"}},
            ValueError,
            f"tie 'beta' = 'alpha': {RULE}",
        ),
        (
            {"law": two, "tie": {"beta": "alpha"}, "priors": {"beta": LogNormal(0.3, 2.0)}},
            ValueError,
            f"tie 'beta' = 'alpha': {RULE}",
        ),
    ],
)
def test_errors(arguments: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as error:
        Model(**{"law": power, **arguments})
    assert str(error.value) == message
