"""How long does what users do take, beside what else they could do?

    BAYESLAW_DATA=... uv run python -m benchmarks.speed [--quick] [--only NAME ...]

Prints one table, and keeps it in benchmarks/results/speed. `--quick` takes smaller sizes, fewer
repeats and at most a minute for each peer. Imports, gradients and starts are told as medians of
several repeats, first starts and peers are measured once. Machines are shared, so seconds of the
processor (of a process and all its children) stand beside elapsed seconds: the former are what
code costs, the latter what users wait.

- `measure`: costs of functions and of whole processes; `cases`: the runs; `child`: what is done
  in a fresh interpreter;
- `by_hand`: the density and its gradient as one would write them for one law, in scalar code;
- `gradients`: one gradient beside that code, and how it grows with curves and rows;
- `starts`: imports, the first fit on a machine and the second, Chinchilla's 240 runs;
- `refits`: many small fits, in parts; `peers`: the model a user would write by hand.

`benchmarks/cluster.py` has refits on several processes.
"""
