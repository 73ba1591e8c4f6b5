"""The parts of a decoder-only transformer: embedding, attention, feed-forward network, LM head."""

import numpy as np

from bitjoule.energy_models.architecture.block import At, Elementwise, Floats, Linear, MatmulSizes, Part, Product
from bitjoule.energy_models.system.steps import MatmulKind


def embedding(hidden: int, vocabulary: int, learned_positions: int = 0) -> Part:
    """Return the embedding: a row of its table for each token.

    Parameters
    ----------
    hidden, vocabulary
        Its size.
    learned_positions
        Rows of a learned position table; 0 for none.
    """
    return Part(
        elementwise=(Elementwise("embedding", "embedding", lambda at: at.tokens * hidden),),
        stored=(("embedding", vocabulary * hidden), ("other", learned_positions * hidden)),
        embedded=hidden,
    )


def attention(
    hidden: int, heads: int, kv_heads: int, head_dim: int, *, norm: str = "rmsnorm", qkv_bias: bool = False,
    output_bias: bool = False, sub_norm: bool = False, post_norm: bool = False, qk_norm: bool = False,
    rotary: bool = True, causal: bool = True,
) -> Part:  # fmt: skip
    """Return a norm and the attention after it.

    Parameters
    ----------
    hidden, heads, kv_heads, head_dim
        Widths of the residual stream and of a head; query heads, heads of keys and values.
    norm
        Kind of norm.
    qkv_bias, output_bias
        Which linears have biases.
    sub_norm, post_norm, qk_norm
        Further norms: before the output projection, after it, on queries and keys.
    rotary
        Whether positions are rotations of queries and keys.
    causal
        Whether a mask hides the tokens after a query's own.
    """
    q, kv, group = heads * head_dim, kv_heads * head_dim, heads // kv_heads

    def queries(at: At) -> Floats:
        return at.queries if causal else at.rows / at.batch

    def per_kv_head(at: At) -> tuple[Floats, Floats]:
        return queries(at) * group, at.repeats * (at.batch * kv_heads)

    def scores(at: At) -> MatmulSizes:
        m, times = per_kv_head(at)
        return MatmulSizes(m, np.full_like(m, head_dim), at.context, times)

    def values(at: At) -> MatmulSizes:
        m, times = per_kv_head(at)
        return MatmulSizes(m, at.context, np.full_like(m, head_dim), times)

    def pairs(at: At) -> Floats:
        return at.batch * queries(at) * at.repeats * at.context * heads

    def whole_rows(at: At) -> Floats:  # 1 where rows are normed or quantised as a whole before the output projection
        return np.maximum(at.quantises, sub_norm)

    normed = hidden * (1 + post_norm) + q * sub_norm + (q + kv) * qk_norm
    work = [
        Elementwise("norm", norm, lambda at: at.tokens * normed),
        Elementwise("activation_quantisation", "quantisation", lambda at: at.tokens * (hidden + q) * at.quantises),
        Elementwise(
            "activation_quantisation",
            "quantisation",
            lambda at: (at.tokens * q + pairs(at)) * at.quantises_queries,
            of_queries=True,
        ),
        Elementwise("softmax", "softmax", pairs),
        Elementwise("residual", "residual", lambda at: at.tokens * hidden),
    ]
    if rotary:
        work.append(Elementwise("rotary", "rotary", lambda at: at.tokens * (q + kv)))
    return Part(
        matmuls=(
            Linear("q_proj", hidden, q, qkv_bias, 1),
            Linear("k_proj", hidden, kv, qkv_bias, 1, MatmulKind.KV_PROJECTION),
            Linear("v_proj", hidden, kv, qkv_bias, 1, MatmulKind.KV_PROJECTION),
            Product("attention_scores", MatmulKind.SCORES, scores, over_context=False),
            Product("attention_values", MatmulKind.VALUES, values, over_context=True),
            Linear("o_proj", q, hidden, output_bias, 1),
        ),
        elementwise=tuple(work),
        stored=(("other", norm_values(norm, hidden * (1 + post_norm) + q * sub_norm + 2 * head_dim * qk_norm)),),
        cached=2 * kv,
        activations_read=lambda at: 2 * hidden + q * whole_rows(at),
        residual_written=lambda _: hidden,
        inputs_written=lambda at: hidden + q * whole_rows(at),
        live=2 * hidden + q + 2 * kv,
    )


def feed_forward(
    hidden: int, inner: int, activation: str, *, gated: bool, norm: str = "rmsnorm", bias: bool = False,
    sub_norm: bool = False, post_norm: bool = False, experts: int = 1, active: int = 1,
) -> Part:  # fmt: skip
    """Return a norm and the feed-forward network after it, or a mixture of them.

    Parameters
    ----------
    hidden, inner
        Widths of the residual stream and inside.
    activation, gated
        The function inside; whether a gate's branch is multiplied with it.
    norm, bias
        Kind of norm; whether the linears have biases.
    sub_norm, post_norm
        Further norms: before the down projection, after it.
    experts, active
        Networks, and how many of them a token uses; a router chooses if there are several.
    """
    active_width = inner * active
    branches = active_width * (1 + gated)

    def activated(at: At) -> Floats:  # 1 where the outputs come back before the down projection
        return np.maximum(np.maximum(at.quantises, sub_norm), gated)

    def expert(component: str, k: int, n: int) -> Linear:
        return Linear(component, k, n, bias, active, MatmulKind.LINEAR, experts)

    matmuls = [expert("ffn_up", hidden, inner), expert("ffn_down", inner, hidden)]
    if gated:
        matmuls.insert(0, expert("ffn_gate", hidden, inner))
    if experts > 1:
        router = Linear("ffn_router", hidden, experts, bias=False, uses=1, kind=MatmulKind.ROUTER, stored_as="other")
        matmuls.insert(0, router)
    work = [
        Elementwise("norm", norm, lambda at: at.tokens * (hidden * (1 + post_norm) + active_width * sub_norm)),
        Elementwise(
            "activation_quantisation", "quantisation", lambda at: at.tokens * (hidden + active_width) * at.quantises
        ),
        Elementwise("activation_function", activation, lambda at: at.tokens * active_width),
        Elementwise("residual", "residual", lambda at: at.tokens * hidden),
    ]
    if gated:
        work.append(Elementwise("activation_function", "gate", lambda at: at.tokens * active_width))
    return Part(
        matmuls=tuple(matmuls),
        elementwise=tuple(work),
        stored=(("other", norm_values(norm, hidden * (1 + post_norm) + inner * experts * sub_norm)),),
        activations_read=lambda at: 2 * hidden + branches * activated(at),
        residual_written=lambda _: hidden,
        inputs_written=lambda at: hidden + active_width * activated(at),
        live=2 * hidden + branches,
    )


def head(hidden: int, vocabulary: int, *, norm: str = "rmsnorm", tied: bool = False) -> Part:
    """Return the last norm and the LM head.

    Parameters
    ----------
    hidden, vocabulary
        Its size.
    norm
        Kind of norm.
    tied
        Whether its matrix is the embedding.
    """
    matrix = Linear("lm_head", hidden, vocabulary, False, 1, MatmulKind.HEAD, stored_as="" if tied else "lm_head")
    return Part(
        matmuls=(matrix,),
        elementwise=(Elementwise("norm", norm, lambda at: at.tokens * hidden),),
        stored=(("other", norm_values(norm, hidden)),),
    )


def norm_values(norm: str, width: int) -> int:
    """Return the trainable values of norms.

    Parameters
    ----------
    norm
        Their kind: a gain, and for ``layernorm`` a bias.
    width
        Values that they norm.
    """
    return width * (2 if norm == "layernorm" else 1)
