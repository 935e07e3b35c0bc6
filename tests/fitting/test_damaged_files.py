"""Saved fits that were edited, with the hash made again: one sentence, or the same answer."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.fitting.fit_tree import fit_from_tree, fit_to_tree

SAVED = Path(__file__).parent / "files" / "format_1.nc"


type Edit = Callable[[dict[str, xr.Dataset]], object]


def saved_groups() -> dict[str, xr.Dataset]:
    """The groups of a small fit, as files have them now."""
    tree = fit_to_tree(bl.load(SAVED))
    return {node.path: node.to_dataset(inherit=False) for node in tree.subtree}


def edits(groups: dict[str, xr.Dataset]) -> Iterator[tuple[str, Edit]]:
    """Edits of the groups of a saved fit, with names."""
    for path, data in groups.items():
        yield from group_edits(path)
        for name in map(str, data.variables):
            yield from variable_edits(path, name, data)
        for name in data.attrs:
            yield from attribute_edits(path, name)
    record = json.loads(groups["/"].attrs["bayeslaw"])
    yield from json_edits("bayeslaw", record)
    gate = json.loads(groups["/"].attrs["gate"])
    for name, edit in json_edits("gate", gate):
        if not name.endswith((" 3", "worst is 'x'")):  # what a gate may be
            yield name, edit


def group_edits(path: str) -> Iterator[tuple[str, Edit]]:
    if path != "/":
        yield f"{path} dropped", lambda groups: groups.pop(path)
        yield f"{path} renamed", lambda groups: groups.update({f"{path}2": groups.pop(path)})
    yield f"{path} emptied", lambda groups: groups.update({path: xr.Dataset()})


def variable_edits(path: str, name: str, data: xr.Dataset) -> Iterator[tuple[str, Edit]]:
    def edit(what: str, change: Callable[[xr.Dataset], xr.Dataset]) -> tuple[str, Edit]:
        return f"{path}:{name} {what}", lambda groups: groups.update({path: change(groups[path])})

    def replaced(values: Any) -> Callable[[xr.Dataset], xr.Dataset]:
        return lambda data: data.drop_vars(name).assign({name: values})

    variable = data.variables[name]
    yield edit("dropped", lambda data: data.drop_vars(name))
    yield edit("renamed", lambda data: data.drop_vars(name).assign({f"{name}2": variable}))
    yield edit("is text", replaced((variable.dims, np.full(variable.shape, "x"))))
    yield edit("on other dimensions", replaced(([f"{d}2" for d in variable.dims], variable.values)))
    if variable.dtype.kind == "f":
        yield edit("float32", replaced((variable.dims, variable.values.astype("f4"))))
        yield edit("integers", replaced((variable.dims, np.ones(variable.shape, int))))
    if name not in data.dims:  # which xarray has no scalars for
        yield edit("is a number", replaced(0.0))
    for dim in filter(name.__ne__, map(str, variable.dims)):
        yield edit(f"averaged over {dim}", replaced((
            [d for d in variable.dims if d != dim],
            variable.values.take(0, variable.dims.index(dim)),
        )))  # fmt: skip
        yield edit(f"shorter along {dim}", lambda data, dim=dim: data.isel({dim: slice(1)}))


def attribute_edits(path: str, name: str) -> Iterator[tuple[str, Edit]]:
    yield f"{path}@{name} dropped", lambda groups: groups[path].attrs.pop(name)
    for value in (3, "json:", '{"a": 1}', [1.0, 2.0]):
        yield (
            f"{path}@{name} is {value!r}",
            lambda groups, value=value: groups[path].attrs.update({name: value}),
        )


def json_edits(
    attribute: str, record: Any, keys: tuple[str, ...] = ()
) -> Iterator[tuple[str, Edit]]:
    """Each value of a record, at any depth, replaced or dropped."""

    def edit(name: str, change: Callable[[Any], object]) -> Edit:
        def apply(groups: dict[str, xr.Dataset]) -> None:
            whole = json.loads(groups["/"].attrs[attribute])
            part = whole
            for key in keys:
                part = part[key]
            change(part)
            groups["/"].attrs[attribute] = json.dumps(whole)

        return apply

    for name, value in record.items() if isinstance(record, dict) else ():
        place = ".".join((attribute, *keys, name))
        yield f"{place} dropped", edit(name, lambda part, name=name: part.pop(name))
        for other in (None, 3, "x", [], {"x": 1}):
            yield (
                f"{place} is {other!r}",
                edit(name, lambda part, name=name, other=other: part.update({name: other})),
            )
        yield from json_edits(attribute, value, (*keys, name))


def answers(fit: bl.Fit) -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ahead = bl.forecast(fit, bl.grid(N=[1e10], task=["a", "b"]))
        return [ahead["mean"].values.tolist(), str(bl.diagnose(fit)), bl.summary(fit).to_dict()]


GROUPS = saved_groups()
EDITS = dict(edits(GROUPS))


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    return answers(bl.load(SAVED))


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edited_file_is_refused_in_one_sentence_or_gives_the_same_answer(
    edit: Edit, expected: list[Any]
) -> None:
    groups = {path: data.copy() for path, data in GROUPS.items()}
    edit(groups)
    refusal, answer = "", []
    try:
        answer = answers(fit_from_tree(xr.DataTree.from_dict(groups), Path("fit.nc")))
    except bl.errors.StoreError as error:
        refusal = str(error)
    assert re.fullmatch(r".*'fit.nc'.+", refusal) if refusal else answer == expected
