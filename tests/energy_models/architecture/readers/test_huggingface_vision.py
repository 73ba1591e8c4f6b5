"""Vision models of Hugging Face: parameters and MACs against transformers, keys, and wrong files."""

import json
from pathlib import Path
from typing import Any

import pytest

from bitjoule.energy_models.architecture.images.convolutional import ConvolutionalShape
from bitjoule.energy_models.architecture.readers.huggingface_vision import read_any_config, vision_types
from bitjoule.energy_models.architecture.shape import AnyShape, ModelShape
from bitjoule.energy_models.inputs.errors import InputError
from tests.energy_models.architecture.images.test_vision import macs

SMALL: dict[str, dict[str, Any]] = {
    "resnet": {"hidden_sizes": [16, 32, 64], "depths": [1, 2, 1], "embedding_size": 8},
    "convnext": {"hidden_sizes": [8, 16], "depths": [2, 1], "num_stages": 2, "image_size": 64},
    "vit": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
            "image_size": 64, "patch_size": 16},
}  # fmt: skip
RESNET_18 = {"layer_type": "basic", "hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2]}
CONFIGS: list[tuple[str, dict[str, Any]]] = [
    ("resnet", {}), ("resnet", RESNET_18), ("resnet", {"depths": [3, 4, 23, 3], "num_labels": 10}),
    ("resnet", {"downsample_in_first_stage": True}), ("resnet", {"downsample_in_bottleneck": True, "num_channels": 1}),
    ("resnet", {"hidden_act": "gelu"}), ("resnet", {"num_labels": 0}),
    ("convnext", {}), ("convnext", {"depths": [3, 3, 27, 3], "num_labels": 1000}),
    ("convnext", {"layer_scale_init_value": 0.0}), ("convnext", {"patch_size": 2, "num_channels": 4}),
    ("vit", {}), ("vit", {"num_labels": 1000}), ("vit", {"qkv_bias": False}), ("vit", {"patch_size": 32}),
    ("vit", {"image_size": [192, 256]}), ("vit", {"pooler_output_size": 24}), ("vit", {"hidden_act": "relu"}),
]  # fmt: skip
SLOW = pytest.mark.slow  # the imports take seconds


@pytest.fixture(scope="module")
def transformers() -> Any:
    return pytest.importorskip("transformers")


def read(folder: Path, config: dict[str, Any]) -> AnyShape:
    (folder / "config.json").write_text(json.dumps(config))
    return read_any_config(folder)


@SLOW
@pytest.mark.parametrize(
    ("name", "changes"), [*CONFIGS, *((n, {**SMALL[n], **c}) for n, c in CONFIGS if "depths" not in c)]
)
def test_a_model_has_the_parameters_that_transformers_makes(transformers, tmp_path, name, changes):
    import torch

    config = transformers.CONFIG_MAPPING[name](**changes)
    for kind in (transformers.AutoModelForImageClassification, transformers.AutoModel):
        with torch.device("meta"):
            model = kind.from_config(config)
        found = read(tmp_path, {**config.to_dict(), "architectures": [type(model).__name__]})
        assert found.parameters == sum(parameter.numel() for parameter in model.parameters())


@SLOW
@pytest.mark.parametrize(("name", "changes"), [
    ("resnet", {}), ("resnet", {"layer_type": "basic"}), ("resnet", {"downsample_in_first_stage": True}),
    ("resnet", {"downsample_in_bottleneck": True}), ("convnext", {}), ("convnext", {"patch_size": 2}), ("vit", {}),
    ("vit", {"image_size": [48, 80]}), ("vit", {"image_size": 72}),
])  # fmt: skip
def test_every_mac_of_a_forward_pass_is_counted(transformers, tmp_path, name, changes):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    config = transformers.CONFIG_MAPPING[name](**{**SMALL[name], **changes})
    eager = {"attn_implementation": "eager"} if name == "vit" else {}
    model = transformers.AutoModelForImageClassification.from_config(config, **eager).eval()
    size = getattr(config, "image_size", 224)  # a ResNet's config names none
    height, width = size if isinstance(size, list) else (size, size)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(2, config.num_channels, height, width))
    assert macs(read(tmp_path, config.to_dict()), images=2) == counter.get_total_flops() // 2


@SLOW
@pytest.mark.parametrize("name", SMALL)
def test_each_key_of_a_configuration_class_is_applied_listed_or_refused(transformers, tmp_path, name):
    config = transformers.CONFIG_MAPPING[name](**SMALL[name])
    found = read(tmp_path, config.to_dict())
    assert "not known" not in found.note
    assert read(tmp_path, {**config.to_dict(), "made_up_key": 1}).note.endswith("made_up_key")
    defaults = json.loads(json.dumps(transformers.CONFIG_MAPPING[name]().to_dict()))
    for key, value in vision_types()[name].defaults.items():
        assert value == defaults[key] or key == "pooler_output_size"  # the class fills in its width


def test_a_resnet_without_an_image_size_says_which_is_counted(tmp_path):
    found = read(tmp_path, {"model_type": "resnet"})
    assert isinstance(found, ConvolutionalShape)
    assert found.note.endswith("of type resnet, which names no image size: images of 224 x 224")
    assert (found.image.height, found.image.width) == (224, 224)


def test_a_config_of_text_is_read_as_before(tmp_path):
    config = {"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 96,
              "num_hidden_layers": 2, "vocab_size": 100}  # fmt: skip
    assert isinstance(read(tmp_path, config), ModelShape)


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"model_type": "ResNet"}, "model_type", "unknown model_type 'ResNet' (did you mean 'resnet'?)"),
    ({"model_type": "resnet", "layer_type": "wide"}, "layer_type", "got 'wide'; expected basic, bottleneck"),
    ({"model_type": "resnet", "depths": [1, 2]}, "depths",
     "got [1, 2]; expected a list of 4 numbers from 1 to 10000000"),
    ({"model_type": "resnet", "depths": "deep"}, "depths", "got 'deep'; expected a list of 4 numbers"),
    ({"model_type": "resnet", "hidden_act": "mish"}, "hidden_act", "unknown activation 'mish'"),
    ({"model_type": "resnet", "downsample_in_bottleneck": 1}, "downsample_in_bottleneck",
     "got 1; expected true or false"),
    ({"model_type": "resnet", "hidden_sizes": [2, 8, 8, 8]}, "hidden_sizes",
     "got [2, 8, 8, 8]; expected at least 4 channels in a bottleneck"),
    ({"model_type": "resnet", "num_experts": 4}, "num_experts", "is not known to be a key of model_type 'resnet'"),
    ({"model_type": "vit", "num_attention_heads": 7}, "num_attention_heads",
     "hidden (768) is not a multiple of heads (7)"),
    ({"model_type": "vit", "patch_size": [16, 8]}, "patch_size", "got [16, 8]; expected a square"),
    ({"model_type": "vit", "image_size": 8}, "patch_size", "patches of 16 in an image of 8 x 8"),
    ({"model_type": "vit", "hidden_size": "768"}, "hidden_size",
     "got '768'; expected a whole number from 1 to 10000000"),
    ({"model_type": "vit", "architectures": ["ViTForMaskedImageModeling"]}, "architectures",
     "unknown class 'ViTForMaskedImageModeling'; expected a name that ends in one of ForImageClassification, Model"),
    ({"model_type": "convnext", "image_size": 16}, "image_size", "a window of 2 does not fit a map of 384 x 1 x 1"),
    ({"model_type": "convnext", "is_encoder_decoder": True}, "is_encoder_decoder", "true is not supported"),
]  # fmt: skip


@pytest.mark.parametrize(("config", "key", "wrong"), WRONG)
def test_a_wrong_config_is_refused_with_its_key(tmp_path, config, key, wrong):
    with pytest.raises(InputError) as error:
        read(tmp_path, config)
    assert f"{key}: {wrong}" in str(error.value)
    assert "layers" not in str(error.value)  # a key of ours, not of the file
