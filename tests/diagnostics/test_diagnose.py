"""Sentences of a diagnosis, word by word."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate
from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.diagnostics.diagnose import _against_direction, describe_runs
from bayeslaw.diagnostics.psis_loo import influence, leave_one_out

SPAN = "N: 2.1 decades and 6 distinct sizes in the median of 12 curve(s), at least 2.1 and 6."


def with_attributes(fit: bl.Fit, **changes: float) -> bl.Fit:
    tree = fit.tree.copy()
    tree.attrs["gate"] = replace(Gate.of(tree), **changes).to_json()
    return replace(fit, tree=tree)


def with_group(fit: bl.Fit, group: str, data: xr.Dataset) -> bl.Fit:
    tree = fit.tree.copy()
    tree[group] = data
    return replace(fit, tree=tree)


# Fits


def test_a_good_fit(lone_fit: bl.Fit) -> None:
    diagnosis = bl.diagnose(lone_fit)
    k = float(leave_one_out(lone_fit).pareto_k.max())
    assert diagnosis.sentences == (
        Gate.of(lone_fit.tree).sentence,
        f"No run is too influential (Pareto k at most {k:.2f}).",
        "N: 4.0 decades and 30 distinct sizes in the median of 1 curve(s), at least 4.0 and 30.",
        "All parameters are data-driven.",
    )
    assert diagnosis.sentences[0].startswith("Converged: ")
    assert str(diagnosis) == "\n".join(diagnosis.sentences)
    assert diagnosis.gate == Gate.of(lone_fit.tree)


def _with_draws(fit: bl.Fit, count: int) -> bl.Fit:
    """The first draws of the posterior of a fit."""
    groups = {node.path: node.to_dataset(inherit=False) for node in fit.tree.subtree}
    for path in {*groups} - {"/prior", "/unconstrained_prior", "/prior_predictive"}:
        groups[path] = groups[path].isel(draw=slice(count), missing_dims="ignore")
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = dict(fit.tree.attrs)
    return replace(fit, tree=tree)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 10])
def test_few_draws_are_diagnosed(lone_fit: bl.Fit, count: int) -> None:
    sentences = bl.diagnose(_with_draws(lone_fit, count)).sentences
    assert any("influen" in sentence for sentence in sentences)
    assert not any("nan" in sentence for sentence in sentences)


def test_runs_without_influence_are_diagnosed(lone_fit: bl.Fit) -> None:
    """As with standard errors of 1e9: the density of the runs is the same in all draws."""
    density = lone_fit.tree["log_likelihood"].to_dataset()
    fit = with_group(lone_fit, "log_likelihood", xr.full_like(density, -20.0))
    [sentence] = [each for each in bl.diagnose(fit).sentences if "influen" in each]
    assert sentence == (
        "The influence of runs is unknown: leave-one-out cannot be estimated: all tail values are "
        "the same; there are few draws, or a run whose density does not vary, as with a very large "
        "standard error."
    )


@pytest.mark.parametrize(("factor", "is_noted"), [(1.0, False), (1e-3, True)])
def test_noise_of_a_formula_is_noted(lone_fit: bl.Fit, factor: float, is_noted: bool) -> None:
    posterior = lone_fit.tree["posterior"].to_dataset()
    fit = with_group(lone_fit, "posterior", posterior.assign(sigma=posterior["sigma"] * factor))
    noted = [s for s in bl.diagnose(fit).sentences if "values of a formula, or smoothed" in s]
    assert len(noted) == is_noted


def test_fits_of_refit_are_refused(lone_fit: bl.Fit) -> None:
    tree = lone_fit.tree.copy()
    del tree["unconstrained_prior"]
    with pytest.raises(ValueError, match=r"no draws from its prior, as fits of refit have none"):
        bl.diagnose(replace(lone_fit, tree=tree))


def test_a_fit_that_failed_says_so_first(crossed_fit: bl.Fit) -> None:
    diagnosis = bl.diagnose(with_attributes(crossed_fit, divergences=3))
    assert str(diagnosis).startswith("NOT CONVERGED, do not use: 3 divergences (should be none).\n")
    assert not diagnosis.gate.passed


def test_influential_runs_are_counted_and_named(crossed_fit: bl.Fit) -> None:
    loo = leave_one_out(crossed_fit)
    bad = loo.pareto_k.values > loo.good_k
    assert bad.sum() > 5  # one or two runs of twelve short curves weigh much
    names = ", ".join(str(run) for run in crossed_fit.runs["run"].values[bad][:5])
    assert (
        f"{bad.sum()} of 72 runs are influential (Pareto k above 0.70), such as run {names}: "
        "leave-one-out is rough there."
    ) in bl.diagnose(crossed_fit).sentences


def test_pareto_k_is_that_of_arviz(crossed_fit: bl.Fit, lone_fit: bl.Fit) -> None:
    one_chain = {name: node.to_dataset() for name, node in lone_fit.tree.children.items()}
    for name in ("posterior", "log_likelihood"):
        one_chain[name] = one_chain[name].isel(chain=[0])
    tree = xr.DataTree.from_dict(one_chain)
    for fit in (crossed_fit, lone_fit, replace(lone_fit, tree=tree)):
        pareto_k, good_k = influence(fit)
        loo = leave_one_out(fit)
        np.testing.assert_allclose(pareto_k, loo.pareto_k.values, rtol=1e-8)
        assert good_k == loo.good_k


def test_spreads_of_prior_and_posterior(crossed_fit: bl.Fit) -> None:
    learned = bl.diagnose(crossed_fit).learned
    assert list(learned.index) == ["L0", "k", "alpha", "sigma"]
    assert set(learned["driven_by"]) == {"data"}
    center = crossed_fit.tree["unconstrained_posterior"]["center"].sel(parameter="alpha")
    assert learned.loc["alpha", "posterior_sd"] == pytest.approx(float(center.std()))
    # The prior of an exponent: a factor of 2.2255, in 500 draws of the prior.
    assert learned.loc["alpha", "prior_sd"] == pytest.approx(np.log(2.2255), rel=4 / np.sqrt(1000))
    np.testing.assert_allclose(learned["ratio"], learned["posterior_sd"] / learned["prior_sd"])


def test_without_a_population_curves_are_compared(lone_fit: bl.Fit) -> None:
    learned = bl.diagnose(lone_fit).learned
    theta = lone_fit.tree["unconstrained_posterior"]["theta"].sel(parameter="k", curve="all")
    assert learned.loc["k", "posterior_sd"] == pytest.approx(float(theta.std()))


@pytest.mark.parametrize("names", [["L0"], ["L0", "alpha"]])
def test_prior_driven_parameters(crossed_fit: bl.Fit, names: list[str]) -> None:
    link = crossed_fit.tree["unconstrained_posterior"].to_dataset()
    wide = link["center"].where(~link["parameter"].isin(names), link["center"] * 100)
    diagnosis = bl.diagnose(
        with_group(crossed_fit, "unconstrained_posterior", link.assign(center=wide))
    )
    assert list(diagnosis.learned.index[diagnosis.learned["driven_by"] == "prior"]) == names
    assert (
        f"Prior-driven: {', '.join(names)}. The data narrow the prior by less than 20%; look at "
        "the prior before you quote a number."
    ) in diagnosis.sentences
    assert "All parameters are data-driven." not in diagnosis.sentences


def test_floor_and_exponent_that_go_together(crossed_fit: bl.Fit) -> None:
    link = crossed_fit.tree["unconstrained_posterior"].to_dataset()
    theta = link["theta"].copy()
    rng = np.random.default_rng(1)
    theta.loc[{"parameter": "L0"}] = rng.normal(size=theta.sel(parameter="L0").shape)
    apart = bl.diagnose(
        with_group(crossed_fit, "unconstrained_posterior", link.assign(theta=theta))
    )
    assert not any("separable" in sentence for sentence in apart.sentences)
    theta.loc[{"parameter": "alpha"}] = 0.1 * theta.sel(parameter="L0").values
    together = bl.diagnose(
        with_group(crossed_fit, "unconstrained_posterior", link.assign(theta=theta))
    )
    assert together.sentences[-1] == (
        "L0 and alpha are hardly separable (correlation 1.00 in the median curve): more decades "
        "would tell them apart."
    )


def test_a_law_without_a_floor_has_nothing_to_separate(pure_power_fit: bl.Fit) -> None:
    diagnosis = bl.diagnose(pure_power_fit)
    assert diagnosis.sentences[2:] == (SPAN, "All parameters are data-driven.")


# Runs


def runs_of(loss: np.ndarray | None = None, **columns: np.ndarray) -> xr.Dataset:
    n = len(next(iter(columns.values())))
    noisy = np.random.default_rng(1).uniform(2, 3, n)
    table = pd.DataFrame({**columns, "loss": noisy if loss is None else loss})
    groups = [name for name in columns if name == "task"]
    predictors = [name for name in columns if name != "task"]
    return bl.read_runs(table, predictors=predictors, groups=groups)


def test_span_of_sizes() -> None:
    sizes = np.array([1e6, 1e7, 1e8, 1e9, 1e10, 1e6, 1e7, 1e7])
    sentences = describe_runs(runs_of(N=sizes, task=np.array(["a"] * 5 + ["b"] * 3)))
    assert sentences == [
        "N: 2.5 decades and 4 distinct sizes in the median of 2 curve(s), at least 1.0 and 2. "
        "Fewer than 4 sizes do not show a floor."
    ]
    assert describe_runs(runs_of(N=sizes[:5])) == [
        "N: 4.0 decades and 5 distinct sizes in the median of 1 curve(s), at least 4.0 and 5."
    ]


def test_collinear_sizes() -> None:
    N = np.geomspace(1e6, 1e9, 9)
    together = "N and D move together (correlation 1.000 of their logarithms): their terms cannot "
    together += "be told apart."
    assert describe_runs(runs_of(N=N, D=20 * N))[2:] == [together]
    assert describe_runs(runs_of(N=N, D=N[[4, 2, 0, 1, 3, 8, 6, 5, 7]]))[2:] == []
    opposite = "N and D move together (correlation -1.000 of their logarithms): their terms cannot "
    opposite += "be told apart."
    assert describe_runs(runs_of(N=N, D=1e16 / N))[2:] == [opposite]


DETERMINED = "{} (R^2 {}): their terms cannot be told apart by these runs."


def test_a_size_that_others_determine() -> None:
    rng = np.random.default_rng(1)
    N, D = np.exp(rng.uniform(10, 20, (2, 40)))
    exact = DETERMINED.format("C is determined by N and D", "1.000")
    assert describe_runs(runs_of(N=N, D=D, C=6 * N * D))[3:] == [exact]
    assert describe_runs(runs_of(N=N, C=6 * N * D, D=D))[3:] == [
        DETERMINED.format("D is determined by N and C", "1.000")
    ]
    assert describe_runs(runs_of(N=N, D=D, C=6 * N * D), ["N", "D"])[2:] == []
    some = 6 * N * D * np.exp(rng.normal(0, 0.06, 40))  # their logarithm varies by 4
    assert describe_runs(runs_of(N=N, D=D, C=some))[3:] == [exact]
    epochs = np.exp(rng.uniform(0, 3, 40))
    assert describe_runs(runs_of(N=N, D=D, C=6 * N * D * epochs))[3:] == []
    assert describe_runs(runs_of(N=N, D=D, e=epochs, C=6 * N * D))[4:] == [exact]


def test_a_collinear_pair_is_reported_once() -> None:
    rng = np.random.default_rng(1)
    N, C = np.exp(rng.uniform(10, 20, (2, 40)))
    sentences = describe_runs(runs_of(N=N, D=20 * N, C=C))
    assert [sentence for sentence in sentences if "cannot be told apart" in sentence] == [
        "N and D move together (correlation 1.000 of their logarithms): their terms cannot be "
        "told apart."
    ]


# The direction of the law


def rising(crossed_fit: bl.Fit, curves: int = 12) -> bl.Fit:
    """The fit, of runs whose response rises in some curves."""
    runs = crossed_fit.runs.copy(deep=True)
    index = curve_index(runs, curves_in(runs))
    runs["loss"] = runs["loss"].where(index >= curves, 10 / runs["loss"])
    return replace(crossed_fit, runs=runs)


def test_a_response_against_the_direction_of_the_law_is_reported_early(crossed_fit: bl.Fit) -> None:
    expected = "The response rises with N in {} of 12 curves; law 'power' only falls with N."
    assert bl.diagnose(rising(crossed_fit)).sentences[1] == expected.format(12)
    assert bl.diagnose(rising(crossed_fit, 7)).sentences[1] == expected.format(7)
    for few in (6, 0):
        assert "The response rises" not in str(bl.diagnose(rising(crossed_fit, few)))


def against(law: bl.Law, loss: np.ndarray, **columns: np.ndarray) -> list[str]:
    return _against_direction(bl.Fit(bl.Model(law), runs_of(loss, **columns), xr.DataTree()))


def test_each_predictor_is_judged_at_given_others() -> None:
    rng, laws = np.random.default_rng(1), bl.laws
    N = np.exp(rng.uniform(10, 20, 30))
    D, noise = 1e9 / N * np.exp(rng.uniform(-1, 1, 30)), np.exp(rng.normal(0, 0.01, 30))
    down = N**-0.1 * D**-0.3 * noise
    assert np.corrcoef(np.log(N), np.log(down))[0, 1] > 0.9
    assert against(laws.chinchilla, down, N=N, D=D) == []  # at given D it falls with N
    assert against(laws.chinchilla, N**-0.1 * D**0.3 * noise, N=N, D=D) == [
        "The response rises with D in 1 of 1 curves; law 'chinchilla' only falls with D."
    ]
    assert against(laws.over_training, N**0.1 * D**-0.3 * noise, C=D, M=N) == []
    assert against(laws.decoding_time, N**0.5 * D**-0.5 * noise, N=N, D_inf=D) == [
        "The response falls with D_inf in 1 of 1 curves; law 'decoding_time' only rises with D_inf."
    ]


def test_slopes_that_are_not_identified_are_not_reported() -> None:
    rng, law = np.random.default_rng(1), bl.laws.chinchilla
    N, D = np.exp(rng.uniform(10, 20, (2, 30)))
    noise = np.exp(rng.normal(0, 0.01, 30))
    assert against(law, 2 * noise, N=N, D=D) == []
    assert against(law, N[:3] ** 0.1, N=N[:3], D=D[:3]) == []
    assert against(law, N**0.1 * noise, N=N, D=20 * N) == []
    assert against(bl.laws.pretraining, N**0.1 * D * noise, N=N, D=D, C=6 * N * D) == []
    assert against(law, N**0.1 * noise, N=N, D=np.full(30, 1e9)) == [
        "The response rises with N in 1 of 1 curves; law 'chinchilla' only falls with N."
    ]


def test_a_size_that_does_not_vary() -> None:
    N = np.geomspace(1e6, 1e9, 9)
    sentences = describe_runs(runs_of(N=N, D=np.full(9, 1e9)))
    assert sentences[2:] == ["N or D does not vary: its exponent is its prior."]
    assert sentences[1] == (
        "D: 0.0 decades and 1 distinct sizes in the median of 1 curve(s), at least 0.0 and 1. "
        "Fewer than 4 sizes do not show a floor."
    )


def test_curves_that_never_rise() -> None:
    sizes = np.tile(np.geomspace(1e6, 1e9, 10), 2)
    task = np.repeat(["a", "b"], 10)
    falling = np.geomspace(4, 2, 10)
    rough = falling.copy()
    rough[5] = 4.0
    expected = (
        "1 of 2 curve(s) of ten runs or more never rise: if they were smoothed or are running "
        "minima, a new raw run scatters more than the bands say."
    )
    loss = np.concatenate([rough, falling])
    order = np.random.default_rng(3).permutation(20)  # of rows, which does not matter
    runs = runs_of(loss[order], N=sizes[order], task=task[order])
    assert describe_runs(runs)[1:] == [expected]
    assert describe_runs(runs_of(np.tile(rough, 2), N=sizes, task=task))[1:] == []
    short = runs_of(falling[:9], N=sizes[:9])
    assert describe_runs(short)[1:] == []


@pytest.mark.parametrize(
    ("exponents", "decades"), [([-300, 0, 300, 301], "601.0"), ([-320, -319, 0, 308], "628.0")]
)
def test_decades_of_any_sizes_are_finite(exponents: list[int], decades: str) -> None:
    table = pd.DataFrame({"N": [10.0**each for each in exponents], "loss": [4.0, 3.0, 2.5, 2.4]})
    [span] = describe_runs(bl.read_runs(table, predictors=["N"]))
    assert span.startswith(f"N: {decades} decades and 4 distinct sizes")


@pytest.mark.parametrize(
    ("losses", "sentence"),
    [
        (
            [3.0, 3.0, 3.0, 3.0],
            "All responses (loss) are equal in 2 of 2 curve(s), for example 3: they say nothing "
            "about how the response depends on size.",
        ),
        (
            [4.0, 3.0, 2.0, 2.0],
            "All responses (loss) are equal in 1 of 2 curve(s), for example 2: they say nothing "
            "about how the response depends on size.",
        ),
        ([4.0, 3.0, 2.0, 1.0], None),
    ],
)
def test_constant_responses_are_said(losses: list[float], sentence: str | None) -> None:
    table = {"N": [1e6, 1e7, 1e6, 1e7], "loss": losses, "task": ["a", "a", "b", "b"]}
    runs = bl.read_runs(pd.DataFrame(table), predictors=["N"], groups=["task"])
    assert [s for s in describe_runs(runs) if "are equal" in s] == ([sentence] if sentence else [])


def test_standard_errors_above_the_response_are_said() -> None:
    table = {"N": [1e6, 1e7, 1e8], "loss": [4.0, 3.0, 2.0], "se": [0.1, 1e9, 2.5]}
    runs = bl.read_runs(pd.DataFrame(table), predictors=["N"], stderr="se")
    assert describe_runs(runs)[-1] == (
        "The standard error of 2 of 3 runs is larger than the response: such runs say next to "
        "nothing."
    )
