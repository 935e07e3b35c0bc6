"""Commands about what comes with the package."""

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


TOLD = {
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
        (["--json"], True, f"{json.dumps(TOLD)}\n"),
        (["--json", "--quiet"], True, f"{json.dumps(TOLD)}\n"),
    ],
)
def test_what_is_left_to_say_of_the_demonstration(
    run: Run, monkeypatch: pytest.MonkeyPatch, flags: list[str], quiet: bool, text: str
) -> None:
    asked: list[Any] = []

    def show(out: Path, seed: int, *, quiet: bool) -> dict[str, Any]:
        asked.append((out, seed, quiet))
        return TOLD

    monkeypatch.setattr(demonstration, "run", show)
    assert run("demo", *flags) == (1, text, "")
    assert asked == [(Path("bayeslaw-demo"), 1, quiet)]
