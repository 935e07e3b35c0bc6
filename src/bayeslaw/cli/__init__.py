"""The command line: a thin layer over the library that imports quickly.

A command is a function that takes its options as parameters, prints its results and returns an
exit code. To add one, write it in the module of its topic, with `options.OutputOptions` as its last
parameter, and list it in `COMMANDS`. A file that it writes is an `output_files.OutputFile`.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any

from cyclopts import App, CycloptsError, Group, MissingArgumentError, Parameter

from bayeslaw._interrupts import defer_interrupts
from bayeslaw.cli.backtest import backtest
from bayeslaw.cli.catalogue import data, demo, laws
from bayeslaw.cli.config import options_from_config
from bayeslaw.cli.console import printable
from bayeslaw.cli.contrast import contrast
from bayeslaw.cli.fit_commands import diagnose, forecast, plan, requirement
from bayeslaw.cli.multiverse import multiverse
from bayeslaw.cli.options import OutputOptions
from bayeslaw.cli.output_files import check_output_files
from bayeslaw.cli.plot import plot
from bayeslaw.cli.report import report
from bayeslaw.cli.table_commands import check, compare, fit
from bayeslaw.cli.tracker_exports import gather

__all__ = ["INTERRUPTED", "main", "run"]

COMMANDS = (
    demo, check, fit, diagnose, forecast, compare, backtest, multiverse, plan, requirement,
    contrast, plot, report, gather, laws, data,
)  # fmt: skip
SUCCESS, INVALID_INPUT, INTERRUPTED, BROKEN_PIPE = 0, 2, 130, 141  # exit codes
USER_ERRORS = (CycloptsError, ValueError, OSError, ImportError)
AS_OPTIONS = {  # Python arguments in error messages, and the options of the same meaning
    r"draw_new=\['(.*?)'\]": r"--draw-new \1",
    r"\bat=\{'(.*?)': \.\.\.\}": r"--at \1=...",
    r"\bmax_seconds=": "--max-seconds ",
    r"\bresponse=": "--response ",
    r"\bpooling=None": "--no-pool",
}

app = App(
    name="bayeslaw",
    help="Bayesian inference for scaling laws: pooled fits, credible extrapolation, comparison.",
    version=version("bayeslaw"),
    help_format="plaintext",
    group_parameters=Group("Options", sort_key=2),
    default_parameter=Parameter(negative=()),
    config=options_from_config,
)
for position, command in enumerate(COMMANDS):
    app.command(command, sort_key=position)
app.register_install_completion_command()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 success, 1 a fit did not converge, 2 invalid input."""
    defer_interrupts()
    if sys.stdout is None:  # it was closed, as by >&- in a shell
        print("error: the standard output is closed; write > /dev/null", file=sys.stderr)
        sys.exit(INVALID_INPUT)
    try:
        code = run(sys.argv[1:] if arguments is None else list(arguments))
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes at exit
        code = _output_error(error)
    sys.exit(code)


def _output_error(error: OSError) -> int:
    """Exit code where results could not be written; with a message, but for a broken pipe."""
    if isinstance(error, BrokenPipeError):  # the reader, such as `head`, has stopped
        return BROKEN_PIPE
    print(f"error: cannot write the results: {error.strerror}", file=sys.stderr)
    return INVALID_INPUT


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code."""
    output_options = OutputOptions()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = _print_note
            command, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
            output_options = bound.arguments.get("output_options", output_options)
            _import(output_options.imported)
            if output_options.quiet:
                warnings.simplefilter("ignore")
            if command in COMMANDS:
                bound.apply_defaults()
                check_output_files(command, bound.arguments)
            code = command(*bound.args, **bound.kwargs)
    except KeyboardInterrupt as interrupt:  # a command that saved something says so
        print(f"interrupted; {str(interrupt) or 'nothing was written'}", file=sys.stderr)
        return INTERRUPTED
    except SystemExit:  # from cyclopts, if it finds no shell to complete for
        return INVALID_INPUT
    except BrokenPipeError:
        raise  # not an error of the input
    except Exception as error:
        return _print_error(error, output_options.debug)
    return code if isinstance(code, int) else SUCCESS


def _import(modules: Sequence[str]) -> None:
    """Import modules, also those of the current folder."""
    if modules and (folder := os.getcwd()) not in sys.path:
        sys.path.append(folder)
    for module in modules:
        import_module(module)


def _print_note(message: Warning | str, *_: Any) -> None:
    print(f"note: {printable(str(message))}", file=sys.stderr)


def _print_error(error: Exception, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
        return INVALID_INPUT
    sentence = " ".join(f"{error} {_option_help(error)}".split())
    for argument, option in AS_OPTIONS.items():
        sentence = re.sub(argument, option, sentence)
    if not isinstance(error, USER_ERRORS):
        fault = f"{type(error).__name__}: {sentence}" if sentence else type(error).__name__
        sentence = f"{fault}; this is a bug in bayeslaw: --debug shows where"
    print(f"error: {printable(sentence)}", file=sys.stderr)
    return INVALID_INPUT


def _option_help(error: Exception) -> str:
    """Help of a required option that is missing."""
    if not isinstance(error, MissingArgumentError) or not error.argument or not error.command_chain:
        return ""
    options = app[error.command_chain[0]].assemble_argument_collection(parse_docstring=True)
    return next(
        (each.parameter.help or "" for each in options if each.name == error.argument.name), ""
    )
