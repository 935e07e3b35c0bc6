"""Options from a config file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.cli.config import _as_typed

STUDY = """
[check]
table = "runs.csv"
predictor = ["N=params"]
group = ["task", "dataset"]

[fit]
table = "runs.csv"
predictor = { N = "params" }
group = ["task", "dataset"]
hold_out = { N = 2e8 }
law = "pure_power"
pool = false
seed = 4
draws = 7
chains = 3
out = "study.nc"

[forecast]
fit = "fit.nc"
at = { N = [1e9, 1e10], task = "c4", dataset = "web" }
prob = 0.5
json = true
"""
OPTIONS = {
    "check": ["runs.csv", "--predictor", "N=params", "--group", "task", "--group", "dataset"],
    "fit": [
        "runs.csv", "--predictor", "N=params", "--group", "task", "--group", "dataset",
        "--hold-out", "N=2e8", "--law", "pure_power", "--no-pool", "--seed", 4, "--draws", 7,
        "--chains", 3, "--out", "study.nc",
    ],
    "forecast": [
        "fit.nc", "--at", "N=1e9,1e10", "--at", "task=c4", "--at", "dataset=web", "--prob", 0.5,
        "--json",
    ],
}  # fmt: skip
type Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def write(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Write study.toml into a folder that has a table and a fit, and work there."""
    monkeypatch.chdir(tmp_path)
    for name in ("runs.csv", "fit.nc"):
        Path(name).symlink_to(folder / name)
    return Path("study.toml").write_text


@pytest.mark.parametrize("command", ["check", "forecast"])
def test_a_study_answers_as_its_options(
    run: Run, write: Callable[[str], object], command: str
) -> None:
    write(STUDY)
    result = run(command, "--config", "study.toml")
    assert result == run(command, *OPTIONS[command])
    assert result[0] == 0


def test_a_study_fits_as_its_options(
    run: Run, write: Callable[[str], object], prepared: list[dict[str, Any]]
) -> None:
    """The same law, groups, runs and sampler, so the same numbers."""
    write(STUDY)
    assert run("fit", "--config", "study.toml") == run("fit", *OPTIONS["fit"])
    by_file, by_options = ({**call} for call in prepared)
    xr.testing.assert_identical(by_file.pop("runs"), by_options.pop("runs"))
    models = [each.pop("model") for each in (by_file, by_options)]
    assert {model.law.digest for model in models} == {bl.laws.pure_power.digest}
    assert [model.pooling for model in models] == [None, None]
    assert by_file == by_options
    assert (by_file["sampler"].random_seed, by_file["sampler"].draws) == (4, 7)
    assert by_file["sampler"].tune == 1000
    assert Path("study.nc").exists()


def test_typed_options_win(run: Run, write: Callable[[str], object]) -> None:
    write(STUDY)
    typed = ["--at", "N=1e8", "--at", "task=code", "--at", "dataset=wiki"]
    code, text, _ = run("forecast", "--config", "study.toml", *typed)
    assert code == 0
    [row] = json.loads(text)["forecast"]
    assert (row["N"], row["task"], row["dataset"]) == (1e8, "code", "wiki")
    expected = run("forecast", "fit.nc", *typed, "--prob", 0.5, "--json")
    assert text == expected[1]


@pytest.mark.parametrize(
    ("study", "sentence"),
    [
        (
            "[check]\npredictr = 1",
            "study.toml: [check] has no key 'predictr'; did you mean 'predictor'? It takes: debug, "
            "group, import, json, predictor, quiet, response, run-id, stderr, table",
        ),
        (
            "[check]\nconfig = 'other.toml'",
            "study.toml: [check] has no key 'config'. It takes: debug, group, import, json, "
            "predictor, quiet, response, run-id, stderr, table",
        ),
        (
            "[check]\n[fitt]",
            "study.toml: there is no command 'fitt'; did you mean 'fit'? There are: "
            "backtest, check, compare, contrast, data, demo, diagnose, fit, forecast, gather, "
            "laws, multiverse, plan, plot, report, requirement",
        ),
        (
            "table = 'runs.csv'",
            "study.toml: there is no command 'table'. There are: backtest, check, "
            "compare, contrast, data, demo, diagnose, fit, forecast, gather, laws, multiverse, "
            "plan, plot, report, requirement",
        ),
        ("[fit]", "study.toml has no table [check] with its options"),
        ("check = 1", "study.toml has no table [check] with its options"),
        ("[check", "study.toml is not TOML: Expected ']' at the end of a table declaration "
         "(at end of document)"),
        ("[check]\ntable = 'runs.csv'\npredictor = ['N=params']\nquiet = 'so so'",
         'Invalid value for [quiet] from study.toml: unable to convert "so so" into bool.'),
        ("[check]\ntable = 'runs.csv'", 'Command "check" parameter --predictor requires an '
         "argument. Predictor (size of a run), as NAME=COLUMN or COLUMN; repeat for more."),
    ],
)  # fmt: skip
def test_a_study_that_cannot_be_read(
    run: Run, write: Callable[[str], object], study: str, sentence: str
) -> None:
    write(study)
    assert run("check", "--config", "study.toml") == (2, "", f"error: {sentence}\n")


def test_a_study_that_is_not_there(run: Run) -> None:
    sentence = "cannot read 'nothing.toml': No such file or directory"
    assert run("check", "--config", "nothing.toml") == (2, "", f"error: {sentence}\n")


@pytest.mark.parametrize(
    ("table", "typed"),
    [
        ("at = { N = 1e9, version = [1.10, 1.1] }", ["N=1e9", "version=1.10,1.1"]),
        ('at = { task = ["a,b", "c"] }', ['task="a,b",c']),
        ("at = { task = 'say \"a\"' }", ['task="say ""a"""']),
        ("at = { flag = [true, false] }", ["flag=true,false"]),
        ('predictor = { N = "pa,rams" }', ["N=pa,rams"]),
    ],
)
def test_values_stay_as_written(table: str, typed: list[str]) -> None:
    [(key, value)] = tomllib.loads(table, parse_float=str).items()
    assert _as_typed(key, value) == typed


@pytest.mark.parametrize(
    "content", [f"[check]\nx = {'[' * 50_000}{']' * 50_000}\n", f"[check{'.a' * 50_000}]\nx = 1\n"]
)
def test_a_deep_config_file_is_refused(
    content: str, run: Run, write: Callable[[str], object]
) -> None:
    write(content)
    message = "error: study.toml is not a config file: it is nested too deeply\n"
    assert run("check", "--config", "study.toml") == (2, "", message)
