"""Posterior predictive draws at new runs, their scores, and weights that stack them."""
