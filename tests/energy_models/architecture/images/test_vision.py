"""Vision models as data: presets against published sizes, what a layer may follow, and wrong files."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from bitjoule.energy_models.architecture.block import Described, all_matmuls
from bitjoule.energy_models.architecture.images.convolutional import ConvolutionalShape
from bitjoule.energy_models.architecture.images.vision_transformer import VisionTransformerShape
from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.phases import PHASES, Cases, all_steps
from bitjoule.energy_models.architecture.shape import all_presets, any_shape_from, presets
from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.system.work.workload import Switches, workload


def macs(model: Described, images: int = 1) -> float:
    """Multiply-accumulates of some images."""
    one = np.zeros(1, dtype=np.intp)
    cases = Cases(one, one, *(np.array([float(value)]) for value in (images, 1, 0)))
    sizes = workload(Layout([model]), cases, all_steps(PHASES, cases), Switches(*np.zeros((5, 1)))).sizes
    return float((sizes.m * sizes.k * sizes.n * sizes.times).sum())


def shape(*layers: dict[str, Any], size: int = 8, channels: int = 4) -> ConvolutionalShape:
    """A network of some layers."""
    image = {"channels": channels, "height": size, "width": size}
    return ConvolutionalShape.model_validate({"kind": "convolutional", "image": image, "layers": list(layers)})


CONV: dict[str, Any] = {"kind": "conv", "channels": 4, "kernel": 3}

# num_params and GFLOPS (multiply-accumulates) of the pages of resnet18, resnet50 and vit_b_16 in torchvision's docs.
PUBLISHED = {
    "resnet-18": (11689512, "1.81"), "resnet-50": (25557032, "4.09"), "vit-b-16": (86567656, "17.56"),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_has_the_published_parameters_and_macs(name):
    parameters, gmacs = PUBLISHED[name]
    model = all_presets()[name]
    assert model.parameters == parameters
    assert f"{macs(model) / 1e9:.2f}" == gmacs
    assert macs(model, images=3) == 3 * macs(model)
    assert name not in presets()  # those of text


def test_the_detector_has_the_parameters_of_its_weights_file():
    # yolov3-tiny.weights: a header of 20 bytes, then floats, also mean and variance of the channels with a batch norm
    channels = 16 + 32 + 64 + 128 + 256 + 512 + 1024 + 256 + 512 + 128 + 256
    assert all_presets()["yolov3-tiny"].parameters == (35434956 - 20) // 4 - 2 * channels


# Billion FLOPs that `darknet detector test` prints for the layers of yolov3-tiny.cfg, two for a multiply-accumulate.
LAYERS = ("0.150", "0.399", "0.399", "0.399", "0.399", "0.399", "1.595", "0.089", "0.399", "0.044")


def test_the_layers_of_the_detector_take_what_darknet_prints():
    found = [2 * m.taken * m.out_features / 1e9 for m, _ in all_matmuls(all_presets()["yolov3-tiny"].blocks)]
    assert tuple(f"{value:.3f}" for value in found[: len(LAYERS)]) == LAYERS
    assert len(found) == 13


def test_the_first_and_last_layers_stay_in_full_precision():
    for name, others in {"resnet-18": 19, "resnet-50": 52, "vit-b-16": 72, "yolov3-tiny": 10}.items():
        matmuls = list(all_matmuls(all_presets()[name].blocks))
        roles = [(matmul.kind.role, times) for matmul, times in matmuls if matmul.kind.role != "attention"]
        assert roles[0][0] == roles[-1][0] == "full_precision"
        assert sum(times for role, times in roles if role == "linear") == others


def test_while_a_branch_runs_its_input_is_stored_besides():
    block = shape({"kind": "residual", "branch": [CONV, CONV, CONV]})
    size = 4 * 8 * 8
    assert [part.live for part in block.blocks[0].parts] == [2 * size, 3 * size, 3 * size, 2 * size]
    shortcut = shape({"kind": "residual", "branch": [CONV, CONV], "shortcut": [{"kind": "conv", "channels": 4}]})
    lives = [part.live for part in shortcut.blocks[0].parts]
    assert lives == [2 * size, 3 * size, 3 * size, 2 * size]  # the shortcut's own: input, output, the branch's output
    scaled = [work.component for part in shortcut.blocks[0].parts for work in part.elementwise]
    assert scaled.count("activation_quantisation") == 2  # the shortcut takes what the branch has scaled


def test_a_saved_map_is_stored_until_it_is_taken():
    narrow = {"kind": "conv", "channels": 1}
    net = shape(
        {**CONV, "save": "a"}, narrow, narrow, {"kind": "concat", "maps": ["a"]}, {"kind": "conv", "channels": 2}
    )
    (_, one, two, last) = (block.parts[0] for block in net.blocks)
    size = 8 * 8
    assert one.live == 4 * size + size
    assert two.live == 2 * size + 4 * size
    assert last.live == 5 * size + 2 * size
    assert last.matmuls[0].in_features == 5
    back = shape({**CONV, "save": "a"}, narrow, {"kind": "take", "map": "a"}, narrow)
    assert [block.parts[0].matmuls[0].in_features for block in back.blocks] == [36, 4, 4]


def test_a_vision_transformer_by_hand():
    model = VisionTransformerShape.model_validate(
        {"kind": "vision_transformer", "image": {"height": 9, "width": 12}, "patch": 4, "layers": 2, "hidden": 8,
         "heads": 2, "ffn": 20, "pooler": 6, "outputs": 5}
    )  # fmt: skip
    assert model.tokens == 2 * 3 + 1  # the last row makes no patch
    layer = 4 * (8 * 8 + 8) + (8 * 20 + 20) + (20 * 8 + 8) + 2 * 2 * 8
    embedding = 8 * 3 * 16 + 8 + 8 * 7 + 8  # patches, positions, class token
    assert model.parameters == 2 * layer + embedding + 2 * 8 + (8 * 6 + 6) + (8 * 5 + 5)
    products = 7 * (4 * 8 * 8 + 2 * 8 * 20) + 2 * 7 * 7 * 8
    assert macs(model) == 6 * 48 * 8 + 2 * products + 8 * 6 + 8 * 5


def test_height_and_width_stay_apart_through_every_layer():
    """12 x 20: a strided convolution and a pooling, each undone by an upsampling, leave maps that join the first."""
    net = ConvolutionalShape.model_validate(
        {"kind": "convolutional", "image": {"channels": 3, "height": 12, "width": 20}, "layers": [
            {**CONV, "save": "whole"},
            {**CONV, "stride": 2, "save": "half"},
            {"kind": "pool", "function": "maximum", "kernel": 2},
            {"kind": "upsample"},
            {"kind": "concat", "maps": ["half"]},
            {"kind": "upsample"},
            {"kind": "concat", "maps": ["whole"]},
            {"kind": "conv", "channels": 1, "kernel": 5, "padding": 0},
        ]}
    )  # fmt: skip
    last = net.blocks[-1].parts[0]
    assert last.matmuls[0].in_features == 12 * 5 * 5
    assert last.live == 12 * (12 * 20) + (12 - 4) * (20 - 4)


WIDE = CONV | {"channels": 8}
WRONG = [
    ([CONV | {"groups": 3}], (0, "groups"),
     "groups (3) do not divide the 4 channels of the inputs", "a divisor of both"),
    ([CONV | {"kernel": 9, "padding": 0}], (0, "kernel"),
     "a window of 9 does not fit a map of 4 x 8 x 8", "a smaller kernel, or padding"),
    ([CONV | {"kernel": 5, "dilation": 3, "padding": 0}], (0, "kernel"),
     "a window of 13 does not fit a map of 4 x 8 x 8", "a smaller kernel, or padding"),
    ([{"kind": "take", "map": "a"}], (0, "map"),
     "no map 'a' was saved before", "a layer before it with `save`"),
    ([CONV | {"save": "fine"}, {"kind": "concat", "maps": ["fines"]}], (1, "maps", 0),
     "no map 'fines' was saved before (did you mean 'fine'?)", "fine"),
    ([CONV | {"save": "a"}, CONV | {"stride": 2}, {"kind": "concat", "maps": ["a"]}], (2, "maps", 0),
     "a is 4 x 8 x 8, the map before is 4 x 4 x 4", "maps of one size"),
    ([CONV | {"save": "a"}, CONV | {"save": "a"}], (1, "save"), "duplicate map 'a'", "each name once"),
    ([{"kind": "residual", "branch": [WIDE]}], (0, "shortcut"),
     "the branch gives 8 x 8 x 8, the shortcut 4 x 8 x 8", "maps of one size; a convolution in the shortcut"),
    ([{"kind": "residual", "branch": [CONV, CONV | {"groups": 3}]}], (0, "branch", 1, "groups"),
     "groups (3) do not divide the 4 channels of the inputs", "a divisor of both"),
    ([{"kind": "residual", "branch": [CONV | {"save": "a"}]}], (0, "branch", 0),
     "a map that is saved in a branch", "routes between the layers of the network"),
    ([{"kind": "residual", "branch": [{"kind": "take", "map": "a"}]}], (0, "branch", 0),
     "a route in a branch", "routes between the layers of the network"),
    ([{"kind": "residual", "branch": [WIDE], "shortcut": [WIDE], "repeats": 2}], (0, "repeats"),
     "4 x 8 x 8 becomes 8 x 8 x 8, and is repeated", "repeats of layers that keep the map's size"),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "at", "wrong", "expected"), WRONG)
def test_layers_that_do_not_fit_are_refused(layers, at, wrong, expected):
    with pytest.raises(ValidationError) as error:
        shape(*layers)
    (item,) = error.value.errors()
    assert item["ctx"] == {"wrong": wrong, "expected": expected, "at": ("layers", *at)}


VIT = {"kind": "vision_transformer", "image": {"height": 32, "width": 32}, "patch": 8, "layers": 2, "hidden": 64,
       "heads": 4, "ffn": 128}  # fmt: skip


@pytest.mark.parametrize(("changes", "wrong"), [
    ({"heads": 5}, "models.m.heads: hidden (64) is not a multiple of heads (5); expected a divisor of hidden"),
    ({"patch": 33}, "models.m.patch: patches of 33 in an image of 32 x 32; expected smaller patches"),
    ({"kind": "transformer"}, "models.m.kind: unknown kind 'transformer' (did you mean 'vision_transformer'?); "
                              "expected one of convolutional, vision_transformer"),
    ({"vocabulary": 7}, "models.m.vocabulary: unknown key"),
])  # fmt: skip
def test_a_wrong_vision_transformer_is_refused(changes, wrong):
    data = {**VIT, **changes}
    document = Document("file.yaml", {"models": {"m": data}}, {})
    with pytest.raises(InputError) as error:
        any_shape_from(document, data, ("models", "m"))
    assert wrong in str(error.value)
