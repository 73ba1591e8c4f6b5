"""Latent attention (DeepSeek-V2): the cache holds a compressed vector for each token instead of keys and values.

A step of several tokens expands the latents of its context into keys and values of each head. A step of one token
folds the expansion into its queries and outputs instead, so that the heads attend to the latents themselves: as many
multiply-accumulates in the expansion, and wider scores and values.
"""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from bitjoule.energy_models.architecture.block import At, Elementwise, Floats, Linear, MatmulSizes, Part, Product
from bitjoule.energy_models.architecture.parts.indexer import Indexer
from bitjoule.energy_models.architecture.parts.transformer import RMSNORM, Norm, softmax_work
from bitjoule.energy_models.architecture.parts.windows import attended
from bitjoule.energy_models.inputs.validation import Strict, wrong_value
from bitjoule.energy_models.system.work.steps import MatmulKind

_MOST = 10**7


class LatentAttention(Strict):
    """Widths of latent attention.

    Parameters
    ----------
    kv_rank, query_rank
        Width of the latent of keys and values, and of that of queries; 0 where queries have none.
    index_heads, index_dim, index_top
        Sparse attention (DeepSeek-V3.2): heads and width of an indexer, 0 for none, which scores all tokens before a
        query; how many of these the query attends to, 0 for all. A layer without an indexer takes those of another.
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
    index_heads: int = Field(default=0, ge=0, le=_MOST)
    index_dim: int = Field(default=0, ge=0, le=_MOST)
    index_top: int = Field(default=0, ge=0, le=_MOST)

    @model_validator(mode="after")
    def _indexed(self) -> Self:
        if (self.index_heads > 0) != (self.index_dim > 0):
            raise wrong_value("an indexer without heads or without a width", "both, or neither", "index_heads")
        if self.index_heads and not self.index_top:
            raise wrong_value("an indexer that chooses no tokens", "index_top, how many it chooses", "index_top")
        if self.index_heads and not self.query_rank:
            raise wrong_value("an indexer without the latent of queries", "query_rank, its width", "query_rank")
        return self


def attention(
    hidden: int, heads: int, latent: LatentAttention, *, norm: Norm = RMSNORM, qkv_bias: bool = False,
    output_bias: bool = False, rotary: bool = True, rotated: bool = False,
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
    rotated
        Whether a rotation stands before the output projection.
    """
    head_dim = latent.nope_dim + latent.rope_dim
    q, out, kept = heads * head_dim, heads * latent.value_dim, latent.kv_rank + latent.rope_dim
    expanded = heads * (latent.nope_dim + latent.value_dim)

    def whole_rows(at: At) -> Floats:
        return np.maximum(at.quantises, rotated)

    def alone(at: At) -> Floats:  # 1 where a step takes one token of each sequence
        return (at.rows <= at.batch) * np.ones_like(at.context)

    def scores(at: At) -> MatmulSizes:
        single = alone(at)
        queries, context = attended(at, latent.index_top)
        m = queries * np.where(single > 0, heads, 1)
        times = at.repeats * at.batch * np.where(single > 0, 1, heads)
        return MatmulSizes(m, np.where(single > 0, kept, head_dim), context, times)

    def values(at: At) -> MatmulSizes:
        m, _, context, times = scores(at)
        return MatmulSizes(m, context, np.where(alone(at) > 0, latent.kv_rank, latent.value_dim), times)

    def pairs(at: At) -> Floats:
        queries, context = attended(at, latent.index_top)
        return at.batch * queries * at.repeats * context * heads

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
    index = Indexer(latent.query_rank, latent.index_heads, latent.index_dim) if latent.index_heads else None
    return Part(
        matmuls=(
            *into_queries,
            *(index.matmuls(hidden) if index else ()),
            Linear("k_proj", hidden, kept, qkv_bias, 1, MatmulKind.KV_PROJECTION),
            Linear("kv_up_proj", latent.kv_rank, expanded, False, 1),
            Product("attention_scores", MatmulKind.SCORES, scores, over_context=False),
            Product("attention_values", MatmulKind.VALUES, values, over_context=True),
            Linear("o_proj", out, hidden, output_bias, 1),
        ),
        elementwise=(*work, *(index.work if index else ())),
        stored=(("other", norm.values(normed) + (index.stored if index else 0)),),
        cached=kept + latent.index_dim,
        activations_read=lambda at: 2 * hidden + latent.query_rank + latent.kv_rank + out * whole_rows(at),
        residual_written=lambda _: hidden,
        inputs_written=lambda at: hidden + latent.query_rank + latent.kv_rank + out * whole_rows(at),
        live=2 * hidden + q + expanded,
        one_cache=True,
    )
