"""Phases, blocks and parts that no shipped model has: counted by both accountings as closed forms say."""

from dataclasses import dataclass

import numpy as np
import pytest

from bitjoule.energy_models.architecture.block import Block, Elementwise, Linear, Part, stored_values
from bitjoule.energy_models.architecture.parts import transformer
from bitjoule.energy_models.architecture.phases import PHASES, Cases, Phase, causal
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.papers.arithmetic import Accounting, count
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.system import System
from bitjoule.energy_models.system.work.steps import MatmulKind

HIDDEN, HEADS, KV_HEADS, HEAD_DIM, FFN, VOCABULARY = 48, 6, 2, 8, 80, 100
Q, KV = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
BATCH, PROMPT, NEW = 3, 40, 6
DRAFT, CONTEXT = 5, 70  # tokens of a step that verifies a draft, and those in the cache before it


@dataclass(frozen=True)
class Described:
    blocks: tuple[Block, ...]


def layer(heads=HEADS, ffn=FFN):
    attention = transformer.attention(HIDDEN, heads, KV_HEADS, HEAD_DIM)
    return attention, transformer.feed_forward(HIDDEN, ffn, "silu", gated=True)


def model(*blocks):
    first, last = transformer.embedding(HIDDEN, VOCABULARY), transformer.head(HIDDEN, VOCABULARY)
    return Described((Block((first,)), *blocks, Block((last,))))


def whole(value):
    return np.array([float(value)])


def cases():
    zeros = np.zeros(1, dtype=np.intp)
    return Cases(zeros, zeros, whole(BATCH), whole(PROMPT), whole(NEW))


def counted(described, phases=PHASES, skips=True, scheme="fp16"):
    """Return the counts of the system accounting, by phase, component, operand and action."""
    machine = platforms()["fp16-edge"].model_copy(update={"skips_masked_pairs": skips})
    places = [[("edge", machine)]]
    system = System([described], [schemes()[scheme]], [technologies()["7nm"]], places, phases=phases)
    zeros = np.zeros(1, dtype=np.intp)
    found = system.evaluate(cases(), zeros, zeros)
    result = {}
    for column, value in zip(system.columns, found.counts[0].tolist(), strict=True):
        result[column] = result.get(column, 0) + value
    return {tuple(column): value for column, value in result.items() if value}, found


def added(counts, phase, components, action):
    return sum(value for key, value in counts.items() if key[0] == phase and key[1] in components and key[3] == action)


def verify(these):
    """Take a step of a draft's tokens at a context, once: what speculative decoding repeats."""
    ones = np.ones_like(these.batch)
    return causal(DRAFT * ones, CONTEXT * ones, ones, DRAFT * ones)


VERIFY = Phase("verify", verify)
LINEARS = 2 * HIDDEN * (Q + KV) + 3 * HIDDEN * FFN
LAYERS = 4


def test_a_third_phase_is_an_entry_of_the_list():
    counts, found = counted(model(Block(layer(), LAYERS)), (*PHASES, VERIFY))
    pairs = DRAFT * CONTEXT + DRAFT * (DRAFT + 1) // 2  # token i meets the context and the draft's tokens to itself
    rows = BATCH * DRAFT
    projections = ("q_proj", "k_proj", "v_proj", "o_proj", "ffn_gate", "ffn_up", "ffn_down")
    assert added(counts, "verify", projections, "mul") == rows * LAYERS * LINEARS
    for product in ("attention_scores", "attention_values"):
        assert added(counts, "verify", (product,), "mul") == pytest.approx(BATCH * LAYERS * Q * pairs, rel=1e-12)
    assert added(counts, "verify", ("lm_head",), "mul") == rows * HIDDEN * VOCABULARY
    assert added(counts, "verify", ("kv_cache_write",), "off_chip_write") == rows * LAYERS * 2 * KV * 16
    assert added(counts, "verify", ("embedding",), "off_chip_read") == rows * HIDDEN * 16
    alone, two = counted(model(Block(layer(), LAYERS)))
    assert {key: value for key, value in counts.items() if key[0] != "verify"} == alone
    np.testing.assert_array_equal(found.latency_s[:, :2], two.latency_s)
    assert found.latency_s[0, 2] > 0


def test_a_prompt_in_chunks_attends_to_as_many_pairs_as_whole():
    def chunk(tokens, before):
        return lambda these: causal(*(np.full_like(these.batch, size) for size in (tokens, before, 1, 0)))

    chunks = (Phase("first", chunk(16, 0)), Phase("second", chunk(PROMPT - 16, 16)))
    parts, _ = counted(model(Block(layer(), LAYERS)), chunks)
    once, _ = counted(model(Block(layer(), LAYERS)), PHASES[:1])
    for component in ("attention_scores", "attention_values", "q_proj", "ffn_down"):
        split = sum(added(parts, phase, (component,), "mul") for phase in ("first", "second"))
        assert split == pytest.approx(added(once, "prefill", (component,), "mul"), rel=1e-12)
    assert added(once, "prefill", ("attention_scores",), "mul") == BATCH * LAYERS * Q * PROMPT * (PROMPT + 1) / 2
    assert added(parts, "second", ("lm_head",), "mul") == 0  # no outputs were asked for


@pytest.mark.parametrize("accounting", [Accounting.ARITHMETIC, Accounting.MAC])
def test_the_papers_count_a_third_phase_over_every_pair(accounting):
    counts = count([model(Block(layer(), LAYERS))], [schemes()["fp16"]], cases(), accounting, (VERIFY,))
    found = {tuple(action[:4]): value for action, value in zip(counts.actions, counts.count[0].tolist(), strict=True)}
    products = BATCH * DRAFT * LAYERS * (LINEARS + 2 * Q * (CONTEXT + DRAFT))
    assert sum(value for key, value in found.items() if key[3] == "mul") == products
    outputs = BATCH * DRAFT * LAYERS * (Q + KV + KV + HIDDEN + FFN + FFN + HIDDEN)
    outputs += 2 * BATCH * DRAFT * LAYERS * HEADS * (CONTEXT + DRAFT)
    less = outputs if accounting is Accounting.ARITHMETIC else 0
    assert sum(value for key, value in found.items() if key[3] == "add") == products - less


def test_blocks_of_different_shape_add_up():
    wide, narrow = layer(), layer(heads=4, ffn=144)
    mixed, _ = counted(model(Block(wide, 2), Block(narrow, 3)))
    for component, per_token in {
        "q_proj": HIDDEN * HEAD_DIM * (2 * HEADS + 3 * 4),
        "k_proj": HIDDEN * KV * 5,
        "ffn_down": HIDDEN * (2 * FFN + 3 * 144),
    }.items():
        assert added(mixed, "prefill", (component,), "mul") == BATCH * PROMPT * per_token
        assert added(mixed, "decode", (component,), "mul") == BATCH * NEW * per_token
    pairs = NEW * PROMPT + NEW * (NEW + 1) / 2
    heads = 2 * HEADS + 3 * 4
    assert added(mixed, "decode", ("attention_scores",), "mul") == BATCH * HEAD_DIM * heads * pairs
    counts = count([model(Block(wide, 2), Block(narrow, 3))], [schemes()["fp16"]], cases(), Accounting.MAC)
    papers = {tuple(action[:4]): value for action, value in zip(counts.actions, counts.count[0].tolist(), strict=True)}
    for key, value in papers.items():
        if key[0] == "decode" and key[2] in ("weights", "keys", "values"):
            assert value == mixed[key], key


def test_a_model_of_two_equal_blocks_is_one_of_their_repeats():
    split, first = counted(model(Block(layer(), 1), Block(layer(), 3)))
    together, second = counted(model(Block(layer(), 4)))
    assert split == {key: pytest.approx(value, rel=1e-12) for key, value in together.items()}
    np.testing.assert_allclose(first.latency_s, second.latency_s, rtol=1e-12)
    assert first.memory_bytes == second.memory_bytes


RANK = 12
OF_TIME = ("leakage", "static", "regulator")


def adapter():
    """Return a part that no model here has: two narrow matrices and a function between them."""
    return Part(
        matmuls=(
            Linear("adapter_down", HIDDEN, RANK, bias=True, uses=1),
            Linear("adapter_up", RANK, HIDDEN, bias=False, uses=1, kind=MatmulKind.LINEAR),
        ),
        elementwise=(Elementwise("adapter_function", "relu2", lambda at: at.tokens * RANK),),
        stored=(("other", HIDDEN),),
    )


def test_a_part_of_a_new_kind_is_counted_and_stored_without_being_listed_anywhere():
    described = model(Block((*layer(), adapter()), LAYERS))
    counts, found = counted(described)
    base, without = counted(model(Block(layer(), LAYERS)))
    new = {key: value for key, value in counts.items() if key[1].startswith("adapter")}
    assert {key: value for key, value in counts.items() if key not in new and key[1] not in OF_TIME} == {
        key: value for key, value in base.items() if key[1] not in OF_TIME
    }
    for phase, tokens in (("prefill", PROMPT), ("decode", NEW)):
        times = BATCH * tokens * LAYERS
        assert new[phase, "adapter_down", "weights", "mul"] == times * HIDDEN * RANK
        assert new[phase, "adapter_down", "biases", "add"] == times * RANK
        assert new[phase, "adapter_up", "weights", "mul"] == times * HIDDEN * RANK
        assert new[phase, "adapter_function", "activations", "mul"] == times * RANK  # relu2: a square an element
    assert stored_values(described.blocks)["weights"] == LAYERS * (LINEARS + 2 * HIDDEN * RANK)
    more_bytes = found.memory_bytes.weights_bytes - without.memory_bytes.weights_bytes
    assert more_bytes == 2 * LAYERS * (2 * HIDDEN * RANK + RANK + HIDDEN)
    papers = count([described], [schemes()["fp16"]], cases(), Accounting.MAC)
    products = {tuple(a[:4]): value for a, value in zip(papers.actions, papers.count[0].tolist(), strict=True)}
    assert products["decode", "adapter_up", "weights", "mul"] == BATCH * NEW * LAYERS * HIDDEN * RANK


def test_a_component_of_two_kinds_is_refused():
    router = Part((Linear("q_proj", HIDDEN, 4, bias=False, uses=1, kind=MatmulKind.ROUTER),))
    with pytest.raises(ValueError, match=r"'q_proj' is of two kinds, linear and router; expected one"):
        counted(model(Block((*layer(), router), 1)))
