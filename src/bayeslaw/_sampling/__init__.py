"""From a log density to draws: compilation and its cache, samplers, convergence checks."""
