"""Exceptions and warnings of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayeslaw._suggestions import missing_name

if TYPE_CHECKING:
    from bayeslaw.fitting.result import Fit

__all__ = ["FetchError", "Interrupted", "RunsError", "RunsWarning", "StoreError"]

if not TYPE_CHECKING:  # a type checker finds a wrong name by itself
    __getattr__ = missing_name(__name__, __all__)


class FetchError(ValueError):
    """A file of a public data set is missing, altered or cannot be downloaded.

    The message names the file and, where there is a way, says how to get it.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> try:
    ...     files = bl.datasets.fetch("llm_families", ["nothing.csv"])
    ... except bl.errors.FetchError as error:
    ...     print(error)  # doctest: +ELLIPSIS
    data set 'llm_families' has no file 'nothing.csv'...
    """


class Interrupted(KeyboardInterrupt):
    """`bayeslaw.fit` was interrupted, with Ctrl-C, while it was sampling.

    Parameters
    ----------
    fit : Fit
        The fit with the draws so far. Its convergence gate says whether they can be used.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> try:  # doctest: +SKIP
    ...     fit = bl.fit(model, runs, random_seed=1)
    ... except bl.errors.Interrupted as interrupted:
    ...     fit = interrupted.fit
    """

    def __init__(self, fit: Fit) -> None:
        super().__init__()
        self.fit = fit


class RunsError(ValueError):
    """A table cannot be read as runs, or runs lack a column, group or response that is needed.

    The message names the column, row or group at fault.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> try:
    ...     runs = bl.read_runs("nothing.csv", predictors=["N"])
    ... except bl.errors.RunsError as error:
    ...     print(error)
    there is no file 'nothing.csv'
    """


class RunsWarning(UserWarning):
    """Something about the runs that does not prevent a fit but matters when reading it.

    Examples
    --------
    Such as a group with a single level:

    >>> import warnings
    >>> import pandas as pd
    >>> import bayeslaw as bl
    >>> table = pd.DataFrame({"loss": [3.0, 2.0], "N": [1e6, 1e8], "task": "c4"})
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", bl.errors.RunsWarning)
    ...     runs = bl.read_runs(table, predictors=["N"], groups=["task"])
    """


class StoreError(ValueError):
    """A file cannot be written, or a fit not be read; the message names the file and the reason.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> try:
    ...     fit = bl.load("nothing.nc")
    ... except bl.errors.StoreError as error:
    ...     print(error)
    cannot read 'nothing.nc': No such file or directory
    """
