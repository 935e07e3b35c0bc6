"""Fits: sampling one, refitting many, saving, least squares, population priors."""
