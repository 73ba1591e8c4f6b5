"""Shapes from GGUF headers: against config.json for models that transformers makes, and what is refused."""

import json
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from bitjoule.energy_models.architecture.block import Linear, all_matmuls, stored_values
from bitjoule.energy_models.architecture.readers.huggingface import read_config
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.model_files.gguf_header import read_gguf
from bitjoule.energy_models.model_files.gguf_shape import architectures, gguf_shape
from tests.energy_models.model_files.gguf_files import raw_gguf, text, write_gguf

LAYERS = 6
SIZES = {
    "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 100, "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0,
    "num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 48,
    "shared_expert_intermediate_size": 80, "sliding_window": 32, "kv_lora_rank": 16, "q_lora_rank": 24,
    "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 12, "first_k_dense_replace": 2, "n_routed_experts": 4,
    "n_group": 1, "topk_group": 1,
}  # fmt: skip
GPT2 = {"n_embd": 64, "n_layer": LAYERS, "n_head": 4}
# Name of the type, of the architecture, and what its configuration adds.
MODELS: list[tuple[str, str, dict[str, Any]]] = [
    ("llama", "llama", {}), ("llama", "llama", {"tie_word_embeddings": True, "head_dim": 24}),
    ("llama", "llama", {"attention_bias": True}), ("bitnet", "bitnet", {"tie_word_embeddings": True}),
    ("qwen2", "qwen2", {}), ("qwen3", "qwen3", {"head_dim": 32}), ("gemma", "gemma", {}), ("gemma2", "gemma2", {}),
    ("gemma3_text", "gemma3", {"head_dim": 16}), ("falcon", "falcon", {}),
    ("falcon", "falcon", {"new_decoder_architecture": True, "num_kv_heads": 2}),
    ("falcon", "falcon", {"bias": True}),
    ("phi", "phi2", {"num_key_value_heads": 4}), ("phi3", "phi3", {}), ("starcoder2", "starcoder2", {}),
    ("stablelm", "stablelm", {}), ("cohere", "command-r", {}), ("cohere2", "cohere2", {}), ("olmo2", "olmo2", {}),
    ("gpt_neox", "gptneox", {}), ("gpt2", "gpt2", {}), ("granite", "granite", {}), ("smollm3", "smollm3", {}),
    ("nemotron", "nemotron", {}), ("arcee", "arcee", {}), ("exaone4", "exaone4", {}), ("seed_oss", "seed_oss", {}),
    ("hunyuan_v1_dense", "hunyuan-dense", {"head_dim": 32}), ("bloom", "bloom", {"n_layer": LAYERS, "n_head": 4}),
    ("olmoe", "olmoe", {}), ("qwen3_moe", "qwen3moe", {}), ("qwen2_moe", "qwen2moe", {}), ("mamba", "mamba", {}),
    ("falcon_mamba", "mamba", {}), ("mamba", "mamba", {"use_bias": True, "use_conv_bias": False, "time_step_rank": 5}),
    ("deepseek_v2", "deepseek2", {}), ("deepseek_v2", "deepseek2", {"q_lora_rank": None}),
    ("deepseek_v3", "deepseek2", {"n_shared_experts": 2}),
]  # fmt: skip
SEPARATE = {"falcon", "gptneox", "gpt2", "bloom"}  # whose queries, keys and values the package expects in one matrix


@pytest.fixture(scope="module")
def transformers() -> Any:
    return pytest.importorskip("transformers")


def keys_of(config: Any, architecture: str) -> dict[str, Any]:
    """The keys that a converter writes from a configuration."""
    values = config.to_dict()
    if architecture == "mamba":
        inner, rank = config.intermediate_size, config.time_step_rank
        sizes = {"inner_size": inner, "time_step_rank": rank, "state_size": config.state_size,
                 "conv_kernel": config.conv_kernel, "dt_b_c_rms": config.model_type == "falcon_mamba"}  # fmt: skip
        keys = {"block_count": LAYERS, "embedding_length": config.hidden_size, "attention.head_count": 0,
                "attention.layer_norm_rms_epsilon": 1e-5}  # fmt: skip
        return {f"mamba.{key}": value for key, value in (keys | {f"ssm.{k}": v for k, v in sizes.items()}).items()}

    def first(*names: str) -> Any:
        return next((values[name] for name in names if values.get(name) is not None), None)

    heads = first("num_attention_heads", "n_head")
    hidden = first("hidden_size", "n_embd")
    kv_heads = first("num_key_value_heads") or heads
    if values["model_type"] == "falcon":
        kv_heads = values["num_kv_heads"] if values["new_decoder_architecture"] else 1
    width = first("head_dim") or hidden // heads
    rope = (values.get("rope_parameters") or {}).get("partial_rotary_factor")
    keys = {
        "block_count": LAYERS, "embedding_length": hidden, "attention.head_count": heads,
        "attention.head_count_kv": kv_heads,
        "feed_forward_length": first("intermediate_size", "ffn_hidden_size") or 256,
        "attention.key_length": width, "attention.value_length": width,
        "rope.dimension_count": int((rope or values.get("partial_rotary_factor") or 1) * width),
    }  # fmt: skip
    if architectures()[architecture].window_every and values.get("sliding_window"):
        keys["attention.sliding_window"] = values["sliding_window"]
    if architecture == "deepseek2":
        head_dim = values["qk_nope_head_dim"] + values["qk_rope_head_dim"]
        keys |= {"attention.key_length": head_dim, "attention.value_length": values["v_head_dim"]}
        keys |= {"attention.kv_lora_rank": values["kv_lora_rank"], "rope.dimension_count": values["qk_rope_head_dim"]}
        keys |= {"attention.q_lora_rank": values["q_lora_rank"]} if values["q_lora_rank"] else {}
    if first("num_experts_per_tok"):
        keys |= {"expert_count": 4, "expert_used_count": 2}
    epsilon = "attention.layer_norm_rms_epsilon" if "rms_norm_eps" in values else "attention.layer_norm_epsilon"
    return {f"{architecture}.{key}": value for key, value in {**keys, epsilon: 1e-5}.items()}


def named(state: dict[str, Any], architecture: str, tied: bool) -> dict[str, Any]:
    """The tensors under the names that the gguf package gives them; fused experts and heads apart."""
    kind = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(kind, LAYERS)
    tensors = {}
    for name, tensor in state.items():
        shape = tuple(tensor.shape)
        if name == "lm_head.weight" and tied:
            continue
        if name.endswith("experts.gate_up_proj"):
            for part in ("gate", "up"):
                new = names.get_name(name.replace("gate_up_proj", f"{part}_proj"))
                tensors[f"{new}.weight"] = np.zeros((shape[0], shape[1] // 2, shape[2]), np.float16)
            continue
        name = name.replace("self_attn.attn_sub_norm", "self_attn.inner_attn_ln")  # as the first reproductions name it
        name = name.removeprefix("transformer.") if architecture == "bloom" else name
        if name.endswith(("mixer.A_log", "mixer.D")):  # stored as they are, without an ending
            tensors[names.get_name(name)] = np.zeros(shape, np.float16)
            continue
        name = name.replace("e_score_correction_bias", "e_score_correction.bias")  # as the converter does
        name = name.replace("mlp.ffn_sub_norm", "mlp.ffn_layernorm")
        new = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert new is not None, name
        new = new if new.endswith((".weight", ".bias")) else f"{new}.weight"
        if architecture == "gpt2" and ".weight" in new and len(shape) == 2 and "embd" not in new and new != "output.":
            shape = shape[::-1]  # Conv1D keeps its matrices the other way round
        tensors[new] = np.zeros(shape, np.float16)
    return tensors


def counted(shape: ModelShape) -> Any:
    linears = [
        (matmul.component, matmul.in_features, matmul.out_features, matmul.bias, matmul.uses, matmul.copies, repeats)
        for matmul, repeats in all_matmuls(shape.blocks)
        if isinstance(matmul, Linear)
    ]
    kept = [(block.repeats, [(p.cached, p.window, p.state) for p in block.parts]) for block in shape.blocks]
    return stored_values(shape.blocks), linears, kept


@pytest.mark.slow
@pytest.mark.parametrize(("name", "architecture", "changes"), MODELS, ids=lambda value: str(value)[:30])
def test_shape_is_that_of_the_config(
    transformers: Any, tmp_path: Path, name: str, architecture: str, changes: dict[str, Any]
) -> None:
    import torch

    known = transformers.CONFIG_MAPPING[name]().to_dict()
    sizes = {key: value for key, value in {**SIZES, **(GPT2 if name == "gpt2" else {})}.items() if key in known}
    config = transformers.CONFIG_MAPPING[name](**{**sizes, **changes})
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    state = {key: value for key, value in model.state_dict().items() if not key.endswith((".attn.bias", "masked_bias"))}
    tensors = named(state, architecture, config.to_dict().get("tie_word_embeddings", True))
    path = write_gguf(tmp_path / "m.gguf", architecture, keys_of(config, architecture), tensors)
    shape = gguf_shape(read_gguf(path))
    (tmp_path / "config.json").write_text(json.dumps({**config.to_dict(), "architectures": [type(model).__name__]}))
    expected = read_config(tmp_path)
    assert counted(shape) == counted(expected)
    mine, theirs = shape.model_dump(), expected.model_dump()
    ignored = {
        "note",
        "ffn",
        "expert_ffn",
        "norm_bias",
        *(("groups", "window", "rotary_share", "experts", "active_experts", "shared_ffn") if shape.groups else ()),
    }
    if architecture == "bitnet":
        ignored.add("activation")  # llama.cpp's architecture of this name is that of the first reproductions
    assert {key: mine[key] for key in mine if key not in ignored} == {
        key: theirs[key] for key in theirs if key not in ignored
    }
    assert described(shape) == described(expected)


def described(shape: ModelShape) -> list[tuple[int, int, float]]:
    """How many layers have which window and share of rotary positions."""
    return sorted(
        (
            group.repeats,
            shape.window if group.window is None else group.window,
            shape.rotary_share if group.rotary_share is None else group.rotary_share,
        )
        for group in shape.groups
    )


TOY = {
    "block_count": 1, "embedding_length": 8, "attention.head_count": 2, "attention.head_count_kv": 1,
    "feed_forward_length": 12, "attention.layer_norm_rms_epsilon": 1e-5,
}  # fmt: skip
MATRICES = {
    "token_embd": (10, 8), "blk.0.attn_q": (8, 8), "blk.0.attn_k": (4, 8), "blk.0.attn_v": (4, 8),
    "blk.0.attn_output": (8, 8), "blk.0.ffn_gate": (12, 8), "blk.0.ffn_up": (12, 8), "blk.0.ffn_down": (8, 12),
}  # fmt: skip
NORMS = {"output_norm": (8,), "blk.0.attn_norm": (8,), "blk.0.ffn_norm": (8,)}


def toy(
    path: Path, architecture: str = "llama", keys: dict[str, Any] | None = None, **tensors: tuple[int, ...] | None
) -> Path:
    """A model of one layer; a key or a tensor that is none is left out, and `__` in a tensor's name is a dot."""
    sizes = {**MATRICES, **NORMS, **{name.replace("__", "."): shape for name, shape in tensors.items()}}
    named = {
        name if "." in name[6:] or name.endswith("ssm_a") else f"{name}.weight": shape
        for name, shape in sizes.items()
        if shape
    }
    written = {f"{architecture}.{key}": value for key, value in {**TOY, **(keys or {})}.items() if value is not None}
    return write_gguf(
        path / "m.gguf", architecture, written, {name: np.zeros(shape, np.float16) for name, shape in named.items()}
    )


def test_toy(tmp_path: Path) -> None:
    shape = gguf_shape(read_gguf(toy(tmp_path, rope_freqs=(2,))))
    assert shape.parameters == 10 * 8 + 8 * 8 + 2 * 4 * 8 + 8 * 8 + 3 * 12 * 8 + 3 * 8
    assert (shape.heads, shape.kv_heads, shape.head_dim, shape.vocabulary, shape.tied_embedding) == (2, 1, 4, 10, True)
    assert shape.note == (
        "read from a GGUF file of architecture llama; not counted: rope_freqs.weight (factors of the rotary positions)"
    )


@pytest.mark.parametrize("fused", [False, True])
def test_experts_are_matrices_of_a_tensor_with_three_axes(tmp_path: Path, fused: bool) -> None:
    """Three experts of 5 rows, gate and up apart or one behind the other, and a router that picks two of them."""
    up = {"gate_up": (3, 2 * 5, 8)} if fused else {"gate": (3, 5, 8), "up": (3, 5, 8)}
    tensors: dict[str, Any] = {f"blk__0__ffn_{name}_exps": size for name, size in {**up, "down": (3, 8, 5)}.items()}
    dense = dict.fromkeys(f"blk__0__ffn_{name}" for name in ("gate", "up", "down"))
    keys = {"expert_count": 3, "expert_used_count": 2}
    path = toy(tmp_path, "qwen3moe", keys, **tensors, **dense, blk__0__ffn_gate_inp=(3, 8))
    shape = gguf_shape(read_gguf(path))
    assert (shape.ffn, shape.ffn_gated, shape.experts, shape.active_experts) == (5, True, 3, 2)
    assert shape.parameters == 10 * 8 + 8 * 8 + 2 * 4 * 8 + 8 * 8 + 3 * 8 + 3 * 3 * 5 * 8 + 3 * 8


LATENT = {"attention.kv_lora_rank": 3, "rope.dimension_count": 2}
LATENT_OLD = {**LATENT, "attention.key_length": 6, "attention.value_length": 5}
# Heads attend to the latents: as many keys and values as these have, and one head of them.
LATENT_NEW = {**LATENT, "attention.key_length": 5, "attention.value_length": 3, "attention.key_length_mla": 6,
              "attention.value_length_mla": 5}  # fmt: skip
LATENT_TENSORS: dict[str, Any] = {
    "blk__0__attn_q": (2 * 6, 8), "blk__0__attn_kv_a_mqa": (5, 8), "blk__0__attn_kv_a_norm": (3,),
    "blk__0__attn_output": (8, 2 * 5), "blk__0__attn_k": None, "blk__0__attn_v": None,
}  # fmt: skip
EXPANSION = {"blk__0__attn_kv_b": (2 * (4 + 5), 3)}
EXPANSIONS = {"blk__0__attn_k_b": (2, 3, 4), "blk__0__attn_v_b": (2, 5, 3)}


@pytest.mark.parametrize(("keys", "expansion"), [(LATENT_OLD, EXPANSION), (LATENT_NEW, EXPANSIONS)])
def test_latents_are_expanded_by_one_matrix_or_by_two(tmp_path: Path, keys: Any, expansion: Any) -> None:
    shape = gguf_shape(read_gguf(toy(tmp_path, "deepseek2", keys, **LATENT_TENSORS, **expansion)))
    mixer = {"kind": "latent_attention", "kv_rank": 3, "nope_dim": 4, "rope_dim": 2, "value_dim": 5}
    assert shape.mixer is not None
    assert shape.mixer.model_dump(exclude_defaults=True) == {k: v for k, v in mixer.items() if k != "kind"}
    attention = 2 * 6 * 8 + 5 * 8 + 3 + 2 * (4 + 5) * 3 + 8 * 2 * 5
    assert shape.parameters == 10 * 8 + attention + 3 * 12 * 8 + 3 * 8


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        (
            {**LATENT_OLD, "attention.kv_lora_rank": 4},
            "blk.0.attn_kv_b.weight: expands 4 values into 13, the keys say 18",
        ),
        ({**LATENT_OLD, "attention.key_length": 2}, "deepseek2.rope.dimension_count: got 2 of 2; expected less than"),
        ({**LATENT_OLD, "attention.kv_lora_rank": None}, "deepseek2.attention.kv_lora_rank: is missing; expected a"),
    ],
)
def test_latents_that_the_tensors_do_not_have(tmp_path: Path, keys: Any, wrong: str) -> None:
    with pytest.raises(InputError) as error:
        gguf_shape(read_gguf(toy(tmp_path, "deepseek2", keys, **LATENT_TENSORS, **EXPANSION)))
    assert wrong in str(error.value)


def test_layers_of_a_hybrid(tmp_path: Path) -> None:
    """Qwen3.5: a layer with the gated delta rule, then one with attention and a gate on its outputs."""
    keys = {
        "block_count": 2, "attention.key_length": 4, "attention.value_length": 4, "ssm.conv_kernel": 4,
        "ssm.state_size": 3, "ssm.group_count": 2, "ssm.time_step_rank": 4, "ssm.inner_size": 20,
        "rope.dimension_count": 2,
    }  # fmt: skip
    channels = 2 * 2 * 3 + 20
    delta = {
        "attn_qkv": (channels, 8), "attn_gate": (20, 8), "ssm_beta": (4, 8), "ssm_alpha": (4, 8), "ssm_out": (8, 20),
        "ssm_conv1d": (channels, 4), "ssm_norm": (5,), "ssm_dt__bias": (4,),
    }  # fmt: skip
    attention = {
        "attn_q": (16, 8), "attn_k": (4, 8), "attn_v": (4, 8), "attn_output": (8, 8), "attn_q_norm": (4,),
        "attn_k_norm": (4,),
    }  # fmt: skip
    ffn = {"ffn_gate": (12, 8), "ffn_up": (12, 8), "ffn_down": (8, 12), "attn_norm": (8,), "post_attention_norm": (8,)}
    tensors: dict[str, Any] = dict.fromkeys(
        ("blk.0.attn_q", "blk.0.attn_k", "blk.0.attn_v", "blk.0.attn_output", "blk.0.ffn_norm")
    )
    for i, parts in enumerate((delta, attention)):
        tensors |= {f"blk__{i}__{name}": size for name, size in {**parts, **ffn}.items()}
    path = toy(tmp_path, "qwen35", keys, **tensors)
    header = read_gguf(path)
    with pytest.raises(InputError, match="the tensors hold 185 values of other, the keys describe 189"):
        gguf_shape(header)  # without ssm_a
    raw = gguf_shape(read_gguf(toy(tmp_path, "qwen35", keys, **tensors, blk__0__ssm_a=(4,))))
    assert raw.parameters == 80 + 8 + 2 * (3 * 96 + 16) + 8 * (channels + 20 + 8) + 160 + 4 * channels + 5 + 8 + (
        16 * 8 + 2 * 32 + 64 + 8
    )
    kinds = [[(part.cached, part.state) for part in block.parts] for block in raw.blocks[1:-1]]
    assert kinds == [[(0, 4 * 3 * 5 + channels * 3), (0, 0)], [(8, 0), (0, 0)]]
    assert raw.blocks[2].parts[0].matmuls[0].out_features == 16  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("keys", "tensors", "message"),
    [
        ({"block_count": None}, {}, "llama.block_count: is missing; expected a whole number above 0"),
        ({"block_count": 0}, {}, "llama.block_count: got 0; expected a whole number above 0"),
        ({"block_count": 99999}, {}, "llama.block_count: got 99999, with 11 tensors; expected the layers in the file"),
        ({"block_count": 12}, {}, "llama.block_count: got 12, with 11 tensors; expected the layers in the file"),
        ({"block_count": 11}, {}, "blk.1.ffn_up.weight: is missing; expected this tensor of llama"),
        ({"block_count": 2}, {}, "blk.1.ffn_up.weight: is missing; expected this tensor of llama"),
        ({"attention.head_count": 3, "attention.head_count_kv": None}, {},
         "llama.attention.head_count: got 3, no divisor of embedding_length (8); expected a divisor, or"),
        ({"attention.head_count_kv": [1, 1], "block_count": 1, "attention.head_count": []}, {},
         "llama.attention.head_count: "),
        ({"attention.head_count_kv": 2}, {}, "file: the tensors hold 480 values of weights, the keys describe 544"),
        ({"attention.value_length": 2}, {}, "llama.attention.value_length: got 2, with keys of 4; expected keys and"),
        ({}, {"token_embd": None}, "token_embd.weight: is missing; expected this tensor of llama"),
        ({}, {"blk__0__ffn_up": None}, "blk.0.ffn_up.weight: is missing"),
        ({}, {"blk__0__magic": (3,)}, "blk.0.magic.weight: is not known to be a tensor of 'llama'; expected a"),
        ({}, {"mm__0": (3,)}, "mm.0.weight: is not known to be a tensor of 'llama'"),
        ({}, {"blk__7__ffn_up": (12, 8)}, "file: the tensors hold 576 values of weights, the keys describe 480"),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, keys: dict[str, Any], tensors: dict[str, Any], message: str) -> None:
    tensors = {name.replace("__", "."): shape for name, shape in tensors.items()}
    path = toy(tmp_path, "llama", keys, **tensors)
    with pytest.raises(InputError) as error:
        gguf_shape(read_gguf(path, "m.gguf"))
    assert str(error.value).startswith(f"m.gguf:1: {message}")


def test_unknown_architecture(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        gguf_shape(read_gguf(toy(tmp_path, "rwkv7"), "m.gguf"))
    assert "m.gguf:1: general.architecture: unknown architecture 'rwkv7'; expected one of llama, " in str(error.value)


def test_bare_header_names_its_architecture(tmp_path: Path) -> None:
    """75 bytes, one key, no tensors; the name lacks its last digit."""
    path = raw_gguf(tmp_path / "m.gguf", {"general.architecture": struct.pack("<I", 8) + text("bitnet-b1.5")}, {})
    path.write_bytes(path.read_bytes()[:75])
    with pytest.raises(InputError) as error:
        gguf_shape(read_gguf(path, "m.gguf"))
    assert str(error.value).startswith(
        "m.gguf:1: general.architecture: unknown architecture 'bitnet-b1.5'; expected one of llama, "
    )
