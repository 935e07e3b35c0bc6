"""Bayesian inference for scaling laws: pooled fits, credible extrapolation, law comparison.

Names are imported when they are first used, so that importing the package costs nothing.
"""

from typing import Any

import lazy_loader

__version__ = "0.1.0"

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name in __all__:
        return _load(name)
    from bayeslaw._suggestions import missing_name

    return missing_name(__name__, __all__)(name)
