"""Write a report to an HTML file."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr

from bayeslaw._disk.files import require_writable, write_file
from bayeslaw.fitting.result import Fit, require_fit
from bayeslaw.report.assemble import ReportOptions, assemble

__all__ = ["write_report"]

REQUIRED = ("jinja2", "latex2mathml", "plotly")


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
    """Write a report on a fit as one HTML file that needs neither Python nor a network.

    It has a question and a short answer, the data and problems with them, model and priors,
    convergence diagnostics, parameters, an interactive forecast, a comparison, a plan, the
    checklist for papers from a survey of scaling laws (Li et al. 2025, arXiv:2502.18969), and
    provenance.

    Parameters
    ----------
    fit : Fit
        A fitted model.
    path : path
        The file; an existing file is replaced.
    later : xarray.Dataset, optional
        Held-out runs, at which the forecast is scored.
    at : xarray.Dataset, optional
        Points to forecast, as `bayeslaw.grid` gives them; for all curves of the fit if it has no
        groups. By default every curve at 1, 3.2 and 10 times its largest fitted size.
    others : mapping of str to Fit, optional
        Fits of other laws to the same runs, by name, to compare with.
    budget : sequence of float, optional
        Training budgets in FLOPs to plan for. By default 1, 10 and 100 times the largest of the
        runs, if the law is one of N and D.
    question : str, optional
        The question of the study; it becomes the title.
    checklist : mapping of str to str, optional
        Answers to the checklist by the name of its item, such as
        ``{"training data": "C4, one epoch"}``; they replace those taken from the fit.
    draw_new : sequence of str
        Groups whose unseen levels are drawn from the population.
    random_seed : int
        Seed of the forecast; the same seed gives the same file.

    Returns
    -------
    pathlib.Path
        The path of the file.

    Raises
    ------
    ImportError
        If a package that reports need is not installed.
    StoreError
        If the file cannot be written, before anything is computed.
    ValueError
        If `at` or `later` do not match the fit, if `others` were fitted to different runs, if there
        is no plan for `budget`, or if `checklist` has an unknown item.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> points = bl.grid(N=[1e9, 1e10], task="c4", dataset="web")
    >>> bl.write_report(fit, path="report.html", at=points, later=later)  # doctest: +SKIP
    PosixPath('report.html')
    """
    require_fit(fit)
    _require_packages()
    require_writable(path)
    from bayeslaw.report.page import render_page

    options = ReportOptions(
        later, at, others or {}, budget, question, checklist or {}, draw_new, random_seed
    )
    return write_file(path, render_page(assemble(fit, options)).encode())


def _require_packages() -> None:
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"a report needs {' and '.join(missing)}, not installed here: "
            'uv sync --extra report in a checkout, otherwise pip install "bayeslaw[report]"'
        )
