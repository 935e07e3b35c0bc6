"""A study: options of commands in one TOML file, to be run again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts import App
    from cyclopts.argument import ArgumentCollection

__all__ = ["from_study"]


def from_study(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Give a command the options of its table in the file of ``--config``; what is typed wins."""
    from cyclopts.config import Dict

    names = [name[2:] for each in arguments for name in each.names if name.startswith("--")]
    given = [token for each in arguments if "--config" in each.names for token in each.tokens]
    for path in (token.value for token in given):
        known = [name for name in names if name != "config" and not name.startswith("no-")]
        table = _table(path, commands[0], list(app.app_stack.current_frame[0]))
        options = {key.replace("_", "-"): _typed(value) for key, value in table.items()}
        _require_known(options, known, f"{path}: [{commands[0]}] has no key", "It takes")
        Dict(data={commands[0]: options}, source=path)(app, commands, arguments)


def _table(path: str, command: str, commands: list[str]) -> dict[str, Any]:
    """The options of a command."""
    study = _read(path)
    tables = [each for each in commands if not each.startswith("-")]
    _require_known(study, tables, f"{path}: there is no command", "There are")
    if not isinstance(study.get(command), dict):
        raise ValueError(f"{path} has no table [{command}], which would hold its options")
    return study[command]


def _read(path: str) -> dict[str, Any]:
    import tomllib

    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ValueError(f"cannot read {path!r}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path} is not TOML: {error}") from error


def _typed(value: Any) -> Any:
    """A value as it would be typed: a TOML table is NAME=VALUE, or NAME=VALUE,VALUE, for each."""
    if not isinstance(value, dict):
        return value
    values = {name: each if isinstance(each, list) else [each] for name, each in value.items()}
    return [f"{name}={','.join(map(str, each))}" for name, each in values.items()]


def _require_known(keys: Iterable[str], known: list[str], fault: str, rest: str) -> None:
    import difflib

    for key in keys:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise ValueError(f"{fault} {key!r}{hint} {rest}: {', '.join(sorted(known))}")
