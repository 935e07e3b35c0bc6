"""`--config`: options of commands from a TOML file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from bayeslaw._suggestions import did_you_mean

if TYPE_CHECKING:
    from cyclopts import App
    from cyclopts.argument import ArgumentCollection

__all__ = ["options_from_config"]

LISTS = ("at",)  # options whose values commas separate
QUOTE = '"'


def options_from_config(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Read a command's options from its table in the config file; typed options win."""
    from cyclopts.config import Dict

    options = [name[2:] for argument in arguments for name in argument.names if name[:2] == "--"]
    known = [name for name in options if name != "config" and not name.startswith("no-")]
    tokens = [
        token for argument in arguments if "--config" in argument.names for token in argument.tokens
    ]
    for path in (token.value for token in tokens):
        try:
            table = _table(path, commands[0], list(app.app_stack.current_frame[0]))
            given = {key.replace("_", "-"): _as_typed(key, value) for key, value in table.items()}
        except RecursionError:
            raise ValueError(f"{path} is not a config file: it is nested too deeply") from None
        _require_known(given, known, f"{path}: [{commands[0]}] has no key", "It takes")
        Dict(data={commands[0]: given}, source=path)(app, commands, arguments)


def _table(path: str, command: str, commands: list[str]) -> dict[str, Any]:
    """The table of a command in a config file."""
    config = _read(path)
    tables = [name for name in commands if not name.startswith("-")]
    _require_known(config, tables, f"{path}: there is no command", "There are")
    if not isinstance(config.get(command), dict):
        raise ValueError(f"{path} has no table [{command}] with its options")
    return config[command]


def _read(path: str) -> dict[str, Any]:
    import tomllib

    try:
        with open(path, "rb") as file:
            # A number stays as it is written: as a level of a group, 1.10 is not 1.1.
            return tomllib.load(file, parse_float=str)
    except OSError as error:
        raise ValueError(f"cannot read {path!r}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path} is not TOML: {error}") from error


def _as_typed(key: str, value: Any) -> Any:
    """A value as it would be typed: TOML tables become NAME=VALUE or NAME=VALUE,VALUE items."""
    if not isinstance(value, dict):
        return value
    lists = {name: item if isinstance(item, list) else [item] for name, item in value.items()}
    write = _quoted if key in LISTS else _written
    return [f"{name}={','.join(map(write, items))}" for name, items in lists.items()]


def _written(item: Any) -> str:
    return str(item).lower() if isinstance(item, bool) else str(item)


def _quoted(item: Any) -> str:
    """A text as it would be typed in a list that commas separate."""
    text = _written(item)
    return f'"{text.replace(QUOTE, 2 * QUOTE)}"' if {",", QUOTE} & {*text} else text


def _require_known(keys: Iterable[str], known: list[str], problem: str, list_of: str) -> None:
    for key in keys:
        if key not in known:
            hint = did_you_mean(key, known)
            raise ValueError(f"{problem} {key!r}{hint} {list_of}: {', '.join(sorted(known))}")
