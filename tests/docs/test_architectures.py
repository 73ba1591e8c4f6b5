"""docs/architectures.md: the models that it shows are valid, and the layers of a network are all told."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from bitjoule.energy_models.architecture import convolutional
from bitjoule.energy_models.architecture.vision_transformer import VisionTransformerShape
from bitjoule.experiments.energy.resolve import read_experiment

PAGE = (Path(__file__).parents[2] / "docs" / "architectures.md").read_text()
REST = {"schemes": ["fp16"], "technologies": ["7nm"], "workload": {"prompt_tokens": 1}}


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(models:\n.*?)```", PAGE, re.DOTALL))
def test_the_models_shown_are_valid(tmp_path, text):
    path = tmp_path / "shown.yaml"
    path.write_text(yaml.safe_dump({"name": "shown", **yaml.safe_load(text), **REST}))
    assert read_experiment(path).models


def test_every_layer_of_a_network_and_its_keys_are_told():
    section = PAGE[PAGE.index("## Images") : PAGE.index("## What the architecture gives back")]
    layers = get_args(get_args(convolutional.AnyLayer)[0])
    assert len(layers) == 8
    for layer in layers:
        for key in {*layer.model_fields} - {"kind"}:
            assert f"`{key}`" in section or f"`{key}:" in section, (layer, key)
        assert f"`{get_args(layer.model_fields['kind'].annotation)[0]}`" in section
    for key in {*VisionTransformerShape.model_fields} - {"kind", "image", "family", "source", "where", "note"}:
        assert f"`{key}`" in section
