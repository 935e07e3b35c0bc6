"""Measure learning curves: held-out loss against the number of training examples.

Four families of learners (linear, trees, kernel, network) on real data sets that scikit-learn
ships, so nothing is downloaded. Each run draws a training subset by its seed, chooses the
regularisation by cross-validation inside that subset, and measures the loss on a test part that
is the same for all runs of a task:

- classification: log loss in nats, with each example's loss capped at ln 1000, so that one
  confident mistake does not stand for the whole curve;
- regression: squared error divided by the variance of the test part.

The two largest sizes of each task, 2 and 4 times the largest of the others, are marked held out.
Runs already in the output are skipped, so an interrupted measurement resumes.

    python benchmarks/learners.py --out src/bayeslaw/data/files/learners.csv --seeds 6

The description of the table is written next to it, as JSON, when the last run is done.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import platform
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import sklearn
from sklearn import datasets
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

SCRIPT_VERSION = 1
SMALLEST_PROBABILITY = 1e-3
FOLDS = 3
COLUMNS = {
    "task": "data set and target: breast_cancer, diabetes, digits, digits_parity or photographs",
    "learner": "family of learners: linear, trees, kernel or network",
    "n_train": "number of training examples",
    "seed": "draws the training subset, the same for all learners, and starts the learner",
    "loss": "loss on the test part, in the unit of `metric`",
    "test_size": "number of examples in the test part, the same for all runs of a task",
    "metric": "log_loss (nats per example) or relative_squared_error (share of the variance)",
    "held_out": "whether the size is kept for judging extrapolation",
    "fit_seconds": "wall time to choose the regularisation and fit, on a shared machine (seconds)",
    "script_version": "version of the measuring script",
}
DESCRIPTION = {
    "title": "Learning curves of four families of learners on data sets shipped with scikit-learn",
    "columns": COLUMNS,
    "response": "loss",
    "predictors": {"D": "n_train"},
    "groups": ["task", "learner"],
    "licence": "Apache-2.0",
}


@dataclass(frozen=True)
class Task:
    """A data set split once into a pool to train from and a test part."""

    name: str
    classes: bool
    sizes: tuple[int, ...]
    pool: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]

    @property
    def metric(self) -> str:
        """Name of the loss."""
        return "log_loss" if self.classes else "relative_squared_error"


@dataclass(frozen=True)
class Run:
    """What identifies one measurement."""

    task: str
    learner: str
    n_train: int
    seed: int


def sizes(smallest: int, largest: int) -> tuple[int, ...]:
    """List half octaves up to a quarter of the largest size, then its half and itself."""
    steps = round(2 * np.log2(largest / 4 / smallest))
    training = (round(smallest * 2 ** (step / 2)) for step in range(steps + 1))
    return (*training, largest // 2, largest)


def make_task(
    name: str,
    data: tuple[np.ndarray, np.ndarray],
    *,
    smallest: int,
    largest: int,
    test_size: int,
    classes: bool = True,
) -> Task:
    """Split a data set once and for all."""
    features, target = data
    train_features, test_features, train_target, test_target = train_test_split(
        features, target, test_size=test_size, random_state=0, stratify=target if classes else None
    )
    pool, test = (train_features, train_target), (test_features, test_target)
    return Task(name, classes, sizes(smallest, largest), pool, test)


def digits_parity() -> tuple[np.ndarray, np.ndarray]:
    """Load handwritten digits, even or odd."""
    features, digit = datasets.load_digits(return_X_y=True)
    return features, digit % 2


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    """Load the progression of diabetes in units of its standard deviation, which networks need."""
    features, progression = datasets.load_diabetes(return_X_y=True)
    return features, (progression - progression.mean()) / progression.std()


def photographs(per_photograph: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Cut patches of 3 x 3 pixels in colour, from one photograph or the other."""
    images = [datasets.load_sample_image(f"{name}.jpg") for name in ("china", "flower")]
    patches = [random_patches(image, per_photograph) for image in images]
    return np.concatenate(patches), np.repeat([0, 1], per_photograph)


def random_patches(image: np.ndarray, count: int) -> np.ndarray:
    """Cut different patches of 3 x 3 pixels, one per row."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3), axis=(0, 1))
    patches = windows.reshape(-1, 27)
    chosen = np.random.default_rng(0).choice(len(patches), count, replace=False)
    return patches[chosen] / 255.0


def make_tasks() -> list[Task]:
    """Make the tasks; each pool is larger than the largest size, so that subsets differ by seed."""
    breast_cancer = datasets.load_breast_cancer(return_X_y=True)
    digits = datasets.load_digits(return_X_y=True)
    return [
        make_task("breast_cancer", breast_cancer, smallest=8, largest=256, test_size=219),
        make_task("diabetes", diabetes(), smallest=8, largest=256, test_size=142, classes=False),
        make_task("digits", digits, smallest=30, largest=960, test_size=597),
        make_task("digits_parity", digits_parity(), smallest=32, largest=1024, test_size=597),
        make_task("photographs", photographs(), smallest=32, largest=2048, test_size=4000),
    ]


def linear(classes: bool, seed: int) -> tuple[Pipeline, dict[str, list]]:
    """Build logistic or ridge regression."""
    head, grid = penalised(classes, [1.0, 10.0, 100.0, 1000.0])
    return scaled(head=head), grid


def kernel(classes: bool, seed: int) -> tuple[Pipeline, dict[str, list]]:
    """Build logistic or ridge regression in the features of a Gaussian kernel."""
    # The regression target is mostly noise, the classes are not.
    head, grid = penalised(classes, [0.001, 0.01, 0.1] if classes else [0.3, 1.0, 3.0])
    features = Nystroem(n_components=600, random_state=seed)
    widths = [0.01, 0.03, 0.3] if classes else [0.003, 0.01, 0.03]
    return scaled(features=features, head=head), {"features__gamma": widths, **grid}


def penalised(
    classes: bool, strengths: list[float]
) -> tuple[LogisticRegression | Ridge, dict[str, list]]:
    """Build a linear model and list the strengths of its penalty."""
    if classes:
        inverse = [1 / strength for strength in strengths]
        return LogisticRegression(max_iter=300), {"head__C": inverse}
    return Ridge(), {"head__alpha": strengths}


def trees(classes: bool, seed: int) -> tuple[Pipeline, dict[str, list]]:
    """Build extremely randomised trees."""
    kind = ExtraTreesClassifier if classes else ExtraTreesRegressor
    head = kind(n_estimators=100, min_samples_leaf=1 if classes else 3, random_state=seed)
    return scaled(head=head), {"head__max_features": [0.2, 0.8]}


def network(classes: bool, seed: int) -> tuple[Pipeline, dict[str, list]]:
    """Build a network with one hidden layer."""
    kind = MLPClassifier if classes else MLPRegressor
    strengths = [0.3, 3.0, 30.0] if classes else [3.0, 30.0, 100.0]
    head = kind(hidden_layer_sizes=(32,), solver="lbfgs", max_iter=150, random_state=seed)
    return scaled(head=head), {"head__alpha": strengths}


def scaled(**steps: object) -> Pipeline:
    """Chain steps after standardising features."""
    return Pipeline([("scale", StandardScaler()), *steps.items()])


LEARNERS = {"linear": linear, "trees": trees, "kernel": kernel, "network": network}


def loss(model: object, features: np.ndarray, target: np.ndarray) -> float:
    """Compute the capped log loss of a classifier, relative squared error of a regression."""
    if hasattr(model, "predict_proba"):
        chosen = np.searchsorted(model.classes_, target)
        probability = model.predict_proba(features)[np.arange(len(target)), chosen]
        return float(-np.log(np.maximum(probability, SMALLEST_PROBABILITY)).mean())
    return float(np.mean((model.predict(features) - target) ** 2) / np.var(target))


def negative_loss(model: object, features: np.ndarray, target: np.ndarray) -> float:
    """Turn the loss into a score to maximise."""
    return -loss(model, features, target)


def subset(task: Task, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a training subset, with the classes in the shares of the pool."""
    features, target = task.pool
    chosen, _ = train_test_split(
        np.arange(len(target)),
        train_size=size,
        random_state=seed,
        stratify=target if task.classes else None,
    )
    return features[chosen], target[chosen]


def fit(task: Task, learner: str, size: int, seed: int) -> GridSearchCV:
    """Choose the regularisation by cross-validation in the subset, then fit all of it."""
    pipeline, grid = LEARNERS[learner](task.classes, seed)
    folds = (StratifiedKFold if task.classes else KFold)(FOLDS, shuffle=True, random_state=seed)
    search = GridSearchCV(pipeline, grid, scoring=negative_loss, cv=folds)
    return search.fit(*subset(task, size, seed))


def measure(task: Task, run: Run) -> dict[str, object]:
    """Measure one row of the table."""
    start = time.perf_counter()
    model = fit(task, run.learner, run.n_train, run.seed)
    seconds = time.perf_counter() - start
    return {
        "task": task.name,
        "learner": run.learner,
        "n_train": run.n_train,
        "seed": run.seed,
        "loss": f"{loss(model, *task.test):.6g}",
        "test_size": len(task.test[1]),
        "metric": task.metric,
        "held_out": str(run.n_train in task.sizes[-2:]).lower(),
        "fit_seconds": f"{seconds:.3f}",
        "script_version": SCRIPT_VERSION,
    }


def planned(tasks: list[Task], seeds: int) -> Iterator[tuple[Task, Run]]:
    """List all runs; seeds vary slowest, so that more seeds are appended at the end."""
    for seed, task, learner in product(range(seeds), tasks, LEARNERS):
        for size in task.sizes:
            yield task, Run(task.name, learner, size, seed)


def read_done(out: Path) -> set[Run]:
    """Read which runs are in the output already."""
    if not out.exists():
        return set()
    with out.open(newline="") as file:
        return {
            Run(row["task"], row["learner"], int(row["n_train"]), int(row["seed"]))
            for row in csv.DictReader(file)
        }


def append(out: Path, row: dict[str, object]) -> None:
    """Write one row, with the header if it is the first."""
    new = not out.exists()
    with out.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def versions() -> dict[str, str]:
    """List the versions that the numbers depend on."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }


def provenance() -> dict[str, object]:
    """Provenance of the table."""
    return {
        "script": "benchmarks/learners.py",
        "script_version": SCRIPT_VERSION,
        "versions": versions(),
        "date": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
    }


def describe(out: Path) -> None:
    """Write the description of the table next to it."""
    description = {
        "name": out.stem,
        **DESCRIPTION,
        "rows": len(read_done(out)),
        "provenance": provenance(),
    }
    out.with_suffix(".json").write_text(json.dumps(description, indent=2) + "\n")


def main() -> None:
    """Measure what is missing, then describe the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="CSV file to append to")
    parser.add_argument("--seeds", type=int, default=6, help="number of training subsets per size")
    arguments = parser.parse_args()
    # The limits on iterations and components belong to the recipe.
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", message="n_components > n_samples")
    print(versions(), flush=True)
    done = read_done(arguments.out)
    plan = planned(make_tasks(), arguments.seeds)
    missing = [(task, run) for task, run in plan if run not in done]
    for task, run in missing:
        append(arguments.out, measure(task, run))
    # A table that was complete keeps the date and versions it was measured with.
    if missing:
        describe(arguments.out)


if __name__ == "__main__":
    main()
