"""Styles and colour palettes of figures."""

from __future__ import annotations

import itertools
import subprocess
import sys

import matplotlib
import pytest
from matplotlib import style
from matplotlib.colors import rgb_to_hsv, to_hex, to_rgb
from matplotlib.figure import Figure

import bayeslaw as bl
from bayeslaw.plots.forecast import plot_forecast
from bayeslaw.plots.style import DARK, LIGHT, Palette, background_style, figure_of, package_style


def lightness(colour: str) -> float:
    """Relative luminance, as screens and grey prints have it."""
    linear = [(x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4) for x in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted([lightness(one), lightness(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_lines_can_be_read(palette: Palette):
    """Contrasts of WCAG 2: 4.5 for text, 3 for graphics."""
    for background in (palette.background, palette.extrapolation):
        for text in (palette.foreground, palette.muted, palette.accent):
            assert contrast(text, background) > 4.5
        assert contrast(palette.grey, background) > 3


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_bands_differ_in_grey(palette: Palette):
    tones = [palette.background, palette.bands[0.9], palette.bands[0.5], palette.accent]
    for one, other in itertools.pairwise(tones):
        assert contrast(one, other) > 1.3
    assert contrast(palette.foreground, palette.bands[0.5]) > 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_are_blue_or_grey(palette: Palette):
    """So that they can be told apart with any colour blindness."""
    for colour in (
        palette.accent,
        palette.foreground,
        palette.grey,
        palette.pale,
        *palette.bands.values(),
    ):
        hue, saturation, _ = rgb_to_hsv(to_rgb(colour))
        assert saturation < 0.1 or 0.54 < hue < 0.62 or saturation * lightness(colour) < 0.05


@pytest.mark.parametrize(
    ("background", "palette"),
    [("white", LIGHT), ("black", DARK), ("#222244", DARK), ("0.9", LIGHT)],
)
def test_background_of_matplotlib_decides(background: str, palette: Palette):
    with matplotlib.rc_context({"figure.facecolor": background}), package_style() as active:
        assert active is palette
        assert to_hex(matplotlib.rcParams["figure.facecolor"]) == palette.background.lower()


@pytest.mark.parametrize(("background", "palette"), [("white", LIGHT), ("black", DARK)])
def test_background_of_given_axes_decides(background: str, palette: Palette):
    axis = Figure(facecolor=background).subplots()
    with package_style(axis) as active:
        assert active is palette


def test_styles_apply_to_other_figures_too():
    with style.context(["bayeslaw.bayeslaw", "bayeslaw.dark"]):
        assert matplotlib.rcParams["font.size"] == 7
        assert to_hex(matplotlib.rcParams["axes.facecolor"]) == DARK.background.lower()


def test_dark_figures_are_dark(example):
    with style.context("bayeslaw.dark"):
        figure = plot_forecast(*example())
    assert to_hex(figure.get_facecolor()) == DARK.background.lower()
    assert to_hex(figure.axes[0].get_facecolor()) == DARK.background.lower()
    assert to_hex(figure.axes[0].title.get_color()) == DARK.foreground.lower()


def test_figure_of_axes_in_subfigures():
    figure = Figure()
    axis = figure.subfigures(1, 2)[0].subplots()
    assert figure_of(axis) is figure
    axis.remove()
    with pytest.raises(ValueError, match="ax is in no figure"):
        figure_of(axis)


def test_figures_leave_no_state_behind(example):
    before = dict(matplotlib.rcParams)
    plot_forecast(*example())
    assert dict(matplotlib.rcParams) == before
    backend = "'matplotlib.backends.backend_agg'"
    code = f"import sys, bayeslaw as bl; bl.plot_forecast; sys.exit({backend} in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_figure_accepts_axes():
    for name in [name for name in bl.__all__ if name.startswith("plot_")]:
        assert "ax" in getattr(bl, name).__annotations__, name


@pytest.mark.parametrize(("dark", "facecolor"), [(True, DARK.background), (False, "#FFFFFF")])
def test_background(example, dark, facecolor):
    with background_style(dark):
        figure = plot_forecast(*example())
    assert to_hex(figure.get_facecolor()) == facecolor.lower()
