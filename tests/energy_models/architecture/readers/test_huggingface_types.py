"""Every type that is read, against the models and configuration classes of transformers."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from bitjoule.energy_models.architecture.readers.huggingface import read_config
from bitjoule.energy_models.architecture.readers.model_types import model_types
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.inputs.errors import InputError

pytestmark = pytest.mark.slow  # the imports take seconds

ENCODERS = sorted(name for name, model_type in model_types().types.items() if model_type.shape.get("causal") is False)
TYPES = sorted(
    {*model_types().types} - {"minicpm", "kimi_k2", "mimo", "nemotron-nas", *ENCODERS}
)  # whose code is on the hub
PARTS = {"qwen3_vl_text", "qwen3_vl_moe_text"}  # whose model for text alone has no LM head
LAYERS, HEADS = 4, 4
SIZES = {
    "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
    "num_key_value_heads": 2, "vocab_size": 100, "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0,
    "num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "n_routed_experts": 4, "moe_num_experts": 4,
    "moe_k": 2, "moe_intermediate_size": 48, "shared_expert_intermediate_size": 80, "n_shared_experts": 1,
    "moe_num_shared_experts": 1, "kv_lora_rank": 16, "q_lora_rank": 24, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8,
    "v_head_dim": 16, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
}  # fmt: skip
GEMMA = ("model_type", "architectures", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
         "num_key_value_heads", "vocab_size", "sliding_window", "use_bidirectional_attention")  # fmt: skip
SSD = {"mamba_n_heads": 8, "mamba_d_head": 16, "mamba_d_state": 12, "mamba_n_groups": 2}
GPT2 = {"n_embd": 64, "n_layer": LAYERS, "n_head": HEADS}
OWN = {  # what a type calls otherwise, or needs
    "opt": {"ffn_dim": 176, "word_embed_proj_dim": 64}, "gpt2": GPT2, "gpt_bigcode": GPT2,
    "gptj": {**GPT2, "rotary_dim": 8}, "codegen": {**GPT2, "rotary_dim": 8}, "bloom": {"n_layer": 4, "n_head": HEADS},
    "gpt_neo": {"num_layers": LAYERS, "num_heads": HEADS, "attention_types": [[["global", "local"], 2]]},
    "mamba2": {"num_heads": 8, "head_dim": 16, "state_size": 12, "n_groups": 2},
    "qwen3_next": {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8},
    "deepseek_v2": {"num_key_value_heads": HEADS}, "deepseek_v3": {"num_key_value_heads": HEADS},
    "deepseek_v32": {"num_key_value_heads": HEADS, "index_n_heads": 3, "index_head_dim": 16},
    "glm_moe_dsa": {"num_key_value_heads": HEADS, "index_n_heads": 3, "index_head_dim": 16},
    "glm4_moe_lite": {"num_key_value_heads": HEADS}, "hunyuan_v1_moe": {"head_dim": 16, "moe_topk": 2},
    "lfm2": {"layer_types": ["conv", "conv", "full_attention", "conv"]}, "openai-gpt": GPT2,
    "lfm2_moe": {"layer_types": ["conv", "conv", "full_attention", "conv"], "num_dense_layers": 1},
    "bamba": {**SSD, "attn_layer_indices": [2]}, "granitemoehybrid": {**SSD, "shared_intermediate_size": 40},
    "jamba": {"attn_layer_period": 3, "attn_layer_offset": 1, "mamba_d_state": 12},
    "nemotron_h": {"mamba_num_heads": 8, "mamba_head_dim": 16, "ssm_state_size": 12, "n_groups": 2, "head_dim": 16,
                   "moe_shared_expert_intermediate_size": 40},
    "distilbert": {"n_layers": LAYERS, "dim": 64, "n_heads": HEADS, "hidden_dim": 176},
    "gemma4_text": {"head_dim": 16, "global_head_dim": 24, "hidden_size_per_layer_input": 8, "sliding_window": 48,
                    "vocab_size_per_layer_input": 90},
    "falcon_h1": {**SSD, "mamba_d_ssm": 128}, "mimo_v2_flash": {"num_key_value_heads": 1, "num_hidden_layers": 7},
    "helium": {"head_dim": 16}, "hunyuan_v1_dense": {"head_dim": 32}, "ministral": {"head_dim": 32},
}  # fmt: skip
BLOCKS = {"layer_types": ["full_attention", "minimax_m3_sparse"] * 2, "index_n_heads": 2, "index_head_dim": 16,
          "index_block_size": 4, "index_topk_blocks": 3}  # fmt: skip
SHARED = {"num_kv_shared_layers": 2, "layer_types": ["sliding_attention", "full_attention"] * 2,
          "use_double_wide_mlp": True}  # fmt: skip
# Keys that a type has and that change the count; each is one more model.
VARIANTS = [
    ("llama", {"attention_bias": True}), ("llama", {"mlp_bias": True, "tie_word_embeddings": True}),
    ("llama", {"head_dim": 24}), ("mistral", {"head_dim": 32}), ("mistral", {"sliding_window": 32}),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 32, "max_window_layers": 1}),
    ("qwen2_moe", {"decoder_sparse_step": 2}), ("qwen2_moe", {"mlp_only_layers": [0, 3]}),
    ("qwen2_moe", {"qkv_bias": False}), ("qwen3", {"attention_bias": True}),
    ("qwen3_moe", {"decoder_sparse_step": 2, "mlp_only_layers": [1]}), ("gemma3_text", {"sliding_window": 32}),
    ("gemma", {"tie_word_embeddings": False}), ("opt", {"enable_bias": False}),
    ("opt", {"do_layer_norm_before": False}),
    ("opt", {"_remove_final_layer_norm": True}), ("opt", {"layer_norm_elementwise_affine": False}),
    ("phi", {"qk_layernorm": True}), ("phi", {"num_key_value_heads": HEADS}), ("phimoe", {"lm_head_bias": True}),
    ("granite", {"mlp_bias": True}), ("gpt_neox", {"attention_bias": False}),
    ("gpt_neox", {"use_parallel_residual": False}),
    ("gpt_bigcode", {"multi_query": False}), ("gpt2", {"n_inner": 100}), ("falcon", {"bias": True}),
    ("falcon", {"parallel_attn": False}), ("falcon", {"multi_query": False}), ("falcon", {"alibi": True}),
    ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2}),
    ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": 1}),
    ("stablelm", {"use_qkv_bias": True}), ("stablelm", {"use_parallel_residual": True}),
    ("starcoder2", {"use_bias": False}), ("cohere", {"use_qk_norm": True}), ("cohere", {"attention_bias": True}),
    ("deepseek_v2", {"q_lora_rank": None}), ("deepseek_v2", {"attention_bias": True}),
    ("deepseek_v2", {"first_k_dense_replace": 3}), ("deepseek_v3", {"n_shared_experts": 2}),
    ("glm4_moe", {"use_qk_norm": True}), ("ernie4_5_moe", {"moe_layer_start_index": 2}),
    ("ernie4_5", {"use_bias": True}), ("seed_oss", {"attention_out_bias": True}),
    ("persimmon", {"qk_layernorm": False}),
    ("arcee", {"mlp_bias": True}), ("smollm3", {"attention_bias": True}), ("dots1", {"first_k_dense_replace": 2}),
    ("mamba", {"time_step_rank": 5}), ("mamba", {"use_bias": True, "use_conv_bias": False}),
    ("mamba2", {"use_bias": True, "tie_word_embeddings": True}), ("qwen3_next", {"full_attention_interval": 2}),
    ("qwen3_next", {"linear_conv_kernel_dim": 3, "linear_value_head_dim": 24}), ("qwen3_5_text", {"head_dim": 32}),
    ("granitemoeshared", {"shared_intermediate_size": 40}), ("granitemoehybrid", {"position_embedding_type": "rope"}),
    ("granitemoehybrid", {"layer_types": ["linear_attention", "full_attention"] * 2, "mamba_proj_bias": True}),
    ("granitemoehybrid", {"num_local_experts": 0}), ("bamba", {"mlp_bias": True, "attention_bias": True}),
    ("jamba", {"num_hidden_layers": 9}), ("jamba", {"mamba_dt_rank": 7, "mamba_expand": 3}),
    ("lfm2", {"block_auto_adjust_ff_dim": False, "conv_bias": True}), ("lfm2", {"block_ffn_dim_multiplier": 1.3}),
    ("lfm2", {"block_multiple_of": 24, "conv_L_cache": 4}), ("exaone_moe", {"num_shared_experts": 2}),
    ("afmoe", {"num_dense_layers": 2}), ("glm4_moe_lite", {"mlp_layer_types": ["dense", "sparse"] * 2}),
    ("deepseek_v32", {"first_k_dense_replace": 3}), ("glm_moe_dsa", {"indexer_types": ["full", "shared"] * 2}),
    ("glm_moe_dsa", {"index_topk_freq": 2}), ("glm_moe_dsa", {"index_topk_pattern": "FSSF"}),
    ("llama4_text", {"interleave_moe_layer_step": 2}), ("llama4_text", {"moe_layers": [1]}),
    ("llama4_text", {"attention_bias": True}), ("nemotron_h", {"moe_latent_size": 24}),
    ("nemotron_h", {"hybrid_override_pattern": "M-M*EM"}), ("nemotron_h", {"attention_bias": True, "use_bias": True}),
    ("nemotron_h", {"layers_block_type": ["mamba", "attention", "mlp"], "use_conv_bias": False}),
    ("falcon_mamba", {"expand": 3}), ("minimax", {"head_dim": 32}), ("cwm", {"mlp_bias": True}),
    ("hunyuan_v1_moe", {"num_experts": 6}), ("gemma4_text", {"hidden_size_per_layer_input": 0}),
    ("gemma4_text", {"attention_k_eq_v": True, "num_global_key_value_heads": 1}), ("gemma4_text", SHARED),
    ("gemma4_text", {"enable_moe_block": True, "top_k_experts": 2}),
    ("gemma3_text", {"use_bidirectional_attention": True}),
    ("falcon_h1", {"mamba_d_ssm": None, "mamba_expand": 4, "mamba_d_head": 32, "projectors_bias": True}),
    ("falcon_h1", {"mamba_rms_norm": True, "mamba_proj_bias": True, "attention_bias": True, "mlp_bias": True}),
    ("mimo_v2_flash", {"layer_types": ["full_attention"] * 6 + ["sliding_attention"], "attention_bias": True}),
    ("mimo_v2_flash", {"mlp_layer_types": ["dense", "sparse", "dense", *["sparse"] * 4], "v_head_dim": 24}),
    ("step3p5", {"layer_types": ["full_attention", "sliding_attention"] * 2, "num_sliding_attention_heads": 6,
                 "sliding_window": 8}),
    ("step3p5", {"mlp_layer_types": ["dense", "sparse"] * 2, "attention_bias": True}),
    ("minimax_m3_vl_text", {**BLOCKS, "dense_intermediate_size": 100, "mlp_layer_types": ["dense", "sparse"] * 2}),
]  # fmt: skip
MODELS = [(name, {}) for name in TYPES] + VARIANTS


@pytest.fixture(scope="module")
def transformers() -> Any:
    return pytest.importorskip("transformers")


def configuration(transformers: Any, name: str, changes: dict[str, Any]) -> Any:
    known = transformers.CONFIG_MAPPING[name]().to_dict()
    sizes = {key: value for key, value in SIZES.items() if key in known}
    return transformers.CONFIG_MAPPING[name](**{**sizes, **OWN.get(name, {}), **changes})


def class_of(transformers: Any, name: str) -> Any:
    """Return what makes a model of a configuration: with an LM head, but for types whose text model has none."""
    if name == "step3p5":  # which no automatic class knows
        return transformers.models.step3p7.modeling_step3p7.Step3p7TextModel._from_config
    return (transformers.AutoModel if name in PARTS else transformers.AutoModelForCausalLM).from_config


def read(folder: Path, config: dict[str, Any]) -> ModelShape:
    (folder / "config.json").write_text(json.dumps(config))
    return read_config(folder)


@pytest.mark.parametrize(("name", "changes"), MODELS, ids=lambda value: value if isinstance(value, str) else None)
def test_a_model_has_the_parameters_that_transformers_makes(transformers, tmp_path, name, changes):
    import torch

    config = configuration(transformers, name, changes)
    with torch.device("meta"):
        model = class_of(transformers, name)(config)
    made = sum(parameter.numel() for parameter in model.parameters())
    found = read(tmp_path, {**config.to_dict(), "architectures": [type(model).__name__]})
    assert found.parameters == made
    bare = read(tmp_path, {**config.to_dict(), "architectures": [type(model.base_model).__name__]})
    assert bare.parameters == sum(parameter.numel() for parameter in model.base_model.parameters())


# Keys of files on the hub that the configuration classes turn into others, which their own files then have.
OLDER = [
    ("nemotron_h", {"hybrid_override_pattern": "M-M*EM", "num_hidden_layers": 6}), ("nemotron_h", {}),
    ("nemotron_h", {"layers_block_type": ["mamba", "attention", "mlp"]}),
    ("glm_moe_dsa", {"index_topk_freq": 2, "num_hidden_layers": 5}),
    ("glm_moe_dsa", {"index_topk_pattern": "FSSF"}), ("bamba", {"attn_layer_indices": [0, 3]}),
    ("lfm2", {"full_attn_idxs": [1]}), ("lfm2", {"block_ff_dim": 200}),
    ("granitemoehybrid", {"layer_types": ["mamba", "attention"] * 2}),
    ("jamba", {"attn_layer_period": 2, "attn_layer_offset": 1, "num_hidden_layers": 7}),
    ("gemma4_text", {"global_head_dim": 32, "num_hidden_layers": 7}), ("llama4_text", {"interleave_moe_layer_step": 2}),
    ("deepseek_v32", {"first_k_dense_replace": 2}), ("exaone_moe", {"first_k_dense_replace": 2}),
    ("mistral", {"num_key_value_heads": 4}), ("mimo_v2_flash", {"num_hidden_layers": 13}),
    ("falcon_h1", {"mamba_d_head": "auto"}), ("gemma3_text", {"use_bidirectional_attention": True}),
    ("step3p5", {"moe_layers_enum": "1,3", "num_nextn_predict_layers": 1, "sliding_window": 8,
                 "attention_other_setting": {"num_attention_heads": 6}, "rope_theta": [10000.0] * 5,
                 "layer_types": ["full_attention", "sliding_attention"] * 2 + ["full_attention"],
                 "partial_rotary_factors": [0.5, 1.0, 0.5, 1.0, 0.5]}),
    ("step3p5", {"num_hidden_layers": 5}),
    ("minimax_m3_vl_text", {"moe_layer_freq": [0, 1, 1, 1], "dense_intermediate_size": 100, "sparse_attention_config": {
        "sparse_attention_freq": [0, 1, 1, 0], "sparse_num_index_heads": 3, "sparse_index_dim": 24}}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes"), OLDER)
def test_a_file_of_the_hub_is_the_model_that_its_configuration_class_makes_of_it(transformers, tmp_path, name, changes):
    import torch

    known = transformers.CONFIG_MAPPING[name]().to_dict()
    own = {key: value for key, value in OWN.get(name, {}).items() if key not in ("layer_types", "attn_layer_indices")}
    written = {**{key: value for key, value in SIZES.items() if key in known}, **own, **changes}
    with torch.device("meta"):
        model = class_of(transformers, name)(transformers.CONFIG_MAPPING[name](**copy.deepcopy(written)))
    found = read(tmp_path, {"model_type": name, "architectures": [type(model).__name__], **written})
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("kind", ["", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification"])
def test_an_encoder_has_the_parameters_that_transformers_makes(transformers, tmp_path, name, kind):
    import torch

    config = configuration(transformers, name, {})
    with torch.device("meta"):
        model = getattr(transformers, f"AutoModel{kind}").from_config(config)
    # a classifier is what follows: ours is what stands in front of it
    modules = dict(model.named_children())
    own = ("classifier", "pre_classifier", "head") if "Classification" in kind else ()
    after = sum(parameter.numel() for key in own if key in modules for parameter in modules[key].parameters())
    found = read(tmp_path, {**config.to_dict(), "architectures": [type(model).__name__]})
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters()) - after
    assert not found.causal
    assert "not known" not in found.note


WINDOWED = sorted(name for name, model_type in model_types().types.items() if model_type.windows and name in TYPES)


@pytest.mark.parametrize("name", WINDOWED)
@pytest.mark.parametrize("layers", [1, 7, 12])
def test_the_layers_with_windows_are_those_of_the_configuration_class(transformers, tmp_path, name, layers):
    changes: dict[str, Any] = {"num_hidden_layers": layers, "sliding_window": 48, "use_sliding_window": True}
    changes |= {"max_window_layers": 3, "attention_chunk_size": 48}
    known = transformers.CONFIG_MAPPING[name]().to_dict()
    if name == "gpt_neo":
        changes = {"num_layers": layers, "attention_types": [[["global", "local"], layers]], "window_size": 48}
        changes["attention_types"] = [[["global"], 1], [["local"], layers - 1]] if layers > 1 else [[["local"], 1]]
    config = configuration(transformers, name, {key: value for key, value in changes.items() if key in known})
    kinds = getattr(config, "layer_types", None) or getattr(config, "attention_layers", None)
    if kinds is None:  # all or none, as its attention says
        kinds = ["sliding_attention"] * layers
    expected = sum(kind in ("sliding_attention", "chunked_attention", "local") for kind in kinds)
    written = {key: value for key, value in config.to_dict().items() if key not in ("layer_types", "attention_layers")}
    for found in (read(tmp_path, config.to_dict()), read(tmp_path, written)):
        groups = found.groups or [found]
        windows = [(g.repeats if found.groups else found.layers) for g in groups if g.window == 48]
        assert sum(windows) == expected
        assert {g.window or 0 for g in groups} <= {0, 48}


@pytest.mark.parametrize("name", TYPES)
def test_each_key_of_a_configuration_class_is_applied_listed_or_refused(transformers, tmp_path, name):
    config = configuration(transformers, name, {})
    note = read(tmp_path, config.to_dict()).note
    assert "not known" not in note
    assert read(tmp_path, {**config.to_dict(), "made_up_key": 1}).note.endswith("made_up_key")


SEQUENCES, TOKENS, WINDOW = 2, 20, 8
CACHED = (
    "llama", "qwen2", "qwen3", "mixtral", "olmo2", "phi3", "falcon", "gpt_neox", "gpt2", "bloom", "gemma3_text",
    "mistral", "gpt_oss", "cohere2", "mamba", "mamba2", "qwen3_next", "qwen3_5_text", "cwm", "llama4_text", "lfm2",
    "lfm2_moe", "nemotron_h", "bamba", "jamba", "minimax", "afmoe", "gemma4_text", "falcon_h1", "mimo_v2_flash",
    "minimax_m3_vl_text",
)  # fmt: skip


@pytest.mark.parametrize("name", CACHED)
def test_a_cache_holds_the_values_that_transformers_keeps(transformers, tmp_path, name):
    import torch

    windowed = ("gemma3_text", "mistral", "gpt_oss", "cohere2", "cwm", "afmoe", "mimo_v2_flash")
    changes = {"sliding_window": WINDOW} if name in windowed else {}
    changes |= {"attention_chunk_size": WINDOW} if name == "llama4_text" else {}
    changes |= {**SHARED, "sliding_window": WINDOW} if name == "gemma4_text" else {}
    changes |= BLOCKS if name == "minimax_m3_vl_text" else {}
    config = configuration(transformers, name, changes)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        cache = model(input_ids=torch.ones((SEQUENCES, TOKENS), dtype=torch.long), use_cache=True)["past_key_values"]
    kept: dict[str, int] = {"keys": 0, "values": 0, "idx_keys": 0, "recurrent_states": 0, "conv_states": 0}
    for layer in cache.layers:
        for key in kept:
            tensors = getattr(layer, key, None)
            tensors = tensors.values() if isinstance(tensors, dict) else [] if tensors is None else [tensors]
            kept[key] += sum(tensor.numel() for tensor in tensors if tensor is not None)
    if name == "minimax":  # its states are a list of their own
        kept["recurrent_states"] += sum(
            state.numel() for state in cache.linear_cache if isinstance(state, torch.Tensor)
        )
    parts = [(part, block.repeats) for block in read(tmp_path, config.to_dict()).blocks for part in block.parts]
    # A window's own token joins the cache with the next step: transformers keeps one token less between steps.
    tokens = [min(TOKENS, part.window - 1) if part.window else TOKENS for part, _ in parts]
    cached = sum(part.cached * repeats * held for (part, repeats), held in zip(parts, tokens, strict=True))
    assert kept["keys"] + kept["values"] + kept["idx_keys"] == SEQUENCES * cached
    # Of the convolution's taps the last is the token's own: transformers keeps it too.
    names = ("conv_kernel", "linear_conv_kernel_dim", "conv_L_cache", "mamba_d_conv")
    taps = next((getattr(config, name) for name in names if getattr(config, name, None)), 2)
    states = kept["recurrent_states"] + kept["conv_states"] * (taps - 1) // taps
    assert states == SEQUENCES * sum(part.state * repeats for part, repeats in parts)


def test_a_latent_cache_is_what_its_projection_gives_for_each_token(transformers, tmp_path):
    import torch

    config = configuration(transformers, "deepseek_v3", {})
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    widths = [layer.self_attn.kv_a_proj_with_mqa.out_features for layer in model.model.layers]
    parts = [(part, block.repeats) for block in read(tmp_path, config.to_dict()).blocks for part in block.parts]
    assert sum(part.cached * repeats for part, repeats in parts) == sum(widths)


def test_the_text_of_a_multimodal_model_is_what_is_left_without_its_vision(transformers, tmp_path):
    import torch

    text = configuration(transformers, "step3p5", {"num_nextn_predict_layers": 1}).to_dict()
    config = transformers.CONFIG_MAPPING["step3p7"](text_config=text)
    with torch.device("meta"):
        model = transformers.models.step3p7.modeling_step3p7.Step3p7ForConditionalGeneration._from_config(config)
    vision = [*model.model.vision_model.parameters(), *model.model.multi_modal_projector.parameters()]
    found = read(tmp_path, {**config.to_dict(), "architectures": [type(model).__name__]})
    made = sum(parameter.numel() for parameter in model.parameters())
    assert found.parameters == made - sum(parameter.numel() for parameter in vision)
    assert found.note.endswith("type step3p5; vision_config is not counted")


def test_layers_with_windows_may_have_other_heads_and_shares_of_positions(tmp_path):
    written = {
        "model_type": "step3p5", **{key: SIZES[key] for key in ("hidden_size", "intermediate_size")}, "vocab_size": 100,
        "num_hidden_layers": 3, "num_attention_heads": 4, "num_attention_groups": 2, "head_dim": 16,
        "sliding_window": 8, "attention_other_setting": {"num_attention_heads": 6}, "num_nextn_predict_layers": 1,
        "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "sliding_attention"],
        "partial_rotary_factors": [0.5, 1.0, 1.0, 1.0],
    }  # fmt: skip
    first, second = read(tmp_path, written).groups
    assert first.changes() == {"rotary_share": 0.5, "experts": 1, "active_experts": 1, "shared_ffn": 0}
    assert (second.repeats, second.heads, second.window, second.rotary_share) == (2, 6, 8, None)
    written |= {"layer_types": ["full_attention"] * 2}
    with pytest.raises(InputError, match="layer_types: lists 2 layers; expected a kind for each of 3 layers"):
        read(tmp_path, written)


def test_the_embedding_model_of_gemma_attends_to_both_sides(tmp_path):
    written = {"model_type": "gemma3_text", "architectures": ["Gemma3TextModel"], **SIZES, "sliding_window": 512,
               "use_bidirectional_attention": True}  # fmt: skip
    written = {key: value for key, value in written.items() if key in GEMMA}
    found = read(tmp_path, written)
    assert (found.causal, found.kv_cache, found.lm_head) == (False, False, False)
    assert {group.window for group in found.groups or [found]} == {2 * 256 + 1}
