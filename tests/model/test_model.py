"""Models: defaults, free and fixed parameters, and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import preliz as pz
import pytest

from bayeslaw._law.law import law
from bayeslaw._law.roles import Amplitude, Exponent, Floor, Fraction, Real, Scale
from bayeslaw.laws import broken, double_power, inverse_log, kaplan, power, pure_power
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian, StudentT, Undertuned
from bayeslaw.priors import Fixed, HalfNormal, LogNormal
from bayeslaw.response_scales import LogitScale, LogScale


@law
def two(
    N: Any, D: Any, *, E: Floor, A: Amplitude, alpha: Exponent, B: Amplitude, beta: Exponent
) -> Any:
    return E + A * N**-alpha + B * D**-beta


def test_defaults() -> None:
    model = Model(power)
    assert list(model.roles) == ["L0", "k", "alpha", "sigma", "tau"]
    assert list(model.nuisance_roles) == ["sigma", "tau"]
    assert model.free == ("L0", "k", "alpha", "sigma", "tau")
    assert model.fixed == {}
    assert model.discrepancy == Brownian(knots=8)
    assert model.noise == Gaussian(scale=LogScale(), varies_with=None)
    assert not model.is_augmented
    assert model.groups_of("alpha") == ()


def test_defaults_of_a_law_in_several_predictors() -> None:
    model = Model(two)
    assert model.discrepancy is None
    assert model.noise == StudentT(nu=4.0)
    explicit = Model(two, discrepancy=Brownian())
    assert list(explicit.nuisance_roles) == ["sigma", "tau_N", "tau_D"]
    assert explicit.noise == Gaussian()


def test_defaults_without_a_discrepancy() -> None:
    model = Model(power, discrepancy=None)
    assert model.free == ("L0", "k", "alpha", "sigma")
    assert model.noise == StudentT(nu=4.0)
    assert not model.is_augmented


@pytest.mark.parametrize(
    ("law", "noise", "discrepancy", "names", "is_augmented"),
    [
        (power, Gaussian(), None, ["sigma"], False),
        (power, StudentT(5.0), None, ["sigma"], False),
        (power, StudentT(5.0), Brownian(), ["sigma", "tau"], True),
        (power, Undertuned(), None, ["sigma", "excess"], True),
        (power, Undertuned(), Brownian(), ["sigma", "excess", "tau"], True),
        (power, Gaussian(varies_with="N"), None, ["sigma", "sigma_slope"], False),
        (
            two,
            Gaussian(varies_with="D"),
            Brownian(),
            ["sigma", "sigma_slope", "tau_N", "tau_D"],
            False,
        ),
        (two, None, Brownian(knots=3), ["sigma", "tau_N", "tau_D"], False),
    ],
)
def test_nuisance_parameters(
    law: Any, noise: Any, discrepancy: Any, names: list[str], is_augmented: bool
) -> None:
    model = Model(law, noise=noise, discrepancy=discrepancy)
    assert list(model.nuisance_roles) == names
    assert list(model.roles) == [*law.parameters, *names]
    assert model.is_augmented is is_augmented


def test_fixed_and_tied_parameters_are_not_free() -> None:
    model = Model(two, priors={"E": Fixed(1.69), "A": LogNormal(1.0, 2.0)}, tie={"beta": "alpha"})
    assert model.fixed == {"E": 1.69}
    assert model.free == ("A", "alpha", "B", "sigma")


@pytest.mark.parametrize(("name", "left"), [("sigma", "tau"), ("tau", "sigma")])
def test_noise_and_discrepancy_can_be_fixed(name: str, left: str) -> None:
    assert Model(power, priors={name: Fixed(0.01)}).free == ("L0", "k", "alpha", left)


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
    names = ("L0", "k", "alpha", "sigma", "tau")
    model = Model(power, priors={f"sd_{name}": HalfNormal(0.1) for name in names})
    assert model.free == names


@law
def noisy(N: Any, *, sigma: Scale) -> Any:
    return sigma / N


@law
def clashing(N: Any, *, tau: Scale) -> Any:
    return tau / N


@law
def steep(N: Any, *, excess: Scale, sigma_slope: Exponent) -> Any:
    return excess * N**-sigma_slope


@law
def doubled(N: Any, *, k_1: Amplitude, k_2: Amplitude, alpha: Exponent) -> Any:
    return (k_1 + k_2 / 2) * N**-alpha


@law
def share(N: Any, *, g: Fraction, k: Amplitude, alpha: Exponent, c: Real) -> Any:
    return g * k * N**-alpha + c


@law
def without_units(N: Any, *, k: Amplitude, alpha: Exponent, beta: Exponent) -> Any:
    return k * np.exp(-alpha * N) * N**-beta


@pytest.mark.parametrize(
    "arguments",
    [
        {"law": two, "priors": {"E": Fixed(0)}},
        {"law": two, "priors": {"E": Fixed(0.0), "A": Fixed(1e-9)}},
        {"law": share, "priors": {"g": Fixed(0.25), "c": Fixed(-3)}},
        {"law": share, "priors": {"c": Fixed(np.float32(0))}},
        {"law": power, "priors": {"alpha": pz.LogNormal(-1.0, 1.0), "sd_k": Fixed(0.001)}},
        {"law": two, "tie": {"beta": "alpha"}},
        {"law": two, "tie": {"beta": "alpha"}, "priors": {"alpha": Fixed(0.3)}},
        {"law": doubled, "tie": {"k_2": "k_1"}},  # both move alike with N
        {"law": inverse_log, "priors": {"L0": Fixed(0.0)}},
        {"law": power, "noise": StudentT(scale=LogitScale(lower=0.1), varies_with="N")},
        {"law": clashing, "discrepancy": None},
        {"law": steep},
    ],
)
def test_valid_models_are_accepted(arguments: dict[str, Any]) -> None:
    assert Model(**arguments).free


TAKES = "a model takes a law, such as bl.laws.power, or bl.laws.broken(2), got "
ONLY_HERE = (
    "a change of the predictors' units moves them differently, so they would be equal at the "
    "reference scale only; tie parameters that units do not move, such as exponents"
)
ANY_PRIOR = "must be a distribution, such as bl.LogNormal(1.0, 2.0), or bl.Fixed(1.0), got"


@pytest.mark.parametrize(
    ("law", "arguments", "kind", "message"),
    [
        ("power", {}, TypeError, TAKES + "'power'"),
        (broken, {}, TypeError, TAKES + "broken"),
        *(
            (
                two,
                {"discrepancy": invalid},
                TypeError,
                f"discrepancy takes bl.Brownian() or None, got {invalid!r}",
            )
            for invalid in ["gp", True, Brownian, Gaussian()]
        ),
        *(
            (
                two,
                {"noise": invalid},
                TypeError,
                f"noise takes a kind of noise, such as bl.StudentT(), got {invalid!r}",
            )
            for invalid in ["gaussian", 4.0, StudentT, Brownian(), LogScale()]
        ),
        (
            two,
            {"noise": Gaussian(varies_with="C")},
            ValueError,
            "the noise varies with 'C', and law 'two' is one of ['N', 'D']",
        ),
        *(
            (
                law,
                arguments,
                ValueError,
                f"law {law.name!r} and the noise or discrepancy both have {clash}",
            )
            for law, arguments, clash in [
                (noisy, {}, ["sigma"]),
                (noisy, {"discrepancy": None}, ["sigma"]),
                (clashing, {}, ["tau"]),
                (steep, {"noise": Undertuned(varies_with="N")}, ["excess", "sigma_slope"]),
            ]
        ),
        (
            two,
            {"priors": {"E": 1.69}},
            TypeError,
            "prior of 'E' is a bare number: write bl.Fixed(1.69)",
        ),
        (two, {"priors": {"E": "x"}}, TypeError, f"prior of 'E' {ANY_PRIOR} 'x'"),
        (two, {"priors": {"E": None}}, TypeError, f"prior of 'E' {ANY_PRIOR} None"),
        (
            two,
            {"priors": {"E": LogNormal}},
            TypeError,
            f"prior of 'E' {ANY_PRIOR} <class 'bayeslaw.priors.LogNormal'>",
        ),
        *(
            (law, {"priors": {name: Fixed(value)}}, ValueError, f"a fixed {what}, got {invalid}")
            for law, name, value, what, invalid in [
                (two, "E", -1, "Floor, 'E', must be finite and at or above 0", "Fixed(value=-1)"),
                (
                    two,
                    "E",
                    np.inf,
                    "Floor, 'E', must be finite and at or above 0",
                    "Fixed(value=inf)",
                ),
                (two, "A", 0.0, "Amplitude, 'A', must be finite and above 0", "Fixed(value=0.0)"),
                (
                    two,
                    "A",
                    np.nan,
                    "Amplitude, 'A', must be finite and above 0",
                    "Fixed(value=nan)",
                ),
                (
                    two,
                    "A",
                    "big",
                    "Amplitude, 'A', must be finite and above 0",
                    "Fixed(value='big')",
                ),
                (
                    two,
                    "alpha",
                    -0.3,
                    "Exponent, 'alpha', must be finite and above 0",
                    "Fixed(value=-0.3)",
                ),
                (
                    share,
                    "g",
                    1.5,
                    "Fraction, 'g', must be strictly between 0 and 1",
                    "Fixed(value=1.5)",
                ),
                (
                    share,
                    "g",
                    0,
                    "Fraction, 'g', must be strictly between 0 and 1",
                    "Fixed(value=0)",
                ),
                (share, "c", np.inf, "Real, 'c', must be finite", "Fixed(value=inf)"),
                (power, "sigma", 0, "noise, 'sigma', must be finite and above 0", "Fixed(value=0)"),
                *(
                    (
                        power,
                        name,
                        value,
                        f"spread, {name!r}, must be finite and at or above 0",
                        f"Fixed(value={value})",
                    )
                    for name, value in [("sd_k", -1), ("sd_sigma", np.inf), ("sd_tau", np.nan)]
                ),
            ]
        ),
        (
            power,
            {"priors": {"L0": Fixed(1), "k": Fixed(2), "alpha": Fixed(0.5)}},
            ValueError,
            "nothing to infer: all parameters of law 'power' are fixed, "
            "{'L0': 1, 'k': 2, 'alpha': 0.5}; leave one free",
        ),
        (
            two,
            {"tie": {"B": "alpha"}},
            ValueError,
            "tie 'B' = 'alpha': Amplitude and Exponent are different roles; tie parameters of the "
            "same role",
        ),
        (
            pure_power,
            {"tie": {"N_c": "alpha"}},
            ValueError,
            "tie 'N_c' = 'alpha': Scale and Exponent are different roles; tie parameters of the "
            "same role",
        ),
        (two, {"tie": {"B": "A"}}, ValueError, f"tie 'B' = 'A': {ONLY_HERE}"),
        (
            two,
            {"tie": {"B": "A", "beta": "alpha"}},
            ValueError,
            f"tie 'B' = 'A': {ONLY_HERE}",
        ),
        (kaplan, {"tie": {"D_c": "N_c"}}, ValueError, f"tie 'D_c' = 'N_c': {ONLY_HERE}"),
        (double_power, {"tie": {"k_2": "k_1"}}, ValueError, f"tie 'k_2' = 'k_1': {ONLY_HERE}"),
        (
            without_units,
            {"tie": {"beta": "alpha"}},
            ValueError,
            "law 'without_units': no rule found for a change of the unit of 'N'; declare it with "
            "@law(rescaling=...) or, where it has no unit, @law(unitless=...)",
        ),
    ],
)
def test_invalid_models_are_refused(
    law: Any, arguments: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as error:
        Model(law, **arguments)
    assert str(error.value) == message


KNOWN = "['L0', 'k', 'alpha', 'sigma', 'tau', 'sd_L0', 'sd_k', 'sd_alpha', 'sd_sigma', 'sd_tau']"
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
            "['L0', 'k', 'alpha', 'sigma', 'tau', 'sd_L0', 'sd_k', 'sd_sigma', 'sd_tau']",
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
            "['L0', 'k', 'alpha', 'sigma', 'tau']",
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


def test_content_distinguishes_roles_under_one_formula() -> None:
    def with_role(role: Any) -> Model:
        def term(N: Any, *, k: Any, alpha: Any) -> Any:
            return k * N**-alpha

        term.__annotations__ |= {"k": Amplitude, "alpha": role}
        return Model(law(term))

    exponent, again, real = (with_role(role) for role in (Exponent, Exponent, Real))
    assert exponent.law.digest == real.law.digest
    assert exponent.content == again.content
    assert exponent.content != real.content
    assert " at 0x" not in Model(broken(1)).content  # the same in every process
