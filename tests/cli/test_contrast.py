"""`bayeslaw contrast`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import bayeslaw as bl
from bayeslaw.comparison.contrast import contrast
from bayeslaw.comparison.contrast_tables import contrast_table, crossing_table

type Run = Callable[..., tuple[int, str, str]]

OPTIONS = ["--group", "task", "--levels", "c4,books", "--at", "N=1e9,1e10", "--at", "dataset=web"]


def test_contrast(run: Run, folder: Path) -> None:
    more = ["--along", "N", "--reach", "10", "--prob", "0.5"]
    code, text, err = run("contrast", folder / "fit.nc", *OPTIONS, *more, "--json")
    assert (code, err) == (0, "")
    result = json.loads(text)
    assert list(result) == ["converged", "caveats", "sentences", "contrast", "crossing"]
    assert result["sentences"][0].endswith("Crossings from 1e+06 to 1.39e+09.")
    fit = bl.load(folder / "fit.nc")
    points = {"N": [1e9, 1e10], "dataset": ["web"]}
    draws = contrast(fit, "task", ["c4", "books"], at=points, reach=10)
    expected = contrast_table(draws, 0.5)
    assert [(row["pair"], row["N"]) for row in result["contrast"]] == expected.index.tolist()
    for name in ("better", "better_run", "multiplier", "multiplier_lower", "multiplier_upper"):
        values = [float(row[name]) for row in result["contrast"]]
        assert values == pytest.approx(expected[name].tolist(), rel=1e-12), name
    [crossing] = result["crossing"]
    assert crossing["pair"] == "web"
    assert crossing["crosses"] == crossing_table(draws)["crosses"].iloc[0]


def test_contrast_in_words(run: Run, folder: Path) -> None:
    code, text, _ = run("contrast", folder / "fit.nc", *OPTIONS)
    assert code == 0
    assert text.startswith("Beyond the data these bands hold only if the law does: ")
    assert "Better: the probability that c4 is better than books" in text
    for word in ("better run", "multiplier lower", "crosses", "overtakes"):
        assert word in text
    code, text, _ = run("contrast", folder / "failed.nc", *OPTIONS)
    assert code == 1
    assert text.startswith("NOT CONVERGED")


def test_levels_must_be_chosen(run: Run, folder: Path) -> None:
    code, _, err = run("contrast", folder / "fit.nc", "--group", "task")
    assert code == 2
    assert err == (
        "error: 'task' has 3 levels, c4, books, code; choose two of them, such as --levels "
        "c4,books\n"
    )
