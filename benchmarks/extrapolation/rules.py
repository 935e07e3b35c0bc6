"""Which rule selects the law that extrapolates best? On the 92 curves of the benchmark.

    BAYESLAW_DATA=... uv run --group extrapolation python -m benchmarks.extrapolation.rules

All laws are fitted twice to all curves of a domain: to the training rows, and to those of them up
to half of the largest training size. The rules see leave-one-out scores of the first fits, or the
held-out scores of the second (rolling origin, one origin); test rows score each rule's choice.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logsumexp

import bayeslaw as bl
from bayeslaw.data.runs import group_names
from bayeslaw.diagnostics.diagnose import leave_one_out
from benchmarks.extrapolation import choose, data, models, report
from benchmarks.extrapolation.data import Curve, Prediction
from benchmarks.extrapolation.models import Recipe, Sampling

FOLDER = Path(__file__).parents[1] / "results" / "extrapolation"
LAWS = (bl.laws.power, bl.laws.log_linear, bl.laws.plateau_power, bl.laws.curvature)
DOMAINS = ("IC", "BB", "LM", "NMT")
DRAWS = 4000  # of a mixture's forecast
HALVES = "half"

type Weights = Mapping[str, pd.Series]  # of laws, by curve


def main() -> None:
    """Print and keep the table of rules."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--domains", nargs="+", default=DOMAINS, choices=data.DOMAINS)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    how = Sampling(500, 500, 2, options.seed, options.folder / "fits")
    scores = pd.concat([_domain(domain, how) for domain in options.domains])
    scores.to_csv(options.folder / "rules.csv", index=False, float_format="%.5g")
    table = _table(scores).to_markdown(floatfmt=".4g")
    (options.folder / "rules.md").write_text(table + "\n", encoding="utf-8")
    print(table)


def _domain(domain: str, how: Sampling) -> pd.DataFrame:
    """Scores by rule and curve."""
    curves = data.load(domain)
    inner = choose.inner(curves)
    predictions = {law.name: _predicted(f"{domain}-{law.name}", curves, law, how) for law in LAWS}
    earlier = {
        law.name: _predicted(f"{domain}-{law.name}-{HALVES}", inner, law, how) for law in LAWS
    }
    before = _log_scores(inner, earlier)
    loo = pd.DataFrame(
        {law.name: _leave_one_out(f"{domain}-{law.name}", curves, law, how) for law in LAWS}
    )
    parts = [report.score(f"always {name}", curves, each) for name, each in predictions.items()]
    for rule, weights in _rules(curves, loo, before).items():
        mixed = [
            _mixture({n: each[i] for n, each in predictions.items()}, weights[curve.name], how.seed)
            for i, curve in enumerate(curves)
        ]
        picks = [weights[curve.name].idxmax() for curve in curves]
        parts.append(report.score(rule, curves, mixed).assign(picked=picks))
        print(domain, rule, parts[-1][["rmsle", "log_density"]].mean().to_dict(), flush=True)
    return pd.concat(parts)


def _predicted(name: str, curves: Sequence[Curve], law: bl.Law, how: Sampling) -> list[Prediction]:
    return models.predict(f"rules-{name}", curves, Recipe(law), how)


def _log_scores(
    curves: Sequence[Curve], predictions: Mapping[str, list[Prediction]]
) -> pd.DataFrame:
    """As `bayeslaw.weights.log_scores`: a row per held-out run, indexed by curve and groups."""
    groups = list(curves[0].groups)
    rows = [(curve.name, *curve.groups.values()) for curve in curves for _ in curve.x_test]
    index = pd.MultiIndex.from_tuples(rows, names=["curve_name", *groups])
    columns = {n: np.concatenate([p.log_density for p in each]) for n, each in predictions.items()}
    return pd.DataFrame(columns, index)


def _leave_one_out(name: str, curves: Sequence[Curve], law: bl.Law, how: Sampling) -> pd.Series:
    """Expected log density left out, summed over the training rows of each curve."""
    groups = models.groups_of(curves)
    fit = models.fitted(f"rules-{name}", curves, Recipe(law), how)
    of_curve = {tuple(str(({"curve_name": c.name} | dict(c.groups))[g]) for g in groups): c.name
                for c in curves}  # fmt: skip
    runs = fit.runs
    levels = [[str(x) for x in runs[g].values] for g in group_names(runs)]
    order = [group_names(runs).index(g) for g in groups]
    names = [of_curve[tuple(row[i] for i in order)] for row in zip(*levels, strict=True)]
    elpd = pd.Series(np.asarray(leave_one_out(fit).elpd_i).ravel())
    return elpd.groupby(names).sum()


def _rules(curves: Sequence[Curve], loo: pd.DataFrame, before: pd.DataFrame) -> dict[str, Weights]:
    """Weights of the laws for each curve, by rule."""
    by_curve = before.groupby(level="curve_name").mean()
    domain = by_curve.mean()
    group = "task" if "task" in before.index.names else "curve_name"
    level = bl.weights.hierarchical_weights(before, group)
    two = domain.where(domain >= domain.nlargest(2).min()).notna() / 2

    def stacked(curve: Curve) -> pd.Series:
        rows = before[before.index.get_level_values("curve_name") == curve.name]
        return bl.weights.stacking_weights(rows) if len(rows) else bl.weights.equal_weights(before)

    def of_level(curve: Curve) -> pd.Series:
        name = curve.groups.get(group, curve.name)
        return level.loc[name if name in level.index else "population"]

    def picked(values: pd.Series) -> pd.Series:
        return (values == values.max()).astype(float)

    together = {
        "leave-one-out, domain": picked(loo.sum()),
        "rolling origin, domain": picked(domain),
        "stacking, domain": bl.weights.stacking_weights(before),
        "mean of the two best": two,
        "equal weights": bl.weights.equal_weights(before),
    }
    alone = {
        "leave-one-out, curve": lambda curve: picked(loo.loc[curve.name]),
        "rolling origin, curve": lambda curve: picked(
            by_curve.loc[curve.name] if curve.name in by_curve.index else domain
        ),
        "stacking, curve": stacked,
        "stacking, hierarchical": of_level,
    }
    rules = {rule: {curve.name: weights for curve in curves} for rule, weights in together.items()}
    return rules | {rule: {c.name: of(c) for c in curves} for rule, of in alone.items()}


def _mixture(predictions: Mapping[str, Prediction], weights: pd.Series, seed: int) -> Prediction:
    """The forecast of a mixture of laws."""
    selected = {name: predictions[name] for name in weights.index if weights[name] > 0}
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(DRAWS, weights[list(selected)] / weights[list(selected)].sum())

    def draws(part: str) -> np.ndarray:
        return np.concatenate(
            [
                _some(getattr(each, part), n, rng)
                for each, n in zip(selected.values(), counts, strict=True)
            ]
        )

    densities = [np.log(weights[name]) + each.log_density for name, each in selected.items()]
    curve = draws("curve")
    gate = all(each.gate for each in selected.values())
    return Prediction(
        np.median(curve, axis=0), draws("new_run"), logsumexp(densities, axis=0), curve, 0.0, gate,
        converged=True,
    )  # fmt: skip


def _some(draws: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    return draws[rng.choice(len(draws), n, replace=n > len(draws))]


def _table(scores: pd.DataFrame) -> pd.DataFrame:
    """A row per rule: means over curves, and how often it selected the best law."""
    always = scores[scores["configuration"].str.startswith("always ")]
    best = {}
    for score, sign in (("rmsle", -1), ("log_density", 1)):
        wide = always.assign(value=sign * always[score]).pivot(
            index=["domain", "curve"], columns="configuration", values="value"
        )
        best[score] = wide.idxmax(axis=1).str.removeprefix("always ")
    rows = {}
    for rule, rows_of in scores.groupby("configuration", sort=False):
        keyed = rows_of.set_index(["domain", "curve"])
        picked = keyed["picked"].fillna(str(rule).removeprefix("always "))
        right = {score: (picked == best[score].reindex(picked.index)).sum() for score in best}
        rows[rule] = {
            "curves": len(keyed),
            "best in RMSLE": right["rmsle"],
            "best in log score": right["log_density"],
            "RMSLE": keyed["rmsle"].mean(),
            "log score": keyed["log_density"].mean(),
            "+- of log score": keyed["log_density"].sem(),
            "in 90%": keyed["cover_90"].mean(),
            "gates passed": keyed["gate"].astype(float).mean(),
        }
    return pd.DataFrame(rows).T


if __name__ == "__main__":
    main()
