"""Mistaken names and arguments: what the error says was meant."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import bayeslaw as bl
from bayeslaw._suggestions import did_you_mean

MODEL, POINTS = bl.Model(bl.laws.power), bl.grid(N=[1e6, 1e8])
POINTS_OR_RUNS = "points, as bl.grid(N=[1e9]) makes them, or runs of bl.read_runs"
A_FIT = "fit must be a fit, as bl.fit makes it and bl.load opens it, got "
SCALES = "LogScale(), RawScale() or LogitScale(lower, upper) of bl.response_scales"


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("forekast", ["fit", "forecast"], "; did you mean 'forecast'?"),
        ("seed", ["model", "random_seed"], "; did you mean 'random_seed'?"),
        ("x", ["model"], "."),
        ("x", [], "."),
    ],
)
def test_a_similar_name(name: str, known: list[str], hint: str) -> None:
    assert did_you_mean(name, known) == hint


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        (bl, "forekast", "bayeslaw has no 'forekast'; did you mean 'forecast'?"),
        (bl, "qqq", "bayeslaw has no 'qqq'"),
        (bl.laws, "powr", "bayeslaw.laws has no 'powr'; did you mean 'power'?"),
        (
            bl.response_scales,
            "logscale",
            "bayeslaw.response_scales has no 'logscale'; did you mean 'LogScale'?",
        ),
        (bl.weights, "qqq", "bayeslaw.weights has no 'qqq'"),
        (bl.priors, "Fixd", "bayeslaw.priors has no 'Fixd'; did you mean 'Fixed'?"),
        (bl.errors, "RunError", "bayeslaw.errors has no 'RunError'; did you mean 'RunsError'?"),
    ],
)
def test_a_name_that_a_module_does_not_have(module: Any, name: str, message: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(module, name)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("call", "argument", "meant"),
    [
        (lambda: bl.fit(MODEL, POINTS, seed=1), "seed", "random_seed"),  # pyright: ignore
        (lambda: bl.Sampler(seed=1), "seed", "random_seed"),  # pyright: ignore
        (lambda: bl.extend(MODEL, draw=1), "draw", "draws"),  # pyright: ignore
        (lambda: bl.forecast(MODEL, POINTS, drawnew=[]), "drawnew", "draw_new"),  # pyright: ignore
        (lambda: bl.read_runs("x", predictor=["N"]), "predictor", "predictors"),  # pyright: ignore
    ],
)
def test_an_argument_that_there_is_not(call: Callable[[], Any], argument: str, meant: str) -> None:
    with pytest.raises(TypeError) as caught:
        call()
    start = f"there is no argument {argument!r}; did you mean {meant!r}? There are: "
    assert str(caught.value).startswith(start)
    assert "self" not in str(caught.value)


def test_functions_that_name_their_arguments_are_as_before() -> None:
    assert list(inspect.signature(bl.fit).parameters) == ["model", "runs", "random_seed", "sampler"]
    assert next(iter(inspect.signature(bl.Sampler).parameters)) == "random_seed"
    assert pickle.loads(pickle.dumps(bl.fit)) is bl.fit
    assert pickle.loads(pickle.dumps(bl.Sampler(1))) == bl.Sampler(1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: bl.fit(POINTS, MODEL),  # pyright: ignore
            "model must be a model, such as bl.Model(bl.laws.power), got Dataset",
        ),
        (
            lambda: bl.fit(bl.laws.power, POINTS, random_seed=1),  # pyright: ignore
            "model must be a model, such as bl.Model(bl.laws.power), got Law",
        ),
        (lambda: bl.save("a.nc", MODEL), f"{A_FIT}'a.nc'"),  # pyright: ignore
        (lambda: bl.extend(MODEL, draws=1), f"{A_FIT}Model"),  # pyright: ignore
        (lambda: bl.diagnose(bl.Fit), f"{A_FIT}type"),  # pyright: ignore
        (lambda: bl.summary(1), f"{A_FIT}1"),  # pyright: ignore
        (lambda: bl.plan("a.nc", [1e21]), f"{A_FIT}'a.nc'"),  # pyright: ignore
        (lambda: bl.write_report("a.nc"), f"{A_FIT}'a.nc'"),  # pyright: ignore
        (lambda: bl.forecast("a.nc", POINTS), f"{A_FIT}'a.nc'"),  # pyright: ignore
        (
            lambda: bl.forecast(MODEL, {"N": 1e9}),  # pyright: ignore
            f"grid must be {POINTS_OR_RUNS}, got dict",
        ),
        (
            lambda: bl.Gaussian(scale="log"),  # pyright: ignore
            f"scale of Gaussian must be {SCALES}, got 'log'",
        ),
        (
            lambda: bl.StudentT(scale=bl.response_scales.RawScale),  # pyright: ignore
            f"scale of StudentT must be {SCALES}, got type",
        ),
    ],
)
def test_an_argument_of_another_kind(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value) == message
