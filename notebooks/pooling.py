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
# # What curves learn from each other
#
# Twenty learning curves: five tasks, four families of learners. Some of them were measured at a few
# small sizes only, and one was never run. Can the others fill in what is missing? That depends
# on what the curves have in common, and a hierarchical model estimates that.

# %%
# %matplotlib inline
import numpy as np
import xarray as xr

import bayeslaw as bl

# %% [markdown]
# ## Held-out runs
#
# The data set marks its largest sizes as held out; we hold out others. Of four curves, one of each
# learner, we keep the four smallest sizes. The curve of the kernel learner on `diabetes` we leave
# out altogether. All other runs are fitted.

# %%
runs = bl.datasets.load("learners")
curve = np.char.add(np.char.add(runs["task"].values, " / "), runs["learner"].values)
short = [
    "breast_cancer / trees",
    "digits / network",
    "digits_parity / linear",
    "photographs / kernel",
]
never = "diabetes / kernel"

largest = {name: np.unique(runs["D"].values[curve == name])[3] for name in short}
hidden = (runs["D"].values > [largest.get(name, np.inf) for name in curve]) | (curve == never)
runs = runs.assign_coords(held_out=("run", hidden))

train, rest = bl.split_held_out(runs)
is_never = curve[hidden] == never
later, unseen = rest.isel(run=~is_never), rest.isel(run=is_never)
print(f"{train.sizes['run']} runs to fit")
print(f"{later.sizes['run']} runs beyond the short curves, {unseen.sizes['run']} of the unseen one")

# %% [markdown]
# ## One model for all curves
#
# In `pooling=["task", "learner"]` every parameter of a curve is that of the population, plus an
# effect of its task, plus an effect of its learner, plus a deviation of its own. The two groups are
# crossed: every learner was tried on every task.

# %%
law = bl.laws.power.of("D")
together = bl.fit(
    bl.Model(law, pooling=["task", "learner"]),
    train,
    sampler=bl.Sampler(random_seed=1, draws=500, progressbar=False),
)
print(bl.diagnose(together))

# %% [markdown]
# ## What the curves have in common
#
# The model has a spread (a standard deviation) for every source of differences. For the exponent
# `alpha` it is on the log scale, so 0.2 means exponents that differ by about 20%. For the floor
# `L0` it is on the logit of the floor's share of the loss: 1 takes a share of 30% to one of 54%.

# %%
posterior = together.tree["posterior"].to_dataset()
for name in ("alpha", "L0"):
    for source in ("task", "learner", "own"):
        spread = posterior[f"sd_{name}_{source}"].quantile([0.05, 0.5, 0.95]).values
        lower, median, upper = spread
        print(
            f"{name}, differences by {source}: {median:.1f} (90% from {lower:.1f} to {upper:.1f})"
        )

# %% [markdown]
# Exponents are similar: they vary by some tens of percent between tasks and learners. Floors are
# not: where a curve flattens depends on the task, and on the curve itself. So a curve can borrow
# its exponent from the others, but hardly its floor.
#
# In the figure each level of a group is represented by its typical curve; the shaded band is the
# typical curve of all.

# %%
bl.plot_effects(together, "alpha")

# %% [markdown]
# ## Short curves, alone and together
#
# The same four sizes, the same law, without the help of the others:

# %%
four = train.isel(run=np.isin(curve[~hidden], short))
alone = bl.fit(
    bl.Model(law, pooling=None),
    four,
    sampler=bl.Sampler(random_seed=1, draws=500, progressbar=False),
)
print(alone)

# %%
forecasts = {"alone": bl.forecast(alone, later), "together": bl.forecast(together, later)}
scores = {name: bl.score(forecast, later) for name, forecast in forecasts.items()}
columns = ["rmsle", "log_score", "coverage_90", "width_90"]
for name, score in scores.items():
    print(name)
    print(bl.score_table(score, by="task")[columns].round(2), "\n")

# %% [markdown]
# Read the columns together. `rmsle` is the error of the median on the logarithm (0.1 is about 10%),
# the log score rewards forecasts that are both accurate and sharp (higher is better), and
# `width_90` is the width of the 90% band on the logarithm.
#
# Pooling does not always help. The digits gain most: their four sizes look as if the curve were
# about to flatten, and the other curves correct that. The digits' parity loses a little. Pooling
# trades a small loss where four sizes happened to be representative against a large gain where
# they were not. With four curves the overall gain is not certain either:

# %%
gain = (
    bl.score_table(scores["together"], by="task")["log_score"]
    - bl.score_table(scores["alone"], by="task")["log_score"]
)
print(f"gain in log score: {gain.mean():.1f}, standard error {gain.sem():.1f} (four curves)")

# %% [markdown]
# In pictures, first alone and then together. Dots were fitted, circles were not.

# %%
grids = [
    bl.grid(D=np.geomspace(8, 2048, 25), task=task, learner=learner)
    for task, learner in (name.split(" / ") for name in short)
]
grid = xr.concat(grids, "run")
bl.plot_forecast(bl.forecast(alone, grid), runs, columns=4)

# %%
bl.plot_forecast(bl.forecast(together, grid), runs, columns=4)

# %% [markdown]
# Alone, the digits' four sizes allow a floor that is not there. Together the curve keeps
# falling, but still not as fast as the runs: it steepens where the others do not, and that
# is in no band.
#
# ## A curve that was never run
#
# The task is known from the other learners and the learner from the other tasks, so their curve can
# be forecast: its own deviation is drawn. Since floors are mostly a curve's own, the band is wide.

# %%
forecast = bl.forecast(together, unseen)
table = bl.score_table(bl.score(forecast, unseen))
print(f"coverage of the 90% band: {table['coverage_90'].item():.0%}")
print(f"error of the median: about {table['rmsle'].item():.0%}")
print(f"upper / lower end of the band: {np.exp(table['width_90'].item()):.0f}")

# %%
learners = ["linear", "trees", "kernel", "network"]
grid = bl.grid(D=np.geomspace(8, 300, 25), task="diabetes", learner=learners)
bl.plot_forecast(bl.forecast(together, grid), runs, columns=4)

# %% [markdown]
# A new *task* is different: it is drawn from the population, and only if you ask for it with
# `draw_new=["task"]`.
#
# ## Which learner is better?
#
# A question of two learners is best asked task by task: what makes a task hard is then on both
# sides and cancels. `better` is the probability that the network's curve is below the linear
# one's; `multiplier` is how many times as many examples the linear learner needs to do as well,
# infinite where its floor is above.

# %%
contrast = bl.contrast(together, "learner", ["network", "linear"], at={"D": [30, 300, 3000]})
bl.contrast_table(contrast).round(2)

# %% [markdown]
# With the five tasks taken together the network is ahead, and more so with more examples. But that
# is an average: it is due to the two tasks where the linear learner reaches its floor. On the
# others these runs do not decide.
#
# ## What to take away
#
# Look at the spreads before you trust pooling: they show what a new curve can borrow. Here
# it is the exponent, not the floor. And look at what a pooled fit says about each curve, not only
# about the population.
