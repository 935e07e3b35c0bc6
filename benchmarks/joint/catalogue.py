"""All studies by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.joint import other_laws, studies
from benchmarks.joint.study import Study

_READERS: tuple[Callable[[], Study], ...] = (
    studies.loss_to_loss,
    studies.tiny_lm,
    studies.chinchilla_epoch,
    studies.porian_isoflop,
    studies.misfitting,
    studies.steplaw,
    studies.datablations,
    other_laws.datablations_repeats,
    studies.routed_lm,
    studies.gzip_syntax,
    other_laws.moe,
    other_laws.vocab,
    other_laws.sparsity,
)
STUDIES: Mapping[str, Callable[[], Study]] = {reader.__name__: reader for reader in _READERS}


def read(name: str) -> Study:
    """Read a study.

    Parameters
    ----------
    name : str
        A key of `STUDIES`.

    Returns
    -------
    Study

    Raises
    ------
    ValueError
        If there is no such study.
    """
    if name not in STUDIES:
        raise ValueError(f"unknown study {name!r}; there are: {', '.join(STUDIES)}")
    return STUDIES[name]()
