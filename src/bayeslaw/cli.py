"""The command line: thin over the library, imported quickly."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Parameter

import bayeslaw as bl
from bayeslaw.console import answer, plain

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["main"]

app = App(
    name="bayeslaw",
    help="Bayesian inference for scaling laws: pooled fits, credible extrapolation, comparison.",
    version=version("bayeslaw"),
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # `run` says what an interrupt leaves
)

GOOD, WRONG_INPUT, INTERRUPTED, UNREAD = 0, 2, 130, 141

type Many = Annotated[list[str], Parameter(consume_multiple=False)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 good, 1 a fit failed its gate, 2 wrong input."""
    try:
        code = run(sys.argv[1:] if arguments is None else list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes at exit
        code = UNREAD
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run the command line and give its exit code."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _note
            code = app(
                arguments, exit_on_error=False, print_error=False, result_action="return_value"
            )
    except CycloptsError as error:
        return _wrong(str(error))
    except BrokenPipeError:
        raise  # no wrong input
    except (ValueError, OSError) as error:
        return _wrong(str(error))
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
    return code if isinstance(code, int) else GOOD


def _note(message: Warning | str, *_: Any) -> None:
    print(f"note: {message}", file=sys.stderr)


def _wrong(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return WRONG_INPUT


@app.command
def demo(*, out: Path = Path("bayeslaw-demo"), seed: int = 1, json: bool = False) -> int:
    """Do the whole job on the embedded data: fit, forecast, judge by runs that were held out.

    Parameters
    ----------
    out
        Folder for the figures and the fits.
    seed
        Seed; the same seed gives the same numbers.
    json
        Print one JSON object instead of text.
    """
    from bayeslaw import demo as show

    told = show.run(out, seed, quiet=json)  # unless quiet, it tells on the way
    return answer(told if json else {"converged": told["converged"]}, json)


@app.command
def fit(
    table: Path,
    *,
    predictor: Many,
    response: str = "loss",
    group: Many | None = None,
    stderr: str | None = None,
    run_id: str | None = None,
    law: str = "power",
    pool: bool = True,
    hold_out: Many | None = None,
    seed: int = 1,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    out: Path = Path("fit.nc"),
    json: bool = False,
) -> int:
    """Fit a scaling law to a table of training runs.

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
    law
        Name of the law.
    pool
        Whether curves share what they know of their parameters.
    hold_out
        Largest size to fit, as NAME=SIZE; larger runs are left out.
    seed
        Seed; the same seed gives the same numbers.
    draws
        Draws per chain.
    tune
        Draws per chain that adapt the sampler.
    chains
        Chains.
    out
        File for the fit.
    json
        Print one JSON object instead of text.
    """
    if not out.resolve().parent.is_dir():
        raise ValueError(f"--out {out}: there is no folder {out.parent}")
    runs = _read(table, response, predictor, group, stderr, run_id)
    train = bl.split_at(runs, **_sizes(hold_out))[0] if hold_out else runs
    model = bl.Model(_law(law, predictor), pooling=list(group or []) if pool else None)
    found = bl.fit(
        model, train, random_seed=seed, draws=draws, tune=tune, chains=chains, progressbar=not json
    )
    bl.save(found, out)
    diagnosis = bl.diagnose(found)
    told = {
        "converged": diagnosis.gate.passed,
        "sentences": list(diagnosis.sentences),
        "parameters": bl.summary(found),
        "fit": str(out),
    }
    return answer(told, json)


@app.command
def forecast(
    fit: Path,
    *,
    at: Many,
    draw_new: Many | None = None,
    prob: float = 0.9,
    figure: Path | None = None,
    json: bool = False,
) -> int:
    """Forecast the curve and a new run from a saved fit.

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
    figure
        File for a figure.
    json
        Print one JSON object instead of text.
    """
    kept = bl.load(fit)
    where = bl.grid(**_places(at, kept))
    drawn = bl.forecast(kept, where, draw_new=draw_new or ())
    if figure is not None:
        bl.plot_forecast(drawn, kept.runs).savefig(figure)
    told = {"caveats": drawn.attrs["caveats"], "forecast": _bands(drawn, prob)}
    converged = not any(sentence.startswith("NOT") for sentence in drawn.attrs["caveats"])
    return answer({"converged": converged, **told}, json)


@app.command
def plan(
    fit: Path,
    *,
    budget: str,
    at: Many | None = None,
    draw_new: Many | None = None,
    prob: float = 0.9,
    json: bool = False,
) -> int:
    """Give the compute-optimal sizes for budgets, from a saved fit of a law of N and D.

    Parameters
    ----------
    fit
        File of the fit.
    budget
        FLOPs to train with, 6 N D; several with commas.
    at
        Which curves, as task=c4; several with commas; repeat for more. All unless given.
    draw_new
        Group whose unknown levels are drawn from the population; repeat for more.
    prob
        Probability inside the bands.
    json
        Print one JSON object instead of text.
    """
    kept = bl.load(fit)
    found = bl.plan(
        kept, _list("--budget", budget), at=_places(at or (), kept), draw_new=draw_new or ()
    )
    return _answered("plan", found, prob, json)


@app.command
def requirement(
    fit: Path,
    *,
    target: str,
    along: str | None = None,
    at: Many | None = None,
    largest: float = float("inf"),
    draw_new: Many | None = None,
    prob: float = 0.9,
    json: bool = False,
) -> int:
    """Give the size or the budget at which the curve reaches a target, from a saved fit.

    Parameters
    ----------
    fit
        File of the fit.
    target
        Response to reach; several with commas.
    along
        Predictor that grows; or training_flops, the budget at compute-optimal sizes. By default
        the predictor that is not held.
    at
        Which curves and what is held, as task=c4 or D=1e12; several with commas; repeat for more.
    largest
        Largest size or budget that could be had.
    draw_new
        Group whose unknown levels are drawn from the population; repeat for more.
    prob
        Probability inside the bands.
    json
        Print one JSON object instead of text.
    """
    kept = bl.load(fit)
    found = bl.requirement(
        kept,
        _list("--target", target),
        along=bl.training_flops if along == bl.training_flops.__name__ else along,
        at=_places(at or (), kept),
        largest=largest,
        draw_new=draw_new or (),
    )
    return _answered("requirement", found, prob, json)


@app.command
def compare(
    table: Path,
    *,
    predictor: Many,
    response: str = "loss",
    group: Many | None = None,
    stderr: str | None = None,
    run_id: str | None = None,
    laws: str = "power,pure_power,log_linear",
    hold_out: Many | None = None,
    seed: int = 1,
    json: bool = False,
) -> int:
    """Fit several laws and compare them, in their range and at held-out sizes.

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
    laws
        Names of laws, with commas.
    hold_out
        Largest size to fit, as NAME=SIZE; larger runs judge the laws. Without it the column
        held_out decides, if there is one.
    seed
        Seed; the same seed gives the same numbers.
    json
        Print one JSON object instead of text.
    """
    runs = _read(table, response, predictor, group, stderr, run_id)
    train, later = runs, None
    if hold_out:
        train, later = bl.split_at(runs, **_sizes(hold_out))
    elif "held_out" in runs.coords:
        train, later = bl.split_held_out(runs)
    models = {
        name: bl.Model(_law(name, predictor), pooling=list(group or [])) for name in laws.split(",")
    }
    fits = {
        name: bl.fit(model, train, random_seed=seed, progressbar=not json)
        for name, model in models.items()
    }
    verdicts = [str(found).splitlines()[0] for found in fits.values()]
    told = {
        "converged": not any(verdict.startswith("NOT") for verdict in verdicts),
        "sentences": [f"{name}: {verdict}" for name, verdict in zip(fits, verdicts, strict=True)],
        "comparison": bl.compare(fits, later),
    }
    return answer(told, json)


@app.command
def check(
    table: Path,
    *,
    predictor: Many,
    response: str = "loss",
    group: Many | None = None,
    stderr: str | None = None,
    run_id: str | None = None,
    json: bool = False,
) -> int:
    """Report on a table of runs before anything is fitted.

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
    json
        Print one JSON object instead of text.
    """
    from bayeslaw.diagnose import describe_runs
    from bayeslaw.runs import curves

    runs = _read(table, response, predictor, group, stderr, run_id)
    count = f"{runs.sizes['run']} runs, {curves(runs).sizes['curve']} curve(s)"
    return answer({"sentences": [f"{count}.", *describe_runs(runs)]}, json)


@app.command
def laws(name: str | None = None, /, *, json: bool = False) -> int:
    """List the laws of the catalogue, or tell all about one of them.

    Parameters
    ----------
    name
        Name of a law; all of them unless given.
    json
        Print one JSON object instead of text.
    """
    return answer(_all_laws() if name is None else _one_law(bl.laws.find(name)), json)


@app.command
def data(name: str | None = None, /, *, json: bool = False) -> int:
    """List the data sets, of the package and public ones, or tell all about one of them.

    Parameters
    ----------
    name
        Name of a data set; all of them unless given.
    json
        Print one JSON object instead of text.
    """
    return answer(_all_data() if name is None else _one_dataset(name, json), json)


def _read(
    path: Path,
    response: str,
    predictor: list[str],
    group: list[str] | None,
    stderr: str | None,
    run_id: str | None,
) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("always", bl.RunsWarning)
        return bl.read_runs(
            path,
            response=response,
            predictors=_pairs(predictor),
            groups=group or [],
            stderr=stderr,
            run_id=run_id,
        )


def _pairs(items: Iterable[str]) -> dict[str, str]:
    """NAME=VALUE items; a bare NAME stands for NAME=NAME."""
    pairs: dict[str, str] = {}
    for item in items:
        name, _, value = item.partition("=")
        if name in pairs:
            raise ValueError(f"{name!r} is given twice: {name}={pairs[name]} and {item}")
        pairs[name] = value or name
    return pairs


def _sizes(items: Iterable[str]) -> dict[str, float]:
    return {name: _number(name, value) for name, value in _pairs(items).items()}


def _number(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{name}={value}: {value!r} is not a number; write {name}=1e9") from None


def _places(items: Iterable[str], fit: bl.Fit) -> dict[str, Any]:
    from bayeslaw.runs import predictors

    sizes = predictors(fit.runs)
    split = {name: value.split(",") for name, value in _pairs(items).items()}
    return {
        name: [_number(name, each) for each in values] if name in sizes else values
        for name, values in split.items()
    }


def _list(name: str, values: str) -> list[float]:
    return [_number(name, value) for value in values.split(",")]


def _law(name: str, predictor: list[str]) -> bl.Law:
    law, names = bl.laws.find(name), list(_pairs(predictor))
    if len(law.predictors) == len(names) == 1:
        return law.of(*names)
    missing = [each for each in law.predictors if each not in names]
    if missing:
        raise ValueError(
            f"law {law.name!r} needs the predictor {missing[0]!r}, and --predictor names {names}; "
            f"add --predictor {missing[0]}=COLUMN"
        )
    return law


def _bands(drawn: xr.Dataset, prob: float) -> pd.DataFrame:
    bands = bl.interval(drawn, prob)
    places = [name for name in drawn.coords if name not in ("run", "chain", "draw")]
    frame = drawn.coords.to_dataset()[places].to_dataframe().filter(items=places)
    for what in ("mean", "new_run"):
        for bound in bands["bound"].values:
            frame[f"{what}_{bound}"] = bands[what].sel(bound=bound).values
    return frame.reset_index(drop=True)


def _answered(name: str, drawn: xr.Dataset, prob: float, as_json: bool) -> int:
    """Print bands of what was drawn, and the probabilities beside it."""
    [asked] = set(drawn.dims) - {"chain", "draw", "curve"}
    plain = drawn.drop_vars("curve")  # its groups say it
    bands = bl.interval(plain, prob).to_array("quantity").to_dataset("bound")
    shares = plain[[each for each in plain if "draw" not in plain[each].dims]]
    told = {
        "converged": not any(each.startswith("NOT") for each in drawn.attrs["caveats"]),
        "caveats": drawn.attrs["caveats"],
        name: _rows(bands, "curve", asked, "quantity"),
        "probability": _rows(shares, "curve", asked),
    }
    return answer(told, as_json)


def _rows(values: xr.Dataset, *dims: Any) -> pd.DataFrame:
    """A row for each place, what it is first."""
    frame = values.to_dataframe(list(dims)).reset_index().drop(columns="curve")
    return frame.filter(items=sorted(frame, key=lambda column: column in values.data_vars))


def _all_laws() -> dict[str, Any]:
    import pandas as pd

    found = {name: bl.laws.find(name) for name in bl.laws.names()}
    rows = [
        {
            "law": name,
            "formula": plain(law.latex or ""),
            "predictors": list(law.predictors),
            "parameters": {each: role.name for each, role in law.parameters.items()},
            "about": law.doc.partition("\n")[0].replace("``", ""),
        }
        for name, law in found.items()
    ]
    return {"laws": pd.DataFrame(rows)}


def _one_law(law: bl.Law) -> dict[str, Any]:
    import pandas as pd

    ways = {-1: "falls", 0: "either", 1: "rises"}
    predictors = [
        {"predictor": name, "response": ways[law.direction.get(name, -1)], "unit": unit}
        for name in law.predictors
        for unit in ["none" if name in law.unitless else "any"]
    ]
    parameters = [
        {
            "parameter": name,
            "role": role.name,
            "prior": str(role.prior),
            "spread": str(role.spread),
            "meaning": role.doc,
        }
        for name, role in law.parameters.items()
    ]
    return {
        "law": law.name,
        "formula": plain(law.latex or ""),
        "latex": law.latex,
        "about": law.doc.splitlines(),
        "predictors": pd.DataFrame(predictors),
        "parameters": pd.DataFrame(parameters),
    }


def _all_data() -> dict[str, Any]:
    import pandas as pd

    public = bl.datasets.names(public=True)
    rows = [
        {
            "data": name,
            "from": "public" if name in public else "package",
            "rows": about.rows,
            "runs": about.runs,
            "predictors": list(about.predictors),
            "groups": list(about.groups),
            "licence": about.licence,
            "title": about.title,
        }
        for name in [*bl.datasets.names(), *public]
        for about in [bl.datasets.info(name)]
    ]
    return {"data": pd.DataFrame(rows)}


def _one_dataset(name: str, as_json: bool) -> dict[str, Any]:
    import pandas as pd

    about = bl.datasets.info(name)
    uses = {about.response: "response", about.stderr: "standard error", "held_out": "held out"}
    uses |= {column: f"predictor {each}" for each, column in about.predictors.items()}
    uses |= dict.fromkeys(about.groups, "group")
    columns = [
        {"column": column, "use": uses.get(column, ""), "meaning": meaning}
        for column, meaning in about.columns.items()
    ]
    return {
        "data": name,
        "title": about.title,
        "rows": about.rows,
        "runs": about.runs,
        "licence": about.licence,
        "notes": list(about.notes),
        "columns": pd.DataFrame(columns),
        "provenance": about.provenance if as_json else _sources(about.provenance),
    }


def _sources(provenance: Mapping[str, Any]) -> list[str]:
    """Where data are from, in lines; JSON has more, such as hashes and versions."""
    if "script" in provenance:
        return ["\nMeasured by {script}, {date}, on {machine}.".format_map(provenance)]
    files = {name: provenance["files"][name] for name in provenance["read_from"]}
    return [
        "",
        *provenance["citation"],
        *(
            f"{name}: {'' if file['unchanged'] else 'made from '}{file['path']} of "
            f"https://github.com/{file['repository']} at {file['commit'][:10]}"
            for name, file in files.items()
        ),
    ]
