"""Commands about what comes with the package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bayeslaw as bl
from bayeslaw._law.latex import plain_formula
from bayeslaw.cli.console import answer
from bayeslaw.cli.options import Say

__all__ = ["data", "demo", "laws"]


def demo(*, out: Path = Path("bayeslaw-demo"), seed: int = 1, say: Say = Say()) -> int:
    """Do the whole job on the embedded data: fit, forecast, judge by runs that were held out.

    Parameters
    ----------
    out
        Folder for the figures and the fits.
    seed
        Seed; the same seed gives the same numbers.
    """
    from bayeslaw.cli import demonstration

    told = demonstration.run(out, seed, quiet=not say.talks)
    if say.talks:  # all was told on the way
        return answer({"converged": told["converged"]}, say.json)
    return answer(told if say.json else _verdicts(told), say.json)


def laws(name: str | None = None, /, *, say: Say = Say()) -> int:
    """List the laws of the catalogue, or tell all about one of them.

    Parameters
    ----------
    name
        Name of a law; all of them unless given.
    """
    return answer(_all_laws() if name is None else _one_law(bl.laws.find(name)), say.json)


def data(name: str | None = None, /, *, say: Say = Say()) -> int:
    """List the data sets, of the package and public ones, or tell all about one of them.

    Parameters
    ----------
    name
        Name of a data set; all of them unless given.
    """
    return answer(_all_data() if name is None else _one_dataset(name, say.json), say.json)


def _verdicts(told: Mapping[str, Any]) -> dict[str, Any]:
    """The sentences of the demonstration, without its tables."""
    acts = [act for act in told.values() if isinstance(act, Mapping)]
    lines = [line for act in acts for line in (*act["verdict"], *act["sentences"])]
    return {"converged": told["converged"], "sentences": [*lines, *told["sentences"]]}


def _all_laws() -> dict[str, Any]:
    import pandas as pd

    found = {name: bl.laws.find(name) for name in bl.laws.names()}
    rows = [
        {
            "law": name,
            "formula": plain_formula(law.latex or ""),
            "predictors": list(law.predictors),
            "parameters": {each: role.name for each, role in law.parameters.items()},
            "about": law.doc.partition("\n")[0].replace("``", ""),
        }
        for name, law in found.items()
    ]
    return {"laws": pd.DataFrame(rows)}


def _one_law(law: bl.Law) -> dict[str, Any]:
    import pandas as pd

    ways = {-1: "falls", 0: "either", 1: "rises"}
    predictors = [
        {"predictor": name, "response": ways[law.direction.get(name, -1)], "unit": unit}
        for name in law.predictors
        for unit in ["none" if name in law.unitless else "any"]
    ]
    parameters = [
        {
            "parameter": name,
            "role": role.name,
            "prior": str(role.prior),
            "spread": str(role.spread),
            "meaning": role.doc,
        }
        for name, role in law.parameters.items()
    ]
    return {
        "law": law.name,
        "formula": plain_formula(law.latex or ""),
        "latex": law.latex,
        "about": law.doc.splitlines(),
        "predictors": pd.DataFrame(predictors),
        "parameters": pd.DataFrame(parameters),
    }


def _all_data() -> dict[str, Any]:
    import pandas as pd

    public = bl.datasets.names(public=True)
    rows = [
        {
            "data": name,
            "from": "public" if name in public else "package",
            "rows": about.rows,
            "runs": about.runs,
            "predictors": list(about.predictors),
            "groups": list(about.groups),
            "licence": about.licence,
            "title": about.title,
        }
        for name in [*bl.datasets.names(), *public]
        for about in [bl.datasets.info(name)]
    ]
    return {"data": pd.DataFrame(rows)}


def _one_dataset(name: str, as_json: bool) -> dict[str, Any]:
    import pandas as pd

    about = bl.datasets.info(name)
    uses = {about.response: "response", about.stderr: "standard error", "held_out": "held out"}
    uses |= {column: f"predictor {each}" for each, column in about.predictors.items()}
    uses |= dict.fromkeys(about.groups, "group")
    columns = [
        {"column": column, "use": uses.get(column, ""), "meaning": meaning}
        for column, meaning in about.columns.items()
    ]
    return {
        "data": name,
        "title": about.title,
        "rows": about.rows,
        "runs": about.runs,
        "licence": about.licence,
        "notes": list(about.notes),
        "columns": pd.DataFrame(columns),
        "provenance": about.provenance if as_json else _sources(about.provenance),
    }


def _sources(provenance: Mapping[str, Any]) -> list[str]:
    """Where data are from, in lines; JSON has more, such as hashes and versions."""
    if "script" in provenance:
        return ["\nMeasured by {script}, {date}, on {machine}.".format_map(provenance)]
    files = {name: provenance["files"][name] for name in provenance["read_from"]}
    return [
        "",
        *provenance["citation"],
        *(
            f"{name}: {'' if file['unchanged'] else 'made from '}{file['path']} of "
            f"https://github.com/{file['repository']} at {file['commit'][:10]}"
            for name, file in files.items()
        ),
    ]
