"""Data, model and prior sections of a report."""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.hierarchy import Grouping, groupings, is_pooled
from bayeslaw._law.latex import plain_formula
from bayeslaw._law.law import Law
from bayeslaw.data.checks import notes
from bayeslaw.data.curves import curves_in, warn_thin_groups
from bayeslaw.data.runs import group_names, predictor_names, reference_sizes
from bayeslaw.diagnostics.diagnose import describe_runs
from bayeslaw.errors import RunsWarning
from bayeslaw.fitting.result import Fit
from bayeslaw.plots.numbers import format_number
from bayeslaw.priors import Prior
from bayeslaw.report.blocks import (
    UNKNOWN,
    Block,
    Formula,
    Items,
    Paragraph,
    Section,
    Table,
)
from bayeslaw.report.describe import describe_discrepancy, describe_noise, describe_pooling

__all__ = ["data_section", "model_section", "priors_section"]


def data_section(fit: Fit, later: xr.Dataset | None) -> Section:
    """Number and sizes of the runs, and problems with them."""
    runs = fit.runs
    curves = curves_in(runs).sizes["curve"]
    held_out = f" {later.sizes['run']} further runs were held out." if later is not None else ""
    count = f"{runs.sizes['run']} runs on {curves} curve{'s' * (curves > 1)} are fitted.{held_out}"
    groups = [f"{name}: {', '.join(_levels(runs, name))}." for name in group_names(runs)]
    blocks = (
        Paragraph(count),
        Table("sizes", "Measured variables", pd.DataFrame(_variables(runs, later))),
        Items((*groups, *describe_runs(runs, fit.model.law.predictors), *_problems(fit))),
    )
    return Section("data", "Data", blocks)


def model_section(fit: Fit) -> Section:
    """Formula and parameters of the law; pooling, noise and discrepancy in words."""
    law, model = fit.model.law, fit.model
    left = rf"\mathrm{{{fit.runs.attrs['response']}}} = "
    formula: Block = Paragraph(f"Law {law.name} gives no formula; it is a user-defined function.")
    if law.latex:
        formula = Formula(left + law.latex, plain_formula(law.latex))
    by_parameter = groupings(model, curves_in(fit.runs))
    pooled = is_pooled(model, curves_in(fit.runs))
    rows = [
        {
            "parameter": name,
            "meaning": role.doc,
            "held": _fixed_value(fit, name),
            "varies over": _varies_over(by_parameter.get(name), pooled),
        }
        for name, role in model.roles.items()
    ]
    sentences = (
        describe_pooling(fit),
        describe_noise(model.noise),
        describe_discrepancy(model.discrepancy),
    )
    blocks = (
        formula,
        Paragraph(" ".join([_summary(law), *_describe_renaming(law)])),
        Table("roles", "Parameters of the model", pd.DataFrame(rows)),
        Items(sentences),
    )
    return Section("model", "Model", blocks)


def priors_section(fit: Fit) -> Section:
    """Priors, and their quantiles in the units of the data."""
    blocks = (
        Paragraph(
            "Priors are stated at the reference size: on the parameter itself, or on the share or "
            "level of the response that determines it. A Scale is in multiples of that size. The "
            "spread between curves and groups is on the unconstrained scale. Quantiles are those "
            "of the parameter in the units of the data."
        ),
        Table("priors-table", "Priors of the free parameters", _prior_table(fit)),
    )
    return Section("priors", "Priors", blocks)


def _summary(law: Law) -> str:
    return " ".join(law.doc.partition("\n\n")[0].replace("``", "").split())


def _describe_renaming(law: Law) -> list[str]:
    """Which predictors of the runs replace those in the law's formula."""
    original = list(inspect.signature(law.function).parameters)[: len(law.predictors)]
    pairs = zip(original, law.predictors, strict=True)
    return [f"Its {old} is here {new}." for old, new in pairs if old != new]


def _levels(runs: xr.Dataset, group: str) -> list[str]:
    levels = list(dict.fromkeys(runs[group].values.tolist()))
    more = [f"and {len(levels) - 12} more"] if len(levels) > 12 else []
    return [*levels[:12], *more]


def _variables(runs: xr.Dataset, later: xr.Dataset | None) -> list[dict[str, object]]:
    """One row for the response and each predictor."""
    reference, rows = reference_sizes(runs), []
    for name in (runs.attrs["response"], *predictor_names(runs)):
        values, attrs = runs[name].values, runs[name].attrs
        row: dict[str, object] = {"variable": name, "column": attrs.get("column", name)}
        row |= {"unit": attrs.get("units", UNKNOWN)}
        row |= {"smallest": values.min(), "largest": values.max()}
        row |= {"distinct": np.unique(values).size, "reference": reference.get(name, np.nan)}
        if later is not None:
            row["largest held out"] = later[name].values.max()
        rows.append(row)
    return rows


def _problems(fit: Fit) -> list[str]:
    """Copies, thin curves and single levels among the runs, or that there are none."""
    runs, groups = fit.runs, group_names(fit.runs)
    names = [runs.attrs["response"], *predictor_names(runs), *groups]
    copies = int(pd.DataFrame({n: runs[n].values for n in names}).duplicated().sum())
    single = [n for n in groups if np.unique(runs[n].values).size == 1]
    reported = notes(runs)  # when the runs were read
    problems = [
        *reported,
        *_warnings_of(lambda: warn_thin_groups(runs, groups, len(fit.model.law.parameters))),
        *(
            f"Group {name} has one level and pools nothing."
            for name in single
            if not any(note.startswith(f"Group {name!r} has one level") for note in reported)
        ),
    ]
    if copies and not any("exact copies of earlier ones: kept" in note for note in reported):
        problems.append(
            f"{copies} runs are exact copies of others; they are counted as independent evidence."
        )
    return problems or ["No exact copies, no curve with fewer sizes than the law has parameters."]


def _warnings_of(call: Callable[[], None]) -> list[str]:
    """Warnings that a check emits, as sentences."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RunsWarning)
        call()
    return [f"{warning.message}." for warning in caught]


def _fixed_value(fit: Fit, name: str) -> str:
    if name in fit.model.tie:
        return f"= {fit.model.tie[name]}"
    return f"{fit.model.fixed[name]:g}" if name in fit.model.fixed else "free"


def _varies_over(grouping: Grouping | None, pooled: bool) -> str:
    if grouping is None:  # fixed or tied
        return "nothing"
    return ", ".join([*grouping.groups, "curve"]) if pooled else "each curve alone"


def _prior_table(fit: Fit) -> pd.DataFrame:
    bound, rows = bind(fit.model, fit.runs), []
    for name, role in bound.roles.items():
        prior = bound.priors[name]
        row = {"parameter": name, "on its": role.name.lower(), "prior": _describe_prior(prior)}
        rows.append({**row, **_quantiles(fit, name)})
    if bound.hierarchy is not None:
        for name, prior in zip(bound.roles, bound.spread_priors, strict=False):  # between curves
            row = {"parameter": f"sd_{name}", "on its": "spread", "prior": _describe_prior(prior)}
            rows.append(row)
    return pd.DataFrame(rows)


def _describe_prior(prior: Prior) -> str:
    """A prior of this package with its parameters; any other as its string."""
    if not dataclasses.is_dataclass(prior):
        return str(prior)
    values = ", ".join(f"{name} {format_number(value)}" for name, value in vars(prior).items())
    return f"{type(prior).__name__}, {values}"


def _quantiles(fit: Fit, name: str) -> dict[str, float]:
    """Prior quantiles of a parameter, or of its population value if it is pooled."""
    prior = fit.tree["prior"].to_dataset()
    population = f"{name}_population"
    draws = prior[population if population in prior else name].values
    lower, median, upper = np.quantile(draws, [0.05, 0.5, 0.95])
    return {"5%": lower, "median": median, "95%": upper}
