"""Two byte-level language models in plain JAX: a decoder-only transformer and a gated recurrent network.

A model is a pair of pure functions, `initial(key, shape) -> parameters` and
`logits(parameters, tokens, shape) -> (batch, context, 256)`; parameters are a dict of arrays. Input and
output embeddings are tied, so the embedding matrix is counted once and does work as the output layer.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

VOCABULARY = 256
CONTEXT = 64

Parameters = dict[str, jax.Array]


@dataclass(frozen=True)
class Shape:
    """The size of one model."""

    architecture: str
    width: int
    layers: int

    @property
    def label(self) -> str:
        return f"w{self.width}l{self.layers}"


@dataclass(frozen=True)
class Architecture:
    initial: Callable[[jax.Array, Shape], Parameters]
    logits: Callable[[Parameters, jax.Array, Shape], jax.Array]
    forward_flops: Callable[[Shape], int]


def normal(key: jax.Array, *dimensions: int, scale: float = 1.0) -> jax.Array:
    """Normal weights whose output has the variance of the input, times `scale` squared."""
    return scale / math.sqrt(dimensions[-2]) * jax.random.normal(key, dimensions)


def embedding(key: jax.Array, width: int) -> Parameters:
    return {
        "embedding": 0.5 / math.sqrt(width) * jax.random.normal(key, (VOCABULARY, width)),
        "output_gain": jnp.ones(width),
    }


def embed(parameters: Parameters, tokens: jax.Array) -> jax.Array:
    table = parameters["embedding"]
    return math.sqrt(table.shape[1]) * table[tokens]


def tied_output(parameters: Parameters, x: jax.Array) -> jax.Array:
    return rms_norm(x, parameters["output_gain"]) @ parameters["embedding"].T


def rms_norm(x: jax.Array, gain: jax.Array) -> jax.Array:
    return gain * x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6)


# --- decoder-only transformer (pre-norm, rotary positions, GELU) -----------------------------------


def heads_of(shape: Shape) -> int:
    """At least two: with one head the smallest models end in clearly different places by seed."""
    return 2 if shape.width < 24 else max(4, shape.width // 16)


def transformer_initial(key: jax.Array, shape: Shape) -> Parameters:
    width, layers = shape.width, shape.layers
    keys = jax.random.split(key, 5)
    depth_scale = 1 / math.sqrt(2 * layers)
    return embedding(keys[0], width) | {
        "attention_gain": jnp.ones((layers, width)),
        "attention_in": normal(keys[1], layers, width, 3 * width),
        "attention_out": normal(keys[2], layers, width, width, scale=depth_scale),
        "mlp_gain": jnp.ones((layers, width)),
        "mlp_in": normal(keys[3], layers, width, 4 * width),
        "mlp_out": normal(keys[4], layers, 4 * width, width, scale=depth_scale),
    }


def rotate(x: jax.Array) -> jax.Array:
    """Rotary position embedding of (batch, context, heads, channels)."""
    context, half = x.shape[1], x.shape[-1] // 2
    frequency = 200.0 ** (-jnp.arange(half) / half)
    angle = (jnp.arange(context)[:, None] * frequency)[:, None, :]
    a, b = x[..., :half], x[..., half:]
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    return jnp.concatenate([a * cosine - b * sine, a * sine + b * cosine], axis=-1)


def attention(x: jax.Array, weights_in: jax.Array, weights_out: jax.Array, heads: int) -> jax.Array:
    batch, context, width = x.shape
    query, key, value = jnp.moveaxis(
        (x @ weights_in).reshape(batch, context, 3, heads, width // heads), 2, 0
    )
    scores = jnp.einsum("bqhc,bkhc->bhqk", rotate(query), rotate(key)) / math.sqrt(width // heads)
    causal = jnp.tril(jnp.ones((context, context), bool))
    shares = jax.nn.softmax(jnp.where(causal, scores, -1e9), axis=-1)
    mixed = jnp.einsum("bhqk,bkhc->bqhc", shares, value)
    return mixed.reshape(batch, context, width) @ weights_out


def transformer_logits(parameters: Parameters, tokens: jax.Array, shape: Shape) -> jax.Array:
    p = parameters
    x = embed(p, tokens)
    for i in range(shape.layers):
        normed = rms_norm(x, p["attention_gain"][i])
        x = x + attention(normed, p["attention_in"][i], p["attention_out"][i], heads_of(shape))
        normed = rms_norm(x, p["mlp_gain"][i])
        x = x + jax.nn.gelu(normed @ p["mlp_in"][i]) @ p["mlp_out"][i]
    return tied_output(p, x)


def transformer_forward_flops(shape: Shape) -> int:
    """Multiplications and additions of the matrix products for one token."""
    per_layer = 2 * 12 * shape.width**2 + 2 * 2 * CONTEXT * shape.width
    return shape.layers * per_layer + 2 * VOCABULARY * shape.width


# --- gated recurrent network (GRU) -----------------------------------------------------------------


def recurrent_initial(key: jax.Array, shape: Shape) -> Parameters:
    width, layers = shape.width, shape.layers
    keys = jax.random.split(key, 4)
    return embedding(keys[0], width) | {
        "layer_gain": jnp.ones((layers, width)),
        "input": normal(keys[1], layers, width, 3 * width),
        "recurrent": normal(keys[2], layers, width, 3 * width),
        "bias": jnp.zeros((layers, 3 * width)),
        "output": normal(keys[3], layers, width, width, scale=1 / math.sqrt(layers)),
    }


def recurrent_layer(
    x: jax.Array, weights: jax.Array, recurrent: jax.Array, bias: jax.Array
) -> jax.Array:
    batch, _, width = x.shape
    projected = jnp.moveaxis(x @ weights + bias, 1, 0)

    def step(state: jax.Array, now: jax.Array) -> tuple[jax.Array, jax.Array]:
        past = state @ recurrent
        reset = jax.nn.sigmoid(now[:, :width] + past[:, :width])
        update = jax.nn.sigmoid(now[:, width : 2 * width] + past[:, width : 2 * width])
        candidate = jnp.tanh(now[:, 2 * width :] + reset * past[:, 2 * width :])
        state = update * state + (1 - update) * candidate
        return state, state

    _, states = jax.lax.scan(step, jnp.zeros((batch, width)), projected)
    return jnp.moveaxis(states, 0, 1)


def recurrent_logits(parameters: Parameters, tokens: jax.Array, shape: Shape) -> jax.Array:
    p = parameters
    x = embed(p, tokens)
    for i in range(shape.layers):
        normed = rms_norm(x, p["layer_gain"][i])
        states = recurrent_layer(normed, p["input"][i], p["recurrent"][i], p["bias"][i])
        x = x + states @ p["output"][i]
    return tied_output(p, x)


def recurrent_forward_flops(shape: Shape) -> int:
    return shape.layers * 2 * 7 * shape.width**2 + 2 * VOCABULARY * shape.width


ARCHITECTURES = {
    "transformer": Architecture(transformer_initial, transformer_logits, transformer_forward_flops),
    "recurrent": Architecture(recurrent_initial, recurrent_logits, recurrent_forward_flops),
}


# --- what is counted -------------------------------------------------------------------------------


def parameter_counts(shape: Shape) -> tuple[int, int]:
    """The number of parameters with and without the (tied) embedding matrix."""
    initial = ARCHITECTURES[shape.architecture].initial
    shapes = jax.eval_shape(lambda key: initial(key, shape), jax.random.key(0))
    total = sum(math.prod(array.shape) for array in jax.tree.leaves(shapes))
    return total, total - VOCABULARY * shape.width


def training_flops(shape: Shape, tokens: int) -> int:
    """Counted matrix products of forward and backward pass (three times the forward pass)."""
    return 3 * ARCHITECTURES[shape.architecture].forward_flops(shape) * tokens


def token_losses(parameters: Parameters, sequences: jax.Array, shape: Shape) -> jax.Array:
    """Negative log-likelihood in nats of every byte of `sequences` after its first."""
    tokens = sequences.astype(jnp.int32)
    logits = ARCHITECTURES[shape.architecture].logits(parameters, tokens[:, :-1], shape)
    chosen = jnp.take_along_axis(logits, tokens[:, 1:, None], axis=-1)[..., 0]
    return jax.nn.logsumexp(logits, axis=-1) - chosen
