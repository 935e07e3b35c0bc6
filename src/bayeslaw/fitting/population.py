"""Population priors: what fits of many curves say about a new curve."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np

from bayeslaw._disk.files import write_file
from bayeslaw._inference.hierarchy import groupings, hierarchy_layout, is_pooled, level_effects
from bayeslaw._sampling.gate import Gate
from bayeslaw.data.curves import curves_in
from bayeslaw.data.runs import group_names, reference_sizes
from bayeslaw.fitting.result import Fit
from bayeslaw.model.serialise import from_record, to_record
from bayeslaw.priors import HalfNormal, LinkNormal, Population

__all__ = ["load_population", "population", "save_population"]


def population(fits: Fit | Sequence[Fit], *, at: Mapping[str, str] | None = None) -> Population:
    """The prior of a new curve, learned from pooled fits of other curves.

    Each parameter is normal on the scale on which curves are pooled. Its variance is the
    uncertainty of the population's mean plus the variance between curves: their own deviations,
    and the effects of groups whose level is not given.

    Parameters
    ----------
    fits : Fit or sequence of Fit
        Pooled fits of one law, at one reference scale. Several are averaged, weighted by their
        numbers of curves.
    at : mapping of str to str, optional
        Levels that the new curve shares with the fits, such as ``{"architecture": "ViT"}``.

    Returns
    -------
    Population

    Raises
    ------
    ValueError
        If there is no fit, or the fits are not pooled, did not pass their gate, or are of several
        laws or references, or `at` names a group or level that they do not have.

    Examples
    --------
    >>> prior = bl.population(fit, at={"learner": "linear"})  # doctest: +SKIP
    >>> bl.Model(fit.model.law, priors=prior)  # doctest: +SKIP
    """
    fits = [fits] if isinstance(fits, Fit) else list(fits)
    _require_compatible(fits)
    levels = {name: str(level) for name, level in (at or {}).items()}
    moments = [_moments(fit, levels) for fit in fits]
    weight = np.array([float(curves_in(fit.runs).sizes["curve"]) for fit in fits])
    mean, variance, spread = _averaged(moments, weight / weight.sum())
    first = fits[0]
    names = [
        str(name) for name in first.tree["unconstrained_posterior"].to_dataset()["parameter"].values
    ]
    rows = list(zip(names, mean, np.sqrt(variance), spread, strict=True))
    priors = {name: LinkNormal(float(mean), float(sd)) for name, mean, sd, _ in rows}
    priors |= {f"sd_{name}": HalfNormal(float(own)) for name, *_, own in rows}
    return Population(
        first.model.law.name, dict(reference_sizes(first.runs)), priors, _provenance(fits, levels)
    )


def save_population(population: Population, path: str | os.PathLike[str]) -> Path:
    """Write a population to a JSON file.

    Parameters
    ----------
    population : Population
        The population.
    path : path
        The file.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    StoreError
        If the file cannot be written.

    Examples
    --------
    >>> bl.save_population(prior, "prior.json")  # doctest: +SKIP
    """
    record = {
        "law": population.law,
        "reference": dict(population.reference),
        "priors": {name: to_record(name, prior) for name, prior in population.items()},
        "provenance": dict(population.provenance),
    }
    return write_file(path, f"{json.dumps(record, indent=1)}\n".encode())


def load_population(name: str | os.PathLike[str]) -> Population:
    """Load a population that comes with the package, or from a file.

    Parameters
    ----------
    name : str or path
        Name of a population of the package, or path of a JSON file.

    Returns
    -------
    Population

    Raises
    ------
    ValueError
        If there is no such population or file; the message lists those of the package.

    Examples
    --------
    >>> load_population("few_shot_error").law
    'plateau_power'
    """
    bundled = _folder() / f"{name}.json"
    source: Traversable | Path = bundled if bundled.is_file() else Path(name)
    if not source.is_file():
        known = sorted(item.name.removesuffix(".json") for item in _folder().iterdir())
        raise ValueError(f"no population {str(name)!r}, nor such a file; the package has {known}")
    record = json.loads(source.read_text(encoding="utf-8"))
    priors = {key: from_record(value) for key, value in record["priors"].items()}
    return Population(record["law"], record["reference"], priors, record["provenance"])


def _folder() -> Traversable:
    return resources.files("bayeslaw") / "data" / "files" / "populations"


def _require_compatible(fits: Sequence[Fit]) -> None:
    if not fits:
        raise ValueError("no fits were given: a population is learned from at least one")
    first = fits[0]
    for fit in fits:
        if not is_pooled(fit.model, curves_in(fit.runs)):
            raise ValueError(
                f"the fit of law {fit.model.law.name!r} is not pooled, so it has no population: "
                "fit several curves with pooling=[...]"
            )
        if not Gate.of(fit.tree).passed:
            raise ValueError(
                f"a population needs fits that converged: {Gate.of(fit.tree).sentence}"
            )
        if fit.model.law != first.model.law or reference_sizes(fit.runs) != reference_sizes(
            first.runs
        ):
            raise ValueError(
                f"fits of {fit.model.law.name!r} at {reference_sizes(fit.runs)} and of "
                f"{first.model.law.name!r} at {reference_sizes(first.runs)}: a population is of "
                "one law at one reference; read all runs with the same reference={...}"
            )


def _moments(fit: Fit, levels: Mapping[str, str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and variance of a new curve's parameters, and root mean square spread between curves."""
    draws = fit.tree["unconstrained_posterior"].to_dataset()
    names = [str(name) for name in draws["parameter"].values]
    layout = hierarchy_layout(groupings(fit.model, curves_in(fit.runs)), names)
    effects = level_effects(draws, layout)
    _require_levels(fit, levels)
    center = draws["center"].values.reshape(-1, len(names)).copy()
    spread = draws["spread"].values.reshape(-1, len(layout.spreads))
    between = spread[:, : len(names)] ** 2
    for i, (name, group) in enumerate(layout.spreads[len(names) :], start=len(names)):
        level = (name, group, levels.get(group, ""))
        if level in effects:
            center[:, names.index(name)] += effects[level].ravel()
        else:
            between[:, names.index(name)] += spread[:, i] ** 2
    return center.mean(0), center.var(0) + between.mean(0), np.sqrt(between.mean(0))


def _require_levels(fit: Fit, levels: Mapping[str, str]) -> None:
    for group, level in levels.items():
        if group not in group_names(fit.runs):
            raise ValueError(
                f"{group!r} in at is not a group; the groups are {group_names(fit.runs)}"
            )
        known = list(dict.fromkeys(str(label) for label in fit.runs[group].values))
        if level not in known:
            raise ValueError(f"{group} {level!r} in at is not in the fit, which has {known}")


def _averaged(
    moments: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moments of the mixture of several populations."""
    means, variances, spreads = (np.array(values) for values in zip(*moments, strict=True))
    mean = weight @ means
    return mean, weight @ (variances + (means - mean) ** 2), np.sqrt(weight @ spreads**2)


def _provenance(fits: Sequence[Fit], levels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "fits": [
            {
                "curves": curves_in(fit.runs).sizes["curve"],
                "runs": fit.runs.sizes["run"],
                "groups": group_names(fit.runs),
                "model": fit.tree.attrs.get("model", ""),
                "sampler": json.loads(fit.tree.attrs.get("sampler", "{}")),
            }
            for fit in fits
        ],
        "at": dict(levels),
    }
