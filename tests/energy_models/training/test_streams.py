"""A stream of values, against a closed form."""

import numpy as np
import pytest

from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.platform.static_power import STATES
from bitjoule.energy_models.training.streams import Stream, streamed

READ, WRITTEN, MUL, ADD = 3e9, 1e9, 2e6, 5e6


def machine(platform: str) -> Machine:
    return Machine(schemes()["fp16"], platforms()[platform], technologies()["45nm"], platform)


@pytest.mark.parametrize("platform", ["fp16-hbm", "fp16-edge", "h100"])
def test_operations_and_accesses_cost_what_a_machine_pays_for_each(platform):
    one = machine(platform)
    cost = streamed(one, Stream(READ, WRITTEN, MUL, ADD, "fp32"))
    operations = 1e-12 * (MUL * 3.7 + ADD * 0.9)  # Horowitz, 45 nm
    np.testing.assert_allclose(cost.energy_j["operations"], operations, rtol=1e-12)
    accesses = (one.access(f"off_chip_{way}", "activations", stored="fp32") for way in ("read", "write"))
    read, written = (np.array(price) for price, _ in accesses)
    np.testing.assert_allclose(cost.energy_j["off_chip"], 1e-12 * (READ * read + WRITTEN * written), rtol=1e-12)


def test_a_stream_takes_as_long_as_the_slowest_resource_and_watts_flow_for_that_time():
    one = machine("fp16-hbm")
    cost = streamed(one, Stream(READ, WRITTEN, MUL, ADD, "fp32"))
    reached = one.platform.off_chip.reached_gb_per_s * 8e9
    assert cost.seconds == pytest.approx((READ + WRITTEN) / reached, rel=1e-12)
    slow = streamed(one, Stream(0, 0, 1e12, 0, "fp32"))
    assert slow.seconds == pytest.approx(1e12 / 1024 / one.clock_mhz / 1e6, rel=1e-12)  # of 1024 lanes
    watts = slow.energy_j["static"] / slow.seconds
    board = np.array([45.0, 90.0, 135.0])
    assert np.all(watts >= board)  # and what the chip leaks
    longer = streamed(one, Stream(0, 0, 2e12, 0, "fp32"))
    np.testing.assert_allclose(longer.energy_j["static"], 2 * slow.energy_j["static"], rtol=1e-12)


def test_regulators_lose_their_share_of_what_they_deliver():
    described = platforms()["fp16-edge"]
    lossy = described.model_validate({**described.model_dump(exclude_none=True), "regulator": {"efficiency": 0.8}})
    one = Machine(schemes()["fp16"], lossy, technologies()["45nm"], "lossy")
    cost = streamed(one, Stream(READ, WRITTEN, MUL, ADD, "fp32"))
    delivered = sum(value[1] for part, value in cost.energy_j.items() if part != "regulator")
    outside = sum(
        line.price[1] * cost.seconds * one.clock_mhz * 1e6 * 1e-12
        for state, line in zip(STATES, one.static, strict=True)
        if state.part in ("host", "board")
    )
    assert cost.energy_j["regulator"][1] == pytest.approx((delivered - outside) * 0.25, rel=1e-9)
