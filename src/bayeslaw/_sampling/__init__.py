"""From a log density to draws: compilation and its cache, samplers, convergence checks."""

from bayeslaw._disk.compile_folder import compile_folder

compile_folder()  # before PyTensor is imported
