"""The parts of a decoder-only transformer: embedding, attention, feed-forward network, LM head."""

from typing import Literal, NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.block import At, Elementwise, Floats, Form, Linear, MatmulSizes, Part, Product
from bitjoule.energy_models.architecture.parts.indexer import BlockIndexer
from bitjoule.energy_models.architecture.parts.windows import attended, attended_blocks
from bitjoule.energy_models.system.work.steps import MatmulKind


class Norm(NamedTuple):
    """A kind of norm, and what it learns.

    Parameters
    ----------
    kind
        ``rmsnorm`` or ``layernorm``.
    gain, bias
        Whether it learns a factor, and a summand (default: as ``layernorm`` does), for each value.
    """

    kind: str = "rmsnorm"
    gain: bool = True
    bias: bool | None = None

    def values(self, width: int) -> int:
        """Return its trainable values.

        Parameters
        ----------
        width
            Values that it norms.
        """
        bias = self.kind == "layernorm" if self.bias is None else self.bias
        return width * (self.gain + bias)


RMSNORM = Norm()


def embedding(hidden: int, vocabulary: int, learned_positions: int = 0, norm: Norm | None = None) -> Part:
    """Return the embedding: a row of its table for each token.

    Parameters
    ----------
    hidden, vocabulary
        Its size.
    learned_positions
        Rows of a learned position table; 0 for none.
    norm
        Of its rows, if they are normed.
    """
    work = [Elementwise("embedding", "embedding", lambda at: at.tokens * hidden)]
    if norm is not None:
        work.append(Elementwise("norm", norm.kind, lambda at: at.tokens * hidden))
    norm_values = norm.values(hidden) if norm is not None else 0
    return Part(
        elementwise=tuple(work),
        stored=(("embedding", vocabulary * hidden), ("other", learned_positions * hidden + norm_values)),
        embedded=hidden,
    )


def softmax_work(hidden: int, queries: int, pairs: Form) -> tuple[Elementwise, ...]:
    """Return the element-wise work of attention of any kind: quantised queries and probabilities, softmax, residual.

    Parameters
    ----------
    hidden, queries
        Widths of the residual stream, and of a token's queries.
    pairs
        Of a query and a key, in all heads.
    """
    return (
        Elementwise(
            "activation_quantisation",
            "quantisation",
            lambda at: (at.tokens * queries + np.asarray(pairs(at))) * at.quantises_queries,
            of_queries=True,
        ),
        Elementwise("softmax", "softmax", pairs),
        Elementwise("residual", "residual", lambda at: at.tokens * hidden),
    )


def attention(
    hidden: int, heads: int, kv_heads: int, head_dim: int, *, norm: Norm = RMSNORM, qkv_bias: bool = False,
    output_bias: bool = False, pre_norm: bool = True, sub_norm: bool = False, post_norm: bool = False,
    qk_norm: bool | Literal["width", "plain"] = False, linear_norm: bool = False, rotary_share: float = 1.0,
    causal: bool = True, window: int = 0, sinks: bool = False, output_gate: bool | Literal["head"] = False,
    rotated: bool = False, kv_cache: bool = True, kv_shared: bool = False, chunked: bool = False,
    values_are_keys: bool = False, value_norm: bool = False, value_dim: int = 0,
    indexer: BlockIndexer | None = None,
) -> Part:  # fmt: skip
    """Return a norm and the attention after it.

    Parameters
    ----------
    hidden, heads, kv_heads, head_dim
        Widths of the residual stream and of a head; query heads, heads of keys and values.
    norm
        Its norms.
    qkv_bias, output_bias
        Which linears have biases.
    pre_norm, sub_norm, post_norm, qk_norm, linear_norm
        Norms before the part; before the output projection, after it; on queries and keys, with one gain for all heads,
        over the `width` of all of them, or `plain`, without gains; before every projection.
    rotary_share
        Share of each head of queries and keys that rotary positions rotate.
    causal
        Whether a mask hides the tokens after a query's own.
    window
        Tokens that a query attends to; 0 for all.
    sinks
        Whether each head has a learned logit beside those of the keys.
    output_gate
        Whether the heads' outputs are multiplied with a gate, of a projection as wide as the queries'; of one value for
        each `head`, without a bias.
    rotated
        Whether a rotation stands before the output projection.
    kv_cache
        Whether keys and values stay once it has run.
    kv_shared
        Whether it reads the keys and values of a layer before it, and makes none.
    values_are_keys, value_norm
        Whether the projection of keys gives the values, too; whether these are normed, without gains.
    chunked
        Whether a query attends to the tokens of its own chunk of `window` tokens.
    value_dim
        Width of a head's values and outputs; 0 for `head_dim`.
    indexer
        What chooses the blocks of keys that a query attends to.
    """
    q, group = heads * head_dim, heads // kv_heads
    value_dim = value_dim or head_dim
    out = heads * value_dim
    keys, cached_values = (0, 0) if kv_shared else (kv_heads * head_dim, kv_heads * value_dim)
    inputs = (1 if kv_shared else 3) * hidden  # of the projections before attention

    def met(at: At) -> tuple[Floats, Floats]:
        if indexer:
            return attended_blocks(at, indexer.block, indexer.top)
        return attended(at, window, causal=causal, chunked=chunked)

    def per_kv_head(at: At) -> tuple[Floats, Floats, Floats]:
        queries, context = met(at)
        return queries * group, context, at.repeats * (at.batch * kv_heads)

    def scores(at: At) -> MatmulSizes:
        m, context, times = per_kv_head(at)
        return MatmulSizes(m, np.full_like(m, head_dim), context, times)

    def values(at: At) -> MatmulSizes:
        m, context, times = per_kv_head(at)
        return MatmulSizes(m, context, np.full_like(m, value_dim), times)

    def pairs(at: At) -> Floats:
        queries, context = met(at)
        return at.batch * queries * at.repeats * context * heads

    def whole_rows(at: At) -> Floats:  # 1 where the output projection takes rows that are worked on as a whole
        return np.maximum(at.quantises, sub_norm or rotated)

    normed = (
        hidden * (pre_norm + post_norm)
        + out * sub_norm
        + (q + keys) * bool(qk_norm)
        + cached_values * value_norm
        + (inputs + out) * linear_norm
    )
    qk_gains = q + keys if qk_norm == "width" else (1 if kv_shared else 2) * head_dim * (qk_norm is True)
    gains = hidden * (pre_norm + post_norm) + out * sub_norm + qk_gains + (inputs + out) * linear_norm
    index_gains = 2 * indexer.width if indexer else 0  # of the norms of its queries and keys
    gate = heads if output_gate == "head" else out * output_gate
    work = [
        Elementwise("norm", norm.kind, lambda at: at.tokens * normed),
        Elementwise("activation_quantisation", "quantisation", lambda at: at.tokens * (hidden + out) * at.quantises),
        *softmax_work(hidden, q, pairs),
    ]
    if rotary_share:
        work.append(Elementwise("rotary", "rotary", lambda at: at.tokens * ((q + keys) * rotary_share)))
    if output_gate:
        work.append(Elementwise("activation_function", "sigmoid", lambda at: at.tokens * gate))
        work.append(Elementwise("activation_function", "gate", lambda at: at.tokens * out))
    if indexer:
        work.extend(indexer.work(norm.kind, rotary_share))
    projections = {"k_proj": keys} if values_are_keys else {"k_proj": keys, "v_proj": cached_values}
    into_cache = [Linear(n, hidden, w, qkv_bias, 1, MatmulKind.KV_PROJECTION) for n, w in projections.items()]
    own_gate = output_gate == "head"
    return Part(
        matmuls=(
            Linear("q_proj", hidden, q if own_gate else q + gate, qkv_bias, 1),
            *([Linear("q_proj", hidden, gate, False, 1)] if own_gate else ()),
            *(() if kv_shared else into_cache),
            *(indexer.matmuls(hidden) if indexer else ()),
            Product("attention_scores", MatmulKind.SCORES, scores, over_context=False),
            Product("attention_values", MatmulKind.VALUES, values, over_context=True),
            Linear("o_proj", out, hidden, output_bias, 1),
        ),
        elementwise=tuple(work),
        stored=(("other", norm.values(gains + index_gains) + heads * sinks),),
        cached=keys + cached_values + (indexer.width if indexer else 0),
        window=window,
        keeps=kv_cache,
        activations_read=lambda at: 2 * hidden + out * whole_rows(at),
        residual_written=lambda _: hidden,
        inputs_written=lambda at: hidden + out * whole_rows(at),
        live=2 * hidden + q + keys + cached_values,
    )


def feed_forward(
    hidden: int, inner: int, activation: str, *, gated: bool, norm: Norm = RMSNORM, bias: bool = False,
    pre_norm: bool = True, sub_norm: bool = False, post_norm: bool = False, linear_norm: bool = False,
    experts: int = 1, active: int = 1, shared: int = 0, shared_gate: bool = False, router_bias: bool = False,
    rotated: bool = False, latent: int = 0, branch_norms: bool = False,
) -> Part:  # fmt: skip
    """Return a norm and the feed-forward network after it, or a mixture of them.

    Parameters
    ----------
    hidden, inner
        Widths of the residual stream and inside.
    activation, gated
        The function inside; whether a gate's branch is multiplied with it.
    norm, bias
        Its norms; whether the linears have biases.
    pre_norm, sub_norm, post_norm, linear_norm
        Norms before the part; before the down projection, after it; before every projection.
    experts, active
        Networks, and how many of them a token uses; a router chooses if there are several.
    shared, shared_gate
        Inner width of the networks that every token uses beside those, together; whether a gate scales their output.
    router_bias
        Whether the router has a bias.
    rotated
        Whether a rotation stands before the down projection.
    branch_norms
        Whether shared networks and experts have norms of their own, and the router scales (Gemma 4).
    latent
        Width of a latent that the experts take and give, in place of the residual stream's; 0 for none.
    """
    active_width = inner * active + shared
    all_width = inner * experts + shared
    projected = (1 + gated) * hidden  # inputs of the projections before the inner function, with norms of their own
    linear_norms = (projected * active + inner * active) * linear_norm, (projected + inner) * experts * linear_norm
    branches = active_width * (1 + gated)

    def activated(at: At) -> Floats:  # 1 where the outputs come back before the down projection
        return np.maximum(at.quantises, sub_norm or rotated or gated)

    def expert(component: str, k: int, n: int) -> Linear:
        return Linear(component, k, n, bias, active, MatmulKind.LINEAR, experts)

    width = latent or hidden
    matmuls = [expert("ffn_up", width, inner), expert("ffn_down", inner, width)]
    if gated:
        matmuls.insert(0, expert("ffn_gate", width, inner))
    if latent:
        matmuls = [
            Linear("ffn_latent", hidden, latent, bias, 1),
            *matmuls,
            Linear("ffn_latent", latent, hidden, bias, 1),
        ]
    if experts > 1:
        router = Linear("ffn_router", hidden, experts, router_bias, uses=1, kind=MatmulKind.ROUTER, stored_as="other")
        matmuls.insert(0, router)
    if shared:
        always = [Linear("ffn_up", hidden, shared, bias, 1), Linear("ffn_down", shared, hidden, bias, 1)]
        matmuls += [Linear("ffn_gate", hidden, shared, bias, 1), *always] if gated else always
    if shared_gate:
        matmuls.append(Linear("ffn_router", hidden, 1, False, 1, MatmulKind.ROUTER, stored_as="other"))
    branches_normed = 4 * hidden * branch_norms
    normed = branches_normed + hidden * (pre_norm + post_norm) + active_width * sub_norm + linear_norms[0]
    gains = branches_normed + hidden * (pre_norm + post_norm) + all_width * sub_norm + linear_norms[1]
    work = [
        Elementwise("norm", norm.kind, lambda at: at.tokens * normed),
        Elementwise(
            "activation_quantisation",
            "quantisation",
            lambda at: at.tokens * (hidden + active_width + 2 * latent) * at.quantises,
        ),
        Elementwise("activation_function", activation, lambda at: at.tokens * active_width),
        Elementwise("residual", "residual", lambda at: at.tokens * hidden),
    ]
    if gated:
        work.append(Elementwise("activation_function", "gate", lambda at: at.tokens * active_width))
    return Part(
        matmuls=tuple(matmuls),
        elementwise=tuple(work),
        stored=(("other", norm.values(gains) + experts * branch_norms),),
        activations_read=lambda at: 2 * hidden + branches * activated(at),
        residual_written=lambda _: hidden,
        inputs_written=lambda at: hidden + active_width * activated(at),
        live=2 * hidden + branches,
    )


def replacement(component: str, hidden: int, norm: Norm, *, bias: bool) -> Part:
    """Return a norm and one matrix, which an architecture search left in place of attention or of a network.

    Parameters
    ----------
    component
        Of what it replaces, in the long table.
    hidden, norm, bias
        Width of the residual stream; the norm; whether the matrix has a bias.

    References
    ----------
    Bercovich et al., "Puzzle: Distillation-Based NAS for Inference-Optimized LLMs", arXiv:2411.19146.
    """
    return Part(
        matmuls=(Linear(component, hidden, hidden, bias, 1),),
        elementwise=(
            Elementwise("norm", norm.kind, lambda at: at.tokens * hidden),
            Elementwise("activation_quantisation", "quantisation", lambda at: at.tokens * hidden * at.quantises),
            Elementwise("residual", "residual", lambda at: at.tokens * hidden),
        ),
        stored=(("other", norm.values(hidden)),),
        activations_read=lambda _: 2 * hidden,
        residual_written=lambda _: hidden,
        inputs_written=lambda _: hidden,
        live=2 * hidden,
    )


def head(
    hidden: int, vocabulary: int, *, norm: Norm | None = RMSNORM, tied: bool = False, matrix: bool = True,
    bias: bool = False,
) -> Part:  # fmt: skip
    """Return the last norm and the LM head.

    Parameters
    ----------
    hidden, vocabulary
        Its size.
    norm
        The norm before it, if there is one.
    tied
        Whether its matrix is the embedding.
    matrix, bias
        Whether there is an LM head, and whether it has a bias.
    """
    stored_as = "" if tied else "lm_head"
    linear = Linear("lm_head", hidden, vocabulary, bias, 1, MatmulKind.HEAD, stored_as=stored_as)
    if norm is None:
        return Part(matmuls=(linear,) * matrix)
    return Part(
        matmuls=(linear,) * matrix,
        elementwise=(Elementwise("norm", norm.kind, lambda at: at.tokens * hidden),),
        stored=(("other", norm.values(hidden)),),
    )
