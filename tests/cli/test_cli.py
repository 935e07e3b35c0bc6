"""The program: exit codes, and messages on invalid input."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cyclopts.completion import detect

import bayeslaw as bl
from bayeslaw import cli

GROUPED = ["--predictor", "N=params", "--group", "task", "--group", "dataset"]
POSITIVE, PROBABILITY = "a finite number above 0", "a number between 0 and 1"
FROM_ONE, ABOVE_ONE = "a finite number, 1 or more", "a finite number above 1"
COUNT, SEED = "a whole number, 1 or more", "a whole number from 0 to 2**64 - 1"
NO_SIZES = {"nan": "nan", "inf": "inf", "-1": "-1.0", "0": "0.0"}
type Run = Callable[..., tuple[int, str, str]]


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
        (
            ["check", "runs.csv"],
            'Command "check" parameter --predictor requires an argument. Predictor (size of a '
            "run), as NAME=COLUMN or COLUMN; repeat for more.",
        ),
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
            'Unknown command "fot". Did you mean "fit"? Available commands: demo, check, fit, '
            "diagnose, forecast, compare, backtest, multiverse, ...",
        ),
        (
            ["laws", "powr"],
            f"no law is called 'powr'; did you mean 'power'? There are {bl.laws.names()}",
        ),
        (
            ["data", "lerners"],
            "unknown data set 'lerners' (did you mean 'learners'?); there are: learners, tiny_lm, "
            "tiny_lm_curves, tiny_lm_repeats, and 29 public ones, listed by names(public=True)",
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
            ["check", "runs.csv", "--predictor", "N=params", "--response", "val"],
            "column 'val' is not in the table. It has: params, loss, task, dataset; --response "
            "COLUMN says which is the response",
        ),
        (
            ["forecast", "fit.nc", "--at", "params=1e9"],
            "--at params: the fit has no such predictor or group. Its predictors are ['N'], its "
            "groups ['task', 'dataset']",
        ),
        (
            ["forecast", "nothing.nc", "--at", "N=1e9"],
            "cannot read 'nothing.nc': No such file or directory",
        ),
        (
            ["forecast", "fit.nc"],
            "forecast takes sizes or a table of runs, and neither is given; write --at N=1e10, "
            "--at points.csv, or TABLE --predictor N=COLUMN",
        ),
        (
            ["forecast", "fit.nc", "runs.csv", *GROUPED, "--at", "N=1e9"],
            "forecast takes sizes or a table of runs, and both are given; write --at N=1e10, "
            "--at points.csv, or TABLE --predictor N=COLUMN",
        ),
        (
            ["forecast", "fit.nc", "--predictor", "N=params"],
            'Command "forecast" parameter --table requires an argument. CSV, Parquet or JSON '
            "lines file with one row per run.",
        ),
        (
            ["forecast", "fit.nc", "--at", "N=1e9", "--at", "N=1e10"],
            "'N' is given twice: N=1e9 and N=1e10",
        ),
        (
            ["forecast", "fit.nc", "--at", "N=1e9", "--at", "task=c4", "--at", "dataset=wob"],
            "dataset 'wob' is not in this fit, which has ['web', 'wiki', 'forum', 'news']; to draw "
            "a new dataset from the population pass --draw-new dataset",
        ),
        (
            ["forecast", "fit.nc", "--at", "N=1e9", "--at", "task=c4"],
            "the grid does not say which 'dataset'; the fit has ['web', 'wiki', 'forum', 'news']",
        ),
        (
            ["forecast", "fit.nc", "--at", "N=1e9", "--at", "task=c4", "--at", "dataset=web",
             "--prob", "90"],
            'Invalid value "90.0" for --prob. It must be a number between 0 and 1, got 90.0',
        ),
        (
            ["plan", "fit.nc", "--budget", "1e21"],
            "cost training_flops(N, D) takes 'D', which is no predictor of law 'power'; those are "
            "['N']; take a law that has it, or hold it at a value: --at D=...",
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
            'Invalid value "0" for --draws. It must be a whole number, 1 or more, got 0',
        ),
        (
            ["fit", "runs.csv", *GROUPED, "--seed", "-1"],
            'Invalid value "-1" for --seed. It must be a whole number from 0 to 2**64 - 1, got -1',
        ),
        *(
            (
                [*command, value],
                f'Invalid value "{shown}" for {command[-1]}. It must be {kind}, got {shown}',
            )
            for command, kind, values in (
                (["requirement", "fit.nc", "--target", "2", "--largest"], POSITIVE, NO_SIZES),
                (["requirement", "fit.nc", "--target", "2", "--prob"], PROBABILITY, NO_SIZES),
                (["forecast", "fit.nc", "--prob"], PROBABILITY, NO_SIZES),
                (["diagnose", "fit.nc", "--prob"], PROBABILITY, NO_SIZES),
                (["contrast", "fit.nc", "--group", "task", "--reach"], FROM_ONE, NO_SIZES),
                (["demo", "--seed"], SEED, {"-1": "-1", str(2**64): str(2**64)}),
                (["fit", "runs.csv", *GROUPED, "--chains"], COUNT, {"0": "0", "-1": "-1"}),
                (["fit", "runs.csv", *GROUPED, "--tune"], COUNT, {"0": "0", "-1": "-1"}),
            )
            for value, shown in values.items()
        ),
        *(
            ([*command, f"{start}{value}"], f"{name} must be {kind}, got {shown}")
            for command, start, name, kind in (
                (["requirement", "fit.nc", "--target"], "2,", "--target", POSITIVE),
                (["plan", "fit.nc", "--budget"], "1e20,", "--budget", POSITIVE),
                (["backtest", "runs.csv", *GROUPED, "--origins"], "", "--origins", POSITIVE),
                (["backtest", "runs.csv", *GROUPED, "--horizons"], "", "--horizons", ABOVE_ONE),
                (["forecast", "fit.nc", "--at"], "N=1e9,", "N", POSITIVE),
                (["fit", "runs.csv", *GROUPED, "--hold-out"], "N=", "N", POSITIVE),
            )
            for value, shown in NO_SIZES.items()
        ),
        *(
            (
                ["forecast", "fit.nc", "--at", "N=1e9", "--at", extra],
                f"--at {extra[0]}: the fit has no such predictor or group. Its predictors are "
                "['N'], its groups ['task', 'dataset']",
            )
            for extra in ("D=3", "x=red")
        ),
        (["forecast", "fit.nc", "--at", "N"], "'N' has no value; write N=VALUE"),
        (["forecast", "fit.nc", "--at", "task="], "'task=' has no value; write task=VALUE"),
        (
            ["forecast", "fit.nc", "--at", 'task="c4'],
            "'\"c4' is not a list of texts: unexpected end of data",
        ),
        (
            ["fit", "runs.csv", *GROUPED, "--hold-out", "N=1_000"],
            "N=1_000: '1_000' is not a number; write N=1e9",
        ),
        (
            ["check", "runs.csv", "--predictor", "N=\x1b[31m"],
            "column '\\x1b[31m' is not in the table. It has: params, loss, task, dataset",
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
def test_invalid_input_is_one_line_and_exits_with_two(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.chdir(folder)
    code, out, err = run(*arguments)
    assert (code, out, err) == (2, "", f"error: {sentence}\n")


def test_an_interrupt(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> bl.Fit:
        raise KeyboardInterrupt

    monkeypatch.setattr(bl, "fit", interrupted)
    out = tmp_path / "fit.nc"
    result = run("fit", folder / "runs.csv", *GROUPED, "--out", out)
    assert result == (130, "", "interrupted; nothing was written\n")
    assert not out.exists()


def test_an_interrupt_saves_the_draws_so_far(
    run: Run,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    crossed_fit: bl.Fit,
) -> None:
    def interrupted(*_: Any, **__: Any) -> bl.Fit:
        raise bl.errors.Interrupted(crossed_fit)

    monkeypatch.setattr(bl, "fit", interrupted)
    out, draws = tmp_path / "fit.nc", crossed_fit.tree["posterior"].sizes["draw"]
    result = run("fit", folder / "runs.csv", *GROUPED, "--out", out)
    assert result == (
        130,
        "",
        f"interrupted; the first {draws} draws of each chain are saved in {out}\n",
    )
    assert bl.load(out).tree["posterior"].sizes["draw"] == draws


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


def _shell(command: str) -> subprocess.CompletedProcess[str]:
    program = f"{shlex.quote(sys.executable)} -m bayeslaw"
    command = f"{program} {command}"
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=False)


def test_a_closed_output_is_named() -> None:
    done = _shell("laws >&-")
    message = "error: the standard output is closed; write > /dev/null\n"
    assert (done.returncode, done.stderr) == (2, message)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("command", ["laws", "laws --json", "laws power"])
def test_a_full_disk_is_named(command: str) -> None:
    done = _shell(f"{command} > /dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith("No space left on device\n")
    assert done.stderr.count("\n") == 1


def test_help_is_quick() -> None:
    """Help imports no slow package; each command has the shared options."""
    names = [command.__name__ for command in cli.COMMANDS]
    code = (
        "import sys\n"
        "from bayeslaw.cli import run\n"
        f"for name in {['', *names]}:\n"
        "    assert run([*name.split(), '--help']) == 0\n"
        "heavy = {'pymc', 'pytensor', 'arviz', 'scipy', 'matplotlib', 'pandas', 'xarray', 'numpy'}"
        " & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for word in ("demo", "forecast", "--hold-out", "--draw-new", "--laws", "Folder for the figure"):
        assert word in done.stdout
    for option in ("--json", "--quiet", "--debug", "--config"):
        assert done.stdout.count(f"│ {option} ") == len(names)


def test_the_package_runs() -> None:
    command = [sys.executable, "-m", "bayeslaw", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"{bl.__version__}\n", "")


def test_debug_shows_where(run: Run) -> None:
    code, out, err = run("laws", "powr", "--debug")
    assert (code, out) == (2, "")
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.splitlines()[-1].startswith("ValueError: no law is called 'powr'; did you mean ")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (OSError("the disk is full"), "the disk is full"),
        (ValueError("two\n  lines"), "two lines"),
        (ImportError("to read Parquet install pyarrow"), "to read Parquet install pyarrow"),
        (KeyError("N"), "KeyError: 'N'; this is a bug in bayeslaw: --debug shows where"),
        (
            ZeroDivisionError(),
            "ZeroDivisionError; this is a bug in bayeslaw: --debug shows where",
        ),
    ],
)
def test_errors_are_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, fault: Exception, sentence: str
) -> None:
    def failing(*_: Any) -> Any:
        raise fault

    monkeypatch.setattr(bl.laws, "find", failing)
    assert run("laws", "power") == (2, "", f"error: {sentence}\n")
    code, out, err = run("laws", "power", "--debug")
    assert (code, out) == (2, "")
    assert f"in failing\n    raise fault\n{type(fault).__name__}" in err


def test_completion_is_installed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    script = tmp_path / "complete.bash"
    code, out, err = run("--install-completion", "--shell", "bash", "--output", script)
    assert (code, err) == (0, "")
    assert str(script) in out
    assert str(script) in (tmp_path / ".bashrc").read_text()
    for word in ("requirement", "--hold-out", "--draw-new", "--config"):
        assert word in script.read_text()


def test_completion_without_a_shell(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise detect.ShellDetectionError

    monkeypatch.setattr(detect, "detect_shell", none)
    code, out, err = run("--install-completion")
    assert (code, out) == (2, "")
    assert "--shell" in err
