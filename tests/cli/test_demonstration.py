"""The demonstration, on a part of its data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw import cli
from bayeslaw.cli import demonstration

QUICK = {"draws": 50, "tune": 100, "chains": 2, "target_accept": 0.9, "progressbar": False}
ACTS = {"size": ("_size", bl.laws.power), "joint": ("", bl.laws.chinchilla)}


@pytest.fixture(scope="module")
def cached() -> dict[Any, bl.Fit]:
    """Fits by law and seed, so that each is fitted once."""
    return {}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, cached: dict[Any, bl.Fit]) -> xr.Dataset:
    """Two corpora, half of the amounts of data, one seed, few draws."""
    runs = bl.datasets.load("tiny_lm")
    selected = runs["corpus"].isin(["c", "html"]) & (runs["seed"] == 1)
    selected &= ~runs["D"].isin([2.0**16, 2.0**18, 2.0**19])
    part, fit = runs.isel(run=selected.values), bl.fit

    def quick(model: bl.Model, train: xr.Dataset, *, sampler: bl.Sampler) -> bl.Fit:
        key = (model.law.name, sampler.random_seed)
        if key not in cached:
            cached[key] = fit(model, train, sampler=replace(sampler, **QUICK))
        return cached[key]

    monkeypatch.setattr(bl.datasets, "load", {"tiny_lm": part}.get)
    monkeypatch.setattr(bl, "fit", quick)
    return part


def test_demo(small: xr.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "made" / "here"
    code = cli.run(["demo", "--out", str(out), "--seed", "2", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert list(result) == ["converged", *ACTS, "sentences"]
    assert code == (0 if result["converged"] else 1)
    assert result["converged"] == all(result[name]["converged"] for name in ACTS)
    for (name, (suffix, law)), (train, later) in zip(ACTS.items(), splits(small), strict=True):
        fit, figure = bl.load(out / f"fit{suffix}.nc"), out / f"forecast{suffix}.png"
        xr.testing.assert_identical(fit.runs["loss"], train["loss"])
        assert fit.model.law.digest == law.digest
        groups = ["corpus", "architecture"]
        assert fit.model.pooling == dict.fromkeys(fit.model.law.parameters, groups)
        assert json.loads(fit.tree.attrs["sampler"])["random_seed"] == 2
        assert figure.read_bytes().startswith(b"\x89PNG")
        assert f"Figure: {figure}   Fit: {out / f'fit{suffix}.nc'}" in result["sentences"]
        check_act(result[name], fit)
        check_held_out(result[name], fit, later)


def splits(runs: xr.Dataset) -> list[tuple[xr.Dataset, xr.Dataset]]:
    """Training and held-out runs of each act."""
    train, later = bl.split_held_out(runs)
    most_data = (train["D"] == 2.0**20).values
    small, large = most_data & (train["N"] <= 4e4).values, most_data & (train["N"] > 4e4).values
    return [(train.isel(run=small), train.isel(run=large)), (train, later)]


def check_act(act: dict[str, Any], fit: bl.Fit) -> None:
    gate = bl.diagnose(fit).gate
    assert (act["converged"], act["verdict"]) == (gate.passed, [gate.sentence])
    expected = bl.summary(fit).loc["population"].droplevel("label")
    assert [row["parameter"] for row in act["population"]] == list(expected.index)
    for row in act["population"]:
        assert row["median"] == pytest.approx(expected.loc[row["parameter"], "median"], rel=1e-9)
    laws = [row["law"] for row in act["comparison"]]
    assert laws == [fit.model.law.name, "last value", "least squares"]


def check_held_out(act: dict[str, Any], fit: bl.Fit, later: xr.Dataset) -> None:
    """The same numbers from the saved fit."""
    table, forecast = pd.DataFrame(act["held_out"]), bl.forecast(fit, later)
    for name in ("corpus", "architecture", "N", "loss"):
        assert table[name].tolist() == later[name].values.tolist()
    inside = {}
    for prob in (0.5, 0.9):
        band = bl.interval(forecast, prob)["new_run"]
        low, high = (band.sel(bound=bound).values for bound in ("lower", "upper"))
        inside[prob] = (low <= table["loss"]) & (table["loss"] <= high)
    np.testing.assert_allclose(table[["lower", "upper"]], np.stack([low, high], axis=1))
    expected = np.where(inside[0.5], "50%", np.where(inside[0.9], "90%", "no"))
    assert table["inside"].tolist() == expected.tolist()
    assert act["comparison"][0]["coverage_90"] == pytest.approx(inside[0.9].mean())

    first, same_corpus = table.iloc[0], fit.runs["corpus"] == table.loc[0, "corpus"]
    own_runs = (same_corpus & (fit.runs["architecture"] == first["architecture"])).values
    largest = fit.runs["flops_counted"].values[own_runs].max()
    assert first["compute"] == pytest.approx(later["flops_counted"].values[0] / largest)
    median = bl.interval(forecast)["mean"].sel(bound="median").values
    np.testing.assert_allclose(table["median"], median)

    sentence, *rest = act["sentences"]
    assert sentence.startswith(
        f"Of {len(table)} held-out runs, at {table['compute'].min():.1f} to "
    )
    counts = f"{inside[0.5].sum()} are in the 50% band and {inside[0.9].sum()} in the 90% band;"
    assert counts in sentence
    assert sentence.endswith(f"too high for {(median > table['loss']).sum()}.")
    shortfall = [demonstration.SHORTFALL] if inside[0.9].mean() < demonstration.MIN_COVERAGE else []
    assert rest == [*shortfall, *forecast.attrs["caveats"]]


def test_demo_prints_results_on_the_way(
    small: xr.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --json each act is printed once, when it is finished, and the exit code is right."""
    code = cli.run(["demo", "--out", str(tmp_path), "--seed", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert code == int(any(line.startswith("NOT CONVERGED") for line in lines))
    assert lines[0].startswith("Training runs of small language models")
    acts = [row for row, line in enumerate(lines) if line.startswith("Act ")]
    held_out = [row for row, line in enumerate(lines) if line.startswith("held out:")]
    assert len(acts) == len(held_out) == 2
    assert acts[0] < held_out[0] < acts[1] < held_out[1]
    assert sum(line.startswith("Figure: ") for line in lines) == 2


def test_interrupt_leaves_nothing(small: xr.Dataset, tmp_path: Path, monkeypatch: Any) -> None:
    """The second act is interrupted: nothing is written, as the command line says."""
    fit, out = bl.fit, tmp_path / "out"

    def interrupted(model: bl.Model, *rest: Any, **more: Any) -> bl.Fit:
        if model.law.name == "chinchilla":
            raise KeyboardInterrupt
        return fit(model, *rest, **more)

    monkeypatch.setattr(bl, "fit", interrupted)
    assert cli.run(["demo", "--out", str(out), "--seed", "2", "--json"]) == cli.INTERRUPTED
    assert not out.exists()
