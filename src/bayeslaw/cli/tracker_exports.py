"""The command that makes a table of what experiment trackers export."""

from __future__ import annotations

from pathlib import Path

import bayeslaw as bl
from bayeslaw.cli.console import answer
from bayeslaw.cli.options import Say

__all__ = ["gather"]


def gather(
    files: list[Path],
    *,
    about: Path | None = None,
    name: str = "Name",
    response: str = "loss",
    metric: str | None = None,
    last: bool = False,
    out: Path = Path("runs.csv"),
    say: Say = Say(),
) -> int:
    """Make a table of runs from training curves that W&B or TensorBoard exported.

    Parameters
    ----------
    files
        CSV files of W&B charts, or CSV or JSON files of TensorBoard's scalars.
    about
        Table of what is known of each run, such as the CSV export of W&B's table of runs.
    name
        Column of the runs' names, in --about and in the table.
    response
        What the column of the values is to be called.
    metric
        Which metric of a W&B chart to read; may be left out if there is one.
    last
        Keep only the last value of each run.
    out
        File for the table, CSV.
    """
    if not out.resolve().parent.is_dir():
        raise ValueError(f"--out {out}: there is no folder {out.parent}")
    found = bl.read_exports(
        files, about=about, name=name, response=response, metric=metric, last=last
    )
    found.to_csv(out, index=False)
    told = {"runs": found[name].nunique(), "rows": len(found), "columns": ", ".join(found)}
    return answer({**told, "table": str(out)}, say.json)
