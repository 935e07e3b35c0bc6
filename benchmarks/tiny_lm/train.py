"""One training run from scratch: distinct data in one pass, a finished schedule, a measured loss.

AdamW (0.9, 0.98), gradients clipped at norm 1, a short warm-up and a cosine down to a tenth. Steps run
in compiled chunks that take data and learning rates as arrays, so one compilation serves every token
count, learning rate, seed and corpus of a model size.
"""

import math
import time
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import jax
import numpy as np
import optax
from corpora import Corpus
from models import ARCHITECTURES, CONTEXT, Parameters, Shape, token_losses

CHUNK = 16  # steps in one compiled call; every run is a whole number of chunks
WARM_UP_SHARE, WARM_UP_STEPS = 0.02, 12
FINAL_RATE = 0.1
WEIGHT_DECAY = 0.1
VALIDATION_BLOCKS, BLOCK_SEQUENCES = 128, 16  # blocks of 1 KiB of consecutive text
CURVE_EVERY = 4  # the curve is measured on every fourth validation block
CURVE_RATIO = 1.5

OPTIMISER = optax.chain(
    optax.clip_by_global_norm(1.0),
    optax.scale_by_adam(b1=0.9, b2=0.98, eps=1e-9),
    optax.add_decayed_weights(WEIGHT_DECAY, mask=lambda p: {k: v.ndim > 1 for k, v in p.items()}),
)


@dataclass(frozen=True)
class Run:
    """Everything that decides the outcome of one training run, and why it is done."""

    purpose: str
    corpus: str
    shape: Shape
    tokens: int
    unique_tokens: int
    batch_tokens: int
    learning_rate: float
    seed: int

    @property
    def steps(self) -> int:
        return self.tokens // self.batch_tokens

    @property
    def key(self) -> tuple:
        return (
            self.corpus,
            self.shape.architecture,
            self.shape.label,
            self.tokens,
            self.unique_tokens,
            self.batch_tokens,
            f"{self.learning_rate:.3g}",
            self.seed,
        )


class Outcome(NamedTuple):
    loss: float
    loss_se: float
    train_seconds: float
    train_cpu_seconds: float
    eval_seconds: float
    curve: list[tuple[int, float]]


# --- data -----------------------------------------------------------------------------------------


def training_sequences(run: Run, corpus: Corpus) -> np.ndarray:
    """(steps, batch, context + 1) bytes; a seed selects the blocks of the corpus and their order.

    Every sequence starts with the byte before its block, so each byte of a block is predicted once.
    With one seed, less data is always a part of more data.
    """
    random = np.random.default_rng([run.seed, 2026])
    available = (corpus.train.size - 1) // CONTEXT
    distinct = run.unique_tokens // CONTEXT
    if distinct > available:
        raise ValueError(
            f"{run.corpus!r} has {available * CONTEXT} distinct tokens, fewer than {run.unique_tokens}"
        )
    chosen = random.permutation(available)[:distinct]
    epochs = run.tokens // run.unique_tokens
    order = np.concatenate([chosen, *(random.permutation(chosen) for _ in range(epochs - 1))])
    return windows(corpus.train, order).reshape(run.steps, -1, CONTEXT + 1)


def windows(text: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    return text[(blocks * CONTEXT)[:, None] + np.arange(CONTEXT + 1)]


def validation_sequences(corpus: Corpus) -> np.ndarray:
    """(blocks, sequences, context + 1) bytes, blocks evenly spaced over the validation text."""
    count = (corpus.validation.size - 1) // (CONTEXT * BLOCK_SEQUENCES)
    first = np.linspace(0, count - 1, VALIDATION_BLOCKS).astype(int) * BLOCK_SEQUENCES
    return np.stack([windows(corpus.validation, f + np.arange(BLOCK_SEQUENCES)) for f in first])


def schedule(run: Run) -> np.ndarray:
    """Learning rate of every step: linear warm-up, then a cosine down to a tenth of the peak."""
    steps = np.arange(run.steps)
    warm_up = max(WARM_UP_STEPS, WARM_UP_SHARE * run.steps)
    progress = np.clip((steps - warm_up) / (run.steps - warm_up), 0, 1)
    cosine = FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + np.cos(math.pi * progress))
    return (run.learning_rate * np.minimum(1, (steps + 1) / warm_up) * cosine).astype(np.float32)


# --- compiled functions ----------------------------------------------------------------------------


def take_steps(shape: Shape):
    """A chunk of optimiser steps of one model size: state, sequences, rates -> state."""

    def step(state, inputs):
        parameters, memory = state
        sequences, rate = inputs
        gradient = jax.grad(lambda p: token_losses(p, sequences, shape).mean())(parameters)
        update, memory = OPTIMISER.update(gradient, memory, parameters)
        return (jax.tree.map(lambda p, u: p - rate * u, parameters, update), memory), None

    return lambda state, data, rates: jax.lax.scan(step, state, (data, rates))[0]


@cache
def trainer(shape: Shape, batch_tokens: int):
    """`take_steps`, compiled ahead so that no run's clock sees the compiler."""
    data = jax.ShapeDtypeStruct((CHUNK, batch_tokens // CONTEXT, CONTEXT + 1), np.uint8)
    rates = jax.ShapeDtypeStruct((CHUNK,), np.float32)
    state = jax.eval_shape(lambda: initial_state(shape, 0))
    return jax.jit(take_steps(shape)).lower(state, data, rates).compile()


@cache
def evaluator(shape: Shape, blocks: int):
    """Mean loss of each validation block, compiled ahead."""

    def block_losses(parameters: Parameters, sequences: jax.Array) -> jax.Array:
        return jax.lax.map(lambda block: token_losses(parameters, block, shape).mean(), sequences)

    sequences = jax.ShapeDtypeStruct((blocks, BLOCK_SEQUENCES, CONTEXT + 1), np.uint8)
    parameters, _ = jax.eval_shape(lambda: initial_state(shape, 0))
    return jax.jit(block_losses).lower(parameters, sequences).compile()


@partial(jax.jit, static_argnums=0)
def initial_state(shape: Shape, seed: int):
    parameters = ARCHITECTURES[shape.architecture].initial(jax.random.key(seed), shape)
    return parameters, OPTIMISER.init(parameters)


# --- the run --------------------------------------------------------------------------------------


def curve_chunks(chunks: int) -> set[int]:
    """Chunks after which the validation curve is measured: spaced by a constant ratio, and the last."""
    points = CURVE_RATIO ** np.arange(0, 1 + math.log(chunks) / math.log(CURVE_RATIO))
    return {round(float(p)) for p in points if p <= chunks} | {chunks}


def train(run: Run, corpus: Corpus) -> Outcome:
    """Train one model and measure it; compilation and evaluation are left out of the training time."""
    data = training_sequences(run, corpus).reshape(
        -1, CHUNK, run.batch_tokens // CONTEXT, CONTEXT + 1
    )
    rates = schedule(run).reshape(-1, CHUNK)
    blocks = validation_sequences(corpus)
    advance = trainer(run.shape, run.batch_tokens)
    evaluate = evaluator(run.shape, VALIDATION_BLOCKS)
    evaluate_curve = evaluator(run.shape, VALIDATION_BLOCKS // CURVE_EVERY)
    state = jax.block_until_ready(initial_state(run.shape, run.seed))

    measured, curve, wall, cpu = curve_chunks(len(data)), [], 0.0, 0.0
    start, cpu_start = time.perf_counter(), time.process_time()
    for i in range(len(data)):
        state = advance(state, data[i], rates[i])
        if i + 1 in measured:
            jax.block_until_ready(state)
            wall += time.perf_counter() - start
            cpu += time.process_time() - cpu_start
            loss = float(evaluate_curve(state[0], blocks[::CURVE_EVERY]).mean())
            curve.append(((i + 1) * CHUNK, loss))
            start, cpu_start = time.perf_counter(), time.process_time()

    start = time.perf_counter()
    losses = np.asarray(evaluate(state[0], blocks), np.float64)
    seconds = time.perf_counter() - start
    error = float(losses.std(ddof=1)) / math.sqrt(VALIDATION_BLOCKS)
    return Outcome(float(losses.mean()), error, wall, cpu, seconds, curve)
