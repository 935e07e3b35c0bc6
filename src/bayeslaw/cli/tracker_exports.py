"""`bayeslaw gather`: make a table of runs from exports of experiment trackers."""

from __future__ import annotations

from pathlib import Path

import bayeslaw as bl
from bayeslaw.cli.console import print_answer
from bayeslaw.cli.options import OutputOptions
from bayeslaw.cli.output_files import OutputFile

__all__ = ["gather"]


def gather(
    files: list[Path],
    *,
    about: Path | None = None,
    name: str = "Name",
    response: str = "loss",
    metric: str | None = None,
    last: bool = False,
    out: OutputFile = Path("runs.csv"),
    output_options: OutputOptions = OutputOptions(),
) -> int:
    """Make a table of runs from training curves that W&B or TensorBoard exported.

    Parameters
    ----------
    files
        CSV exports of W&B charts, or CSV or JSON exports of TensorBoard scalars.
    about
        Table with properties of each run, such as the CSV export of W&B's table of runs.
    name
        Column with the names of the runs, in --about and in the output.
    response
        Name for the column of the values.
    metric
        Metric of a W&B chart to read; may be omitted if there is only one.
    last
        Keep only the last value of each run.
    out
        CSV file to write the table to.
    """
    from bayeslaw._disk.files import write_file

    runs = bl.read_exports(
        files, about=about, name=name, response=response, metric=metric, last=last
    )
    write_file(out, runs.to_csv(index=False).encode())
    counts = {"runs": runs[name].nunique(), "rows": len(runs), "columns": ", ".join(runs)}
    return print_answer({**counts, "table": str(out)}, output_options.json)
