"""Bayesian inference for scaling laws: pooled fits, credible extrapolation, law comparison.

Names are imported when they are first used, so that importing the package costs nothing.
"""

import sys
from types import ModuleType
from typing import Any

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


class _Package(ModuleType):
    # A verb lives in the module of its name, and importing that module from elsewhere would put
    # the module where users expect the verb.
    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and name in VERBS:
            value = getattr(value, name, value)
        super().__setattr__(name, value)


VERBS = frozenset(__all__) - {"datasets", "laws"}
sys.modules[__name__].__class__ = _Package
