"""Images on machines and in the papers' accounting: closed forms of toy networks."""

import numpy as np
import pytest

from bitjoule.energy_models.architecture.images.convolutional import ConvolutionalShape
from bitjoule.energy_models.architecture.images.vision_transformer import VisionTransformerShape
from bitjoule.energy_models.architecture.phases import Cases
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.papers.arithmetic import Accounting, count
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.system import System

IMAGES = 2
ROOM_BITS = 524288 * 8  # of the activations' buffer of ternary-edge and fp16-edge
VECTOR, INT8 = 16, 8  # bits


def network(*layers, size, channels=8):
    image = {"channels": channels, "height": size, "width": size}
    return ConvolutionalShape.model_validate({"kind": "convolutional", "image": image, "layers": list(layers)})


def conv(channels, kernel=3, **keys):
    return {"kind": "conv", "channels": channels, "kernel": kernel, **keys}


def cases(images=IMAGES):
    zeros = np.zeros(1, dtype=np.intp)
    return Cases(zeros, zeros, np.array([float(images)]), np.ones(1), np.zeros(1))


def evaluated(model, scheme="bitnet-b1.58", images=IMAGES, size_bytes=ROOM_BITS // 8):
    """Return counts by component, operand and action, and all that was found."""
    name = "fp16-edge" if scheme == "fp16" else "ternary-edge"
    buffers = platforms()[name].buffers
    held = {"activations": buffers["activations"].model_copy(update={"size_bytes": size_bytes})}
    platform = platforms()[name].model_copy(update={"buffers": {**buffers, **held}})
    system = System([model], [schemes()[scheme]], [technologies()["7nm"]], [[(name, platform)]])
    zeros = np.zeros(1, dtype=np.intp)
    found = system.evaluate(cases(images), zeros, zeros)
    result = {}
    for column, value in zip(system.columns, found.counts[0].tolist(), strict=True):
        if value:
            result[tuple(column)[1:]] = value
    return result, found


def test_a_small_network_stays_on_chip():
    model = network(conv(16), conv(4, 1), size=10)
    counts, found = evaluated(model)
    positions = IMAGES * 100
    assert counts["conv", "partial_sums", "add"] == positions * ((72 - 1) * 16 + (16 - 1) * 4)
    assert counts["conv", "biases", "add"] == positions * (16 + 4)  # folded norms
    assert counts["output_rescale", "activations", "mul"] == positions * (16 + 4)
    assert counts["activation_quantisation", "activations", "buffer_write"] == positions * (8 + 16) * INT8
    assert ("conv", "activations", "off_chip_read") not in counts
    assert not any(component == "spilled_activations" for component, *_ in counts)
    weights = 72 * 16 + 16 * 4
    assert (
        counts["conv", "weights", "off_chip_read"] == weights * schemes()["bitnet-b1.58"].stored("weight_storage").bits
    )
    stored_bits = weights * 2 + (2 * 16 + 2 * 4) * VECTOR
    assert found.memory_bytes.weights_bytes[0] == stored_bits / 8
    assert found.memory_bytes.activations_bytes[0] == positions * (8 + 16) * VECTOR / 8  # the larger of two layers
    assert found.memory_bytes.kv_cache_bytes[0] == 0


def test_a_feature_map_that_does_not_fit_comes_from_memory_once_not_as_the_im2col_matrix():
    size = 144
    model = network(conv(8), size=size)
    live = 2 * 8 * size * size
    assert live * VECTOR > ROOM_BITS  # of one image
    counts, _ = evaluated(model, images=1)
    inputs = 8 * size * size
    assert counts["conv", "activations", "off_chip_read"] == inputs * INT8
    assert counts["conv", "activations", "buffer_read"] >= 9 * inputs * INT8  # rows are made as the array takes them
    assert counts["conv", "outputs", "off_chip_write"] == inputs * VECTOR
    # the vector unit reads the map and writes it as integers
    assert counts["spilled_activations", "outputs", "off_chip_read"] == inputs * VECTOR
    assert counts["spilled_activations", "activations", "off_chip_write"] == inputs * INT8
    floating, _ = evaluated(model, scheme="fp16", images=1)
    assert floating["conv", "activations", "off_chip_read"] == inputs * VECTOR
    assert not any(component == "spilled_activations" for component, *_ in floating)  # nothing between the layers


def test_each_layer_fits_or_spills_by_itself():
    size = 192
    large = network(conv(8), {"kind": "pool", "function": "maximum", "kernel": 8}, conv(8), size=size)
    small = network(conv(8), size=size // 8)
    counts, _ = evaluated(large, images=1)
    inputs = 8 * size * size
    assert counts["conv", "activations", "off_chip_read"] == inputs * INT8  # of the first convolution alone
    pooled = inputs // 64
    assert counts["spilled_activations", "outputs", "off_chip_read"] == 2 * inputs * VECTOR  # scaled, pooled
    assert counts["spilled_activations", "outputs", "off_chip_write"] == pooled * VECTOR
    fits, _ = evaluated(small, images=1)
    assert ("conv", "activations", "off_chip_read") not in fits


def test_maps_stay_as_long_as_the_largest_of_the_smallest_tiles_has_room_beside_them():
    """Inputs and outputs of either convolution, and a tile of the adders: 64 INT8 inputs and 16 sums of 23 bits.

    A tile of the floating-point array, 4 FP16 inputs and 6 sums of 32 bits, takes less.
    """
    size = 64
    model = network(conv(8), conv(8), conv(4, full_precision=True), size=size)
    inputs = 8 * size * size
    needed_bits = 2 * inputs * VECTOR + max(64 * 8 + 16 * 23, 4 * 16 + 6 * 32)
    fits, _ = evaluated(model, images=1, size_bytes=needed_bits // 8)
    assert not any(component == "spilled_activations" for component, *_ in fits)
    away, _ = evaluated(model, images=1, size_bytes=needed_bits // 8 - 1)
    of_two = {key[1:]: bits for key, bits in away.items() if key[0] in ("conv", "spilled_activations")}
    assert of_two["outputs", "off_chip_write"] == of_two["outputs", "off_chip_read"] == 2 * inputs * VECTOR
    assert of_two["activations", "off_chip_write"] == of_two["activations", "off_chip_read"] == 2 * inputs * INT8


def test_groups_run_one_after_the_other():
    model = network(conv(8, groups=8, batch_norm=False), size=10)
    counts, _ = evaluated(model)
    assert counts["conv", "partial_sums", "add"] == IMAGES * 100 * 8 * (9 - 1)
    assert counts["conv", "biases", "add"] == IMAGES * 100 * 8
    assert counts["conv", "weights", "off_chip_read"] == 72 * 2


def test_full_precision_layers_take_the_vector_unit_s_format_and_their_biases():
    model = network(conv(4, full_precision=True), {"kind": "classifier", "outputs": 5}, size=6)
    counts, found = evaluated(model)
    assert counts["full_precision_conv", "weights", "mul"] == IMAGES * 36 * 72 * 4
    assert counts["full_precision_conv", "biases", "add"] == IMAGES * 36 * 4
    assert counts["classifier", "weights", "mul"] == IMAGES * 144 * 5
    assert counts["classifier", "biases", "add"] == IMAGES * 5
    assert ("output_rescale", "activations", "mul") not in counts
    assert found.memory_bytes.tables_bytes[0] == (72 * 4 + 144 * 5) * 2
    assert found.memory_bytes.weights_bytes[0] == (2 * 4 + 5) * 2


def encoder(layers=2):
    keys = {"layers": layers, "hidden": 16, "heads": 2, "ffn": 24, "outputs": 3, "patch": 4}
    return VisionTransformerShape.model_validate(
        {"kind": "vision_transformer", "image": {"height": 12, "width": 8}, **keys}
    )


def test_all_tokens_of_an_image_attend_to_each_other():
    counts, found = evaluated(encoder(), scheme="fp16")
    tokens, layers = 7, 2
    for component in ("attention_scores", "attention_values"):
        operand = {"attention_scores": "keys", "attention_values": "values"}[component]
        assert counts[component, operand, "mul"] == IMAGES * layers * tokens * tokens * 16
    assert counts["q_proj", "weights", "mul"] == IMAGES * layers * tokens * 16 * 16
    assert counts["ffn_up", "weights", "mul"] == IMAGES * layers * tokens * 16 * 24
    assert counts["full_precision_conv", "weights", "mul"] == IMAGES * 6 * 48 * 16
    assert counts["classifier", "weights", "mul"] == IMAGES * 16 * 3
    assert counts["kv_cache_write", "keys_values", "off_chip_write"] == IMAGES * layers * tokens * 2 * 16 * 16
    assert found.memory_bytes.kv_cache_bytes[0] == 0  # a layer's keys and values are done with as it ends
    assert found.memory_bytes.activations_bytes[0] == IMAGES * tokens * (2 * 16 + 3 * 16) * 2


def test_twice_the_images_take_twice_the_work():
    one, _ = evaluated(encoder(), images=3)
    two, _ = evaluated(encoder(), images=6)
    for key, value in one.items():
        if key[2] in ("mul", "add") and key[1] != "unpacking":
            assert two[key] == 2 * value, key


@pytest.mark.parametrize("accounting", [Accounting.ARITHMETIC, Accounting.MAC])
def test_the_papers_count_a_convolution_as_a_linear_of_a_row_for_each_position(accounting):
    model = network(conv(4, full_precision=True), conv(16), conv(16, groups=4), size=10)
    counts = count([model], [schemes()["bitnet-b1.58"]], cases(), accounting)
    found = {tuple(a[1:4]): (a.formats[0], n) for a, n in zip(counts.actions, counts.count[0].tolist(), strict=True)}
    positions, outputs = IMAGES * 100, IMAGES * 100 * 32
    mac = accounting is Accounting.MAC
    less = 0 if mac else 1  # a dot product of n terms takes n - 1 additions
    adds = positions * ((36 - less) * 16 + (36 - less) * 16)
    assert found["conv", "partial_sums", "add"] == ("int8", adds)
    assert found["full_precision_conv", "weights", "mul"] == ("fp16", positions * 72 * 4)
    assert found["full_precision_conv", "partial_sums", "add"] == ("fp16", positions * (72 - less) * 4)
    assert ("conv", "weights", "mul") not in found  # additions alone
    if mac:
        assert set(found) == {("conv", "partial_sums", "add"), *((c, o, a) for c, o, a in found if c != "conv")}
    else:
        assert found["conv", "activations", "mul"] == ("fp16", positions * (4 + 16))  # each value of a map once
        assert found["conv", "outputs", "mul"] == ("fp16", outputs)
        assert found["conv", "biases", "add"] == ("fp16", outputs)


def test_the_papers_count_a_vision_transformer():
    counts = count([encoder()], [schemes()["fp16"]], cases(), Accounting.MAC)
    found = {tuple(a[1:4]): n for a, n in zip(counts.actions, counts.count[0].tolist(), strict=True)}
    assert found["attention_scores", "keys", "mul"] == IMAGES * 2 * 7 * 7 * 16
    assert found["o_proj", "weights", "mul"] == IMAGES * 2 * 7 * 16 * 16
    every = sum(n for key, n in found.items() if key[2] == "mul")
    assert every == IMAGES * (6 * 48 * 16 + 2 * 7 * (4 * 256 + 2 * 16 * 24) + 2 * 2 * 49 * 16 + 16 * 3)
