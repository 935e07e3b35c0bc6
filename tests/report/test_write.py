"""The content of the page, by parsing the file."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw.report import write_report

type Read = Callable[[Path], Any]

SECTIONS = [
    "answer", "data", "model", "priors", "diagnostics", "parameters", "forecast", "comparison",
    "checklist", "provenance",
]  # fmt: skip


def words(page: Any, section: str) -> str:
    return " ".join(page.by_id(section).text.split())


def test_sections_are_there_and_linked(read: Read, full_report: Path) -> None:
    page = read(full_report)
    assert [each.attributes["id"] for each in page.all("section")] == SECTIONS
    links = [each.attributes["href"] for each in page.all("a")]
    assert links == ["#main", *(f"#{name}" for name in SECTIONS)]
    names = [each.attributes["id"] for each in page.elements if "id" in each.attributes]
    assert len({*names}) == len(names)
    for each in page.elements:
        for label in each.attributes.get("aria-labelledby", "").split():
            assert page.by_id(label).text.strip()


def test_headings_landmarks_and_pictures(read: Read, full_report: Path) -> None:
    page = read(full_report)
    headings = [each.tag for each in page.elements if each.tag in ("h1", "h2", "h3", "h4")]
    assert headings == ["h1", *["h2"] * len(SECTIONS)]
    for tag in ("header", "nav", "main"):
        assert len(page.all(tag)) == 1
    assert page.all("html")[0].attributes["lang"] == "en"
    pictures = page.all("img")
    assert len(pictures) == 4
    for each in pictures:
        assert each.attributes["src"].startswith("data:image/png;base64,")
        assert len(each.attributes["alt"]) > 40
    for each in page.all("th"):
        assert each.attributes["scope"] in ("col", "row")


def test_file_is_complete_and_small(full_report: Path) -> None:
    text = full_report.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert full_report.stat().st_size < 6e6
    assert text.count('id="plotly"') == 1


def test_question_is_text(read: Read, full_report: Path) -> None:
    page = read(full_report)
    question = "Is 1 < 2 & is <b>the floor</b> real?"
    assert page.all("h1")[0].text == page.all("title")[0].text == question


def test_data_are_described(read: Read, full_report: Path, crossed_fit: bl.Fit) -> None:
    page = read(full_report)
    rows = {row["variable"]: row for row in page.table("sizes")}
    sizes = crossed_fit.runs["N"].values
    assert float(rows["N"]["smallest"]) == pytest.approx(sizes.min(), rel=1e-3)
    assert float(rows["N"]["largest"]) == pytest.approx(sizes.max(), rel=1e-3)
    assert float(rows["N"]["largest held out"]) == pytest.approx(1e9, rel=1e-3)
    assert rows["N"]["distinct"] == "6"
    text = words(page, "data")
    assert "72 runs on 12 curves are fitted. 24 further runs were held out." in text
    assert "task: c4, books, code." in text
    assert "No exact copies" in text


def test_model_is_described(read: Read, full_report: Path) -> None:
    page = read(full_report)
    assert page.all("math")[0].attributes["display"] == "block"
    assert page.all("mfrac") == []
    text = words(page, "model")
    assert "an effect of its task, an effect of its dataset" in text
    assert "Noise: Student-t with 4 degrees of freedom on the logarithm of the response." in text
    assert "Discrepancy: none" in text
    assert [row["parameter"] for row in page.table("roles")] == ["L0", "k", "alpha", "sigma"]


def test_priors_are_those_of_the_tree(read: Read, full_report: Path, crossed_fit: bl.Fit) -> None:
    rows = {row["parameter"]: row for row in read(full_report).table("priors-table")}
    assert rows["alpha"]["prior"] == "LogNormal, median 0.2, factor 2.23"
    assert rows["sd_alpha"]["prior"] == "HalfNormal, sd 0.3"
    drawn = crossed_fit.tree["prior"]["alpha_population"].values
    assert float(rows["alpha"]["median"]) == pytest.approx(np.median(drawn), rel=1e-3)


def test_parameters_are_the_summary(read: Read, full_report: Path, crossed_fit: bl.Fit) -> None:
    rows = read(full_report).table("parameter-alpha")
    expected = bl.summary(crossed_fit).xs("alpha", level="parameter")
    assert [(row["of"], row["name"]) for row in rows] == list(expected.index)
    for column in ("lower", "median", "upper"):
        values = [float(row[column]) for row in rows]
        assert values == pytest.approx(expected[column].tolist(), rel=2e-3)


def test_forecast_is_the_forecast(read: Read, full_report: Path, crossed_fit: bl.Fit) -> None:
    page = read(full_report)
    rows = page.table("forecast-table")
    assert len(rows) == 36
    assert [row["times fitted"] for row in rows[:3]] == ["1.00", "3.16", "10.00"]
    points = bl.grid(N=[1.389495e9], task="c4", dataset="web")
    drawn = bl.interval(bl.forecast(crossed_fit, points, draws=2000), 0.9)
    for name, label in (("mean", "curve"), ("new_run", "new run")):
        expected = drawn[name].values[:, 0]
        quantiles = [float(rows[2][f"{label} {level}"]) for level in ("5%", "50%", "95%")]
        assert quantiles == pytest.approx(expected.tolist(), rel=2e-3)


def test_figure_has_the_numbers_of_the_table(read: Read, full_report: Path) -> None:
    page = read(full_report)
    data = json.loads(page.by_id("explorer-data").text)
    assert (data["predictor"], data["response"]) == ("N", "loss")
    assert len(data["lines"]) == 12
    line, row = data["lines"][0], page.table("forecast-table")[0]
    index = line["sizes"].index(float(row["N"]))
    assert line["new_run"]["95%"][index] == pytest.approx(float(row["new run 95%"]), rel=1e-3)
    assert line["start"] == pytest.approx(1.389e8, rel=1e-3)
    assert (len(line["fitted"][0]), len(line["later"][0])) == (6, 2)
    assert sorted(line["sizes"]) == line["sizes"]


def test_held_out_runs_and_rivals_are_compared(read: Read, full_report: Path) -> None:
    page = read(full_report)
    rows = {row["law"]: row["verdict"] for row in page.table("laws")}
    assert rows == {
        "power": "best", "log-linear": "worse", "last value": "baseline",
        "least squares": "baseline",
    }  # fmt: skip
    for section in ("answer", "comparison"):
        assert "Of 24 held-out runs" in words(page, section)
        assert "power: best" in words(page, section)


def test_answer_has_forecast_and_caveats(read: Read, full_report: Path) -> None:
    text = words(read(full_report), "answer")
    assert text.startswith("The answer in short Converged: R-hat")
    assert "c4 / web: at N = 1.39e9, 10 times the largest fitted, the loss is" in text
    assert "9 more are in the forecast below." in text
    assert "Beyond the data these bands hold only if the law does" in text


def test_checklist_and_provenance(read: Read, full_report: Path) -> None:
    page = read(full_report)
    rows = {row["item"]: row["answer"] for row in page.table("checklist-training")}
    assert rows["training data"] == "simulated"
    assert rows["architecture"] == "not recorded"
    assert "72 runs on 12 curve(s)" in rows["models"]
    assert "19 of 29 points are answered, 10 are not recorded" in words(page, "checklist")
    provenance = {row["what"]: row["value"] for row in page.table("versions")}
    assert provenance["random seed"] == "1"
    assert provenance["bayeslaw"] == bl.__version__
    assert "sampler = bl.Sampler(random_seed=1, draws=500" in words(page, "provenance")
    assert "bl.fit(model, runs, sampler=sampler)" in words(page, "provenance")


def test_failed_gate_is_a_banner(read: Read, failed_report: Path, full_report: Path) -> None:
    page = read(failed_report)
    [banner] = [each for each in page.elements if each.attributes.get("role") == "alert"]
    assert banner.text.startswith("NOT CONVERGED, do not use: 7 divergences")
    assert page.elements.index(banner) < page.elements.index(page.all("main")[0])
    assert "NOT CONVERGED" in page.by_id("parameter-alpha").text
    assert not any(e.attributes.get("role") == "alert" for e in read(full_report).elements)


def test_default_report_has_no_comparison(read: Read, failed_report: Path) -> None:
    page = read(failed_report)
    assert [each.attributes["id"] for each in page.all("section")] == [
        name for name in SECTIONS if name != "comparison"
    ]
    assert page.all("h1")[0].text == "What will the loss be beyond N = 1.39e+08?"
    assert "No held-out runs, no rival law." in words(page, "checklist")


def test_at_gives_the_forecast_points(read: Read, failed_report: Path) -> None:
    rows = read(failed_report).table("forecast-table")
    assert [(row["task"], row["dataset"], row["N"]) for row in rows] == [
        ("c4", "web", "1e9"), ("c4", "web", "1e10"),
    ]  # fmt: skip


def test_law_of_two_sizes_has_a_plan(read: Read, joint_report: Path, joint_fit: bl.Fit) -> None:
    page = read(joint_report)
    rows = page.table("plan-table")
    assert [row["curve"] for row in rows] == ["c4"] * 3 + ["code"] * 3
    budget = float(rows[0]["FLOPs"])
    assert budget == pytest.approx(6 * 1e10 * 1e12)
    expected = bl.interval(bl.plan(joint_fit, budget), 0.9)["N"].sel(curve="c4").values[:, 0]
    band = [float(rows[0][f"N {bound}"]) for bound in ("lower", "median", "upper")]
    assert band == pytest.approx(expected.tolist(), rel=2e-3)
    titles = [line["title"] for line in json.loads(page.by_id("explorer-data").text)["lines"]]
    assert titles[:3] == ["c4, D = 1e10", "c4, D = 2e11", "c4, D = 1e12"]


def test_budgets_are_used(read: Read, joint_fit: bl.Fit, folder: Path) -> None:
    page = read(write_report(joint_fit, path=folder / "budget.html", budget=[1e22], random_seed=3))
    assert {row["FLOPs"] for row in page.table("plan-table")} == {"1e22"}


def test_unseen_levels_are_drawn_if_requested(
    read: Read, crossed_fit: bl.Fit, folder: Path
) -> None:
    at = bl.grid(N=[1e9], task="unseen", dataset="web")
    page = read(write_report(crossed_fit, path=folder / "new.html", at=at, draw_new=["task"]))
    [row] = page.table("forecast-table")
    assert (row["task"], row["times fitted"]) == ("unseen", "7.197")


def test_one_curve_has_no_population(read: Read, lone_fit: bl.Fit, folder: Path) -> None:
    path = write_report(lone_fit, path=folder / "lone.html", later=None, others=None)
    page = read(path)
    assert "Pooling: none; there is one curve." in words(page, "model")
    assert len(page.all("img")) == 1
    assert [row["name"] for row in page.table("parameter-alpha")] == ["all"]


def test_same_seed_gives_the_same_file(lone_fit: bl.Fit, folder: Path) -> None:
    first, second = (folder / f"{name}.html" for name in ("first", "second"))
    for path in (first, second):
        write_report(lone_fit, path=path)
    assert first.read_bytes() == second.read_bytes()


def test_path_is_by_default_here(
    lone_fit: bl.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert write_report(lone_fit) == Path("report.html")
    assert (tmp_path / "report.html").is_file()


def test_unknown_folder(lone_fit: bl.Fit, tmp_path: Path) -> None:
    with pytest.raises(bl.errors.StoreError, match=r"cannot write .*: there is no folder"):
        write_report(lone_fit, path=tmp_path / "nowhere" / "report.html")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"checklist": {"metrics": "C4"}}, "does not ask 'metrics'; did you mean 'metric'"),
        ({"budget": [1e21]}, "takes 'D', which is no predictor of law 'power'"),
        ({"at": bl.grid(D=[1e9])}, "what to forecast lacks 'N'; the fit has"),
        ({"at": bl.grid(N=[1e9], planet="mars")}, "'planet' in at is not a group of the fit"),
    ],
)
def test_invalid_options_are_reported(
    lone_fit: bl.Fit, tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        write_report(lone_fit, path=tmp_path / "report.html", **options)
    assert not list(tmp_path.iterdir())


def test_rivals_of_other_runs_are_refused(
    lone_fit: bl.Fit, crossed_fit: bl.Fit, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="are of different outcomes"):
        write_report(lone_fit, path=tmp_path / "report.html", others={"other": crossed_fit})


def test_missing_packages_are_named(
    lone_fit: bl.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "plotly" else find_spec(name)
    )
    with pytest.raises(ImportError, match=r'needs plotly, not installed.*"bayeslaw\[report\]"'):
        write_report(lone_fit, path=tmp_path / "report.html")
