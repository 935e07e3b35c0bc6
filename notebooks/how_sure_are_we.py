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
# # How sure are we when we extrapolate?
#
# A forecast beyond the data needs a band, and the band has to be honest. Here we fit eight curves
# twice, each alone and all together, forecast up to four times beyond the data, and check whether
# the held-out runs fell inside.

# %%
# %matplotlib inline
import numpy as np

import bayeslaw as bl

# %% [markdown]
# ## The runs
#
# Two tasks and four learners from the data set in the package. The two largest sizes of each task
# are held out.

# %%
runs = bl.datasets.load("learners")
runs = runs.isel(run=runs["task"].isin(["digits", "digits_parity"]).values)
train, later = bl.split_held_out(runs)
print(f"{train.sizes['run']} runs to fit, {later.sizes['run']} larger runs to judge")

# %% [markdown]
# ## Two models of the same curves
#
# `pooling=None` fits every curve alone: from its own runs and the prior. With partial pooling a
# curve also borrows from the others of its task and of its learner, as far as they turn out alike:
# how steep curves are, where they flatten, and how much a run scatters.

# %%
law = bl.laws.power.of("D")
models = {
    "alone": bl.Model(law, pooling=None),
    "together": bl.Model(law, pooling=["task", "learner"]),
}
fits = {
    name: bl.fit(model, train, sampler=bl.Sampler(random_seed=1, draws=500, progressbar=False))
    for name, model in models.items()
}
for name, fit in fits.items():
    print(f"{name}: {fit}")

# %% [markdown]
# ## One curve alone
#
# The network on the digits. On its own, a curve of seven sizes leaves much open: a low exponent
# with no floor and a high exponent above a floor look the same at the sizes that were run.

# %%
for name, fit in fits.items():
    print(name)
    curves = bl.summary(fit).loc["curve"].sort_index()
    print(curves.loc["digits / network", ["median", "lower", "upper"]].round(3), "\n")

# %% [markdown]
# What that means at larger sizes: the width of the 90% band of the mean, as the ratio of its upper
# to its lower end. It grows with the distance from the data, as it should.

# %%
ahead = bl.grid(D=[240, 960, 4000], task="digits", learner="network")
for name, fit in fits.items():
    band = bl.interval(bl.forecast(fit, ahead), 0.9)["mean"]
    ratio = (band.sel(bound="upper") / band.sel(bound="lower")).values
    widths = [f"{r:.2f} at D = {D:.0f}" for r, D in zip(ratio, ahead["D"].values, strict=True)]
    print(f"{name}: upper / lower = {', '.join(widths)}")

# %% [markdown]
# In pictures: one task, each curve alone and then all together. Grey is beyond the data that were
# fitted; circles are held-out runs.

# %%
learners = ["linear", "trees", "kernel", "network"]
grid = bl.grid(D=np.geomspace(30, 4000, 25), task="digits", learner=learners)
bl.plot_forecast(bl.forecast(fits["alone"], grid), runs, columns=4)

# %%
bl.plot_forecast(bl.forecast(fits["together"], grid), runs, columns=4)

# %% [markdown]
# ## Did the bands hold?
#
# Coverage is the share of held-out runs inside the 90% band of a new run. It should be near 90%:
# less is overconfident, more is wider than need be. The width is again upper over lower, the median
# over runs.

# %%
loss = later["loss"]
curve = [
    " / ".join(pair) for pair in zip(later["task"].values, later["learner"].values, strict=True)
]
for name, fit in fits.items():
    band = bl.interval(bl.forecast(fit, later), 0.9)["new_run"]
    lower, upper = band.sel(bound="lower"), band.sel(bound="upper")
    inside = ((lower <= loss) & (loss <= upper)).values
    worst = min(dict.fromkeys(curve), key=lambda c: inside[np.array(curve) == c].mean())
    least = inside[np.array(curve) == worst].mean()
    width = float((upper / lower).median())
    print(f"{name}: coverage {inside.mean():.0%}, median width {width:.2f}")
    print(f"    least covered: {worst}, {least:.0%}")

# %% [markdown]
# Width and coverage trade off, so one number that rewards both is better: the log score, the mean
# log density of the held-out losses (higher is better). Two baselines
# without a band are included: the last measured value, and plain least squares curve by curve.

# %%
comparison = bl.compare(fits, later)
comparison[
    ["verdict", "log_score", "log_score_diff", "log_score_diff_se", "rmsle", "coverage_90"]
].round(3)

# %%
bl.plot_comparison(comparison)

# %% [markdown]
# Read the verdict before the ranks: a difference whose 95% interval contains zero is no difference.
# Together, the bands are no wider than alone, and more of the held-out runs are inside. One curve
# stays badly covered either way, and the next section says why.
#
# ## What no band here knows
#
# Both fits have a discrepancy: its scale `tau` is estimated at the fitted sizes, and it grows with
# the distance from them. A curve whose behaviour changes beyond the data gives no warning. This is
# why the coverage of single curves can be far from 90%.
#
# And if the law is taken as exact? On these curves that costs nothing: single runs scatter by 15%
# (`sigma`), far more than the discrepancy (`tau`). With less noise it matters, and a
# forecast says what its bands leave out:

# %%
exact = bl.Model(law, pooling=["task", "learner"], discrepancy=None)
exact_fit = bl.fit(exact, train, sampler=bl.Sampler(random_seed=1, draws=500, progressbar=False))
table = bl.score_table(bl.score(bl.forecast(exact_fit, later), later))
print(f"coverage {table['coverage_90'].item():.0%}, log score {table['log_score'].item():.2f}")
print(bl.forecast(exact_fit, ahead).attrs["caveats"][-1])
