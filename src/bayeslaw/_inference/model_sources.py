"""All printed functions of a model, as source texts that a file can hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["ModelSources", "PriorSource"]

type Pair = Sequence[str]  # a function and its adjoint


@dataclass(frozen=True)
class PriorSource:
    """A function of several priors; which of them are of an unknown, and where those start."""

    text: str
    unknown: list[int]
    starts: list[float]


@dataclass(frozen=True)
class ModelSources:
    """Source texts of the functions in `bayeslaw._inference.printed_functions`; None for no such.

    `derivatives` are the two rows that `response_function` returns. `priors` are those of
    ``latent`` variables, and of ``spread`` and ``center`` of the population, where these have no
    kernel.
    """

    parameters: Pair
    from_pivot: Pair | None
    to_pivot: Pair | None
    response: str
    derivatives: list[list[int]]
    priors: dict[str, PriorSource]
    curve_priors: str | None

    def to_json(self) -> str:
        """The texts as one."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelSources:
        """The texts of `to_json`."""
        record: dict[str, Any] = json.loads(text)
        priors = {name: PriorSource(**prior) for name, prior in record["priors"].items()}
        return cls(**{**record, "priors": priors})
