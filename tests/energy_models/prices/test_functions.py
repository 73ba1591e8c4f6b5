"""Element-wise functions: every one that a workload needs is there, and none is free or negative."""

from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from bitjoule.energy_models.architecture.images import convolutional
from bitjoule.energy_models.architecture.shape import ModelShape, all_presets, presets
from bitjoule.energy_models.prices.functions import Function, functions

SCALES = {"quantisation", "rescale"}  # what formats add to the work of the architecture
GATES = {"sigmoid"}  # of heads whose outputs are gated, which no preset has
OF_IMAGES = {*get_args(convolutional.Activation)}
STATES = {"exponential", "convolution", "state_mac", "state_pass"}
BESIDE = {"adapter_sum", "index_weight", "index_top"}  # keys that no preset has
TRANSFORMS = {"rotation_mac", "channel_factor"}  # of schemes
TRAINING = {"bias_gradient", "cross_entropy", "softmax_recomputed", "weight_quantisation"}  # and gradients
NESTS = {"softmax_row", "softmax_rescale"}  # what fused attention adds


def named_functions() -> set[str]:
    """Return the functions of all element-wise work of every preset."""
    return {
        work.function
        for shape in all_presets().values()
        for block in shape.blocks
        for part in block.parts
        for work in part.elementwise
    }


def test_every_function_of_every_part_exists():
    assert {"softmax", "rotary", "residual", "embedding"} <= named_functions()
    assert named_functions() | SCALES <= functions().keys()


@pytest.mark.parametrize("key", ["activation", "norm"])
def test_every_activation_and_norm_that_a_model_may_have_exists(key):
    allowed = get_args(ModelShape.model_fields[key].annotation)
    assert allowed
    assert set(allowed) <= functions().keys()
    assert {getattr(shape, key) for shape in presets().values()} <= set(allowed)
    assert functions().keys() >= OF_IMAGES


def test_no_function_is_left_over():
    allowed = {name for key in ("activation", "norm") for name in get_args(ModelShape.model_fields[key].annotation)}
    keys = SCALES | NESTS | GATES | STATES | OF_IMAGES | BESIDE | TRANSFORMS
    forward = named_functions() | allowed | keys
    gradients = {f"{name}_gradient" for name in forward} & functions().keys()
    assert set(functions()) == forward | TRAINING | gradients


def test_every_function_takes_something_and_nothing_negative():
    for name, function in functions().items():
        quantities = (function.mul, function.add, function.read, function.write)
        assert min(quantities) >= 0, name
        assert sum(quantities) > 0, name


def test_functions_read_their_operands_and_write_their_result():
    for name, function in functions().items():
        within = {"exponential": 0, "state_mac": 0}  # of a state while it passes
        within |= {
            "hadamard_add": 0,
            "adapter_sum": 0,
            "index_weight": 0,
            "rotation_mac": 0,
            "channel_factor": 0,
        }  # of values that another moves
        pooled = {"maximum": 0, "average": 0}  # of what another has read
        back = {each: 2 for each in functions() if each.endswith("_gradient")}  # and what it meets
        back |= {"rotary_gradient": 1, "bias_gradient": 1, "softmax_recomputed": 2, "weight_quantisation": 0}
        operands = {"embedding": 0, "rescale": 0, "residual": 2, "softmax_row": 2, **within, **pooled, **back}
        assert function.read == operands.get(name, 1), name
        followed = {
            "gate": 0,
            "rescale": 0,
            "convolution": 0,
            "pooling": 0,
            "index_weight": 0,
            "bias_gradient": 0,
            "weight_quantisation": 0,
        }  # by another that writes, or before it
        results = {"softmax_row": 2, "softmax_recomputed": 2, **followed, **within}.get(name, 1)
        assert function.write == results, name


def test_a_query_of_a_further_tile_takes_a_softmax_without_its_scale_and_a_running_sum_instead_of_the_division():
    """Maximum, exponential and sum as for a score; and the product of the denominator with the exponential."""
    score, row = functions()["softmax"], functions()["softmax_row"]
    assert (row.mul, row.add) == (score.mul - 2 + 1, score.add)


def test_a_norm_with_a_mean_takes_more_than_one_without():
    rms, layer = functions()["rmsnorm"], functions()["layernorm"]
    assert layer.mul == rms.mul
    assert layer.add - rms.add == 2  # the mean's sum and its subtraction


def test_silu_and_gelu_cost_at_least_the_exponential_that_softmax_takes():
    exponential_mul = functions()["softmax"].mul - 2  # without scale and division
    for name in ("silu", "gelu"):
        assert functions()[name].mul > exponential_mul > functions()["relu2"].mul


@pytest.mark.parametrize("amount", ["mul", "add", "read", "write"])
def test_an_amount_is_none_unless_written_may_be_a_part_and_is_never_negative(amount):
    order = ["mul", "add", "read", "write"]
    np.testing.assert_array_equal(Function().per_element, [0, 0, 0, 0])
    np.testing.assert_array_equal(Function(**{amount: 0.5}).per_element, [0.5 * (name == amount) for name in order])
    assert getattr(Function(**{amount: 0.0}), amount) == 0
    with pytest.raises(ValidationError, match=amount):
        Function(**{amount: -0.5})
