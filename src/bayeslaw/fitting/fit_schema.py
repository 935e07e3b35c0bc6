"""What a fit consists of: the groups of its tree, their variables, dimensions, types and labels."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.posterior import posterior_dataset, unconstrained_dataset
from bayeslaw._sampling.gate import Gate
from bayeslaw.data.runs import check_runs, has_response, reference_sizes
from bayeslaw.errors import StoreError
from bayeslaw.fitting.result import Fit

__all__ = ["check_fit", "reading"]

DRAWS = ("posterior", "unconstrained_posterior")  # groups of every fit that was sampled
SAMPLED = ("chain", "draw")  # dimensions of any length
TEXT = "UOT"  # kinds of data types


def check_fit(fit: Fit, groups: Collection[str] = ()) -> None:
    """Raise ValueError unless a fit has what it has to have, and these groups.

    A fit that was not sampled has runs and nothing else. Others have

    - ``posterior`` and ``unconstrained_posterior``, and the same of the prior if they are there,
      with the parameters of the model on the curves of the runs;
    - ``sample_stats``: variables on (chain, draw), of the posterior's length;
    - ``log_likelihood``, ``posterior_predictive`` and ``prior_predictive``: the response, on the
      runs;
    - a convergence gate, and JSON in the attributes ``versions``, ``sampler`` and ``extensions``.
    """
    check_runs(fit.runs)
    if not (fit.tree.children or groups):
        return
    _require(has_response(fit.runs), "the runs have no response")
    for name in dict.fromkeys([*DRAWS, *groups]):
        _require(name in fit.tree.children, f"group {name!r} is missing")
    reference_sizes(fit.runs)
    checks = _checks(bind(fit.model, fit.runs))
    for name in checks.keys() & fit.tree.children.keys():
        checks[name](name, fit.tree.children[name].to_dataset(inherit=False))
    _check_lengths(fit.tree)
    _check_attributes(fit.tree.attrs)


@contextlib.contextmanager
def reading(path: str | os.PathLike[str], part: str) -> Iterator[None]:
    """Name the file and its part in whatever a damaged file raises, a StoreError."""
    name = repr(os.fspath(path))
    try:
        yield
    except StoreError as error:
        if name in str(error):
            raise
        raise StoreError(f"{name}: {error}") from error
    except KeyError as error:
        raise StoreError(f"{name} is damaged: {part} has no {error}") from error
    except Exception as error:  # HDF5, JSON and xarray raise a few dozen kinds
        reason = " ".join(f"{type(error).__name__} {error}".split())
        reason = " ".join(str(error).split()) if isinstance(error, ValueError) else reason
        raise StoreError(f"{name} is damaged: {part}: {reason}") from error


type Check = Callable[[str, xr.Dataset], None]


def _checks(bound: BoundModel) -> dict[str, Check]:
    """A check of each group that is known, by name."""
    unconstrained = _unconstrained(bound)
    posterior = posterior_dataset(bound, unconstrained)
    unconstrained_prior = unconstrained.drop_vars(["latent", "run"], errors="ignore")
    response = _at_runs(bound.runs)
    expected = {
        "posterior": posterior,
        "unconstrained_posterior": unconstrained,
        "prior": posterior,
        "unconstrained_prior": unconstrained_prior,
        "log_likelihood": response,
        "posterior_predictive": response,
        "prior_predictive": response,
    }
    checks: dict[str, Check] = {
        name: lambda group, data, like=like: _require_like(group, data, like)
        for name, like in expected.items()
    }
    return {**checks, "sample_stats": _check_stats}


def _unconstrained(bound: BoundModel) -> xr.Dataset:
    """One draw of the sampler's variables, of any values."""
    curves, layout = bound.run_arrays.curves.sizes["curve"], bound.hierarchy
    sizes: dict[str, tuple[int, ...]] = {"theta": (len(bound.roles), curves)}
    if layout is not None:
        sizes |= {"center": (len(bound.roles),), "spread": (len(layout.spreads),)}
        sizes |= {"effects": (len(layout.levels),)} if layout.levels else {}
    if bound.model.is_augmented:
        sizes["latent"] = (bound.runs.sizes["run"],)
    return unconstrained_dataset(bound, {n: np.zeros((1, 1, *size)) for n, size in sizes.items()})


def _at_runs(runs: xr.Dataset) -> xr.Dataset:
    values = np.zeros((1, 1, runs.sizes["run"]))
    coords = {"chain": [0], "draw": [0], "run": runs["run"].values}
    return xr.Dataset({runs.attrs["response"]: ((*SAMPLED, "run"), values)}, coords)


def _require_like(group: str, data: xr.Dataset, like: xr.Dataset) -> None:
    """Require the variables of another dataset: dimensions and types, and values of coordinates."""
    for name, expected in like.variables.items():
        what = f"variable {name!r} of group {group!r}"
        _require(name in data.variables, f"{what} is missing")
        saved = data.variables[name]
        _require(saved.dims == expected.dims, f"{what} is on {saved.dims}, not {expected.dims}")
        _require(
            _kind(saved) == _kind(expected), f"{what} has type {saved.dtype}, not {expected.dtype}"
        )
        for dim in set(expected.dims).difference(SAMPLED):
            sizes = saved.sizes[dim], expected.sizes[dim]
            _require(sizes[0] == sizes[1], f"{what} has {sizes[0]} of {dim!r}, not {sizes[1]}")
        is_label = name in like.coords and not set(expected.dims) & set(SAMPLED)
        same = not is_label or saved.values.tolist() == expected.values.tolist()
        _require(same, f"{what} has other labels than the runs and the model")


def _kind(variable: xr.Variable) -> str:
    """Type of the values, whatever the byte order or the width of text."""
    return "text" if variable.dtype.kind in TEXT else str(variable.dtype.newbyteorder("="))


def _check_stats(group: str, data: xr.Dataset) -> None:
    _require("diverging" in data, f"variable 'diverging' of group {group!r} is missing")
    for name, values in data.items():
        what = f"variable {name!r} of group {group!r}"
        _require(values.dims == SAMPLED, f"{what} is on {values.dims}, not {SAMPLED}")
        expected = "b" if name in ("diverging", "maxdepth_reached") else "fiu"
        _require(values.dtype.kind in expected, f"{what} has type {values.dtype}")


def _check_lengths(tree: xr.DataTree) -> None:
    """Require as many draws in all groups that belong together."""
    pairs = [(DRAWS[0], name) for name in (DRAWS[1], "sample_stats", "log_likelihood")]
    for first, second in [*pairs, ("prior", "unconstrained_prior")]:
        if first in tree.children and second in tree.children:
            sizes = [[tree[name].sizes[dim] for dim in SAMPLED] for name in (first, second)]
            _require(
                sizes[0] == sizes[1] and 0 not in sizes[0],
                f"groups {first!r} and {second!r} have {sizes[0]} and {sizes[1]} chains and draws",
            )


def _check_attributes(attrs: Mapping[Any, Any]) -> None:
    _require("gate" in attrs, "attribute 'gate' is missing")
    gate = _json_attribute(attrs, "gate", dict)
    types = {"str": str, "int": int, "float": float | int}
    for field in dataclasses.fields(Gate):
        has_default = field.default is not dataclasses.MISSING
        _require(field.name in gate or has_default, f"the gate has no {field.name!r}")
        value = gate.get(field.name, field.default)
        is_valid = isinstance(value, types[str(field.type)]) and not isinstance(value, bool)
        _require(is_valid, f"{field.name!r} of the gate is {value!r}")
    for name, kind in (("versions", dict), ("sampler", dict), ("extensions", list)):
        if name in attrs:
            _json_attribute(attrs, name, kind)
    for name in ("law", "model"):
        _require(isinstance(attrs.get(name, ""), str), f"attribute {name!r} is {attrs.get(name)!r}")


def _json_attribute(attrs: Mapping[Any, Any], name: str, kind: type) -> Any:
    value = attrs[name]
    with contextlib.suppress(TypeError, ValueError):
        content = json.loads(value)
        if isinstance(content, kind):
            return content
    raise ValueError(f"attribute {name!r} is {value!r}, not a JSON {kind.__name__}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
