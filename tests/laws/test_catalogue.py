"""The contract that every law of the catalogue fulfils; new laws are included automatically."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from catalogue import CATALOGUE, parameters_at, sample
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeslaw import laws
from bayeslaw._law.law import Law
from bayeslaw._law.units import rescale
from bayeslaw.diagnostics.check_law import check_law

BOUNDED = {"loss_to_accuracy", "pass_at_k", "sigmoid"}
# A saved fit recognises its law by this hash of the formula's source, names of helpers included.
DIGESTS = json.loads((Path(__file__).parent / "files" / "digests_0_1_0.json").read_text())
every_law = pytest.mark.parametrize("law", CATALOGUE, ids=lambda law: law.name)


def test_names_are_those_of_laws() -> None:
    single = {name for name in laws.__all__ if isinstance(getattr(laws, name), Law)}
    assert laws.names() == sorted([*single, "broken_1", "broken_2"])
    assert [law.name for law in CATALOGUE] == laws.names()
    assert laws.__all__ == sorted(laws.__all__)
    for name in single:
        assert laws.find(name) is getattr(laws, name)


def test_names_of_families() -> None:
    assert laws.find("broken_12") is laws.broken(12)
    assert laws.find("broken_2").digest != laws.find("broken_3").digest
    assert laws.broken.__wrapped__(2).digest == laws.broken(2).digest
    with pytest.raises(ValueError, match="breaks must be a whole number, 1 or more, got 0"):
        laws.broken(0)


FAMILY = "; laws of that family are 'broken_1', 'broken_2' and so on, by the breaks."


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("powr", "; did you mean 'power'?"),
        ("broken", FAMILY),
        ("broken_0", FAMILY),
        ("find", "."),
        ("zzz", "."),
    ],
)
def test_other_names_are_not_laws(name: str, hint: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        laws.find(name)
    assert str(error.value) == f"no law is called {name!r}{hint} There are {laws.names()}"


@every_law
def test_laws_fulfil_the_contract(law: Law) -> None:
    report = check_law(law)
    assert report.passed, str(report)
    assert report.law is law
    assert str(report) == f"law {law.name!r} is sound; sampled as {report.coordinates}"


@every_law
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_change_of_units_changes_nothing(law: Law, data: st.DataObject) -> None:
    scales = {name: np.exp(data.draw(st.floats(-20, 20), name)) for name in law.predictors}
    scales |= dict.fromkeys(law.unitless, 1.0)
    drawn = parameters_at(law, 0.0)
    for name in drawn:
        drawn[name] = parameters_at(law, data.draw(st.floats(0, 1), name))[name]
    at = [data.draw(st.floats(1, 10), f"at {name}") for name in law.predictors]
    in_units = [x * scales[name] for x, name in zip(at, law.predictors, strict=True)]
    rescaled = rescale(law, scales, drawn)
    assert list(rescaled) == list(drawn)
    np.testing.assert_allclose(law(*in_units, **rescaled), law(*at, **drawn), rtol=1e-9)


@every_law
@given(position=st.floats(0, 1), low=st.floats(1, 9.9), factor=st.floats(1.001, 10))
def test_the_response_has_the_declared_direction(
    law: Law, position: float, low: float, factor: float
) -> None:
    parameters = parameters_at(law, position)
    start = [low] * len(law.predictors)
    for i, name in enumerate(law.predictors):
        end = [low * factor if j == i else x for j, x in enumerate(start)]
        change = law(*end, **parameters) - law(*start, **parameters)
        assert not law.direction.get(name, -1) or change * law.direction.get(name, -1) > 0, name


@pytest.mark.parametrize(
    "law", [law for law in CATALOGUE if 0 in law.direction.values()], ids=lambda law: law.name
)
def test_predictors_of_either_direction_rise_and_fall(law: Law) -> None:
    predictors, _ = sample(law, 2000)
    rng = np.random.default_rng(5)
    parameters = {name: parameters_at(law, rng.uniform(size=2000))[name] for name in law.parameters}
    for i, name in enumerate(law.predictors):
        if law.direction.get(name) == 0:
            larger = [1.1 * x if j == i else x for j, x in enumerate(predictors)]
            rises = law(*larger, **parameters) > law(*predictors, **parameters)
            assert 0 < rises.mean() < 1, name


@every_law
def test_the_response_is_positive_and_accuracies_are_shares(law: Law) -> None:
    predictors, parameters = sample(law, 1000)
    for factor in (1.0, 1e-1, 1e2) if law.name in BOUNDED else (1.0,):
        response = law(*(factor * x for x in predictors), **parameters)
        assert np.all(np.isfinite(response))
        assert np.all(response > 0)
        assert law.name not in BOUNDED or np.all(response < 1)


@every_law
def test_documentation_cites_a_source(law: Law) -> None:
    assert re.search(r"\b(19|20)\d\d\b", law.doc.splitlines()[0]), f"{law.name} cites nothing"
    assert law.name == law.function.__name__


@every_law
def test_latex_has_every_symbol(law: Law) -> None:
    assert law.latex is not None
    for name in [*law.parameters, *law.predictors]:
        if name != "epochs":  # there as the repeats that come with them
            assert symbol(name) in law.latex, name
    assert law.latex.count("{") == law.latex.count("}")
    assert law.latex.count(r"\left") == law.latex.count(r"\right")


def symbol(name: str) -> str:
    """A parameter's name in LaTeX: ``alpha_N`` is a Greek letter with an index."""
    letter, _, index = name.replace("0", "_0").replace("__", "_").partition("_")
    letter = letter if len(letter) == 1 else rf"\{letter}"
    index = {"star": "*"}.get(index, index)
    index = index if len(index) < 2 else rf"{{\mathrm{{{index}}}}}"
    return f"{letter}_{index}" if index else letter


@pytest.mark.parametrize("breaks", [1, 2, 3])
def test_members_of_a_family_fulfil_the_contract(breaks: int) -> None:
    report = check_law(laws.broken(breaks))
    assert report.passed, str(report)
    assert report.coordinates == "SumOfTerms"


@every_law
def test_regions_are_of_parameters_and_do_not_overlap(law: Law) -> None:
    for name, regions in law.regions.items():
        assert name in law.parameters
        bounds = sorted(regions.values())
        for (_, high), (low, _) in itertools.pairwise(bounds):
            assert high <= low


@pytest.mark.parametrize("law", [law for law in CATALOGUE if law.level], ids=lambda law: law.name)
def test_level_solves_for_its_parameter(law: Law) -> None:
    assert law.level is not None
    predictors, parameters = sample(law)
    name, solve = law.level
    others = {key: value for key, value in parameters.items() if key != name}
    value = law(*predictors, **parameters)
    np.testing.assert_allclose(solve(value, *predictors, **others), parameters[name], rtol=1e-12)


@pytest.mark.parametrize(("name", "digest"), DIGESTS.items())
def test_fits_of_version_0_1_0_know_their_law(name: str, digest: str) -> None:
    assert laws.find(name).digest.startswith(digest)
