"""Contract tests of laws: laws that pass, and the messages of those that fail."""

from __future__ import annotations

import numpy as np
import pytest

import bayeslaw as bl

NO_UNIT = (
    "ValueError: law '{}': no rule found for a change of the unit of 'N'; declare it with "
    "@law(rescaling=...) or, where it has no unit, @law(unitless=...)"
)


@bl.law
def shifted(N, *, L0: bl.Floor, k: bl.Amplitude, c: bl.Scale, alpha: bl.Exponent):
    """Power law with a shifted origin."""
    return L0 + k * (1 + N / c) ** -alpha


@bl.law
def capped(N, *, L0: bl.Floor, k: bl.Amplitude, alpha: bl.Exponent):
    """A power law that stops at its floor."""
    return bl.maximum(L0, k * N**-alpha)


@bl.law(unitless=("votes",))
def votes_of(votes, N, *, k: bl.Amplitude, alpha: bl.Exponent):
    """A power law of the number of votes that are taken."""
    return k * N**-alpha / (1 + votes)


@bl.law(latex=r"a N^{b_\mathrm{old}} \varepsilon + kN", unitless=("N",), direction={"N": 0})
def mixed(N, *, a: bl.Amplitude, b_old: bl.Real, epsilon: bl.Amplitude, k: bl.Rate):
    """Rises or falls with the sign of b, as declared; letters of its LaTeX are adjacent."""
    return a * N**b_old * epsilon + k * N


@bl.law(rescaling=lambda scale, *, a, b: {"b": b / scale})
def line(N, *, a: bl.Amplitude, b: bl.Amplitude):
    """A line that crosses zero, but mostly before that where its roles let it be."""
    return 10 * a - b * N


@pytest.mark.parametrize("law", [shifted, capped, votes_of, mixed], ids=lambda law: law.name)
def test_laws_of_users_pass(law: bl.Law) -> None:
    report = bl.check_law(law)
    assert report.passed, str(report)


def test_a_law_may_be_negative_somewhere_but_not_nearly_everywhere() -> None:
    assert "response" not in bl.check_law(line).failures

    @bl.law(rescaling=lambda scale, *, a, b: {"b": b / scale})
    def sunk(N, *, a: bl.Rate, b: bl.Amplitude):
        """A line below zero."""
        return a - b * N

    [(what, why)] = bl.check_law(sunk).failures.items()
    assert what == "response"
    assert why.startswith("ValueError: not positive at N = ")
    assert ", a = 0.0" in why


def test_a_response_that_is_not_finite_in_some_places() -> None:
    @bl.law(unitless=("N",))
    def rooted(N, *, a: bl.Amplitude, s: bl.Shape):
        """The root of a number that is negative for large N."""
        return a * np.sqrt(9 - N + s)

    [(what, why)] = bl.check_law(rooted).failures.items()
    assert what == "response"
    assert why.startswith("ValueError: not finite at N = ")


def rising(**declared: object) -> bl.Law:
    def grown(N, *, a: bl.Amplitude, alpha: bl.Exponent):
        """Grows as a power."""
        return a * N**alpha

    rule = {"rescaling": lambda scale, *, a, alpha: {"a": a * scale**-alpha}}
    return bl.law(**rule, **declared)(grown)


def falling(**declared: object) -> bl.Law:
    def shrunk(N, *, a: bl.Amplitude, alpha: bl.Exponent):
        """Falls as a power."""
        return a * N**-alpha

    return bl.law(**declared)(shrunk)


def either(**declared: object) -> bl.Law:
    def power_of_either_sign(N, *, a: bl.Amplitude, b: bl.Real):
        """Rises or falls with the sign of b."""
        return a * N**b

    return bl.law(rescaling=lambda scale, *, a, b: {"a": a * scale**-b}, **declared)(
        power_of_either_sign
    )


@pytest.mark.parametrize(
    ("law", "why"),
    [
        (rising(direction={"N": 1}), None),
        (rising(direction={"N": 0}), None),
        (falling(direction={"N": -1}), None),
        (falling(direction={"N": 0}), None),
        (either(direction={"N": 0}), None),
        (rising(), "rises with 'N' and has to fall unless declared: {1}"),
        (rising(direction={"N": -1}), "rises with 'N' and is declared to fall: {1}"),
        (falling(direction={"N": 1}), "falls with 'N' and is declared to rise: {-1}"),
        (either(), "rises and falls with 'N' and has to fall unless declared: {0}"),
        (
            either(direction={"N": 1}),
            "rises and falls with 'N' and is declared to rise: {0}",
        ),
    ],
)
def test_direction(law: bl.Law, why: str | None) -> None:
    failures = bl.check_law(law).failures
    if why is None:
        assert failures == {}
    else:
        sentence, sign = why.removesuffix("}").split("{")
        fix = f"write @law(direction={{'N': {sign}}})"
        assert failures == {"direction": f"ValueError: the response {sentence}{fix}"}


@pytest.mark.parametrize("latex", [r"a N^{-x}", r"k N^{-\beta}", r"k N^{-\mathrm{alp}}"])
def test_latex_without_a_parameter(latex: str) -> None:
    @bl.law(latex=latex)
    def power(N, *, k: bl.Amplitude, alpha: bl.Exponent):
        """A power law."""
        return k * N**-alpha

    missing = "k" if "k" not in latex else "alpha"
    assert bl.check_law(power).failures == {"LaTeX": f"ValueError: no {missing!r} in {latex}"}


def test_numpy_that_tensors_do_not_know() -> None:
    @bl.law
    def capped(N, *, L0: bl.Floor, k: bl.Amplitude, alpha: bl.Exponent):
        """Use bl.maximum instead."""
        return np.maximum(L0, k * N**-alpha)

    report = bl.check_law(capped)
    assert not report.passed
    assert list(report.failures) == ["tensors and gradients"]
    start, end = str(report).split("`return np.maximum(L0, k * N**-alpha)`, ")
    assert start.startswith(
        "law 'capped': tensors and gradients: UnprintableError: law 'capped' cannot be compiled: "
    )
    assert end.startswith("asks whether a condition holds, as `if`, max(), np.maximum")
    assert end.endswith("bl.maximum and bl.minimum")


def test_gradients_that_are_wrong() -> None:
    @bl.law
    def steps(N, *, L0: bl.Floor, k: bl.Amplitude, alpha: bl.Exponent):
        """Steps too small to see, whose gradient is zero."""
        return L0 + k * N**-alpha * np.floor(1e9 * L0) / 1e9

    report = bl.check_law(steps)
    assert report.failures["tensors and gradients"] == "ValueError: wrong gradient in 'L0'"


def test_where_has_no_gradient() -> None:
    @bl.law
    def broken(N, *, L0: bl.Floor, k: bl.Amplitude, alpha: bl.Exponent):
        """A law that loses labels and tensors."""
        return np.where(N > 1e-9, L0 + k * N**-alpha, L0)

    report = bl.check_law(broken)
    assert set(report.failures) == {"labelled arrays", "tensors and gradients"}
    assert report.failures["labelled arrays"] == (
        "AttributeError: 'numpy.ndarray' object has no attribute 'dims'"
    )


def test_no_docstring() -> None:
    @bl.law
    def silent(N, *, k: bl.Amplitude, alpha: bl.Exponent):
        return k * N**-alpha

    assert str(bl.check_law(silent)) == (
        "law 'silent': docstring: ValueError: no docstring: say what the formula is and where it "
        "is from"
    )


def test_no_units() -> None:
    @bl.law
    def decay(N, *, L0: bl.Floor, k: bl.Amplitude, alpha: bl.Exponent):
        """Exponential decay at a rate that ought to be a scale."""
        return L0 + k * np.exp(-alpha * N)

    report = bl.check_law(decay)
    assert report.failures == {"units": NO_UNIT.format("decay")}
    assert str(report) == f"law 'decay': units: {NO_UNIT.format('decay')}"


def test_a_wrong_rule_for_units() -> None:
    @bl.law(rescaling=lambda scale, *, k, alpha: {"k": k * scale})
    def pure(N, *, k: bl.Amplitude, alpha: bl.Exponent):
        """A rule that forgets the exponent."""
        return k * N**-alpha

    assert bl.check_law(pure).failures == {
        "units": "ValueError: law(N / s) is not law(N) with rescaled parameters for s = {'N': 3.0}"
    }


def test_labels_that_are_lost() -> None:
    @bl.law
    def bare(N, *, L0: bl.Floor, k: bl.Amplitude, alpha: bl.Exponent):
        """Arrays only."""
        return np.asarray(L0) + k * np.asarray(N) ** -alpha

    report = bl.check_law(bare)
    assert "labelled arrays" in report.failures


def test_dimensions_that_are_lost() -> None:
    @bl.law
    def flat(N, *, k: bl.Amplitude, alpha: bl.Exponent):
        """Forgets where it is."""
        return k * alpha

    report = bl.check_law(flat)
    assert report.failures["labelled arrays"] == "ValueError: dims run and draw give ('draw',)"


def test_values_that_are_not_finite() -> None:
    @bl.law
    def undefined(N, *, k: bl.Amplitude, alpha: bl.Exponent):
        """The root of a negative number."""
        return k * N**-alpha + np.log(1e-300 * N - 1e-300 * N)

    with np.errstate(divide="ignore", invalid="ignore"):
        report = bl.check_law(undefined)
    assert report.failures["numbers and arrays"].startswith("ValueError: not finite: [")


def test_shapes_that_are_wrong() -> None:
    @bl.law
    def total(N, *, k: bl.Amplitude, alpha: bl.Exponent):
        """Sums over runs."""
        return (k * N**-alpha).sum()

    report = bl.check_law(total)
    assert report.failures["numbers and arrays"] == "ValueError: arrays of 5 give shape ()"


def test_a_law_that_always_raises_gets_a_report() -> None:
    @bl.law
    def unfinished(N, *, k: bl.Amplitude, alpha: bl.Exponent):
        """Nothing yet."""
        raise NotImplementedError

    report = bl.check_law(unfinished)
    assert report.failures["numbers and arrays"] == "NotImplementedError: "
    assert report.coordinates == ""


def test_a_parameter_that_the_noise_has() -> None:
    @bl.law
    def clashing(N, *, k: bl.Amplitude, sigma: bl.Exponent):
        """An exponent with the name of the noise."""
        return k * N**-sigma

    assert str(bl.check_law(clashing)) == (
        "law 'clashing': coordinates: ValueError: law 'clashing' and the noise or discrepancy "
        "both have ['sigma']"
    )
