"""Counts against an oracle that runs the arithmetic and counts what it does, and against closed forms."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.energy_models.architecture.phases import PHASE_NAMES, Cases
from bitjoule.energy_models.architecture.shape import ModelShape, presets
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.papers.arithmetic import Accounting, Matmul, count
from bitjoule.energy_models.papers.pricing import price_actions
from bitjoule.energy_models.prices.technology import technologies

TALLY: Counter[tuple[str, str]] = Counter()


class Traced:
    """A number that tallies each multiplication and addition made with it, by kind of number."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __mul__(self, other: "Traced") -> "Traced":
        TALLY["mul", self.kind] += 1
        return self

    def __add__(self, other: "Traced") -> "Traced":
        TALLY["add", self.kind] += 1
        return self


def dot(terms: int, kind: str, multiplies: bool) -> Traced:
    """Return a dot product made term by term."""
    products = [Traced(kind) * Traced(kind) if multiplies else Traced(kind) for _ in range(terms)]
    total = products[0]
    for product in products[1:]:
        total = total + product
    return total


def run_linear(rows: int, k: int, n: int, bias: bool, scheme: str) -> None:
    """Make every operation of one linear."""
    kinds = {"fp16": ("fp16", "fp16"), "int8": ("int8", "fp16"), "bitnet": ("int8", "fp16")}
    inside, outside = kinds[scheme]
    for _ in range(rows):
        if scheme != "fp16":
            for _ in range(k):
                Traced(outside) * Traced(outside)  # the activation times its scale
        for _ in range(n):
            dot(k, inside, scheme != "bitnet")
            result = Traced(outside)
            if scheme != "fp16":
                result = result * Traced(outside)
            if bias:
                result + Traced(outside)


def run_model(shape: ModelShape, scheme: str, queries: int, context: list[int]) -> Counter[tuple[str, str]]:
    """Tally one pass of `queries` tokens, each of which attends to a number of positions."""
    TALLY.clear()
    for _ in range(shape.layers):
        for matrix in shape.linears:
            for _ in range(matrix.uses):
                kind = "fp16" if matrix.component == "ffn_router" else scheme
                run_linear(queries, matrix.in_features, matrix.out_features, matrix.bias, kind)
        for positions, _ in itertools.product(context, range(shape.heads)):
            for _ in range(positions):
                dot(shape.head_dim, "fp16", multiplies=True)  # scores
                dot(shape.head_dim, "fp16", multiplies=True)  # values: the paper counts head_dim - 1 additions here too
    return Counter(TALLY)


def shape(**changes: object) -> ModelShape:
    tiny = {
        "layers": 2, "hidden": 4, "heads": 2, "ffn": 3, "ffn_gated": False, "activation": "gelu", "vocabulary": 5,
    }  # fmt: skip
    return ModelShape.model_validate(tiny | changes)


def cases(models: int = 1, *, scheme: int = 0, batch: int = 1, prompt: int = 3, new: int = 0) -> Cases:
    ones = np.ones(models)
    index = np.arange(models)
    return Cases(index, np.full(models, scheme), ones * batch, ones * prompt, ones * new)


def tally(model: ModelShape, scheme: str, **workload: int) -> Counter[tuple[str, str]]:
    counts = count([model], [schemes()[scheme]], cases(**workload))
    total: Counter[tuple[str, str]] = Counter()
    for action, number in zip(counts.actions, counts.count[0], strict=True):
        total[action.action, action.formats[0]] += int(number)
    return total


SHAPES = {
    "plain": shape(),
    "biases": shape(qkv_bias=True, output_bias=True, ffn_bias=True),
    "qkv biases, gated": shape(qkv_bias=True, ffn_gated=True),
    "grouped queries": shape(kv_heads=1, head_dim=3),
    "experts": shape(ffn_gated=True, experts=4, active_experts=2),
    "one wide": shape(hidden=1, heads=1, ffn=1),
}


@pytest.mark.parametrize("scheme", ["fp16", "int8", "bitnet"])
@pytest.mark.parametrize("name", SHAPES)
def test_prefill_counts_what_the_arithmetic_does(name, scheme):
    done = run_model(SHAPES[name], scheme, queries=3, context=[3, 3, 3])  # every pair of the square, not causal
    assert tally(SHAPES[name], scheme, prompt=3) == done


@pytest.mark.parametrize("scheme", ["fp16", "int8", "bitnet"])
def test_decode_attends_to_a_context_that_grows(scheme):
    model = SHAPES["biases"]
    prefill = run_model(model, scheme, queries=3, context=[3, 3, 3])
    decode = run_model(model, scheme, queries=2, context=[4, 5])
    assert tally(model, scheme, prompt=3, new=2) == prefill + decode


def test_a_batch_repeats_every_operation():
    once, thrice = (tally(SHAPES["biases"], "bitnet", prompt=3, new=2, batch=b) for b in (1, 3))
    assert thrice == Counter({key: 3 * value for key, value in once.items()})


def test_mac_counts_the_multiply_accumulates_of_linears_and_attention_alone():
    model = SHAPES["biases"]
    counts = count([model], [schemes()["fp16"]], cases(prompt=3), Accounting.MAC)
    macs = model.layers * (
        3 * sum(m.in_features * m.out_features for m in model.linears) + 2 * 9 * model.heads * model.head_dim
    )
    for operation in ("mul", "add"):
        columns = [i for i, action in enumerate(counts.actions) if action.action == operation]
        assert counts.count[0, columns].sum() == macs


def test_a_matmul_counts_as_one_linear_without_bias():
    TALLY.clear()
    run_linear(3, 5, 7, bias=False, scheme="bitnet")
    counts = count([Matmul(3, 5, 7)], [schemes()["bitnet"]], cases(prompt=3))
    assert {(a.action, a.operand): n for a, n in zip(counts.actions, counts.count[0], strict=True)} == {
        ("add", "partial_sums"): TALLY["add", "int8"],
        ("mul", "activations"): 15,
        ("mul", "outputs"): 21,
    }
    assert TALLY["mul", "fp16"] == 15 + 21


def test_many_cases_at_once_equal_each_case_alone():
    names = ["bitnet-6.7b", "llama-3-8b", "mixtral-8x7b", "gemma-3-1b"]
    models = [presets()[name] for name in names]
    chosen = [schemes()[name] for name in ("fp16", "int8", "bitnet-b1.58")]
    index = np.array(list(itertools.product(range(4), range(3))))
    prompt = np.arange(1.0, 13.0)
    new = np.arange(12.0) % 3
    together = count(models, chosen, Cases(index[:, 0], index[:, 1], np.ones(12), prompt, new))
    for i, (model, scheme) in enumerate(index):
        alone = Cases(np.array([0]), np.array([0]), np.ones(1), prompt[i : i + 1], new[i : i + 1])
        single = count([models[model]], [chosen[scheme]], alone)
        expected = {action[:4]: number for action, number in zip(single.actions, single.count[0], strict=True)}
        got = {a[:4]: number for a, number in zip(together.actions, together.count[i], strict=True) if number}
        assert got == expected


def test_binary_attention_takes_additions_alone():
    model = shape(kv_heads=1, head_dim=3, experts=4, active_experts=2)
    counts = count([model], [schemes()["bitnet-b1.58-binary-attention"]], cases(prompt=3, new=2))
    attention = [(a, n) for a, n in zip(counts.actions, counts.count[0], strict=True) if "attention" in a.component]
    assert {(a.action, a.operand, a.formats) for a, _ in attention} == {("add", "partial_sums", ("int8",))}
    pairs = 3 * 3 + 4 + 5  # prefill's square, then a context that grows
    assert sum(n for _, n in attention) == 2 * model.layers * model.heads * pairs * (model.head_dim - 1)


def test_binary_attention_leaves_the_linears_as_they_are_and_multiplies_the_router_in_int8():
    model = shape(ffn_gated=True, experts=4, active_experts=2)
    names = ["bitnet-b1.58", "bitnet-b1.58-binary-attention"]
    table = count([model], [schemes()[name] for name in names], cases(2, prompt=3)._replace(
        model=np.zeros(2, dtype=int), scheme=np.arange(2)))  # fmt: skip
    for i, action in enumerate(table.actions):
        if "attention" not in action.component:
            assert table.count[0, i] == table.count[1, i]
    assert {a.formats for a in table.actions if a.component == "ffn_router"} == {("fp16", "int8")}


def test_w4a16_scales_outputs_but_quantises_no_activations():
    counts = count([Matmul(3, 5, 7)], [schemes()["w4a16"]], cases(prompt=3))
    assert {(a.action, a.operand): n for a, n in zip(counts.actions, counts.count[0], strict=True)} == {
        ("mul", "weights"): 3 * 5 * 7,
        ("add", "partial_sums"): 3 * (5 - 1) * 7,
        ("mul", "outputs"): 3 * 7,
    }
    assert {a.formats for a in counts.actions} == {("fp16",)}


def test_components_come_in_the_order_a_block_runs_them():
    counts = count([SHAPES["experts"]], [schemes()["fp16"]], cases(new=1))
    order = list(dict.fromkeys((action.phase, action.component) for action in counts.actions))
    block = ["q_proj", "k_proj", "v_proj", "attention_scores", "attention_values", "o_proj"]
    block += ["ffn_router", "ffn_gate", "ffn_up", "ffn_down"]
    assert order == [(phase, component) for phase in PHASE_NAMES for component in block]


def ratio(hidden: int, tokens: int) -> float:
    """Return FP16 energy over BitNet energy at 7 nm for a BitNet-style shape."""
    model = shape(layers=1, hidden=hidden, heads=1, ffn=4 * hidden, qkv_bias=True, output_bias=True, ffn_bias=True)
    chosen = [schemes()["fp16"], schemes()["bitnet"]]
    both = Cases(np.array([0, 0]), np.array([0, 1]), np.ones(2), np.full(2, float(tokens)), np.zeros(2))
    counts = count([model], chosen, both)
    energy = price_actions(counts, [technologies()["7nm"]], both.scheme, np.zeros(2, dtype=int)).nominal_pj.sum(axis=1)
    return float(energy[0] / energy[1])


PRICES = technologies()["7nm"]
LIMIT = sum(PRICES.price(o, "fp16").nominal_pj for o in ("mul", "add")) / PRICES.price("add", "int8").nominal_pj


@settings(deadline=None)
@given(hidden=st.integers(16, 10**6), more=st.integers(1, 10**6), tokens=st.integers(1, 10**5))
def test_the_ratio_rises_with_the_hidden_size(hidden, more, tokens):
    assert ratio(hidden, tokens) < ratio(hidden + more, tokens) < LIMIT


@settings(deadline=None)
@given(hidden=st.integers(16, 10**5), tokens=st.integers(1, 10**6), more=st.integers(1, 10**6))
def test_the_ratio_falls_with_the_prompt(hidden, tokens, more):
    assert 1 < ratio(hidden, tokens + more) < ratio(hidden, tokens)


@pytest.mark.parametrize("tokens", [1, 512, 4096])
def test_the_ratio_tends_to_the_price_of_one_mac_as_the_model_grows(tokens):
    assert pytest.approx(71.43, abs=0.005) == LIMIT
    distances = [LIMIT / ratio(hidden, tokens) - 1 for hidden in (20_000, 200_000, 2_000_000)]
    assert distances[-1] < 0.03
    for near, far in itertools.pairwise(distances):  # what is not a MAC grows one power of the hidden size slower
        assert far == pytest.approx(near / 10, rel=0.15)


@pytest.mark.parametrize("hidden", [16, 768, 8192])
def test_the_ratio_tends_to_one_as_the_prompt_grows(hidden):
    assert ratio(hidden, 10**9) == pytest.approx(1, rel=0.01)
