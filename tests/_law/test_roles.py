"""Roles and links."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from bayeslaw._law import roles as module
from bayeslaw._law.roles import IDENTITY, LEVEL, LOG, LOGIT, SHARE, SIGMA, TREND, Link, link_normal
from bayeslaw.priors import Fixed, HalfNormal, LogitNormal, LogNormal, Normal, Prior

ALIASES = ["Floor", "Amplitude", "Exponent", "Scale", "Fraction", "Rate", "Real"]
ROLES = [getattr(module, name).__metadata__[0] for name in ALIASES] + [LEVEL, SHARE, TREND, SIGMA]
REAL = st.floats(-15, 15)


@pytest.mark.parametrize("link", [IDENTITY, LOG, LOGIT], ids=lambda link: link.name)
@given(real=REAL)
def test_links_invert(link: Link, real: float) -> None:
    # The logit of a share near one is known to a few units in the last place of one.
    tolerance = 1e-12 + 4e-16 * np.exp(real) * (link is LOGIT)
    assert abs(link.forward(link.inverse(real)) - real) <= tolerance * max(1.0, abs(real))


@given(real=REAL)
def test_logit_is_that_of_scipy(real: float) -> None:
    np.testing.assert_allclose(LOGIT.inverse(real), special.expit(real), rtol=1e-12)


@pytest.mark.parametrize("link", [IDENTITY, LOG, LOGIT], ids=lambda link: link.name)
def test_links_on_tensors(link: Link) -> None:
    real = np.linspace(-3, 3, 7)
    there = link.inverse(pt.as_tensor(real))
    np.testing.assert_allclose(there.eval(mode="FAST_COMPILE"), link.inverse(real), rtol=1e-14)
    back = link.forward(there).eval(mode="FAST_COMPILE")
    np.testing.assert_allclose(back, real, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("alias", ALIASES)
def test_alias_carries_a_role_of_its_name(alias: str) -> None:
    assert getattr(module, alias).__metadata__[0].name == alias


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_default_prior_is_normal_on_the_link(role: module.Role) -> None:
    normal = link_normal(role.prior, role.link)
    assert normal is not None
    assert normal.sd > 0
    assert isinstance(role.spread, HalfNormal)
    assert "\n" not in role.doc


def test_default_exponents_cover_all_published_ones() -> None:
    prior = module.Exponent.__metadata__[0].prior
    inside = stats.norm(np.log(prior.median), np.log(prior.factor)).cdf(np.log([0.04, 0.96]))
    assert 0.01 < inside[0] < 0.05
    assert 0.95 < inside[1] < 0.99


@pytest.mark.parametrize(
    ("prior", "link", "expected"),
    [
        (Normal(1.0, 2.0), IDENTITY, Normal(1.0, 2.0)),
        (LogNormal(np.e, np.exp(2.0)), LOG, Normal(1.0, 2.0)),
        (LogitNormal(special.expit(1.0), 2.0), LOGIT, Normal(1.0, 2.0)),
        (LogNormal(1.0, 2.0), IDENTITY, None),
        (LogNormal(0.5, 2.0), LOGIT, None),
        (Normal(1.0, 2.0), LOG, None),
        (HalfNormal(1.0), LOG, None),
        (Fixed(1.0), IDENTITY, None),
    ],
)
def test_link_normal(prior: Prior, link: Link, expected: Normal | None) -> None:
    normal = link_normal(prior, link)
    if expected is None:
        assert normal is None
    else:
        assert normal is not None
        np.testing.assert_allclose([normal.mean, normal.sd], [1.0, 2.0], rtol=1e-12)
