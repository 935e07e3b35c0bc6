"""Compiled loops on plain arrays, each with its gradient; they know no model and no runs."""
