"""Parts of a model as JSON records, and back."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from bayeslaw.errors import StoreError
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.noise import Gaussian, StudentT, Undertuned
from bayeslaw.model.noise_kind import Noise
from bayeslaw.model.serialise import PARTS, from_record, to_record
from bayeslaw.priors import Fixed, HalfNormal, LinkNormal, LogitNormal, LogNormal, Normal
from bayeslaw.response_scales import LogitScale, LogScale, RawScale

EXAMPLES = [
    Normal(-0.5, 1.5),
    LogNormal(0.35, 1.5),
    LogitNormal(0.25, 2.0),
    HalfNormal(0.3),
    LinkNormal(-0.9, 0.5),
    Fixed(1.69),
    Fixed(2),
    Gaussian(),
    Gaussian(RawScale(), "N"),
    StudentT(5.5, LogScale(), "D"),
    Undertuned(LogitScale(0.25, 1.0)),
    LogScale(),
    RawScale(),
    LogitScale(-1.0, 3.0),
    Brownian(),
    Brownian(knots=3),
]


@dataclass(frozen=True)
class Foreign(LogScale):
    """A part of another package."""

    value: float = 1.0


def test_every_part_has_an_example() -> None:
    assert {type(part).__name__ for part in EXAMPLES} == set(PARTS) | {
        "Gaussian",
        "StudentT",
        "Undertuned",
    }


@pytest.mark.parametrize("part", EXAMPLES, ids=str)
def test_round_trip_through_json(part: Any) -> None:
    again = from_record(json.loads(json.dumps(to_record("part", part))))
    assert again == part
    assert type(again) is type(part)


@pytest.mark.parametrize("value", [None, "N", 3, 0.1, True])
def test_plain_values_are_their_own_records(value: Any) -> None:
    assert to_record("value", value) is value
    assert from_record(value) is value


def test_format_of_records() -> None:
    expected = {"StudentT": {"nu": 4.0, "scale": {"RawScale": {}}, "varies_with": None}}
    assert to_record("noise", StudentT(scale=RawScale())) == expected


@pytest.mark.parametrize(
    ("what", "part", "culprit", "known"),
    [
        ("prior of 'alpha'", Foreign(), "prior of 'alpha'", "Normal, LogNormal, LogitNormal, "),
        ("noise", Foreign(), "noise", "Gaussian, StudentT, Undertuned$"),
        ("discrepancy", Foreign(), "discrepancy", "Brownian$"),
        ("noise", Gaussian(Foreign()), "scale", "LogScale, RawScale, LogitScale$"),  # type: ignore[arg-type]
    ],
)
def test_parts_of_other_packages_are_refused(
    what: str, part: Any, culprit: str, known: str
) -> None:
    with pytest.raises(ValueError, match=rf"^the {culprit} is a Foreign of .*: use one of {known}"):
        to_record(what, part)


def test_unknown_names_are_not_looked_up() -> None:
    with pytest.raises(StoreError, match="'system' is no class of this package"):
        from_record({"system": {"command": "true"}})


KIND = """
from dataclasses import dataclass
import bayeslaw as bl

@dataclass(frozen=True)
class Twin(bl.Noise):
    scale: object = bl.response_scales.LogScale()
    varies_with: object = None

    def log_density(self, residual, sigma, parameters):
        return -residual * {factor}

    def draw(self, rng, sigma, parameters):
        return sigma
"""


def define(module: str, factor: float) -> Any:
    """A kind of noise called Twin, in a module."""
    sys.modules[module] = defined = ModuleType(module)
    exec(KIND.format(factor=factor), vars(defined))
    return defined.Twin


@pytest.fixture
def _twins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Noise, "kinds", {**Noise.kinds, "Twin": {}})
    yield
    for name in ("one", "other", "third"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("_twins")
def test_kinds_of_noise_of_one_name_are_told_apart_by_module() -> None:
    kinds = [define("one", 1.0), define("other", 2.0)]
    records = [to_record("noise", kind()) for kind in kinds]
    assert [[*record] for record in records] == [["one:Twin"], ["other:Twin"]]
    assert [type(from_record(record)) for record in records] == kinds


@pytest.mark.usefixtures("_twins")
@pytest.mark.parametrize("name", ["gone:Twin", "Twin"])
def test_a_kind_of_another_module_is_the_only_one_of_its_name(name: str) -> None:
    record = {name: {"scale": {"LogScale": {}}, "varies_with": None}}
    one = define("one", 1.0)
    assert type(from_record(record)) is one
    again = define("one", 2.0)  # as in a notebook
    assert type(from_record(record)) is again
    same = define("other", 2.0)  # as in a process that was spawned
    assert type(from_record(record)) is same
    define("third", 3.0)
    with pytest.raises(StoreError, match="called 'Twin', of the modules one, other, third, and"):
        from_record(record)


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        ({"StudentT": {"mu": 4.0}}, "are not the fields of StudentT: .*unexpected keyword"),
        ({"StudentT": 4.0}, "4.0 are not the fields of StudentT"),
        ({"Fixed": {}}, "are not the fields of Fixed: .*missing"),
        ({}, r"has one class, got \[\]"),
        ({"Fixed": {}, "Normal": {}}, r"has one class, got \['Fixed', 'Normal'\]"),
    ],
)
def test_damaged_records_are_refused(record: Any, sentence: str) -> None:
    with pytest.raises(StoreError, match=sentence):
        from_record(record)
