"""Contrasts of two levels of a group, against values worked out by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.comparison.contrast import LAW_ONLY, contrast
from bayeslaw.comparison.contrast_tables import contrast_table, crossing_table
from bayeslaw.forecasting.caveats import NO_DISCREPANCY
from bayeslaw.laws import chinchilla, power, pure_power

type Make = Callable[..., bl.Fit]

SHAPE = 2, 50  # chains, draws
TASKS = "c4", "code"


def table(*predictors: str, tasks: tuple[str, ...] = TASKS, without: str = "") -> xr.Dataset:
    """Curves: mlp and cnn at the first task, then at the second."""
    rows = [
        {**dict.fromkeys(predictors, size), "loss": 3.0 - 0.01 * i, "net": net, "task": task}
        for task in tasks
        for net in ("mlp", "cnn")
        for i, size in enumerate(np.geomspace(1e6, 1e9, 6))
        if f"{net} {task}" != without
    ]
    groups = ["net", "task"] if len(tasks) > 1 else ["net"]
    return bl.read_runs(pd.DataFrame(rows), predictors=list(predictors), groups=groups)


def about(values: dict[str, list[float]], seed: int = 7, noise: float = 0.02) -> Any:
    rng = np.random.default_rng(seed)
    return {
        name: np.array(each) * np.exp(noise * rng.standard_normal((*SHAPE, len(each))))
        for name, each in values.items()
    }


@pytest.fixture(scope="module")
def lines() -> dict[str, np.ndarray]:
    """Straight in logarithms; the mlp falls faster, and is ahead from about 1e8 and 1e11 on."""
    return about({"N_c": [1e12, 1e16, 2e13, 1e16], "alpha": [0.12, 0.06, 0.13, 0.06]})


@pytest.fixture(scope="module")
def straight(known_fit: Make, lines: dict[str, np.ndarray]) -> bl.Fit:
    return known_fit(pure_power, lines, table("N"))


@pytest.fixture(scope="module")
def floored(known_fit: Make) -> bl.Fit:
    """In c4 the cnn cannot reach the mlp; in code it is the same but for a factor of 16."""
    values = {"L0": [1.0, 1.5, 2.0, 2.0], "k": [300.0, 300.0, 300.0, 150.0], "alpha": [0.25] * 4}
    return known_fit(power, about(values, noise=1e-9), table("N"))


def logs(lines: dict[str, np.ndarray], curve: int, sizes: np.ndarray) -> np.ndarray:
    N_c, alpha = (lines[name][..., [curve]] for name in ("N_c", "alpha"))
    return alpha * np.log(N_c / sizes)


def test_pairs_of_straight_lines(straight: bl.Fit, lines: dict[str, np.ndarray]) -> None:
    sizes = np.array([1e7, 1e10])
    result = contrast(straight, "net", at={"N": sizes})
    assert result["pair"].values.tolist() == ["c4", "code", "average"]
    for task, (mlp, cnn) in {"c4": (0, 1), "code": (2, 3)}.items():
        own = result.sel(pair=task)
        first, second = logs(lines, mlp, sizes), logs(lines, cnn, sizes)
        np.testing.assert_allclose(own["log_ratio"], first - second, atol=1e-12)
        factor = np.exp((second - first) / lines["alpha"][..., [cnn]])
        np.testing.assert_allclose(own["multiplier"], factor, rtol=1e-8)
        np.testing.assert_array_equal(own["multiplier"] > 1, own["log_ratio"] < 0)
        slope = lines["alpha"][..., mlp] - lines["alpha"][..., cnn]
        level = logs(lines, mlp, sizes[:1])[..., 0] - logs(lines, cnn, sizes[:1])[..., 0]
        size = sizes[0] * np.exp(level / slope)
        expected = np.where((size > 1e6) & (size < 1e11), size, np.nan)
        np.testing.assert_allclose(own["crossing"], expected, rtol=1e-8)
        crosses = np.mean(~np.isnan(expected))
        assert (crosses == 1) == (task == "c4")
        assert (own["crosses"], own["overtakes"]) == (crosses, crosses)
        assert own["probability"].sel(of="law").values.tolist() == [
            np.mean(first[..., i] < second[..., i]) for i in range(2)
        ]


def test_the_average_of_pairs(straight: bl.Fit, lines: dict[str, np.ndarray]) -> None:
    sizes = np.array([1e7, 1e10])
    own = contrast(straight, "net", at={"N": sizes}).sel(pair="average")
    first, second = ((logs(lines, i, sizes) + logs(lines, i + 2, sizes)) / 2 for i in (0, 1))
    np.testing.assert_allclose(own["log_ratio"], first - second, atol=1e-12)
    falls = (lines["alpha"][..., [1]] + lines["alpha"][..., [3]]) / 2
    np.testing.assert_allclose(own["multiplier"], np.exp((second - first) / falls), rtol=1e-8)
    mean = np.mean(first < second, axis=(0, 1))
    np.testing.assert_allclose(own["probability"].sel(of="law"), mean)


def test_the_levels_the_other_way_round(straight: bl.Fit) -> None:
    one = contrast(straight, "net", at={"N": 1e8})
    other = contrast(straight, "net", ["cnn", "mlp"], at={"N": 1e8})
    assert (one.attrs["levels"], other.attrs["levels"]) == (["mlp", "cnn"], ["cnn", "mlp"])
    np.testing.assert_allclose(one["log_ratio"], -other["log_ratio"])
    np.testing.assert_allclose(one["crossing"], other["crossing"])
    np.testing.assert_allclose(one["crosses"], other["crosses"])
    np.testing.assert_array_equal(other["overtakes"], 0)
    law = {"of": "law"}
    np.testing.assert_allclose(one["probability"].sel(law), 1 - other["probability"].sel(law))


def test_a_floor_out_of_reach_and_a_plain_factor(floored: bl.Fit) -> None:
    result = contrast(floored, "net", at={"N": [1e8, 1e9]})
    c4, code = result.sel(pair="c4"), result.sel(pair="code")
    assert c4["multiplier"].isel(N=0).values.max() < np.inf
    # 300 N^-0.25 has come down to the difference of the floors, 0.5, at N = 1.3e11.
    assert np.all(np.isinf(contrast(floored, "net", at={"N": 1e12}).sel(pair="c4")["multiplier"]))
    np.testing.assert_allclose(code["multiplier"], 1 / 16, rtol=1e-5)
    assert np.all(c4["probability"] == 1)
    assert np.all(code["probability"].sel(of=["law", "mean"]) == 0)
    assert np.all(np.isnan(result["crossing"].sel(pair=["c4", "code"])))


def test_two_crossings(known_fit: Make) -> None:
    """The last one counts: the mlp has been ahead before, and is ahead no more."""

    @bl.law(unitless=("N",))
    def wave(N: Any, *, k: bl.Amplitude, c: bl.Amplitude) -> Any:
        return k + c * np.log(N / 1e7) * np.log(N / 1e9)

    draws = {"k": np.full((*SHAPE, 2), 50.0), "c": np.ones((*SHAPE, 2))}
    draws["c"][..., 1] = 1e-6
    result = contrast(known_fit(wave, draws, table("N", tasks=("c4",))), "net")
    assert result["pair"].values.tolist() == ["all"]
    np.testing.assert_allclose(result["crossing"], 1e9)
    assert (result["crosses"].item(), result["overtakes"].item()) == (1, 0)


def test_where_higher_is_better(known_fit: Make, lines: dict[str, np.ndarray]) -> None:
    law = replace(pure_power, higher_is_better=True)
    lower = contrast(known_fit(pure_power, lines, table("N")), "net", at={"N": 1e10})
    higher = contrast(known_fit(law, lines, table("N")), "net", at={"N": 1e10})
    np.testing.assert_allclose(
        higher["probability"].sel(of="law"), 1 - lower["probability"].sel(of="law")
    )
    np.testing.assert_array_equal(higher["crosses"], lower["crosses"])
    np.testing.assert_array_equal(higher["overtakes"], 0)
    xr.testing.assert_equal(higher["multiplier"], lower["multiplier"])


def test_a_law_that_leaves_the_positive_numbers(known_fit: Make) -> None:
    """A response that is not positive is better than any that is."""
    draws = {"a": np.full((*SHAPE, 2), 8.0), "b": np.full((*SHAPE, 2), 0.3)}
    draws["b"][..., 1] = 0.1
    fit = known_fit(bl.laws.log_linear, draws, table("N", tasks=("c4",)))
    result = contrast(fit, "net", at={"N": 1e12})
    assert np.all(result["log_ratio"] < -600)
    assert np.all(result["probability"].sel(of=["law", "mean"]) == 1)


def test_several_predictors(known_fit: Make) -> None:
    values = {"E": [1.69] * 4, "A": [406.4, 300.0] * 2, "alpha": [0.34] * 4}
    values |= {"B": [410.7] * 4, "beta": [0.28] * 4}
    fit = known_fit(chinchilla, about(values, noise=1e-9), table("N", "D"))
    result = contrast(fit, "net", along="N", at={"D": 1e12, "N": 1e9})
    np.testing.assert_allclose(result["multiplier"], (300 / 406.4) ** (1 / 0.34), rtol=1e-5)
    assert result["N"].values.tolist() == [1e9]


# Which sizes and pairs


def test_default_sizes_go_beyond_the_data(straight: bl.Fit) -> None:
    result = contrast(straight, "net")
    np.testing.assert_allclose(result["N"], [1e9, 1e10, 1e11])
    np.testing.assert_allclose(result.attrs["searched"], [1e6, 1e11])
    assert result.attrs["along"] == "N"


def test_how_far_a_crossing_is_searched_for(straight: bl.Fit) -> None:
    near, far = (contrast(straight, "net", at={"N": 1e8}, reach=r) for r in (1.0, 1e6))
    np.testing.assert_allclose(near.attrs["searched"], [1e6, 1e9])
    assert np.all(near["crosses"] <= far["crosses"])
    assert float(near["crosses"].sum()) < float(far["crosses"].sum())
    assert np.all(near["crossing"].fillna(0) <= 1e9)


def test_pairs_are_those_in_the_data_of_both(known_fit: Make) -> None:
    values = {"N_c": [1e12, 1e16, 1e11], "alpha": [0.12, 0.06, 0.13]}
    fit = known_fit(pure_power, about(values), table("N", without="cnn code"))
    assert contrast(fit, "net")["pair"].values.tolist() == ["c4"]
    sentence = "no curves of net 'mlp' and 'cnn' share their task; say which to compare:"
    only = table("N").isel(run=[0, 1, 2, 3, 4, 5, 18, 19, 20, 21, 22, 23])
    apart = known_fit(pure_power, about({"N_c": [1e12, 1e16], "alpha": [0.12, 0.06]}), only)
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        contrast(apart, "net")


def test_given_pairs(straight: bl.Fit) -> None:
    every = contrast(straight, "net", at={"N": 1e8})
    for task in ("code", ["code"]):
        result = contrast(straight, "net", at={"N": 1e8, "task": task})
        assert result["pair"].values.tolist() == ["code"]
        np.testing.assert_array_equal(result["crossing"][..., 0], every["crossing"][..., 1])


def test_some_of_several_other_groups(known_fit: Make) -> None:
    runs = table("N").assign_coords(lab=("run", ["x"] * 24))
    runs = runs.assign_attrs(groups=["net", "lab", "task"])
    values = {"N_c": [1e12, 1e16, 1e11, 1e16], "alpha": [0.12, 0.06, 0.13, 0.06]}
    fit = known_fit(pure_power, about(values), runs)
    result = contrast(fit, "net", at={"task": "code"})
    assert result["pair"].values.tolist() == ["x / code"]
    with pytest.raises(ValueError, match=r"share their lab and task with \{'task': \['wiki'\]\}"):
        contrast(fit, "net", at={"task": "wiki"})


def test_a_new_level(crossed_fit: bl.Fit) -> None:
    at = {"N": 1e9, "dataset": "new"}
    result = contrast(crossed_fit, "task", ["c4", "books"], at=at, draw_new=["dataset"])
    assert result["pair"].values.tolist() == ["new"]
    other = contrast(
        crossed_fit, "task", ["c4", "books"], at=at, draw_new=["dataset"], random_seed=1
    )
    assert not np.array_equal(result["log_ratio"], other["log_ratio"])
    with pytest.raises(ValueError, match="dataset 'new' is not in this fit"):
        contrast(crossed_fit, "task", ["c4", "books"], at=at)


# With noise and discrepancy


def test_the_discrepancy_is_in_the_probabilities(discrepant_fit: bl.Fit) -> None:
    at = {"N": 1e12, "dataset": "web"}
    result = contrast(discrepant_fit, "task", ["c4", "books"], at=at)
    grid = bl.grid(task=["c4", "books"], dataset="web", N=1e12)
    drawn = bl.forecast(discrepant_fit, grid)
    for of in ("law", "mean", "new_run"):
        expected = float((drawn[of].isel(run=0) < drawn[of].isel(run=1)).mean())
        assert float(result["probability"].sel(of=of).squeeze()) == expected
    assert result.attrs["caveats"] == [LAW_ONLY]


def test_labels(straight: bl.Fit) -> None:
    result = contrast(straight, "net", at={"N": [1e8, 1e9]})
    assert result["log_ratio"].dims == ("chain", "draw", "pair", "N")
    assert result["crossing"].dims == ("chain", "draw", "pair")
    assert result["probability"].dims == ("of", "pair", "N")
    assert result.attrs["caveats"] == [NO_DISCREPANCY]
    attrs = {name: result.attrs[name] for name in ("response", "law", "group")}
    assert attrs == {"response": "loss", "law": "pure_power", "group": "net"}
    band = bl.interval(result, 0.5)["log_ratio"]
    assert np.all(band.sel(bound="lower") < band.sel(bound="upper"))


# The table


def test_a_table(straight: bl.Fit) -> None:
    result = contrast(straight, "net", at={"N": [1e7, 1e10]})
    rows = contrast_table(result, 0.5)
    assert rows.index.names == ["pair", "N"]
    assert len(rows) == 6
    row = rows.loc[("c4", 1e10)]
    own = result.sel(pair="c4", N=1e10)
    assert row["better"] == float(own["probability"].sel(of="mean"))
    assert row["better_run"] == float(own["probability"].sel(of="new_run"))
    crossing = crossing_table(result, 0.5)
    assert crossing.index.tolist() == result["pair"].values.tolist()
    for bound, level in (("_lower", 0.25), ("", 0.5), ("_upper", 0.75)):
        for name, of in (("multiplier", row), ("crossing", crossing.loc["c4"])):
            expected = np.nanquantile(own[name], level, method="nearest")
            assert of[f"{name}{bound}"] == expected
    wide = contrast_table(result).loc[("c4", 1e10)]
    assert wide["multiplier_upper"] > row["multiplier_upper"]


def test_a_table_without_a_crossing_and_without_an_end(floored: bl.Fit) -> None:
    result = contrast(floored, "net", at={"N": 1e12})
    row, crossing = contrast_table(result).loc[("c4", 1e12)], crossing_table(result).loc["c4"]
    assert row["multiplier_lower"] == row["multiplier_upper"] == np.inf
    assert np.isnan(crossing[["crossing", "crossing_lower", "crossing_upper"]]).all()
    assert crossing["crosses"] == crossing["overtakes"] == 0


def test_a_probability_that_is_none(straight: bl.Fit) -> None:
    with pytest.raises(ValueError, match=r"^prob must be a number between 0 and 1, got 90$"):
        contrast_table(contrast(straight, "net"), 90)
    with pytest.raises(ValueError, match=r"^prob must be a number between 0 and 1, got 0$"):
        crossing_table(contrast(straight, "net"), 0)


# Invalid arguments


@pytest.mark.parametrize(
    ("group", "arguments", "sentence"),
    [
        ("lab", {}, "the fit has no group 'lab'; those are ['net', 'task']"),
        ("net", {"levels": ["mlp", "rnn"]}, "a contrast takes two levels of 'net', such as"),
        ("net", {"levels": ["mlp", "mlp"]}, "a contrast takes two levels of 'net', such as"),
        ("net", {"levels": "mlp"}, "a contrast takes two levels of 'net', such as"),
        ("net", {"along": "D"}, "along='D' is no predictor of law 'pure_power'"),
        ("net", {"at": {"net": "mlp"}}, "'net' in at is no predictor of law 'pure_power', and"),
        ("net", {"at": {"N": [1e9, -1.0]}}, "N must be a finite number above 0, got -1.0"),
        ("net", {"reach": 0.1}, "reach must be a finite number, 1 or more, got 0.1"),
    ],
)
def test_what_makes_no_contrast(
    straight: bl.Fit, group: str, arguments: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        contrast(straight, group, **arguments)


def test_at_is_a_mapping_of_single_values(straight: bl.Fit, known_fit: Make) -> None:
    with pytest.raises(TypeError, match=r"^at takes a mapping, such as \{'N': 1e9\}, got 5$"):
        contrast(straight, "net", at=5)  # type: ignore[arg-type]
    values = dict.fromkeys(chinchilla.parameters, [0.5] * 4)
    fit = known_fit(chinchilla, about(values), table("N", "D"))
    with pytest.raises(ValueError, match=r"^a contrast along 'N' takes one D, got \[1.0, 2.0\]$"):
        contrast(fit, "net", along="N", at={"D": [1.0, 2.0]})
    with pytest.raises(ValueError, match="needs 'D' too; hold it at a value"):
        contrast(fit, "net", along="N")
