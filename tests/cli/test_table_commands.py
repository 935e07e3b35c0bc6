"""`bayeslaw check`, `fit` and `compare`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayeslaw as bl

GROUPED = ["--predictor", "N=params", "--group", "task", "--group", "dataset"]
type Run = Callable[..., tuple[int, str, str]]


def test_a_table_is_fitted_and_forecast(run: Run, tmp_path: Path) -> None:
    """By options, and again from a config file: the same numbers to the last digit."""
    sizes = np.geomspace(1e4, 1e8, 12)
    noise = np.exp(0.01 * np.random.default_rng(1).standard_normal(12))
    table = pd.DataFrame({"params": sizes, "error": 50 * sizes**-0.3 * noise})
    table.to_csv(tmp_path / "runs.csv", index=False)
    file = tmp_path / "fit.nc"
    code, out, err = run(
        "fit", tmp_path / "runs.csv", "--predictor", "N=params", "--response", "error",
        "--law", "pure_power", "--seed", 3, "--draws", 500, "--tune", 800, "--chains", 2,
        "--hold-out", "N=5e7", "--out", file, "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert result["converged"] is True
    assert result["sentences"][0].startswith("Converged: R-hat at most ")
    assert result["fit"] == str(file)
    rows = {row["parameter"]: row for row in result["parameters"]}
    assert set(rows) == {"N_c", "alpha", "sigma", "tau"}
    assert abs(rows["alpha"]["median"] - 0.3) < 4 * rows["alpha"]["sd"]
    assert bl.load(file).runs["N"].max() < 5e7

    study = tmp_path / "study.toml"
    study.write_text(
        f"[fit]\ntable = '{tmp_path / 'runs.csv'}'\npredictor = {{ N = 'params' }}\n"
        "response = 'error'\nlaw = 'pure_power'\nseed = 3\ndraws = 500\ntune = 800\nchains = 2\n"
        f"hold_out = {{ N = 5e7 }}\nout = '{file}'\njson = true\n"
    )
    assert run("fit", "--config", study) == (code, out, err)

    figure = tmp_path / "forecast.png"
    code, out, err = run(
        "forecast", file, "--at", "N=1e9,1e10", "--prob", 0.5, "--figure", figure, "--json"
    )
    assert (code, err) == (0, "")
    first, second = json.loads(out)["forecast"]
    assert (first["N"], second["N"]) == (1e9, 1e10)
    assert first["mean_lower"] < first["mean_median"] < first["mean_upper"]
    assert first["mean_median"] == pytest.approx(50 * 1e9**-0.3, rel=0.1)
    expected = bl.interval(bl.forecast(bl.load(file), bl.grid(N=[1e9, 1e10])), 0.5)
    assert second["new_run_upper"] == pytest.approx(float(expected["new_run"][2, 1]), rel=1e-12)
    assert figure.stat().st_size > 1000


def test_check(run: Run, folder: Path) -> None:
    code, text, err = run("check", folder / "runs.csv", *GROUPED)
    expected = [
        "96 runs, 12 curve(s).",
        "N: 3.0 decades and 8 distinct sizes in the median of 12 curve(s), at least 3.0 and 8.",
    ]
    assert (code, err) == (0, "")
    assert text.splitlines() == expected
    code, text, _ = run("check", folder / "runs.csv", *GROUPED, "--json")
    assert (code, json.loads(text)) == (0, {"sentences": expected})


def test_warnings_are_notes(run: Run, folder: Path, tmp_path: Path) -> None:
    table = pd.read_csv(folder / "runs.csv").query("task == 'c4'")
    table.to_csv(tmp_path / "one.csv", index=False)
    code, text, err = run("check", tmp_path / "one.csv", *GROUPED)
    assert code == 0
    assert text.startswith("32 runs, 4 curve(s).\n")
    assert err == (
        "note: group 'task' has one level, 'c4', in all 32 runs: dropped from the pooling\n"
    )
    assert run("check", tmp_path / "one.csv", *GROUPED, "--quiet") == (0, text, "")


def test_fit(run: Run, folder: Path, tmp_path: Path, prepared: list[dict[str, Any]]) -> None:
    out = tmp_path / "fit.nc"
    arguments = ["fit", folder / "runs.csv", *GROUPED, "--hold-out", "N=2e8", "--out", out]
    code, text, err = run(*arguments, "--json", "--seed", 4, "--draws", 7, "--tune", 8)
    assert (code, err) == (0, "")
    result = json.loads(text)
    assert result["sentences"] == list(bl.diagnose(bl.load(out)).sentences)
    assert result["parameters"][0].keys() == {
        "of", "label", "parameter", "median", "lower", "upper", "sd", "r_hat", "ess_bulk"
    }  # fmt: skip
    [call] = prepared
    assert call["model"].law.digest == bl.laws.power.digest
    assert call["model"].law.predictors == ("N",)
    assert call["model"].pooling == ["task", "dataset"]
    assert call["runs"].sizes["run"] == 72
    assert call["sampler"] == bl.Sampler(4, draws=7, tune=8, progressbar=False)


def test_fit_prints_convergence_first(
    run: Run, folder: Path, tmp_path: Path, prepared: list[dict[str, Any]]
) -> None:
    arguments = [
        folder / "runs.csv",
        *GROUPED,
        "--no-pool",
        "--no-discrepancy",
        "--out",
        tmp_path / "fit.nc",
    ]
    code, text, _ = run("fit", *arguments)
    assert code == 0
    assert text.startswith("Converged: R-hat at most ")
    assert "alpha" in text
    assert "books / web" in text
    assert prepared[0]["model"].pooling is None
    assert prepared[0]["runs"].sizes["run"] == 96


def test_a_failed_gate_exits_with_one(
    run: Run,
    folder: Path,
    tmp_path: Path,
    failed_fit: bl.Fit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bl, "fit", lambda *_, **__: failed_fit)
    sentence = "NOT CONVERGED, do not use: 7 divergences (should be none)."
    out = ["--out", tmp_path / "fit.nc"]
    code, text, _ = run("fit", folder / "runs.csv", *GROUPED, *out)
    assert code == 1
    assert text.startswith(f"{sentence}\n")
    code, text, _ = run("fit", folder / "runs.csv", *GROUPED, *out, "--json")
    assert code == 1
    result = json.loads(text)
    assert (result["converged"], result["sentences"][0]) == (False, sentence)
    assert {row["verdict"] for row in result["parameters"]} == {"NOT CONVERGED"}
    code, text, _ = run("compare", folder / "runs.csv", *GROUPED, "--laws", "power", "--json")
    assert code == 1
    result = json.loads(text)
    assert result["sentences"] == [f"power: {sentence}"]
    assert result["comparison"][0]["verdict"] == "NOT CONVERGED"


def test_compare(run: Run, folder: Path, tmp_path: Path, prepared: list[dict[str, Any]]) -> None:
    arguments = ["compare", folder / "runs.csv", *GROUPED, "--hold-out", "N=2e8", "--seed", 9]
    arguments += ["--draws", 7, "--tune", 8, "--chains", 3]
    code, text, err = run(*arguments, "--json")
    assert (code, err) == (0, "")
    result = json.loads(text)
    assert [sentence.partition(": ")[0] for sentence in result["sentences"]] == [
        "power", "pure_power", "log_linear"
    ]  # fmt: skip
    rows = {row["law"]: row for row in result["comparison"]}
    assert next(iter(rows)) == "power"
    assert set(rows) == {"power", "pure_power", "log_linear", "last value", "least squares"}
    assert rows["power"]["verdict"] == "best"
    assert rows["last value"]["log_score"] is None
    sampler = bl.Sampler(9, draws=7, tune=8, chains=3, progressbar=False)
    assert [call["model"].pooling for call in prepared] == [["task", "dataset"]] * 3
    assert all(call["sampler"] == sampler for call in prepared)
    assert all(call["runs"].sizes["run"] == 72 for call in prepared)
    figure = tmp_path / "comparison.PNG"
    code, text, _ = run(*arguments, "--figure", figure)
    assert code == 0
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert text.startswith("power: Converged: R-hat at most ")
    for name in rows:
        assert name in text.partition("\n\n")[2]


def test_compare_resumes_after_an_interrupt(
    run: Run,
    folder: Path,
    tmp_path: Path,
    prepared: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    crossed_fit: bl.Fit,
) -> None:
    arguments = ["compare", folder / "runs.csv", *GROUPED, "--hold-out", "N=2e8"]
    store = ["--store", tmp_path / "fits"]
    fit, laws = bl.fit, ["--laws", "power,log_linear"]

    def interrupted(model: bl.Model, runs: Any, **sampler: Any) -> bl.Fit:
        if model.law.name == "log_linear":
            raise bl.errors.Interrupted(crossed_fit)
        return fit(model, runs, **sampler)

    monkeypatch.setattr(bl, "fit", interrupted)
    lost = (
        "interrupted; nothing was saved; use --store FOLDER to save each fit when it is finished\n"
    )
    assert run(*arguments, *laws, "--json") == (130, "", lost)
    saved = f"interrupted; finished fits are saved in {store[1]}; run the same command to resume\n"
    assert run(*arguments, *laws, *store, "--json") == (130, "", saved)

    monkeypatch.setattr(bl, "fit", fit)
    prepared.clear()
    code, text, _ = run(*arguments, *laws, *store, "--json")
    assert (code, [call["model"].law.name for call in prepared]) == (0, ["log_linear"])
    assert text == run(*arguments, *laws, "--json")[1]
    prepared.clear()
    assert run(*arguments, *laws, *store, "--json", "--draws", 7)[0] == 0
    assert len(prepared) == 2  # other settings are other fits


def test_compare_by_the_column_held_out(
    run: Run, folder: Path, tmp_path: Path, prepared: list[dict[str, Any]]
) -> None:
    table = pd.read_csv(folder / "runs.csv")
    table.assign(held_out=table["params"] > 2e8).to_csv(tmp_path / "marked.csv", index=False)
    code, text, _ = run("compare", tmp_path / "marked.csv", *GROUPED, "--laws", "power", "--json")
    assert code == 0
    assert prepared[0]["runs"].sizes["run"] == 72
    assert json.loads(text)["comparison"][0]["rmsle"] > 0
