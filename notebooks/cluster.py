# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From one machine to a cluster
#
# One fit answers a question; many fits say whether to believe the answer. What would the forecast
# have been with fewer runs, without a task, under another law? Here we refit two laws as the data
# come in, size by size: first on this machine, then in processes, then on a cluster, with one line
# changed each time, and without repeating any fit.

# %%
# %matplotlib inline
import multiprocessing
import shutil
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
from distributed import Client, LocalCluster

import bayeslaw as bl

# %% [markdown]
# ## Many sets of runs
#
# Two tasks and four learners. Each set has the runs up to one of four sizes. Each curve is fitted
# alone, so that the answer is that of someone who has only this curve.

# %%
runs = bl.datasets.load("learners")
runs = runs.isel(run=runs["task"].isin(["digits", "digits_parity"]).values)
limits = [91, 128, 181, 256]
sets = [runs.isel(run=runs["D"].values <= limit) for limit in limits]
model = bl.Model(bl.laws.power.of("D"), pooling=None)
for limit, some in zip(limits, sets, strict=True):
    print(f"up to {limit}: {some.sizes['run']} runs")

# %% [markdown]
# ## Here
#
# `bl.refit` compiles a model once, and fits it to one set of runs after the other. With a `store`
# each fit is saved as soon as it is done. Suppose that the job is killed after two of the four
# fits:

# %%
sampler = bl.Sampler(random_seed=1, draws=500, target_accept=0.97, progressbar=False)
shutil.rmtree("fits.zarr", ignore_errors=True)

started = time.perf_counter()
bl.refit(model, sets[:2], store="fits.zarr", sampler=sampler)
print(f"two fits: {time.perf_counter() - started:.0f} s")

# %% [markdown]
# We start it again, for all four. The first two are in the store, under a hash of the model, the
# runs, the seed and the settings. Only the others are fitted.

# %% [markdown]
# ## In processes
#
# Any executor of `concurrent.futures` can replace the threads of this process. Each process
# imports and compiles for itself, so processes pay where there are more fits than cores. Processes
# are spawned rather than forked, since a fork of a process with threads may hang.

# %%
started = time.perf_counter()
with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
    power = bl.refit(model, sets, store="fits.zarr", executor=processes, sampler=sampler)
print(f"two loaded, two fitted: {time.perf_counter() - started:.0f} s")
for fit in power:
    print(str(fit).splitlines()[0])

# %% [markdown]
# ## On a cluster
#
# A Dask client has such an executor as well. The cluster here is this machine; for a real one you
# give the address, and a store that all machines can access. The power law without a floor, on the
# same sets:

# %%
started = time.perf_counter()
cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
with cluster, Client(cluster) as client:
    pure = bl.refit(
        bl.Model(bl.laws.pure_power.of("D"), pooling=None),
        sets,
        store="fits.zarr",
        executor=client.get_executor(),
        sampler=sampler,
    )
print(f"four fitted: {time.perf_counter() - started:.0f} s")
for fit in pure:
    print(str(fit).splitlines()[0])

# %% [markdown]
# Now everything is in the store, and the same call, from any machine with access to it, costs
# nothing:

# %%
started = time.perf_counter()
again = bl.refit(model, sets, store="fits.zarr", sampler=sampler)
print(f"four loaded: {time.perf_counter() - started:.0f} s")
print(np.array_equal(again[0].tree["posterior"]["alpha"], power[0].tree["posterior"]["alpha"]))

# %% [markdown]
# `bl.backtest` and `bl.multiverse` take `executor` and `store` too.
#
# ## What the forecasts were
#
# All fits forecast the largest size of each task, from 4 to 11 times beyond their data. The error
# is that of the median, on the logarithm; `inside` is the share of the runs there that fell into
# the 90% band.

# %%
largest = runs["D"].groupby(runs["task"]).max()
top = runs.isel(run=(runs["D"] == largest.sel(task=runs["task"])).values)


def judged(fit):
    """Error and coverage of the forecast of the largest size."""
    row = bl.score_table(bl.score(bl.forecast(fit, top), top)).loc["all"]
    return {"error": row["rmsle"], "inside": row["coverage_90"], "width": row["width_90"]}


rows = {
    (name, limit): judged(fit)
    for name, fits in {"with floor": power, "no floor": pure}.items()
    for limit, fit in zip(limits, fits, strict=True)
}
pd.DataFrame(rows).T.rename_axis(["law", "fitted up to"]).round(2)

# %% [markdown]
# Every further size reduces the error, and nearly every one brings more runs into the
# band, as it should be. But no row reaches 90%: a single curve with four or five sizes is
# overconfident, whatever the law. And on these tasks the law without a floor is ahead in every
# row, most where data are few: there the floor is prior-driven.
#
# One fit would have shown the last row. The others show how much to trust it. One curve, as it was
# forecast from four sizes and from seven:

# %%
grid = bl.grid(D=np.geomspace(30, 1024, 25), task="digits_parity", learner="kernel")
split_at = {
    limit: runs.assign_coords(held_out=("run", runs["D"].values > limit)) for limit in limits
}
bl.plot_forecast(bl.forecast(power[0], grid), split_at[91])

# %%
bl.plot_forecast(bl.forecast(power[-1], grid), split_at[256])

# %% [markdown]
# ## What to take away
#
# Write the job once, for threads; give it a `store`; hand it an executor when it is too slow. And
# use the machines for the question that a single fit cannot answer: how the answer would have
# changed.
