"""The numbers of layers: as text, in groups, and held against the configurations of transformers."""

import pytest

from bitjoule.energy_models.architecture.layer_numbers import layer_numbers, numbered_groups, spans
from bitjoule.energy_models.architecture.shape import ModelShape, presets


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("0", [0]), ("0-2", [0, 1, 2]), ("0-1,3,5-6", [0, 1, 3, 5, 6]), ("7,9", [7, 9])],
)
def test_numbers_are_written_as_spans_and_read_from_them(text, numbers):
    assert layer_numbers(text) == numbers
    assert spans(numbers) == text


def test_groups_that_follow_each_other_need_no_numbers():
    dense, mixture = {"experts": 1}, {"experts": 8}
    assert numbered_groups([([0, 1], dense), ([2], mixture)]) == [{"repeats": 2, **dense}, {"repeats": 1, **mixture}]
    assert numbered_groups([([0, 2], dense), ([1], mixture)]) == [
        {"repeats": 2, "layer_numbers": "0,2", **dense}, {"repeats": 1, "layer_numbers": "1", **mixture},
    ]  # fmt: skip


def test_layers_have_the_numbers_of_their_group_or_follow_each_other():
    keys = {"layers": 4, "hidden": 8, "heads": 2, "ffn": 8, "ffn_gated": False, "activation": "relu", "vocabulary": 5}
    alike = ModelShape.model_validate(keys)
    assert [block.layers for block in alike.blocks] == ["", "0-3", ""]
    groups = [{"repeats": 3, "window": 2}, {"repeats": 1}]
    assert [block.layers for block in ModelShape.model_validate({**keys, "groups": groups}).blocks[1:-1]] == [
        "0-2",
        "3",
    ]
    groups = [{**groups[0], "layer_numbers": "0,2-3"}, {**groups[1], "layer_numbers": "1"}]
    numbered = ModelShape.model_validate({**keys, "groups": groups})
    assert [block.layers for block in numbered.blocks[1:-1]] == ["0,2-3", "1"]
    assert [block.parts[0].window for block in numbered.blocks[1:-1]] == [2, 0]
    assert numbered.with_defaults()["groups"] == groups


GEMMA = ("gemma-3-270m", "gemma-3-1b", "gemma-3-4b", "gemma-3-12b", "gemma-3-27b", "bitnet-embedding-270m")
QWEN = [name for name in presets() if name.startswith("qwen3.5-")] + ["bonsai-27b", "bonsai-2-27b"]


@pytest.mark.slow  # the imports take seconds
@pytest.mark.parametrize(
    ("preset", "configuration", "kind"),
    [
        *((name, "Gemma3TextConfig", "sliding_attention") for name in GEMMA),
        ("gpt-oss-20b", "GptOssConfig", "sliding_attention"),
        ("gpt-oss-120b", "GptOssConfig", "sliding_attention"),
        *((name, "Qwen3_5TextConfig", "linear_attention") for name in QWEN),
    ],
)
def test_layers_of_presets_have_the_numbers_that_transformers_gives_them(preset, configuration, kind):
    transformers = pytest.importorskip("transformers")
    shape = presets()[preset]
    types = getattr(transformers, configuration)(num_hidden_layers=shape.layers).layer_types
    special, usual = (layer_numbers(block.layers) for block in shape.blocks[1:-1])
    assert special == [number for number, layer in enumerate(types) if layer == kind]
    assert usual == [number for number, layer in enumerate(types) if layer == "full_attention"]


@pytest.mark.slow
def test_layers_without_positions_have_the_numbers_that_transformers_gives_them():
    transformers = pytest.importorskip("transformers")
    rotated, unrotated = (layer_numbers(block.layers) for block in presets()["smollm3-3b"].blocks[1:-1])
    here = transformers.SmolLM3Config().no_rope_layers  # 1 where there are positions
    assert rotated == [number for number, has in enumerate(here) if has]
    assert unrotated == [number for number, has in enumerate(here) if not has]


def test_every_preset_whose_layers_interleave_says_which_they_are():
    groups = {name: shape.groups for name, shape in presets().items() if len(shape.groups) > 1}
    unnumbered = {name for name, of in groups.items() if not all(group.layer_numbers for group in of)}
    assert unnumbered == {name for name in groups if name.startswith("deepseek")}  # dense layers, then mixtures
