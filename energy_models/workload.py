"""What a request asks of a model: sizes of every matmul, elements of every element-wise part, bytes that must be held.

Prefill takes the whole prompt of all sequences at once; its LM head runs for each sequence's last token. Each of
`new_tokens` steps of decode takes one token a sequence and attends to all before it: sizes that grow with the context
are those of the mean step, prompt + (new + 1) / 2, times the steps; sums over the steps are exact.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.arithmetic import Cases, Matmul, Phase
from bitjoule.energy_models.functions import Function, functions
from bitjoule.energy_models.models import ModelShape
from bitjoule.energy_models.steps import LINEARS, Kind

Floats = NDArray[np.float64]
MATMULS: dict[str, Kind] = {
    "matmul": Kind.BARE, "q_proj": Kind.LINEAR, "k_proj": Kind.CACHED, "v_proj": Kind.CACHED,
    "attention_scores": Kind.SCORES, "attention_values": Kind.VALUES, "o_proj": Kind.LINEAR, "ffn_router": Kind.ROUTER,
    "ffn_gate": Kind.LINEAR, "ffn_up": Kind.LINEAR, "ffn_down": Kind.LINEAR, "lm_head": Kind.HEAD,
}  # fmt: skip
PHASES = tuple(Phase)


class Sizes(NamedTuple):
    """Matmuls of cases, shape (cases, phases, matmuls) each.

    Parameters
    ----------
    m, k, n
        Tokens, in_features, out_features; zeros where a model or phase has none.
    times
        How often it is run.
    bias
        1 where its outputs get a bias.
    """

    m: Floats
    k: Floats
    n: Floats
    times: Floats
    bias: Floats


class Part(NamedTuple):
    """One element-wise part of a model.

    Parameters
    ----------
    component
        Its name.
    function
        What each element takes, for each model.
    elements
        How many, shape (cases, phases).
    """

    component: str
    function: Sequence[Function]
    elements: Floats


class Workload(NamedTuple):
    """What cases ask for.

    Parameters
    ----------
    sizes
        Their matmuls.
    parts
        Their element-wise parts.
    embedded
        Values of embedding rows that are read, shape (cases, phases).
    cached
        Keys and values written, shape (cases, phases).
    returned, kept, derived
        What crosses the chip's edge between the linears if activations do not stay on chip, shape (cases, phases): the
        residual stream and the outputs that come back for norms and activation functions, the residual stream that is
        written, and the inputs of the next linears that are written.
    live
        Values between the matmuls that must be held at once, shape (cases, phases).
    logits
        Values of the LM head's output, shape (cases,).
    """

    sizes: Sizes
    parts: tuple[Part, ...]
    embedded: Floats
    cached: Floats
    returned: Floats
    kept: Floats
    derived: Floats
    live: Floats
    logits: Floats


class Dimensions:
    """Every model's dimensions as arrays, to be gathered by cases."""

    def __init__(self, models: Sequence[ModelShape | Matmul]) -> None:
        self.models = models
        self.linears = np.zeros((len(models), len(MATMULS), 4))  # in, out, bias, uses
        for i, model in enumerate(models):
            for linear in model.linears:
                self.linears[i, list(MATMULS).index(linear.component)] = linear[1:]

    def of(self, value: Callable[[ModelShape], float]) -> Floats:
        """Return a dimension of every model, 0 for a bare matmul.

        Parameters
        ----------
        value
            Takes it from a shape.
        """
        return np.array([value(m) if isinstance(m, ModelShape) else 0.0 for m in self.models], dtype=np.float64)


class Switches(NamedTuple):
    """What schemes and platforms decide, shape (cases,) each.

    Parameters
    ----------
    skips_masked
        1 where prefill leaves out what the causal mask hides.
    quantises, queries
        1 where the linears' inputs, and where queries and probabilities, are scaled to integers.
    rescales
        1 where the linears' outputs are scaled.
    scale_group
        Values of a sum that share a scale, where partial sums are scaled; 0 for one scale an output.
    """

    skips_masked: Floats
    quantises: Floats
    queries: Floats
    rescales: Floats
    scale_group: Floats


def workload(dimensions: Dimensions, cases: Cases, switches: Switches) -> Workload:
    """Return what cases ask for.

    Parameters
    ----------
    dimensions
        Of the models that `cases` indexes.
    cases
        Arrays of shape (cases,).
    switches
        What their schemes and platforms decide.
    """
    of = {name: dimensions.of(value)[cases.model] for name, value in _DIMENSIONS.items()}
    batch, prompt, new = cases.batch, cases.prompt_tokens, cases.new_tokens
    rows = np.stack([batch * prompt, batch * (new > 0)], axis=1)  # tokens of one step
    steps = np.stack([np.ones_like(new), new], axis=1)
    context = np.stack([prompt, prompt + (new + 1) / 2], axis=1)
    asking = np.where(switches.skips_masked > 0, (prompt + 1) / 2, prompt)  # queries that meet all keys, in effect
    queries = np.stack([asking, (new > 0).astype(np.float64)], axis=1)
    tokens = rows * steps

    def each(name: str) -> Floats:
        return of[name][:, None]

    layers = each("layers")
    sizes = _sizes(dimensions, cases, of, rows, steps, queries, context)
    scores = batch[:, None] * queries * steps * context * each("heads") * layers
    wide = each("q") + 2 * each("kv")
    in_ffn = each("ffn") * each("active")
    inputs = each("hidden") * 2 + each("q") + in_ffn
    norms = each("hidden") * (2 + 2 * each("post_norm")) + (each("q") + in_ffn) * each("sub_norm")
    norms = norms + (each("q") + each("kv")) * each("qk_norm")
    branches = in_ffn * (1 + each("gated"))
    outputs = _scales(sizes, switches.scale_group) * switches.rescales[:, None]
    known = functions()
    models = [model if isinstance(model, ModelShape) else None for model in dimensions.models]

    def alike(name: str) -> Sequence[Function]:
        return [known[name]] * len(models)

    plain = [known[model.activation if model else "relu"] for model in models]
    parts = (
        Part("embedding", alike("embedding"), tokens * each("hidden")),
        Part("norm", [known[model.norm if model else "rmsnorm"] for model in models],
             tokens * layers * norms + tokens * each("hidden")),
        Part("activation_quantisation", alike("quantisation"),
             tokens * layers * inputs * switches.quantises[:, None]
             + (tokens * layers * each("q") + scores) * switches.queries[:, None]),
        Part("rotary", alike("rotary"), tokens * layers * (each("q") + each("kv")) * (1 - each("learned"))),
        Part("softmax", alike("softmax"), scores),
        Part("activation_function", plain, tokens * layers * in_ffn),
        Part("activation_function", alike("gate"), tokens * layers * in_ffn * each("gated")),
        Part("residual", alike("residual"), tokens * layers * each("hidden") * 2),
        Part("output_rescale", alike("rescale"), outputs),
    )  # fmt: skip
    attention = 2 * each("hidden") + wide
    ffn = 2 * each("hidden") + branches
    # Rows that are normed, activated or quantised as a whole before the next linear takes them.
    whole = np.maximum(each("sub_norm"), switches.quantises[:, None])
    values, activated = each("q") * whole, np.maximum(whole, each("gated"))
    return Workload(
        sizes=sizes,
        parts=parts,
        embedded=tokens * each("hidden"),
        cached=tokens * layers * 2 * each("kv"),
        returned=tokens * layers * (4 * each("hidden") + values + branches * activated),
        kept=tokens * layers * 2 * each("hidden"),
        derived=tokens * layers * (2 * each("hidden") + values + in_ffn * activated),
        live=rows * np.maximum(attention, ffn),
        logits=np.where(rows.max(axis=1) > 0, batch * of["vocabulary"], 0.0),
    )


def _scales(sizes: Sizes, group: Floats) -> Floats:
    """Return the products with scales that the linears' outputs take, shape (cases, phases)."""
    linear = np.array([kind in LINEARS for kind in MATMULS.values()])
    groups = np.where(group[:, None, None] > 0, np.ceil(sizes.k / np.maximum(group, 1)[:, None, None]), 1.0)
    return np.asarray((sizes.m * sizes.n * sizes.times * groups * linear).sum(axis=2))


_DIMENSIONS: dict[str, Callable[[ModelShape], float]] = {
    "layers": lambda m: m.layers,
    "hidden": lambda m: m.hidden,
    "heads": lambda m: m.heads,
    "kv_heads": lambda m: m.kv_heads,
    "head_dim": lambda m: m.head_dim,
    "q": lambda m: m.heads * m.head_dim,
    "kv": lambda m: m.kv_heads * m.head_dim,
    "ffn": lambda m: m.ffn,
    "gated": lambda m: m.ffn_gated,
    "vocabulary": lambda m: m.vocabulary,
    "experts": lambda m: m.experts,
    "active": lambda m: m.active_experts,
    "sub_norm": lambda m: m.sub_norm,
    "post_norm": lambda m: m.post_norm,
    "qk_norm": lambda m: m.qk_norm,
    "learned": lambda m: m.learned_positions > 0,
}


def _sizes(
    dimensions: Dimensions,
    cases: Cases,
    of: dict[str, Floats],
    rows: Floats,
    steps: Floats,
    queries: Floats,
    context: Floats,
) -> Sizes:
    shape = (*rows.shape, len(MATMULS))
    linears = dimensions.linears[cases.model][:, None]
    k, n, bias, uses = (np.broadcast_to(linears[..., i], shape).copy() for i in range(4))
    m = np.repeat(rows[:, :, None], len(MATMULS), axis=2) * (k > 0)
    layers = np.where(of["layers"] > 0, of["layers"], 1)[:, None]
    times = np.repeat((steps * layers)[:, :, None], len(MATMULS), axis=2)
    index = {name: i for i, name in enumerate(MATMULS)}
    mixture = of["experts"] > 1
    if mixture.any():  # tokens spread evenly over experts; each that is asked is run once, for all of its tokens
        for name in ("ffn_gate", "ffn_up", "ffn_down"):
            at = index[name]
            asked = m[:, :, at] * uses[:, :, at]
            run = np.maximum(1, np.minimum(of["experts"][:, None], asked))
            m[:, :, at] = np.where(mixture[:, None], asked / run, m[:, :, at])
            times[:, :, at] *= np.where(mixture[:, None], run, 1.0)

    group = (of["heads"] / np.maximum(of["kv_heads"], 1))[:, None]
    width = np.broadcast_to(of["head_dim"][:, None], rows.shape)
    queries = queries * group
    pairs = steps * layers * (cases.batch * of["kv_heads"])[:, None]
    for name, inner, outer in (("attention_scores", width, context), ("attention_values", context, width)):
        at = index[name]
        there = (queries > 0) & (width > 0)
        m[:, :, at], k[:, :, at], n[:, :, at] = queries * there, inner * there, outer * there
        times[:, :, at] = pairs
    at = index["lm_head"]
    there = (rows > 0) & (of["vocabulary"] > 0)[:, None]
    m[:, :, at] = cases.batch[:, None] * there
    k[:, :, at], n[:, :, at] = of["hidden"][:, None] * there, of["vocabulary"][:, None] * there
    times[:, :, at] = steps
    there = m > 0
    return Sizes(m, k * there, n * there, times * there, bias * there)


def stored_values(dimensions: Dimensions) -> dict[str, Floats]:
    """Return the values that each model stores, by part: ``weights``, ``other``, ``embedding``, ``lm_head``.

    Parameters
    ----------
    dimensions
        Of the models. A tied LM head is its embedding: it is stored once, and counted as ``embedding``.
    """
    weights = np.zeros(len(dimensions.models))
    parameters = np.array([float(m.parameters) for m in dimensions.models])
    for i, model in enumerate(dimensions.models):
        for linear in model.linears:
            expert = isinstance(model, ModelShape) and linear.component in ("ffn_gate", "ffn_up", "ffn_down")
            stored = model.experts if expert and isinstance(model, ModelShape) else 1
            if linear.component != "ffn_router":
                weights[i] += model.layers * stored * linear.in_features * linear.out_features
    table = dimensions.of(lambda m: m.vocabulary * m.hidden)
    head = dimensions.of(lambda m: 0 if m.tied_embedding else m.vocabulary * m.hidden)
    return {"weights": weights, "embedding": table, "lm_head": head, "other": parameters - weights - table - head}
