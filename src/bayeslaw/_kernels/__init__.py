"""Compiled (Numba) kernels on plain arrays, with hand-written gradients; no model, no data set."""

from bayeslaw._disk import machine_code  # noqa: F401 (before Numba sees the first kernel)
