"""Figure of residuals."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from bayeslaw.data.runs import grid
from bayeslaw.forecasting.interval import interval
from bayeslaw.plots.residuals import plot_residuals


@pytest.fixture
def made():
    """Make residuals, as of `bayeslaw.residuals`, with a discrepancy that grows with the run."""

    def make(sizes: xr.Dataset, slope: float = 0.01, caveats: tuple[str, ...] = ()) -> xr.Dataset:
        rng = np.random.default_rng(1)
        shape, names = (2, 200, sizes.sizes["run"]), sizes.attrs["predictors"]
        discrepancy = slope * (np.arange(shape[2]) + rng.normal(size=shape))
        parts = {
            "residual": discrepancy + 0.02,
            "discrepancy": discrepancy,
            "replicate": discrepancy + 0.05 * rng.normal(size=shape),
        }
        dims = ("chain", "draw", "run")
        residuals = sizes.set_coords(names).assign({n: (dims, v) for n, v in parts.items()})
        residuals["residual"].attrs["long_name"] = "log of loss over law"
        return residuals.assign_attrs(response="loss", law="power", caveats=list(caveats))

    return make


def test_panels_have_residuals_and_the_discrepancys_bands(made, line, band):
    residuals = made(grid(task=["c4", "books"], N=[1e8, 1e6, 1e7]))
    figure = plot_residuals(residuals)
    assert [axis.get_title("left") for axis in figure.axes] == ["c4", "books"]
    axis, own = figure.axes[1], residuals.isel(run=[4, 5, 3])
    sizes, values = line(axis, "fitted")
    np.testing.assert_allclose(sizes, [1e6, 1e7, 1e8])
    for prob in (0.5, 0.9):
        bands = interval(own[["residual", "discrepancy"]], prob)
        np.testing.assert_allclose(values, bands["residual"].sel(bound="median"))
        ends = bands["discrepancy"].sel(bound=["lower", "upper"]).T
        np.testing.assert_allclose(band(axis, f"{prob:.0%}"), ends)
    dashes = [each for each in axis.lines if each.get_label() == "replicate"]
    edges = interval(own[["replicate"]], 0.9)["replicate"]
    for dash, end in zip(dashes, ("lower", "upper"), strict=True):
        np.testing.assert_allclose(dash.get_ydata(), edges.sel(bound=end))


def test_caption_of_a_model_without_discrepancy_omits_its_bands(made, words):
    """Also if the discrepancy is not a number at a run, where the law left the response scale."""
    residuals = made(grid(N=[1e6, 1e7], D=[1e9, 1e10]), slope=0.0)
    residuals["discrepancy"][0, 0, 0] = np.nan
    text = words(plot_residuals(residuals))
    assert "Dots: median residuals; dashed: 90% of runs, noise included." in text
    assert "of the discrepancy" not in text


def test_zero_is_in_the_middle_and_everything_inside(made, line):
    figure = plot_residuals(made(grid(task=["c4", "books"], N=[1e6, 1e7, 1e8])))
    low, high = figure.axes[0].get_ylim()
    assert low == -high
    for axis in figure.axes:
        assert np.abs(line(axis, "fitted")[1]).max() < high


def test_without_a_discrepancy_there_is_noise_alone(made, words):
    text = words(plot_residuals(made(grid(N=[1e6, 1e7]), slope=0.0)))
    assert "discrepancy" not in text
    assert "dashed: 90% of runs" in text


def test_ends_of_the_noise_are_drawn_at_a_few_sizes(made):
    axis = plot_residuals(made(grid(N=np.geomspace(1e6, 1e9, 50)))).axes[0]
    dashes = [each for each in axis.lines if each.get_label() == "replicate"]
    assert [dash.get_xdata().size for dash in dashes] == [12, 12]
    np.testing.assert_allclose(dashes[0].get_xdata()[[0, -1]], [1e6, 1e9])


def test_several_predictors_have_bars_and_x_is_chosen(made, words):
    residuals = made(grid(N=[1e6, 1e7], D=[1e9, 1e10, 1e11]))
    figure = plot_residuals(residuals, x="D")
    assert "bars: 50% and 90%" in words(figure)
    assert figure.axes[0].get_xlim()[1] > 1e11
    (bars,) = [each for each in figure.axes[0].collections if each.get_label() == "90%"]
    assert len(bars.get_segments()) == 6
    assert plot_residuals(residuals).axes[0].get_xlim()[1] < 1e8


def test_seeds_share_a_size(made, band):
    runs = grid(task=["c4", "books"], N=[1e6, 1e7])
    twice = xr.concat([runs, runs], dim="run").assign_coords(run=range(8)).assign_attrs(runs.attrs)
    axis = plot_residuals(made(twice)).axes[0]
    assert band(axis, "90%").shape == (2, 2)


def test_columns_axes_and_a_failed_gate(made, words):
    two = made(grid(task=["c4", "books"], N=[1e6, 1e7]), caveats=("NOT CONVERGED, do not use.",))
    figure = plot_residuals(two, columns=1)
    assert figure.get_figwidth() == pytest.approx(3.3)
    assert "NOT CONVERGED, do not use." in words(figure)
    axis = Figure((3, 2)).subplots()
    with pytest.raises(ValueError, match="ax takes one curve, and there are 2"):
        plot_residuals(two, ax=axis)
    assert plot_residuals(two.isel(run=[0, 1]), ax=axis) is axis.figure
    assert axis.get_ylabel() == "log of loss over law"


def test_many_curves_are_thinned(made, words):
    figure = plot_residuals(made(grid(task=[f"task {i}" for i in range(20)], N=[1e6, 1e7])))
    assert len(figure.axes) == 12
    assert "12 of 20 curves shown." in words(figure)


def test_invalid_arguments_are_named(made):
    residuals = made(grid(N=[1e6, 1e7]))
    with pytest.raises(ValueError, match="there is no 'replicate'; make it with"):
        plot_residuals(residuals.drop_vars("replicate"))
    with pytest.raises(ValueError, match=r"x must be a predictor of the law, one of \['N'\], got"):
        plot_residuals(residuals, x="D")
