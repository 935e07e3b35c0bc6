"""The command that compares two systems."""

from __future__ import annotations

import bayeslaw as bl
from bayeslaw.cli.console import answer
from bayeslaw.cli.options import Saved, Say, places

__all__ = ["contrast"]


def contrast(
    saved: Saved,
    *,
    group: str,
    levels: str | None = None,
    along: str | None = None,
    reach: float = 100.0,
    say: Say = Say(),
) -> int:
    """Compare two levels of a group, from a saved fit: which is better, and from what size on.

    Curves are compared in pairs that share all other groups; --at names sizes, other predictors
    and levels of other groups.

    Parameters
    ----------
    group
        Group, such as architecture.
    levels
        Its first and second level, with a comma; may be left out for a group of two.
    along
        Predictor that grows; may be left out for a law of one.
    reach
        How far to look for a crossing, in multiples of the largest size of the data.
    """
    from bayeslaw._sampling.gate import Gate
    from bayeslaw.comparison.contrast import contrast as contrasted
    from bayeslaw.comparison.contrast_tables import contrast_table, crossing_table

    kept = bl.load(saved.fit)
    _require_two(kept, group, levels)
    found = contrasted(
        kept,
        group,
        levels.split(",") if levels is not None else None,
        along=along,
        at=places(saved.at, kept),
        reach=reach,
        draw_new=saved.draw_new,
    )
    first, second = found.attrs["levels"]
    low, high = found.attrs["searched"]
    told = {
        "converged": Gate.of(kept.tree).passed,
        "caveats": found.attrs["caveats"],
        "sentences": [
            f"Better: the probability that {first} is better than {second}; multiplier: the factor "
            f"by which {second} must grow to do as well as {first}. Crossings from {low:.3g} to "
            f"{high:.3g}."
        ],
        "contrast": contrast_table(found, saved.prob),
        "crossing": crossing_table(found, saved.prob),
    }
    return answer(told, say.json)


def _require_two(fit: bl.Fit, group: str, levels: str | None) -> None:
    """Ask for two levels of a group that has more."""
    known = list(dict.fromkeys(fit.runs[group].values.tolist())) if group in fit.runs.coords else []
    if levels is None and len(known) > 2:
        raise ValueError(
            f"{group!r} has {len(known)} levels, {', '.join(known)}; choose two of them, such as "
            f"--levels {','.join(known[:2])}"
        )
