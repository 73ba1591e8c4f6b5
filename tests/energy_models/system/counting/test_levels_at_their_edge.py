"""Memory levels where a request just fits, and what comes from outside however large they are."""

import numpy as np
import pytest

from bitjoule.energy_models.architecture.parts.adapters import Adapters
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.system.platform.levels import Level
from bitjoule.energy_models.system.platform.platforms import platforms
from tests.energy_models.requests import evaluate, system

NEW = 9
WHOLE = 1 << 36


def read_bits(model, size_bytes, holds, prompt=64, **wanted):
    """Return the off-chip bits that each phase reads, behind a level of some bytes."""
    level = Level(holds=[holds], size_bytes=size_bytes, bandwidth_gb_per_s=1e9, read_pj_per_bit=0.0, write_pj_per_bit=0)
    machine = platforms()["ternary-edge"].model_copy(update={"levels": {"l2": level}})
    found = system(model, machine=machine)
    counts = evaluate(found, 1, prompt, NEW).counts[0].reshape(len(found.phases), -1)
    columns = found.columns[: counts.shape[1]]
    return counts[:, [c.action == "off_chip_read" and all(getattr(c, k) == v for k, v in wanted.items())
                      for c in columns]].sum(axis=1)  # fmt: skip


def test_a_level_as_large_as_all_weights_serves_them_and_one_byte_less_does_not():
    """Weights, tables and adapters: together they stay from step to step, or none does."""
    model = presets()["bitnet-125m"].model_copy(update={"adapters": Adapters(rank=8)})
    needed = evaluate(system(model), 1, 64, NEW).memory_bytes
    size = float((needed.weights_bytes + needed.tables_bytes + needed.adapters_bytes)[0])
    assert size == int(size)
    assert needed.adapters_bytes > 1
    bare, fits, short = (
        read_bits(model, int(size_bytes), "weights", component="ffn_up")[1] for size_bytes in (0, size, size - 1)
    )
    assert short == bare > 0
    assert fits == pytest.approx(bare / NEW, rel=1e-12)


def test_rows_of_an_embedding_are_never_read_again():
    model, wanted = "bitnet-125m", {"component": "embedding"}
    bare, whole = (read_bits(model, size_bytes, "weights", **wanted) for size_bytes in (0, WHOLE))
    assert bare.all()
    np.testing.assert_array_equal(whole, bare)


def test_recurrent_states_come_from_outside_in_the_first_step_of_a_phase_alone():
    bare, whole = (read_bits("mamba-130m", size, "keys_values", operand="state") for size in (0, WHOLE))
    assert bare[1] > 0
    np.testing.assert_allclose(whole, [bare[0], bare[1] / NEW], rtol=1e-12)
