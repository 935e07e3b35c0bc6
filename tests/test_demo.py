"""The demonstration, on a part of its data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw import cli, demo

QUICK = {"draws": 50, "tune": 150, "chains": 2, "target_accept": 0.9, "progressbar": False}
FILES = {"size": "_size", "joint": ""}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> xr.Dataset:
    """Two corpora, every other size of D, one law that is quick in the place of each."""
    runs = bl.datasets.load("tiny_lm")
    kept = runs["corpus"].isin(["c", "html"]) & ~runs["D"].isin([2.0**16, 2.0**18, 2.0**19])
    part, fit = runs.isel(run=kept.values), bl.fit

    def quick(model: bl.Model, train: xr.Dataset, *, random_seed: int, **_: Any) -> bl.Fit:
        return fit(model, train, random_seed=random_seed, **QUICK)

    monkeypatch.setattr(bl.datasets, "load", lambda name: {"tiny_lm": part}[name])
    monkeypatch.setattr(bl, "fit", quick)
    return part


def test_demo(small: xr.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "made" / "here"
    code = cli.run(["demo", "--out", str(out), "--seed", "2", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == (0 if told["converged"] else 1)
    assert told["converged"] == (told["size"]["converged"] and told["joint"]["converged"])
    kept = {name: bl.load(out / f"fit{suffix}.nc") for name, suffix in FILES.items()}
    for name, (train, later) in parts(small).items():
        fit, act = kept[name], told[name]
        xr.testing.assert_identical(fit.runs["loss"], train["loss"])
        assert fit.model.pooling == ["corpus", "architecture"]
        figure = out / f"forecast{FILES[name]}.png"
        assert figure.read_bytes().startswith(b"\x89PNG")
        assert f"Figure: {figure}   Fit: {out / f'fit{FILES[name]}.nc'}" in told["sentences"]
        check_act(act, fit)
        check_held_out(act, fit, train, later)
