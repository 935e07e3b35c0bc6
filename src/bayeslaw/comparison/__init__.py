"""Law against law: backtests, leave-one-out, baselines, contrasts, multiverses."""
