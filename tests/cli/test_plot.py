"""`bayeslaw plot`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.image import imread

import bayeslaw as bl
from bayeslaw.plots.figures import FIGURES, FitFigure

type Run = Callable[..., tuple[int, str, str]]

COLUMNS = ["--predictor", "N=params", "--group", "task", "--group", "dataset"]
ONE = ["--at", "task=c4", "--at", "dataset=web"]


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a link to the fits, and a table of later runs."""
    for name in ("fit.nc", "failed.nc"):
        (tmp_path / name).symlink_to(folder / name)
    runs = pd.read_csv(folder / "runs.csv")
    runs[runs["params"] > 2e8].to_csv(tmp_path / "later.csv", index=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bayeslaw._progress.PATIENCE", 600.0)  # no progress on a slow machine
    return tmp_path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("forecast", ONE),
        ("forecast", ["--at", "N=1e8,1e9", "--at", "task=new", "--at", "dataset=web", "--draw-new",
                      "task", "--x", "N"]),
        ("forecast", ["later.csv", *COLUMNS, *ONE]),
        ("calibration", ["later.csv", *COLUMNS]),
        ("residuals", ["--x", "N"]),
        ("prior", []),
        ("effects", ["--parameter", "alpha"]),
        ("population", ["--parameter", "alpha"]),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("here")
def test_a_figure_is_drawn(run: Run, name: str, options: list[str]) -> None:
    code, text, err = run("plot", name, "fit.nc", *options)
    assert (code, text, err) == (0, "figure: figure.png\n", "")
    assert imread("figure.png").std() > 0.05


@pytest.mark.usefixtures("here")
def test_contours_are_drawn(run: Run, joint: Path) -> None:
    options = ["--budget", "1e21,1e22", "--at", "task=c4"]
    assert run("plot", "contours", joint, *options) == (0, "figure: figure.png\n", "")
    assert Path("figure.png").exists()
    code, _, err = run("plot", "contours", joint, "--budget", "1e21")
    assert (code, err) == (
        2, "error: contours are of one curve, and there are 2; choose with --at task=...\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("file", "start"), [("a.svg", b"<?xml"), ("a.PDF", b"%PDF"), ("a.png", b"\x89PNG")]
)
@pytest.mark.usefixtures("here")
def test_the_extension_gives_the_format(run: Run, file: str, start: bytes) -> None:
    Path(file).write_text("an older file")
    code, text, _ = run("plot", "prior", "fit.nc", "--out", file, "--json")
    assert (code, json.loads(text)) == (0, {"converged": True, "figure": file})
    assert Path(file).read_bytes().startswith(start)


@pytest.mark.usefixtures("here")
def test_a_dark_figure(run: Run) -> None:
    for options, is_dark in ([], False), (["--dark"], True):
        assert run("plot", "effects", "fit.nc", "--parameter", "alpha", *options)[0] == 0
        assert (imread("figure.png")[..., :3].mean() < 0.5) == is_dark


@pytest.mark.usefixtures("here")
def test_a_fit_that_did_not_converge_exits_with_one(run: Run) -> None:
    assert run("plot", "prior", "failed.nc") == (1, "figure: figure.png\n", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["effect", "fit.nc"], "there is no figure 'effect'; did you mean 'effects'? There are: "),
        (
            ["skill", "fit.nc"],
            "the figure 'skill' is not drawn from a saved fit; bayeslaw backtest TABLE --figure "
            "skill.png draws it\n",
        ),
        (["effects", "fit.nc"], "the figure 'effects' needs --parameter NAME\n"),
        (["effects", "fit.nc", "--parameter", "beta"], "no parameter 'beta' in the fit; there are"),
        (["calibration", "fit.nc"], "the figure 'calibration' needs TABLE --predictor N=COLUMN\n"),
        (
            ["prior", "fit.nc", "--at", "N=1e9"],
            "the figure 'prior' does not take --at; it takes the fit alone\n",
        ),
        (
            ["residuals", "fit.nc", "later.csv", *COLUMNS],
            "the figure 'residuals' does not take TABLE; it takes --x PREDICTOR\n",
        ),
        (["forecast", "fit.nc", "--x", "D"], "x must be a predictor of the forecast, one of ['N']"),
        (["forecast", "fit.nc", "--at", "task=c4"], "the grid does not say which 'dataset'"),
        (["contours", "fit.nc", "--budget", "x"], "--budget=x: 'x' is not a number"),
        (["prior", "fit.nc", "--out", "a.xyz"], "cannot write 'a.xyz': figures have an "),
        (["prior", "no.nc"], "cannot read 'no.nc': No such file or directory"),
    ],
)  # fmt: skip
def test_invalid_input(run: Run, here: Path, arguments: list[str], sentence: str) -> None:
    before = {path: path.read_bytes() for path in here.iterdir()}
    code, text, err = run("plot", *arguments)
    assert (code, text) == (2, "")
    assert err.startswith(f"error: {sentence}")
    assert before == {path: path.read_bytes() for path in here.iterdir()}


def test_help_lists_the_figures(run: Run) -> None:
    code, text, _ = run("plot", "--help")
    assert code == 0
    for name, caption in FIGURES.items():
        assert f"{name}: {caption[:20]}" in text


@pytest.mark.usefixtures("here")
def test_a_new_figure_is_drawn(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """One function is enough."""
    given: dict[str, Any] = {}

    def draw(fit: bl.Fit, parameter: str) -> Any:
        given[parameter] = fit.model.law.name
        return bl.plot_effects(fit, parameter)

    monkeypatch.setattr("bayeslaw.plots.effects.FIGURE", FitFigure(draw))
    assert run("plot", "effects", "fit.nc", "--parameter", "k")[0] == 0
    assert given == {"k": "power"}
