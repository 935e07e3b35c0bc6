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
        definition = None
    if not isinstance(definition, ast.FunctionDef):  # or is that of a line with a lambda
        code = function.__code__
        constants = tuple(each for each in code.co_consts if each != function.__doc__)
        return repr((code.co_code, constants, code.co_names, closure))
    arguments = [each.arg for each in (*definition.args.args, *definition.args.kwonlyargs)]
    body = definition.body[1:] if ast.get_docstring(definition) else definition.body
    return "\n".join([repr(arguments), *(ast.unparse(line) for line in body), *closure])
