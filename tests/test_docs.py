"""The documentation: its pages are complete, and what they show runs."""

from __future__ import annotations

import importlib.util
import inspect
import json
import operator
import pydoc
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from numpydoc.validate import validate

import bayeslaw as bl
from bayeslaw import cli
from bayeslaw._law.roles import Role

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
WRITTEN = sorted(path for path in DOCS.rglob("*.md") if not {"_build", "_made"} & set(path.parts))
PYTHON = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)
LINE = re.compile(r"^(?:\$|   ) (?:uv run )?bayeslaw (.+)$", re.MULTILINE)
README = ROOT / "README.md"
RUN = [path for path in (*WRITTEN, README) if PYTHON.search(path.read_text(encoding="utf-8"))]
RUN.remove(DOCS / "noise_and_discrepancy.md")  # a fragment
TYPED = [path for path in (*WRITTEN, README) if LINE.search(path.read_text("utf-8"))]

# Checks of numpydoc that every public docstring passes. Left out: ES01 and SA01 ask for an extended
# summary and for "See Also", RT03 for a description of what is returned where the summary has said
# it.
CHECKS = {
    *("GL01", "GL02", "GL03", "GL05", "GL06", "GL07", "GL08", "GL09", "GL10"),
    *("SS01", "SS02", "SS03", "SS04", "SS05", "SS06"),
    *("PR01", "PR02", "PR03", "PR04", "PR05", "PR06", "PR07", "PR08", "PR09", "PR10"),
    *("RT01", "RT02", "RT04", "RT05", "YD01", "SA02", "SA03", "SA04", "EX01"),
}  # fmt: skip


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES = _load("pages")
BELOW = [name for name in PAGES.public_names() if "." in name]  # such as weights.stacking_weights
GROUPED = [name for _, names in PAGES.GROUPS.values() for name in names.split()]
DOCUMENTED = [
    name
    for name in sorted({*bl.__all__, *GROUPED})
    if (inspect.isroutine(item := pydoc.locate(f"bayeslaw.{name}")) or inspect.isclass(item))
    and not getattr(item, "_is_protocol", False)  # made by nobody
]


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    """The module that writes pages from the package."""
    return PAGES


# Reference


def test_every_public_name_is_on_the_reference_page_once(pages: ModuleType) -> None:
    results = [name for name in GROUPED if name.count(".") > 1]  # records that functions return
    others = sorted(name for name in GROUPED if name not in results)
    assert others == sorted(pages.public_names()), "give each public name a group in docs/pages.py"
    page = pages.api()
    for name in GROUPED:
        assert len(re.findall(rf"bayeslaw\.{re.escape(name)}\b", page)) >= 1, name


@pytest.mark.parametrize("name", sorted([*bl.__all__, *BELOW]))
def test_every_public_name_is_used_in_a_notebook_or_how_to(name: str) -> None:
    pages = [*(ROOT / "notebooks").glob("*.py"), *(DOCS / "how_to").glob("*.md")]
    assert any(re.search(rf"\bbl\.{name}\b", page.read_text("utf-8")) for page in pages)


def test_a_name_without_a_group_is_shown_all_the_same(
    pages: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = {title: group for title, group in pages.GROUPS.items() if title != "Comparison"}
    monkeypatch.setattr(pages, "GROUPS", groups)
    assert "Further names\n" in pages.api()
    assert "\n   bayeslaw.compare\n" in pages.api()


def test_every_law_is_in_the_catalogue_with_its_formula_and_parameters(pages: ModuleType) -> None:
    page = pages.laws()
    for name in bl.laws.names():
        law = bl.laws.find(name)
        [part] = re.findall(rf"\.\. py:data:: {name}\n(.*?)(?=\n\.\. py:data|\Z)", page, re.DOTALL)
        assert law.latex
        assert law.latex in part
        assert law.doc.splitlines()[0] in part
        assert all(f"``{each}``" in part for each in law.parameters)


def test_every_role_is_in_the_table(pages: ModuleType) -> None:
    roles = [name for name in bl.__all__ if _is_role(getattr(bl, name))]
    table = pages.roles()
    assert len(roles) == 10
    assert all(f"``{name}``" in table for name in roles)


def test_every_data_set_and_command_is_on_its_page(pages: ModuleType) -> None:
    page = pages.data()
    names = [*bl.datasets.names(), *bl.datasets.names(public=True)]
    assert all(f"| `{name}` |" in page for name in names)
    page = pages.command_line()
    assert all(f"## bayeslaw {command.__name__}\n" in page for command in cli.COMMANDS)


def test_measured_tables_are_those_of_the_benchmark(pages: ModuleType) -> None:
    page = pages.extrapolation()
    assert "| bayeslaw | 2.5 (0.19) |" in page
    assert "| NSL-PFN, published | 2.8 |" in page


@pytest.mark.parametrize("name", DOCUMENTED)
def test_docstrings_are_numpydoc(name: str) -> None:
    item = operator.attrgetter(name)(bl)
    errors = validate(f"{item.__module__}.{item.__name__}")["errors"]
    assert [each for each in errors if each[0] in CHECKS] == []


def test_the_picture_of_the_packages_is_that_of_the_imports() -> None:
    architecture = _load("architecture")
    drawn = architecture.DIAGRAM.read_text(encoding="utf-8")
    # The number of files of a package may change without a new picture.
    without_counts = [
        re.sub(r">\d+ files?<", "><", text) for text in (drawn, architecture.diagram())
    ]
    assert without_counts[0] == without_counts[1], "run python docs/architecture.py"


# What pages show


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory, crossed_runs: xr.Dataset) -> Path:
    """A folder with the tables that the pages read."""
    folder = tmp_path_factory.mktemp("docs")
    runs = crossed_runs.to_dataframe().rename(columns={"N": "params"})
    few = runs[(runs["task"] == "c4") & (runs["dataset"] == "web")]
    written = {
        "runs.csv": runs,
        "runs_with_errors.csv": runs.assign(
            loss_se=0.01, name=[f"run {i}" for i in range(len(runs))]
        ),
        "accuracy.csv": few.assign(accuracy=1 - few["loss"] / 10),
        "few.csv": few[["params", "loss"]][:3],
        "grid.csv": grid_runs().to_dataframe().rename(columns={"N": "params", "D": "tokens"}),
    }
    for name, table in written.items():
        table.to_csv(folder / name, index=False)
    write_exports(folder)
    return folder


def write_exports(folder: Path) -> None:
    """The exports that a page shows, and the same curves as TensorBoard has them."""
    page = (DOCS / "how_to" / "read_exports.md").read_text(encoding="utf-8")
    for name in ("chart.csv", "wandb.csv"):
        [text] = re.findall(rf"`{name}`:\n\n```text\n(.*?)```", page, re.DOTALL)
        (folder / name).write_text(text, encoding="utf-8")
    curve = [[1.5, 100, 3.6], [2.5, 1000, 2.7]]
    (folder / "large.json").write_text(json.dumps(curve), encoding="utf-8")
    (folder / "run-small_train-tag-loss.csv").write_text(
        "Wall time,Step,Value\n1.5,100,4.1\n2.5,1000,3.2\n", encoding="utf-8"
    )


def grid_runs() -> xr.Dataset:
    """Runs of parameters and tokens, on the law of Besiroglu et al. (2024)."""
    grid = bl.grid(N=np.geomspace(1e8, 1e10, 4), D=np.geomspace(1e9, 1e11, 4))
    loss = bl.laws.chinchilla(grid["N"], grid["D"], **{k: v.mean() for k, v in about().items()})
    table = grid.assign(loss=loss).to_dataframe()
    return bl.read_runs(table.reset_index(drop=True), predictors=["N", "D"])


def about() -> dict[str, np.ndarray]:
    """Draws of the parameters of `chinchilla` (chain, draw, curve)."""
    values = {"E": 1.817, "A": 482.0, "alpha": 0.348, "B": 2085.0, "beta": 0.366}
    rng = np.random.default_rng(1)
    return {
        name: value * np.exp(0.01 * rng.normal(size=(2, 50, 1))) for name, value in values.items()
    }


@pytest.fixture
def fitted(
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    known_fit: Callable[..., bl.Fit],
    crossed_fit: bl.Fit,
) -> None:
    """Answer `bl.fit` by fits that are there, once its arguments have been checked."""
    signature = inspect.signature(bl.fit)
    names = {"power": "crossed_fit", "pure_power": "pure_power_fit", "log_linear": "log_linear_fit"}

    def answer(model: bl.Model, runs: xr.Dataset, **options: Any) -> bl.Fit:
        signature.bind(model, runs, **options)
        bl.check_runs(runs)
        assert set(model.groups_of("alpha")) <= set(runs.attrs["groups"])
        if model.law.name == "chinchilla":
            return known_fit(model.law, about(), runs)
        if model.law.name == "curvature":
            values = {"m": 2.0, "s": 0.2, "kappa": 1.5, "N_0": 1e7}
            draws = {name: np.full((2, 50, 12), value) for name, value in values.items()}
            return known_fit(model.law, draws, runs)
        return request.getfixturevalue(
            names[model.law.name] if runs.attrs["groups"] else "lone_fit"
        )

    monkeypatch.setattr(bl, "fit", answer)


@pytest.mark.filterwarnings(
    "ignore::bayeslaw.errors.RunsWarning", "ignore:Estimated shape:UserWarning"
)
@pytest.mark.usefixtures("fitted")
@pytest.mark.parametrize("path", RUN, ids=lambda path: str(path.relative_to(ROOT)))
def test_code_of_a_page_runs(path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tables)
    names: dict[str, Any] = {"np": np}
    with mpl.rc_context({"figure.max_open_warning": 0}):
        for code, shown in blocks(path):
            out = StringIO()
            with redirect_stdout(out):
                run(code, names, path)
            assert not shown or out.getvalue() == shown, path


def test_the_first_page_shows_its_numbers(
    crossed_fit: bl.Fit, fitted: None, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tables)
    out, (code, _) = StringIO(), next(blocks(README))
    with redirect_stdout(out):
        run(code, {}, README)
    shown = out.getvalue()
    assert "..." not in re.sub(r"(?m)^\.\.\. .*$", "", shown)  # rows may be left out, not columns
    assert re.search(r"bound +lower +median +upper\nN", shown)
    assert re.search(r"(?m)^1\.000000e\+10( +\d\.\d+){3}$", shown)


def test_links_of_the_first_page_are_files() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README.read_text("utf-8"))
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).is_file()] == []


def blocks(path: Path) -> Iterator[tuple[str, str]]:
    """Python code of a page, and what it shows as its output."""
    for match in PYTHON.finditer(path.read_text(encoding="utf-8")):
        yield match[1], match[2] or ""


def run(code: str, names: dict[str, Any], path: Path) -> None:
    """Run code as a module of its own, so that laws written in it know their source."""
    exec(compile(code, str(path), "exec"), names)


@pytest.mark.parametrize("path", TYPED, ids=lambda path: path.name)
def test_command_lines_parse(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = path.read_text(encoding="utf-8")
    for study in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        Path("study.toml").write_text(study)
    for line in LINE.findall(text):
        command, bound, _ = cli.app.parse_args(
            shlex.split(line), exit_on_error=False, print_error=False
        )
        assert callable(command)
        assert isinstance(bound, inspect.BoundArguments)


def _is_role(item: Any) -> bool:
    marks: Mapping[str, Any] | tuple[Any, ...] = getattr(item, "__metadata__", ())
    return any(isinstance(mark, Role) for mark in marks)
