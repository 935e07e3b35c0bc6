"""The command that compares two systems."""

from __future__ import annotations

import bayeslaw as bl
from bayeslaw.cli.options import Saved, Say, places
from bayeslaw.console import answer

__all__ = ["contrast"]

CROSSING = ["crosses", "overtakes", "crossing", "crossing_lower", "crossing_upper"]


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
    from bayeslaw.contrast import contrast as contrasted
    from bayeslaw.contrast import contrast_table
    from bayeslaw.gate import Gate

    kept = bl.load(saved.fit)
    found = contrasted(
        kept,
        group,
        levels.split(",") if levels is not None else None,
        along=along,
        at=places(saved.at, kept),
        reach=reach,
        draw_new=saved.draw_new,
    )
    rows = contrast_table(found, saved.prob)
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
        "contrast": rows.drop(columns=CROSSING),
        "crossing": rows.groupby("pair", sort=False).first()[CROSSING],
    }
    return answer(told, say.json)
