"""Compiled (Numba) kernels on plain arrays, with hand-written gradients; no model, no data set."""
