"""Learn the populations that come with the package.

    BAYESLAW_DATA=... uv run python benchmarks/populations.py --folder fits

- `few_shot_error`: 72 image-classification curves, 12 tasks by 6 architectures, of Alabdulmohsin et
  al. (2022); their training rows alone, so that a benchmark on the test rows stays one. To judge a
  prior on these curves, learn it again without the curve's task.
- `learning_curves`: the 20 curves of the embedded `learners`.
- `small_language_models`: loss against parameters at the largest D of the embedded `tiny_lm`.

Files have moments of the posterior of the population, not the data. Fits are saved in the folder,
and loaded from there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import xarray as xr

import bayeslaw as bl

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.extrapolation import data, models

SHELF = Path(bl.__file__).parent / "data" / "files" / "populations"


def few_shot_error() -> tuple[bl.Law, xr.Dataset]:
    """The training rows of the 72 curves."""
    curves = data.load("IC")
    return bl.laws.plateau_power.of("D"), models.runs_of(curves, "train", models.groups_of(curves))


def learning_curves() -> tuple[bl.Law, xr.Dataset]:
    """All runs of the learners."""
    return bl.laws.power.of("D"), bl.datasets.load("learners")


def small_language_models() -> tuple[bl.Law, xr.Dataset]:
    """The language models with the most data."""
    runs = bl.split_held_out(bl.datasets.load("tiny_lm"))[0]
    longest = runs.isel(run=(runs["D"] == runs["D"].max()).values)
    return bl.laws.power, longest.drop_vars("D").assign_attrs(predictors=["N"])


KINDS: Sequence[Callable[[], tuple[bl.Law, xr.Dataset]]] = (
    few_shot_error,
    learning_curves,
    small_language_models,
)


def main() -> None:
    """Fit what has not been fitted, and write the populations."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="folder of saved fits")
    parser.add_argument("--only", nargs="+", default=[kind.__name__ for kind in KINDS])
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    SHELF.mkdir(exist_ok=True)
    for kind in KINDS:
        if kind.__name__ in options.only:
            fit = _fit(kind, options.folder / f"{kind.__name__}.nc", options.seed)
            path = bl.save_population(bl.population(fit), SHELF / f"{kind.__name__}.json")
            print(f"{path.name}: {fit}", flush=True)


def _fit(kind: Callable[[], tuple[bl.Law, xr.Dataset]], path: Path, seed: int) -> bl.Fit:
    if path.exists():
        return bl.load(path)
    law, runs = kind()
    groups = list(runs.attrs["groups"])
    model = bl.Model(law, pooling=dict.fromkeys(law.parameters, groups))
    if kind is few_shot_error:  # with so many curves their scatter has groups too
        model = bl.Model(law, pooling=groups)
    rate = None if kind is few_shot_error else 0.98
    fit = bl.fit(
        model, runs, sampler=bl.Sampler(random_seed=seed, target_accept=rate, progressbar=False)
    )
    bl.save(fit, path)
    return fit


if __name__ == "__main__":
    main()
