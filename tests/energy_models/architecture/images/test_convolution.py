"""Convolutions and what stands between them: hand-worked sizes, and torch's own output shapes over a grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.energy_models.architecture.block import At, Block, Linear, Part, stored_values
from bitjoule.energy_models.architecture.images import convolution
from bitjoule.energy_models.architecture.images.convolution import FeatureMap, Window

IMAGES = 3
INPUTS = FeatureMap(6, 9, 7)  # channels, height, width


def at(*, quantises: bool = False) -> At:
    """One step over some images."""
    one = np.ones((1, 1))
    return At(IMAGES * one, IMAGES * one, one, one, one, IMAGES * one, IMAGES * one, one * quantises, 0 * one, one)


def elements(part: Part, *, quantises: bool = False) -> dict[str, float]:
    """Elements of a part's functions, of all images."""
    return {
        work.function: float(np.asarray(work.elements(at(quantises=quantises))).item()) for work in part.elementwise
    }


def linear(part: Part) -> Linear:
    """The one matmul of a part."""
    (matmul,) = part.matmuls
    assert isinstance(matmul, Linear)
    return matmul


def test_a_convolution_is_a_matmul_with_a_row_for_each_output_position():
    # 3 x 3 with stride 2 and padding 1 over 9 x 7: (9 + 2 - 3) // 2 + 1 = 5 and (7 + 2 - 3) // 2 + 1 = 4
    window = Window(3, stride=2, padding=1)
    outputs = window.over(INPUTS, 10)
    assert outputs == (10, 5, 4)
    part = convolution.convolution(INPUTS, outputs, window, batch_norm=True, activation="relu", stored=11)
    matmul = linear(part)
    assert (matmul.rows, matmul.in_features, matmul.out_features) == (20, 6 * 9, 10)
    assert (matmul.copies, matmul.uses) == (1, 1)
    assert matmul.taken == 20 * 54  # values of the im2col matrix ...
    assert matmul.inputs == 6 * 9 * 7  # ... of which the map has fewer
    assert part.live == 6 * 9 * 7 + 10 * 5 * 4 + 11
    assert elements(part) == {"quantisation": 0, "relu": IMAGES * 200}
    assert elements(part, quantises=True)["quantisation"] == IMAGES * 6 * 9 * 7  # each value once, not each row
    # ternary weights; batch norm: a factor and a summand for each channel
    assert stored_values([Block((part,))]) == {
        "weights": 54 * 10,
        "embedding": 0,
        "lm_head": 0,
        "adapters": 0,
        "other": 20,
    }


def test_groups_are_matmuls_of_their_own_all_of_which_an_image_uses():
    window = Window(3, padding=1)
    part = convolution.convolution(INPUTS, window.over(INPUTS, 12), window, groups=3, bias=True)
    matmul = linear(part)
    assert (matmul.in_features, matmul.out_features, matmul.copies, matmul.uses) == (2 * 9, 4, 3, 3)
    assert matmul.inputs == INPUTS.values
    assert stored_values([Block((part,))]) == {
        "weights": 18 * 12,
        "embedding": 0,
        "lm_head": 0,
        "adapters": 0,
        "other": 12,
    }


def test_a_stride_beyond_the_kernel_leaves_values_out():
    window = Window(1, stride=2)
    outputs = window.over(INPUTS, 8)  # 5 x 4
    part = convolution.convolution(INPUTS, outputs, window)
    assert linear(part).inputs == linear(part).taken == 5 * 4 * 6


@pytest.mark.parametrize(("bias", "batch_norm", "layer_scale", "values"), [
    (False, False, False, 0), (True, False, False, 8), (False, True, False, 16), (True, True, False, 24),
    (True, False, True, 16),
])  # fmt: skip
def test_biases_norms_and_scales_are_stored(bias, batch_norm, layer_scale, values):
    window = Window(1)
    part = convolution.convolution(
        INPUTS, window.over(INPUTS, 8), window, bias=bias, batch_norm=batch_norm, layer_scale=layer_scale
    )
    assert stored_values([Block((part,))])["other"] == values
    assert linear(part).bias == (bias or batch_norm)  # what each output gets as it leaves


def test_a_full_precision_layer_takes_its_inputs_as_they_are():
    window = Window(1)
    part = convolution.convolution(INPUTS, window.over(INPUTS, 8), window, full_precision=True)
    assert elements(part, quantises=True) == {}
    assert linear(part).kind.role == "full_precision"
    assert part.activations_read(at(quantises=True)) == 0
    assert stored_values([Block((part,))])["lm_head"] == 48


def test_between_convolutions_maps_pass_the_chips_edge_only_to_be_scaled():
    window = Window(1)
    part = convolution.convolution(INPUTS, window.over(INPUTS, 8), window)
    assert (part.activations_read(at()), part.inputs_written(at())) == (0, 0)
    scaled = at(quantises=True)
    assert (part.activations_read(scaled), part.inputs_written(scaled)) == (INPUTS.values, INPUTS.values)
    shared = convolution.convolution(INPUTS, window.over(INPUTS, 8), window, quantises=False)
    assert shared.activations_read(scaled) == 0


def test_pooling_takes_each_value_of_a_window_and_writes_one():
    outputs = Window(2, stride=2).over(INPUTS, 6)
    assert outputs == (6, 4, 3)
    maximum = convolution.pooling(INPUTS, outputs, 4)
    assert elements(maximum) == {"pooling": IMAGES * 4 * 72, "maximum": IMAGES * 72}
    average = convolution.pooling(INPUTS, FeatureMap(6, 1, 1), 63, average=True)
    assert elements(average) == {"pooling": IMAGES * 6 * 63, "average": IMAGES * 6}
    assert (maximum.activations_read(at()), maximum.residual_written(at()), maximum.live) == (378, 72, 450)


def test_the_other_parts():
    assert elements(convolution.layer_norm(INPUTS)) == {"layernorm": IMAGES * 378}
    assert stored_values([Block((convolution.layer_norm(INPUTS),))])["other"] == 12
    joined = convolution.residual_sum(INPUTS, "relu", stored=5)
    assert elements(joined) == {"residual": IMAGES * 378, "relu": IMAGES * 378}
    assert (joined.activations_read(at()), joined.residual_written(at()), joined.live) == (756, 378, 761)
    larger = FeatureMap(6, 18, 14)
    assert elements(convolution.upsampling(INPUTS, larger)) == {"upsampling": IMAGES * 6 * 18 * 14}
    head = convolution.classifier(24, 10, activation="tanh")
    assert elements(head) == {"tanh": IMAGES * 10}
    assert stored_values([Block((head,))]) == {"weights": 0, "embedding": 0, "lm_head": 240, "adapters": 0, "other": 10}


SMALL = st.integers(1, 5)


@settings(deadline=None, max_examples=150)
@given(kernel=SMALL, stride=SMALL, dilation=st.integers(1, 3), padding=st.integers(0, 4), size=st.integers(1, 20))
def test_a_map_has_the_size_that_torch_gives_it(kernel, stride, dilation, padding, size):
    torch = pytest.importorskip("torch")
    convolve = torch.nn.Conv2d(1, 1, kernel, stride, padding, dilation, device="meta")
    found = Window(kernel, stride, dilation, padding).over(FeatureMap(1, size, size + 1), 1)
    if found.height < 1 or found.width < 1:
        with pytest.raises(RuntimeError):
            convolve(torch.empty(1, 1, size, size + 1, device="meta"))
    else:
        assert convolve(torch.empty(1, 1, size, size + 1, device="meta")).shape[1:] == found


@settings(deadline=None, max_examples=60)
@given(kernel=st.integers(1, 4), stride=st.integers(1, 3), dilation=st.integers(1, 2), padding=st.integers(0, 2),
       groups=st.sampled_from([1, 2, 3]), bias=st.booleans(), size=st.integers(7, 12))  # fmt: skip
def test_a_convolution_takes_the_macs_and_parameters_that_torch_counts(
    kernel, stride, dilation, padding, groups, bias, size
):
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    convolve = torch.nn.Conv2d(6, 12, kernel, stride, padding, dilation, groups, bias, device="meta")
    with FlopCounterMode(display=False) as counter:
        convolve(torch.empty(2, 6, size, size, device="meta"))
    window, inputs = Window(kernel, stride, dilation, padding), FeatureMap(6, size, size)
    part = convolution.convolution(inputs, window.over(inputs, 12), window, groups=groups, bias=bias)
    assert 2 * linear(part).taken * linear(part).out_features == counter.get_total_flops() // 2
    assert sum(stored_values([Block((part,))]).values()) == sum(p.numel() for p in convolve.parameters())
