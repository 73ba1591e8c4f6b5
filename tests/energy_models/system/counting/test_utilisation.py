"""Shares of peaks: what bounds a component is busy all the time but for filling, and nothing is busy for longer."""

import numpy as np
import pytest

from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.energy_models.system.counting.utilisation import ARRAY, OFF_CHIP, RESOURCES, UNPACKING
from bitjoule.energy_models.system.mappings.bounds import BOUNDS, LATENCY
from bitjoule.energy_models.system.platform.overheads import Overheads
from bitjoule.energy_models.system.platform.platforms import platforms
from tests.energy_models.clocks import MET_MHZ
from tests.energy_models.requests import evaluate, system

OF_BOUND = {
    "compute": [RESOURCES.index(name) for name in ("array", "vector")],
    "buffer": [RESOURCES.index(name) for name in ("weight_buffer", "activation_buffer")],
    "off_chip": [OFF_CHIP],
}
MACHINES = ("ternary-edge", "ternary-hbm", "fp16-edge", "fp16-hbm", "int8-edge", "tpu32")


@pytest.mark.parametrize("platform", MACHINES)
@pytest.mark.parametrize("scheme", ["fp16", "bitnet-b1.58"])
@pytest.mark.parametrize("attention", ["separate", "fused"])
def test_what_bounds_is_busy_in_all_of_the_time_but_latency_and_nothing_for_longer(platform, scheme, attention):
    machine = platforms()[platform].model_copy(update={"attention": attention})
    try:
        found = evaluate(system("bitnet-125m", scheme, platform, machine=machine), [1, 4], [100, 700], [20, 3])
    except Exception as error:
        if type(error).__name__ == "UnpricedError":
            return
        raise
    seconds, busy = found.times.seconds, found.times.busy
    at_work = seconds[..., :LATENCY].sum(axis=3)
    assert (busy <= at_work[..., None] * (1 + 1e-5) + 1e-15).all()
    for bound, resources in OF_BOUND.items():
        alone = (seconds[..., BOUNDS.index(bound)] > 0.999 * at_work) & (at_work > 0)
        np.testing.assert_allclose(busy[..., resources].max(axis=3)[alone], at_work[alone], rtol=1e-5)


def test_a_bare_matmul_keeps_array_and_memory_busy_for_what_numpy_counts():
    m, k, n = 64, 640, 320
    machine = platforms()["ternary-edge"]
    found = evaluate(system(Matmul(m, k, n), machine=machine), 1, m, 0)
    array = machine.arrays["adders"]
    cycle_s = 1e-6 / MET_MHZ["7nm"]
    blocks = np.ceil(k / array.lanes) * np.ceil(n / array.columns)
    assert found.times.busy[0, 0, :, ARRAY].sum() == pytest.approx(m * blocks * cycle_s, rel=1e-9)
    bits = found.counts[0, [c.action.startswith("off_chip") for c in system(Matmul(m, k, n)).columns]].sum()
    bits_per_s = machine.off_chip.bandwidth_gb_per_s * 8e9
    assert found.times.busy[0, 0, :, OFF_CHIP].sum() == pytest.approx(bits / bits_per_s, rel=1e-9)


def test_shares_of_peaks_that_are_reached_make_busy_times_no_longer():
    machine = platforms()["ternary-edge"]
    arrays = {name: array.model_copy(update={"achieved_share": 0.5}) for name, array in machine.arrays.items()}
    off_chip = machine.off_chip.model_copy(update={"achieved_share": 0.5})
    half = machine.model_copy(update={"arrays": arrays, "off_chip": off_chip})
    m, k, n = 256, 640, 320
    peak, reached = (evaluate(system(Matmul(m, k, n), machine=each), 1, m, 0) for each in (machine, half))
    for resource in (ARRAY, OFF_CHIP):
        assert peak.times.busy[..., resource].any()
        np.testing.assert_allclose(reached.times.busy[..., resource], peak.times.busy[..., resource], rtol=1e-9)
    compute = BOUNDS.index("compute")
    busy, time = reached.times.busy[..., ARRAY].sum(), reached.times.seconds[..., compute].sum()
    assert busy == pytest.approx(0.5 * time, rel=1e-4)  # phases take whole cycles


def test_unpacking_is_busy_for_weights_over_its_rate():
    m, k, n, rate = 2, 640, 320, 1e6
    slow = platforms()["ternary-edge"].model_copy(
        update={"overheads": Overheads(unpack_weights_per_s={"ternary2": rate})}
    )
    found = evaluate(system(Matmul(m, k, n), machine=slow), 1, m, 0)
    assert found.times.busy[0, 0, :, UNPACKING].sum() == pytest.approx(k * n / rate, rel=1e-9)
    assert found.times.busy[0, 0].sum(axis=0).argmax() == UNPACKING
