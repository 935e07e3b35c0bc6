"""Bayesian inference for scaling laws."""
