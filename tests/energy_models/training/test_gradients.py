"""The backward pass: as many MACs as worked out by hand, and as torch counts."""

from typing import Any

import numpy as np
import pytest

from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.phases import STEP, Cases, all_steps
from bitjoule.energy_models.architecture.shape import ModelShape, presets
from bitjoule.energy_models.system.work.workload import Experts, Switches, workload
from bitjoule.energy_models.training.gradients import (
    UntrainableError,
    gradient_of,
    input_gradients,
    weight_gradients,
)

TOY = {"layers": 2, "hidden": 8, "heads": 2, "ffn": 12, "ffn_gated": True, "activation": "silu", "vocabulary": 20}
SEQUENCES, TOKENS = 3, 5
ROWS = SEQUENCES * TOKENS


def macs(blocks: Any, experts: Experts = Experts.EXPECTED) -> dict[str, float]:
    """Return the MACs of a pass without a causal mask, by component."""
    one = np.zeros(1, dtype=np.intp)
    sizes = (np.array([float(value)]) for value in (SEQUENCES, TOKENS, 0))
    cases, layout = Cases(one, one, *sizes, 0.0, float(TOKENS)), Layout([blocks])
    work = workload(layout, cases, all_steps((STEP,), cases), Switches(*np.zeros((5, 1))), experts)
    counts = (work.sizes.m * work.sizes.k * work.sizes.n * work.sizes.times)[0, 0]
    result: dict[str, float] = {}
    for slot, component in enumerate(layout.component.tolist()):
        name = layout.matmuls[component]
        result[name] = result.get(name, 0.0) + float(counts[slot])
    return {name: count for name, count in result.items() if count}


def test_each_gradient_of_a_linear_takes_as_many_macs_as_the_linear():
    model = ModelShape(**TOY)
    linears = {"q_proj": 64, "k_proj": 64, "v_proj": 64, "o_proj": 64, "ffn_gate": 96, "ffn_up": 96, "ffn_down": 96}
    expected = {name: 2.0 * ROWS * size for name, size in linears.items()} | {"lm_head": ROWS * 8.0 * 20}
    assert macs(weight_gradients(model)) == expected
    inputs = macs(input_gradients(model, recomputed=False))
    assert {name: inputs[name] for name in expected} == expected


@pytest.mark.parametrize("recomputed", [False, True])
def test_each_operand_of_both_attention_products_has_a_gradient(recomputed):
    product = 2.0 * SEQUENCES * 8 * TOKENS**2  # layers x sequences x hidden x queries x keys, with all pairs
    counted = macs(input_gradients(ModelShape(**TOY), recomputed=recomputed))
    assert counted["attention_scores"] == 2 * product  # of queries and of keys
    assert counted["attention_values"] == product  # of values
    assert counted["attention_probabilities"] == (2 if recomputed else 1) * product  # and the scores again


def test_experts_have_a_gradient_each_for_the_tokens_that_they_got():
    model = ModelShape(**TOY, experts=4, active_experts=2)
    counted = macs(weight_gradients(model, Experts.BOUND))
    assert counted["ffn_up"] == 2.0 * ROWS * 2 * 96
    assert counted["ffn_router"] == 2.0 * ROWS * 8 * 4


def test_queries_that_share_keys_add_their_gradients():
    grouped = macs(input_gradients(ModelShape(**TOY, kv_heads=1), recomputed=False))
    assert grouped["attention_scores"] == macs(input_gradients(ModelShape(**TOY), recomputed=False))["attention_scores"]


@pytest.mark.parametrize("name", ["mamba-130m", "retnet", "lfm2-350m", "matmul-free", "bonsai-2-27b"])
def test_a_part_without_a_known_gradient_is_refused(name):
    preset = next(preset for preset in presets() if preset.startswith(name))
    with pytest.raises(UntrainableError, match="known"):
        input_gradients(presets()[preset], recomputed=True)


def test_a_function_without_a_gradient_is_refused_and_rounding_passes_it_on():
    assert gradient_of("quantisation", recomputed=True) is None
    assert gradient_of("softmax", recomputed=False) == "softmax_gradient"
    assert gradient_of("softmax", recomputed=True) == "softmax_recomputed"
    with pytest.raises(UntrainableError, match="'state_pass'"):
        gradient_of("state_pass", recomputed=True)


@pytest.mark.slow  # torch and transformers take seconds to import
@pytest.mark.parametrize(
    ("kind", "changes"),
    [("llama", {}), ("llama", {"num_key_value_heads": 1}), ("gpt2", {}), ("qwen3", {}), ("mixtral", {})],
)
def test_torch_counts_as_many_operations_of_a_backward_pass(tmp_path, kind, changes):
    transformers = pytest.importorskip("transformers")
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from tests.energy_models.architecture.readers.test_huggingface_types import configuration, read

    config = configuration(transformers, kind, changes)
    eager = {"attn_implementation": "eager", "experts_implementation": "eager"}
    model = transformers.AutoModelForCausalLM.from_config(config, **eager).train()
    ids = torch.ones((SEQUENCES, TOKENS), dtype=torch.long)
    loss = model(input_ids=ids, use_cache=False).logits.float().logsumexp(-1).sum()
    with FlopCounterMode(display=False) as counter:
        loss.backward()
    shape = read(tmp_path, config.to_dict())
    ours = sum(macs(input_gradients(shape, recomputed=False)).values()) + sum(macs(weight_gradients(shape)).values())
    if kind == "mixtral":  # identical tokens choose the same experts, of which each takes all: the sums are the same
        assert shape.experts > 1
    assert counter.get_total_flops() // 2 == ours
