"""How well are curves continued beyond the sizes they were fitted on?

    BAYESLAW_DATA=... uv run --group extrapolation python -m benchmarks.extrapolation

Curves in the domains of `data.DOMAINS`, seven of them split as in Lee et al. (ICML 2025), are each
given to predictors, which see the training rows of all the curves of one domain and forecast the
test rows of each:

- `data`: the curves, their splits, and the means in bins that stand for the curve itself;
- `baselines`: point forecasts, and a peer with bands;
- `published`: what others report under the same protocol;
- `report`: scores by curve, means by domain, tables; `figure`: the figure.

A predictor is a function from a list of `data.Curve`, all of one domain, to a list of
`data.Prediction`, one for each curve and in their order. Its ``median`` is all that a point
forecast has. Bands are scored by draws: ``new_run`` of raw test rows, ``curve`` of the mean curve,
without the noise of a row, at the same sizes. ``log_density`` is the log density of each raw test
row by itself, marginal of everything else. All are in the units of the file; the protocol's own
unit, ``Curve.y_scale``, enters in the scores alone.
"""
