"""A model as a JSON record, and the check that a law is still the one that was fitted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bayeslaw import laws
from bayeslaw._law.law import Law
from bayeslaw.errors import StoreError
from bayeslaw.model.model import Model, Pooling
from bayeslaw.model.noise_kind import Noise
from bayeslaw.model.serialise import from_record, to_record
from bayeslaw.model.user_code import source_hash

__all__ = ["fitted_law", "model_from_record", "model_to_record"]


def model_to_record(model: Model) -> dict[str, Any]:
    """A model as JSON types; its law by name and hash."""
    return {
        "law": _law_record(model.law),
        "pooling": _pooling_record(model.pooling),
        "noise": _part_record("noise", model.noise),
        "noise_source": source_hash(type(model.noise)),
        "discrepancy": _part_record("discrepancy", model.discrepancy),
        "priors": {
            name: _part_record(f"prior of {name!r}", prior) for name, prior in model.priors.items()
        },
        "tie": dict(model.tie),
    }


def model_from_record(record: Mapping[str, Any], law: Law) -> Model:
    """The model of a record, with its law."""
    noise = from_record(record["noise"])
    _check_noise(record, noise)
    return Model(
        law,
        pooling=_pooling(record["pooling"]),
        noise=noise,
        discrepancy=from_record(record["discrepancy"]),
        priors={name: from_record(prior) for name, prior in record["priors"].items()},
        tie=record["tie"],
    )


def fitted_law(record: Mapping[str, Any], law: Law | None, path: Path) -> Law:
    """The law of a record: that of the user, or of the catalogue, if unchanged since."""
    saved = record["law"]
    if law is None and saved["catalogue"]:
        law = _in_catalogue(saved["name"])
    if law is None:
        raise StoreError(
            f"{str(path)!r} has law {saved['name']!r} by name and hash only: "
            f"pass the law itself, load({str(path)!r}, law={saved['name']})"
        )
    _check_unchanged(saved, law, f"{str(path)!r} was saved by bayeslaw {record['version']}")
    predictors = tuple(saved["predictors"])
    return law if law.predictors == predictors else law.of(*predictors)


def _part_record(what: str, part: Any) -> Any:
    try:
        return to_record(what, part)
    except ValueError as error:
        raise StoreError(str(error)) from None


def _pooling_record(pooling: Pooling) -> Any:
    if isinstance(pooling, Mapping):
        return {"each": {name: _pooling_record(groups) for name, groups in pooling.items()}}
    # JSON has one type of list, but a tuple and a list make different models.
    if isinstance(pooling, tuple):
        return {"tuple": pooling}
    return None if pooling is None else list(pooling)


def _pooling(record: Any) -> Any:
    match record:
        case {"each": groups}:
            return {name: _pooling(names) for name, names in groups.items()}
        case {"tuple": names}:
            return tuple(names)
        case _:
            return record


def _law_record(law: Law) -> dict[str, Any]:
    catalogued = _in_catalogue(law.name)
    return {
        "name": law.name,
        "digest": law.digest,
        "predictors": law.predictors,
        "parameters": _roles(law),
        "catalogue": catalogued is not None and catalogued.digest == law.digest,
    }


def _in_catalogue(name: str) -> Law | None:
    try:
        return laws.find(name)
    except ValueError:
        return None


def _roles(law: Law) -> dict[str, str]:
    return {
        name: f"{role.name} with priors {role.prior} and {role.spread}"
        for name, role in law.parameters.items()
    }


def _check_unchanged(saved: Mapping[str, Any], law: Law, when: str) -> None:
    if not isinstance(law, Law):
        raise StoreError(f"law must be a Law, as bl.law makes, got a {type(law).__name__}")
    if law.name != saved["name"]:
        raise StoreError(f"the law that was fitted is {saved['name']!r}, got law {law.name!r}")
    if law.digest != saved["digest"]:
        raise StoreError(
            f"the formula of law {law.name!r} was changed after {when}: "
            f"its hash was {saved['digest'][:8]} and is {law.digest[:8]}"
        )
    _check_roles(saved["parameters"], _roles(law), f"law {law.name!r} was changed after {when}")


def _check_noise(record: Mapping[str, Any], noise: Noise) -> None:
    """Raise unless the code of somebody's own noise is that of the fit; old files do not say."""
    saved = record.get("noise_source")
    if saved is not None and saved != source_hash(type(noise)):
        raise StoreError(
            f"the code of noise {type(noise).__name__!r} was changed after it was saved by "
            f"bayeslaw {record['version']}"
        )


def _check_roles(old: Mapping[str, str], new: Mapping[str, str], change: str) -> None:
    for name in {**old, **new}:
        was, now = old.get(name, "absent"), new.get(name, "absent")
        if was != now:
            raise StoreError(f"{change}: parameter {name!r} was {was}, and is {now}")
