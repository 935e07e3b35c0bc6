"""Output files of commands: inputs are never replaced, and nothing is computed in vain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from bayeslaw import cli
from bayeslaw.cli.output_files import FigureFile, OutputFile, check_output_files
from bayeslaw.errors import StoreError

type Run = Callable[..., tuple[int, str, str]]
TABLE = ["in.csv", "--predictor", "N"]
COMMANDS = {
    "fit": ["fit", *TABLE, "--out"],
    "gather": ["gather", "chart.csv", "in.csv", "--out"],
    "gather about": ["gather", "chart.csv", "--about", "in.csv", "--out"],
    "report": ["report", "in.csv", "--path"],
    "report rival": ["report", "fit.nc", "--rival", "in.csv", "--path"],
    "report runs": ["report", "fit.nc", *TABLE, "--path"],
    "forecast": ["forecast", "in.csv", "--at", "N=1", "--figure"],
    "forecast runs": ["forecast", "fit.nc", *TABLE, "--figure"],
    "compare": ["compare", *TABLE, "--figure"],
    "backtest": ["backtest", *TABLE, "--figure"],
    "multiverse": ["multiverse", *TABLE, "--law", "power", "--at", "N=1", "--figure"],
    "plot": ["plot", "prior", "in.csv", "--out"],
    "plot runs": ["plot", "calibration", "fit.nc", *TABLE, "--out"],
    "config": ["fit", "runs.csv", "--predictor", "N", "--config", "in.csv", "--out"],
}
OUTPUTS = {
    "in.csv": "it is the input 'in.csv'; name another file",
    "link.csv": "it is the input 'in.csv'; name another file",
    "folder": "it is a folder; name a file",
    "nowhere/out": "there is no folder 'nowhere'",
    "/dev/null": "it is not a regular file; name another",
}


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_outputs_are_refused_before_anything_is_read(
    command: list[str], output: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text("[fit]")  # no table, fit or export, which would be said
    Path("link.csv").symlink_to("in.csv")
    Path("folder").mkdir()
    error = f"error: cannot write {output!r}: {OUTPUTS[output]}\n"
    assert run(*command, output) == (2, "", error)
    assert Path("in.csv").read_text() == "[fit]"


def test_a_default_output_is_checked_too(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs.csv").write_text("Wall time,Step,Value\n1.5,1,4.0\n")
    code, _, error = run("gather", "runs.csv")
    assert (code, error) == (
        2,
        "error: cannot write 'runs.csv': it is the input 'runs.csv'; name another file\n",
    )


def options(owner: Any) -> Iterator[tuple[str, Any]]:
    """Name and type of each option of a command."""
    for name, hint in get_type_hints(owner).items():
        classes = [each for each in (hint, *get_args(hint)) if is_dataclass(each)]
        for each in classes:
            yield from options(each)
        yield name, hint


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.__name__)
def test_options_that_name_a_file_to_write_are_output_files(command: Any) -> None:
    written = {"out", "path", "figure"} - ({"out"} if command.__name__ == "demo" else set())
    hints = [hint for name, hint in options(command) if name in written]
    assert all({OutputFile, FigureFile} & {hint, *get_args(hint)} for hint in hints)


@pytest.mark.parametrize("path", [Path("a.xyz"), Path("a.csv")])
def test_a_format_that_figures_do_not_have(path: Path, tmp_path: Path) -> None:
    def command(figure: FigureFile) -> None: ...

    command.__annotations__ = {"figure": FigureFile}
    with pytest.raises(StoreError, match=r"cannot write .*: figures have an extension of .*, png"):
        check_output_files(command, {"figure": tmp_path / path})
    for valid in ("a", "a.PNG", "a.svg"):
        check_output_files(command, {"figure": tmp_path / valid})


def test_an_option_that_is_not_given_is_not_checked() -> None:
    def command(table: Path, figure: OutputFile | None = None) -> None: ...

    command.__annotations__ = {"table": Path, "figure": OutputFile | None}
    check_output_files(command, {"table": Path("x"), "figure": None})
    with pytest.raises(StoreError, match="it is the input"):
        check_output_files(command, {"table": Path("x"), "figure": Path("x")})


def test_the_folder_of_the_demonstration_is_checked_first(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, error = run("demo", "--out", str(tmp_path / "file"))
    assert code == 2
    assert error.endswith("file' is a file\n")
