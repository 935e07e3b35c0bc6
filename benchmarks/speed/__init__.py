"""Speed of what users do, compared with alternatives.

    BAYESLAW_DATA=... uv run python -m benchmarks.speed [--quick] [--only NAME ...]

Prints each row, and saves the table in benchmarks/results/speed, part by part. `--quick` takes
smaller sizes, fewer repeats and at most a minute for each peer. Imports, gradients and starts are
medians of several repeats; first starts and peers are measured once. Machines are shared, so both
elapsed seconds and seconds of processor (of a process and all its children) are reported: users
wait for the former, code costs the latter.

- `measure`: costs of functions and of whole processes; `cases`: the runs; `child`: work in a
  fresh interpreter;
- `by_hand`: the density and its gradient as one would write them for one law, in scalar code;
- `gradients`: one gradient compared with that code, and its growth with curves and rows;
- `starts`: imports, the first fit on a machine and the second, Chinchilla's 240 runs; the file
  of a fit, and bands at many points;
- `sessions`: the demonstration on empty caches, a law more, five laws compared, a backtest, and
  commands on a saved fit, each beside what it took with the first engine;
- `refits`: many small fits, in parts; `peers`: the model a user would write by hand.

`benchmarks/cluster.py` has refits on several processes.
"""
