"""From a model and runs to a log density: arrays, hierarchy, whitening, likelihood, graph."""
