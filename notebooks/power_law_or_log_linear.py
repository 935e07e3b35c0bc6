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
# # Power law or log-linear?
#
# Losses against size can look straight on a logarithmic axis, and people fit a straight line: so
# much less loss for every doubling. Others fit a power law, with or without a floor. Beyond the
# data these laws disagree. Which one to believe?

# %%
# %matplotlib inline
import numpy as np

import bayeslaw as bl

# %% [markdown]
# ## Three laws, the same runs
#
# - `power`: $L_0 + k D^{-\alpha}$, with an irreducible loss $L_0$ that is never negative;
# - `pure power`: $(D_c / D)^{\alpha}$, with no floor;
# - `log-linear`: $a - b \log D$, which falls without end.
#
# We fit the smaller sizes of two tasks and hold out the largest.

# %%
runs = bl.datasets.load("learners")
runs = runs.isel(run=runs["task"].isin(["digits", "digits_parity"]).values)
train, later = bl.split_held_out(runs)
laws = {
    "power": bl.laws.power,
    "pure power": bl.laws.pure_power,
    "log-linear": bl.laws.log_linear,
}
fits = {
    name: bl.fit(
        bl.Model(law.of("D"), pooling=["task", "learner"]),
        train,
        sampler=bl.Sampler(random_seed=1, draws=500, progressbar=False),
    )
    for name, law in laws.items()
}
for name, fit in fits.items():
    print(f"{name}: {fit}")

# %% [markdown]
# ## Inside the data
#
# The usual question is how well a law predicts a run that was left out (`elpd_loo`, higher is
# better). `loo_weight` is how much of each law a mixture would take.

# %%
inside = bl.compare(fits)
inside[["verdict", "elpd_loo", "elpd_loo_diff", "elpd_loo_diff_se", "loo_weight"]].round(2)

# %% [markdown]
# Leaving out a run between its neighbours asks a law to interpolate. That is not what a scaling law
# is for.
#
# ## Beyond the data
#
# So score the laws at the held-out sizes, which are up to four times larger than any they have
# seen. The rows are sorted by log score, best first. A law whose difference to the best has a
# 95% interval that contains zero is *not distinguishable* from it: these data do not say which to
# believe.

# %%
outside = bl.compare(fits, later)
columns = ["verdict", "log_score", "log_score_diff", "log_score_diff_se", "rmsle", "coverage_90"]
outside[columns].round(3)

# %%
bl.plot_comparison(outside)

# %% [markdown]
# Do both criteria select the same law?

# %%
print(f"inside the data:  {inside['elpd_loo'].idxmax()}")
print(f"beyond the data:  {outside['log_score'].idxmax()}")

# %% [markdown]
# ## Where a straight line must end
#
# A loss is positive; a straight line is not. The median of log-linear reaches zero at
# a size that we can compute: $D_0 = e^{a / b}$. For some curves models of that size were trained,
# and their loss was not zero. That is why the error of log-linear at the held-out sizes (`rmsle`,
# on the logarithm) is infinite: its median is not positive there.

# %%
posterior = fits["log-linear"].tree["posterior"].to_dataset()
zero = np.exp(posterior["a"] / posterior["b"]).median(("chain", "draw"))
largest = runs["D"].groupby("task").max()
for curve in zero["curve"].values:
    size, run = zero.sel(curve=curve).item(), largest.sel(task=curve.split(" / ")[0]).item()
    where = "among the sizes that were run" if size < run else "beyond them"
    print(f"{curve}: zero loss at D = {size:.3g}, {where} (up to {run:.0f})")

# %% [markdown]
# A forecast there gives the probability that the mean is not positive. For the power laws
# it is zero everywhere.

# %%
ahead = bl.grid(D=[1e3, 1e4, 1e5], task="digits", learner="network")
for name, fit in fits.items():
    mean = bl.forecast(fit, ahead)["mean"]
    negative = (mean <= 0).mean(("chain", "draw")).values
    median = mean.median(("chain", "draw")).values
    values = ", ".join(
        f"D = {D:.0e}: median {m:.3g}, P(loss <= 0) = {p:.2f}"
        for D, m, p in zip(ahead["D"].values, median, negative, strict=True)
    )
    print(f"{name}: {values}")

# %% [markdown]
# The curves, first by the power law and then by the straight line. Circles were held out.

# %%
learners = ["linear", "trees", "kernel", "network"]
grid = bl.grid(D=np.geomspace(30, 2048, 25), task=["digits", "digits_parity"], learner=learners)
bl.plot_forecast(bl.forecast(fits["power"], grid), runs, columns=4)

# %%
bl.plot_forecast(bl.forecast(fits["log-linear"], grid), runs, columns=4)

# %% [markdown]
# ## Which law would have been right?
#
# The held-out sizes are one test. A backtest makes several without them: it fits every law up
# to a size, the origin, scores it on the larger training runs, and moves to the next origin.
# So laws can be selected, or averaged, before anyone looks at the held-out runs. Each curve is
# fitted alone here (`pooling=None`), which keeps the refits quick, and with smaller steps than by
# default (`target_accept`), since there are only four or five sizes up to an origin.

# %%
alone = {name: bl.Model(law.of("D"), pooling=None) for name, law in laws.items()}
backtest = bl.backtest(
    alone,
    train,
    along="D",
    origins=[91, 128],
    horizons=(1.5, 2, 3),
    sampler=bl.Sampler(random_seed=1, draws=500, target_accept=0.97, progressbar=False),
)
print(f"{backtest.attrs['refits']} refits, {backtest.attrs['failed']} did not converge")
skill = bl.backtest_table(backtest)
skill[["log_score", "log_score_diff", "log_score_diff_se", "rmsle", "coverage_90"]].round(2)

# %%
bl.plot_skill(skill)

# %% [markdown]
# A horizon is the largest ratio of a run's size to the origin. Up to one and a half times, the
# straight line is as good as any: over a short range every law is straight. At three times it falls
# behind, though within the error, and how far behind it would be at four times or more the smaller
# runs cannot show.
#
# ## A mixture of laws
#
# If no single law is clearly best, average them. Weights follow from the log
# scores of the backtest. `stacking_weights` maximises the score of the mixture,
# `pseudo_bma_weights` estimates how likely each law is to be the best one, `hierarchical_weights`
# partially pools the weights over tasks, and `equal_weights` uses no data.

# %%
scores = bl.weights.log_scores(backtest)
weights = {
    "equal": bl.weights.equal_weights(scores),
    "stacking": bl.weights.stacking_weights(scores),
    "pseudo-BMA+": bl.weights.pseudo_bma_weights(scores),
    "hierarchical": bl.weights.hierarchical_weights(scores, "task"),
}
for name, weight in weights.items():
    print(f"{name}\n{weight.round(2).to_string()}\n")

# %% [markdown]
# Laws and weights make a stack, and a stack is forecast like a fit. Its draws are from all
# laws, so the gap between them is in its band. At the held-out sizes:

# %%
rivals = {**fits, **{name: bl.stack(fits, weight) for name, weight in weights.items()}}
for name, rival in rivals.items():
    table = bl.score_table(bl.score(bl.forecast(rival, later), later)).loc["all"]
    print(f"{name}: log score {table['log_score']:.1f}, coverage {table['coverage_90']:.0%}")

# %% [markdown]
# No mixture beats the better single laws, and the bands of all are wide enough. The reason is in
# the horizons: near the data log-linear deserved its weight, and four times beyond them the
# mixture pays for it. Weights hold for the distances at which they were learned. Yet a mixture is
# robust: where one law fails, as log-linear does, it loses little, and
# nobody has to know beforehand which law that is.

# %% [markdown]
# The stack in pictures; its lower band leaves the frame where one of its laws reaches zero
# loss.

# %%
far = bl.grid(D=np.geomspace(30, 4000, 25), task="digits_parity", learner=learners)
members = {name: bl.forecast(fit, far) for name, fit in fits.items()}
bl.plot_forecast(bl.stack_forecasts(members, weights["hierarchical"]), runs, columns=4)

# %% [markdown]
# ## What to take away
#
# Score a law where you will use it: beyond the data, and as far beyond as you mean to go. Look at
# the standard error of a difference before its sign. And when two laws are not distinguishable,
# report both forecasts, or a stack of them: the gap between them is part of your uncertainty, and
# it is in neither band.
