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
# # Quick start
#
# You trained some models at several sizes. What will the loss be at a size you have not run,
# and how sure can you be? This page answers that for real learning curves that come with the
# package: four families of learners on data sets that scikit-learn ships, with more and more
# training examples. Nothing is downloaded.

# %%
# %matplotlib inline
import numpy as np

import bayeslaw as bl

# %% [markdown]
# ## The runs
#
# Runs are a plain `xarray.Dataset`: one row per training run, the loss, the predictor `D` (number
# of training examples), and which curve a run belongs to (its task and its learner). Your own come
# from a file: `bl.read_runs("runs.csv", response="loss", predictors={"D": "n_train"},
# groups=["task", "learner"])`. Two tasks are enough here.

# %%
runs = bl.datasets.load("learners")
runs = runs.isel(run=runs["task"].isin(["digits", "digits_parity"]).values)
runs

# %% [markdown]
# The largest sizes are marked as held out. We fit the small ones and use the others only to
# check the forecast.

# %%
train, later = bl.split_held_out(runs)
for task in ("digits", "digits_parity"):
    fitted, held_out = (part["D"].values[part["task"].values == task] for part in (train, later))
    print(f"{task}: fitted up to D = {fitted.max():.0f}, held out up to D = {held_out.max():.0f}")

# %% [markdown]
# ## The model
#
# `bl.laws.power` is a power law above an irreducible loss: $L_0 + k\,N^{-\alpha}$. `.of("D")` says
# that its predictor is our `D`. `pooling` names the groups over which curves are partially pooled:
# task and learner. A parameter of a curve is that of the population, plus
# what its task adds, plus what its learner adds, plus a deviation of its own. The data decide how
# large each of these is.

# %%
model = bl.Model(bl.laws.power.of("D"), pooling=["task", "learner"])
fit = bl.fit(model, train, sampler=bl.Sampler(random_seed=1, draws=500, progressbar=False))
print(fit)

# %% [markdown]
# ## Can we trust it?
#
# The first sentence is the gate: did the sampler converge? If it did not, ignore the rest. The
# others say which runs are influential, what range the data span, and which parameters the data
# determined. A parameter that is *prior-driven* is an assumption, not a finding.

# %%
print(bl.diagnose(fit))

# %% [markdown]
# The prior is an assumption too, so look at it: runs simulated from the prior should look
# like loss curves, and be wider than the data.

# %%
bl.plot_prior(fit)

# %% [markdown]
# ## The parameters
#
# One row per parameter: of the population, of the typical curve of each task and learner, and of
# each curve. `lower` and `upper` hold 90% of the posterior.

# %%
table = bl.summary(fit)
table.loc[["population", "learner"], ["median", "lower", "upper", "ess_bulk"]].round(3)

# %% [markdown]
# ## The forecast
#
# A forecast has draws of `mean`, the curve, and of `new_run`, one run observed there. A new run
# scatters about the curve, so its band is wider.

# %%
learners = ["linear", "trees", "kernel", "network"]
grid = bl.grid(D=np.geomspace(30, 8000, 25), task=["digits", "digits_parity"], learner=learners)
forecast = bl.forecast(fit, grid)
figure = bl.plot_forecast(forecast, runs, columns=4)
figure.savefig("forecast.png", dpi=200)
figure

# %% [markdown]
# Numbers come from `bl.interval`, as labelled arrays. Here is the network on the digits, four times
# beyond the last size that was measured.

# %%
point = bl.grid(D=[4000], task="digits", learner="network")
bands = bl.interval(bl.forecast(fit, point), 0.9)
for name in ("mean", "new_run"):
    lower, median, upper = bands[name].values[:, 0]
    print(f"{name}: {median:.3f} (90% between {lower:.3f} and {upper:.3f})")

# %% [markdown]
# ## Did the held-out runs fall inside?
#
# Check the bands: the 90% band should hold about 90% of the held-out runs.

# %%
bands = bl.interval(bl.forecast(fit, later), 0.9)["new_run"]
loss = later["loss"]
inside = (bands.sel(bound="lower") <= loss) & (loss <= bands.sel(bound="upper"))
print(f"all curves: {inside.mean():.0%} of {inside.size} held-out runs inside the 90% band")
for (task, learner), own in inside.to_series().groupby(
    [later["task"].values, later["learner"].values]
):
    print(f"{task} / {learner}: {own.mean():.0%} of {own.size}")

# %% [markdown]
# Look at the curve with the smallest share: in the figure, its largest runs lie below the band. The
# loss falls faster there than the law and the smaller runs imply. Bands contain the noise, the
# uncertainty of the parameters, and a discrepancy of the scale seen at the fitted sizes. A
# curve whose behaviour changes beyond them is in no band.

# %% [markdown]
# ## Save it
#
# `bl.save(fit, "fit.nc")` writes everything into one file; `bl.load("fit.nc")` gives it back. Next:
# `how_sure_are_we.py` asks what pooling buys beyond the data, `pooling.py` what curves have in
# common, and `power_law_or_log_linear.py` which law to believe.
