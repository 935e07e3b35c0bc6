"""The command line: thin over the library, imported quickly.

A command is a function of its options that prints an answer and gives its exit code. To add one,
write it in the module of its theme, with `options.Say` as its last option, and name it in
`COMMANDS`.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from cyclopts import App, CycloptsError, Group, MissingArgumentError, Parameter

from bayeslaw.cli.backtest import backtest
from bayeslaw.cli.catalogue import data, demo, laws
from bayeslaw.cli.config import from_study
from bayeslaw.cli.contrast import contrast
from bayeslaw.cli.fit_commands import diagnose, forecast, plan, requirement
from bayeslaw.cli.multiverse import multiverse
from bayeslaw.cli.options import Say
from bayeslaw.cli.report import report
from bayeslaw.cli.table_commands import check, compare, fit
from bayeslaw.cli.tracker_exports import gather

__all__ = ["INTERRUPTED", "main", "run"]

COMMANDS = (
    demo, check, fit, diagnose, forecast, compare, backtest, multiverse, plan, requirement,
    contrast, report, gather, laws, data,
)  # fmt: skip
GOOD, WRONG_INPUT, INTERRUPTED, UNREAD = 0, 2, 130, 141
EXPECTED = (CycloptsError, ValueError, OSError, ImportError)
TYPED = {  # what the library advises to write, and what is typed instead
    r"draw_new=\['(.*?)'\]": r"--draw-new \1",
    r"\bat=\{'(.*?)': \.\.\.\}": r"--at \1=...",
}

app = App(
    name="bayeslaw",
    help="Bayesian inference for scaling laws: pooled fits, credible extrapolation, comparison.",
    version=version("bayeslaw"),
    help_format="plaintext",
    group_parameters=Group("Options", sort_key=2),
    default_parameter=Parameter(negative=()),
    config=from_study,
)
for place, command in enumerate(COMMANDS):
    app.command(command, sort_key=place)
app.register_install_completion_command()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 good, 1 a fit failed its gate, 2 wrong input."""
    try:
        code = run(sys.argv[1:] if arguments is None else list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes at exit
        code = UNREAD
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run the command line and give its exit code."""
    say = Say()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = _note
            command, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
            say = bound.arguments.get("say", say)
            if say.quiet:
                warnings.simplefilter("ignore")
            code = command(*bound.args, **bound.kwargs)
    except KeyboardInterrupt as stopped:  # a command that keeps something says what
        print(f"interrupted; {str(stopped) or 'nothing was written'}", file=sys.stderr)
        return INTERRUPTED
    except SystemExit:  # of cyclopts, where it finds no shell to complete for
        return WRONG_INPUT
    except BrokenPipeError:
        raise  # no wrong input
    except Exception as error:
        return _wrong(error, say.debug)
    return code if isinstance(code, int) else GOOD


def _note(message: Warning | str, *_: Any) -> None:
    print(f"note: {message}", file=sys.stderr)


def _wrong(error: Exception, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
        return WRONG_INPUT
    sentence = " ".join(f"{error} {_help(error)}".split())
    for written, typed in TYPED.items():
        sentence = re.sub(written, typed, sentence)
    if not isinstance(error, EXPECTED):
        fault = f"{type(error).__name__}: {sentence}" if sentence else type(error).__name__
        sentence = f"{fault}; this is a fault of bayeslaw: --debug shows where"
    print(f"error: {sentence}", file=sys.stderr)
    return WRONG_INPUT


def _help(error: Exception) -> str:
    """What an option is for that was not given."""
    if not isinstance(error, MissingArgumentError) or not error.argument or not error.command_chain:
        return ""
    options = app[error.command_chain[0]].assemble_argument_collection(parse_docstring=True)
    return next((o.parameter.help or "" for o in options if o.name == error.argument.name), "")
