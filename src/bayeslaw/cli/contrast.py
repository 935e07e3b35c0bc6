"""`bayeslaw contrast`: compare two levels of a group."""

from __future__ import annotations

import bayeslaw as bl
from bayeslaw.cli.console import print_answer
from bayeslaw.cli.options import AtLeastOne, OutputOptions, SavedFit, parse_points, parse_texts

__all__ = ["contrast"]


def contrast(
    saved: SavedFit,
    *,
    group: str,
    levels: str | None = None,
    along: str | None = None,
    reach: AtLeastOne = 100.0,
    output_options: OutputOptions = OutputOptions(),
) -> int:
    """Compare two levels of a group from a saved fit: which is better, and from what size on.

    Curves are compared in pairs that share all other groups. With --at, give sizes, other
    predictors and levels of other groups.

    Parameters
    ----------
    group
        Group, such as architecture.
    levels
        The two levels, separated by a comma; may be omitted if the group has two.
    along
        Predictor along which to compare; may be omitted if the law has one.
    reach
        How far to search for a crossing, as a multiple of the largest size in the data.
    """
    from bayeslaw._sampling.gate import Gate
    from bayeslaw.comparison.contrast import contrast as contrast_levels
    from bayeslaw.comparison.contrast_tables import contrast_table, crossing_table

    fit = bl.load(saved.fit)
    _require_two(fit, group, levels)
    draws = contrast_levels(
        fit,
        group,
        parse_texts(levels) if levels is not None else None,
        along=along,
        at=parse_points(saved.at, fit),
        reach=reach,
        draw_new=saved.draw_new,
    )
    first, second = draws.attrs["levels"]
    low, high = draws.attrs["searched"]
    result = {
        "converged": Gate.of(fit.tree).passed,
        "caveats": draws.attrs["caveats"],
        "sentences": [
            f"Better: the probability that {first} is better than {second}; multiplier: the factor "
            f"by which {second} must be scaled up to match {first}. Crossings from {low:.3g} to "
            f"{high:.3g}."
        ],
        "contrast": contrast_table(draws, saved.prob),
        "crossing": crossing_table(draws, saved.prob),
    }
    return print_answer(result, output_options.json)


def _require_two(fit: bl.Fit, group: str, levels: str | None) -> None:
    """Require a choice of two levels if the group has more."""
    known = list(dict.fromkeys(fit.runs[group].values.tolist())) if group in fit.runs.coords else []
    if levels is None and len(known) > 2:
        raise ValueError(
            f"{group!r} has {len(known)} levels, {', '.join(known)}; choose two of them, such as "
            f"--levels {','.join(known[:2])}"
        )
