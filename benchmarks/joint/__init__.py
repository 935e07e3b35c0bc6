"""Do the bands of laws in several predictors hold beyond the data? The studies and their splits.

    BAYESLAW_DATA=... uv run python -m benchmarks.joint.splits

Larger runs of published studies are forecast from the smaller ones:

- `protocol.md`: the configurations, how they are compared and what passes, before any result;
- `study`: what a study is: its rows, what they are pooled over, the laws that apply;
- `studies`: the studies of language models in parameters and tokens, or steps;
- `other_laws`: those whose laws have other predictors: repeats, experts, sparsity, vocabulary;
- `catalogue`: all of them by name;
- `splits`: training and test rows: rolling cut-offs in compute, and the official hold-outs;
- `simulated`: studies with a known truth, which some laws cannot say.

Rows that a publication holds out are in no rolling cut-off, so choices can be made on those and
scored once on the official rows. Studies of one `Study.source` share runs: whatever is learned
from other studies leaves out all of the same source.
"""
