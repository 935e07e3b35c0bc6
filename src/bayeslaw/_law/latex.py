"""Formulas of laws as one line of text, for terminals and screen readers."""

from __future__ import annotations

import re

__all__ = ["plain_formula"]


def plain_formula(latex: str) -> str:
    r"""A formula as one line of text.

    Parameters
    ----------
    latex : str
        Of the kind that laws have.

    Returns
    -------
    str

    Examples
    --------
    >>> plain_formula(r"L_0 + \frac{k}{1 + (N/d)^{\alpha}}")
    'L_0 + k / (1 + (N/d)^alpha)'
    """
    text = re.sub(r"\\(?:left|right|quad)(?![a-z])|\\,", "", latex)
    text = re.sub(r"\\hat\{(\w+)\}", r"\1'", text)
    text = re.sub(r"\\mathrm\{(\w+)\}", r"\1", text)
    text = re.sub(r"\\(?=[a-z])", "", text)
    while re.search(power := r"(?<=[\^_])\{([^{}]*)\}", text):
        text = re.sub(power, lambda found: _atom(found[1]), text)
    text = re.sub(
        r"frac\{([^{}]*)\}\{([^{}]*)\}",
        lambda found: f"{_atom(found[1])} / {_atom(found[2])}",
        text,
    )
    return " ".join(text.split())


def _atom(text: str) -> str:
    """A part of a formula, in brackets if it is more than a symbol or a function of one."""
    return text if re.fullmatch(r"-?[\w']+(\([^()]*\))?", text) else f"({text})"
