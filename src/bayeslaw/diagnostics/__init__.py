"""What a fit is worth: convergence, summaries, sensitivity, what drives a forecast."""
