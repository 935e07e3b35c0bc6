"""Options that several commands take: each stands once, with its sentence of help."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

import bayeslaw as bl

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Fitting", "Many", "Saved", "Say", "Table", "numbers", "places", "resumable", "sizes"]

type Many = Annotated[list[str], Parameter(consume_multiple=False, show_default=False)]


@Parameter(name="*", group=Group("Table of runs", sort_key=1))
@dataclass(frozen=True)
class Table:
    """A table of training runs, and what its columns are.

    Parameters
    ----------
    table
        CSV, Parquet or JSON lines; a row per run.
    predictor
        Size of a run, as NAME=COLUMN or COLUMN; repeat for more.
    response
        Column of the loss.
    group
        Column of a group, such as task or dataset; repeat for more.
    stderr
        Column of the response's standard error.
    run_id
        Column that names the runs.
    """

    table: Path
    _: KW_ONLY
    predictor: Many
    response: str = "loss"
    group: Many = field(default_factory=list)
    stderr: str | None = None
    run_id: str | None = None

    def read(self) -> xr.Dataset:
        """The runs."""
        return bl.read_runs(
            self.table,
            response=self.response,
            predictors=_pairs(self.predictor),
            groups=self.group,
            stderr=self.stderr,
            run_id=self.run_id,
        )

    def law(self, name: str) -> bl.Law:
        """A law of the catalogue, in the predictors of this table."""
        law, names = bl.laws.find(name), list(_pairs(self.predictor))
        if len(law.predictors) == len(names) == 1:
            return law.of(*names)
        missing = [each for each in law.predictors if each not in names]
        if missing:
            raise ValueError(
                f"law {law.name!r} needs the predictor {missing[0]!r}, and --predictor names "
                f"{names}; add --predictor {missing[0]}=COLUMN"
            )
        return law


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Fitting:
    """What is fitted, and how it is sampled.

    Parameters
    ----------
    hold_out
        Largest size to fit, as NAME=SIZE; larger runs are held out.
    pool
        Whether curves share what they know of their parameters.
    discrepancy
        Whether bands hold what the law gets wrong; otherwise it is taken as true.
    seed
        Seed; the same seed gives the same numbers.
    draws
        Draws per chain.
    tune
        Draws per chain that adapt the sampler.
    chains
        Chains.
    """

    hold_out: Many = field(default_factory=list)
    pool: Annotated[bool, Parameter(negative="--no-pool")] = True
    discrepancy: Annotated[bool, Parameter(negative="--no-discrepancy")] = True
    seed: int = 1
    draws: int = 1000
    tune: int = 1000
    chains: int = 4

    def model(self, law: bl.Law, table: Table) -> bl.Model:
        """A law with the groups of a table, if curves are pooled."""
        return bl.Model(
            law,
            pooling=list(table.group) if self.pool else None,
            discrepancy=bl.Brownian() if self.discrepancy else None,
        )

    def fit(self, model: bl.Model, runs: xr.Dataset, say: Say, store: Path | None = None) -> bl.Fit:
        """Sample, unless the same fit is in the store."""
        if store is None:
            return self._sampled(model, runs, say)
        from bayeslaw._sampling.nuts import Sampler
        from bayeslaw.fitting.fit_store import FitStore, store_key

        sampler = Sampler(self.seed, self.draws, self.tune, self.chains)
        archive, key = (
            FitStore(store),
            f"whole-{store_key(model, runs, sampler)}",
        )  # refit's have less
        if key not in archive:
            archive.put(key, self._sampled(model, runs, say))
        return archive.get(key, model)

    def _sampled(self, model: bl.Model, runs: xr.Dataset, say: Say) -> bl.Fit:
        return bl.fit(
            model,
            runs,
            random_seed=self.seed,
            draws=self.draws,
            tune=self.tune,
            chains=self.chains,
            progressbar=say.talks,
        )


@Parameter(name="*", group=Group("Saved fit", sort_key=0))
@dataclass(frozen=True)
class Saved:
    """A saved fit, and where it is asked.

    Parameters
    ----------
    fit
        File of the fit.
    at
        Where, as N=1e10 or task=c4; several values with commas; repeat for more.
    draw_new
        Group whose unknown levels are drawn from the population; repeat for more.
    prob
        Probability inside the bands.
    """

    fit: Path
    _: KW_ONLY
    at: Many = field(default_factory=list)
    draw_new: Many = field(default_factory=list)
    prob: float = 0.9


@Parameter(name="*", group=Group("Every command", sort_key=9), show_default=False)
@dataclass(frozen=True, kw_only=True)
class Say:
    """How a command answers.

    Parameters
    ----------
    json
        Print one JSON object instead of text.
    quiet
        Say nothing besides the answer: no progress, no notes.
    debug
        Show where an error comes from.
    config
        TOML file with options: a table per command, a key per option; what is typed here wins.
    """

    json: bool = False
    quiet: bool = False
    debug: bool = False
    config: Path | None = None

    @property
    def talks(self) -> bool:
        """Whether to tell on the way, such as how far the work is."""
        return not (self.json or self.quiet)


@contextmanager
def resumable(store: Path | None) -> Iterator[None]:
    """Say on an interrupt what is kept of many fits."""
    try:
        yield
    except KeyboardInterrupt:
        kept = f"fits that were done are in {store}, and the same command goes on from there"
        lost = "nothing was kept; --store FOLDER keeps each fit as it is done"
        raise KeyboardInterrupt(lost if store is None else kept) from None


def sizes(items: Iterable[str]) -> dict[str, float]:
    """Sizes by name, from NAME=SIZE items."""
    return {name: _number(name, value) for name, value in _pairs(items).items()}


def numbers(option: str, values: str) -> list[float]:
    """The numbers of an option that takes several, with commas."""
    return [_number(option, value) for value in values.split(",")]


def places(items: Iterable[str], fit: bl.Fit) -> dict[str, Any]:
    """Sizes and levels of groups by name, from NAME=VALUE,VALUE items."""
    from bayeslaw.data.runs import predictor_names

    known = predictor_names(fit.runs)
    split = {name: value.split(",") for name, value in _pairs(items).items()}
    return {
        name: [_number(name, each) for each in values] if name in known else values
        for name, values in split.items()
    }


def _pairs(items: Iterable[str]) -> dict[str, str]:
    """NAME=VALUE items; a bare NAME stands for NAME=NAME."""
    pairs: dict[str, str] = {}
    for item in items:
        name, _, value = item.partition("=")
        if name in pairs:
            raise ValueError(f"{name!r} is given twice: {name}={pairs[name]} and {item}")
        pairs[name] = value or name
    return pairs


def _number(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{name}={value}: {value!r} is not a number; write {name}=1e9") from None
