"""How far is the sampler's log density from PyMC's of the same model, and its gradient?

    uv run python benchmarks/oracle.py [--points N] [--save]

The cases of `tests/_sampling/test_oracle.py`, at random points. PyMC's is that of `bl.build` with
its own gradient, plus the log Jacobian of the sampler's coordinates by finite differences, which
limit the comparison of gradients to about 1e-7. `--save` writes the table of the documentation.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from oracle_cases import CASES, Comparison  # noqa: E402

from bayeslaw.model.model import Model  # noqa: E402
from bayeslaw.response_scales import LogScale  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "oracle.md"
HEAD = "| law | noise | discrepancy | pooled over | priors | unknowns | density | gradient |"


def main(points: int, save: bool) -> None:
    """Print a row of the table for each case, and the largest deviations."""
    lines, rows = [HEAD, "|---" * 8 + "|"], []
    print("\n".join(lines))
    for model, runs in CASES.values():
        comparison = Comparison(model, runs)
        at = [comparison.point(seed) for seed in range(points)]
        rows.append(np.max([comparison.deviations(point) for point in at], axis=0))
        cells = [*description(model, runs), str(at[0].size), *(f"{x:.0e}" for x in rows[-1])]
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    value, gradient = np.max(rows, axis=0)
    lines += ["", f"Largest of {len(rows)} models: density {value:.0e}, gradient {gradient:.0e}."]
    print("\n".join(lines[-2:]))
    if save:
        RESULT.write_text("\n".join(lines) + "\n", encoding="utf-8")


def description(model: Model, runs: xr.Dataset) -> tuple[str, str, str, str, str]:
    """Law, noise, discrepancy, pooling and priors in a few words."""
    return (
        f"`{model.law.name}`",
        ", ".join(noise(model, runs)),
        discrepancy(model),
        pooling(model),
        ", ".join(priors(model)) or "default",
    )


def noise(model: Model, runs: xr.Dataset) -> Iterator[str]:
    """Its kind, and in what it is not the default."""
    kind = model.noise
    yield type(kind).__name__
    if not isinstance(kind.scale, LogScale):
        yield f"`{type(kind.scale).__name__}`"
    if kind.varies_with:
        yield f"varies with {kind.varies_with}"
    if "stderr" in runs:
        yield "known errors"


def discrepancy(model: Model) -> str:
    """Along how many predictors, and whether it is on few knots."""
    if model.discrepancy is None:
        return "none"
    sizes = len(model.law.predictors)
    return "along one" if sizes == 1 else f"along {sizes}, knots={model.discrepancy.knots}"


def pooling(model: Model) -> str:
    """Groups, or those of each parameter."""
    if isinstance(model.pooling, dict):
        return ", ".join(f"{name}: {' x '.join(g)}" for name, g in model.pooling.items())
    return "each alone" if model.pooling is None else " x ".join(model.pooling) or "curves"


def priors(model: Model) -> Iterator[str]:
    """Priors that are given, and ties."""
    for name, prior in model.priors.items():
        kind = type(prior)
        package = "" if kind.__module__.startswith("bayeslaw") else kind.__module__.split(".")[0]
        yield f"{name}: {package}{'.' if package else ''}{kind.__name__}"
    yield from (f"{name} = {other}" for name, other in model.tie.items())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=2)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    main(options.points, options.save)
