"""Walsh-Hadamard rotations: additions of a factored transform, run and counted, and where they stand in a layer."""

import numpy as np
import pytest
from pydantic import ValidationError

from bitjoule.energy_models.architecture.parts.rotations import hadamard_additions
from tests.energy_models.architecture.test_blocks import added, counted
from tests.energy_models.architecture.test_layers import BATCH, FFN, LAYERS, NEW, PROMPT, D, Q, shape


def sylvester(order):
    """Return Sylvester's Hadamard matrix of a power of two."""
    return np.ones((1, 1)) if order == 1 else np.kron([[1, 1], [1, -1]], sylvester(order // 2))


LEGENDRE_11 = [(-1, 1)[pow(i, 5, 11) == 1] for i in range(11)]  # of i modulo 11, for i from 1


def paley_12():
    """Return a Hadamard matrix of order 12: Paley's, of the squares modulo 11."""
    signs = np.array([[0 if i == j else LEGENDRE_11[(j - i) % 11] for j in range(11)] for i in range(11)])
    skew = np.block([[np.zeros((1, 1)), np.ones((1, 11))], [-np.ones((11, 1)), signs]])
    return skew + np.eye(12)


def rotated(values, factor):
    """Return the transform of some values, passes first, and the additions that it took."""
    values, additions, span = values.copy(), 0, len(factor)
    while span < len(values):
        pairs = values.reshape(-1, 2, span)
        values = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1).ravel()
        additions, span = additions + len(values), 2 * span
    out = values.reshape(-1, len(factor)) @ factor
    return out.ravel(), additions + out.size * (len(factor) - 1)


@pytest.mark.parametrize("width", [1, 2, 8, 64, 12, 24, 96])
def test_as_many_additions_as_the_factored_transform_takes(width):
    factor = np.ones((1, 1)) if width & (width - 1) == 0 else paley_12()
    values = np.arange(width) - 3.0
    result, additions = rotated(values, factor)
    whole = np.kron(sylvester(width // len(factor)), factor)
    np.testing.assert_array_equal(whole @ whole.T, width * np.eye(width))  # a rotation, but for its length
    np.testing.assert_allclose(result, values @ whole)
    assert hadamard_additions(width) == additions


@pytest.mark.parametrize(
    ("width", "additions"),
    [
        (4096, 4096 * 12),
        (28, 28 * 27),
        (14336, 14336 * (9 + 27)),  # 28 x 2^9, FFN of Llama 3 8B
        (11008, 11008 * (6 + 171)),  # 172 x 2^6, FFN of Llama 7B
        (6, None),
        (10, None),
        (668, None),
    ],
)
def test_other_widths_take_a_matrix_of_signs_of_the_smallest_order(width, additions):
    assert hadamard_additions(width) == additions


def values_and_additions(counts, phase):
    return (counts.get((phase, "rotation", "activations", "buffer_read"), 0) / 16,
            added(counts, phase, ("rotation",), "add"))  # fmt: skip


@pytest.mark.parametrize(
    ("hadamard_keys", "widths"),
    [
        ({"on": ["o_proj"]}, {Q: 1}),  # 48 = 12 x 4: 2 passes and 11 additions
        ({"on": ["o_proj", "ffn_down"]}, {Q: 1, FFN: 1}),
        ({"on": ["q_proj", "k_proj", "v_proj"]}, {D: 1}),  # their common input, once
        ({"on": ["ffn_gate", "ffn_up", "q_proj"]}, {D: 2}),
    ],
)
def test_a_rotation_stands_before_each_input_that_is_named(hadamard_keys, widths):
    counts, _ = counted(shape(hadamard=hadamard_keys))
    each = {48: 48 * (2 + 11), 80: 80 * (2 + 19)}
    for phase, tokens in (("prefill", BATCH * PROMPT), ("decode", BATCH * NEW)):
        values = sum(width * times for width, times in widths.items())
        additions = sum(each[width] * times for width, times in widths.items())
        assert values_and_additions(counts, phase) == (tokens * LAYERS * values, tokens * LAYERS * additions)
    assert shape(hadamard=hadamard_keys).parameters == shape().parameters


def test_blocks_and_experts_are_rotated_each_by_itself():
    counts, _ = counted(shape(hadamard={"on": ["ffn_down"], "block": 16}, experts=4, active_experts=2))
    tokens = BATCH * NEW * LAYERS
    assert values_and_additions(counts, "decode") == (tokens * 2 * FFN, tokens * 2 * FFN * 4)
    shared, _ = counted(shape(hadamard={"on": ["ffn_up"]}, experts=4, active_experts=2))
    assert values_and_additions(shared, "decode") == (tokens * D, tokens * D * (2 + 11))


@pytest.mark.parametrize(
    ("hadamard_keys", "wrong"),
    [
        ({"on": ["o_proj"], "block": 7},
         "no Walsh-Hadamard rotation of the 48 inputs of o_proj in blocks of 7 is known"),
        ({"on": ["down_proj"]}, "no layer has a linear 'down_proj' (did you mean 'ffn_down'?)"),
    ],
)  # fmt: skip
def test_what_cannot_be_rotated_is_refused(hadamard_keys, wrong):
    with pytest.raises(ValidationError) as error:
        shape(hadamard=hadamard_keys)
    (found,) = error.value.errors()
    assert (found["ctx"]["wrong"], found["ctx"]["at"]) == (wrong, ("hadamard", "on"))
    with pytest.raises(ValidationError) as error:
        shape(ffn=54, hadamard={"on": ["ffn_down"]})
    expected = "a power of two, or one times an odd number up to 165 and 4; or a `block`"
    assert error.value.errors()[0]["ctx"]["expected"] == expected


def test_a_layer_with_rotations_and_adapters_has_both_as_if_each_were_alone():
    rotations, adapters = (
        {"hadamard": {"on": ["o_proj", "q_proj"]}},
        {"adapters": {"rank": 3, "on": ["o_proj", "ffn_up"]}},
    )
    both, rotated_alone, adapted_alone = (
        counted(shape(**keys))[0] for keys in (rotations | adapters, rotations, adapters)
    )
    for alone, components in ((rotated_alone, {"rotation"}), (adapted_alone, {"lora_a", "lora_b", "lora_sum"})):
        expected = {key: value for key, value in alone.items() if key[1] in components}
        assert {key[1] for key in expected} == components
        assert {key: value for key, value in both.items() if key[1] in components} == expected
    assert shape(**rotations, **adapters).parameters == shape(**adapters).parameters
