"""From a model and runs to a log density: arrays, hierarchy, whitening, likelihood, graph."""

from bayeslaw._disk.compile_folder import compile_folder

compile_folder()  # before PyTensor is imported
