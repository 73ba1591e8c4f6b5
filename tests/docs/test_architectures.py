"""docs/architectures.md: the layers of a network, and the keys of a vision transformer, are all told."""

from pathlib import Path
from typing import get_args

from bitjoule.energy_models.architecture.images import convolutional
from bitjoule.energy_models.architecture.images.vision_transformer import VisionTransformerShape

PAGE = (Path(__file__).parents[2] / "docs" / "architectures.md").read_text()


def test_every_layer_of_a_network_and_its_keys_are_told():
    section = PAGE[PAGE.index("## Images") : PAGE.index("## How the gain depends on the architecture")]
    layers = get_args(get_args(convolutional.AnyLayer)[0])
    assert len(layers) == 8
    for layer in layers:
        for key in {*layer.model_fields} - {"kind"}:
            assert f"`{key}`" in section or f"`{key}:" in section, (layer, key)
        assert f"`{get_args(layer.model_fields['kind'].annotation)[0]}`" in section
    for key in {*VisionTransformerShape.model_fields} - {"kind", "image", "family", "source", "where", "note"}:
        assert f"`{key}`" in section
