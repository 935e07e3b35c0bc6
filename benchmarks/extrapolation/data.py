"""The curves, split as published, and the forecasts of them.

The first four domains are the benchmark of Alabdulmohsin et al. (2022); with double descent (DD),
nanoGPT (Nano) and the 192 language models (ColPret) it is that of Lee et al. (2025), whose splits
are reproduced row by row. LCDB and Datablations are split here, at half of the largest size:

- LCDB: every fifteenth of the 72 tables in the order of their numbers, that is five, with all
  twelve learners; its rows have known standard errors;
- Datablations: validation losses of the runs with at most 14 epochs: 40 curves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pandas as pd

import bayeslaw as bl

BIN = 0.12  # width in log x
SCALED = ("DD", "Nano", "ColPret")  # domains whose responses are divided by the largest
HALVED = ("DD", "ColPret")  # domains whose first half is for training
NAN = float("nan")


@dataclass(frozen=True)
class Curve:
    """A curve in two parts, each sorted by (x, y).

    Parameters
    ----------
    domain : str
        One of `DOMAINS`.
    name : str
        Unique in its domain.
    groups : mapping of str to str
        Levels it shares with other curves, such as its task and its model.
    x_train, y_train, x_test, y_test : array, shape (row,)
        Sizes and responses, in the units of the file.
    y_scale : float
        What the protocol divides the responses by: 1, or the largest of the training rows.
    stderr_train, stderr_test : array, shape (row,), optional
        Known standard errors of the responses.
    """

    domain: str
    name: str
    groups: Mapping[str, str]
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    y_scale: float = 1.0
    stderr_train: np.ndarray | None = None
    stderr_test: np.ndarray | None = None

    @property
    def reach(self) -> float:
        """The largest test size over the largest training size."""
        return float(self.x_test[-1] / self.x_train[-1])


@dataclass(frozen=True)
class Prediction:
    """A forecast of the test rows of a curve, in the units of the file.

    Parameters
    ----------
    median : array, shape (row,)
        Point forecast.
    new_run : array, shape (draw, row), optional
        Draws of a raw row.
    log_density : array, shape (row,), optional
        Log density of each raw row as observed.
    curve : array, shape (draw, row), optional
        Draws of the mean curve at the rows.
    seconds : float
        Wall time; of a joint fit its share of one curve.
    gate : bool, optional
        Whether the sampler's diagnostics passed.
    converged : bool, optional
        Whether an optimiser came to rest.
    """

    median: np.ndarray
    new_run: np.ndarray | None = None
    log_density: np.ndarray | None = None
    curve: np.ndarray | None = None
    seconds: float = NAN
    gate: bool | None = None
    converged: bool | None = None


type Predictor = Callable[[Sequence[Curve]], list[Prediction]]


@dataclass(frozen=True)
class Bins:
    """Means of the log response over test rows of nearly the same size.

    Parameters
    ----------
    weights : array, shape (bin, row)
        Weight of each test row in each mean.
    mean : array, shape (bin,)
        Means of log y.
    stderr : array, shape (bin,)
        Their standard errors; NaN where no two rows determine the noise.
    """

    weights: np.ndarray = field(repr=False)
    mean: np.ndarray
    stderr: np.ndarray


def load(domain: str, *, duplicates: bool = True) -> list[Curve]:
    """Read the curves of a domain.

    Parameters
    ----------
    domain : str
        One of `DOMAINS`.
    duplicates : bool
        Whether training rows that are exact copies of others stay, as in the protocol. Test rows
        always do.

    Returns
    -------
    list of Curve
        In the order of their names.

    Raises
    ------
    ValueError
        If there is no such domain.
    """
    if domain not in DOMAINS:
        raise ValueError(f"unknown domain {domain!r}; there are: {', '.join(DOMAINS)}")
    table, groups = DOMAINS[domain]()
    curves = [_curve(domain, name, rows, groups) for name, rows in table.groupby("name")]
    return curves if duplicates else [_without_copies(curve) for curve in curves]


def few_points(
    curves: Sequence[Curve], n: int, *, reach: float = 25.0, rows: int = 0
) -> list[Curve]:
    """Keep the first training rows of the curves whose test rows are then far enough away.

    The test rows stay the same; the training rows in between are dropped. Of the 72 curves of
    IC, 45 have reach 25 from their tenth row and 50 from their sixth; the last test sizes lie at
    most 114 and 184 times beyond. At least 20 training rows have 65 of them, whatever their reach.

    Parameters
    ----------
    curves : sequence of Curve
        Candidates.
    n : int
        Number of training rows to keep.
    reach : float
        Least ratio of the last test size to the last training size that is kept.
    rows : int
        Least number of training rows that a curve must have before.

    Returns
    -------
    list of Curve
    """
    enough = [_first(curve, n) for curve in curves if curve.x_train.size >= max(n, rows)]
    return [curve for curve in enough if curve.reach >= reach]


def cutoff(curve: Curve, share: float) -> Curve:
    """Keep a share of the training rows; everything after them is to be forecast.

    The protocol's study of context sizes, with its rounding.

    Parameters
    ----------
    curve : Curve
        As of `load`, with copies.
    share : float
        Above 0, at most 1.

    Returns
    -------
    Curve
    """
    n_train, n_test = curve.x_train.size, curve.x_test.size
    if curve.domain in HALVED:
        n_kept = _half(n_train + n_test, share)
    else:
        n_kept = max(2, int(share * n_train))
    first = _first(curve, min(n_kept, n_train))
    x, y = np.append(curve.x_train, curve.x_test), np.append(curve.y_train, curve.y_test)
    stderr = None
    if curve.stderr_train is not None and curve.stderr_test is not None:
        stderr = np.append(curve.stderr_train, curve.stderr_test)[n_kept:]
    return replace(first, x_test=x[n_kept:], y_test=y[n_kept:], stderr_test=stderr)


def binned(curve: Curve, width: float = BIN) -> Bins:
    """Average the logarithms of the test rows in bins of log x.

    The first bin begins at the first test row. The noise of a row is its known standard error, or
    one number for the curve: half the mean square of the differences between neighbours of a bin,
    copies left out. Noise that neighbours share is not estimated.

    Parameters
    ----------
    curve : Curve
        Its test rows are used.
    width : float
        Of a bin, in log x.

    Returns
    -------
    Bins
    """
    log_x, log_y = np.log(curve.x_test), np.log(curve.y_test)
    bin_of_row = np.unique(((log_x - log_x[0]) / width).astype(int), return_inverse=True)[1]
    member = bin_of_row == np.arange(bin_of_row.max() + 1)[:, None]
    weights = member / member.sum(axis=1, keepdims=True)
    known = curve.stderr_test
    if known is not None:
        stderr = np.sqrt(weights**2 @ (known / curve.y_test) ** 2)
    else:
        fresh = np.append(True, (np.diff(log_x) > 0) | (np.diff(log_y) != 0))
        distinct = (member & fresh).sum(axis=1)
        stderr = _noise(log_y[fresh], bin_of_row[fresh]) / np.sqrt(distinct)
    return Bins(weights, weights @ log_y, stderr)


def _noise(log_y: np.ndarray, bin_of_row: np.ndarray) -> float:
    steps = np.diff(log_y)[np.diff(bin_of_row) == 0]
    return float(np.sqrt(np.mean(steps**2) / 2)) if steps.size else NAN


def _curve(domain: str, name: object, rows: pd.DataFrame, groups: Sequence[str]) -> Curve:
    rows = rows.sort_values(["x", "y"])
    parts = [rows[rows["train"] == flag] for flag in (1, 0)]
    x_train, x_test = (part["x"].to_numpy(float) for part in parts)
    y_train, y_test = (part["y"].to_numpy(float) for part in parts)
    known = [part["stderr"].to_numpy(float) if "stderr" in part else None for part in parts]
    levels = {group: str(rows[group].iloc[0]) for group in groups}
    scale = _scale(domain, y_train)
    return Curve(domain, str(name), levels, x_train, y_train, x_test, y_test, scale, *known)


def _scale(domain: str, y_train: np.ndarray) -> float:
    return float(y_train.max()) if domain in SCALED else 1.0


def _first(curve: Curve, n: int) -> Curve:
    return _select(curve, np.arange(curve.x_train.size) < n)


def _without_copies(curve: Curve) -> Curve:
    steps = np.diff(curve.x_train) + np.abs(np.diff(curve.y_train))  # sorted: copies are neighbours
    return _select(curve, np.append(True, steps > 0))


def _select(curve: Curve, selected: np.ndarray) -> Curve:
    y, stderr = curve.y_train[selected], curve.stderr_train
    return replace(
        curve,
        x_train=curve.x_train[selected],
        y_train=y,
        y_scale=_scale(curve.domain, y),
        stderr_train=None if stderr is None else stderr[selected],
    )


def _half(n: int, share: float = 1.0) -> int:
    """Rows for training, of n, as the protocol rounds the half."""
    return max(3, min(int(0.5 * share * n + 0.5), n - 1))


type Table = tuple[pd.DataFrame, list[str]]  # with columns name, x, y, train; columns of groups


def _named(rows: pd.DataFrame, groups: list[str]) -> Table:
    return rows.assign(name=rows[groups].astype(str).agg(" / ".join, axis=1)), groups


def _learning_curves(domain: str, groups: list[str]) -> Table:
    """The files as published: the package's own table leaves the copies of LM out."""
    rows = pd.concat([pd.read_csv(path) for path in bl.datasets.fetch("revisiting_nsl").values()])
    names = {"Task": "task", "Model": "model", "Seen Examples": "x", "Loss": "y"}
    rows = rows[rows["Domain"] == domain].rename(columns=names | {"Training": "train"})
    if "shots" in groups:
        rows[groups] = rows["task"].str.extract(r"\('(\w+)', '(.*)'\)")  # ('date', '1-shot')
    return _named(rows, groups)


def _extra(source: str, x: str, y: str, groups: dict[str, str]) -> Table:
    """One of the files of Lee et al., whose rows carry their split."""
    [path] = bl.datasets.fetch(source).values()
    rows = pd.read_csv(path).rename(columns=groups)
    return rows.rename(columns={"curve": "name", x: "x", y: "y"}), [*groups.values()]


def _nanogpt() -> Table:
    rows, _ = _extra("nslpfn_extra_nanogpt", "n_embd", "val_loss", {})
    rows[["measure", "setting"]] = rows["name"].str.extract(r"(min|final)val_(\w+)")
    return rows, ["measure", "setting"]


def _lcdb() -> Table:
    rows = bl.datasets.table("lcdb11")
    rows = rows[rows["openml_id"].isin(np.sort(rows["openml_id"].unique())[::15])]
    rows = rows.rename(columns={"D": "x", "error": "y", "error_stderr": "stderr"})
    return _half_of_range(*_named(rows, ["task", "learner"]))


def _datablations() -> Table:
    rows = bl.datasets.table("datablations_curves").rename(columns={"D": "x", "loss": "y"})
    epochs = rows["setting"].str.extract(r"x (\d+)$", expand=False).astype(int)
    return _half_of_range(*_named(rows[epochs <= 14], ["data", "setting"]))


def _half_of_range(rows: pd.DataFrame, groups: list[str]) -> Table:
    largest = rows.groupby("name")["x"].transform("max")
    return rows.assign(train=(rows["x"] <= largest / 2).astype(int)), groups


_LABELS = {"x_label": "quantity", "y_label": "measure"}
DOMAINS: Mapping[str, Callable[[], Table]] = {
    "IC": partial(_learning_curves, "IC", ["task", "model"]),
    "NMT": partial(_learning_curves, "NMT", ["model"]),
    "LM": partial(_learning_curves, "LM", ["model"]),
    "BB": partial(_learning_curves, "BB", ["task", "shots"]),
    "DD": partial(_extra, "nslpfn_extra_double_descent", "x", "y", _LABELS),
    "Nano": _nanogpt,
    "ColPret": partial(_extra, "nslpfn_extra_colpret", "tokens_seen", "loss", {}),
    "LCDB": _lcdb,
    "Datablations": _datablations,
}
