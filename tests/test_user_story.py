"""The script of the first page: a stranger's afternoon, from a table to a figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import bayeslaw as bl


@bl.law  # a user's own law: four lines
def shifted_power(N, *, L0: bl.Floor, k: bl.Amplitude, c: bl.Scale, alpha: bl.Exponent):
    """Power law with a shifted origin."""
    return L0 + k * (1 + N / c) ** -alpha


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of a law whose curves bend at N = 1e7, with two parts in a thousand of noise."""
    rng = np.random.default_rng(6)
    rows = []
    for task in ("c4", "books", "code"):
        for dataset in ("web", "wiki"):
            floor, alpha = np.exp(rng.normal([0.5, np.log(0.5)], 0.1))
            for size in np.geomspace(1e5, 1e9, 13):
                mean = shifted_power(size, L0=floor, k=2.0, c=1e7, alpha=alpha)
                loss = mean * np.exp(0.002 * rng.standard_t(4))
                rows.append(f"{float(size)},{float(loss)},{task},{dataset}")
    path = tmp_path_factory.mktemp("story") / "runs.csv"
    path.write_text("\n".join(["params,loss,task,dataset", *rows]))
    return path


def test_from_a_table_to_a_figure(table: Path, tmp_path: Path) -> None:
    runs = bl.read_runs(
        table, response="loss", predictors={"N": "params"}, groups=["task", "dataset"]
    )
    train, later = bl.split_at(runs, N=1e8)
    assert bl.check_law(shifted_power).passed

    models = {
        "pure": bl.Model(bl.laws.pure_power, pooling=["task", "dataset"]),
        "shifted": bl.Model(shifted_power, pooling={"alpha": ["task"], "L0": ["task", "dataset"]}),
    }
    how = {"draws": 150, "tune": 250, "chains": 2, "target_accept": 0.9, "progressbar": False}
    fits = {
        name: bl.fit(model, train, sampler=bl.Sampler(random_seed=1, **how))
        for name, model in models.items()
    }
    shifted = fits["shifted"]

    diagnosis = str(bl.diagnose(shifted))
    assert diagnosis.startswith(("Converged: ", "NOT CONVERGED, do not use: "))
    names = {"L0", "k", "c", "alpha", "sigma", "tau"}
    assert set(bl.summary(shifted).index.unique("parameter")) == names

    compared = bl.compare(fits, later)
    assert compared.index[0] == "shifted"
    assert compared.loc["shifted", "rmsle"] < compared.loc["last value", "rmsle"]

    forecast = bl.forecast(shifted, bl.grid(N=[1e9, 1e10], task="c4", dataset="web"))
    bands = bl.interval(forecast, 0.9)
    assert dict(bands.sizes) == {"bound": 3, "run": 2}
    own = (later["task"] == "c4") & (later["dataset"] == "web") & (later["N"] > 9e8)
    observed = float(later["loss"].values[own.values][0])
    lower, _, upper = bands["new_run"].isel(run=0).values
    assert lower < observed < upper

    figure = tmp_path / "forecast.png"
    bl.plot_forecast(forecast, runs).savefig(figure)
    assert figure.stat().st_size > 1000

    bl.save(shifted, tmp_path / "fit.nc")
    again = bl.load(tmp_path / "fit.nc", law=shifted_power)
    xr.testing.assert_identical(bl.forecast(again, later), bl.forecast(shifted, later))
    with pytest.raises(bl.errors.StoreError, match="shifted_power"):
        bl.load(tmp_path / "fit.nc")
