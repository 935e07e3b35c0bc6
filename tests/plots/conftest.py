"""Made-up forecasts and runs, and what artists of a figure show."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from bayeslaw._sampling.gate import Gate
from bayeslaw.data.runs import grid, read_runs
from bayeslaw.fitting.result import Fit
from bayeslaw.plots.style import LIGHT

CAVEAT = "Beyond the data these bands hold only if the law does."
FITTED = (1e6, 1e8)


def law(N: np.ndarray, D: np.ndarray | float = 1e9) -> np.ndarray:
    return 1.5 + (N / 1e8) ** -0.25 + (D / 1e9) ** -0.3


@pytest.fixture(scope="session")
def forecast_at() -> Callable[..., Any]:
    """Make what `bayeslaw.forecast` returns at sizes, from made-up draws."""

    def make(
        sizes: xr.Dataset, *, caveats: Sequence[str] = (CAVEAT,), shift: float = 0.0
    ) -> xr.Dataset:
        rng = np.random.default_rng(1)
        names = sizes.attrs["predictors"]
        mean = law(*(sizes[name].values for name in names)) * np.exp(
            0.05 * rng.normal(size=(2, 60, 1))
        )
        mean = mean - shift
        new_run = mean * np.exp(0.03 * rng.normal(size=mean.shape))
        dims = ("chain", "draw", "run")
        made = sizes.set_coords(names).assign(
            mean=(dims, mean), law=(dims, mean), new_run=(dims, new_run)
        )
        ranges = {"N": FITTED, "D": (1e9, 1e10)}
        return made.assign_attrs(
            response="loss",
            predictors=names,
            groups=sizes.attrs["groups"],
            law="power",
            observed=json.dumps({name: ranges[name] for name in names}),
            caveats=list(caveats),
        )

    return make


@pytest.fixture(scope="session")
def runs_at() -> Callable[..., Any]:
    """Make observed runs at sizes, each so many times."""

    def make(sizes: xr.Dataset, copies: int = 1) -> xr.Dataset:
        frame = pd.concat([sizes.to_dataframe()] * copies)
        names, groups = sizes.attrs["predictors"], sizes.attrs["groups"]
        noise = np.exp(0.03 * np.random.default_rng(2).normal(size=len(frame)))
        frame["loss"] = law(*(frame[name].to_numpy() for name in names)) * noise
        return read_runs(frame, predictors=names, groups=groups)

    return make


@pytest.fixture(scope="session")
def example(forecast_at: Callable[..., Any], runs_at: Callable[..., Any]) -> Callable[..., Any]:
    """Make a forecast to 1e10 of curves whose fitted runs end at 1e8, and runs to 1e9."""

    def make(
        curves: Sequence[str] = ("c4", "books", "code"), group: str = "task", copies: int = 1
    ) -> tuple[xr.Dataset, xr.Dataset]:
        forecast = forecast_at(grid(**{group: list(curves), "N": np.geomspace(1e6, 1e10, 21)}))
        return forecast, runs_at(
            grid(**{group: list(curves), "N": np.geomspace(1e6, 1e9, 7)}), copies
        )

    return make


@pytest.fixture(scope="session")
def line() -> Callable[..., Any]:
    """Find the sizes and values of a line by its label."""

    def make(axis: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
        (match,) = [line for line in axis.lines if line.get_label() == label]
        return np.asarray(match.get_xdata()), np.asarray(match.get_ydata())

    return make


@pytest.fixture(scope="session")
def band() -> Callable[..., Any]:
    """Find the lowest and highest corner of a band over each of its sizes."""

    def make(axis: Axes, label: str) -> np.ndarray:
        (match,) = [patch for patch in axis.collections if patch.get_label() == label]
        corners = match.get_paths()[0].vertices
        return np.array(
            [[corners[corners[:, 0] == x, 1].min(), corners[corners[:, 0] == x, 1].max()]
             for x in np.unique(corners[:, 0])]
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def start_of_grey() -> Callable[..., Any]:
    """Find where the grey ground starts."""

    def make(axis: Axes) -> float:
        (span,) = [patch for patch in axis.patches if patch.get_label() == "beyond"]
        assert span.get_facecolor()[:3] == pytest.approx(
            matplotlib.colors.to_rgb(LIGHT.extrapolation)
        )
        return float(span.get_extents().transformed(axis.transData.inverted()).x0)

    return make


@pytest.fixture(scope="session")
def words() -> Callable[..., Any]:
    """Read every text of a figure, line breaks as blanks."""

    def make(figure: Figure) -> str:
        figure.draw_without_rendering()
        return " | ".join(" ".join(text.get_text().split()) for text in figure.findobj(Text))

    return make


@pytest.fixture(scope="session")
def failed() -> Callable[[Fit], Fit]:
    """Make a fit say that it must not be used."""

    def make(fit: Fit) -> Fit:
        tree = fit.tree.copy()
        tree.attrs["gate"] = replace(Gate.of(tree), divergences=7).to_json()
        return replace(fit, tree=tree)

    return make
