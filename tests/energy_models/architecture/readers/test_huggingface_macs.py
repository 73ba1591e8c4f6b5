"""Multiply-accumulates of prefill and of a decode step, against those that torch counts in transformers' models."""

import inspect
from typing import Any

import numpy as np
import pytest

from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.phases import PHASES, Cases, all_steps
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.system.work.workload import Switches, workload
from tests.energy_models.architecture.readers.test_huggingface_types import (
    BLOCKS,
    HEADS,
    LAYERS,
    SHARED,
    configuration,
    read,
)
from tests.sampling import sampled

pytestmark = pytest.mark.slow  # the imports take seconds

# Their attention takes every pair of a query and a key, windows or not; so do ours without `skips_masked_pairs`.
TYPES = (
    "afmoe", "arcee", "biogpt", "bitnet", "bloom", "cohere", "cohere2", "cwm", "ernie4_5", "exaone4", "exaone_moe",
    "falcon", "gemma", "gemma2", "gemma3_text", "gemma4_text", "glm", "glm4", "gpt2", "gpt_bigcode", "gpt_neo",
    "gpt_neox", "gpt_oss", "gptj", "granite", "granite_swa", "granitemoe", "granitemoe_swa", "granitemoeshared",
    "helium", "hunyuan_v1_moe", "internlm3", "llama", "mimo_v2_flash", "minimax_m3_vl_text", "ministral3", "mistral",
    "mixtral", "nanochat",
    "nemotron", "olmo", "olmo2", "olmoe", "opt", "persimmon", "phi", "phi3", "phimoe", "qwen2", "qwen2_moe", "qwen3",
    "qwen3_moe", "seed_oss", "smollm3", "solar_open", "stablelm", "starcoder2",
)  # fmt: skip
SEQUENCES, PROMPT = 2, 16


@pytest.fixture(scope="module")
def transformers() -> Any:
    return pytest.importorskip("transformers")


def counted_by_torch(
    transformers: Any, name: str, changes: dict[str, Any], leaves_out: str = "nothing"
) -> tuple[Any, list[int]]:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    config = configuration(transformers, name, changes)
    eager = {"attn_implementation": "eager", "experts_implementation": "eager"}
    model = transformers.AutoModelForCausalLM.from_config(config, **eager).eval()
    argument = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
    counts, past = [], None
    for tokens in (PROMPT, 1):
        ids = torch.ones((SEQUENCES, tokens), dtype=torch.long)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            past = model(input_ids=ids, **{argument: past}, use_cache=True)["past_key_values"]
        flops = counter.get_flop_counts()["Global"]
        counts.append(sum(flop for operator, flop in flops.items() if leaves_out not in str(operator)) // 2)
    return config, counts


def counted(shape: ModelShape) -> list[float]:
    one = np.zeros(1, dtype=np.intp)
    cases = Cases(one, one, *(np.array([float(value)]) for value in (SEQUENCES, PROMPT, 1)))
    work = workload(Layout([shape]), cases, all_steps(PHASES, cases), Switches(*np.zeros((5, 1))))
    sizes = work.sizes
    prefill, decode = (sizes.m * sizes.k * sizes.n * sizes.times).sum(axis=2)[0].tolist()
    # torch's models run the LM head for every token of the prompt, ours for each sequence's last
    return [prefill + SEQUENCES * (PROMPT - 1) * shape.hidden * shape.vocabulary, decode]


@pytest.mark.parametrize("name", sampled(TYPES, 8, "types whose MACs are counted"))
def test_every_mac_of_a_forward_pass_is_counted(transformers, tmp_path, name):
    config, expected = counted_by_torch(transformers, name, {})
    assert counted(read(tmp_path, config.to_dict())) == expected


@pytest.mark.parametrize("name", ["deepseek_v2", "deepseek_v3", "deepseek_v32", "glm4_moe_lite", "glm_moe_dsa"])
def test_latent_attention_folds_in_decode_what_transformers_expands_again(transformers, tmp_path, name):
    config, (prefill, decode) = counted_by_torch(transformers, name, {})
    shape = read(tmp_path, config.to_dict())
    found = counted(shape)
    # the weighted sum over an indexer's heads is a product of matrices there, element-wise work here
    weighted = SEQUENCES * LAYERS * getattr(config, "index_n_heads", 0)
    prefill, decode = prefill - weighted * PROMPT**2, decode - weighted * (PROMPT + 1)
    assert found[0] == prefill
    expansion = config.kv_lora_rank * HEADS * (config.qk_nope_head_dim + config.v_head_dim)
    again = SEQUENCES * PROMPT * LAYERS * expansion  # of the tokens before, in each step
    context = PROMPT + 1
    each = config.qk_nope_head_dim + config.qk_rope_head_dim + config.v_head_dim
    latent = 2 * config.kv_lora_rank + config.qk_rope_head_dim
    wider = SEQUENCES * LAYERS * HEADS * context * (latent - each)
    assert found[1] == decode - again + wider


def test_llama_4_runs_every_expert_there_and_those_that_a_token_uses_here(transformers, tmp_path):
    config, (prefill, decode) = counted_by_torch(transformers, "llama4_text", {})
    found = counted(read(tmp_path, config.to_dict()))
    unused = LAYERS * (config.num_local_experts - config.num_experts_per_tok)
    expert = 3 * config.hidden_size * config.intermediate_size * SEQUENCES * unused
    assert found == [prefill - expert * PROMPT, decode - expert]


def test_a_choice_of_fewer_tokens_than_there_are_shortens_attention(transformers, tmp_path):
    config = configuration(transformers, "deepseek_v32", {"index_topk": 5})
    every = counted(read(tmp_path, {**config.to_dict(), "index_topk": 1000}))
    found = counted(read(tmp_path, config.to_dict()))
    latent = 2 * config.kv_lora_rank + config.qk_rope_head_dim
    assert every[1] - found[1] == SEQUENCES * LAYERS * HEADS * (PROMPT + 1 - 5) * latent


def test_a_choice_of_fewer_blocks_than_there_are_shortens_attention(transformers, tmp_path):
    config = configuration(transformers, "minimax_m3_vl_text", BLOCKS)
    every = counted(read(tmp_path, {**config.to_dict(), "index_topk_blocks": 99}))
    found = counted(read(tmp_path, config.to_dict()))
    chosen = 2 * 4 + 1  # of 17 tokens: two blocks of four, and the first token of the last
    assert every[1] - found[1] == SEQUENCES * LAYERS // 2 * HEADS * (PROMPT + 1 - chosen) * 2 * config.head_dim


@pytest.mark.parametrize("name", ["lfm2", "lfm2_moe"])
def test_all_but_the_taps_of_a_short_convolution_are_matmuls(transformers, tmp_path, name):
    config, (prefill, decode) = counted_by_torch(transformers, name, {}, leaves_out="convolution")
    assert counted(read(tmp_path, config.to_dict())) == [prefill, decode]


VARIANTS = [
    ("gemma4_text", SHARED), ("gemma4_text", {"enable_moe_block": True, "top_k_experts": 2}),
    ("gemma4_text", {"attention_k_eq_v": True, "num_global_key_value_heads": 1}),
    ("minimax_m3_vl_text", {**BLOCKS, "index_topk_blocks": 99}),  # theirs takes every pair, whatever is chosen
    ("exaone_moe", {"num_shared_experts": 2}), ("granitemoeshared", {"shared_intermediate_size": 40}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes"), VARIANTS)
def test_every_mac_of_a_variant_is_counted(transformers, tmp_path, name, changes):
    config, expected = counted_by_torch(transformers, name, changes)
    assert counted(read(tmp_path, config.to_dict())) == expected


@pytest.mark.parametrize("name", ["bert", "roberta", "distilbert", "modernbert"])
def test_an_encoder_takes_every_pair(transformers, tmp_path, name):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    config = configuration(transformers, name, {})
    model = transformers.AutoModel.from_config(config, attn_implementation="eager").eval()
    ids = torch.ones((SEQUENCES, PROMPT), dtype=torch.long)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(input_ids=ids, attention_mask=torch.ones_like(ids))
    shape = read(tmp_path, {**config.to_dict(), "architectures": [type(model).__name__]})
    prefill, _ = counted(shape)
    assert prefill - SEQUENCES * (PROMPT - 1) * shape.hidden * shape.vocabulary == counter.get_total_flops() // 2


def test_every_mac_of_layers_with_a_short_convolution_is_counted(transformers):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    config = transformers.Lfm2Config(
        hidden_size=64, num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=2, vocab_size=100,
        intermediate_size=176, block_auto_adjust_ff_dim=False, full_attn_idxs=[2], attn_implementation="eager",
    )  # fmt: skip
    model, expected, past = transformers.AutoModelForCausalLM.from_config(config).eval(), [], None
    for tokens in (PROMPT, 1):
        ids = torch.ones((SEQUENCES, tokens), dtype=torch.long)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            past = model(input_ids=ids, cache=past, use_cache=True)["past_key_values"]
        by_operation = counter.get_flop_counts()["Global"]  # the taps are element-wise work of ours
        taps = sum(flops for operation, flops in by_operation.items() if "convolution" in str(operation))
        expected.append((counter.get_total_flops() - taps) // 2)
    groups = [{"repeats": 3, "mixer": {"kind": "short_convolution"}}, {"repeats": 1}]
    shape = ModelShape.model_validate({
        "layers": LAYERS, "hidden": 64, "heads": HEADS, "kv_heads": 2, "ffn": 176, "ffn_gated": True,
        "activation": "silu", "qk_norm": True, "vocabulary": 100, "tied_embedding": True, "groups": groups,
    })  # fmt: skip
    assert counted(shape) == expected
    assert shape.parameters == sum(parameter.numel() for parameter in model.parameters())
