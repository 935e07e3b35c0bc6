"""Formulas of laws: LaTeX as one line of plain text, for terminals and screen readers."""

from __future__ import annotations

import re

__all__ = ["plain_formula"]


def plain_formula(latex: str) -> str:
    """A LaTeX formula, of the kind that laws have, as one line of plain text."""
    text = re.sub(r"\\(?:left|right|quad)(?![a-z])|\\,", "", latex)
    text = re.sub(r"\\hat\{(\w+)\}", r"\1'", text)
    text = re.sub(r"\\mathrm\{(\w+)\}", r"\1", text)
    text = re.sub(r"\\(?=[a-z])", "", text)
    while re.search(power := r"(?<=[\^_])\{([^{}]*)\}", text):
        text = re.sub(power, lambda match: _atom(match[1]), text)
    text = re.sub(
        r"frac\{([^{}]*)\}\{([^{}]*)\}",
        lambda match: f"{_atom(match[1])} / {_atom(match[2])}",
        text,
    )
    return " ".join(text.split())


def _atom(text: str) -> str:
    """Part of a formula, in brackets unless it is a symbol or a function of one."""
    return text if re.fullmatch(r"-?[\w']+(\([^()]*\))?", text) else f"({text})"
