"""Configurations of model folders: read, or refused with the key named."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bitjoule.sim.llm.checkpoints.loading import load_model
from tests.sim.folders import problem, write


@pytest.mark.parametrize(
    ("config", "generation", "stop"),
    [
        ({"eos_token_id": 7}, None, (7,)),
        ({"eos_token_id": [7, 9]}, {}, (7, 9)),
        ({"eos_token_id": 7}, {"eos_token_id": [8, 999]}, (8, 999)),
        ({"eos_token_id": None}, {"eos_token_id": 3}, (3,)),
    ],
)
def test_the_ids_that_end_a_text_are_read(tmp_path: Path, config: Any, generation: Any, stop: tuple[int, ...]) -> None:
    write(tmp_path, config)
    if generation is not None:
        (tmp_path / "generation_config.json").write_text(json.dumps(generation))
    assert load_model(tmp_path).config.stop == stop


def test_an_unknown_architecture_is_told_those_that_run(tmp_path: Path) -> None:
    for name in ("mamba", "opt"):
        write(tmp_path, {"model_type": name})
        assert problem(tmp_path).expected == "one of bitnet, llama, mistral, qwen2, qwen3"


def test_a_key_is_said_once(tmp_path: Path) -> None:
    write(tmp_path, {"rms_norm_eps": 0})
    assert problem(tmp_path).wrong == "is 0"


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"model_type": "mamba"}, "model_type"),
        ({"model_type": "opt", "ffn_dim": 24}, "model_type"),
        ({"hidden_size": 17}, "num_attention_heads"),
        ({"head_dim": 5}, "head_dim"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"rms_norm_eps": 0}, "rms_norm_eps"),
        ({"rms_norm_eps": True}, "rms_norm_eps"),
        ({"rope_theta": "many"}, "rope_theta"),
        ({"eos_token_id": "</s>"}, "eos_token_id"),
        ({"eos_token_id": [True]}, "eos_token_id"),
        ({"rope_parameters": {"rope_type": "yarn"}}, "rope_parameters"),
        ({"rope_scaling": {"type": "dynamic", "factor": 2}}, "rope_scaling"),
        ({"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}}, "rope_parameters"),
        ({"quantization_config": "bitnet"}, "quantization_config"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantization_config"),
        ({"quantization_config": {"quant_method": "bitnet", "linear_class": "bit"}}, "quantization_config"),
        ({"quantization_config": {"quant_method": "bitnet", "linear_class": [1]}}, "quantization_config"),
        ({"quantization_config": {"quant_method": "bitnet", "modules_to_not_convert": ["("]}}, "quantization_config"),
        ({"quantization_config": {"quant_method": "bitnet", "modules_to_not_convert": 3}}, "quantization_config"),
        ({"bitjoule": {"weights": "quaternary"}}, "bitjoule"),
        ({"bitjoule": {"weights": ["float"]}}, "bitjoule"),
        ({"bitjoule": {"weights": "float"}}, "quantization_config"),
        ({"bitjoule": {"activations": "absmax_binary"}}, "bitjoule"),
        ({"bitjoule": {"activations": [1]}}, "bitjoule"),
        ({"bitjoule": {"tokenizer": "words"}}, "bitjoule.tokenizer"),
    ],
)
def test_a_configuration_that_cannot_be_run_is_refused_by_key(tmp_path: Path, config: dict[str, Any], key: str) -> None:
    write(tmp_path, config)
    found = problem(tmp_path)
    assert found.file == "model/config.json"
    assert found.key == key


# Values that are false but not null, against the types that a key takes: none of them counts as left out.
FALSE_VALUES: tuple[Any, ...] = ([], {}, "", 0, False)
KEYS_AND_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("quantization_config", "bitjoule", "rope_parameters", "rope_scaling"), (dict,)),
    **dict.fromkeys(("model_type", "hidden_act", "rms_norm_eps", "rope_theta", "num_hidden_layers"), ()),
    **dict.fromkeys(("intermediate_size", "num_attention_heads", "vocab_size"), ()),
    "eos_token_id": (list, int),
    **{f"bitjoule.{key}": () for key in ("weights", "activations", "tokenizer")},
    **{f"quantization_config.{key}": () for key in ("quant_method", "linear_class", "quantization_mode")},
    "quantization_config.modules_to_not_convert": (list,),
    **{f"rope_scaling.{key}": () for key in ("rope_type", "type", "factor", "rope_theta")},
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, types in KEYS_AND_TYPES.items() for value in FALSE_VALUES if type(value) not in types],
)
def test_a_false_value_of_another_type_is_not_taken_as_left_out(tmp_path: Path, name: str, value: Any) -> None:
    key, _, inner = name.partition(".")
    base: dict[str, dict[str, Any]] = {
        "quantization_config": {"quant_method": "bitnet"},
        "rope_scaling": {} if inner in ("rope_type", "type") else {"rope_type": "linear", "factor": 2},
    }
    write(tmp_path, {key: {**base.get(key, {}), inner: value} if inner else value})
    assert problem(tmp_path).key.startswith(key)


NULL_KEYS = (
    "bitjoule", "rope_parameters", "rope_scaling", "rope_theta", "rms_norm_eps", "eos_token_id", "sliding_window",
    *(f"bitjoule.{key}" for key in ("weights", "activations", "tokenizer")),
    *(f"quantization_config.{key}" for key in ("use_rms_norm", "rms_norm_eps", "modules_to_not_convert")),
)  # fmt: skip
SWITCHES = ("quantization_config.use_rms_norm", "attention_bias", "mlp_bias", "use_sliding_window")


@pytest.mark.parametrize(
    ("name", "value"), [*((name, None) for name in NULL_KEYS), *((name, False) for name in SWITCHES)]
)
def test_null_and_a_switch_that_is_off_are_as_if_left_out(tmp_path: Path, name: str, value: Any) -> None:
    key, _, inner = name.partition(".")
    base: dict[str, Any] = {"quantization_config": {"quant_method": "bitnet"}}
    write(tmp_path / "without", base)
    write(tmp_path / "written", {**base, key: {**base.get(key, {}), inner: value} if inner else value})
    without, written = (load_model(tmp_path / folder).config for folder in ("without", "written"))
    unnoted = [config.shape.model_copy(update={"note": ""}) for config in (written, without)]  # it names other keys
    assert unnoted[0] == unnoted[1]
    assert replace(written, shape=without.shape) == without
    assert without.scheme.norm_epsilon is None
