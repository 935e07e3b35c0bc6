"""Posterior predictive forecasts of new runs, their scores, and stacks of fits."""
