"""Latent attention (DeepSeek-V2): the cache holds a compressed vector for each token instead of keys and values.

A step of several tokens expands the latents of its context into keys and values of each head. A step of one token
folds the expansion into its queries and outputs instead, so that the heads attend to the latents themselves: as many
multiply-accumulates in the expansion, and wider scores and values.
"""

from typing import Literal

import numpy as np
from pydantic import Field

from bitjoule.energy_models.architecture.block import At, Elementwise, Floats, Linear, MatmulSizes, Part, Product
from bitjoule.energy_models.architecture.transformer import RMSNORM, Norm, softmax_work
from bitjoule.energy_models.inputs.validation import Strict
from bitjoule.energy_models.system.steps import MatmulKind

_MOST = 10**7


class LatentAttention(Strict):
    """Widths of latent attention.

    Parameters
    ----------
    kv_rank, query_rank
        Width of the latent of keys and values, and of that of queries; 0 where queries have none.
    nope_dim, rope_dim, value_dim
        Of each head: width of queries and keys without and with rotary positions, and of values. The rotated key is
        one for all heads.
    """

    kind: Literal["latent_attention"] = "latent_attention"
    kv_rank: int = Field(ge=1, le=_MOST)
    query_rank: int = Field(default=0, ge=0, le=_MOST)
    nope_dim: int = Field(ge=1, le=_MOST)
    rope_dim: int = Field(ge=1, le=_MOST)
    value_dim: int = Field(ge=1, le=_MOST)


def attention(
    hidden: int, heads: int, latent: LatentAttention, *, norm: Norm = RMSNORM, qkv_bias: bool = False,
    output_bias: bool = False, rotary: bool = True,
) -> Part:  # fmt: skip
    """Return a norm and the latent attention after it.

    Parameters
    ----------
    hidden, heads
        Width of the residual stream; heads.
    latent
        The other widths.
    norm
        Its norms.
    qkv_bias, output_bias
        Which linears have biases: those into the latents, and the output projection.
    rotary
        Whether positions are rotations.
    """
    head_dim = latent.nope_dim + latent.rope_dim
    q, out, kept = heads * head_dim, heads * latent.value_dim, latent.kv_rank + latent.rope_dim
    expanded = heads * (latent.nope_dim + latent.value_dim)

    def alone(at: At) -> Floats:  # 1 where a step takes one token of each sequence
        return (at.rows <= at.batch) * np.ones_like(at.context)

    def scores(at: At) -> MatmulSizes:
        single = alone(at)
        m = at.queries * np.where(single > 0, heads, 1)
        times = at.repeats * at.batch * np.where(single > 0, 1, heads)
        return MatmulSizes(m, np.where(single > 0, kept, head_dim), at.context, times)

    def values(at: At) -> MatmulSizes:
        m, _, context, times = scores(at)
        return MatmulSizes(m, context, np.where(alone(at) > 0, latent.kv_rank, latent.value_dim), times)

    def pairs(at: At) -> Floats:
        return at.batch * at.queries * at.repeats * at.context * heads

    into_queries = (
        [
            Linear("q_proj", hidden, latent.query_rank, qkv_bias, 1),
            Linear("q_proj", latent.query_rank, q, False, 1),
        ]
        if latent.query_rank
        else [Linear("q_proj", hidden, q, False, 1)]
    )
    normed = hidden + latent.query_rank + latent.kv_rank
    inputs = hidden + latent.query_rank + latent.kv_rank + out
    work = [
        Elementwise("norm", norm.kind, lambda at: at.tokens * normed),
        Elementwise("activation_quantisation", "quantisation", lambda at: at.tokens * inputs * at.quantises),
        *softmax_work(hidden, q, pairs),
    ]
    if rotary:
        work.append(Elementwise("rotary", "rotary", lambda at: at.tokens * (heads + 1) * latent.rope_dim))
    return Part(
        matmuls=(
            *into_queries,
            Linear("k_proj", hidden, kept, qkv_bias, 1, MatmulKind.KV_PROJECTION),
            Linear("kv_up_proj", latent.kv_rank, expanded, False, 1),
            Product("attention_scores", MatmulKind.SCORES, scores, over_context=False),
            Product("attention_values", MatmulKind.VALUES, values, over_context=True),
            Linear("o_proj", out, hidden, output_bias, 1),
        ),
        elementwise=tuple(work),
        stored=(("other", norm.values(normed)),),
        cached=kept,
        activations_read=lambda at: 2 * hidden + latent.query_rank + latent.kv_rank + out * at.quantises,
        residual_written=lambda _: hidden,
        inputs_written=lambda at: hidden + latent.query_rank + latent.kv_rank + out * at.quantises,
        live=2 * hidden + q + expanded,
    )
