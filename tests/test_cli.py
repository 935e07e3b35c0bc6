"""The command line: what it answers, in text and JSON, and how it exits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
from bayeslaw.console import answer, plain
from bayeslaw.gate import Gate

GROUPED = ["--predictor", "N=params", "--group", "task", "--group", "dataset"]
type Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line: exit code, what was printed, what was said on the error stream."""

    def go(*arguments: object) -> tuple[int, str, str]:
        code = cli.run([str(item) for item in arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return go


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, crossed_runs: xr.Dataset, crossed_fit: bl.Fit
) -> Path:
    """A table of runs, a fit, and a fit that failed its gate."""
    place = tmp_path_factory.mktemp("cli")
    columns = ["params", "loss", "task", "dataset"]
    frame = crossed_runs.to_dataframe().reset_index().rename(columns={"N": "params"})
    frame[columns].to_csv(place / "runs.csv", index=False)
    bl.save(crossed_fit, place / "fit.nc")
    bl.save(failed(crossed_fit), place / "failed.nc")
    return place


def failed(fit: bl.Fit) -> bl.Fit:
    tree = fit.tree.copy()
    tree.attrs["gate"] = replace(Gate.of(tree), divergences=7).to_json()
    return replace(fit, tree=tree)


@pytest.fixture
def prepared(
    monkeypatch: pytest.MonkeyPatch,
    crossed_fit: bl.Fit,
    log_linear_fit: bl.Fit,
    pure_power_fit: bl.Fit,
) -> list[dict[str, Any]]:
    """Fits that are there already, in place of sampling; what was asked for is noted."""
    asked = []
    fits = {fit.model.law.name: fit for fit in (crossed_fit, log_linear_fit, pure_power_fit)}

    def fit(model: bl.Model, runs: xr.Dataset, **sampler: Any) -> bl.Fit:
        asked.append({"model": model, "runs": runs, **sampler})
        return fits[model.law.name]

    monkeypatch.setattr(bl, "fit", fit)
    return asked


# End to end


def test_a_table_is_fitted_and_forecast(run: Run, tmp_path: Path) -> None:
    sizes = np.geomspace(1e4, 1e8, 12)
    noise = np.exp(0.01 * np.random.default_rng(1).standard_normal(12))
    table = pd.DataFrame({"params": sizes, "error": 50 * sizes**-0.3 * noise})
    table.to_csv(tmp_path / "runs.csv", index=False)
    kept = tmp_path / "fit.nc"
    code, out, err = run(
        "fit", tmp_path / "runs.csv", "--predictor", "N=params", "--response", "error",
        "--law", "pure_power", "--seed", 3, "--draws", 400, "--tune", 300, "--chains", 2,
        "--hold-out", "N=5e7", "--out", kept, "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["converged"] is True
    assert told["sentences"][0].startswith("Converged: R-hat at most ")
    assert told["fit"] == str(kept)
    rows = {row["parameter"]: row for row in told["parameters"]}
    assert set(rows) == {"N_c", "alpha", "sigma"}
    assert abs(rows["alpha"]["median"] - 0.3) < 4 * rows["alpha"]["sd"]
    assert bl.load(kept).runs["N"].max() < 5e7

    figure = tmp_path / "forecast.png"
    code, out, err = run(
        "forecast", kept, "--at", "N=1e9,1e10", "--prob", 0.5, "--figure", figure, "--json"
    )
    assert (code, err) == (0, "")
    first, second = json.loads(out)["forecast"]
    assert (first["N"], second["N"]) == (1e9, 1e10)
    assert first["mean_lower"] < first["mean_median"] < first["mean_upper"]
    assert first["mean_median"] == pytest.approx(50 * 1e9**-0.3, rel=0.1)
    expected = bl.interval(bl.forecast(bl.load(kept), bl.grid(N=[1e9, 1e10])), 0.5)
    assert second["new_run_upper"] == pytest.approx(float(expected["new_run"][2, 1]), rel=1e-12)
    assert figure.stat().st_size > 1000


# Each command


def test_fit(run: Run, folder: Path, tmp_path: Path, prepared: list[dict[str, Any]]) -> None:
    out = tmp_path / "fit.nc"
    arguments = ["fit", folder / "runs.csv", *GROUPED, "--hold-out", "N=2e8", "--out", out]
    code, text, err = run(*arguments, "--json", "--seed", 4, "--draws", 7, "--tune", 8)
    assert (code, err) == (0, "")
    told = json.loads(text)
    assert told["sentences"] == list(bl.diagnose(bl.load(out)).sentences)
    assert told["parameters"][0].keys() == {
        "of", "label", "parameter", "median", "lower", "upper", "sd", "r_hat", "ess_bulk"
    }  # fmt: skip
    [asked] = prepared
    assert asked["model"].law.digest == bl.laws.power.digest
    assert asked["model"].law.predictors == ("N",)
    assert asked["model"].pooling == ["task", "dataset"]
    assert asked["runs"].sizes["run"] == 72
    sampler = {"random_seed": 4, "draws": 7, "tune": 8, "chains": 4, "progressbar": False}
    assert asked.items() >= sampler.items()


def test_fit_says_the_verdict_first(
    run: Run, folder: Path, tmp_path: Path, prepared: list[dict[str, Any]]
) -> None:
    arguments = [folder / "runs.csv", *GROUPED, "--no-pool", "--out", tmp_path / "fit.nc"]
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
    crossed_fit: bl.Fit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bl, "fit", lambda *_, **__: failed(crossed_fit))
    sentence = "NOT CONVERGED, do not use: 7 divergences (none is right)."
    out = ["--out", tmp_path / "fit.nc"]
    code, text, _ = run("fit", folder / "runs.csv", *GROUPED, *out)
    assert code == 1
    assert text.startswith(f"{sentence}\n")
    code, text, _ = run("fit", folder / "runs.csv", *GROUPED, *out, "--json")
    assert code == 1
    told = json.loads(text)
    assert (told["converged"], told["sentences"][0]) == (False, sentence)
    assert {row["verdict"] for row in told["parameters"]} == {"NOT CONVERGED"}
    code, text, _ = run("compare", folder / "runs.csv", *GROUPED, "--laws", "power", "--json")
    assert code == 1
    told = json.loads(text)
    assert told["sentences"] == [f"power: {sentence}"]
    assert told["comparison"][0]["verdict"] == "NOT CONVERGED"
    where = ["--at", "N=1e9", "--at", "task=c4", "--at", "dataset=web"]
    code, text, _ = run("forecast", folder / "failed.nc", *where)
    assert code == 1
    assert text.startswith(f"{sentence}\n")
    code, text, _ = run("forecast", folder / "failed.nc", *where, "--json")
    assert (code, json.loads(text)["converged"]) == (1, False)


def test_forecast(run: Run, folder: Path) -> None:
    where = ["--at", "N=1e9,1e10", "--at", "task=c4,new", "--at", "dataset=web"]
    code, text, err = run("forecast", folder / "fit.nc", *where, "--draw-new", "task", "--json")
    assert (code, err) == (0, "")
    told = json.loads(text)
    assert [(row["N"], row["task"], row["dataset"]) for row in told["forecast"]] == [
        (1e9, "c4", "web"), (1e9, "new", "web"), (1e10, "c4", "web"), (1e10, "new", "web"),
    ]  # fmt: skip
    assert set(told["forecast"][0]) == {
        "N", "task", "dataset", "mean_lower", "mean_median", "mean_upper",
        "new_run_lower", "new_run_median", "new_run_upper",
    }  # fmt: skip
    code, text, _ = run("forecast", folder / "fit.nc", *where, "--draw-new", "task")
    assert code == 0
    assert text.startswith("Beyond the data these bands hold only if the law does: ")
    assert f"{told['forecast'][0]['mean_median']:.4g}" in text


@pytest.fixture(scope="module")
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
    place = tmp_path_factory.mktemp("joint") / "fit.nc"
    bl.save(known_fit(bl.laws.chinchilla, drawn, runs), place)
    return place


def test_plan(run: Run, joint: Path) -> None:
    code, text, err = run("plan", joint, "--budget", "1e21,1e22", "--prob", 0.5, "--json")
    assert (code, err) == (0, "")
    told = json.loads(text)
    assert list(told) == ["converged", "caveats", "plan", "probability"]
    assert [(row["task"], row["budget"]) for row in told["probability"]] == [
        ("c4", 1e21), ("c4", 1e22), ("code", 1e21), ("code", 1e22),
    ]  # fmt: skip
    assert set(told["probability"][0]) == {"task", "budget", "in_range", "has_optimum"}
    assert [row["quantity"] for row in told["plan"][:6]] == [
        "N", "D", "D_per_N", "mean", "N_exponent", "D_exponent"
    ]  # fmt: skip
    drawn = bl.plan(bl.load(joint), [1e21, 1e22])
    bands = bl.interval(drawn, 0.5)["N"].sel(curve="code", budget=1e22)
    [row] = [
        row for row in told["plan"]
        if (row["task"], row["budget"], row["quantity"]) == ("code", 1e22, "N")
    ]  # fmt: skip
    for bound in ("lower", "median", "upper"):
        assert row[bound] == pytest.approx(float(bands.sel(bound=bound)), rel=1e-12)
    code, text, _ = run("plan", joint, "--budget", "1e21", "--at", "task=c4")
    assert code == 0
    assert text.startswith("Beyond the data these bands hold only if the law does: ")
    assert "code" not in text
    assert "D_per_N" in text


def test_requirement(run: Run, joint: Path, folder: Path) -> None:
    held = ["--along", "N", "--at", "D=1e11,1e12", "--at", "task=c4"]
    code, text, err = run("requirement", joint, "--target", "2.2,1.7", *held, "--json")
    assert (code, err) == (0, "")
    told = json.loads(text)
    assert [(row["task"], row["D"], row["target"]) for row in told["requirement"]] == [
        ("c4", 1e11, 2.2), ("c4", 1e11, 1.7), ("c4", 1e12, 2.2), ("c4", 1e12, 1.7),
    ]  # fmt: skip
    assert told["requirement"][3]["median"] == "inf"
    assert told["probability"][3]["probability"] < told["probability"][2]["probability"]
    code, text, _ = run("requirement", joint, "--target", "1.7", *held)
    assert "inf" in text
    paid = ["--along", "training_flops", "--largest", "1e22"]
    code, text, _ = run("requirement", joint, "--target", "2.2", *paid, "--json")
    told = json.loads(text)
    assert code == 0
    assert [row["quantity"] for row in told["requirement"]] == ["budget", "N", "D"] * 2
    expected = bl.requirement(bl.load(joint), 2.2, along=bl.training_flops, largest=1e22)
    found = [row["probability"] for row in told["probability"]]
    assert found == expected["probability"].values[:, 0].tolist()
    failed = [folder / "failed.nc", "--target", "4", "--at", "task=c4", "--at", "dataset=web"]
    code, text, _ = run("requirement", *failed)
    assert code == 1
    assert text.startswith("NOT CONVERGED")


def test_compare(run: Run, folder: Path, prepared: list[dict[str, Any]]) -> None:
    arguments = ["compare", folder / "runs.csv", *GROUPED, "--hold-out", "N=2e8", "--seed", 9]
    code, text, err = run(*arguments, "--json")
    assert (code, err) == (0, "")
    told = json.loads(text)
    assert [sentence.partition(": ")[0] for sentence in told["sentences"]] == [
        "power", "pure_power", "log_linear"
    ]  # fmt: skip
    rows = {row["law"]: row for row in told["comparison"]}
    assert next(iter(rows)) == "power"
    assert set(rows) == {"power", "pure_power", "log_linear", "last value", "least squares"}
    assert rows["power"]["verdict"] == "best"
    assert rows["last value"]["log_score"] is None
    assert [asked["random_seed"] for asked in prepared] == [9, 9, 9]
    assert all(asked["runs"].sizes["run"] == 72 for asked in prepared)
    code, text, _ = run(*arguments)
    assert code == 0
    assert text.startswith("power: Converged: R-hat at most ")
    for name in rows:
        assert name in text.partition("\n\n")[2]


def test_compare_by_the_mark_in_the_data(
    run: Run, folder: Path, tmp_path: Path, prepared: list[dict[str, Any]]
) -> None:
    table = pd.read_csv(folder / "runs.csv")
    table.assign(held_out=table["params"] > 2e8).to_csv(tmp_path / "marked.csv", index=False)
    code, text, _ = run("compare", tmp_path / "marked.csv", *GROUPED, "--laws", "power", "--json")
    assert code == 0
    assert prepared[0]["runs"].sizes["run"] == 72
    assert json.loads(text)["comparison"][0]["rmsle"] > 0


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


def test_laws(run: Run) -> None:
    code, text, err = run("laws")
    assert (code, err) == (0, "")
    assert all(name in text for name in bl.laws.names())
    assert "L_0 + k N^-alpha" in text
    code, text, _ = run("laws", "--json")
    told = {row["law"]: row for row in json.loads(text)["laws"]}
    assert (code, list(told)) == (0, bl.laws.names())
    assert told["chinchilla"] == {
        "law": "chinchilla",
        "formula": "E + A N^-alpha + B D^-beta",
        "predictors": ["N", "D"],
        "parameters": {
            "E": "Floor", "A": "Amplitude", "alpha": "Exponent", "B": "Amplitude",
            "beta": "Exponent",
        },
        "about": "Additive power laws in parameters and tokens (Hoffmann et al. 2022, eq. 2).",
    }  # fmt: skip


@pytest.mark.parametrize("name", bl.laws.names())
def test_formulas_are_plain(name: str) -> None:
    formula = plain(bl.laws.find(name).latex or "")
    assert formula
    assert not set(formula) & set("\\{}")
    assert formula.count("(") == formula.count(")")


def test_one_law(run: Run) -> None:
    code, text, err = run("laws", "data_constrained")
    assert (code, err) == (0, "")
    assert text.startswith(
        "law: data_constrained\nformula: E + A [U_N (1 + R_N (1 - e^(-r_N / R_N)))]"
    )
    assert bl.laws.data_constrained.doc in text
    told = json.loads(run("laws", "data_constrained", "--json")[1])
    assert told["latex"] == bl.laws.data_constrained.latex
    assert told["predictors"][2] == {"predictor": "epochs", "response": "rises", "unit": "none"}
    assert told["parameters"][1] == {
        "parameter": "A",
        "role": "Amplitude",
        "prior": "LogNormal(median=1.0, factor=4.5)",
        "spread": "HalfNormal(sd=1.0)",
        "meaning": "size of a term at the reference",
    }


def test_data(run: Run) -> None:
    code, text, err = run("data")
    assert (code, err) == (0, "")
    public = bl.datasets.names(public=True)
    assert all(name in text for name in [*bl.datasets.names(), *public])
    told = {row["data"]: row for row in json.loads(run("data", "--json")[1])["data"]}
    assert {name for name, row in told.items() if row["from"] == "public"} == set(public)
    assert told["tiny_lm"]["predictors"] == ["N", "D"]
    assert told["steplaw"]["licence"] == "none stated"
    assert (told["steplaw"]["rows"], told["steplaw"]["groups"]) == (1911, [])
    assert (told["tiny_lm"]["rows"], told["tiny_lm"]["runs"]) == (1552, 888)


def test_one_data_set(run: Run) -> None:
    code, text, err = run("data", "steplaw")
    assert (code, err) == (0, "")
    assert "rows: 1911\nruns: 1911\nlicence: none stated\n" in text
    for line in (
        *bl.datasets.info("steplaw").notes,
        *bl.datasets.info("steplaw").provenance["citation"],
    ):
        assert f"\n{line}\n" in text
    assert (
        "dense_lr_bs_loss.csv: made from data/dense_lr_bs_loss.csv of https://github.com/" in text
    )
    told = json.loads(run("data", "learners", "--json")[1])
    assert told["provenance"] == dict(bl.datasets.info("learners").provenance)
    uses = {row["column"]: row["use"] for row in told["columns"]}
    about = bl.datasets.info("learners")
    assert uses[about.response] == "response"
    assert uses[about.predictors["D"]] == "predictor D"
    assert {column for column, use in uses.items() if use == "group"} == set(about.groups)
    assert "Measured by benchmarks/learners" in run("data", "learners")[1]


def test_warnings_are_notes(run: Run, folder: Path, tmp_path: Path) -> None:
    table = pd.read_csv(folder / "runs.csv").query("task == 'c4'")
    table.to_csv(tmp_path / "one.csv", index=False)
    code, text, err = run("check", tmp_path / "one.csv", *GROUPED)
    assert code == 0
    assert text.startswith("32 runs, 4 curve(s).\n")
    assert err == (
        "note: group 'task' has one level, 'c4', in all 32 runs: dropped from the pooling\n"
    )


# Wrong input


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["check", "runs.csv", "--predictor", "N=parms"],
            "column 'parms' is not in the table; did you mean 'params'? It has: params, loss, "
            "task, dataset",
        ),
        (
            ["fit", "runs.csv", *GROUPED, "--law", "powr"],
            f"no law is called 'powr'; did you mean 'power'? There are {bl.laws.names()}",
        ),
        (
            ["compare", "runs.csv", *GROUPED, "--laws", "power,zzz"],
            f"no law is called 'zzz'. There are {bl.laws.names()}",
        ),
        (["check", "runs.csv"], 'Command "check" parameter --predictor requires an argument.'),
        (
            ["fit", "runs.csv", *GROUPED, "--draws", "many"],
            'Invalid value for --draws: unable to convert "many" into int.',
        ),
        (
            ["fit", "runs.csv", *GROUPED, "--drows", "7"],
            "Unknown option: --drows. Did you mean --draws?",
        ),
        (
            ["fot"],
            'Unknown command "fot". Did you mean "fit"? Available commands: demo, fit, forecast, '
            "plan, requirement, compare, check, laws, ...",
        ),
        (
            ["laws", "powr"],
            f"no law is called 'powr'; did you mean 'power'? There are {bl.laws.names()}",
        ),
        (
            ["data", "lerners"],
            "unknown data set 'lerners' (did you mean 'learners'?); there are: learners, tiny_lm, "
            "tiny_lm_curves, tiny_lm_repeats, and 29 public ones that names(public=True) lists",
        ),
        (
            ["fit", "runs.csv", *GROUPED, "--hold-out", "N=large"],
            "N=large: 'large' is not a number; write N=1e9",
        ),
        (
            ["fit", "runs.csv", *GROUPED, "--hold-out", "D=1e8"],
            "'D' is not a predictor; there are: N",
        ),
        (
            ["fit", "runs.csv", *GROUPED, "--hold-out", "N=1e20"],
            "every run has N <= 1e+20: N in the data is 1e+06 to 1e+09",
        ),
        (
            ["check", "runs.csv", "--predictor", "N=params", "--predictor", "N=loss"],
            "'N' is given twice: N=params and N=loss",
        ),
        (["check", "nothing.csv", "--predictor", "N"], "there is no file 'nothing.csv'"),
        (
            ["forecast", "nothing.nc", "--at", "N=1e9"],
            "cannot read 'nothing.nc': No such file or directory",
        ),
        (["forecast", "fit.nc"], 'Command "forecast" parameter --at requires an argument.'),
        (
            ["forecast", "fit.nc", "--at", "N=1e9", "--at", "N=1e10"],
            "'N' is given twice: N=1e9 and N=1e10",
        ),
        (
            ["forecast", "fit.nc", "--at", "N=1e9", "--at", "task=c4", "--at", "dataset=wob"],
            "dataset 'wob' is not in this fit, which has ['web', 'wiki', 'forum', 'news']; to draw "
            "a new dataset from the population ask for draw_new=['dataset']",
        ),
        (
            ["forecast", "fit.nc", "--at", "N=1e9", "--at", "task=c4"],
            "the grid does not say which 'dataset'; the fit has ['web', 'wiki', 'forum', 'news']",
        ),
        (
            ["forecast", "fit.nc", "--at", "N=1e9", "--at", "task=c4", "--at", "dataset=web",
             "--prob", "90"],
            "prob must lie between 0 and 1, got 90.0",
        ),
        (
            ["plan", "fit.nc", "--budget", "1e21"],
            "cost training_flops(N, D) takes 'D', which is no predictor of law 'power'; those are "
            "['N']; take a law that has it, or hold it at a value: at={'D': ...}",
        ),
        (
            ["plan", "fit.nc", "--budget", "large"],
            "--budget=large: 'large' is not a number; write --budget=1e9",
        ),
        (
            ["requirement", "fit.nc", "--target", "2", "--along", "D"],
            "along='D' is no predictor of law 'power'; say which of ['N']",
        ),
        (
            ["fit", "runs.csv", *GROUPED, "--draws", "0"],
            "draws must be at least 1, got 0",
        ),
        (
            ["fit", "runs.csv", *GROUPED, "--seed", "-1"],
            "random_seed must be a whole number, 0 or more, got -1",
        ),
        (
            ["fit", "runs.csv", *GROUPED, "--law", "chinchilla"],
            "law 'chinchilla' needs the predictor 'D', and --predictor names ['N']; add "
            "--predictor D=COLUMN",
        ),
        (
            ["compare", "runs.csv", *GROUPED, "--laws", "power,chinchilla"],
            "law 'chinchilla' needs the predictor 'D', and --predictor names ['N']; add "
            "--predictor D=COLUMN",
        ),
    ],
)  # fmt: skip
def test_wrong_input_is_one_line_and_exits_with_two(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.chdir(folder)
    code, out, err = run(*arguments)
    assert (code, out, err) == (2, "", f"error: {sentence}\n")


def test_a_file_that_is_not_a_fit(run: Run, folder: Path) -> None:
    code, out, err = run("forecast", folder / "runs.csv", "--at", "N=1e9")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_an_interrupt(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> bl.Fit:
        raise KeyboardInterrupt

    monkeypatch.setattr(bl, "fit", interrupted)
    out = tmp_path / "fit.nc"
    told = run("fit", folder / "runs.csv", *GROUPED, "--out", out)
    assert told == (130, "", "interrupted; nothing was written\n")
    assert not out.exists()


# The program


def test_main_exits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"{bl.__version__}\n"
    monkeypatch.setattr(sys, "argv", ["bayeslaw", "nothing"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2


@pytest.mark.parametrize("arguments", [["laws"], ["laws", "--json"]])
def test_a_reader_that_stops_is_no_failure(arguments: list[str]) -> None:
    code = f"from bayeslaw.cli import main; main({arguments})"
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (141, "")


def test_infinities_are_text_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    values = [np.inf, -np.inf, np.nan, 0.1]
    answer({"table": pd.DataFrame({"size": values, "name": list("abcd")})}, True)
    rows = json.loads(capsys.readouterr().out)["table"]
    assert [row["size"] for row in rows] == ["inf", "-inf", None, 0.1]
    assert [row["name"] for row in rows] == list("abcd")


def test_help_is_quick() -> None:
    """Nothing that takes long is imported to print help."""
    code = (
        "import sys\n"
        "from bayeslaw.cli import run\n"
        "for name in ('', 'demo', 'fit', 'forecast', 'plan', 'requirement', 'compare', 'check', "
        "'laws', 'data'):\n"
        "    assert run([*name.split(), '--help']) == 0\n"
        "heavy = {'pymc', 'pytensor', 'arviz', 'scipy', 'matplotlib', 'pandas', 'xarray', 'numpy'}"
        " & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for word in ("demo", "forecast", "--hold-out", "--draw-new", "--laws", "Folder for the figure"):
        assert word in done.stdout
