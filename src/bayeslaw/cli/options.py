"""Options shared by several commands, each defined once with its help text."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

import bayeslaw as bl
from bayeslaw._arguments import (
    AT_LEAST_ONE,
    COUNT,
    POSITIVE,
    PROBABILITY,
    SEED,
    NumberRange,
    text_as_float,
)
from bayeslaw._suggestions import did_you_mean

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "AtLeastOne",
    "FitOptions",
    "OutputOptions",
    "Positive",
    "Probability",
    "Repeatable",
    "RunsTable",
    "SavedFit",
    "Seed",
    "parse_numbers",
    "parse_points",
    "parse_sizes",
    "parse_texts",
    "read_quietly",
    "resumable",
]


def _within(number_range: NumberRange) -> Parameter:
    """An option whose numbers are in a range."""

    def validate(_: Any, value: float | None) -> None:
        if value is not None:
            number_range.check("It", value)

    return Parameter(validator=validate)


type Count = Annotated[int, _within(COUNT)]
type Positive = Annotated[float, _within(POSITIVE)]
type AtLeastOne = Annotated[float, _within(AT_LEAST_ONE)]
type Probability = Annotated[float, _within(PROBABILITY)]
type Seed = Annotated[int, _within(SEED)]
type Repeatable = Annotated[list[str], Parameter(consume_multiple=False, show_default=False)]


@Parameter(name="*", group=Group("Table of runs", sort_key=1))
@dataclass(frozen=True)
class RunsTable:
    """A table of training runs and the meaning of its columns.

    Parameters
    ----------
    table
        CSV, Parquet or JSON lines file with one row per run.
    predictor
        Predictor (size of a run), as NAME=COLUMN or COLUMN; repeat for more.
    response
        Column of the response, such as the loss.
    group
        Column of a group, such as task or dataset; repeat for more.
    stderr
        Column of the standard error of the response.
    run_id
        Column with the names of the runs.
    """

    table: Path
    _: KW_ONLY
    predictor: Repeatable
    response: str = "loss"
    group: Repeatable = field(default_factory=list)
    stderr: str | None = None
    run_id: str | None = None

    def read(self) -> xr.Dataset:
        """Read the runs."""
        return bl.read_runs(
            self.table,
            response=self.response,
            predictors=_pairs(self.predictor),
            groups=self.group,
            stderr=self.stderr,
            run_id=self.run_id,
        )

    def law(self, name: str) -> bl.Law:
        """A law of the catalogue in the predictors of this table."""
        law, names = bl.laws.find(name), list(_pairs(self.predictor))
        if len(law.predictors) == len(names) == 1:
            return law.of(*names)
        missing = [predictor for predictor in law.predictors if predictor not in names]
        if missing:
            raise ValueError(
                f"law {law.name!r} needs the predictor {missing[0]!r}, and --predictor names "
                f"{names}; add --predictor {missing[0]}=COLUMN"
            )
        return law


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Model and sampler options.

    Parameters
    ----------
    hold_out
        Largest size to fit, as NAME=SIZE; larger runs are held out.
    pool
        Whether parameters are partially pooled across curves.
    discrepancy
        Whether the model has a discrepancy; without one the law is assumed to be exactly true. By
        default all laws have one here, while bl.Model gives none to laws of several predictors.
    seed
        Random seed; the same seed gives the same numbers.
    draws
        Posterior draws per chain.
    tune
        Tuning (warm-up) draws per chain.
    chains
        Number of chains.
    max_seconds
        Seconds after which sampling of a fit ends with the draws so far; compiling is not counted.
    """

    hold_out: Repeatable = field(default_factory=list)
    pool: Annotated[bool, Parameter(negative="--no-pool")] = True
    discrepancy: Annotated[bool, Parameter(negative="--no-discrepancy")] = True
    seed: Seed = 1
    draws: Count = 1000
    tune: Count = 1000
    chains: Count = 4
    max_seconds: Positive | None = None

    def model(self, law: bl.Law, table: RunsTable) -> bl.Model:
        """The model of a law, pooled over the groups of the table unless --no-pool is given."""
        return bl.Model(
            law,
            pooling=list(table.group) if self.pool else None,
            discrepancy=bl.Brownian() if self.discrepancy else None,
        )

    def sampler(self, progressbar: bool = True) -> bl.Sampler:
        """The settings of the sampler."""
        return bl.Sampler(
            self.seed,
            self.draws,
            self.tune,
            self.chains,
            progressbar=progressbar,
            max_seconds=self.max_seconds,
        )

    def fit(
        self, model: bl.Model, runs: xr.Dataset, progressbar: bool, store: Path | None = None
    ) -> bl.Fit:
        """Sample, or load the same fit from the store."""
        if store is None:
            return bl.fit(model, runs, sampler=self.sampler(progressbar))
        from bayeslaw.fitting.fit_store import FitStore, store_key

        # Fits of `refit` have fewer groups in their trees; the prefix keeps them apart.
        fit_store, key = FitStore(store), f"whole-{store_key(model, runs, self.sampler())}"
        if not fit_store.intact({key: model}):
            fit_store.put(key, bl.fit(model, runs, sampler=self.sampler(progressbar)))
        return fit_store.get(key, model)


@Parameter(name="*", group=Group("Saved fit", sort_key=0))
@dataclass(frozen=True)
class SavedFit:
    """A saved fit and the points to predict.

    Parameters
    ----------
    fit
        File of a saved fit.
    at
        Point to predict, as N=1e10 or task=c4; comma-separated values, in double quotes if they
        contain a comma; repeat for more. forecast also takes a file, as points.csv.
    draw_new
        Group whose unseen levels are drawn from the population; repeat for more.
    prob
        Probability of the bands.
    """

    fit: Path
    _: KW_ONLY
    at: Repeatable = field(default_factory=list)
    draw_new: Repeatable = field(default_factory=list)
    prob: Probability = 0.9

    @property
    def at_file(self) -> Path | None:
        """The file of points, if that is what --at names."""
        is_file = len(self.at) == 1 and "=" not in self.at[0] and Path(self.at[0]).suffix
        return Path(self.at[0]) if is_file else None


@Parameter(name="*", group=Group("Every command", sort_key=9), show_default=False)
@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """What a command prints.

    Parameters
    ----------
    json
        Print one JSON object instead of text.
    quiet
        Print only the results: no progress, no notes.
    debug
        Show the traceback of an error.
    config
        TOML file with a table per command and a key per option; typed options take precedence.
    imported
        Module of a kind of noise of your own, as of two_piece.py in this folder; repeat for more.
    """

    json: bool = False
    quiet: bool = False
    debug: bool = False
    config: Path | None = None
    imported: Annotated[Repeatable, Parameter(name="--import")] = field(default_factory=list)

    @property
    def shows_progress(self) -> bool:
        """Whether to print progress and intermediate results."""
        return not (self.json or self.quiet)


def read_quietly(table: RunsTable) -> xr.Dataset:
    """Read runs to predict or score, without the warning of groups with one level."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "group .* has one level")  # they are not pooled
        return table.read()


@contextmanager
def resumable(store: Path | None) -> Iterator[None]:
    """Say which fits are saved if a job of many fits is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        saved = f"finished fits are saved in {store}; run the same command to resume"
        lost = "nothing was saved; use --store FOLDER to save each fit when it is finished"
        raise KeyboardInterrupt(lost if store is None else saved) from None


def parse_sizes(items: Iterable[str]) -> dict[str, float]:
    """Parse NAME=SIZE items into sizes by name."""
    return {n: _number(n, value, POSITIVE) for n, value in _pairs(items, bare=False).items()}


def parse_numbers(option: str, values: str, number_range: NumberRange = POSITIVE) -> list[float]:
    """Parse an option that takes several numbers separated by commas."""
    return [_number(option, value, number_range) for value in values.split(",")]


def parse_points(items: Iterable[str], fit: bl.Fit) -> dict[str, Any]:
    """Parse NAME=VALUE,VALUE items into sizes and group levels by name."""
    from bayeslaw.data.runs import group_names, predictor_names

    predictors, groups = predictor_names(fit.runs), group_names(fit.runs)
    split = {name: parse_texts(value) for name, value in _pairs(items, bare=False).items()}
    for name in split:
        if name not in (*predictors, *groups):
            hint = did_you_mean(name, (*predictors, *groups))
            raise ValueError(
                f"--at {name}: the fit has no such predictor or group{hint} Its predictors are "
                f"{predictors}, its groups {groups or None}"
            )
    return {
        n: [_number(n, value, POSITIVE) for value in values] if n in predictors else values
        for n, values in split.items()
    }


def parse_texts(values: str) -> list[str]:
    """Split texts at commas; a text in double quotes may contain commas, as in a CSV file."""
    try:
        [texts] = csv.reader([values], strict=True)
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{values!r} is not a list of texts: {error}") from None
    return texts


def _pairs(items: Iterable[str], *, bare: bool = True) -> dict[str, str]:
    """Split NAME=VALUE items; if `bare`, a bare NAME means NAME=NAME."""
    pairs: dict[str, str] = {}
    for item in items:
        name, sign, value = item.partition("=")
        if name in pairs:
            raise ValueError(f"{name!r} is given twice: {name}={pairs[name]} and {item}")
        if not value and (sign or not bare):
            raise ValueError(f"{item!r} has no value; write {name}=VALUE")
        pairs[name] = value or name
    return pairs


def _number(name: str, value: str, number_range: NumberRange) -> float:
    number = text_as_float(value)
    if number is None:
        raise ValueError(f"{name}={value}: {value!r} is not a number; write {name}=1e9")
    return number_range.check(name, number)
