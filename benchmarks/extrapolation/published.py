"""Results that others report under the same protocol."""

from __future__ import annotations

import pandas as pd

SOURCE = (
    "D. Lee et al. (2025), Bayesian Neural Scaling Law Extrapolation with Prior-Data Fitted "
    "Networks, ICML, arXiv:2505.23032; as two independent summaries of the paper give them"
)
NAN = float("nan")
LANGUAGE = "NLP+Nano"  # NMT, LM, BB and Nano; the paper does not say how it averages over them

# Method, domain, mean RMSLE of the median, mean log density of y / y_scale; NaN: none given.
_ROWS = [
    ("M4", "IC", 0.0415, NAN),
    ("BNSL", "IC", 0.0406, NAN),
    ("BNSL", LANGUAGE, 0.0223, NAN),
    ("BNSL", "DD", 0.0468, NAN),
    ("MCMC(M4)", "IC", 0.0422, 3.024),
    ("MCMC(M4)", LANGUAGE, 0.0235, 2.216),
    ("MCMC(BNSL)", "IC", 0.0645, 2.921),
    ("MCMC(BNSL)", "DD", 0.0494, 1.250),
    ("LC-PFN", "IC", 0.0428, 2.429),
    ("LC-PFN", LANGUAGE, 0.0398, 1.519),
    ("LC-PFN", "DD", 0.0706, 1.321),
    ("NSL-PFN", "IC", 0.0280, 3.330),
    ("NSL-PFN", LANGUAGE, 0.0194, 2.773),
    ("NSL-PFN", "DD", 0.0335, 2.565),
]
_SECONDS = {
    "M4": 15.65,
    "BNSL": 98.79,
    "MCMC(M4)": 154.64,
    "MCMC(BNSL)": 280.55,
    "NSL-PFN": 0.02,
}  # for one curve, on their machine


def published() -> pd.DataFrame:
    """The published means, a row per method and domain, with seconds per curve.

    Returns
    -------
    pandas.DataFrame
        Columns configuration, domain, rmsle, log_density, seconds and source.
    """
    table = pd.DataFrame(_ROWS, columns=["configuration", "domain", "rmsle", "log_density"])
    return table.assign(seconds=table["configuration"].map(_SECONDS), source=SOURCE)
