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
# # Your own law, your own priors
#
# A power law does not know where a learner starts. But we do: before it has seen an example, a
# learner that separates odd digits from even ones can only guess, at a loss of $\log 2$. Curves
# that come down from there are flat at first and steep later, and a power law that is fitted to the
# flat part forecasts too little improvement. Here we write that knowledge down, as a law and as
# priors, and see what it is worth.

# %%
# %matplotlib inline
import math

import numpy as np

import bayeslaw as bl

# %% [markdown]
# ## The runs
#
# Four learners on the digits' parity, each from 32 to 1024 examples. We fit up to 128, and score
# beyond.

# %%
runs = bl.datasets.load("learners")
runs = runs.isel(run=(runs["task"] == "digits_parity").values)
runs = runs.assign_coords(held_out=("run", runs["D"].values > 128))
train, later = bl.split_held_out(runs)
print(f"{train.sizes['run']} runs to fit, {later.sizes['run']} larger ones to score")

# %% [markdown]
# ## A law is a plain function
#
# Positional arguments are predictors, keyword-only ones are parameters, and the annotation of a
# parameter is its role: what values it can take, and its default prior. This curve starts at
# `guess`; `share` of that is the floor; `c` is the size where the descent begins.


# %%
@bl.law
def from_guessing(D, *, guess: bl.Amplitude, share: bl.Fraction, c: bl.Scale, alpha: bl.Exponent):
    """Power law that starts from the loss of a guess."""
    return guess * (share + (1 - share) * (1 + D / c) ** -alpha)


print(bl.check_law(from_guessing))

# %% [markdown]
# `check_law` runs the tests that the laws of the catalogue pass: that the function works for
# numbers and tensors with gradients, that it is positive and falls where it should, that it
# rescales with its units.
#
# ## Prior knowledge
#
# We know `guess`, so it is fixed. About the others we know something:
#
# - People read these digits without an error, so not much of the loss is irreducible: `share` is
#   about a tenth.
# - A picture has 64 pixels, so some tens of examples should be enough to begin: `c` is about 64,
#   give or take a factor of three.
# - In theory the loss falls with the inverse root of the number of examples, or with the inverse
#   itself where classes are separable, so `alpha` is about 0.7. The default prior is made for
#   language models, and puts most exponents below one half.
#
# Priors hold at the reference size of the runs. For `c` that makes a difference: it is a size, so
# its prior is in units of that reference.

# %%
reference = train["D"].attrs["reference"]
knows_start = {"guess": bl.Fixed(math.log(2))}
knows_more = {
    "share": bl.LogitNormal(0.1, 1.0),
    "c": bl.LogNormal(64 / reference, 3.0),
    "alpha": bl.LogNormal(0.7, 1.5),
}
models = {
    "power law": bl.Model(bl.laws.power.of("D"), pooling=["learner"]),
    "from guessing": bl.Model(from_guessing, pooling=["learner"], priors=knows_start),
    "own priors": bl.Model(from_guessing, pooling=["learner"], priors=knows_start | knows_more),
}
fits = {
    name: bl.fit(model, train, sampler=bl.Sampler(random_seed=1, draws=500, progressbar=False))
    for name, model in models.items()
}
for name, fit in fits.items():
    print(f"{name}: {fit}")

# %% [markdown]
# A prior is best checked by the runs that it implies: a prior predictive check. Grey are simulated
# runs, dots the real ones. First with the default priors: most curves have not left the guess at
# 128 examples, and the real runs are at the edge of the prior.

# %%
bl.plot_prior(fits["from guessing"])

# %% [markdown]
# With our own, the real runs look like draws from the prior. That is all a prior has to do.

# %%
bl.plot_prior(fits["own priors"])

# %% [markdown]
# ## The posterior
#
# The exponent of the power law is about a half; that of the law from guessing is about one, since
# it no longer has to explain the flat part. Our own priors hardly move it, they narrow it: prior
# and data agree.

# %%
for name, fit in fits.items():
    lower, median, upper = fit.tree["posterior"]["alpha_population"].quantile([0.05, 0.5, 0.95])
    print(f"{name}: alpha {median:.1f} (90% from {lower:.1f} to {upper:.1f})")

# %% [markdown]
# ## Is the law better?
#
# There are three ways to ask. First, inside the data: how well does a law predict a run that was
# left out? Second, beyond them. Read the verdicts:

# %%
inside = bl.compare(fits)
inside[["verdict", "elpd_loo", "elpd_loo_diff", "elpd_loo_diff_se"]].round(1)

# %%
outside = bl.compare(fits, later)
outside[["verdict", "log_score", "log_score_diff", "log_score_diff_se", "rmsle"]].round(2)

# %% [markdown]
# Third, the marginal likelihood: the density of these runs under the prior predictive distribution.
# The ratio of two is a Bayes factor.

# %%
evidence = {name: bl.marginal_likelihood(fit) for name, fit in fits.items()}
for name, result in evidence.items():
    print(
        f"{name}: log marginal likelihood {result.log:.1f} (Monte Carlo error {result.error:.1f})"
    )
print(evidence["power law"].caveats[-1])

# %% [markdown]
# The evidence favours the law from guessing, by nearly four on the log scale: odds of some tens
# against the power law. But look at the next step. From the default priors to our own it is more
# than four again, and that is no finding about curves: the last two models are the same law, with
# much the same posterior. The narrower priors put their mass on the right values, and are rewarded.
# That is what a marginal likelihood measures, and why it depends on the priors however many runs
# there are.
#
# All of this is about the runs up to 128. Beyond them the three are not distinguishable, and their
# forecasts show why: the error is not in how a curve starts but in where it ends. First the power
# law, then the law from guessing with our priors.

# %%
learners = ["linear", "trees", "kernel", "network"]
grid = bl.grid(D=np.geomspace(30, 2000, 25), task="digits_parity", learner=learners)
bl.plot_forecast(bl.forecast(fits["power law"], grid), runs, columns=4)

# %%
bl.plot_forecast(bl.forecast(fits["own priors"], grid), runs, columns=4)

# %% [markdown]
# The linear learner flattens, the network keeps falling, and neither law could know that from five
# sizes.
#
# ## What to take away
#
# A law of your own is a function of one line, and it is fitted, checked and compared like any
# other. Knowledge about small sizes improves the fit at small sizes. To improve the
# forecast, use knowledge about large ones: a floor that is published
# (`priors={"L0": bl.Fixed(...)}`), or many curves of the kind (`pooling.py`).
