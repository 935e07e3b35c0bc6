"""The checklist for papers, answered from the fit where possible."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.report.blocks import UNKNOWN
from bayeslaw.report.checklist import ITEMS, Facts, checklist_section

ANSWERS = {item.name: item.answer for item in ITEMS if item.answer}


def test_names_differ_and_questions_are_questions() -> None:
    assert len({item.name for item in ITEMS}) == len(ITEMS) == 29
    assert all(item.question.endswith("?") for item in ITEMS)
    assert [*dict.fromkeys(item.part for item in ITEMS)] == [
        "Hypothesis", "Training setup", "Data collection", "Fitting",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("form", "chinchilla: E + A N^-alpha + B D^-beta"),
        ("variables", "loss as a function of N and D"),
        ("parameters", "E, A, alpha, B, beta free; sigma held at 0.001"),
        ("sizes", "N from 1e8 to 1e10, 3 distinct; D from 1e10 to 1e12, 4 distinct"),
        ("data amount", "D from 1e10 to 1e12"),
        ("counting", UNKNOWN),
        ("metric", "loss; on which data is not recorded"),
        ("settings", UNKNOWN),
        ("points", "all 24 runs given; dropped before: not recorded"),
        ("parts", "one fit, of all of them"),
        ("fitting code", f"bayeslaw; the formula has the hash {bl.laws.chinchilla.digest[:12]}"),
    ],
)
def test_answers_of_the_fit(joint_fit: bl.Fit, name: str, expected: str) -> None:
    assert ANSWERS[name](Facts(joint_fit, None, {})) == expected


def test_runs_dropped_on_reading_are_reported(joint_fit: bl.Fit) -> None:
    runs = joint_fit.runs.assign_attrs(notes=["2 of 26 runs are exact copies: dropped."])
    answer = ANSWERS["points"](Facts(replace(joint_fit, runs=runs), None, {}))
    assert answer == "all 24 runs given; dropped before: 2 of 26 runs are exact copies: dropped."


def test_start_of_the_sampler(joint_fit: bl.Fit) -> None:
    answer = ANSWERS["start"](Facts(joint_fit, None, {}))
    assert "chains from random points" in answer
    tree = joint_fit.tree.copy()
    tree["sample_stats"] = xr.DataTree(xr.Dataset(attrs={"pareto_k": 0.456}))
    answer = ANSWERS["start"](Facts(replace(joint_fit, tree=tree), None, {}))
    assert answer == "none: independent draws by importance sampling, with Pareto k 0.46"


def test_fits_of_the_same_or_of_other_runs(joint_fit: bl.Fit) -> None:
    fewer = replace(joint_fit, runs=joint_fit.runs.isel(run=slice(20)))
    for other, answer in (
        (joint_fit, "all fits are of the same runs"),
        (fewer, "fits are of differ"),
    ):
        assert ANSWERS["parts"](Facts(joint_fit, None, {"other": other})).startswith(answer)


def test_units_and_changed_metrics(joint_fit: bl.Fit) -> None:
    runs = joint_fit.runs.copy(deep=True)
    runs["N"].attrs["units"] = "parameters"
    runs["loss"].attrs["long_name"] = "1 - accuracy"
    facts = Facts(replace(joint_fit, runs=runs), None, {})
    assert ANSWERS["counting"](facts) == "N in parameters"
    assert ANSWERS["metric"](facts).startswith("1 - accuracy; ")
    assert ANSWERS["modified"](facts).startswith("the response is 1 - accuracy; here")


def test_ties_and_a_law_without_formula(joint_fit: bl.Fit) -> None:
    model = bl.Model(bl.laws.chinchilla, discrepancy=None, tie={"beta": "alpha"})
    facts = Facts(replace(joint_fit, model=model), None, {})
    assert ANSWERS["parameters"](facts).endswith("free; beta tied to alpha")
    bare = bl.Model(replace(bl.laws.chinchilla, latex=None))
    assert ANSWERS["form"](Facts(replace(joint_fit, model=bare), None, {})) == (
        "chinchilla, without a formula"
    )


def test_held_out_runs_and_rivals_count_as_checks(
    crossed_fit: bl.Fit, crossed_split: tuple[xr.Dataset, xr.Dataset]
) -> None:
    answer = ANSWERS["validation"](Facts(crossed_fit, crossed_split[1], {"other": crossed_fit}))
    assert answer.endswith("Judged by 24 held-out runs. Compared with other.")
    assert "24 larger ones were held out" in ANSWERS["points"](
        Facts(crossed_fit, crossed_split[1], {})
    )


def test_authors_answers_come_first(joint_fit: bl.Fit) -> None:
    given = {"metric": "C4 validation loss", "architecture": "width and depth together"}
    section = checklist_section(joint_fit, None, {}, given)
    frames = [block.frame for block in section.blocks if block.kind == "table"]
    answers = pd.concat(frames).set_index("item")["answer"]
    assert answers["metric"] == "C4 validation loss"
    assert answers["architecture"] == "width and depth together"
    assert (answers == UNKNOWN).sum() == 10
    with pytest.raises(ValueError, match=r"does not ask 'zzz'\. It asks"):
        checklist_section(joint_fit, None, {}, {"zzz": ""})
