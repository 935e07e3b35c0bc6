"""Figures: results in, a Matplotlib figure out; nothing is computed here but bands."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr
from matplotlib import style
from matplotlib.figure import Figure, SubFigure

from bayeslaw import runs as table
from bayeslaw.forecast import interval
from bayeslaw.tables import names_in

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from bayeslaw.fit import Fit

__all__ = ["plot_comparison", "plot_forecast", "plot_prior"]

STYLE = "bayeslaw.bayeslaw"  # the file bayeslaw.mplstyle beside this one
ACCENT, INK, GREY, BEYOND = "#0072B2", "#222222", "#777777", "#F1F1F1"
BANDS = {0.9: "#C9DFEE", 0.5: "#8DBDDD"}
COLUMN, PAGE = 3.3, 7.0  # widths in inches
MOST_PANELS, MOST_PRIOR_PANELS, PRIOR_CURVES = 12, 4, 50
DISTRUST = "NOT CONVERGED"  # how the sentence of a failed gate begins
KEY = (
    "Line: median curve, dashes its 90% band; shades: 50% and 90% of new runs. "
    "Dots: fitted runs; circles: runs held out or beyond the fitted range."
)


def plot_forecast(
    forecast: xr.Dataset, runs: xr.Dataset, *, x: str | None = None, columns: int | None = None
) -> Figure:
    """Draw a forecast over the runs, one panel per curve.

    Sizes beyond the largest fitted one of the curve are on grey. At most twelve curves are
    shown, spread over all; a forecast of fewer curves shows the ones you want.

    Parameters
    ----------
    forecast : xarray.Dataset
        Draws, as of `bayeslaw.forecast`.
    runs : xarray.Dataset
        Runs to draw on top: fitted ones as dots, those held out or beyond the fitted range as
        circles. Of several predictors the others must lie within a tenth of the forecast's.
    x : str, optional
        Predictor on the horizontal axis; by default the first that varies in the forecast. A
        panel for each value of the others, unless they change along with it.
    columns : int, optional
        Columns of panels; by default as many as make a near-square grid.

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
    _check(forecast, runs)
    points = forecast.drop_dims(["chain", "draw"])
    x = _axis_predictor(points, x)
    every = list(_panels(points, runs, x, json.loads(forecast.attrs["observed"])))
    shown = _spread(every, MOST_PANELS)
    bands = [_bands(forecast, panel) for panel in shown]
    with style.context(STYLE):
        banner, notes = _words(forecast, len(shown), len(every))
        figure, body = _canvas(len(shown), _columns(len(shown), columns), banner, notes)
        axes = _axes(body, len(shown), _columns(len(shown), columns))
        _scale(axes, "x", *_limits(*_sizes(shown), reach=1, room=1.16))
        _scale(axes, "y", *_limits(*_heights(shown, bands), reach=3))
        for axis, panel, band in zip(axes, shown, bands, strict=True):
            _draw_panel(axis, panel, band)
        _label_bands(axes[0], shown[0], bands[0])
        _label_beyond(axes[0], shown[0])
        body.supxlabel(_with_unit(runs[x]), parse_math=False)
        body.supylabel(_with_unit(table.response(runs)), parse_math=False)
    return figure


def plot_comparison(comparison: pd.DataFrame) -> Figure:
    """Draw held-out log scores of laws, with the baselines below.

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
        If a score is missing, as it is without held-out runs.

    Examples
    --------
    >>> import pandas as pd
    >>> scores = {"log_score": [1.2, None], "log_score_se": [0.1, None], "rmsle": [0.1, 0.3]}
    >>> scores |= {"crps": [0.02, None], "coverage_90": [0.9, None]}
    >>> comparison = pd.DataFrame(scores, index=["power", "last value"])
    >>> [text.get_text() for text in plot_comparison(comparison).axes[0].get_yticklabels()]
    ['power', 'last value']
    """
    needed = ("log_score", "log_score_se", "rmsle", "crps", "coverage_90")
    lacking = [name for name in needed if name not in comparison]
    if lacking:
        raise ValueError(
            f"the comparison has no {lacking[0]!r}; scores need held-out runs: compare(fits, later)"
        )
    with style.context(STYLE):
        size = (COLUMN * 1.4, 0.62 + 0.2 * len(comparison))
        figure = Figure(size, layout="constrained")
        axis = figure.subplots()
        _draw_scores(axis, comparison)
        _write_scores(axis, comparison)
        axis.set_xlabel("held-out log score (higher is better), ± standard error", loc="left")
    return figure


def plot_prior(fit: Fit) -> Figure:
    """Draw runs as the prior has them, with the observed runs on top.

    Fifty draws of the prior predictive distribution in each of at most four curves. Draws that
    leave the frame are further than a hundredfold from all data.

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
    drawn = fit.tree["prior_predictive"][runs.attrs["response"]].values
    drawn = np.stack(_spread(drawn.reshape(-1, runs.sizes["run"]), PRIOR_CURVES))
    sizes, observed = runs[x].values, table.response(runs).values
    curves = table.curves(runs)
    index = table.curve_index(runs, curves)
    shown = _spread(range(curves.sizes["curve"]), MOST_PRIOR_PANELS)
    with style.context(STYLE):
        notes = ["Grey: runs drawn from the prior, noise included; dots: observed runs."]
        notes += _shortened(len(shown), curves.sizes["curve"])
        figure, body = _canvas(len(shown), _columns(len(shown), None), "", notes)
        axes = _axes(body, len(shown), _columns(len(shown), None))
        _scale(axes, "x", *_limits(sizes, sizes, reach=1))
        _scale(axes, "y", *_limits(observed, drawn, reach=100))
        for axis, curve in zip(axes, shown, strict=True):
            own = np.flatnonzero(index == curve)
            rows = own[np.unique(sizes[own], return_index=True)[1]]
            isolated = {"marker": "."} if rows.size == 1 else {}
            axis.plot(sizes[rows], drawn[:, rows].T, color=GREY, alpha=0.35, lw=0.5, **isolated)
            _dots(axis, sizes[own], observed[own])
            _title(axis, str(curves["curve"].values[curve]) if table.groups(runs) else "")
        body.supxlabel(_with_unit(runs[x]), parse_math=False)
        body.supylabel(_with_unit(table.response(runs)), parse_math=False)
    return figure


@dataclass(frozen=True)
class _Panel:
    """A curve of a forecast along one predictor, and its runs."""

    title: str
    rows: np.ndarray  # positions in the forecast, one per size
    sizes: np.ndarray  # increasing
    start: float  # what is larger is extrapolated
    fitted: tuple[np.ndarray, np.ndarray]  # sizes and responses of runs
    later: tuple[np.ndarray, np.ndarray]


def _check(forecast: xr.Dataset, runs: xr.Dataset) -> None:
    for key in ("response", "predictors", "groups", "observed"):
        if key not in forecast.attrs:
            raise ValueError(f"the forecast has no attrs[{key!r}]; make it with bayeslaw.forecast")
    for name in ("mean", "new_run"):
        if name not in forecast:
            raise ValueError(f"the forecast has no {name!r}; make it with bayeslaw.forecast")
    table.check_runs(runs)
    found, wanted = table.response(runs).name, forecast.attrs["response"]
    if found != wanted:
        raise ValueError(f"the forecast is of {wanted!r}, the runs have {found!r}")
    for name in (*table.predictors(forecast), *table.groups(forecast)):
        if name not in runs.variables:
            raise ValueError(f"the runs have no {name!r}, which the forecast has")


def _axis_predictor(points: xr.Dataset, x: str | None) -> str:
    names = table.predictors(points)
    if x is None:
        varying = [name for name in names if np.unique(points[name].values).size > 1]
        return (varying or names)[0]
    if x not in names:
        raise ValueError(f"x must be a predictor of the forecast, one of {names}, got {x!r}")
    return x


def _panels(
    points: xr.Dataset, runs: xr.Dataset, x: str, observed: dict[str, list[float]]
) -> Iterator[_Panel]:
    others = [name for name in table.predictors(points) if name != x]
    is_fitted = _is_fitted(runs, observed)
    for setting, title in _settings(points, x, others):
        rows = setting[np.unique(points[x].values[setting], return_index=True)[1]]
        line = points.isel(run=rows)
        own = np.ones(runs.sizes["run"], dtype=bool)
        for group in table.groups(points):
            own &= runs[group].values == line[group].values[0]
        near = own & _is_near(runs, line, x, others)
        yield _Panel(
            title,
            rows,
            line[x].values,
            _start(line, x, others, runs[x].values[own & is_fitted], observed),
            _places(runs, x, near & is_fitted),
            _places(runs, x, near & ~is_fitted),
        )


def _settings(
    points: xr.Dataset, x: str, others: Sequence[str]
) -> Iterator[tuple[np.ndarray, str]]:
    """Positions of each line of the forecast, and its title."""
    curves = table.curves(points)
    index = table.curve_index(points, curves) if table.groups(points) else np.zeros_like(points.run)
    values = np.array([points[name].values for name in others]).reshape(len(others), -1).T
    for curve, label in enumerate(curves["curve"].values):
        own = np.flatnonzero(index == curve)
        label = str(label) if table.groups(points) else ""
        settings, of = np.unique(values[own], axis=0, return_inverse=True)
        sizes = points[x].values[own]
        if len(settings) > 1 and len(set(zip(sizes, of, strict=True))) == np.unique(sizes).size:
            yield own, label  # the others change along with x
            continue
        for i, setting in enumerate(settings):
            told = [f"{name} = {value:.3g}" for name, value in zip(others, setting, strict=True)]
            yield own[of == i], ", ".join([label, *told] if label else told)


def _is_fitted(runs: xr.Dataset, observed: dict[str, list[float]]) -> np.ndarray:
    fitted = np.ones(runs.sizes["run"], dtype=bool)
    for name, (low, high) in observed.items():
        fitted &= (low <= runs[name].values) & (runs[name].values <= high)
    if "held_out" not in runs.coords:
        return fitted
    used = ~runs["held_out"].values
    for name, (_, high) in observed.items():
        # A marked run that is the largest fitted one: the fit was made of all runs.
        if high == runs[name].values.max() > runs[name].values[used].max(initial=0):
            return fitted
    return fitted & used


def _is_near(runs: xr.Dataset, line: xr.Dataset, x: str, others: Sequence[str]) -> np.ndarray:
    near = np.ones(runs.sizes["run"], dtype=bool)
    for name in others:
        there = np.interp(np.log(runs[x]), np.log(line[x]), np.log(line[name]))
        near &= np.abs(np.log(runs[name].values) - there) < 0.1
    return near


def _start(
    line: xr.Dataset,
    x: str,
    others: Sequence[str],
    fitted: np.ndarray,
    observed: dict[str, list[float]],
) -> float:
    """The largest fitted size, or a smaller one beyond which another predictor leaves its range."""
    start = fitted.max() if fitted.size else observed[x][1]
    for name in others:
        inside = line[name].values <= observed[name][1]
        if not inside.all():
            start = min(start, line[x].values[inside].max(initial=0))
    return float(start)


def _places(runs: xr.Dataset, x: str, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return runs[x].values[mask], table.response(runs).values[mask]


def _bands(forecast: xr.Dataset, panel: _Panel) -> dict[float, xr.Dataset]:
    drawn = forecast[["mean", "new_run"]].isel(run=panel.rows).reset_coords(drop=True)
    return {prob: interval(drawn, prob) for prob in BANDS}


def _spread[T](items: Sequence[T], most: int) -> list[T]:
    """All items, or so many that lie evenly among them."""
    if len(items) <= most:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, most).round().astype(int)]


def _words(forecast: xr.Dataset, shown: int, curves: int) -> tuple[str, list[str]]:
    """The banner of a failed gate, and the footnotes."""
    caveats = names_in(forecast, "caveats") if "caveats" in forecast.attrs else []
    failed = [caveat for caveat in caveats if caveat.startswith(DISTRUST)]
    others = [caveat for caveat in caveats if caveat not in failed]
    return " ".join(failed), [KEY, *others[:1], *_shortened(shown, curves)]


def _shortened(shown: int, curves: int) -> list[str]:
    return [f"{shown} of {curves} curves shown."] if shown < curves else []


def _columns(panels: int, columns: int | None) -> int:
    if columns is not None and columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}")
    return min(columns or math.ceil(math.sqrt(panels)), panels)


def _canvas(
    panels: int, columns: int, banner: str, notes: Sequence[str]
) -> tuple[Figure, SubFigure]:
    """A figure with a banner and footnotes, and the part of it that holds the panels."""
    width = COLUMN if columns == 1 else min(PAGE, 0.6 + 2.2 * columns)
    lines = [line for note in notes for line in textwrap.wrap(note, int(width * 23))]
    warning = textwrap.wrap(banner, int(width * 15))
    height = math.ceil(panels / columns) * (0.35 + 0.6 * (width - 0.4) / columns) + 0.3
    heights = [0.14 * len(warning) + 0.06, height, 0.1 * len(lines) + 0.06]
    figure = Figure((width, sum(heights)), layout="constrained")
    above, body, below = figure.subfigures(3, 1, height_ratios=heights)
    if warning:
        above.set_facecolor(INK)
        inks = {"color": "white", "weight": "bold", "parse_math": False}
        above.text(0.5, 0.5, "\n".join(warning), ha="center", va="center", **inks)
    place = {"x": 0.06 / width, "y": 1.0, "va": "top", "size": 5.5, "color": "#444444"}
    below.text(s="\n".join(lines), linespacing=1.25, parse_math=False, **place)
    return figure, body


def _axes(body: SubFigure, panels: int, columns: int) -> list[Axes]:
    grid = body.subplots(
        math.ceil(panels / columns), columns, sharex=True, sharey=True, squeeze=False
    )
    cells = list(grid.flat)
    for cell in cells[panels:]:
        cell.remove()
    for i in range(max(0, panels - columns), panels):
        cells[i].tick_params(labelbottom=True)  # the last row may be short
    return cells[:panels]


def _sizes(panels: Sequence[_Panel]) -> tuple[np.ndarray, np.ndarray]:
    places = [part for panel in panels for part in (panel.sizes, panel.fitted[0], panel.later[0])]
    return np.concatenate(places), np.array([])


def _heights(
    panels: Sequence[_Panel], bands: Sequence[dict[float, xr.Dataset]]
) -> tuple[np.ndarray, np.ndarray]:
    runs = [part for panel in panels for part in (panel.fitted[1], panel.later[1])]
    medians = [band[0.9]["mean"].sel(bound="median").values for band in bands]
    edges = [band[0.9]["new_run"].values.ravel() for band in bands]
    return np.concatenate([*runs, *medians]), np.concatenate(edges)


def _limits(
    core: np.ndarray, rest: np.ndarray, *, reach: float, room: float = 1.0
) -> tuple[float, float]:
    """Limits around all of the core and of the rest what is within a factor of it.

    Room: how many times the axis is longer than that, on the right.
    """
    core = core[np.isfinite(core) & (core > 0)]
    core = core if core.size else np.array([1.0])
    rest = rest[np.isfinite(rest) & (rest > 0)]
    low = max(core.min() / reach, rest.min(initial=core.min()))
    high = min(core.max() * reach, rest.max(initial=core.max()))
    pad = max((high / low) ** 0.04, 1.02)
    return float(low / pad), float(low * (high / low) ** room * pad)


def _scale(axes: Sequence[Axes], which: Literal["x", "y"], low: float, high: float) -> None:
    """A shared logarithmic axis with ticks that fit."""
    axes[0].set(**{f"{which}scale": "log", f"{which}lim": (low, high)})
    figure = axes[0].get_figure(root=True)
    assert figure is not None
    across = len({axis.get_subplotspec().colspan.start for axis in axes})  # pyright: ignore
    room = figure.get_figwidth() / across * (2.2 if which == "x" else 2.6)
    major = _ticks(low, high, max(3, int(room)))
    decades = np.arange(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    minor = np.outer(10.0**decades, np.arange(1, 10)).ravel() if decades.size <= 7 else []
    axis = axes[0].xaxis if which == "x" else axes[0].yaxis
    axis.set_ticks(major, [_number(tick) for tick in major])
    axis.set_ticks([tick for tick in minor if low <= tick <= high], minor=True)
    axis.set_minor_formatter("")


def _ticks(low: float, high: float, most: int) -> list[float]:
    """The finest regular ticks within limits that are not too many; at least two."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    ladders = [((1, 2, 3, 4, 5, 6, 7, 8, 9), 1), ((1, 2, 5), 1), ((1, 3), 1), ((1,), 1)]
    ladders += [((1,), step) for step in (2, 3, 5, 10, 20, 50)]
    for steps, every in ladders:
        decades = range(every * math.floor(first / every), last + 1, every)
        inside = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
        if 2 <= len(inside) <= most:
            return inside
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    step *= max(s for s in (1, 2, 5) if s * step <= (high - low) / 2)
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _number(value: float) -> str:
    if 1e-3 <= value < 1e4:
        return f"{value:.4g}"
    digits, power = f"{value:.3e}".split("e")
    factor = "" if float(digits) == 1 else rf"{float(digits):g}\times"
    return f"${factor}10^{{{int(power)}}}$"


def _draw_panel(axis: Axes, panel: _Panel, bands: dict[float, xr.Dataset]) -> None:
    low, high = axis.get_ylim()
    sizes, wide = panel.sizes, slice(None)
    if sizes.size == 1:  # a line of one point is a small bar
        sizes, wide = sizes * np.array([0.97, 1.03]), [0, 0]

    def edge(prob: float, name: str, bound: str) -> np.ndarray:
        return np.clip(bands[prob][name].sel(bound=bound).values, low, high)[wide]

    axis.axvspan(max(panel.start, axis.get_xlim()[0]), axis.get_xlim()[1], color=BEYOND, lw=0)
    for prob, colour in BANDS.items():
        lower, upper = edge(prob, "new_run", "lower"), edge(prob, "new_run", "upper")
        axis.fill_between(sizes, lower, upper, color=colour, lw=0, label=f"{prob:.0%}")
    for bound in ("lower", "upper"):
        axis.plot(sizes, edge(0.9, "mean", bound), color=ACCENT, lw=0.5, dashes=(4, 2))
    mark = "." if panel.sizes.size <= 4 else ""
    axis.plot(sizes, edge(0.9, "mean", "median"), color=ACCENT, marker=mark, ms=3, label="median")
    _dots(axis, *panel.fitted)
    axis.plot(*panel.later, "o", ms=2.2, mfc="white", mec=INK, mew=0.4, alpha=0.8, label="later")
    _title(axis, panel.title)


def _dots(axis: Axes, sizes: np.ndarray, responses: np.ndarray) -> None:
    seeds = np.unique(sizes).size < sizes.size
    look = {"ms": 2.0, "mew": 0, "alpha": 0.4 if seeds else 0.85}
    axis.plot(sizes, responses, "o", color=INK, label="fitted", **look)


def _title(axis: Axes, title: str) -> None:
    width = axis.get_position().width * axis.get_figure(root=True).get_figwidth()  # pyright: ignore
    lines = textwrap.wrap(title, max(12, int(width * 17)), max_lines=2, placeholder=" …")
    axis.set_title("\n".join(lines), loc="left", parse_math=False)


def _label_bands(axis: Axes, panel: _Panel, bands: dict[float, xr.Dataset]) -> None:
    """Write "50%" at the median's end and "90%" at the band's, apart enough to be read."""
    low, high = np.log(axis.get_ylim())
    ends = bands[0.9].isel(run=-1)["new_run"]
    clipped = np.clip([float(ends.sel(bound=b)) for b in ("median", "upper")], *axis.get_ylim())
    middle, top = (np.log(clipped) - low) / (high - low)
    middle = min(max(middle, 0.03), 0.88)
    places = {0.5: middle, 0.9: min(max(top, middle + 0.08), 0.97)}
    last, right = panel.sizes[-1], axis.get_xlim()[1]
    for prob, height in places.items():
        axis.text(
            last * (right / last) ** 0.15, height, f"{prob:.0%}", size=5.5, color=ACCENT,
            va="center", transform=axis.get_xaxis_transform(),
        )  # fmt: skip


def _label_beyond(axis: Axes, panel: _Panel) -> None:
    if panel.start < axis.get_xlim()[1]:
        look = {"size": 5.5, "color": "#555555", "style": "italic"}
        axis.text(
            0.985, 0.98, "extrapolated", transform=axis.transAxes, ha="right", va="top", **look
        )


def _with_unit(variable: xr.DataArray) -> str:
    units = variable.attrs.get("units")
    return f"{variable.name} ({units})" if units else str(variable.name)


def _draw_scores(axis: Axes, comparison: pd.DataFrame) -> None:
    scores = comparison["log_score"].to_numpy(dtype=float)
    errors = comparison["log_score_se"].to_numpy(dtype=float)
    finite = np.isfinite(scores)
    best = np.argmax(np.where(finite, scores, -np.inf)) if finite.any() else -1
    for row in np.flatnonzero(finite):
        colour = ACCENT if row == best else INK
        axis.errorbar(
            scores[row], row, xerr=np.nan_to_num(errors[row]), fmt="o", ms=3.5, color=colour, lw=0.8
        )
    for row in np.flatnonzero(np.isneginf(scores)):
        axis.annotate("\N{MINUS SIGN}∞", (0, row), xycoords=("axes fraction", "data"), va="center")
    points = np.flatnonzero(np.isnan(scores))
    if 0 < points.size < len(scores):
        axis.axhline(points.min() - 0.5, color=GREY, lw=0.4)
    axis.set_ylim(len(scores) - 0.4, -0.6)
    labels = [str(name) for name in comparison.index]
    axis.set_yticks(range(len(labels)), labels, parse_math=False)
    axis.tick_params(axis="y", length=0)
    axis.locator_params(axis="x", nbins=5)
    if not finite.any():
        axis.set_xticks([])


def _write_scores(axis: Axes, comparison: pd.DataFrame) -> None:
    """The other scores as columns of text beside the dots."""
    written = {"rmsle": ("RMSLE", ".3f"), "crps": ("CRPS", ".3g"), "coverage_90": ("in 90%", ".0%")}
    for column, (score, (name, how)) in enumerate(written.items()):
        place = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "center"}
        at = 1.16 + 0.17 * column
        axis.annotate(name, (at, -0.85), color=GREY, annotation_clip=False, **place)
        for row, value in enumerate(comparison[score].to_numpy(dtype=float)):
            text = "" if np.isnan(value) else format(value, how)
            axis.annotate(text, (at, row), annotation_clip=False, **place)
