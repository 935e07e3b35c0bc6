"""The statistical model: law, pooling, noise, response scale, discrepancy and priors."""
