"""`bayeslaw diagnose`, `forecast`, `plan` and `requirement`."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayeslaw as bl
from bayeslaw.cli import fit_commands
from bayeslaw.data.table import read_points
from bayeslaw.model.noise_kind import Noise

type Run = Callable[..., tuple[int, str, str]]


def test_forecast(run: Run, folder: Path) -> None:
    points = ["--at", "N=1e9,1e10", "--at", "task=c4,new", "--at", "dataset=web"]
    code, text, err = run("forecast", folder / "fit.nc", *points, "--draw-new", "task", "--json")
    assert (code, err) == (0, "")
    result = json.loads(text)
    assert [(row["N"], row["task"], row["dataset"]) for row in result["forecast"]] == [
        (1e9, "c4", "web"), (1e9, "new", "web"), (1e10, "c4", "web"), (1e10, "new", "web"),
    ]  # fmt: skip
    assert set(result["forecast"][0]) == {
        "N", "task", "dataset", "mean_lower", "mean_median", "mean_upper",
        "new_run_lower", "new_run_median", "new_run_upper", "decided by",
    }  # fmt: skip
    assert {row["decided by"] for row in result["forecast"]} <= {"data", "prior", "law"}
    assert "0.9 decades beyond the data" in result["what decides"][0]
    assert [sentence.split(": ")[0] for sentence in result["what decides"]] == [
        *("N=1e+09, task=c4", "N=1e+09, task=new", "N=1e+10, task=c4", "N=1e+10, task=new")
    ]
    code, text, _ = run("forecast", folder / "fit.nc", *points, "--draw-new", "task")
    assert code == 0
    assert text.startswith("Beyond the data these bands hold only if the law does: ")
    assert f"{result['forecast'][0]['mean_median']:.4g}" in text


def test_rivals_of_a_forecast(run: Run, folder: Path) -> None:
    points = ["--at", "N=1e9", "--at", "task=c4", "--at", "dataset=web", "--json"]
    for option in ([], ["--rivals"]):
        _, text, _ = run("forecast", folder / "fit.nc", *points, *option)
        [sentence] = json.loads(text)["what decides"]
        assert ("no other law was compared" in sentence) is (not option)


def test_plan(run: Run, joint: Path) -> None:
    code, text, err = run("plan", joint, "--budget", "1e21,1e22", "--prob", 0.5, "--json")
    assert (code, err) == (0, "")
    result = json.loads(text)
    assert list(result) == ["converged", "caveats", "plan", "probability"]
    assert [(row["task"], row["budget"]) for row in result["probability"]] == [
        ("c4", 1e21), ("c4", 1e22), ("code", 1e21), ("code", 1e22),
    ]  # fmt: skip
    assert set(result["probability"][0]) == {"task", "budget", "in_range", "has_optimum"}
    assert [row["quantity"] for row in result["plan"][:6]] == [
        "N", "D", "D_per_N", "mean", "N_exponent", "D_exponent"
    ]  # fmt: skip
    drawn = bl.plan(bl.load(joint), [1e21, 1e22])
    bands = bl.interval(drawn, 0.5)["N"].sel(curve="code", budget=1e22)
    [row] = [
        row for row in result["plan"]
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
    result = json.loads(text)
    assert [(row["task"], row["D"], row["target"]) for row in result["requirement"]] == [
        ("c4", 1e11, 2.2), ("c4", 1e11, 1.7), ("c4", 1e12, 2.2), ("c4", 1e12, 1.7),
    ]  # fmt: skip
    assert result["requirement"][3]["median"] == "inf"
    assert result["probability"][3]["probability"] < result["probability"][2]["probability"]
    code, text, _ = run("requirement", joint, "--target", "1.7", *held)
    assert "inf" in text
    paid = ["--along", "training_flops", "--largest", "1e22"]
    code, text, _ = run("requirement", joint, "--target", "2.2", *paid, "--json")
    result = json.loads(text)
    assert code == 0
    assert [row["quantity"] for row in result["requirement"]] == ["budget", "N", "D"] * 2
    expected = bl.requirement(bl.load(joint), 2.2, along=bl.training_flops, largest=1e22)
    probabilities = [row["probability"] for row in result["probability"]]
    assert probabilities == expected["probability"].values[:, 0].tolist()
    failed = [folder / "failed.nc", "--target", "4", "--at", "task=c4", "--at", "dataset=web"]
    code, text, _ = run("requirement", *failed)
    assert code == 1
    assert text.startswith("NOT CONVERGED")


def test_a_file_that_is_not_a_fit(run: Run, folder: Path) -> None:
    code, out, err = run("forecast", folder / "runs.csv", "--at", "N=1e9")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_a_forecast_of_a_table(run: Run, folder: Path, tmp_path: Path) -> None:
    """Later runs, with their observed response next to the bands and no note on pooling."""
    table = pd.read_csv(folder / "runs.csv").query("task == 'c4' and params > 2e8")
    table.to_csv(tmp_path / "later.csv", index=False)
    columns = ["--predictor", "N=params", "--group", "task", "--group", "dataset"]
    code, text, err = run("forecast", folder / "fit.nc", tmp_path / "later.csv", *columns, "--json")
    assert (code, err) == (0, "")
    rows = pd.DataFrame(json.loads(text)["forecast"])
    assert rows["N"].tolist() == table["params"].tolist()
    assert rows["loss"].tolist() == pytest.approx(table["loss"].tolist(), rel=1e-12)
    point = {"N": table["params"].iloc[0], "task": "c4", "dataset": table["dataset"].iloc[0]}
    expected = bl.interval(bl.forecast(bl.load(folder / "fit.nc"), bl.grid(**point)))["mean"]
    band = rows.loc[0, ["mean_lower", "mean_median", "mean_upper"]]
    assert band.tolist() == pytest.approx(expected.values[:, 0].tolist(), rel=1e-9)


def points_file(path: Path, count: int) -> pd.DataFrame:
    """A file of points in another order of columns, with one that no fit has."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({
        "note": "x",
        "dataset": rng.choice(["web", "wiki"], count),
        "N": np.geomspace(1e6, 1e12, count),
        "task": rng.choice(["c4", "code"], count),
    })  # fmt: skip
    table.to_csv(path, index=False)
    return table


def test_a_forecast_of_a_file_of_points(run: Run, folder: Path, tmp_path: Path) -> None:
    table = points_file(tmp_path / "points.csv", 5)
    points = ["--at", tmp_path / "points.csv"]
    code, text, err = run("forecast", folder / "fit.nc", *points, "--json")
    assert (code, err) == (0, "")
    rows = pd.DataFrame(json.loads(text)["forecast"])
    for name in ("N", "task", "dataset"):
        assert rows[name].tolist() == table[name].tolist()
    one = table.iloc[3]
    grid = bl.grid(N=one["N"], task=one["task"], dataset=one["dataset"])
    expected = bl.interval(bl.forecast(bl.load(folder / "fit.nc"), grid))["mean"]
    band = rows.loc[3, ["mean_lower", "mean_median", "mean_upper"]]
    assert band.tolist() == pytest.approx(expected.values[:, 0].tolist(), rel=1e-9)


@pytest.mark.parametrize("name", ["points.csv", "points.tsv", "points.parquet"])
def test_bands_are_written_block_by_block(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(fit_commands, "MANY", 10)
    monkeypatch.setattr(fit_commands, "BLOCK", 4)
    table = points_file(tmp_path / "points.csv", 11)
    if name.endswith("tsv"):
        table.to_csv(tmp_path / name, index=False, sep="\t")
    if name.endswith("parquet"):
        table.to_parquet(tmp_path / name)
    command = ["forecast", folder / "fit.nc", "--at", tmp_path / name, "--prob", 0.5]
    code, out, err = run(*command)
    assert (code, out) == (2, "")
    assert err.endswith("has more than 10 points: write their bands to a file, --out bands.csv\n")
    code, text, _ = run(*command, "--out", tmp_path / "bands.csv", "--json")
    answer = json.loads(text)
    assert (code, answer["points"], answer["bands"]) == (0, 11, str(tmp_path / "bands.csv"))
    written = pd.read_csv(tmp_path / "bands.csv")
    for column in ("N", "task", "dataset"):
        assert written[column].tolist() == pytest.approx(table[column].tolist())
    whole = read_points(tmp_path / name, ["N"], ["task", "dataset"], 100)
    bands = bl.forecast_bands(bl.load(folder / "fit.nc"), next(whole), prob=0.5)
    for name, bound in itertools.product(bands, ("lower", "median", "upper")):
        np.testing.assert_allclose(written[f"{name}_{bound}"], bands[name].sel(bound=bound))


def test_bands_of_later_runs_and_of_a_grid_are_written(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    columns = ["--predictor", "N=params", "--group", "task", "--group", "dataset"]
    fit, out = folder / "fit.nc", tmp_path / "bands.csv"
    code, *_ = run("forecast", fit, folder / "runs.csv", *columns, "--out", out)
    later = pd.read_csv(folder / "runs.csv")
    assert code == 0
    assert pd.read_csv(out)["loss"].tolist() == pytest.approx(later["loss"].tolist())
    code, *_ = run("forecast", fit, "--at", "N=1e9,1e10", "--at", "task=c4", "--at",
                   "dataset=web", "--out", out)  # fmt: skip
    assert (code, pd.read_csv(out)["N"].tolist()) == (0, [1e9, 1e10])
    points_file(tmp_path / "points.csv", 3)
    code, *_ = run("forecast", folder / "failed.nc", "--at", tmp_path / "points.csv", "--out", out)
    assert code == 1


REFUSED_OUTPUT = {
    "figure": (["--figure", "f.png"], "--figure needs all draws, which --out does not make"),
    "rivals": (["--rivals"], "--rivals needs all draws, which --out does not make"),
    "input": (["--out", "points.csv"], "it is the input 'points.csv'; name another file"),
}


@pytest.mark.parametrize(("options", "sentence"), REFUSED_OUTPUT.values(), ids=REFUSED_OUTPUT)
def test_what_is_not_written(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    options: list[str], sentence: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    points_file(Path("points.csv"), 3)
    out = [] if "--out" in options else ["--out", "bands.csv"]
    code, text, err = run("forecast", folder / "fit.nc", "--at", "points.csv", *options, *out)
    assert (code, text) == (2, "")
    assert sentence in err
    assert [path.name for path in tmp_path.iterdir()] == ["points.csv"]


def test_an_invalid_point_leaves_no_file(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_commands, "BLOCK", 2)
    monkeypatch.chdir(tmp_path)
    lines = ["N,task,dataset", "1e9,c4,web", "1e9,c4,web", "1e9,c4,web", "-1,c4,web"]
    Path("points.csv").write_text("\n".join(lines))
    command = ["forecast", folder / "fit.nc", "--at", "points.csv", "--out", "bands.csv"]
    code, _, err = run(*command, "--quiet")
    assert code == 2
    assert "column 'N', line 5 of 'points.csv': '-1' is not positive" in err
    assert [path.name for path in tmp_path.iterdir()] == ["points.csv"]
    Path("points.csv").write_text("N,task\n1e9,c4\n")
    code, _, err = run(*command, "--quiet")
    assert (code, "column 'dataset' is not in the table" in err) == (2, True)


def test_a_forecast_of_a_fit_that_failed(run: Run, folder: Path) -> None:
    points = ["--at", "N=1e9", "--at", "task=c4", "--at", "dataset=web"]
    code, text, _ = run("forecast", folder / "failed.nc", *points)
    assert code == 1
    assert text.startswith("NOT CONVERGED, do not use: 7 divergences (should be none).\n")
    code, text, _ = run("forecast", folder / "failed.nc", *points, "--json")
    assert (code, json.loads(text)["converged"]) == (1, False)


def test_diagnose(run: Run, folder: Path) -> None:
    code, text, err = run("diagnose", folder / "fit.nc", "--prob", 0.5, "--json")
    assert (code, err) == (0, "")
    result, fit = json.loads(text), bl.load(folder / "fit.nc")
    diagnosis, summary = bl.diagnose(fit), bl.summary(fit, prob=0.5)
    assert result["sentences"] == list(diagnosis.sentences)
    assert [row["driven_by"] for row in result["learned"]] == diagnosis.learned[
        "driven_by"
    ].tolist()
    assert [row["upper"] for row in result["parameters"]] == pytest.approx(
        summary["upper"].tolist()
    )
    code, text, _ = run("diagnose", folder / "failed.nc")
    assert code == 1
    assert text.startswith("NOT CONVERGED, do not use: 7 divergences")
    result = json.loads(run("diagnose", folder / "fit.nc", "--json")[1])
    expected = bl.summary(fit, prob=0.9)["upper"].tolist()
    assert [row["upper"] for row in result["parameters"]] == pytest.approx(expected)


TWO_PIECE = """
from dataclasses import dataclass
import bayeslaw as bl

@dataclass(frozen=True)
class TwoPiece(bl.Gaussian):
    pass
"""


def test_a_module_is_imported_before_a_fit_is_opened(
    run: Run, folder: Path, crossed_fit: bl.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "two_piece.py").write_text(TWO_PIECE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(Noise, "kinds", {name: {**own} for name, own in Noise.kinds.items()})
    path = tmp_path / "own.nc"
    points = ["--at", "N=1e9", "--at", "task=c4", "--at", "dataset=web", "--json"]
    code, _, err = run("forecast", path, *points, "--import", "nowhere")
    assert (code, err) == (2, "error: No module named 'nowhere'\n")
    assert run("forecast", folder / "fit.nc", *points, "--import", "two_piece")[0] == 0
    noise = sys.modules.pop("two_piece").TwoPiece()
    bl.save(replace(crossed_fit, model=replace(crossed_fit.model, noise=noise)), path)
    del Noise.kinds["TwoPiece"]
    code, _, err = run("forecast", path, *points)
    assert code == 2
    assert err.endswith("commands take --import two_piece\n")
    code, _, err = run("forecast", path, *points, "--import", "two_piece")
    assert (code, err) == (0, "")


def test_a_fit_that_did_not_converge_has_no_drivers(run: Run, folder: Path) -> None:
    points = ["--at", "N=1e9,1e10", "--at", "task=c4", "--at", "dataset=web", "--json"]
    code, text, _ = run("forecast", folder / "failed.nc", *points)
    result = json.loads(text)
    assert code == 1
    assert {row["decided by"] for row in result["forecast"]} == {"not examined"}
    assert result["what decides"] == ["Not examined: the fit did not converge."]
