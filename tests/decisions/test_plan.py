"""Compute-optimal sizes, against closed forms and where there is none."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.forecasting.caveats import NO_DISCREPANCY
from bayeslaw.laws import chinchilla

type Make = Callable[..., bl.Fit]

# Hoffmann et al. 2022, Approach 3, from the paper's source; eq. 10 rounds them.
HOFFMANN = {
    "E": np.exp(0.5267228), "A": np.exp(6.0073404), "alpha": 0.33917084,
    "B": np.exp(6.0179186), "beta": 0.2849083,
}  # fmt: skip
ROUNDED = {"E": 1.69, "A": 406.4, "alpha": 0.34, "B": 410.7, "beta": 0.28}
# Besiroglu et al. 2024.
BESIROGLU = {"E": 1.81686, "A": 482.006, "alpha": 0.34781, "B": 2085.434, "beta": 0.36585}
SHAPE = 2, 50  # chains, draws


def closed_form(budget: Any, flops: float = 6.0, **law: Any) -> tuple[Any, Any]:
    """N and D by Hoffmann et al. 2022, eq. 4, for a cost of flops N D."""
    total = law["alpha"] + law["beta"]
    lead = (law["alpha"] * law["A"] / (law["beta"] * law["B"])) ** (1 / total)
    shared = budget / flops
    return lead * shared ** (law["beta"] / total), shared ** (law["alpha"] / total) / lead


def draws_about(values: dict[str, float], curves: int = 1, spread: float = 0.05) -> dict:
    rng = np.random.default_rng(5)
    return {
        name: value * np.exp(spread * rng.standard_normal((*SHAPE, curves)))
        for name, value in values.items()
    }


def table(**groups: list[str]) -> xr.Dataset:
    """Runs of 10 M to 10 B parameters, 5 to 320 tokens for each."""
    sizes = [(N, N * ratio) for N in (1e7, 1e8, 1e9, 1e10) for ratio in (5.0, 40.0, 320.0)]
    rows = [
        {"N": N, "D": D, "loss": chinchilla(N, D, **HOFFMANN), **labels}
        for labels in pd.DataFrame(groups or {"none": [""]}).to_dict("records")
        for N, D in sizes
    ]
    return bl.read_runs(pd.DataFrame(rows), predictors=["N", "D"], groups=list(groups))


@pytest.fixture(scope="module")
def drawn() -> dict[str, np.ndarray]:
    return draws_about(HOFFMANN)


@pytest.fixture(scope="module")
def fit(known_fit: Make, drawn: dict[str, np.ndarray]) -> bl.Fit:
    return known_fit(chinchilla, drawn, table())


@pytest.fixture(scope="module")
def grouped(known_fit: Make) -> bl.Fit:
    runs = table(task=["c4", "c4", "code"], model=["a", "b", "a"])
    return known_fit(chinchilla, draws_about(HOFFMANN, curves=3), runs)


# Against the closed form


def test_draws_are_the_closed_form(fit: bl.Fit, drawn: dict[str, np.ndarray]) -> None:
    budgets = [1e18, 5.76e23, 1e27]
    result = bl.plan(fit, budgets)
    one = {name: values[..., None] for name, values in drawn.items()}
    N, D = closed_form(np.array(budgets), **one)
    np.testing.assert_allclose(result["N"], N, rtol=1e-11)
    np.testing.assert_allclose(result["D"], D, rtol=1e-11)
    np.testing.assert_allclose(result["D_per_N"], D / N, rtol=1e-11)
    np.testing.assert_allclose(result["mean"], chinchilla(N, D, **one), rtol=1e-12)
    total = one["alpha"] + one["beta"]
    for name, exponent in {"N": one["beta"] / total, "D": one["alpha"] / total}.items():
        expected = np.broadcast_to(exponent, N.shape)
        np.testing.assert_allclose(result[f"{name}_exponent"], expected, rtol=1e-8)


@pytest.mark.parametrize(
    ("law", "a", "digits"),
    [(HOFFMANN, 0.4565, 4), (ROUNDED, 0.4516, 4), (BESIROGLU, 0.513, 3)],
    ids=["hoffmann", "rounded", "besiroglu"],
)
def test_published_exponents(known_fit: Make, law: dict, a: float, digits: int) -> None:
    """Hoffmann et al. give .46 (Table 2, Approach 3), Besiroglu et al. .513."""
    exact = known_fit(chinchilla, draws_about(law, spread=0.0), table())
    result = bl.plan(exact, 5.76e23)
    assert round(float(result["N_exponent"].mean()), digits) == a
    assert round(float(result["D_exponent"].mean()), digits) == round(1 - a, digits)


def test_with_besiroglus_constants_chinchilla_was_compute_optimal(known_fit: Make) -> None:
    """About twenty tokens per parameter at Chinchilla's budget (Besiroglu et al. 2024, Fig. 5)."""
    exact = known_fit(chinchilla, draws_about(BESIROGLU, spread=0.0), table())
    ratio = bl.plan(exact, 5.88e23)["D_per_N"].values
    assert np.all((ratio > 15) & (ratio < 25))


# What is given


def test_labels_of_a_plan(fit: bl.Fit) -> None:
    result = bl.plan(fit, [1e19, 1e26])
    names = ["N", "D", "D_per_N", "mean", "N_exponent", "D_exponent"]
    assert [name for name in result if "draw" in result[name].dims] == names
    assert all(result[name].dims == ("chain", "draw", "curve", "budget") for name in names)
    assert result["curve"].values.tolist() == ["all"]
    assert result["budget"].attrs == {"long_name": "training_flops", "units": "FLOP"}
    assert result["mean"].attrs == {"long_name": "loss"}
    assert all(result[name].attrs["long_name"] for name in result)
    assert result["has_optimum"].values.tolist() == [[1.0, 1.0]]
    assert result["in_range"].values.tolist() == [[1.0, 0.0]]
    assert result.attrs["caveats"] == [NO_DISCREPANCY]
    assert (result.attrs["law"], result.attrs["cost"]) == ("chinchilla", "training_flops")


def test_bands_of_a_plan(fit: bl.Fit) -> None:
    result = bl.plan(fit, 1e21)
    band = bl.interval(result, 0.8)
    expected = np.quantile(result["N"].values, [0.1, 0.5, 0.9], axis=(0, 1))
    np.testing.assert_allclose(band["N"].transpose("bound", ...), expected)
    assert set(result) - set(band) == {"in_range", "has_optimum"}


def test_probability_that_the_optimum_is_in_the_data(fit: bl.Fit) -> None:
    result = bl.plan(fit, np.geomspace(1e21, 1e23, 5))
    inside = (result["N"] <= 1e10) & (result["D"] <= 3.2e12)
    assert 0 < float(inside.mean()) < 1
    np.testing.assert_allclose(result["in_range"], inside.mean(("chain", "draw")))


# Costs


def test_another_price_per_parameter_and_token(fit: bl.Fit, drawn: dict[str, np.ndarray]) -> None:
    result = bl.plan(fit, 1e22, cost=lambda N, D: 8 * N * D)
    one = {name: values[..., None] for name, values in drawn.items()}
    np.testing.assert_allclose(result["N"], closed_form(1e22, 8.0, **one)[0], rtol=1e-11)
    assert result.attrs["cost"] == "<lambda>"
    assert "units" not in result["budget"].attrs


def served(N: Any, D: Any, served: Any) -> Any:
    return 6 * N * D + 2 * N * served


def embedded(N: Any, D: Any, vocabulary: float = 32_000) -> Any:
    return 6 * (N + vocabulary * 2 * N ** (1 / 3)) * D


@pytest.mark.parametrize(
    ("cost", "at"), [(served, {"served": 1e12}), (embedded, None)], ids=["served", "embedded"]
)
def test_nothing_is_gained_away_from_the_optimum(
    fit: bl.Fit, drawn: dict[str, np.ndarray], cost: Callable[..., Any], at: dict | None
) -> None:
    result = bl.plan(fit, [1e20, 1e23], cost=cost, at=at)
    held = {} if at is None else {"served": 1e12}
    N, D = result["N"].values, result["D"].values
    np.testing.assert_allclose(cost(N, D, **held), np.broadcast_to([1e20, 1e23], N.shape), 1e-11)
    one = {name: values[..., None] for name, values in drawn.items()}
    # Lagrange: both predictors gain the same for what they cost.
    gains = one["alpha"] * one["A"] * N ** -one["alpha"], one["beta"] * one["B"] * D ** -one["beta"]
    step = 1e-6
    prices = (
        (cost(N * np.exp(step), D, **held) - cost(N * np.exp(-step), D, **held)),
        (cost(N, D * np.exp(step), **held) - cost(N, D * np.exp(-step), **held)),
    )
    np.testing.assert_allclose(gains[0] * prices[1], gains[1] * prices[0], rtol=1e-7)
    assert np.all(result["mean"] < chinchilla(1.01 * N, _tokens(cost, 1.01 * N, held), **one))


def _tokens(cost: Callable[..., Any], N: np.ndarray, held: dict[str, float]) -> np.ndarray:
    """Tokens that the budget leaves; both costs are linear in them."""
    fixed = cost(N, 0.0, **held)
    return (np.broadcast_to([1e20, 1e23], N.shape) - fixed) / (cost(N, 1.0, **held) - fixed)


def test_tokens_to_serve_make_models_smaller(fit: bl.Fit) -> None:
    result = bl.plan(fit, 1e22, cost=served, at={"served": [1.0, 1e12, 1e13]})
    assert result["served"].values.tolist() == [1.0, 1e12, 1e13]
    assert np.all(result["N"].diff("curve") < 0)
    plain = bl.plan(fit, 1e22)
    np.testing.assert_allclose(result["N"].isel(curve=0), plain["N"].isel(curve=0), rtol=1e-6)


def test_nothing_to_serve_costs_nothing(fit: bl.Fit) -> None:
    result = bl.plan(fit, [1e20, 1e22], cost=served, at={"served": [0, 1e12]})
    assert result["served"].values.tolist() == [0.0, 1e12]
    plain = bl.plan(fit, [1e20, 1e22])
    np.testing.assert_array_equal(result["N"].isel(curve=0), plain["N"].isel(curve=0))
    plain_grid = bl.plan(fit, 1e22, cost=served, at=bl.grid(served=1e12))
    np.testing.assert_array_equal(plain_grid["N"][..., 0, 0], result["N"][..., 1, 1])
    with pytest.raises(ValueError, match="N, item 0: 0 is not positive"):
        bl.plan(fit, 1e20, cost=served, at={"served": 1.0, "N": 0})


# Other laws


@bl.law(direction={"N": 1, "D": 1}, unitless=("N", "D"), higher_is_better=True)
def accuracy(N: Any, D: Any, *, best: bl.Fraction, A: bl.Amplitude, B: bl.Amplitude) -> Any:
    """A response that rises with both."""
    return best - A * N**-0.3 - B * D**-0.2


def test_a_rising_response_is_maximised(known_fit: Make) -> None:
    drawn = draws_about({"best": 0.8, "A": 50.0, "B": 20.0})
    result = bl.plan(known_fit(accuracy, drawn, table()), 1e22)
    one = {name: values[..., None] for name, values in drawn.items()}
    N, _ = closed_form(1e22, A=one["A"], alpha=0.3, B=one["B"], beta=0.2)
    np.testing.assert_allclose(result["N"], N, rtol=1e-11)


@bl.law
def kaplan(N: Any, D: Any, *, N_c: bl.Scale, D_c: bl.Scale, a: bl.Exponent, d: bl.Exponent) -> Any:
    """One limit at a time (Kaplan et al. 2020, eq. 1.5)."""
    return ((N_c / N) ** (a / d) + D_c / D) ** d


def test_a_law_that_is_no_sum(known_fit: Make) -> None:
    """What is minimised is the bracket, whose optimum has a closed form."""
    drawn = draws_about({"N_c": 6.4e13, "D_c": 1.8e13, "a": 0.076, "d": 0.103})
    result = bl.plan(known_fit(kaplan, drawn, table()), 1e22)
    N_c, D_c, a, d = (values[..., None] for values in drawn.values())
    N, D = closed_form(1e22, A=N_c ** (a / d), alpha=a / d, B=D_c, beta=1.0)
    np.testing.assert_allclose(result["N"], N, rtol=1e-10)
    np.testing.assert_allclose(result["D"], D, rtol=1e-10)


@bl.law(unitless=("N", "D"))
def scarcest(N: Any, D: Any, *, A: bl.Scale, B: bl.Scale) -> Any:
    """Whichever of the two is short decides."""
    return bl.maximum((N / A) ** -0.3, (D / B) ** -0.2)


def test_an_optimum_at_a_corner(known_fit: Make) -> None:
    drawn = draws_about({"A": 1e9, "B": 1e10})
    result = bl.plan(known_fit(scarcest, drawn, table()), 1e22)
    A, B = (values[..., None] for values in drawn.values())
    N = A * (1e22 / 6 / (A * B)) ** 0.4
    np.testing.assert_allclose(result["N"], N, rtol=1e-10)
    np.testing.assert_allclose(result["N_exponent"], 0.4, rtol=1e-8)


@bl.law(unitless=("N", "D"))
def two_valleys(N: Any, D: Any, *, depth: bl.Real) -> Any:
    """Along sizes of equal cost, a valley at 1 and one at e^8 tokens per parameter."""
    ratio = np.log(D / N)
    return 10 - depth * np.exp(-((ratio - 8) ** 2)) - np.exp(-(ratio**2)) - 0.001 * np.log(N * D)


def test_the_better_of_two_optima(known_fit: Make) -> None:
    drawn = {"depth": np.linspace(0.5, 1.5, 100).reshape(*SHAPE, 1)}
    result = bl.plan(known_fit(two_valleys, drawn, table()), 1e20)["D_per_N"][:, :, 0, 0]
    expected = np.where(drawn["depth"][..., 0] > 1, np.exp(8), 1.0)
    np.testing.assert_allclose(result, expected, rtol=1e-9)


@bl.law(unitless=("N", "D", "U"))
def repeated(N: Any, D: Any, U: Any, *, E: bl.Floor, A: bl.Amplitude, B: bl.Amplitude) -> Any:
    """Tokens beyond the unique ones are worth less and less (after Muennighoff et al. 2023)."""
    fresh = bl.minimum(D, U)
    again = D / fresh - 1
    return E + A * N**-0.35 + B * (fresh * (1 + 15 * (1 - np.exp(-again / 15)))) ** -0.35


def test_a_third_predictor_is_held(known_fit: Make) -> None:
    runs = table()
    runs = runs.assign(U=runs["D"].copy()).assign_attrs(predictors=["N", "D", "U"])
    drawn = draws_about({"E": 1.87, "A": 521.0, "B": 1488.0})
    fit = known_fit(repeated, drawn, runs)
    result = bl.plan(fit, 1e22, at={"U": [1e9, 1e13]})
    scarce, plenty = (result["D_per_N"].isel(curve=i) for i in (0, 1))
    assert np.all(scarce < plenty)
    needs = "law 'repeated' needs 'U', which cost training_flops(N, D) does not take; hold it at a"
    with pytest.raises(ValueError, match=re.escape(f"{needs} value: at={{'U': ...}}")):
        bl.plan(fit, 1e22)


# No optimum


@bl.law
def product(N: Any, D: Any, *, k: bl.Amplitude, alpha: bl.Exponent, beta: bl.Exponent) -> Any:
    """Both predictors gain the same share wherever one is."""
    return k * N**-alpha * D**-beta


@pytest.mark.parametrize("beta", [0.2, 0.3, 0.4])
def test_a_product_has_no_optimum(known_fit: Make, beta: float) -> None:
    drawn = draws_about({"k": 20.0, "alpha": 0.3, "beta": beta}, spread=0.0)
    with pytest.raises(ValueError, match=r"^law 'product' has no compute-optimal point in any"):
        bl.plan(known_fit(product, drawn, table()), 1e21)


@bl.law(unitless=("N", "D"))
def either(N: Any, D: Any, *, k: bl.Amplitude, w: bl.Real) -> Any:
    """A sum, or where w is not positive a law of N alone."""
    return k * (N**-0.3 + bl.maximum(w, 0.0) * D**-0.3)


def test_draws_without_an_optimum_are_reported(known_fit: Make) -> None:
    drawn = draws_about({"k": 400.0, "w": 1.0})
    drawn["w"][0, :10] = -1.0
    result = bl.plan(known_fit(either, drawn, table()), [1e20, 1e21])
    assert np.all(np.isnan(result["N"][0, :10]))
    assert not np.any(np.isnan(result["N"][0, 10:]))
    assert result["has_optimum"].values.tolist() == [[0.9, 0.9]]
    assert result.attrs["caveats"][1].startswith("In up to 0.1 of the draws no split of the budget")
    assert np.all(np.isnan(bl.interval(result)["N"]))


# Curves


def test_every_curve_has_its_plan(grouped: bl.Fit) -> None:
    result = bl.plan(grouped, [1e20, 1e21])
    assert result["curve"].values.tolist() == ["c4 / a", "c4 / b", "code / a"]
    assert result["task"].values.tolist() == ["c4", "c4", "code"]
    one = bl.plan(grouped, [1e20, 1e21], at={"task": "code", "model": "a"})
    np.testing.assert_array_equal(one["N"].isel(curve=0), result["N"].isel(curve=2))


def test_a_new_curve_is_drawn_as_for_a_forecast(crossed_fit: bl.Fit) -> None:
    """The same draws of the same new curve, in the law of one predictor."""
    at = {"task": "new", "dataset": "web"}
    need = bl.requirement(crossed_fit, 4.0, at=at, draw_new=["task"], random_seed=3)
    curve = bl.forecast(crossed_fit, bl.grid(N=1e9, **at), draw_new=["task"], random_seed=3)[
        "mean"
    ].isel(run=0)
    assert np.array_equal(need["N"].isel(curve=0, target=0) < 1e9, curve < 4.0)


# What is refused


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"budget": [1e20, -1.0]},
            "budget must be a finite number above 0, got -1.0",
        ),
        ({"budget": []}, "budget takes a positive number or a list of them, got []"),
        (
            {"budget": 1e20, "cost": served},
            "cost served(N, D, served) takes 'served', which is no predictor of law 'chinchilla'; "
            "those are ['N', 'D']; take a law that has it, or hold it at a value: "
            "at={'served': ...}",
        ),
        (
            {"budget": 1e20, "at": {"width": 10.0}},
            "at holds 'width', which neither law 'chinchilla' nor cost training_flops(N, D) takes",
        ),
        (
            {"budget": 1e20, "at": {"D": 1e10}},
            "two predictors can be traded, and law 'chinchilla' with cost training_flops(N, D) "
            "leaves ['N']; hold all others with at={...}",
        ),
        (
            {"budget": 1e20, "cost": lambda N, D: 1e21 + N * D},
            "no N and D cost 1e+20 by <lambda>, which must rise from zero with both",
        ),
    ],
    ids=["negative", "none", "argument", "unknown", "held", "dear"],
)
def test_what_cannot_be_planned(fit: bl.Fit, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        bl.plan(fit, **options)


def test_a_law_of_one_predictor(known_fit: Make) -> None:
    drawn = draws_about({"L0": 2.0, "k": 300.0, "alpha": 0.4})
    sentence = "cost training_flops(N, D) takes 'D', which is no predictor of law 'power'"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        bl.plan(known_fit(bl.laws.power, drawn, table()), 1e20)


def test_at_is_a_mapping_or_a_grid(fit: bl.Fit, grouped: bl.Fit) -> None:
    with pytest.raises(TypeError, match=r"^at takes a mapping, such as {'D': 1e12}, got 3$"):
        bl.plan(fit, 1e20, at=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^'size' in at is not a group of the fit; those are \["):
        bl.plan(grouped, 1e20, at={"size": "large"})
    mapped, gridded = (
        bl.plan(fit, 1e20, cost=served, at=at) for at in ({"served": 1e9}, bl.grid(served=1e9))
    )
    xr.testing.assert_identical(mapped, gridded)


def test_a_cost_that_cannot_be_differentiated(fit: bl.Fit) -> None:
    with pytest.raises(TypeError, match=r"^np\.cbrt has no derivative here; write laws and costs"):
        bl.plan(fit, 1e20, cost=lambda N, D: np.cbrt(N) * D)
