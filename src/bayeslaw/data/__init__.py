"""Tables become runs: reading, checking, splitting, and the data sets that come with the package."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=["datasets"])
