"""Shapes of what the stages compute, in scratch memory of one evaluation of the log density."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["curve_shapes", "group_shapes", "population_shapes", "scratch_shapes"]

type Shapes = dict[str, tuple[int, ...]]


def scratch_shapes(sizes: Mapping[str, int]) -> Shapes:
    """Shapes of arrays by name.

    `sizes` has the numbers of runs and curves; of parameters, those that are free: of the `law`, of
    all (`parameter`), and with those that are fixed (`all_parameter`); of standard deviations
    (`spread`); of levels of all groups (`effect`) and the most that one parameter has (`level`); of
    outputs of the noise, their derivatives (`derivative`) and scales of the discrepancy (`tau`);
    and of parameters whose prior is the user's (`own`).
    """
    law, rows, curves, runs = (sizes[n] for n in ("law", "parameter", "curve", "run"))
    everything, outputs = sizes["all_parameter"], sizes["output"]
    return {
        **population_shapes(law, rows, curves, sizes["spread"]),
        **group_shapes(rows, sizes["effect"], sizes["level"]),
        **curve_shapes(law, rows, curves),
        "own": (2 * sizes["own"], curves),
        "parameters": (everything, curves), "parameters_bar": (everything, curves),
        "parameter_state": (rows + everything, curves), "parameter_out": (rows, curves),
        "latent": (0,), "latent_bar": (runs,), "latent_rows": (4, runs),
        "response": (outputs + sizes["derivative"], runs), "outputs_bar": (outputs, runs),
        "tau2": (sizes["tau"], curves), "tau_bar": (sizes["tau"], curves),
    }  # fmt: skip


def population_shapes(law: int, rows: int, curves: int, spreads: int) -> Shapes:
    """What the stages of `population` compute, for as many parameters of the law and in all."""
    matrix = (rows, rows)
    return {
        "spread": (spreads,), "spread_bar": (spreads,), "center": (rows,), "center_bar": (rows,),
        "curve_precision": (curves, *matrix), "center_factor": matrix,
        "curves_covariance": matrix, "data_precision": matrix, "center_vectors": (5, rows),
        "center_matrices": (4, *matrix), "center_state": (4 * law + 1, 1),
        "center_out": (3 * law + 1, 1),
    }  # fmt: skip


def group_shapes(rows: int, effects: int, levels: int) -> Shapes:
    """What the stages of `group_effects` compute."""
    per_parameter = (rows, levels, levels)
    return {
        "z_effects": (effects,), "z_effects_bar": (effects,), "effects": (effects,),
        "level_gram": per_parameter, "level_factor": per_parameter, "level_sums": (rows, levels),
        "level_means": (rows, levels), "level_matrices": (2, levels, levels),
        "level_vectors": (5, levels),
    }  # fmt: skip


def curve_shapes(law: int, rows: int, curves: int) -> Shapes:
    """What the stages of `curves` compute."""
    per_curve, of_law = (rows, curves), (law, curves)
    return {
        "mean": per_curve, "mean_bar": per_curve, "theta": per_curve, "theta_bar": per_curve,
        "noise_variance": (rows - law, curves), "curve_information": (4, *of_law),
        "curve_information_bar": (3, *of_law), "curve_factors": (curves, law, law),
        "curve_precisions_bar": (curves, law, law), "curve_inverse": (law, law),
        "curve_vectors": (3, law),
        "pivot_mean": of_law, "pivot_mean_bar": of_law,
        "pivot_mean_state": (2 * law, curves), "pivot_state": (4 * law + 1, curves),
        "pivot_out": (3 * law + 1, curves),
    }  # fmt: skip
