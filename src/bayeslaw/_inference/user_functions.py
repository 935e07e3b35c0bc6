"""Functions of the user's, traced one by one: what cannot be compiled is refused by its name.

Law, noise, response scale and priors are called with PyTensor's variables. Whatever goes wrong
there is an error that says which of them it was, in which line, what it did, and what it may do. A
function that asks whether a variable equals a number is answered no, without a word: so its graph
is also compared with what the function returns for arrays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from traceback import extract_tb
from types import FunctionType
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt

from bayeslaw._inference.printed_functions import prior_functions, unknown_of
from bayeslaw._inference.prior_distribution import uncompiled
from bayeslaw._inference.scalar_code import (
    USABLE,
    UnprintableError,
    derivatives,
    double_precision,
    numbers,
    printed,
)
from bayeslaw._law.law import Law
from bayeslaw._law.roles import IDENTITY, Link
from bayeslaw.model.model import Model
from bayeslaw.model.noise_kind import Noise, own_parameters
from bayeslaw.model.user_code import LIBRARIES, is_users

__all__ = ["as_number", "check_user_functions", "named_errors"]

PACKAGE = str(Path(__file__).parents[1])
POINTS = 5

# What errors of PyTensor, NumPy and SciPy mean. Theirs recommend what does not help here.
CAUSES = {
    r"converted to Python (?:float|integer)|__round__|__trunc__|__floor__|__ceil__": (
        "turns a variable into a number, as functions of `math`, float(), int() and round() do"
    ),
    r"converted to Python boolean|boolean ndarray": (
        "asks whether a condition holds, as `if`, max(), np.maximum and np.select do"
    ),
    r"setting an array element with a sequence": "makes an array of variables, as np.where does",
    r"ufunc '(\w+)' not supported": r"calls \1, which takes numbers only",
    r"object has no attribute '(\w+)'": r"asks a variable for `\1`, which it does not have",
    r"no callable (\w+) method": r"calls \1, which takes numbers only",
}

type Outputs = Sequence[Any]
type Frame = tuple[str, int | None, str | None]  # file, line and its text


@dataclass(frozen=True)
class UserFunction:
    """A function of numbers: its name in messages, those of its arguments, and a call with them.

    Where `signs` names an argument, it also takes negative values.
    """

    name: str
    arguments: Sequence[str]
    call: Callable[[Mapping[str, Any]], Outputs]
    signs: str | None = None

    def check(self) -> None:
        """Raise UnprintableError unless it is traced, printed, and the same as for arrays."""
        variables = numbers(self.arguments)
        with named_errors(self.name):
            outputs = [as_number(output) for output in self.call(variables)]
            printed(outputs, variables)  # first, as only these operations know their lines
            inputs = list(variables.values())
            printed(
                [slope for output in outputs for slope in derivatives(output, inputs)], variables
            )
            self._require_same_for_arrays(variables, outputs)

    def _require_same_for_arrays(self, variables: Mapping[str, Any], outputs: Outputs) -> None:
        rng = np.random.default_rng(5)
        at = {name: rng.uniform(0.2, 0.6, POINTS) for name in self.arguments}
        if self.signs is not None:
            at[self.signs] *= (-1) ** np.arange(POINTS)
        with np.errstate(all="ignore"):
            of_arrays = [np.broadcast_to(output, POINTS) for output in self.call(at)]
            of_variables = _evaluated(outputs, variables, at)
        if not np.allclose(of_arrays, of_variables, 1e-9, 1e-12, equal_nan=True):
            raise UnprintableError(
                f"it returns {of_arrays[0][0]:.6g} for numbers and {of_variables[0][0]:.6g} for "
                "the same values as variables, of which a condition such as `x == 1` is always "
                f"false; {USABLE}"
            )


@contextmanager
def named_errors(name: str) -> Iterator[None]:
    """Errors say what cannot be compiled and in which line."""
    try:
        yield
    except Exception as error:  # a user's function may raise anything
        raise UnprintableError(f"{name} cannot be compiled: {_explained(error)}") from error


@double_precision()
def check_user_functions(model: Model) -> None:
    """Raise UnprintableError for a function of the user's that cannot be compiled."""
    links = {role.link.name: role.link for role in model.roles.values()}
    functions = (_of_law(model.law), _of_noise(model), _of_scale(model.noise), _of_links(links))
    for function in chain(*functions):
        function.check()
    for name, prior in model.priors.items():
        if is_users(type(prior)):
            _check_prior(f"prior of {name!r}", prior.to_pymc)


def _of_law(law: Law) -> Iterator[UserFunction]:
    predictors, parameters = list(law.predictors), list(law.parameters)

    def at(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
        return {name: values[name] for name in names}

    if is_users(law.function):
        yield UserFunction(
            f"law {law.name!r}",
            [*predictors, *parameters],
            lambda x: [law(*at(x, predictors).values(), **at(x, parameters))],
        )
    if law.level and is_users(law.level[1]):
        name, solve = law.level
        others = [each for each in parameters if each != name]
        yield UserFunction(
            f"level of law {law.name!r}",
            ["value of the law", *predictors, *others],
            lambda x: [solve(x["value of the law"], *at(x, predictors).values(), **at(x, others))],
        )
    if law.recentring and is_users(law.recentring[2]):
        recentre = law.recentring[2]
        yield UserFunction(
            f"recentring of law {law.name!r}",
            ["log ratio", *parameters],
            lambda x: list(recentre(x["log ratio"], **at(x, parameters)).values()),
        )


def _of_noise(model: Model) -> Iterator[UserFunction]:
    noise, own = model.noise, own_parameters(model.noise)
    name = f"noise {type(noise).__name__}"
    if not is_users(type(noise)):
        return
    if not model.is_augmented:
        yield UserFunction(
            name,
            ["residual", "sigma", *own],
            lambda x: [
                noise.log_density(x["residual"], x["sigma"], {each: x[each] for each in own})
            ],
            signs="residual",
        )
        return
    _check_prior(f"latent variable of {name}", lambda label: noise.latent(label, None))
    yield UserFunction(
        name,
        ["latent", "sigma", *own],
        lambda x: noise.given(x["latent"], x["sigma"], {each: x[each] for each in own}),
    )


def _of_scale(noise: Noise) -> Iterator[UserFunction]:
    scale = noise.scale
    if is_users(type(scale)):
        yield UserFunction(
            f"response scale {type(scale).__name__}",
            ["response", "unit"],
            lambda x: [scale.forward(x["response"], x["unit"])],
        )


def _of_links(links: Mapping[str, Link]) -> Iterator[UserFunction]:
    for name, link in links.items():
        for call in (link.forward, link.inverse):
            if isinstance(call, FunctionType) and is_users(call):
                yield UserFunction(f"link {name!r}", ["value"], lambda x, f=call: [f(x["value"])])


def _check_prior(name: str, register: Callable[[str], Any]) -> None:
    """Raise UnprintableError unless `register` adds one real number with a density."""
    with named_errors(name):
        with pm.Model(check_bounds=False) as graph:
            variable = register("x")
        _require_real(variable, graph)
        prior = unknown_of(register, IDENTITY)
        prior_functions([prior])


def _require_real(variable: Any, graph: pm.Model) -> None:
    if not isinstance(variable, pt.TensorVariable):
        raise UnprintableError(f"it returns {variable!r}, not the PyMC variable that it registers")
    if variable.ndim:
        raise UnprintableError(f"it is of arrays of {variable.ndim} dimension(s), not of a number")
    if not variable.dtype.startswith("float"):
        raise UnprintableError(f"it is of {variable.dtype} numbers, where real ones are inferred")
    if not graph.free_RVs:
        raise UnprintableError("it registers no random variable; bl.Fixed(1.0) fixes a parameter")
    if len(graph.free_RVs) > 1:
        names = [each.name for each in graph.free_RVs]
        raise UnprintableError(f"it registers several random variables, {names}: one is inferred")


def as_number(output: Any) -> Any:
    """An output as a graph of one number."""
    if isinstance(output, np.ndarray) and output.dtype == object:
        raise UnprintableError(f"it returns an array of objects, as np.where makes; {USABLE}")
    try:
        variable = pt.as_tensor_variable(output, dtype="float64")
    except Exception:
        raise UnprintableError(f"it returns {output!r}, which is no number") from None
    if variable.ndim:
        raise UnprintableError(f"it returns an array of {variable.ndim} dimension(s), not a number")
    return variable


def _evaluated(
    outputs: Outputs, variables: Mapping[str, Any], at: Mapping[str, np.ndarray]
) -> list[np.ndarray]:
    """Values of graphs at points."""
    function = pytensor.function(
        list(variables.values()), list(outputs), mode=uncompiled(), on_unused_input="ignore"
    )
    return list(np.array([function(*point) for point in zip(*at.values(), strict=True)]).T)


def _explained(error: Exception) -> str:
    """What a function did, in which line, and what it may do."""
    message, line = str(error).partition("\n")[0], _line(error)
    if isinstance(error, UnprintableError):
        return message.replace("it", line, 1) if line else message
    causes = [
        match.expand(cause) for text, cause in CAUSES.items() if (match := re.search(text, message))
    ]
    action = causes[0] if causes else f"raises {type(error).__name__}: {message}"
    return f"{line or 'it'} {action}{f'; {USABLE}' if causes else ''}"


def _line(error: Exception) -> str:
    """The last line of the user's code that led to an error or an operation; empty if unknown."""
    stacks = [[(each.filename, each.lineno, each.line) for each in extract_tb(error.__traceback__)]]
    traces = getattr(getattr(getattr(error, "variable", None), "tag", None), "trace", None) or []
    stacks += [[(name, number, text) for name, number, _, text in trace] for trace in traces]
    own = [frame for stack in stacks for frame in _called_from_here(stack) if _is_users(frame[0])]
    if not own:
        return ""
    name, number, text = own[-1]
    return f"line {number} of {Path(name).name}" + (f", `{text.strip()}`," if text else "")


def _called_from_here(stack: list[Frame]) -> list[Frame]:
    """The calls below the last of this package, which called the user's function."""
    here = [i for i, (name, *_) in enumerate(stack) if name.startswith(PACKAGE)]
    return stack[here[-1] + 1 :] if here else stack


def _is_users(file: str) -> bool:
    return not file.startswith((PACKAGE, *LIBRARIES, "<frozen"))
