"""Pages generated from the package: reference, laws, data, command line, tutorials."""

from __future__ import annotations

import inspect
import operator
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import jupytext
import nbformat

import bayeslaw as bl
from bayeslaw._law.roles import Role
from bayeslaw.cli import app

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from extrapolation_tables import extrapolation  # noqa: E402
from markup import heading, indented, markdown_table, rst_block, rst_table  # noqa: E402

__all__ = ["GROUPS", "api", "command_line", "data", "extrapolation", "laws", "roles", "tutorial"]
__all__ += ["write"]

NOTEBOOKS = HERE.parent / "notebooks"

# Public names by purpose, each once: of the package, or of a file of it, such as
# `bayeslaw.weights`.
GROUPS: Mapping[str, tuple[str, str]] = {
    "Runs": (
        "From a table to a labelled data set, its splits, and forecast grids.",
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
        "A law, its pooling, its noise and its discrepancy.",
        "Model Gaussian StudentT Undertuned Noise Brownian build"
        " response_scales.LogScale response_scales.RawScale response_scales.LogitScale"
        " response_scales.ResponseScale",
    ),
    "Priors": (
        "Prior distributions, and populations learned from other curves.",
        "Normal LogNormal LogitNormal HalfNormal Fixed priors.LinkNormal priors.Prior"
        " Population population save_population load_population",
    ),
    "Fitting": (
        "From a model and runs to posterior draws, or to a point estimate.",
        "fit Sampler extend refit Fit least_squares save load errors.Interrupted errors.StoreError",
    ),
    "Judging a fit": (
        "Convergence, parameters, and which of them the data determine.",
        "diagnose diagnostics.diagnose.Diagnosis summary region_probabilities",
    ),
    "Forecasts": (
        "Draws of the curve and of a new run, their bands, and their scores.",
        "forecast forecast_bands two_stage_forecast interval observation_noise score score_table",
    ),
    "Comparison": (
        "Scores of laws where they extrapolate; stacking; contrasts of two systems.",
        "compare backtest backtest_table leave_one_curve_out leave_one_out_exactly"
        " stack forecasting.stack.Stack stack_forecasts"
        " weights.log_scores weights.equal_weights weights.stacking_weights"
        " weights.hierarchical_weights weights.pseudo_bma_weights"
        " marginal_likelihood fitting.marginal_likelihood.MarginalLikelihood"
        " multiverse comparison.multiverse.Multiverse forecast_drivers contrast contrast_table"
        " crossing_table",
    ),
    "Decisions": (
        "Compute-optimal plans, requirements for a target, marginal gains.",
        "plan requirement marginal_gain saturation training_flops",
    ),
    "Figures": (
        "One function per figure; they take results and return a matplotlib figure.",
        " ".join(["residuals", *(name for name in bl.__all__ if name.startswith("plot_"))]),
    ),
    "Reports": (
        "A fit as one HTML file for readers without Python.",
        "write_report",
    ),
}


def write(folder: Path, executed: Path) -> None:
    """Write all generated pages.

    Parameters
    ----------
    folder : Path
        The sources of the site.
    executed : Path
        Folder of executed notebooks, if there are any.
    """
    reference, tutorials = folder / "reference", folder / "tutorials"
    _write_if_changed(reference / "api.rst", api())
    _write_if_changed(reference / "laws.rst", laws())
    _write_if_changed(reference / "data.md", data())
    _write_if_changed(reference / "command_line.md", command_line())
    _write_if_changed(folder / "_made" / "extrapolation.md", extrapolation())
    for script in sorted(NOTEBOOKS.glob("*.py")):
        _write_if_changed(tutorials / f"{script.stem}.ipynb", tutorial(script, executed))


def api() -> str:
    """The reference page: every public name, by purpose."""
    grouped = {name for _, names in GROUPS.values() for name in names.split()}
    rest = [name for name in public_names() if name not in grouped]
    more = {"Further names": ("Public, and in none of the groups.", " ".join(rest))} if rest else {}
    groups = [_group(title, *group) for title, group in {**GROUPS, **more}.items()]
    return "\n".join([heading("Public names", "="), API, *groups])


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
and units of arguments and results, the errors, an example, and a link to the source.

Examples that need a fit are shown without output; ``fit`` is a result of `bayeslaw.fit`.
"""


def _group(title: str, sentence: str, listed: str) -> str:
    names = listed.split()
    every = [name for name in names if _role_of(name) is None and not _is_module(name)]
    lines = [heading(title, "-"), sentence, ""]
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
    return rst_table(
        ("role", "what it is", "pooled on the", "default prior", "default spread"), rows
    )


def laws() -> str:
    """The catalogue of laws, by the module that holds them."""
    catalogue = [bl.laws.find(name) for name in bl.laws.names()]
    parts = [heading("Laws", "="), LAWS, ".. _roles:\n", heading("Roles", "-"), ROLES, roles()]
    for name, (title, sentence) in FAMILIES.items():
        own = [law for law in catalogue if law.function.__module__ == f"bayeslaw.laws.{name}"]
        parts += [heading(title, "-"), sentence, "", *map(_law, own)]
    verbs = [name for name in bl.laws.__all__ if inspect.isfunction(_unwrapped(name))]
    parts += [heading("Functions", "-"), *(f".. autofunction:: {name}" for name in verbs), ""]
    return "\n".join(parts)


def _unwrapped(name: str) -> object:
    return inspect.unwrap(getattr(bl.laws, name))


LAWS = """
.. py:currentmodule:: bayeslaw.laws

Each law is one plain function, ``bl.laws.<name>``. Sizes before the ``*`` of its signature are
predictors, the rest are parameters. A law in one predictor is written in ``N``;
``bl.laws.power.of("D")`` is the same law in ``D``. ``bl.laws.broken(breaks)`` has any number of
breaks. `bayeslaw.law` makes a law of your own.

Published values are those of the sources named; ``benchmarks/published.py`` checks laws against
published numbers, from the published points. On the command line, ``bayeslaw laws`` lists the laws
and ``bayeslaw laws power`` describes one.
"""
ROLES = """
The role of a parameter gives its support, the scale on which curves are pooled, and its default
priors: of the value for the population, and of the spread between curves and groups on that scale.
Priors hold at the reference size of the runs: that of a ``Scale`` is in multiples of it, so its
default is centred at the reference, in the middle of the runs unless you give one. Those of
``Floor``, ``Amplitude`` and ``Rate`` are in units of the median response of the runs. In a sum of
terms, such as `power` or `chinchilla`, floors and amplitudes have instead default priors on the
level and on the terms' shares of it: see :doc:`/explanation/model`. A prior that you give replaces
either, in your units of the response.
"""
FAMILIES = {
    "single_predictor": (
        "In one size",
        "Parameters, tokens, samples or compute.",
    ),
    "curvature": ("Power law or log-linear", "One law that contains both, to distinguish them."),
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
        *indented(f".. math:: {law.latex}\n" if law.latex else ""),
        *indented(law.doc + "\n"),
        *indented(f"Predictors: {predictors}.{_directions(law)}\n"),
        *indented(rst_table(("parameter", "role", "what it is", "default prior"), rows)),
    ]
    return "\n".join(body)


def _directions(law: bl.Law) -> str:
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
        parts += [
            f"## {title}\n",
            markdown_table(("name", "runs", "sizes", "groups", "content"), rows),
            "",
        ]
    verbs = "\n".join(f".. autofunction:: {name}" for name in ("names", "info", "load", "table"))
    verbs += "\n.. autofunction:: fetch\n.. autoclass:: DatasetInfo"
    return "\n".join(
        [*parts, "## Functions\n", rst_block(f".. currentmodule:: bayeslaw.datasets\n\n{verbs}")]
    )


DATA = """# Data

`bl.datasets.load(name)` returns runs, `bl.datasets.table(name)` the whole table and
`bl.datasets.info(name)` its metadata: columns, licence, provenance, and notes on what was
dropped.

`tiny_lm` is a scaling study that this project measured: 872 byte-level language models, trained
from scratch on four corpora (English prose, Python, C, HTML) with two architectures (a
transformer and a recurrent network), 2.5 thousand to 115 thousand parameters, 2^15 to 2^20 bytes
in one pass with the learning-rate schedule finished at each, most settings with three seeds; and
16 held-out runs with ten to eighteen times the compute. `tiny_lm_repeats` adds repeated data (1
to 16 epochs), `tiny_lm_curves` is the validation loss during training. `benchmarks/tiny_lm`
measures them again. Runs that tuned learning rates are in `bl.datasets.table("tiny_lm")`.

`learners` are learning curves of four learners (linear, trees, kernel, network) on five tasks
from data that scikit-learn ships, with six seeds at each of nine to eleven sizes
(`benchmarks/learners.py`). Both are Apache-2.0, like the code.

The public data sets, `bl.datasets.names(public=True)`, are 29 tables of runs that others
published, from the Chinchilla points to 864 learning curves. Their loaders handle the known
pitfalls and record dropped rows in `runs.attrs["notes"]`. We may not redistribute them:
`bl.datasets.fetch(name)` downloads those that are published as one file and checks their hash
(`pip install "bayeslaw[data]"`); the others are read from the folder that the environment
variable `BAYESLAW_DATA` names.
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
    """The help of every command."""
    text = app.generate_docs(output_format="markdown", include_hidden=False)
    _, _, commands = text.partition("## bayeslaw demo")
    return f"{COMMANDS}\n## bayeslaw demo{commands}"


COMMANDS = """# Command line

Every command takes `--help`. Exit codes: 0 good, 1 a fit failed its gate, 2 wrong input, 130
interrupted. How to use it: {doc}`/how_to/command_line`.
"""


def tutorial(script: Path, executed: Path) -> str:
    """A notebook, with output if it was executed."""
    ready = executed / f"{script.stem}.ipynb"
    if ready.is_file():
        return ready.read_text(encoding="utf-8")
    notebook = jupytext.read(script)
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(NOT_EXECUTED.format(script.name)))
    return nbformat.writes(notebook)


NOT_EXECUTED = """:::{{note}}
This copy of the site was built without running the code, so output is missing. Run
`notebooks/{}` to see it.
:::"""


def _write_if_changed(path: Path, text: str) -> None:
    """Write a file if it has changed, so that Sphinx reads only changed files."""
    path.parent.mkdir(exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _role_of(name: str) -> Role | None:
    marks: Any = getattr(operator.attrgetter(name)(bl), "__metadata__", ())
    return next((mark for mark in marks if isinstance(mark, Role)), None)


def _is_module(name: str) -> bool:
    return isinstance(operator.attrgetter(name)(bl), ModuleType)


def _first(item: object) -> str:
    return (inspect.getdoc(item) or "").partition("\n")[0]
