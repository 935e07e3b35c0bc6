"""Pages that are made from the package itself: reference, laws, data, command line, tutorials."""

from __future__ import annotations

import inspect
import operator
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import jupytext
import nbformat
import pandas as pd

import bayeslaw as bl
from bayeslaw._law.roles import Role
from bayeslaw.cli import app

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks.extrapolation.published import published  # noqa: E402

__all__ = ["GROUPS", "api", "command_line", "data", "extrapolation", "laws", "roles", "tutorial"]
__all__ += ["write"]

NOTEBOOKS, RESULTS = ROOT / "notebooks", ROOT / "benchmarks" / "results"

# Public names by what they are for, each once: of the package, or of a file of it, such as
# `bayeslaw.weights`.
GROUPS: Mapping[str, tuple[str, str]] = {
    "Runs": (
        "From a table to a labelled data set, its splits, and grids to forecast on.",
        "read_runs read_exports check_runs split_at split_held_out grid datasets"
        " errors.RunsError errors.RunsWarning errors.FetchError",
    ),
    "Laws": (
        "The mean response as a function of sizes: the catalogue, and your own.",
        "laws law Law check_law diagnostics.check_law.LawReport maximum minimum rescale",
    ),
    "Roles of a law's parameters": (
        "Annotations in the signature of a law; see the :ref:`table of roles <roles>`.",
        "Floor Amplitude Exponent Scale Shape Fraction Rate Reference Real NoiseScale",
    ),
    "Models": (
        "What is fitted: a law, what is pooled, how runs scatter, what the law gets wrong.",
        "Model Gaussian StudentT Undertuned Noise Brownian build"
        " response_scales.LogScale response_scales.RawScale response_scales.LogitScale"
        " response_scales.ResponseScale",
    ),
    "Priors": (
        "Records that say what is believed before the runs are seen.",
        "Normal LogNormal LogitNormal HalfNormal Fixed priors.LinkNormal priors.Prior"
        " Population population save_population load_population",
    ),
    "Fitting": (
        "From a model and runs to draws of the posterior, or to a point.",
        "fit Sampler refit Fit least_squares save load errors.Interrupted errors.StoreError",
    ),
    "Judging a fit": (
        "Did it converge, what was found, what did the data decide.",
        "diagnose diagnostics.diagnose.Diagnosis summary region_probabilities",
    ),
    "Forecasts": (
        "Draws of the curve and of a new run, their bands, and how right they were.",
        "forecast two_stage_forecast interval observation_noise score score_table",
    ),
    "Comparison": (
        "Which law to believe where it extrapolates; averages of laws; two systems.",
        "compare backtest backtest_table leave_one_curve_out leave_one_out_exactly"
        " stack forecasting.stack.Stack stack_forecasts"
        " weights.log_scores weights.equal_weights weights.stacking_weights"
        " weights.hierarchical_weights weights.pseudo_bma_weights"
        " marginal_likelihood fitting.marginal_likelihood.MarginalLikelihood"
        " multiverse comparison.multiverse.Multiverse forecast_drivers contrast contrast_table"
        " crossing_table",
    ),
    "Decisions": (
        "What to train with a budget, what a target costs, what more of a size buys.",
        "plan requirement marginal_gain saturation training_flops",
    ),
    "Figures": (
        "One function per figure; they take results and return a matplotlib figure.",
        "plot_forecast plot_prior plot_residuals residuals plot_effects plot_population"
        " plot_comparison plot_skill plot_multiverse plot_calibration plot_contours",
    ),
    "Reports": (
        "A fit in one file for those who have no Python.",
        "write_report",
    ),
}


def write(folder: Path, executed: Path) -> None:
    """Write all pages that are made.

    Parameters
    ----------
    folder : Path
        The sources of the site.
    executed : Path
        Where executed notebooks are, if there are any.
    """
    reference, tutorials = folder / "reference", folder / "tutorials"
    _keep(reference / "api.rst", api())
    _keep(reference / "laws.rst", laws())
    _keep(reference / "data.md", data())
    _keep(reference / "command_line.md", command_line())
    _keep(folder / "_made" / "extrapolation.md", extrapolation())
    for script in sorted(NOTEBOOKS.glob("*.py")):
        _keep(tutorials / f"{script.stem}.ipynb", tutorial(script, executed))


def api() -> str:
    """Every public name, by what it is for."""
    grouped = {name for _, names in GROUPS.values() for name in names.split()}
    rest = [name for name in public_names() if name not in grouped]
    more = {"Further names": ("Public, and in none of the groups.", " ".join(rest))} if rest else {}
    groups = [_group(title, *group) for title, group in {**GROUPS, **more}.items()]
    return "\n".join([_head("Public names", "="), API, *groups])


def public_names() -> list[str]:
    """Names of the package, and those of its files that stand one level down."""
    files = ("errors", "weights", "priors", "response_scales")
    below = [f"{file}.{name}" for file in files for name in getattr(bl, file).__all__]
    own = [name for name in bl.__all__ if name not in files]
    last = {name: name.rpartition(".")[2] for name in below}
    return own + [name for name in below if last[name] not in own and not last[name].isupper()]


API = """
Import the package as ``import bayeslaw as bl``; every name below is then ``bl.name``. Names are
imported when they are first used, so the import itself costs nothing. Every page gives the shapes
and units of what goes in and comes out, the errors, an example, and a link to the source.

Examples that need a fit are shown without output; ``fit`` stands for what `bayeslaw.fit` returned.
"""


def _group(title: str, sentence: str, listed: str) -> str:
    names = listed.split()
    every = [name for name in names if _role_of(name) is None and not _is_module(name)]
    lines = [_head(title, "-"), sentence, ""]
    if every:
        lines += [".. autosummary::", "   :toctree: names", "   :nosignatures:", ""]
        lines += [f"   bayeslaw.{name}" for name in every]
    lines += ["", *(_line(name) for name in names if name not in every)]
    return "\n".join([*lines, ""])


def _line(name: str) -> str:
    """A name that has no page of its own."""
    role = _role_of(name)
    if role is not None:
        return f"- ``bayeslaw.{name}``: {role.doc}"
    where = {"laws": "laws", "datasets": "data"}[name]
    return f"- :doc:`bayeslaw.{name} <{where}>`: {_first(getattr(bl, name))}"


def roles() -> str:
    """The table of roles, in reStructuredText."""
    rows = [
        (f"``{name}``", role.doc, role.link.name, f"``{role.prior}``", f"``{role.spread}``")
        for name in bl.__all__
        if (role := _role_of(name))
    ]
    return _table(("role", "what it is", "pooled on the", "default prior", "default spread"), rows)


def laws() -> str:
    """The catalogue of laws, by the module that holds them."""
    catalogue = [bl.laws.find(name) for name in bl.laws.names()]
    parts = [_head("Laws", "="), LAWS, ".. _roles:\n", _head("Roles", "-"), ROLES, roles()]
    for name, (title, sentence) in FAMILIES.items():
        own = [law for law in catalogue if law.function.__module__ == f"bayeslaw.laws.{name}"]
        parts += [_head(title, "-"), sentence, "", *map(_law, own)]
    verbs = [name for name in bl.laws.__all__ if inspect.isfunction(_unwrapped(name))]
    parts += [_head("Functions", "-"), *(f".. autofunction:: {name}" for name in verbs), ""]
    return "\n".join(parts)


def _unwrapped(name: str) -> object:
    return inspect.unwrap(getattr(bl.laws, name))


LAWS = """
.. py:currentmodule:: bayeslaw.laws

Each law is one plain function, ``bl.laws.<name>``. Sizes before the ``*`` of its signature are
predictors, the rest are parameters. A law in one predictor is written in ``N``;
``bl.laws.power.of("D")`` is the same law in ``D``. ``bl.laws.broken(breaks)`` has any number of
breaks. `bayeslaw.law` makes a law of your own.

Published values are those of the sources named; ``benchmarks/published.py`` refits what it can.
On the command line, ``bayeslaw laws`` lists the laws and ``bayeslaw laws power`` tells about one.
"""
ROLES = """
The role of a parameter gives its support, the scale on which curves are pooled, and its default
priors: of the value for the population, and of the spread between curves and groups on that scale.
Priors hold at the reference size of the runs: that of a ``Scale`` is in multiples of it, so its
default sits where the reference is, in the middle of the runs unless you give one. Those of
``Floor``, ``Amplitude`` and ``Rate`` are in units of the median response of the runs. In a sum of
terms, such as `power` or `chinchilla`, the default of floors and amplitudes is instead that of the
level and of the terms' shares in it: see :doc:`/explanation/model`. A prior that you give replaces
either, in your units of the response.
"""
FAMILIES = {
    "single_predictor": (
        "In one size",
        "Parameters, tokens, samples or compute: whichever was varied.",
    ),
    "curvature": ("Power law or log-linear", "One law that holds both, to tell them apart."),
    "joint": ("In several sizes", "Parameters and tokens, repeats, bits, experts."),
    "training": ("Training", "Steps, batches and learning rates."),
    "downstream": ("Downstream", "Accuracy, other losses, samples, time."),
}


def _law(law: bl.Law) -> str:
    rows = [
        (f"``{name}``", role.name, role.doc, f"``{role.prior}``")
        for name, role in law.parameters.items()
    ]
    predictors = ", ".join(f"``{name}``" for name in law.predictors)
    body = [
        f".. py:data:: {law.name}\n",
        *_inside(f".. math:: {law.latex}\n" if law.latex else ""),
        *_inside(law.doc + "\n"),
        *_inside(f"Predictors: {predictors}.{_ways(law)}\n"),
        *_inside(_table(("parameter", "role", "what it is", "default prior"), rows)),
    ]
    return "\n".join(body)


def _ways(law: bl.Law) -> str:
    up = [name for name, sign in law.direction.items() if sign == 1]
    free = [name for name, sign in law.direction.items() if sign == 0]
    sentence = f" The response rises with {' and '.join(up)}." if up else ""
    return sentence + (f" It may rise or fall with {' and '.join(free)}." if free else "")


def data() -> str:
    """The data sets, of the package and public ones."""
    names = {"package": bl.datasets.names(), "public": bl.datasets.names(public=True)}
    parts = [DATA]
    for kind, title in (("package", "In the package"), ("public", "Public")):
        rows = [_dataset(name) for name in names[kind]]
        parts += [f"## {title}\n", _pipes(("name", "runs", "sizes", "groups", "what"), rows), ""]
    verbs = "\n".join(f".. autofunction:: {name}" for name in ("names", "info", "load", "table"))
    verbs += "\n.. autofunction:: fetch\n.. autoclass:: DatasetInfo"
    return "\n".join(
        [*parts, "## Functions\n", _rst(f".. currentmodule:: bayeslaw.datasets\n\n{verbs}")]
    )


DATA = """# Data

`bl.datasets.load(name)` gives runs, `bl.datasets.table(name)` the whole table and
`bl.datasets.info(name)` what is known about it: columns, licence, provenance, and notes on what was
dropped. Those of the package are measured by this project (`benchmarks/learners.py`,
`benchmarks/tiny_lm`). The public ones are not ours to ship: `bl.datasets.fetch(name)` downloads
those that are published as one file and checks their hash (`pip install "bayeslaw[data]"`), and
others are read from the folder that the environment variable `BAYESLAW_DATA` names.
"""


def _dataset(name: str) -> tuple[str, ...]:
    about = bl.datasets.info(name)
    return (
        f"`{name}`",
        f"{about.runs:,}",
        ", ".join(about.predictors),
        ", ".join(about.groups),
        about.title,
    )


def command_line() -> str:
    """What every command says of itself."""
    text = app.generate_docs(output_format="markdown", include_hidden=False)
    _, _, commands = text.partition("## bayeslaw demo")
    return f"{COMMANDS}\n## bayeslaw demo{commands}"


COMMANDS = """# Command line

Every command takes `--help`. Exit codes: 0 good, 1 a fit failed its gate, 2 wrong input, 130
interrupted. How to use it: {doc}`/how_to/command_line`.
"""


def tutorial(script: Path, executed: Path) -> str:
    """A notebook with what its cells print, or without where it was not executed."""
    ready = executed / f"{script.stem}.ipynb"
    if ready.is_file():
        return ready.read_text(encoding="utf-8")
    notebook = jupytext.read(script)
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(UNREAD.format(script.name)))
    return nbformat.writes(notebook)


UNREAD = """:::{{note}}
This copy of the site was built without running the code, so results are missing here. Run
`notebooks/{}` to see them.
:::"""


OURS = "bayeslaw"
BROAD = {"IC": "IC (72)", "LM": "LM (5)", "NMT": "NMT (5)", "BB": "BB (10)", "all 92": "all 92"}
OTHER = {
    "DD": "DD (16)", "Nano": "Nano (24)", "NLP+Nano": "NLP+Nano (44)", "ColPret": "ColPret (192)",
    "LCDB": "LCDB (60)", "Datablations": "Datablations (40)",
}  # fmt: skip


def extrapolation() -> str:
    """Tables of the extrapolation benchmark: a row per method, a column per domain."""
    measured = pd.read_csv(RESULTS / "extrapolation" / "summary.csv")
    others = published()
    scores = pd.concat(
        [measured, others.assign(configuration=others["configuration"] + ", published")]
    )
    both = (("RMSLE x100", "rmsle", 100), ("Log density", "log_density", 1))
    return "\n".join(
        f"**{title}**\n\n{_scores(scores, domains, *what)}\n"
        for title, *what in both
        for domains in (BROAD, OTHER)
    )


def _scores(scores: pd.DataFrame, domains: Mapping[str, str], column: str, factor: float) -> str:
    order = list(dict.fromkeys([OURS, *scores["configuration"]]))
    names = [column, f"{column}_se"]
    wide = scores.pivot(index="configuration", columns="domain", values=names) * factor
    values, errors = (wide[name].reindex(order)[list(domains)] for name in names)
    methods = values.dropna(how="all").index
    rows = [(name, *_cells(values.loc[name], errors.loc[name])) for name in methods]
    return _pipes(("method", *domains.values()), rows)


def _cells(values: pd.Series, errors: pd.Series) -> list[str]:
    means = [f"{value:.3g}" if pd.notna(value) else "" for value in values]
    standard_errors = [f" ({error:.2g})" if pd.notna(error) else "" for error in errors]
    return [
        first + second if first else ""
        for first, second in zip(means, standard_errors, strict=True)
    ]


def _keep(path: Path, text: str) -> None:
    """Write a file unless it is there already, so that Sphinx reads only what has changed."""
    path.parent.mkdir(exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _head(title: str, mark: str) -> str:
    return f"{title}\n{mark * len(title)}\n"


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (columns, *rows):
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(row)]
    return "\n".join([*lines, ""])


def _pipes(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    every = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in every)


def _rst(text: str) -> str:
    return f"```{{eval-rst}}\n{text}\n```\n"


def _inside(text: str) -> Iterator[str]:
    """The lines of the body of a directive."""
    yield from textwrap.indent(text, "   ").split("\n")


def _role_of(name: str) -> Role | None:
    marks: Any = getattr(operator.attrgetter(name)(bl), "__metadata__", ())
    return next((mark for mark in marks if isinstance(mark, Role)), None)


def _is_module(name: str) -> bool:
    return isinstance(operator.attrgetter(name)(bl), ModuleType)


def _first(item: object) -> str:
    return (inspect.getdoc(item) or "").partition("\n")[0]
