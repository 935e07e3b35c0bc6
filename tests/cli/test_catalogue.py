"""`bayeslaw laws`, `data` and `demo`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bayeslaw as bl
from bayeslaw.cli import demonstration

type Run = Callable[..., tuple[int, str, str]]


def test_laws(run: Run) -> None:
    code, text, err = run("laws")
    assert (code, err) == (0, "")
    assert all(name in text for name in bl.laws.names())
    assert "L_0 + k N^-alpha" in text
    code, text, _ = run("laws", "--json")
    laws = {row["law"]: row for row in json.loads(text)["laws"]}
    assert (code, list(laws)) == (0, bl.laws.names())
    assert laws["chinchilla"] == {
        "law": "chinchilla",
        "formula": "E + A N^-alpha + B D^-beta",
        "predictors": ["N", "D"],
        "parameters": {
            "E": "Floor", "A": "Amplitude", "alpha": "Exponent", "B": "Amplitude",
            "beta": "Exponent",
        },
        "about": "Additive power laws in parameters and tokens (Hoffmann et al. 2022, eq. 2).",
    }  # fmt: skip


def test_one_law(run: Run) -> None:
    code, text, err = run("laws", "data_constrained")
    assert (code, err) == (0, "")
    assert text.startswith(
        "law: data_constrained\nformula: E + A [U_N (1 + R_N (1 - e^(-r_N / R_N)))]"
    )
    assert bl.laws.data_constrained.doc in text
    law = json.loads(run("laws", "data_constrained", "--json")[1])
    assert law["latex"] == bl.laws.data_constrained.latex
    assert law["predictors"][2] == {"predictor": "epochs", "response": "rises", "unit": "none"}
    assert law["parameters"][1] == {
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
    datasets = {row["data"]: row for row in json.loads(run("data", "--json")[1])["data"]}
    assert {name for name, row in datasets.items() if row["from"] == "public"} == set(public)
    assert datasets["tiny_lm"]["predictors"] == ["N", "D"]
    assert datasets["steplaw"]["licence"] == "none stated"
    assert (datasets["steplaw"]["rows"], datasets["steplaw"]["groups"]) == (1911, [])
    assert (datasets["tiny_lm"]["rows"], datasets["tiny_lm"]["runs"]) == (1552, 888)


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
    dataset = json.loads(run("data", "learners", "--json")[1])
    assert dataset["provenance"] == dict(bl.datasets.info("learners").provenance)
    uses = {row["column"]: row["use"] for row in dataset["columns"]}
    about = bl.datasets.info("learners")
    assert uses[about.response] == "response"
    assert uses[about.predictors["D"]] == "predictor D"
    assert {column for column, use in uses.items() if use == "group"} == set(about.groups)
    assert "Measured by benchmarks/learners" in run("data", "learners")[1]


RESULT = {
    "converged": False,
    "size": {"verdict": ["Converged."], "sentences": ["Of 3 runs."], "converged": True},
    "joint": {"verdict": ["NOT CONVERGED."], "sentences": ["Of 5 runs."], "converged": False},
    "sentences": ["Kept here."],
}


@pytest.mark.parametrize(
    ("flags", "quiet", "text"),
    [
        ([], False, ""),
        (["--quiet"], True, "Converged.\nOf 3 runs.\nNOT CONVERGED.\nOf 5 runs.\nKept here.\n"),
        (["--json"], True, f"{json.dumps(RESULT)}\n"),
        (["--json", "--quiet"], True, f"{json.dumps(RESULT)}\n"),
    ],
)
def test_output_after_the_demonstration(
    run: Run, monkeypatch: pytest.MonkeyPatch, flags: list[str], quiet: bool, text: str
) -> None:
    calls: list[Any] = []

    def show(out: Path, seed: int, *, quiet: bool) -> dict[str, Any]:
        calls.append((out, seed, quiet))
        return RESULT

    monkeypatch.setattr(demonstration, "run", show)
    assert run("demo", *flags) == (1, text, "")
    assert calls == [(Path("bayeslaw-demo"), 1, quiet)]
