"""Figures: results in, a Matplotlib figure out; nothing is computed here but bands."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib import rcParams, style
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, ScalarFormatter

from bayeslaw import runs as table
from bayeslaw.forecast import interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from bayeslaw.fit import Fit

__all__ = ["plot_comparison", "plot_forecast", "plot_prior"]

STYLE = "bayeslaw.bayeslaw"  # the file bayeslaw.mplstyle beside this one
ACCENT, INK, GREY, PALE, BEYOND = "#0072B2", "#222222", "#777777", "#C4C4C4", "#F1F1F1"
BANDS = {0.9: "#C9DFEE", 0.5: "#8DBDDD"}
COLUMN, PAGE = 3.3, 7.0  # widths in inches
MOST_PANELS, MOST_PRIOR_PANELS, PRIOR_DRAWS = 12, 4, 50
DISTRUST = "NOT CONVERGED"  # how the sentence of a failed gate begins
KEY = (
    "Line: median curve, dashes its 90% band; shades: 50% and 90% of new runs. "
    "Dots: fitted runs; circles: runs held out or beyond the fitted range."
)
POINT = {"fmt": "o", "ms": 3.5, "lw": 0.8}
PRIOR_KEY = "Lines: runs drawn from the prior, noise included; dots: observed runs."
SCORES = {"rmsle": ("RMSLE", ".3f"), "crps": ("CRPS", ".3g"), "coverage_90": ("in 90%", ".0%")}
SMALL = {"size": 5.5, "color": "#444444"}
WARNING = {"color": "white", "weight": "bold", "ha": "center", "va": "center"}


def plot_forecast(
    forecast: xr.Dataset, runs: xr.Dataset, *, x: str | None = None, columns: int | None = None
) -> Figure:
    """Draw a forecast over the runs, one panel per curve.

    Sizes beyond the largest fitted one of the curve are on grey. Of more than twelve curves,
    twelve spread over all are shown; forecast fewer to choose them.

    Parameters
    ----------
    forecast : xarray.Dataset
        Draws, as of `bayeslaw.forecast`.
    runs : xarray.Dataset
        Runs to draw on top: fitted ones as dots, those held out or beyond the fitted range as
        circles. Where predictors are several, the runs within a tenth of the forecast's others.
    x : str, optional
        Predictor on the horizontal axis; by default the first that varies in the forecast.
        Each value of the others has its panel, unless they change along with it.
    columns : int, optional
        Columns of panels; by default a near-square grid.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the forecast lacks what `bayeslaw.forecast` gives, the runs are of another response,
        or there is no predictor `x`.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> forecast = bl.forecast(fit, bl.grid(N=[1e8, 1e9, 1e10], task="c4"))  # doctest: +SKIP
    >>> bl.plot_forecast(forecast, runs).savefig("forecast.png")  # doctest: +SKIP
    """
    x = _checked(forecast, runs, x)
    lines = list(_lines(forecast, x))
    shown = [_panel(forecast, runs, x, *line) for line in _spread(lines, MOST_PANELS)]
    sizes, responses = np.hstack([part for each in shown for part in (each.fitted, each.later)])
    sizes = np.concatenate([sizes, *(panel.sizes for panel in shown)])
    medians = [panel.bands[0.9]["mean"].sel(bound="median").values for panel in shown]
    edges = [panel.bands[0.9]["new_run"].values.ravel() for panel in shown]
    with style.context(STYLE):
        # netCDF gives a list of one sentence back as the sentence itself.
        notes = [KEY, *np.atleast_1d(forecast.attrs.get("caveats", [])).tolist()]
        figure, axes = _small_multiples(runs, x, len(shown), len(lines), columns, notes)
        # Room on the right for the names of the bands.
        _scale(axes[0], "x", _limits(sizes, sizes, 1, margin=1 + 0.2 / _width(axes[0])))
        _scale(axes[0], "y", _limits(np.hstack([responses, *medians]), np.hstack(edges), 3))
        for axis, panel in zip(axes, shown, strict=True):
            _draw_panel(axis, panel)
        _name_bands(axes[0], shown[0])
    return figure


def plot_comparison(comparison: pd.DataFrame) -> Figure:
    """Draw the held-out log scores of laws, with the other scores beside them.

    Parameters
    ----------
    comparison : pandas.DataFrame
        As of `bayeslaw.compare` with held-out runs.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no score, as there is none without held-out runs.

    Examples
    --------
    >>> import pandas as pd
    >>> scores = {"log_score": [1.2, None], "log_score_se": [0.1, None], "rmsle": [0.1, 0.3]}
    >>> scores |= {"crps": [0.02, None], "coverage_90": [0.9, None]}
    >>> comparison = pd.DataFrame(scores, index=["power", "last value"])
    >>> [text.get_text() for text in plot_comparison(comparison).axes[0].get_yticklabels()]
    ['power', 'last value']
    """
    for name in ("log_score", "log_score_se", *SCORES):
        if name not in comparison:
            raise ValueError(f"no {name!r} in the comparison; compare(fits, later) gives it")
    with style.context(STYLE):
        figure = Figure((1.5 * COLUMN, 0.7 + 0.2 * len(comparison)), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[3, 2], sharey=True)
        _draw_scores(left, comparison)
        _write_scores(right, comparison)
    return figure


def plot_prior(fit: Fit) -> Figure:
    """Draw runs as the prior has them, with the observed runs on top.

    Fifty draws of the prior predictive distribution in at most four curves. A line that leaves
    the frame is more than a hundredfold away from all data.

    Parameters
    ----------
    fit : Fit
        The fit, with ``prior_predictive`` in its tree.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import bayeslaw as bl
    >>> bl.plot_prior(fit).savefig("prior.png")  # doctest: +SKIP
    """
    runs, x = fit.runs, table.predictors(fit.runs)[0]
    sizes, observed = runs[x].values, table.response(runs).values
    prior = fit.tree["prior_predictive"].to_dataset()[runs.attrs["response"]].values
    drawn = np.stack(_spread(list(prior.reshape(-1, sizes.size)), PRIOR_DRAWS), axis=1)
    curves = list(_rows_by(runs, table.groups(runs), range(sizes.size)).items())
    shown = _spread(curves, MOST_PRIOR_PANELS)
    with style.context(STYLE):
        figure, axes = _small_multiples(runs, x, len(shown), len(curves), None, [PRIOR_KEY])
        _scale(axes[0], "x", _limits(sizes, sizes, 1))
        _scale(axes[0], "y", _limits(observed, drawn.ravel(), 100))
        for axis, (labels, own) in zip(axes, shown, strict=True):
            rows = np.array(own)[np.unique(sizes[own], return_index=True)[1]]
            axis.plot(sizes[rows], drawn[rows], ".-", color=PALE, lw=0.5, ms=1)
            _dots(axis, sizes[own], observed[own])
            _title(axis, " / ".join(labels))
    return figure


@dataclass(frozen=True)
class _Panel:
    """A line of a forecast along one predictor, and the runs about it."""

    title: str
    sizes: np.ndarray  # increasing
    bands: dict[float, xr.Dataset]
    start: float  # what is larger is extrapolated
    fitted: np.ndarray  # sizes and responses of runs
    later: np.ndarray


def _checked(forecast: xr.Dataset, runs: xr.Dataset, x: str | None) -> str:
    """Return the predictor on the horizontal axis, after a look at what was given."""
    for name in ("response", "predictors", "groups", "observed", "mean", "new_run"):
        if name not in forecast.attrs and name not in forecast.data_vars:
            raise ValueError(f"the forecast has no {name!r}; make it with bayeslaw.forecast")
    table.check_runs(runs)
    predictors = table.predictors(forecast)
    for name in (forecast.attrs["response"], *predictors, *table.groups(forecast)):
        if name not in runs.variables:
            raise ValueError(f"the runs have no {name!r}, which the forecast has")
    if x is not None and x not in predictors:
        raise ValueError(f"x must be a predictor of the forecast, one of {predictors}, got {x!r}")
    varying = [name for name in predictors if np.ptp(forecast[name].values) > 0]
    return x or (varying or predictors)[0]


def _lines(points: xr.Dataset, x: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield title and positions, by size, of each line of a forecast."""
    others = [name for name in table.predictors(points) if name != x]
    for labels, own in _rows_by(points, table.groups(points), range(points.sizes["run"])).items():
        settings = _rows_by(points, others, own)
        distinct = len(_rows_by(points, [x, *others], own))
        if len(settings) > 1 and distinct == len(_rows_by(points, [x], own)):
            settings = {(): own}  # the others change along with x
        for setting, rows in settings.items():
            told = [f"{name} = {value:.3g}" for name, value in zip(others, setting, strict=False)]
            first = np.unique(points[x].values[rows], return_index=True)[1]
            yield ", ".join([*filter(None, [" / ".join(labels)]), *told]), np.array(rows)[first]


def _rows_by(points: xr.Dataset, names: list[str], rows: Sequence[int]) -> dict[tuple, list[int]]:
    """Gather positions by the values that variables have there."""
    found: dict[tuple, list[int]] = {}
    columns = [points[name].values.tolist() for name in names]
    for row in rows:
        found.setdefault(tuple(column[row] for column in columns), []).append(row)
    return found


def _panel(forecast: xr.Dataset, runs: xr.Dataset, x: str, title: str, rows: np.ndarray) -> _Panel:
    line, observed = forecast.isel(run=rows), json.loads(forecast.attrs["observed"])
    drawn, sizes = line[["mean", "new_run"]].reset_coords(drop=True), line[x].values
    ranges = {name: observed[name] for name in table.predictors(forecast)}
    is_fitted = _is_fitted(runs, ranges)
    own = np.ones(runs.sizes["run"], dtype=bool)
    for group in table.groups(forecast):
        own &= runs[group].values == line[group].values[0]
    places = np.stack([runs[x].values, table.response(runs).values])
    start = places[0, own & is_fitted].max(initial=0) or ranges[x][1]
    for name in ranges.keys() - {x}:
        near = np.interp(np.log(runs[x]), np.log(sizes), np.log(line[name]))
        own &= np.abs(np.log(runs[name].values) - near) < 0.1
        inside = line[name].values <= ranges[name][1]
        start = start if inside.all() else min(start, sizes[inside].max(initial=0))
    bands = {prob: interval(drawn, prob) for prob in BANDS}
    fitted, later = places[:, own & is_fitted], places[:, own & ~is_fitted]
    return _Panel(title, sizes, bands, float(start), fitted, later)


def _is_fitted(runs: xr.Dataset, ranges: dict[str, list[float]]) -> np.ndarray:
    values = {name: runs[name].values for name in ranges}
    inside = [(low <= values[n]) & (values[n] <= high) for n, (low, high) in ranges.items()]
    fitted = np.all(inside, axis=0)
    used = ~runs["held_out"].values if "held_out" in runs.coords else np.ones_like(fitted)
    # If the largest fitted size is that of a marked run alone, the fit was made of all runs.
    of_all = [ranges[n][1] == v.max() > v[used].max(initial=0) for n, v in values.items()]
    return fitted if any(of_all) else fitted & used


def _spread[T](items: Sequence[T], most: int) -> list[T]:
    """Return all items, or so many that lie evenly among them."""
    places = np.linspace(0, len(items) - 1, min(len(items), most)).round().astype(int)
    return [items[place] for place in places]


def _small_multiples(
    runs: xr.Dataset, x: str, panels: int, curves: int, columns: int | None, notes: list[str]
) -> tuple[Figure, list[Axes]]:
    """Make panels with shared axes above footnotes; a failed gate goes to the top."""
    if columns is not None and columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}")
    columns = min(columns or math.ceil(math.sqrt(panels)), panels)
    rows = math.ceil(panels / columns)
    width = COLUMN if columns == 1 else min(PAGE, 0.6 + 2.2 * columns)
    failed = " ".join(note for note in notes if note.startswith(DISTRUST))
    warning = "\n".join(textwrap.wrap(failed, int(width * 15)))
    notes = [note for note in notes if note not in failed]
    notes += [f"{panels} of {curves} curves shown."] if panels < curves else []
    note = "\n".join(line for note in notes for line in textwrap.wrap(note, int(width * 23)))
    heights = [0.13 * warning.count("\n") + 0.22 if warning else 0.03]
    heights += [rows * (0.35 + 0.6 * (width - 0.4) / columns) + 0.3, 0.1 * note.count("\n") + 0.16]
    figure = Figure((width, sum(heights)), layout="constrained")
    above, body, below = figure.subfigures(3, 1, height_ratios=heights, squeeze=False).flat
    above.set_facecolor(INK if warning else "white")
    above.text(0.5, 0.5, warning, parse_math=False, **WARNING)
    below.text(0.06 / width, 1, note, va="top", linespacing=1.25, parse_math=False, **SMALL)
    axes = list(body.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for empty in axes[panels:]:
        empty.remove()
    for last in axes[max(0, panels - columns) : panels]:
        last.tick_params(labelbottom=True)  # above an empty cell too
    for write, variable in ((body.supxlabel, runs[x]), (body.supylabel, table.response(runs))):
        units = f" ({variable.attrs['units']})" if "units" in variable.attrs else ""
        write(f"{variable.name}{units}", parse_math=False)
    return figure, axes[:panels]


def _limits(core: np.ndarray, rest: np.ndarray, reach: float, margin: float = 1) -> list[float]:
    """Return limits around all of the core, and the rest within a factor of it."""
    core, rest = (values[np.isfinite(values) & (values > 0)] for values in (core, rest))
    core = core if core.size else np.ones(1)
    low = max(core.min() / reach, rest.min(initial=core.min()))
    high = min(core.max() * reach, rest.max(initial=core.max()))
    pad = max((high / low) ** 0.04, 1.02)
    return [float(low / pad), float(low * (high / low) ** margin * pad)]


def _scale(panel: Axes, which: str, limits: list[float]) -> None:
    """Give panels a logarithmic axis with ticks that fit."""
    panel.set(**{f"{which}scale": "log", f"{which}lim": limits})
    axis, room = (panel.xaxis, 3.8) if which == "x" else (panel.yaxis, 4.5)
    most, decades = max(3, int(room * _width(panel))), math.log10(limits[1] / limits[0])
    ladders = [steps for steps in (range(1, 10), (1, 2, 5), (1, 3)) if decades * len(steps) < most]
    axis.set_major_locator(LogLocator(subs=[*ladders, (1,)][0], numticks=most))
    axis.set_minor_locator(LogLocator(subs=range(1, 10) if decades < 4 else (1,), numticks=99))
    power = ScalarFormatter(useMathText=True).format_data
    is_plain = limits[0] > 1e-4 and limits[1] < 1e5
    axis.set_major_formatter(lambda v, _: f"{v:.5g}" if is_plain else f"${power(v)}$")
    axis.set_minor_formatter("")


def _width(panel: Axes) -> float:
    """Return the width of a panel in inches, about: before the layout."""
    return panel.bbox.width / rcParams["figure.dpi"]


def _draw_panel(axis: Axes, panel: _Panel) -> None:
    low, high = axis.get_ylim()
    left, right = axis.get_xlim()
    sizes, place = panel.sizes, slice(None)
    if sizes.size == 1:  # a line of one point is a short bar
        sizes, place = sizes * (right / left) ** np.array([-0.015, 0.015]), [0, 0]

    def edge(prob: float, name: str, bound: str) -> np.ndarray:
        return np.clip(panel.bands[prob][name].sel(bound=bound).values, low, high)[place]

    axis.axvspan(np.clip(panel.start, left, right), right, color=BEYOND, lw=0, label="beyond")
    for prob, colour in BANDS.items():
        lower, upper = edge(prob, "new_run", "lower"), edge(prob, "new_run", "upper")
        axis.fill_between(sizes, lower, upper, color=colour, lw=0, label=f"{prob:.0%}")
    for bound in ("lower", "upper"):
        axis.plot(sizes, edge(0.9, "mean", bound), color=ACCENT, lw=0.5, dashes=(4, 2))
    mark = "." if 1 < panel.sizes.size <= 4 else ""
    axis.plot(sizes, edge(0.9, "mean", "median"), color=ACCENT, marker=mark, ms=3, label="median")
    _dots(axis, *panel.fitted)
    axis.plot(*panel.later, "o", ms=2.2, mfc="white", mec=INK, mew=0.4, alpha=0.8, label="later")
    _title(axis, panel.title)


def _dots(axis: Axes, sizes: np.ndarray, responses: np.ndarray) -> None:
    opacity = 0.4 if np.unique(sizes).size < sizes.size else 0.85
    axis.plot(sizes, responses, "o", ms=2, mew=0, color=INK, alpha=opacity, label="fitted")


def _title(axis: Axes, title: str) -> None:
    lines = textwrap.wrap(title, int(_width(axis) * 20), max_lines=2, placeholder=" …")
    axis.set_title("\n".join(lines), loc="left", parse_math=False)


def _name_bands(axis: Axes, panel: _Panel) -> None:
    """Name the bands at their right end, apart enough to be read, and the extrapolation."""
    low, high = axis.get_ylim()
    ends = panel.bands[0.9]["new_run"].isel(run=-1).sel(bound=["median", "upper"]).values
    middle, top = np.log(np.clip(np.nan_to_num(ends), low, high) / low) / np.log(high / low)
    middle = np.clip(middle, 0.03, 0.87)
    for text, height in {"50%": middle, "90%": np.clip(top, middle + 0.08, 0.97)}.items():
        look = {"textcoords": "offset points", "va": "center", "size": 5.5, "color": ACCENT}
        axis.annotate(text, (panel.sizes[-1], height), (4, 0), axis.get_xaxis_transform(), **look)
    if panel.start < panel.sizes[-1] * (1 - 1e-9):
        axis.text(0.98, 1, "extrapolated", transform=axis.transAxes, ha="right", va="top", **SMALL)


def _draw_scores(axis: Axes, comparison: pd.DataFrame) -> None:
    scores, errors = comparison[["log_score", "log_score_se"]].to_numpy(dtype=float).T
    finite, place = np.flatnonzero(np.isfinite(scores)), axis.get_yaxis_transform()
    for row in finite:
        colour = ACCENT if scores[row] == scores[finite].max() else INK
        axis.errorbar(scores[row], row, xerr=np.nan_to_num(errors[row]), color=colour, **POINT)
    for row in np.flatnonzero(np.isneginf(scores)).tolist():
        axis.text(0.01, row, "\N{MINUS SIGN}\N{INFINITY}", transform=place, va="center")
    axis.hlines(np.flatnonzero(np.isnan(scores))[:1] - 0.5, 0, 1, GREY, lw=0.4, transform=place)
    verdicts = comparison["verdict"] if "verdict" in comparison else [""] * len(scores)
    both = zip(comparison.index, verdicts, strict=True)
    labels = [f"{name} ({DISTRUST})" if told == DISTRUST else str(name) for name, told in both]
    axis.set_yticks(range(len(labels)), labels, parse_math=False)
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.xaxis.set_major_locator(MaxNLocator(5 if finite.size else 1))
    axis.set_xlabel("held-out log score ± standard error\n(higher is better)")


def _write_scores(axis: Axes, comparison: pd.DataFrame) -> None:
    """Write the other scores in columns."""
    axis.set_axis_off()
    for column, (score, (name, how)) in enumerate(SCORES.items(), start=1):
        values = comparison[score].to_numpy(dtype=float)
        texts = ["" if np.isnan(value) else format(value, how) for value in values]
        for row, text in enumerate([name, *texts], start=-1):
            axis.text(column / 3, row, text, ha="right", va="center")
