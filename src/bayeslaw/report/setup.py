"""What was studied: the runs, the model and its priors."""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.hierarchy import coordinate_roles, groupings, is_pooled
from bayeslaw._inference.run_arrays import population_prior, run_arrays_of
from bayeslaw._law.latex import plain_formula
from bayeslaw._law.law import Law
from bayeslaw.data.checks import notes
from bayeslaw.data.curves import curves_in, warn_thin_groups
from bayeslaw.data.runs import group_names, predictor_names, reference_sizes
from bayeslaw.diagnostics.diagnose import describe_runs
from bayeslaw.errors import RunsWarning
from bayeslaw.fitting.fit import Fit
from bayeslaw.plots import plot_prior
from bayeslaw.priors import Prior
from bayeslaw.report.blocks import Block, Formula, Items, Paragraph, Picture, Section, Table
from bayeslaw.report.describe import discrepancy_told, noise_told, pooling_told
from bayeslaw.report.forecast_lines import number
from bayeslaw.report.pictures import png_of

__all__ = ["about_data", "about_model", "about_priors"]


def about_data(fit: Fit, later: xr.Dataset | None) -> Section:
    """How many runs of which sizes, and what is wrong with them.

    Parameters
    ----------
    fit : Fit
        The fit.
    later : xarray.Dataset, optional
        Held-out runs.

    Returns
    -------
    Section
    """
    runs = fit.runs
    curves = curves_in(runs).sizes["curve"]
    held = f" {later.sizes['run']} further runs were held out." if later is not None else ""
    told = f"{runs.sizes['run']} runs on {curves} curve{'s' * (curves > 1)} are fitted.{held}"
    groups = [f"{name}: {', '.join(_levels(runs, name))}." for name in group_names(runs)]
    blocks = (
        Paragraph(told),
        Table("sizes", "What was measured", pd.DataFrame(_measured(runs, later))),
        Items((*groups, *describe_runs(runs, fit.model.law.predictors), *_faults(fit))),
    )
    return Section("data", "Data", blocks)


def about_model(fit: Fit) -> Section:
    """The formula, what its parameters are, and pooling, noise and discrepancy in words.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    Section
    """
    law, model = fit.model.law, fit.model
    left = rf"\mathrm{{{fit.runs.attrs['response']}}} = "
    formula: list[Block] = [
        Formula(left + law.latex, plain_formula(law.latex))
        if law.latex
        else Paragraph(f"Law {law.name} gives no formula; it is a function of its author's.")
    ]
    kept = groupings(model, curves_in(fit.runs))
    pooled = is_pooled(model, curves_in(fit.runs))
    rows = [
        {
            "parameter": name,
            "meaning": role.doc,
            "held": _held(fit, name),
            "varies over": _varies(kept[name].groups if name in kept else (), name in kept, pooled),
        }
        for name, role in model.roles.items()
    ]
    told = (pooling_told(fit), noise_told(model.noise), discrepancy_told(model.discrepancy))
    blocks = (
        *formula,
        Paragraph(" ".join([_summary(law), *_renamed(law)])),
        Table("roles", "Parameters of the model", pd.DataFrame(rows)),
        Items(told),
    )
    return Section("model", "Model", blocks)


def about_priors(fit: Fit) -> Section:
    """The priors in effect, what they mean in the data's units, and what runs they expect.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    Section
    """
    alone = "Draws of runs from the prior, noise included, with the observed runs on top."
    blocks = (
        Paragraph(
            "A prior holds at the reference size: on the parameter, or on the share of the "
            "response or the level that stands for it; a Scale is in multiples of that size; a "
            "spread, between curves and groups, is on the scale of its link. Quantiles are of the "
            "parameter in the units of the data."
        ),
        Table("priors-table", "Priors of the free parameters", _priors(fit)),
        Picture(png_of(plot_prior(fit)), alone, f"{alone} Law {fit.model.law.name}."),
    )
    return Section("priors", "Priors", blocks)


def _summary(law: Law) -> str:
    return " ".join(law.doc.partition("\n\n")[0].replace("``", "").split())


def _renamed(law: Law) -> list[str]:
    """Which predictor of the runs stands where the formula has another."""
    written = list(inspect.signature(law.function).parameters)[: len(law.predictors)]
    pairs = zip(written, law.predictors, strict=True)
    return [f"Its {own} is here {name}." for own, name in pairs if own != name]


def _levels(runs: xr.Dataset, group: str) -> list[str]:
    levels = list(dict.fromkeys(runs[group].values.tolist()))
    more = [f"and {len(levels) - 12} more"] if len(levels) > 12 else []
    return [*levels[:12], *more]


def _measured(runs: xr.Dataset, later: xr.Dataset | None) -> list[dict[str, object]]:
    """A row for the response and for each predictor."""
    reference, rows = reference_sizes(runs), []
    for name in (runs.attrs["response"], *predictor_names(runs)):
        values, about = runs[name].values, runs[name].attrs
        row: dict[str, object] = {"variable": name, "column": about.get("column", name)}
        row |= {"unit": about.get("units", "not recorded")}
        row |= {"smallest": values.min(), "largest": values.max()}
        row |= {"distinct": np.unique(values).size, "reference": reference.get(name, np.nan)}
        if later is not None:
            row["largest held out"] = later[name].values.max()
        rows.append(row)
    return rows


def _faults(fit: Fit) -> list[str]:
    """What is wrong with the runs, or that nothing was found."""
    runs, groups = fit.runs, group_names(fit.runs)
    names = [runs.attrs["response"], *predictor_names(runs), *groups]
    copies = int(pd.DataFrame({n: runs[n].values for n in names}).duplicated().sum())
    single = [n for n in groups if np.unique(runs[n].values).size == 1]
    noted = notes(runs)
    told = [
        *noted,
        *_warned(lambda: warn_thin_groups(runs, groups, len(fit.model.law.parameters))),
        *(
            f"Group {name} has one level and pools nothing."
            for name in single
            if not any(note.startswith(f"Group {name!r} has one level") for note in noted)
        ),
    ]
    if copies and not any("exact copies of earlier ones: kept" in note for note in noted):
        told.append(f"{copies} runs are exact copies of others and count as new evidence.")
    return told or ["No exact copies, no curve with fewer sizes than the law has parameters."]


def _warned(call: Callable[[], None]) -> list[str]:
    """What a check warns of, as sentences."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RunsWarning)
        call()
    return [f"{each.message}." for each in caught]


def _held(fit: Fit, name: str) -> str:
    if name in fit.model.tie:
        return f"= {fit.model.tie[name]}"
    return f"{fit.model.fixed[name]:g}" if name in fit.model.fixed else "free"


def _varies(groups: tuple[str, ...], is_free: bool, is_pooled: bool) -> str:
    if not is_free:
        return "nothing"
    return ", ".join([*groups, "curve"]) if is_pooled else "each curve alone"


def _priors(fit: Fit) -> pd.DataFrame:
    run_arrays = run_arrays_of(fit.model, fit.runs)
    roles = coordinate_roles(fit.model, coordinates(fit.model))
    rows = []
    for name, role in roles.items():
        prior = population_prior(fit.model, name, role, run_arrays.level)
        row = {"parameter": name, "on its": role.name.lower(), "prior": _prior_told(prior)}
        rows.append({**row, **_quantiles(fit, name)})
    if is_pooled(fit.model, run_arrays.curves):
        for name, role in roles.items():
            prior = fit.model.priors.get(f"sd_{name}", role.spread)
            row = {"parameter": f"sd_{name}", "on its": "spread", "prior": _prior_told(prior)}
            rows.append(row)
    return pd.DataFrame(rows)


def _prior_told(prior: Prior) -> str:
    """A prior of ours with its numbers as people write them; another as it prints."""
    if not dataclasses.is_dataclass(prior):
        return str(prior)
    values = ", ".join(f"{name} {number(value)}" for name, value in vars(prior).items())
    return f"{type(prior).__name__}, {values}"


def _quantiles(fit: Fit, name: str) -> dict[str, float]:
    """Prior quantiles of a parameter, of the population where there is one."""
    prior = fit.tree["prior"].to_dataset()
    pooled = f"{name}_population"
    drawn = prior[pooled if pooled in prior else name].values
    low, middle, high = np.quantile(drawn, [0.05, 0.5, 0.95])
    return {"5%": low, "median": middle, "95%": high}
