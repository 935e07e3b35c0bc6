"""The stages of the log density: what each computes from named arrays, and its adjoint."""
