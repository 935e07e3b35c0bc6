"""The log density of `bayeslaw.build` at variables as a fit records them: an oracle for others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt
import xarray as xr
from pymc.model.transform.conditioning import remove_value_transforms
from pytensor.compile.mode import Mode
from pytensor.graph.replace import clone_replace

from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.pymc_model import build
from bayeslaw._inference.scalar_code import with_exact_constants
from bayeslaw.model.model import Model

PYTHON = Mode(linker="py", optimizer="fast_compile")


class LogDensity(NamedTuple):
    """Log prior and log likelihood, and the gradient of their sum by each recorded variable."""

    prior: float
    likelihood: float
    gradient: dict[str, np.ndarray]

    @property
    def total(self) -> float:
        return self.prior + self.likelihood


class Oracle:
    """PyMC's log density of a model on runs, compiled once.

    The prior is the density of `center`, `spread`, `effects`, `theta` and `latent`, as
    `unconstrained_dataset` describes them, and the likelihood that of the responses given these.
    """

    def __init__(self, model: Model, runs: xr.Dataset) -> None:
        self.bound = bind(model, runs)
        self.model = build(model, runs)
        self._recorded = {name: pt.tensor(name, shape=s) for name, s in shapes(self.bound).items()}
        self._evaluate = self._compiled()

    def log_density_at(self, recorded: Mapping[str, np.ndarray]) -> LogDensity:
        """Log prior and log likelihood at one point."""
        names = list(self._recorded)
        prior, likelihood, *gradient = self._evaluate(*(recorded[name] for name in names))
        named = dict(zip(names, gradient, strict=True))
        return LogDensity(float(np.sum(prior)), float(np.sum(likelihood)), named)

    def _compiled(self) -> Any:
        model, recorded = remove_value_transforms(self.model), self._recorded
        values = dict(values_of_variables(self.bound, recorded))
        replace = {model.rvs_to_values[v]: values[v.name] for v in model.free_RVs}
        # Terms are added up by NumPy: an addition of more than 32 is too much for Python mode.
        terms = [
            pt.stack([pt.sum(term) for term in model.logp(vars=variables, sum=False)])
            for variables in (model.free_RVs, model.observed_RVs)
        ]
        prior, likelihood = clone_replace(terms, replace)
        prior = pt.concatenate([prior, [self._log_jacobian()]])
        inputs = [*recorded.values()]
        gradient = pt.grad(pt.sum(prior) + pt.sum(likelihood), inputs, disconnected_inputs="ignore")
        # PyMC keeps 0.5 in half precision, and computes its logarithm in single.
        outputs = with_exact_constants([prior, likelihood, *gradient])
        return pytensor.function(inputs, outputs, mode=PYTHON, on_unused_input="ignore")

    def _log_jacobian(self) -> Any:
        """Of the parameters whose prior is not normal on the link scale, by that scale."""
        total: Any = pt.constant(np.float64(0.0))
        for row, (name, role) in enumerate(self.bound.roles.items()):
            if f"{name}_at_reference" in self.model.named_vars:
                on_link = self._recorded["center" if self.bound.hierarchy else "theta"][row]
                total += pt.log(pt.grad(role.link.inverse(on_link).sum(), on_link)).sum()
        return total


def shapes(bound: BoundModel) -> dict[str, tuple[int, ...]]:
    """Shapes of the variables that a fit of the model records."""
    size, layout = len(bound.roles), bound.hierarchy
    recorded: dict[str, tuple[int, ...]] = {"theta": (size, bound.run_arrays.n_curves)}
    if bound.model.is_augmented:
        recorded["latent"] = (bound.run_arrays.response.size,)
    if layout is not None:
        recorded |= {"center": (size,), "spread": (len(layout.spreads),)}
    if layout is not None and layout.levels:
        recorded["effects"] = (len(layout.levels),)
    return recorded


def values_of_variables(
    bound: BoundModel, recorded: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Values of the variables of PyMC's model by name, from those that a fit records."""
    yield from ((name, recorded[name]) for name in ("latent",) if name in recorded)
    drawn, label = ("theta", "theta") if bound.hierarchy is None else ("center", "mu")
    for row, (name, role) in enumerate(bound.roles.items()):
        yield f"theta_{name}", recorded["theta"][row]
        yield f"{label}_{name}", recorded[drawn][row]
        yield f"{name}_at_reference", role.link.inverse(recorded[drawn][row])
    if bound.hierarchy is None:
        return
    levels = [level[:2] for level in bound.hierarchy.levels]
    for i, (name, group) in enumerate(bound.hierarchy.spreads):
        yield f"sd_{name}_{group}", recorded["spread"][i]
        if group != "own":
            own = [j for j, level in enumerate(levels) if level == (name, group)]
            yield f"z_{name}_{group}", recorded["effects"][own]
