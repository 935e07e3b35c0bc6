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
# # Planning a training budget
#
# You have a budget, and small runs. How large a model should you train, on how much data, what will
# the loss be, and what would a better one cost? Here the small runs are byte-level transformers on
# English prose, and two larger ones that were really trained can be compared with the plan.

# %%
# %matplotlib inline
import numpy as np

import bayeslaw as bl

# %% [markdown]
# ## A law of size and data
#
# A plan needs a law in both, and runs that vary both: with one ratio of data to parameters
# throughout, the terms of size and data are not identified. We take the
# generalised sum, which these runs prefer by far (`chinchilla_revisited.py`). The two
# largest models are held out.

# %%
runs = bl.datasets.load("tiny_lm")
own = (runs["corpus"] == "english") & (runs["architecture"] == "transformer")
train, later = bl.split_held_out(runs.isel(run=own.values))
fit = bl.fit(
    bl.Model(bl.laws.generalised_sum),
    train,
    sampler=bl.Sampler(random_seed=1, draws=500, progressbar=False),
)
print(bl.diagnose(fit))

# %% [markdown]
# ## How to spend a budget
#
# Of all runs that cost the budget, at 6 FLOP per parameter and byte, the plan is the one with the
# lowest loss. It is computed for each posterior draw, so sizes have bands.

# %%
plan = bl.plan(fit, [1e11, 1e12, 1e13])
bands = bl.interval(plan, 0.9)
for budget in plan["budget"].values:
    at = bands.sel(budget=budget, curve="english / transformer")
    ends = {name: at[name].sel(bound=["lower", "upper"]).values for name in ("N", "D", "mean")}
    print(
        f"{budget:.0e} FLOP: N from {ends['N'][0]:.1e} to {ends['N'][1]:.1e}, "
        f"D from {ends['D'][0]:.1e} to {ends['D'][1]:.1e}, "
        f"loss from {ends['mean'][0]:.2f} to {ends['mean'][1]:.2f}, "
        f"within the data with probability {plan['in_range'].sel(budget=budget).item():.0f}"
    )
print(plan.attrs["caveats"][0])

# %% [markdown]
# The second and the third budget are beyond the runs, and the last sentence says what that means.
# The bands are those of the law alone, so check the law first: the two larger
# models were trained, and the forecast of their losses is

# %%
band = bl.interval(bl.forecast(fit, later), 0.9)["new_run"]
for i, loss in enumerate(later["loss"].values):
    lower, median, upper = band.values[:, i]
    print(f"N = {later['N'].values[i]:.0f}: {lower:.2f} to {upper:.2f}, measured {loss:.2f}")

# %% [markdown]
# A picture of the plan: the thin lines are equal losses, the dashed ones equal budgets, and the
# thick one goes through the lowest loss of each budget. Dots are runs.

# %%
sizes = bl.grid(
    N=np.geomspace(3e3, 1e6, 30),
    D=np.geomspace(3e4, 3e7, 30),
    corpus="english",
    architecture="transformer",
)
path = bl.plan(fit, np.geomspace(1e10, 1e13, 7))
figure = bl.plot_contours(bl.forecast(fit, sizes), path, train)
figure.axes[0].plot(later["N"], later["D"], "o", mfc="none", mec="black", ms=5)
figure

# %% [markdown]
# The open circles are the two larger models. They lie far off the path: too many parameters for
# their three million bytes. What their compute could have bought, by the law:

# %%
spent = (6 * later["N"] * later["D"]).values
better = bl.interval(bl.plan(fit, spent), 0.9).sel(bound="median", curve="english / transformer")
for i, loss in enumerate(later["loss"].values):
    N, D, mean = (better[name].values[i] for name in ("N", "D", "mean"))
    print(
        f"{spent[i]:.1e} FLOP: measured {loss:.2f} with N = {later['N'].values[i]:.0f}, "
        f"planned {mean:.2f} with N = {N:.1e} and D = {D:.1e}"
    )

# %% [markdown]
# ## What more of each would buy
#
# At the size of these two models, what is the gain of doubling the
# parameters, and of doubling the data?

# %%
gain = bl.interval(bl.marginal_gain(fit, later), 0.9)["doubling"]
for name in ("N", "D"):
    lower, _, upper = gain.sel(predictor=name).values[:, 0]
    print(f"twice the {name}: the loss changes by {lower:.3f} to {upper:.3f}")

# %% [markdown]
# ## When the data run out
#
# The plan asks for ten million bytes and more, and the corpus has fewer.

# %%
text = bl.datasets.info("tiny_lm").provenance["corpora"]["english"]["train_bytes"]
print(f"{text:.2e} bytes to train on")

# %% [markdown]
# So fix the data at that number. `requirement` solves for the size that reaches a target;
# `probability` is that of reaching it with any size at all.

# %%
targets = [1.2, 1.1, 1.0]
need = bl.requirement(fit, targets, along="N", at={"D": text})
free = bl.requirement(fit, targets, along=bl.training_flops)
for target in targets:
    size = bl.interval(need, 0.9)["N"].sel(target=target).values[:, 0]
    budget = bl.interval(free, 0.9)["budget"].sel(target=target).values[:, 0]
    chance = need["probability"].sel(target=target).item()
    print(
        f"loss {target}: with this text reached with probability {chance:.1f}"
        + (f", by N from {size[0]:.1e} to {size[2]:.1e}" if np.isfinite(size).all() else "")
        + f"; with more text for {budget[0]:.1e} to {budget[2]:.1e} FLOP"
    )

# %% [markdown]
# A loss of 1.2 is within reach of this text, 1.1 hardly, and 1.0 is not, however large the model.
# (Reading the text twice is another predictor, the number of epochs: `bl.laws.repeated_data`, and
# the data set `tiny_lm_repeats`.) And more parameters soon stop helping:

# %%
enough = bl.interval(bl.saturation(fit, 0.02, along="N", at={"D": text}), 0.9)["N"].values
lower, _, upper = enough.ravel()
print(f"beyond N = {lower:.1e} to {upper:.1e} a doubling gains less than 0.02")

# %% [markdown]
# ## A model that will be used
#
# Training is not the only cost of a model. The cost can be any function of the law's predictors;
# other arguments are given by `at`. Here the model will read a million bytes or
# more after it was trained, at 2 FLOP per byte and parameter.


# %%
def lifetime_flops(N, D, served):
    """Compute of training and of serving."""
    return 6 * N * D + 2 * N * served


for served in (1e6, 1e7, 1e8):
    use = bl.plan(fit, 1e13, cost=lifetime_flops, at={"served": served})
    best = bl.interval(use, 0.9).sel(bound="median").squeeze()
    N, D = best["N"].item(), best["D"].item()
    print(f"{served:.0e} bytes served: N = {N:.1e}, D = {D:.1e}, loss {best['mean'].item():.2f}")

# %% [markdown]
# The more it will be used, the smaller it should be, and the longer trained.
#
# ## What to take away
#
# The two large models were planned as many are: by what fits on the machine. The law says that a
# third or a quarter of the parameters would have done better, for the same compute, if there had
# been the text. No run has tested that, the path leaves the data at a few percent of these budgets,
# and the bands hold only if the law does. So the next thing to buy is a run on the path, at
# $10^{12}$ FLOP: cheap, just beyond the data, and able to falsify the plan.
