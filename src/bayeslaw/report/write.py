"""From a fit to a file."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr

from bayeslaw.fitting.fit import Fit
from bayeslaw.report.assemble import Asked, assemble

__all__ = ["write_report"]

NEEDED = ("jinja2", "latex2mathml", "plotly")


def write_report(
    fit: Fit,
    *,
    path: str | os.PathLike[str] = "report.html",
    later: xr.Dataset | None = None,
    at: xr.Dataset | None = None,
    others: Mapping[str, Fit] | None = None,
    budget: Sequence[float] | None = None,
    question: str | None = None,
    checklist: Mapping[str, str] | None = None,
    draw_new: Sequence[str] = (),
    random_seed: int = 0,
) -> Path:
    """Write all that a fit tells into one HTML file, which needs neither Python nor a network.

    The question and the answer, the data and what is wrong with them, model and priors,
    diagnostics, parameters, an interactive forecast, comparison, plan, the checklist that a
    survey of scaling laws asks of a paper (Li et al. 2025, arXiv:2502.18969), and provenance.

    Parameters
    ----------
    fit : Fit
        The fit.
    path : path
        The file; one that is there is replaced.
    later : xarray.Dataset, optional
        Held-out runs, which judge the forecast.
    at : xarray.Dataset, optional
        What to forecast, as `bayeslaw.grid` gives; for all curves of the fit if it names no
        group. By default every curve at one, three and ten times its largest fitted size.
    others : mapping of str to Fit, optional
        Fits of rival laws to the same runs, by name.
    budget : sequence of float, optional
        FLOPs to plan for. By default the largest of the runs, ten and a hundred times it, where
        the law is one of N and D.
    question : str, optional
        What the study asks; the title.
    checklist : mapping of str to str, optional
        Answers to what the fit cannot know, such as ``{"training data": "C4, one epoch"}``; they
        take the place of answers that it gives.
    draw_new : sequence of str
        Groups whose levels that the fit has not seen are drawn from the population.
    random_seed : int
        Seed of the forecast; the same seed gives the same file.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    ImportError
        If a package is missing that reports need.
    FileNotFoundError
        If there is no such folder.
    ValueError
        If `at` or `later` do not fit the fit, rivals are of other runs, there is no plan for a
        `budget`, or `checklist` answers what is not asked.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> where = bl.grid(N=[1e9, 1e10], task="c4", dataset="web")
    >>> bl.write_report(fit, path="report.html", at=where, later=later)  # doctest: +SKIP
    PosixPath('report.html')
    """
    _require_packages()
    path = Path(path)
    if not path.resolve().parent.is_dir():
        raise FileNotFoundError(f"cannot write {str(path)!r}: there is no folder {path.parent}")
    from bayeslaw.report.page import page

    asked = Asked(later, at, others or {}, budget, question, checklist or {}, draw_new, random_seed)
    path.write_text(page(assemble(fit, asked)), encoding="utf-8")
    return path


def _require_packages() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"a report needs {' and '.join(missing)}, not installed here: "
            'pip install "bayeslaw[report]"'
        )
