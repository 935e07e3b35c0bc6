"""The printed functions of a model: its coordinates, law, noise and priors of its own.

Each returns source text for the stages in `bayeslaw._kernels.stages`. They depend on the model, not
on its runs: what differs between runs are arrays.
"""

# PyTensor's annotations do not know that its variables can be computed with.
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayeslaw._inference.coordinates import Coordinates, Frame
from bayeslaw._inference.scalar_code import derivatives, is_zero, numbers, printed
from bayeslaw._law.law import Law
from bayeslaw._law.roles import Link
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian
from bayeslaw.model.noise_kind import Noise, own_parameters, sigma_at
from bayeslaw.priors import Prior

__all__ = [
    "FRAME_ENDS",
    "PrintedPrior",
    "curve_priors",
    "frame_names",
    "from_pivot",
    "parameters",
    "prior_functions",
    "response_function",
    "run_names",
    "to_pivot",
    "unknown_of",
]

FRAME_ENDS = ("pivot", "smallest", "largest")


def run_names(predictors: Sequence[str]) -> list[str]:
    """Rows of the arrays of runs: predictors and their logs, response, its error, the unit."""
    return [*predictors, *(f"log_{name}" for name in predictors), "value", "known_error", "unit"]


def frame_names(predictors: Sequence[str]) -> list[str]:
    """Rows of the arrays of the observed ranges of curves, then of their logarithms."""
    names = [f"{end}_{i}" for end in FRAME_ENDS for i in range(len(predictors))]
    return [*names, *(f"log_{name}" for name in names)]


def parameters(model: Model, system: Coordinates) -> tuple[str, str]:
    """All parameters at the reference from coordinates, those of the law first; and the adjoint."""
    nuisance = [name for name in model.nuisance_roles if name in model.free]
    theta = numbers([*system.roles, *nuisance])
    values = system.parameters({name: theta[name] for name in system.roles})
    values |= {
        name: role.link.inverse(theta[name]) if name in theta else model.fixed[name]
        for name, role in model.nuisance_roles.items()
    }
    return printed(list(values.values()), theta), _adjoint(values, theta, theta)


def from_pivot(system: Coordinates) -> tuple[str, str] | None:
    """Reference coordinates and log Jacobian from pivot coordinates, weights and nearby ones.

    None where they are the same.
    """
    names = list(system.roles)
    eta, weight, near = (numbers(names, f"{part} ") for part in ("eta", "weight", "near"))
    frame, data = _frame(system.law, near)
    theta = system.from_pivot(eta, frame, weight)
    if _is_same(theta, eta):
        return None
    outputs = {**_ordered(theta, names), "log Jacobian": system.log_jacobian(eta, frame, weight)}
    state = {
        f"{part} {name}": rows[name]
        for part, rows in (("eta", eta), ("weight", weight), ("near", near))
        for name in names
    }
    return printed(list(outputs.values()), state, data), _adjoint(outputs, state, state, data)


def to_pivot(system: Coordinates) -> tuple[str, str] | None:
    """Pivot coordinates of zero weight on the data, from reference ones; None if the same."""
    theta = numbers(list(system.roles))
    frame, data = _frame(system.law, None)
    eta = system.to_pivot(theta, frame, dict.fromkeys(theta, 0.0))
    if _is_same(eta, theta):
        return None
    outputs = _ordered(eta, list(theta))
    return printed(list(outputs.values()), theta, data), _adjoint(outputs, theta, theta, data)


def response_function(model: Model, with_discrepancy: bool) -> tuple[str, np.ndarray]:
    """What the noise makes of the law at a run, and its derivatives; and which those are.

    The outputs are residual and variance with a discrepancy, otherwise the log density. The array
    (2, derivatives) has the row of the output and that of the parameter, -1 for the latent
    variable; derivatives that are zero everywhere are left out.
    """
    law, noise, state = model.law, model.noise, {}
    data = numbers(run_names(law.predictors))
    curve = numbers([*law.parameters, *noise.parameters])
    of_noise = {name: curve[name] for name in noise.parameters}
    sigma = sigma_at(noise, of_noise, data)
    center = noise.scale.forward(_law_at(law, data, curve), data["unit"])
    kind: Noise = noise
    if model.is_augmented:
        state = numbers(["latent"])
        shift, sigma = noise.given(state["latent"], sigma, of_noise)
        center, kind = center + shift, Gaussian(noise.scale)
    residual, variance = data["value"] - center, sigma**2 + data["known_error"] ** 2
    if with_discrepancy:
        outputs = [residual, variance]
    else:
        own = {name: of_noise[name] for name in own_parameters(kind)}
        outputs = [kind.log_density(residual, pt.sqrt(variance), own)]
    rows = {-1: state["latent"]} if state else {}
    rows |= dict(enumerate(curve.values()))
    slopes = {
        (i, row): slope
        for i, output in enumerate(outputs)
        for row, slope in zip(rows, derivatives(output, [*rows.values()]), strict=True)
        if not is_zero(slope)
    }
    source = printed([*outputs, *slopes.values()], state, data, curve)
    return source, np.array(list(slopes), dtype=np.int64).T


def _law_at(law: Law, data: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    own = {name: parameters[name] for name in law.parameters}
    return law(*(data[name] for name in law.predictors), **own)


@dataclass(frozen=True)
class PrintedPrior:
    """An unknown with its value on the scale of a link, and where to start.

    `log_density` is that of the unknown, with the Jacobian of its value. The unknown of a fixed
    value is None.
    """

    unknown: Any
    value: Any
    log_density: Any
    start: float


def unknown_of(register: Callable[[str], Any], link: Link) -> PrintedPrior:
    """The unknown of a variable that `register` adds to the PyMC model on the context stack."""
    with pm.Model(check_bounds=False) as graph:
        variable = register("x")
    if not graph.free_RVs:
        return PrintedPrior(None, link.forward(variable), pt.constant(0.0), 0.0)
    [value] = graph.replace_rvs_by_values([link.forward(variable)])
    [unknown] = graph.value_vars
    start = float(graph.initial_point()[unknown.name])
    return PrintedPrior(unknown, value, graph.logp(), start)


def prior_functions(priors: Sequence[PrintedPrior]) -> str:
    """Values of all priors; log densities of those that are unknown, and derivatives of both."""
    unknown = [prior for prior in priors if prior.unknown is not None]
    state = {str(i): prior.unknown for i, prior in enumerate(unknown)}
    densities = [prior.log_density for prior in unknown]
    slopes = [
        derivatives(output, [prior.unknown])[0]
        for outputs in ([prior.value for prior in unknown], densities)
        for output, prior in zip(outputs, unknown, strict=True)
    ]
    return printed([*(prior.value for prior in priors), *densities, *slopes], state)


def curve_priors(priors: Mapping[str, Prior], links: Mapping[str, Link]) -> str:
    """Log densities of coordinates on the scale of their links, and the derivatives of those.

    `links` are those of all coordinates, `priors` those of coordinates that are not normal.
    """
    theta = numbers(list(links))
    densities = []
    for name, prior in priors.items():
        with pm.Model(check_bounds=False):
            variable = prior.to_pymc(name)
        natural = links[name].inverse(theta[name])
        slope = derivatives(natural, [theta[name]])[0]
        densities.append(pm.logp(variable, natural) + pt.log(slope))
    slopes = [
        derivatives(density, [theta[name]])[0]
        for name, density in zip(priors, densities, strict=True)
    ]
    return printed([*densities, *slopes], theta)


def _adjoint(
    outputs: Mapping[str, Any],
    inputs: Mapping[str, Any],
    state: Mapping[str, Any],
    data: Mapping[str, Any] | None = None,
) -> str:
    """Adjoints of the inputs; those of the outputs follow the rows of `state`."""
    bars = numbers(list(outputs), "adjoint of ")
    total = sum((bars[name] * output for name, output in outputs.items()), start=pt.constant(0.0))
    renamed = {f"adjoint of {name}": bar for name, bar in bars.items()}
    return printed(derivatives(total, list(inputs.values())), {**state, **renamed}, data)


def _frame(law: Law, near: Mapping[str, Any] | None) -> tuple[Frame, dict[str, Any]]:
    """Observed ranges as variables, and those by name."""
    data, n = numbers(frame_names(law.predictors)), len(law.predictors)
    pivot, smallest, largest = (tuple(data[f"{end}_{i}"] for i in range(n)) for end in FRAME_ENDS)
    return Frame(pivot, smallest, largest, near), data


def _ordered(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: values[name] for name in names}


def _is_same(values: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    return all(values[name] is others[name] for name in others)
