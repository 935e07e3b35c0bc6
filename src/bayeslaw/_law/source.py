"""Source of a law's formula as text, to recognise a law without running its code."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

__all__ = ["source_text"]


def source_text(function: Callable[..., Any]) -> str:
    """The body of a function as text, with the values of its closure."""
    closure = [repr(cell.cell_contents) for cell in function.__closure__ or ()]
    try:
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, SyntaxError, ValueError):  # typed at a prompt: there is no source
        code = function.__code__
        return repr((code.co_code, code.co_consts[1:], code.co_names, closure))
    assert isinstance(definition, ast.FunctionDef)
    arguments = [each.arg for each in (*definition.args.args, *definition.args.kwonlyargs)]
    body = definition.body[1:] if ast.get_docstring(definition) else definition.body
    return "\n".join([repr(arguments), *(ast.unparse(line) for line in body), *closure])
