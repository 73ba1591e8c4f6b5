"""Hugging Face config files against the presets of the same models."""

import json
from pathlib import Path

import pytest

from bitjoule.energy_models.architecture.readers.huggingface import read_config, supported_types
from bitjoule.energy_models.architecture.readers.model_types import model_types
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.inputs.errors import InputError

CONFIGS = sorted((Path(__file__).parents[2] / "configs").iterdir())
CITATION = {"family", "source", "where", "note"}


@pytest.mark.parametrize("folder", CONFIGS, ids=lambda folder: folder.name)
def test_a_config_gives_the_shape_of_its_preset(folder):
    read = read_config(folder).model_dump(exclude=CITATION)
    assert read == presets()[folder.name].model_dump(exclude=CITATION)


def test_a_config_is_read_from_its_folder_or_its_file():
    assert read_config(CONFIGS[0]) == read_config(CONFIGS[0] / "config.json")


@pytest.fixture
def llama(tmp_path):
    """Write a changed llama config."""

    def write(**changes: object) -> Path:
        source = next(folder for folder in CONFIGS if folder.name == "llama-7b")
        config = json.loads((source / "config.json").read_text()) | changes
        path = tmp_path / "config.json"
        path.write_text(json.dumps({key: value for key, value in config.items() if value != "drop"}, indent=2))
        return path

    return write


def test_an_unknown_type_is_refused_and_the_supported_ones_are_named(llama):
    with pytest.raises(InputError) as error:
        read_config(llama(model_type="LLaMA"))
    assert "unknown model_type 'LLaMA' (did you mean 'llama'?)" in str(error.value)
    assert ", ".join(supported_types()) in str(error.value)
    assert {"llama", "mistral", "qwen2", "gemma", "opt", "bitnet"} <= set(supported_types())


@pytest.mark.parametrize("name", sorted(model_types().not_read))
def test_a_type_that_is_not_read_says_which_part_is_missing(llama, name):
    assert name not in supported_types()
    with pytest.raises(InputError) as error:
        read_config(llama(model_type=name))
    assert f"model_type: '{name}' is not read: {model_types().not_read[name]}; expected one of" in str(error.value)


@pytest.mark.parametrize("name", ["lama", "gemma5n", "qwen3_omni", "mistral4", "olmo4", "phi4", "falcon_h2", "bitnet2"])
def test_no_hint_points_at_another_type(llama, name):
    with pytest.raises(InputError, match=f"unknown model_type '{name}'; expected"):
        read_config(llama(model_type=name))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "drop"}, "model_type: unknown model_type null"),
        ({"hidden_size": "drop"}, "hidden_size: is missing"),
        ({"num_hidden_layers": -1}, "num_hidden_layers: got -1; expected greater than 0"),
        ({"num_hidden_layers": "32"}, "num_hidden_layers: got '32'; expected a valid integer"),
        ({"hidden_act": "tanh"}, "hidden_act: unknown activation 'tanh'"),
        (
            {"num_key_value_heads": 5},
            "num_key_value_heads: heads (32) is not a multiple of kv_heads (5); expected a divisor of heads",
        ),
        (
            {"num_attention_heads": 3},
            "num_attention_heads: hidden (4096) is not a multiple of heads (3)",
        ),
        ({"hidden_size": True}, "hidden_size: got true; expected a valid integer"),
        ({"hidden_size": None}, "hidden_size: is missing"),
    ],
)
def test_a_wrong_config_is_refused_with_its_line(llama, changes, message):
    path = llama(**changes)
    with pytest.raises(InputError) as error:
        read_config(path)
    (problem,) = error.value.problems
    assert message in str(problem)
    assert problem.file == str(path)
    for key in changes:
        if f'"{key}"' in path.read_text():
            assert f'"{key}"' in path.read_text().splitlines()[problem.line - 1]


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "nul", '{"a": NaN}', '{"a": 1, "a": 2}', '{"a": ' + "9" * 5000 + "}", "[" * 20000]
)
def test_what_is_no_json_object_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError):
        read_config(tmp_path)


@pytest.mark.parametrize("name", ["mistral", "qwen2", "bitnet", "llama"])
def test_null_means_derived_from_the_others_where_missing_means_the_types_default(llama, name):
    config = {"model_type": name, "num_attention_heads": 40, "hidden_size": 5120, "head_dim": None}
    assert read_config(llama(**config, num_key_value_heads=None)).kv_heads == 40
    assert read_config(llama(**config, num_key_value_heads=None)).head_dim == 128
    default = {"mistral": 8, "bitnet": 5, "llama": 40}  # transformers' configuration classes; qwen2's 32 divides no 40
    if name in default:
        assert read_config(llama(**config)).kv_heads == default[name]


def test_a_null_activation_is_the_types_default(tmp_path):
    source = next(folder for folder in CONFIGS if folder.name == "gemma-3-1b")
    config = json.loads((source / "config.json").read_text()) | {"hidden_activation": None}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert read_config(tmp_path).activation == "gelu"


@pytest.mark.parametrize("positions", ["2048", True, -3])
def test_positions_that_are_no_number_are_refused(tmp_path, positions):
    source = next(folder for folder in CONFIGS if folder.name == "opt-1.3b")
    config = json.loads((source / "config.json").read_text()) | {"max_position_embeddings": positions}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="max_position_embeddings: got"):
        read_config(tmp_path)


def test_an_embedding_narrower_than_the_model_is_refused(llama):
    opt = {"model_type": "opt", "word_embed_proj_dim": 512, "ffn_dim": 4096, "hidden_size": 1024}
    opt |= dict.fromkeys(("hidden_act", "intermediate_size"), "drop")
    with pytest.raises(InputError, match="word_embed_proj_dim: 512 differs from hidden_size"):
        read_config(llama(**opt))


@pytest.mark.parametrize(
    ("config", "window"),
    [
        # defaults of transformers' configuration classes; null says that there is no window
        ({"model_type": "mistral"}, 4096),
        ({"model_type": "mistral", "sliding_window": 512}, 512),
        ({"model_type": "mistral", "sliding_window": None}, 0),
        ({"model_type": "mixtral"}, 0),
        ({"model_type": "mixtral", "sliding_window": 4096}, 4096),
        ({"model_type": "gemma2", "num_key_value_heads": 32}, 4096),
        # Qwen2's window is off unless it is switched on, and then it is that of the layers from the 29th on
        ({"model_type": "qwen2", "sliding_window": 131072}, 0),
        ({"model_type": "qwen2", "sliding_window": 131072, "use_sliding_window": False}, 0),
        ({"model_type": "qwen2", "sliding_window": 131072, "use_sliding_window": True}, 131072),
        ({"model_type": "qwen2", "use_sliding_window": True}, 4096),
    ],
)
def test_the_window_is_that_of_the_config_where_its_type_has_one(llama, config, window):
    heads = {"num_key_value_heads": 8} if config["model_type"] in ("mixtral", "qwen2") else {}
    found = read_config(llama(**{**heads, **config, "num_hidden_layers": 32}))
    windows = {layer.window or 0 for layer in found.groups} or {found.window}
    assert max(windows) == window


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "nemotron_h", "hybrid_override_pattern": "M*X"},
         "hybrid_override_pattern: unknown kind of layer 'X'; expected one of full_attention, linear_attention,"),
        ({"model_type": "bamba", "attn_layer_indices": [99]},
         "attn_layer_indices: lists no layers of the model; expected numbers from 0 to 31"),
        ({"model_type": "lfm2", "layer_types": ["conv"]}, "layer_types: lists 1 layers; expected a kind for each of"),
        ({"model_type": "gemma4_text", "per_layer_config": {"40": {"head_dim": 8}}},
         "per_layer_config: describes other layers or keys; expected layers from 0 to 31, each with one of head_dim,"),
        ({"model_type": "glm_moe_dsa", "index_topk_pattern": "FS"},
         "index_topk_pattern: lists 2 layers; expected a kind for each of 32 layers"),
        ({"model_type": "llama4_text", "moe_layers": [40]}, "moe_layers: lists no layers of the model"),
        ({"model_type": "bert", "num_key_value_heads": "drop", "architectures": ["BertForPreTraining"]},
         "architectures: unknown class"),
        ({"model_type": "bert", "is_decoder": True}, "is_decoder: true is not supported; expected false"),
    ],
)  # fmt: skip
def test_layers_that_a_config_cannot_have_are_refused_with_the_key(llama, config, message):
    with pytest.raises(InputError) as error:
        read_config(llama(**{"num_hidden_layers": 32, "num_key_value_heads": 8, **config}))
    assert any(message in str(problem) for problem in error.value.problems)


@pytest.mark.parametrize(("name", "bias"), [("PhiForCausalLM", True), ("PhiModel", False)])
def test_a_model_without_an_lm_head_has_no_bias_of_it(tmp_path, name, bias):
    config = {"model_type": "phi", "architectures": [name], "hidden_size": 64, "intermediate_size": 128}
    config |= {"num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128, "vocab_size": 256}
    (tmp_path / "config.json").write_text(json.dumps(config))
    shape = read_config(tmp_path)
    assert (shape.lm_head, shape.head_bias) == (bias, bias)


def test_a_key_that_only_other_types_have_is_refused(llama):
    with pytest.raises(InputError, match="sliding_window: is not known to be a key of model_type 'llama'"):
        read_config(llama(sliding_window=4096))
    assert read_config(llama(sliding_window=None)).window == 0


def test_a_config_that_lists_every_module_is_read(llama):
    path = llama(quantization_config={"ignore": [f"model.layers.{i}.self_attn" for i in range(60_000)]})
    assert path.stat().st_size > 1_000_000
    assert read_config(path).layers == 32
