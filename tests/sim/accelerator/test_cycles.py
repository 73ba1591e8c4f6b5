import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.accelerator.cycles import MatmulShape, cycles, cycles_of, stalled_cycles, utilisation

sizes = st.builds(MatmulShape, st.integers(1, 9), st.integers(1, 64), st.integers(1, 20))
configs = st.builds(
    lambda tokens, bus, pipeline: AcceleratorConfig(8, 4, 64, bus, tokens=tokens, pipeline=pipeline),
    st.integers(1, 6), st.sampled_from([8, 16, 32, 64, 128]), st.integers(0, 4),
)  # fmt: skip


@settings(deadline=None)
@given(configs, st.lists(sizes, min_size=1, max_size=4))
def test_the_closed_form_is_the_stall_model_without_stalls(config, shapes):
    assert stalled_cycles(config, shapes) + 1 == cycles_of(config, shapes)[-1]


@settings(deadline=None)
@given(configs, sizes, st.lists(st.booleans(), min_size=1, max_size=9), st.sampled_from(["weights", "activations"]))
def test_a_stall_never_makes_a_matmul_shorter(config, shape, pattern, stream):
    pattern = [*pattern, False]
    idle = {f"{stream}_idle": lambda at: pattern[at % len(pattern)]}
    assert stalled_cycles(config, [shape], **idle) + 1 >= cycles(config, *shape)


def test_prefill_reaches_99_percent_of_the_array():
    config = read_configuration("edge_64x16")
    assert config.tile_beats == 4
    for m, k, n in ((64, 1024, 1024), (128, 2560, 6912), (512, 6912, 2560)):
        assert 0.99 <= utilisation(config, m, k, n) <= 1.0


@pytest.mark.parametrize(("k", "n"), [(2560, 2560), (2560, 640), (2560, 6912), (6912, 2560)])
def test_decode_runs_at_the_full_rate_of_the_weight_stream(k, n):
    config = read_configuration("decode_64x5")
    tiles = -(-n // 5) * -(-k // 64)
    assert cycles(config, 1, k, n) <= tiles + 8


def test_matmuls_that_follow_each_other_leave_no_bubble():
    config = read_configuration("decode_64x5")
    ends = cycles_of(config, [MatmulShape(1, 2560, 6912)] * 4)
    assert set(np.diff(ends)) == {-(-6912 // 5) * 40}


@pytest.mark.parametrize("shape", [(0, 8, 4), (1, 0, 4), (1, 65, 4), (1, 8, 0)])
def test_a_malformed_matmul_has_no_cycles(shape):
    config = AcceleratorConfig(8, 4, 64, 64)
    with pytest.raises(ValueError, match="expected positive M and N, and K from 1 to 64"):
        cycles(config, *shape)
    with pytest.raises(ValueError, match="expected positive M and N, and K from 1 to 64"):
        stalled_cycles(config, [MatmulShape(*shape)])
