"""Memory of requests in closed form: logits, activations of the phase that has most, states beside a narrow cache."""

import numpy as np
import pytest

from bitjoule.energy_models.architecture.shape import presets
from tests.energy_models.requests import evaluate, system

BYTES = 2  # of an FP16 value between the linears


def test_logits_of_all_sequences_are_activations_where_they_are_most():
    model = presets()["bitnet-125m"]
    found = evaluate(system(model), [4, 4], [1, 700], [1, 1]).memory_bytes.activations_bytes
    assert found[0] == 4 * model.vocabulary * BYTES
    assert found[1] > 4 * 700 * 2 * model.hidden * BYTES  # a prompt's residual stream and norms


@pytest.mark.parametrize("batch", [1, 5])
def test_activations_are_those_of_decode_where_there_is_no_prompt(batch):
    """Of each token the residual stream, its normed copy, and what is between: the wider of attention and FFN."""
    model = presets()["bitnet-b1.58-700m"].model_copy(update={"vocabulary": 100})
    between = max(2 * model.ffn, (model.heads + 2 * model.kv_heads) * model.head_dim)
    found = evaluate(system(model), batch, 0, 3).memory_bytes.activations_bytes
    np.testing.assert_array_equal(found, batch * (2 * model.hidden + between) * BYTES)


def test_recurrent_states_are_as_wide_as_other_values_beside_a_cache_of_8_bits():
    model = presets()["mamba-130m"]
    mixer = model.mixer
    state = model.layers * mixer.inner * (mixer.state + mixer.kernel - 1)
    found = evaluate(system(model, "bitnet-b1.58-kv8"), 3, 10, 2).memory_bytes.kv_cache_bytes
    np.testing.assert_array_equal(found, 3 * state * BYTES)
