"""From tables to runs: reading, validation, train/test splits, and public data sets."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=["datasets"])
