"""Code of the user's parts of a model; that keys of stores change with it is in test_fit_store."""

from __future__ import annotations

from typing import Any

import numba
import preliz as pz
import pytest

import bayeslaw as bl
from bayeslaw._law.roles import Link, Role
from bayeslaw.model.noise import BUILT_IN
from bayeslaw.model.user_code import code_hash, source_hash, user_code
from bayeslaw.priors import LogNormal


@pytest.mark.parametrize("name", bl.laws.names())
def test_laws_of_the_package_have_none(name: str) -> None:
    assert user_code(bl.Model(bl.laws.find(name))) == ""


@pytest.mark.parametrize("noise", BUILT_IN.values(), ids=BUILT_IN)
def test_noise_of_the_package_has_none(noise: bl.Noise) -> None:
    assert user_code(bl.Model(bl.laws.power, noise=noise)) == ""
    assert source_hash(type(noise)) is None


def test_a_prior_of_another_package_is_named() -> None:
    model = bl.Model(bl.laws.power, priors={"alpha": pz.Gamma(2, 1)})
    assert user_code(model).startswith("Gamma:")


def recursive(n: int) -> int:
    return n and recursive(n - 1)


class Base:
    def method(self) -> int:
        return 1


def derived(value: Any) -> type:
    class Derived(Base):
        attribute = value

        @property
        def doubled(self) -> Any:
            return 2 * value

        @staticmethod
        def constant() -> Any:
            return {"a", "b"}, value

        @classmethod
        def made(cls) -> Any:
            return cls

    return Derived


def compiled(factor: float) -> Any:
    @numba.njit
    def scaled(x):
        return factor * x

    return lambda x: scaled(x)


@pytest.mark.parametrize("make", [derived, compiled], ids=["class", "Numba"])
def test_hashes_change_with_values_that_code_closes_over(make: Any) -> None:
    assert code_hash(make(1.0)) == code_hash(make(1.0))
    assert code_hash(make(1.0)) != code_hash(make(2.0))


def test_code_that_calls_itself_has_a_hash() -> None:
    assert len(code_hash(recursive)) == 32


def model(forward: Any, rescaling: Any = None) -> bl.Model:
    """A law with a link and a rescaling of the user's."""
    role = Role(
        "Own", Link("own", forward, lambda x: x), LogNormal(1.0, 2.0), bl.HalfNormal(1.0), ""
    )
    law = bl.Law("own", lambda N, k: k * N, ("N",), {"k": role}, rescaling=rescaling)
    return bl.Model(law, discrepancy=None)


def test_links_and_rescalings_count() -> None:
    models = [
        model(lambda x: x),
        model(lambda x: 2 * x),
        model(lambda x: x, lambda **_: {"k": 1.0}),
        model(lambda x: x, lambda **_: {"k": 2.0}),
    ]
    assert len({user_code(each) for each in models}) == 4
