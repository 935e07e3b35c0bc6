"""A table of runs, fits of it, and the command line to run on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw import cli
from bayeslaw._sampling.gate import Gate

type Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line: exit code, output and error stream."""

    def go(*arguments: object) -> tuple[int, str, str]:
        code = cli.run([str(item) for item in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return go


@pytest.fixture(scope="session")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    crossed_runs: xr.Dataset,
    crossed_fit: bl.Fit,
    failed_fit: bl.Fit,
) -> Path:
    """A folder with a table of runs, a fit, and a fit that did not converge."""
    path = tmp_path_factory.mktemp("cli")
    columns = ["params", "loss", "task", "dataset"]
    frame = crossed_runs.to_dataframe().reset_index().rename(columns={"N": "params"})
    frame[columns].to_csv(path / "runs.csv", index=False)
    bl.save(crossed_fit, path / "fit.nc")
    bl.save(failed_fit, path / "failed.nc")
    return path


@pytest.fixture(scope="session")
def failed_fit(crossed_fit: bl.Fit) -> bl.Fit:
    """A fit that did not pass its gate."""
    tree = crossed_fit.tree.copy()
    tree.attrs["gate"] = replace(Gate.of(tree), divergences=7).to_json()
    return replace(crossed_fit, tree=tree)


@pytest.fixture
def prepared(
    monkeypatch: pytest.MonkeyPatch,
    crossed_fit: bl.Fit,
    log_linear_fit: bl.Fit,
    pure_power_fit: bl.Fit,
) -> list[dict[str, Any]]:
    """Return existing fits instead of sampling, and record the calls."""
    calls = []
    fits = {fit.model.law.name: fit for fit in (crossed_fit, log_linear_fit, pure_power_fit)}

    def fit(model: bl.Model, runs: xr.Dataset, **sampler: Any) -> bl.Fit:
        calls.append({"model": model, "runs": runs, **sampler})
        return fits[model.law.name]

    monkeypatch.setattr(bl, "fit", fit)
    return calls


@pytest.fixture(scope="session")
def joint(tmp_path_factory: pytest.TempPathFactory, known_fit: Callable[..., bl.Fit]) -> Path:
    """A fit of a law of N and D to two tasks."""
    rng = np.random.default_rng(8)
    published = {"E": 1.69, "A": 406.4, "alpha": 0.34, "B": 410.7, "beta": 0.28}
    drawn = {n: v * np.exp(0.05 * rng.standard_normal((2, 50, 2))) for n, v in published.items()}
    rows = [
        {"N": N, "D": D, "loss": 3.0 + 1e9 / N, "task": task}
        for task in ("c4", "code")
        for N in (1e8, 1e9, 1e10)
        for D in (1e10, 1e11)
    ]
    runs = bl.read_runs(pd.DataFrame(rows), predictors=["N", "D"], groups=["task"])
    path = tmp_path_factory.mktemp("joint") / "fit.nc"
    bl.save(known_fit(bl.laws.chinchilla, drawn, runs), path)
    return path
