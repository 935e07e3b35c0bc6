"""The table of figures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import bayeslaw as bl
from bayeslaw import cli
from bayeslaw.cli.plot import USAGE, FigureArguments
from bayeslaw.plots.figures import FIGURES, FitFigure, ResultFigure, find_figure
from bayeslaw.report.assemble import ReportOptions, assemble
from bayeslaw.report.blocks import Picture

FIT_FIGURES = [name for name in FIGURES if isinstance(find_figure(name), FitFigure)]
RESULT_FIGURES = [name for name in FIGURES if name not in FIT_FIGURES]


def draw(name: str, fit: bl.Fit, **options: Any) -> Figure:
    figure = find_figure(name)
    assert isinstance(figure, FitFigure)
    return figure.draw(fit, **options)


@pytest.fixture(scope="module")
def joint_fit(known_fit: Callable[..., bl.Fit]) -> bl.Fit:
    """A fit of a law of N and D to two tasks, with given draws."""
    rng = np.random.default_rng(8)
    published = {"E": 1.69, "A": 406.4, "alpha": 0.34, "B": 410.7, "beta": 0.28}
    drawn = {n: v * np.exp(0.01 * rng.standard_normal((2, 50, 2))) for n, v in published.items()}
    rows = [
        {"N": N, "D": D, "loss": bl.laws.chinchilla(N, D, **published), "task": task}
        for task in ("c4", "code")
        for N in (1e8, 1e9, 1e10)
        for D in (1e10, 1e11)
    ]
    runs = bl.read_runs(pd.DataFrame(rows), predictors=["N", "D"], groups=["task"])
    return known_fit(bl.laws.chinchilla, drawn, runs)


def test_public_functions_are_those_of_the_table() -> None:
    public = [name.removeprefix("plot_") for name in bl.__all__ if name.startswith("plot_")]
    assert public
    assert set(public) <= FIGURES.keys()
    for name in public:
        function = getattr(import_module(f"bayeslaw.plots.{name}"), f"plot_{name}")
        assert getattr(bl, f"plot_{name}") is function


def test_names_load_no_figure() -> None:
    code = "import sys, bayeslaw.plots.figures; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", FIT_FIGURES)
def test_the_command_line_gives_what_a_figure_needs(name: str) -> None:
    figure = find_figure(name)
    assert isinstance(figure, FitFigure)
    required = {option for option, is_required in figure.options.items() if is_required}
    assert required <= USAGE.keys() <= {"later", *(each.name for each in fields(FigureArguments))}


@pytest.mark.parametrize("name", RESULT_FIGURES)
def test_a_command_draws_the_figure_of_a_result(name: str) -> None:
    figure = find_figure(name)
    assert isinstance(figure, ResultFigure)
    assert cli.app[figure.result_of.__name__].assemble_argument_collection().match("--figure")


def test_options_are_the_parameters_besides_the_fit() -> None:
    def one(fit: bl.Fit, parameter: str, *, x: str | None = None) -> Figure:
        raise NotImplementedError

    assert FitFigure(one).options == {"parameter": True, "x": False}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("priors", r"there is no figure 'priors'; did you mean 'prior'\? There are: forecast: Ba"),
        ("zzz", r"there is no figure 'zzz'\. There are: forecast: Bands"),
    ],
)
def test_an_unknown_figure(name: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        find_figure(name)


def test_the_report_shows_each_figure_of_its_sections(crossed_fit: bl.Fit) -> None:
    at = bl.grid(N=[1e9], task="c4", dataset="web")
    report = assemble(crossed_fit, ReportOptions(None, at, {}, None, None, {}, [], 0))
    pictures = {
        block.caption: section.name
        for section in report.sections
        for block in section.blocks
        if isinstance(block, Picture)
    }
    figures = {caption: find_figure(name) for name, caption in FIGURES.items()}
    assert pictures == {
        caption: figure.section
        for caption, figure in figures.items()
        if isinstance(figure, FitFigure) and figure.section
    }


@pytest.mark.parametrize(
    ("options", "along", "panels"),
    [
        ({"at": {"D": [1e11]}}, "N", ["c4, D = 1e11", "code, D = 1e11"]),
        ({"at": {"D": [1e11], "task": ["c4"]}}, "N", ["c4, D = 1e11"]),
        ({"at": {"N": [1e9], "task": ["c4"]}}, "D", ["c4, N = 1e9"]),
        ({"at": {"N": [1e9, 3e9], "task": ["c4"]}, "x": "D"}, "D", ["c4, N = 1e9", "c4, N = 3e9"]),
    ],
)  # fmt: skip
def test_a_forecast_is_along_a_predictor_without_values(
    joint_fit: bl.Fit, options: dict, along: str, panels: list[str]
) -> None:
    figure = draw("forecast", joint_fit, **options)
    assert [axis.get_title(loc="left") for axis in figure.axes] == panels
    [label] = [sub.get_supxlabel() for sub in figure.subfigs if sub.get_supxlabel()]
    assert label == along
    [line] = [each for each in figure.axes[0].lines if each.get_label() == "median"]
    low, high = {"N": (1e8, 1e11), "D": (1e10, 1e12)}[along]
    assert line.get_xdata()[[0, -1]] == pytest.approx([low, high])


def test_given_sizes_are_drawn_with_the_held_out_runs(joint_fit: bl.Fit) -> None:
    later = joint_fit.runs.isel(run=joint_fit.runs["N"].values == 1e10)
    at = {"N": [1e9, 1e10], "D": [1e10], "task": ["c4"]}
    figure = draw("forecast", joint_fit, at=at, later=later)
    lines = {line.get_label(): line.get_xdata() for line in figure.axes[0].lines}
    assert lines["median"].tolist() == pytest.approx([1e9, 1e10])
    assert lines["later"].tolist() == [1e10]
    assert sorted(lines["fitted"]) == [1e8, 1e9, 1e10]


def test_contours_are_around_the_runs_and_the_plan(joint_fit: bl.Fit) -> None:
    budget, at = [1e18, 1e26], {"task": ["code"]}
    figure = draw("contours", joint_fit, budget=budget, at=at)
    optimum = bl.interval(bl.plan(joint_fit, budget, at=at), 0.9).sel(bound="median")
    [axis] = figure.axes
    for name, ends in (("N", axis.get_xlim()), ("D", axis.get_ylim())):
        sizes = [*joint_fit.runs[name].values, *optimum[name].values.ravel()]
        assert ends == pytest.approx((min(sizes) / 1.5, max(sizes) * 1.5))
    with pytest.raises(ValueError, match=r"are of one curve, and there are 2; choose with at={'ta"):
        draw("contours", joint_fit, budget=budget)


def test_residuals_are_along_a_predictor(joint_fit: bl.Fit) -> None:
    figure = draw("residuals", joint_fit, x="D")
    assert [sub.get_supxlabel() for sub in figure.subfigs if sub.get_supxlabel()] == ["D"]


def test_calibration_of_a_fit_that_did_not_converge_is_marked(
    joint_fit: bl.Fit, failed: Callable[[bl.Fit], bl.Fit], words: Callable[..., str]
) -> None:
    for fit, marked in ((joint_fit, False), (failed(joint_fit), True)):
        figure = draw("calibration", fit, later=fit.runs)
        assert ("NOT CONVERGED" in words(figure)) is marked
