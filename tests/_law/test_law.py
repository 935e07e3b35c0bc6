"""Laws: the decorator, its errors, and the digest of a formula."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytensor.tensor as pt
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from bayeslaw._law.law import law, maximum, minimum
from bayeslaw._law.roles import Amplitude, Exponent, Floor, Real
from bayeslaw.laws import chinchilla, power

NUMBERS = st.floats(-1e6, 1e6)


@law
def shifted(N: Any, /, D: Any, *, L0: Floor, k: Amplitude, alpha: Exponent) -> Any:
    """A law of two predictors, one of them positional only."""
    return L0 + k * (N + D) ** -alpha


def test_predictors_are_positional_and_parameters_are_keywords() -> None:
    assert shifted.name == "shifted"
    assert shifted.predictors == ("N", "D")
    assert list(shifted.parameters) == ["L0", "k", "alpha"]
    assert [role.name for role in shifted.parameters.values()] == ["Floor", "Amplitude", "Exponent"]
    assert shifted.doc == "A law of two predictors, one of them positional only."
    assert shifted(1.0, 3.0, L0=1.0, k=2.0, alpha=0.5) == 2.0


def test_calls_are_those_of_a_function() -> None:
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'alpha'"):
        shifted(1.0, 3.0, L0=1.0, k=2.0)


def test_a_law_without_docstring_has_an_empty_doc() -> None:
    @law
    def silent(N: Any, *, k: Amplitude) -> Any:
        return k / N

    assert silent.doc == ""


def test_options_are_stored() -> None:
    @law(latex="k/N", unitless=("N",), level=("k", max), rescaling=dict)
    def full(N: Any, *, k: Amplitude) -> Any:
        return k / N

    assert (full.latex, full.unitless) == ("k/N", ("N",))
    assert full.level == ("k", max)
    assert full.rescaling is dict


def test_roles_are_looked_up_where_the_law_is_defined() -> None:
    from bayeslaw._law.roles import Fraction as Share

    @law
    def local(N: Any, *, share: Share, k: Amplitude) -> Any:
        return share * k / N

    assert [role.name for role in local.parameters.values()] == ["Fraction", "Amplitude"]


@pytest.mark.parametrize("future", ["", "from __future__ import annotations"])
def test_roles_are_looked_up_in_modules_and_functions(future: str) -> None:
    source = f"""
{future}
from bayeslaw._law.law import law
from bayeslaw._law.roles import Floor, Role

@law
def outer(N, *, L0: Floor): return L0 + 1 / N

def make():
    from bayeslaw._law.roles import Rate
    @law(latex="b/N")
    def inner(N, *, b: Rate): return b / N
    return inner

print(outer.parameters["L0"].name, make().parameters["b"].name)
"""
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["Floor", "Rate"]


def test_errors() -> None:
    with pytest.raises(TypeError) as error:

        @law
        def starred(*N: Any, L0: Floor) -> Any:
            return L0

    assert str(error.value) == (
        "law 'starred': argument *N is neither a predictor nor a parameter; name each one"
    )
    with pytest.raises(TypeError, match=r"^law 'many': argument \*others is neither"):

        @law
        def many(N: Any, *, L0: Floor, **others: Any) -> Any:
            return L0

    with pytest.raises(
        TypeError, match=r"^law 'flat' needs predictors before the \* and .* got \(N"
    ):

        @law
        def flat(N: Any) -> Any:
            return N

    with pytest.raises(TypeError, match=r"^law 'blind' needs predictors before the \*"):

        @law
        def blind(*, L0: Floor) -> Any:
            return L0

    with pytest.raises(TypeError) as error:

        @law
        def bare(N: Any, *, L0) -> Any:
            return L0

    assert str(error.value) == (
        "law 'bare': parameter 'L0' needs a role as its annotation (Floor, Amplitude, Exponent, "
        "Scale, Shape, Fraction, Rate, Reference or Real), got None"
    )
    with pytest.raises(TypeError, match=r"parameter 'L0' needs a role .* got <class 'float'>$"):

        @law
        def typed(N: Any, *, L0: float) -> Any:
            return L0


def test_of_renames_predictors() -> None:
    @law(unitless=("D",))
    def mixed(N: Any, D: Any, *, k: Amplitude) -> Any:
        return k * D / N

    renamed = mixed.of("C", "bits")
    assert renamed.predictors == ("C", "bits")
    assert renamed.unitless == ("bits",)
    assert mixed.predictors == ("N", "D")
    assert renamed(2.0, 3.0, k=4.0) == mixed(2.0, 3.0, k=4.0)
    message = "law 'mixed' has 2 predictor(s) ['N', 'D'], got 1: ['C']"
    with pytest.raises(ValueError, match=re.escape(message)):
        mixed.of("C")


@pytest.mark.parametrize("names", [("N", "N"), ("N", ""), ("N", 3), ("N", None)])
def test_predictors_need_names_that_differ(names: tuple) -> None:
    message = f"law 'chinchilla': predictors need names that differ, got {list(names)}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        chinchilla.of(*names)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"direction": {"M": 1}}, "direction names 'M', which is no predictor of it; {'N'}"),
        ({"direction": {"k": 1}}, "direction names 'k', which is no predictor of it; {'N'}"),
        ({"direction": {"N": 2}}, "direction of 'N' must be -1, 0 or 1, got 2"),
        ({"direction": {"N": "up"}}, "direction of 'N' must be -1, 0 or 1, got 'up'"),
        ({"unitless": ("zzz",)}, "unitless names 'zzz', which is no predictor of it; {'N'}"),
        (
            {"regions": {"q": {"small": (0.0, 1.0)}}},
            "regions names 'q', which is no parameter of it; {'k', 'alpha'}",
        ),
        (
            {"level": ("zzz", max)},
            "level names 'zzz', which is no parameter of it; {'k', 'alpha'}",
        ),
        (
            {"recentring": ("k", "s", max)},
            "recentring names 's', which is no parameter of it; {'k', 'alpha'}",
        ),
    ],
)
def test_declarations_name_predictors_and_parameters_of_the_law(
    declared: dict[str, Any], message: str
) -> None:
    def pure(N: Any, *, k: Amplitude, alpha: Exponent) -> Any:
        return k * N**-alpha

    message = message.replace("{", "those are [").replace("}", "]")
    with pytest.raises(ValueError, match=f"^{re.escape(f"law 'pure': {message}")}$"):
        law(**declared)(pure)


def _variants() -> dict[str, str]:
    @law
    def one(N: Any, *, k: Amplitude) -> Any:
        """A docstring."""
        return k * N**-0.5

    original = one.digest

    @law
    def one(N: Any, *, k: Amplitude) -> Any:
        """Another docstring."""
        return k * N**-0.5

    documented = one.digest

    @law
    def one(N: Any, *, k: Amplitude) -> Any:
        """A docstring."""
        return k * N**-0.4

    constant = one.digest

    @law
    def one(N: Any, *, k: Amplitude) -> Any:
        """A docstring."""
        return k / N**-0.5

    return {
        "original": original,
        "documented": documented,
        "constant": constant,
        "operator": one.digest,
    }


def test_digest_changes_with_the_formula_and_not_with_its_docstring() -> None:
    digests = _variants()
    assert digests["documented"] == digests["original"]
    assert len(set(digests.values())) == 3


def test_digest_does_not_depend_on_whether_there_is_a_docstring() -> None:
    @law
    def documented(N: Any, *, k: Amplitude) -> Any:
        """A docstring."""
        return k * N**-0.5

    @law
    def silent(N: Any, *, k: Amplitude) -> Any:
        return k * N**-0.5

    assert documented.digest == silent.digest


def test_digest_distinguishes_called_functions_and_swapped_parameters() -> None:
    @law
    def rising(N: Any, *, a: Real, b: Real) -> Any:
        return np.exp(a) + b * N

    @law
    def falling(N: Any, *, a: Real, b: Real) -> Any:
        return np.log(a) + b * N

    @law
    def swapped(N: Any, *, b: Real, a: Real) -> Any:
        return np.exp(a) + b * N

    assert len({rising.digest, falling.digest, swapped.digest}) == 3


def test_digest_is_the_same_in_another_process() -> None:
    source = "from bayeslaw.laws import power; print(power.digest)"
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == power.digest


@given(left=NUMBERS, right=NUMBERS)
def test_maximum_and_minimum(left: float, right: float) -> None:
    size = abs(left) + abs(right)
    assert abs(maximum(left, right) - max(left, right)) <= 4e-16 * size
    assert abs(minimum(left, right) - min(left, right)) <= 4e-16 * size


def test_maximum_and_minimum_on_every_backend() -> None:
    left, right = np.array([1.0, 5.0, -2.0]), np.array([2.0, 4.0, -3.0])
    larger, smaller = [2.0, 5.0, -2.0], [1.0, 4.0, -3.0]
    np.testing.assert_array_equal(maximum(left, right), larger)
    np.testing.assert_array_equal(minimum(left, right), smaller)
    labelled = maximum(xr.DataArray(left, dims="x"), xr.DataArray(right, dims="x"))
    xr.testing.assert_equal(labelled, xr.DataArray(larger, dims="x"))
    crossed = minimum(xr.DataArray(left, dims="x"), xr.DataArray(right, dims="y"))
    assert crossed.dims == ("x", "y")
    tensor = maximum(pt.as_tensor(left), right)
    np.testing.assert_array_equal(tensor.eval(mode="FAST_COMPILE"), larger)
    tensor = minimum(pt.as_tensor(left), 0.0)
    np.testing.assert_array_equal(tensor.eval(mode="FAST_COMPILE"), [0.0, 0.0, -2.0])
