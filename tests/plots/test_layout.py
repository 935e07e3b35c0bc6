"""Labels and selections of figures."""

from __future__ import annotations

import xarray as xr

from bayeslaw.plots.layout import axis_label, evenly_spaced


def test_items_are_evenly_spaced() -> None:
    assert evenly_spaced("abcde", 3) == ["a", "c", "e"]
    assert evenly_spaced(range(3), 5) == [0, 1, 2]
    assert evenly_spaced(range(9), 3) == [0, 4, 8]
    assert evenly_spaced(range(9), 1) == [0]


def test_axis_labels_have_units() -> None:
    assert axis_label(xr.DataArray(1.0, name="D", attrs={"units": "tokens"})) == "D (tokens)"
    assert axis_label(xr.DataArray(1.0, name="D")) == "D"
