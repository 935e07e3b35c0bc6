"""The frame of the extrapolation benchmark: its splits, its baselines and its scores."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bayeslaw as bl

sys.path.insert(0, str(Path(__file__).parents[2]))  # the benchmarks are no part of the package
from benchmarks.extrapolation import baselines, data, few, figure, published, report

needs_data = pytest.mark.skipif(
    not os.environ.get("BAYESLAW_DATA"), reason="BAYESLAW_DATA names no folder of public data"
)
SIZES = np.geomspace(1e3, 1e6, 40)
BEYOND = np.geomspace(1.2e6, 1e7, 5)
POWER = {"L0": 0.2, "k": 5.0, "alpha": 0.3}
# Domain: curves, training rows with and without copies, test rows.
COUNTS = {
    "IC": (72, 3902, 3902, 14981),
    "NMT": (5, 48, 48, 5),
    "LM": (5, 528, 132, 388),
    "BB": (10, 190, 190, 240),
    "DD": (16, 467, 466, 462),
    "Nano": (24, 144, 144, 24),
    "ColPret": (192, 17987, 17645, 17889),
    "LCDB": (60, 894, 894, 145),
    "Datablations": (40, 3705, 3705, 3713),
}
# Mean RMSLE under the protocol, computed apart from this code.
MEANS = {
    "last value": {"IC": 0.0880, "NMT": 0.0083, "LM": 0.0072, "BB": 0.0092, "DD": 0.100},
    "M1": {"IC": 0.1046, "NMT": 0.2217, "LM": 0.0140, "BB": 0.0148, "DD": 0.114, "Nano": 0.0534},
    "M2": {"IC": 0.0830, "NMT": 0.0341, "LM": 0.0010, "BB": 0.0148, "DD": 0.114, "Nano": 0.0534},
    "M3": {"IC": 0.0615, "NMT": 0.0471, "LM": 0.0023, "BB": 0.0087},
    "M4": {"NMT": 0.0208, "BB": 0.0123},
}


@cache
def load(domain: str, duplicates: bool = True) -> list[data.Curve]:
    """Curves of a domain, read once."""
    return data.load(domain, duplicates=duplicates)


def curve_of(
    x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, y_test: np.ndarray
) -> data.Curve:
    return data.Curve("IC", "made up", {}, x_train, y_train, x_test, y_test)


@pytest.fixture
def curve() -> data.Curve:
    return curve_of(SIZES, 5 * SIZES**-0.3, BEYOND, 5 * BEYOND**-0.3)


@pytest.fixture
def bands(curve: data.Curve) -> data.Prediction:
    """Ten thousand draws about the truth: 2% between curves, 1% between runs."""
    rng, shape = np.random.default_rng(1), (10_000, curve.x_test.size)
    mean = curve.y_test * np.exp(0.02 * rng.normal(size=(shape[0], 1)) * np.ones(shape))
    new_run = mean * np.exp(0.01 * rng.normal(size=shape))
    density = np.full(shape[1], -1.0)
    return data.Prediction(curve.y_test, new_run, density, mean, 2.0, gate=True, converged=False)


@needs_data
@pytest.mark.parametrize("domain", data.DOMAINS)
def test_rows_of_each_domain(domain: str) -> None:
    curves, without = load(domain), load(domain, duplicates=False)
    n_train = [sum(each.x_train.size for each in each_set) for each_set in (curves, without)]
    assert (len(curves), *n_train, sum(each.x_test.size for each in curves)) == COUNTS[domain]
    assert sum(each.x_test.size for each in without) == COUNTS[domain][-1]
    assert len({each.name for each in curves}) == len(curves)
    assert len({(*each.groups.values(), each.name) for each in curves}) == len(curves)
    for each in curves:
        assert (np.diff(each.x_train) >= 0).all()
        assert (np.diff(each.x_test) >= 0).all()
        assert each.x_train[-1] <= each.x_test[0]
        assert min(each.y_train.min(), each.y_test.min()) > 0
        assert each.y_scale == (each.y_train.max() if domain in data.SCALED else 1.0)
        assert (each.stderr_train is not None) == (domain == "LCDB")


@needs_data
def test_groups_are_crossed() -> None:
    for domain, groups, levels in (
        ("IC", ("task", "model"), (12, 6)),
        ("BB", ("task", "shots"), (5, 2)),
        ("LCDB", ("task", "learner"), (5, 12)),
    ):
        curves = load(domain)
        n_levels = tuple(len({each.groups[group] for each in curves}) for group in groups)
        assert n_levels == levels
        assert len(curves) == n_levels[0] * n_levels[1]


@needs_data
def test_copies_that_go_are_exact() -> None:
    for whole, slim in zip(load("LM"), load("LM", duplicates=False), strict=True):
        np.testing.assert_array_equal(np.repeat(slim.y_train, 4), whole.y_train)
        np.testing.assert_array_equal(slim.y_test, whole.y_test)


@needs_data
def test_what_is_split_here_is_split_at_half() -> None:
    for each in load("LCDB") + load("Datablations"):
        assert each.x_train[-1] <= each.x_test[-1] / 2 < each.x_test[0]


@needs_data
def test_a_whole_context_is_the_protocols_split() -> None:
    for domain in data.DOMAINS:
        for each in load(domain):
            np.testing.assert_array_equal(data.cutoff(each, 1.0).x_test, each.x_test)


@pytest.mark.parametrize(
    ("domain", "n", "share", "n_kept"),
    [
        ("IC", 39, 0.3, 11), ("IC", 39, 0.01, 2), ("LM", 5, 0.5, 2), ("Nano", 6, 0.5, 3),
        ("DD", 20, 0.48, 10), ("DD", 20, 0.1, 3), ("ColPret", 21, 0.5, 10),
    ],
)  # fmt: skip
def test_context_sizes(domain: str, n: int, share: float, n_kept: int) -> None:
    x = np.arange(1.0, 41.0)
    whole = data.Curve(domain, "made up", {}, x[:n], 1 / x[:n], x[n:], 1 / x[n:])
    part = data.cutoff(whole, share)
    np.testing.assert_array_equal(part.x_train, x[:n_kept])
    np.testing.assert_array_equal(part.x_test, x[n_kept:])
    np.testing.assert_array_equal(part.y_test, 1 / x[n_kept:])


def test_standard_errors_move_with_their_rows(curve: data.Curve) -> None:
    known = replace(curve, stderr_train=SIZES / 10, stderr_test=BEYOND / 10)
    part = data.cutoff(known, 0.5)
    assert part.stderr_train is not None
    assert part.stderr_test is not None
    np.testing.assert_allclose(part.stderr_train, part.x_train / 10)
    np.testing.assert_allclose(part.stderr_test, part.x_test / 10)


@needs_data
@pytest.mark.parametrize(("n", "far"), [(6, 50), (10, 45)])
def test_few_points(n: int, far: int) -> None:
    curves = load("IC")
    shortened = data.few_points(curves, n)
    assert len(shortened) == far
    assert all(each.x_train.size == n and each.reach >= 25 for each in shortened)
    tests = {each.name: each.y_test for each in curves}
    assert all(each.y_test is tests[each.name] for each in shortened)
    assert len(data.few_points(curves, n, reach=0.0, rows=20)) == 65


@needs_data
def test_curves_are_left_out_once_with_their_task_and_once_alone() -> None:
    curves = load("IC")
    parts = list(few.parts(curves))
    tasks, sets = parts[:12], parts[12:]
    for some in (tasks, sets):
        left_out = [each.name for part in some for each in part.curves]
        assert sorted(left_out) == [each.name for each in curves]
    for part in tasks:
        assert {each.groups["task"] for each in part.curves} == {part.name}
        assert part.prior == "population prior of its model"
    for part in sets:  # the library knows every task and every architecture
        assert len({each.groups["task"] for each in part.curves}) == len(part.curves) == 12
        assert len({each.groups["model"] for each in part.curves}) == 6
        assert part.prior == "population prior of its task and model"


def test_an_unknown_domain_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown domain 'CIFAR'; there are: IC, NMT"):
        data.load("CIFAR")


def test_bins_average_logarithms() -> None:
    log_x = np.array([0.0, 0.05, 0.1, 0.13, 0.2, 0.4])
    log_y = np.array([1.0, 1.2, 1.1, 2.0, 2.2, 5.0])
    made = curve_of(np.ones(1), np.ones(1), np.exp(log_x), np.exp(log_y))
    bins = data.binned(made)
    np.testing.assert_allclose(bins.mean, [1.1, 2.1, 5.0])
    noise = np.sqrt((0.2**2 + 0.1**2 + 0.2**2) / 3 / 2)
    np.testing.assert_allclose(bins.stderr, noise / np.sqrt([3, 2, 1]))
    np.testing.assert_allclose(data.binned(made, width=1.0).mean, log_y.mean())
    known = replace(made, stderr_test=0.1 * np.exp(log_y))
    np.testing.assert_allclose(data.binned(known).stderr, 0.1 / np.sqrt([3, 2, 1]))


def test_bins_count_copies_once() -> None:
    log_x, log_y = np.array([0.0, 0.05, 0.1]), np.array([1.0, 1.2, 1.1])
    made = curve_of(np.ones(1), np.ones(1), np.exp(log_x), np.exp(log_y))
    four = replace(made, x_test=np.repeat(made.x_test, 4), y_test=np.repeat(made.y_test, 4))
    for part in ("mean", "stderr"):
        np.testing.assert_allclose(
            getattr(data.binned(four), part), getattr(data.binned(made), part)
        )


def test_lone_rows_tell_no_noise(curve: data.Curve) -> None:
    assert np.isnan(data.binned(curve).stderr).all()


def test_the_noise_of_bins_is_estimated() -> None:
    rng, n = np.random.default_rng(2), 4000
    x = np.exp(np.linspace(0, 1.2, n))
    noisy = curve_of(np.ones(1), np.ones(1), x, x**-0.3 * np.exp(0.01 * rng.normal(size=n)))
    stderr = data.binned(noisy).stderr * np.sqrt((data.binned(noisy).weights > 0).sum(axis=1))
    assert np.abs(stderr - 0.01).max() < 4 * 0.01 * np.sqrt(0.75 / n)  # of neighbours' differences


@pytest.mark.parametrize(
    ("forecast", "truth"),
    [
        (baselines.m1, lambda x: 5 * x**-0.3),
        (baselines.m2, lambda x: 5 * x**-0.3),
        (baselines.m3, lambda x: 5 * (1 / x + 1e-5) ** 0.3),
        (baselines.POINTS["power law with floor"], lambda x: bl.laws.power(x, **POWER)),
        (baselines.POINTS["log-linear"], lambda x: 1 - 0.03 * np.log(x)),
        (baselines.one_break, lambda x: 0.1 + 5 * x**-0.2 * (1 + x / 3e4) ** -0.3),
    ],
)
def test_a_forecast_recovers_its_own_law(forecast, truth) -> None:
    if forecast in baselines.POINTS.values():
        made = curve_of(SIZES, truth(SIZES), BEYOND, truth(BEYOND))
        [median] = [each.median for each in forecast([made])]
    else:
        median = forecast(SIZES, truth(SIZES), BEYOND)
    np.testing.assert_allclose(median, truth(BEYOND), rtol=1e-3)


def test_m2_takes_the_nearest_optimum() -> None:
    """With a floor in the data it is recovered: the residual there is a small local optimum."""
    median = baselines.m2(SIZES, bl.laws.power(SIZES, **POWER), BEYOND)
    np.testing.assert_allclose(median, bl.laws.power(BEYOND, **POWER), rtol=1e-2)
    without = baselines.m1(SIZES, bl.laws.power(SIZES, **POWER), BEYOND)
    assert np.abs(without / bl.laws.power(BEYOND, **POWER) - 1).max() > 0.05


def test_m4_stays_between_its_ends() -> None:
    y = 0.1 + 0.8 / (1 + (SIZES / 2e4) ** 0.7)
    median = baselines.m4(SIZES, y, BEYOND)
    np.testing.assert_allclose(median, 0.1 + 0.8 / (1 + (BEYOND / 2e4) ** 0.7), rtol=0.1)
    assert (np.diff(median) < 0).all()
    assert (median < y[-1]).all()


@pytest.mark.parametrize("forecast", [baselines.m1, baselines.m2, baselines.m3])
@settings(max_examples=20, deadline=None)
@given(unit=st.floats(1e-3, 1e3))
def test_the_unit_of_x_does_not_matter(forecast, unit: float) -> None:
    rng = np.random.default_rng(3)
    y = bl.laws.power(SIZES[::4], **POWER) * np.exp(0.01 * rng.normal(size=10))
    one, other = (forecast(u * SIZES[::4], y, u * BEYOND) for u in (1.0, unit))
    np.testing.assert_allclose(one, other, rtol=1e-3)


def test_the_last_of_equal_sizes_counts(curve: data.Curve) -> None:
    twice = replace(
        curve,
        x_train=np.repeat(SIZES, 2),
        y_train=np.repeat(curve.y_train, 2) * np.tile([1.0, 2.0], SIZES.size),
    )
    [prediction] = baselines.POINTS["M1"]([twice])
    np.testing.assert_allclose(prediction.median, 2 * curve.y_test)
    assert prediction.seconds > 0
    assert prediction.new_run is None


@pytest.mark.parametrize("name", ["M2", "M4", "one break"])
def test_a_curve_is_fitted_in_the_protocols_unit(name: str) -> None:
    y = bl.laws.power(SIZES, L0=0.2, k=5.0, alpha=0.3)
    one = curve_of(SIZES, y, BEYOND, BEYOND)
    other = replace(one, y_train=50 * y, y_scale=50.0)
    [small], [large] = (baselines.POINTS[name]([each]) for each in (one, other))
    np.testing.assert_allclose(50 * small.median, large.median, rtol=1e-9)


@needs_data
@pytest.mark.parametrize(
    ("name", "domain"), [(name, domain) for name, means in MEANS.items() for domain in means]
)
def test_published_means(name: str, domain: str) -> None:
    curves = load(domain, duplicates=False)
    scores = report.score(name, curves, baselines.POINTS[name](curves))
    unit = 0.5 * 10.0 ** -(4 if domain == "LM" or MEANS[name][domain] < 0.1 else 3)  # rounding
    assert scores["rmsle"].mean() == pytest.approx(MEANS[name][domain], rel=0.02, abs=unit)


@needs_data
def test_one_break_does_as_well_as_published() -> None:
    curves, quoted = load("IC"), published.published()
    rmsle = report.score("", curves, baselines.POINTS["one break"](curves))["rmsle"].mean()
    quoted_rmsle = quoted[(quoted["configuration"] == "BNSL") & (quoted["domain"] == "IC")]["rmsle"]
    assert rmsle == pytest.approx(quoted_rmsle.item(), rel=0.05)


def test_the_peer_has_bands() -> None:
    pytest.importorskip("simple_scaling_laws", reason="the group extrapolation is not installed")
    rng, truth = np.random.default_rng(4), bl.laws.power(BEYOND, **POWER)
    noisy = bl.laws.power(SIZES, **POWER) + 0.003 * rng.normal(size=SIZES.size)
    made = curve_of(SIZES, noisy, BEYOND, truth)
    [prediction] = baselines.simple_scaling_laws([made])
    [few] = baselines.simple_scaling_laws([made], draws=20, seed=2)
    assert prediction.new_run is not None
    assert prediction.curve is not None
    assert prediction.log_density is not None
    assert few.new_run is not None
    assert prediction.new_run.shape == (baselines.DRAWS, BEYOND.size)
    assert few.new_run.shape == (20, BEYOND.size)
    np.testing.assert_allclose(prediction.median, truth, rtol=0.1)
    assert (np.ptp(prediction.new_run, axis=0) > np.ptp(prediction.curve, axis=0)).mean() > 0.5
    top = -np.log(0.003 * np.sqrt(2 * np.pi))  # of a density that knew the curve, nearly
    assert (prediction.log_density < top + 0.5).all()
    assert prediction.converged


def test_scores_of_a_point_forecast(curve: data.Curve) -> None:
    point = data.Prediction(curve.y_test * np.exp([0.1, -0.1, 0.1, -0.1, 0.1]))
    row = report.score("point", [curve], [point]).iloc[0]
    assert row["rmsle"] == pytest.approx(0.1)
    assert (row["configuration"], row["domain"], row["curve"]) == ("point", "IC", "made up")
    assert (row["n_test"], row["n_bins"]) == (5, 5)
    rest = [name for name in report.SCORES if name != "rmsle"]
    assert row[rest].isna().all()
    assert row["gate"] is None
    assert report.pit_values("point", [curve], [point]).empty


@pytest.mark.parametrize("median", [0.0, -1.0, np.nan])
def test_a_median_that_is_no_loss_has_an_infinite_error(curve: data.Curve, median: float) -> None:
    invalid = data.Prediction(np.array([median, *curve.y_test[1:]]))
    assert report.score("", [curve], [invalid])["rmsle"].item() == np.inf


def test_densities_and_crps_are_of_scaled_responses(
    curve: data.Curve, bands: data.Prediction
) -> None:
    plain = report.score("", [curve], [bands]).iloc[0]
    scaled = report.score("", [replace(curve, y_scale=4.0)], [bands]).iloc[0]
    assert plain["log_density"] == -1.0
    assert scaled["log_density"] == pytest.approx(-1.0 + np.log(4))
    assert scaled["crps"] == pytest.approx(plain["crps"] / 4)
    assert scaled["rmsle"] == plain["rmsle"]
    sd = np.sqrt(0.02**2 + 0.01**2)
    # At the centre of a Gaussian the CRPS is (sqrt 2 - 1) / sqrt pi of its sd; 1% is lognormal.
    expected = sd * (np.sqrt(2) - 1) / np.sqrt(np.pi) * curve.y_test.mean()
    assert plain["crps"] == pytest.approx(expected, rel=0.03)
    assert plain["width_90"] == pytest.approx(2 * 1.6449 * sd, rel=0.03)
    assert (plain["seconds"], plain["gate"], plain["converged"]) == (2.0, True, False)


def test_bands_of_the_truth_cover_as_they_say() -> None:
    """Of each of 400 curves the draws are from the distribution of what came."""
    rng, rows, sd = np.random.default_rng(5), 24, 0.01
    x = np.exp(np.linspace(0, 0.59, rows))
    curves, predictions = [], []
    for _ in range(400):
        level, noise = rng.normal(size=(201, 1)), rng.normal(size=(201, rows))
        mean = np.exp(0.02 * level) * np.ones(rows)
        run = mean * np.exp(sd * noise)
        known = sd * run[0]
        made = curve_of(np.ones(1), np.ones(1), x, run[0])
        curves.append(replace(made, stderr_test=known))
        predictions.append(data.Prediction(np.ones(rows), run[1:], curve=mean[1:]))
    means = report.summary(report.score("truth", curves, predictions)).loc[("truth", "IC")]
    for name, prob in zip(report.ROWS + report.BINS, report.PROBS * 2, strict=True):
        assert abs(means[name] - prob) < 4 * means[f"{name}_se"], name
    pit = report.pit_values("truth", curves, predictions)
    assert set(pit["of"]) == {"row", "bin"}
    assert pit.groupby("of")["pit"].mean().to_numpy() == pytest.approx(0.5, abs=0.06)
    counts = report.histogram(pit)
    assert counts.to_numpy().sum() == len(pit)
    assert counts.shape == (2, report.PIT_BINS)


def test_a_draw_that_is_no_loss_ranks_lowest(curve: data.Curve) -> None:
    draws = np.array([[-1.0], [2.0]]) * curve.y_test
    known = replace(curve, stderr_test=0.01 * curve.y_test)
    row = report.score("", [known], [data.Prediction(curve.y_test, draws, curve=draws)]).iloc[0]
    assert row["width_90"] == np.inf
    assert row["bin_cover_50"] == 1.0  # half of the draws are below


def test_draws_equal_to_what_came_count_half(curve: data.Curve) -> None:
    exact = data.Prediction(curve.y_test, np.tile(curve.y_test, (9, 1)))
    assert (report.pit_values("", [curve], [exact])["pit"] == 0.5).all()


@pytest.mark.parametrize(
    ("prediction", "message"),
    [
        (data.Prediction(np.ones(3)), "median of 'made up' has 3 rows, but the curve has 5"),
        (data.Prediction(np.ones(5), np.ones((9, 4))), "new_run of 'made up' has 4 rows"),
    ],
)
def test_forecasts_of_other_rows_are_refused(
    curve: data.Curve, prediction: data.Prediction, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        report.score("", [curve], [prediction])


def test_missing_forecasts_are_refused(curve: data.Curve) -> None:
    with pytest.raises(ValueError, match="2 curves take as many forecasts, got 0"):
        report.score("", [curve, curve], [])


@pytest.fixture
def scores(curve: data.Curve, bands: data.Prediction) -> pd.DataFrame:
    """Two curves of each of seven domains; the second configuration has no bands."""
    parts = []
    for i, domain in enumerate(("IC", "NMT", "LM", "BB", "DD", "Nano")):
        curves = [replace(curve, domain=domain, name=name) for name in "ab"]
        off = [replace(bands, median=bands.median * np.exp(e)) for e in (0.1, 0.3 + i)]
        points = [data.Prediction(each.median * np.exp(0.1)) for each in off]
        parts += [report.score("bands", curves, off), report.score("points", curves, points)]
    return pd.concat(parts, ignore_index=True)


def test_means_by_domain(scores: pd.DataFrame) -> None:
    means = report.summary(scores)
    first = means.loc[("bands", "IC")]
    assert first["rmsle"] == pytest.approx(0.2)
    assert first["rmsle_se"] == pytest.approx(0.1)
    assert (first["curves"], first["gate"], first["converged"]) == (2, 1.0, 0.0)
    assert means.loc[("bands", "all 92"), "curves"] == 8
    assert means.loc[("points", "NLP+Nano"), "curves"] == 8
    assert means.loc[("bands", "all 92"), "rmsle"] == pytest.approx(np.mean([0.2, 0.7, 1.2, 1.7]))
    partial = report.summary(scores[scores["domain"] != "LM"])
    assert {*partial.index.unique("domain")} == {"IC", "NMT", "BB", "DD", "Nano"}


def test_tables(scores: pd.DataFrame, tmp_path: Path, curve: data.Curve, bands) -> None:
    pit = report.pit_values("bands", [curve], [bands])
    report.write(tmp_path / "new", scores, pit, published.published())
    report.write(tmp_path / "new", scores, pit)
    text = (tmp_path / "new" / "summary.md").read_text(encoding="utf-8")
    assert text == report.markdown(report.summary(scores))
    assert "| IC | bands | 2 | 0.2 ± 0.1 | -1 ± 0 |" in text
    assert "| IC | points | 2 | 0.3 ± 0.1 | - | - | - / - / - / - |" in text
    quoted = report.markdown(report.summary(scores), published.published())
    assert "| IC | *NSL-PFN, published* |  | 0.028 | 3.33 |" in quoted
    assert len({line.count("|") for line in quoted.splitlines()}) == 1
    written = pd.read_csv(tmp_path / "new" / "curves.csv")
    assert [*written.columns] == [*scores.columns]
    assert len(written) == len(scores)
    assert pd.read_csv(tmp_path / "new" / "pit.csv").shape == (1, 3 + report.PIT_BINS)
    assert len(pd.read_csv(tmp_path / "new" / "summary.csv")) == 16


def test_infinite_means_are_written(scores: pd.DataFrame) -> None:
    scores.loc[0, "rmsle"] = np.inf
    assert "| IC | bands | 2 | ∞ |" in report.markdown(report.summary(scores))


def test_published_numbers_are_of_known_domains() -> None:
    table = published.published()
    assert not table.duplicated(["configuration", "domain"]).any()
    assert {*table["domain"]} <= {*data.DOMAINS, *report.UNIONS}
    assert table["rmsle"].between(0.01, 0.1).all()


def test_the_figure_names_what_it_draws(scores: pd.DataFrame) -> None:
    scores.loc[scores["configuration"].eq("points") & scores["domain"].eq("DD"), "rmsle"] = np.inf
    means = report.summary(scores)
    drawn = figure.figure(means, ["bands", "points"])
    drawn.draw_without_rendering()
    upper, lower = drawn.axes
    assert {text.get_text() for text in upper.texts} == {"bands", "points"}
    assert [tick.get_text() for tick in upper.get_yticklabels()] == [*means.index.unique("domain")]
    assert [text.get_text() for text in lower.texts] == ["bands"]  # no bins: lone rows
    assert "all 92" in lower.get_title()
    assert "IC" in figure.figure(means, ["bands"], domain="IC").axes[1].get_title()


def test_the_figure_refuses_what_it_cannot_show(scores: pd.DataFrame) -> None:
    means = report.summary(scores)
    with pytest.raises(ValueError, match="tells 4 configurations apart, got 5"):
        figure.figure(means, ["bands"] * 5)
    with pytest.raises(ValueError, match="no means of 'M9'; there are those of 'bands', 'points'"):
        figure.figure(means, ["M9"])
