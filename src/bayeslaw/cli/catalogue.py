"""`bayeslaw laws`, `data` and `demo`: what comes with the package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bayeslaw as bl
from bayeslaw._law.latex import plain_formula
from bayeslaw.cli.console import print_answer
from bayeslaw.cli.options import OutputOptions, Seed

__all__ = ["data", "demo", "laws"]


def demo(
    *,
    out: Path = Path("bayeslaw-demo"),
    seed: Seed = 1,
    output_options: OutputOptions = OutputOptions(),
) -> int:
    """Run a complete example on the embedded data: fit, forecast, score on held-out runs.

    Parameters
    ----------
    out
        Folder for the figures and the fits.
    seed
        Random seed; the same seed gives the same numbers.
    """
    from bayeslaw.cli import demonstration

    result = demonstration.run(out, seed, quiet=not output_options.shows_progress)
    if output_options.shows_progress:  # the results were printed on the way
        return print_answer({"converged": result["converged"]}, output_options.json)
    return print_answer(result if output_options.json else _sentences(result), output_options.json)


def laws(name: str | None = None, /, *, output_options: OutputOptions = OutputOptions()) -> int:
    """List the laws of the catalogue, or describe one of them.

    Parameters
    ----------
    name
        Name of a law; by default all are listed.
    """
    return print_answer(
        _all_laws() if name is None else _one_law(bl.laws.find(name)), output_options.json
    )


def data(name: str | None = None, /, *, output_options: OutputOptions = OutputOptions()) -> int:
    """List the embedded and public data sets, or describe one of them.

    Parameters
    ----------
    name
        Name of a data set; by default all are listed.
    """
    return print_answer(
        _all_data() if name is None else _one_dataset(name, output_options.json),
        output_options.json,
    )


def _sentences(result: Mapping[str, Any]) -> dict[str, Any]:
    """The sentences of the demonstration, without its tables."""
    acts = [act for act in result.values() if isinstance(act, Mapping)]
    lines = [line for act in acts for line in (*act["verdict"], *act["sentences"])]
    return {"converged": result["converged"], "sentences": [*lines, *result["sentences"]]}


def _all_laws() -> dict[str, Any]:
    import pandas as pd

    catalogue = {name: bl.laws.find(name) for name in bl.laws.names()}
    rows = [
        {
            "law": name,
            "formula": plain_formula(law.latex or ""),
            "predictors": list(law.predictors),
            "parameters": {parameter: role.name for parameter, role in law.parameters.items()},
            "about": law.doc.partition("\n")[0].replace("``", ""),
        }
        for name, law in catalogue.items()
    ]
    return {"laws": pd.DataFrame(rows)}


def _one_law(law: bl.Law) -> dict[str, Any]:
    import pandas as pd

    directions = {-1: "falls", 0: "either", 1: "rises"}
    predictors = [
        {"predictor": name, "response": directions[law.direction.get(name, -1)], "unit": unit}
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
            "rows": info.rows,
            "runs": info.runs,
            "predictors": list(info.predictors),
            "groups": list(info.groups),
            "licence": info.licence,
            "title": info.title,
        }
        for name in [*bl.datasets.names(), *public]
        for info in [bl.datasets.info(name)]
    ]
    return {"data": pd.DataFrame(rows)}


def _one_dataset(name: str, as_json: bool) -> dict[str, Any]:
    import pandas as pd

    info = bl.datasets.info(name)
    uses = {info.response: "response", info.stderr: "standard error", "held_out": "held out"}
    uses |= {column: f"predictor {predictor}" for predictor, column in info.predictors.items()}
    uses |= dict.fromkeys(info.groups, "group")
    columns = [
        {"column": column, "use": uses.get(column, ""), "meaning": meaning}
        for column, meaning in info.columns.items()
    ]
    return {
        "data": name,
        "title": info.title,
        "rows": info.rows,
        "runs": info.runs,
        "licence": info.licence,
        "notes": list(info.notes),
        "columns": pd.DataFrame(columns),
        "provenance": info.provenance if as_json else _sources(info.provenance),
    }


def _sources(provenance: Mapping[str, Any]) -> list[str]:
    """Sources of a data set in lines; JSON has more, such as hashes and versions."""
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
