"""What commands on a saved fit import: nothing that samples, prints graphs or draws figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SLOW = {"pymc", "pytensor", "nutpie", "arviz", "arviz_stats", "scipy.stats", "matplotlib", "numba"}
COMMANDS = {
    "forecast": ["--at", "N=1e9", "--at", "task=c4", "--at", "dataset=web"],
    "diagnose": [],
    "requirement": ["--target", "2.2", "--along", "N", "--at", "task=c4", "--at", "dataset=web"],
    "plan": ["--budget", "1e21"],
}


def modules_after(*arguments: object) -> set[str]:
    """Modules of a process that has run a command."""
    typed = [str(argument) for argument in arguments]
    code = (
        f"import sys; from bayeslaw.cli import run; assert run({typed}) == 0; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_on_a_fit_import_no_sampler(command: str, folder: Path, joint: Path) -> None:
    fit = joint if command == "plan" else folder / "fit.nc"
    modules = modules_after(command, fit, *COMMANDS[command])
    assert "bayeslaw.fitting.save" in modules
    assert not modules & SLOW


def test_check_imports_no_sampler(folder: Path) -> None:
    columns = ["--predictor", "N=params", "--group", "task", "--group", "dataset"]
    assert not modules_after("check", folder / "runs.csv", *columns) & SLOW


def test_nothing_is_collected_as_the_process_ends(folder: Path) -> None:
    """That would take a fifth of the time of a command on a fit."""
    code = (
        "import atexit, gc, sys; from bayeslaw.__main__ import main\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 10_000))\n"
        f"sys.argv[1:] = ['diagnose', {str(folder / 'fit.nc')!r}]\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "True"), done.stderr
