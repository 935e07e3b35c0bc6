"""Errors and warnings of the package, each named after what it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bayeslaw.fitting.fit import Fit

__all__ = ["FetchError", "Interrupted", "RunsError", "RunsWarning", "StoreError"]


class FetchError(ValueError):
    """A file of a public data set that cannot be had; the message names the culprit."""


class Interrupted(KeyboardInterrupt):
    """A fit was interrupted while it was sampled; what was sampled is a fit too.

    Parameters
    ----------
    fit : Fit
        Of the draws so far. Its gate says what it is worth.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> try:  # doctest: +SKIP
    ...     fit = bl.fit(model, runs, random_seed=1)
    ... except bl.Interrupted as stopped:
    ...     fit = stopped.fit
    """

    def __init__(self, fit: Fit) -> None:
        super().__init__()
        self.fit = fit


class RunsError(ValueError):
    """A table or data set that cannot be read as runs; the message names the culprit.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> try:
    ...     runs = bl.read_runs("nothing.csv", predictors=["N"])
    ... except bl.RunsError as error:
    ...     print(error)
    there is no file 'nothing.csv'
    """


class RunsWarning(UserWarning):
    """Something in the runs that a fit survives but its reader should know.

    Examples
    --------
    >>> import warnings
    >>> import pandas as pd
    >>> import bayeslaw as bl
    >>> table = pd.DataFrame({"loss": [3.0, 2.0], "N": [1e6, 1e8], "task": "c4"})
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", bl.RunsWarning)  # that there is one task
    ...     runs = bl.read_runs(table, predictors=["N"], groups=["task"])
    """


class StoreError(ValueError):
    """A fit that cannot be saved or loaded; the message names the culprit.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> try:
    ...     fit = bl.load("nothing.nc")
    ... except bl.StoreError as error:
    ...     print(error)
    cannot read 'nothing.nc': No such file or directory
    """
