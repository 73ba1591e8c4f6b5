"""Rates in the long run, against the cycle model and the lengths of the streams."""

import numpy as np
import pytest

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.accelerator.cycles import cycles, utilisation
from bitjoule.sim.accelerator.rates import steady_rates
from bitjoule.sim.accelerator.streams import activation_stream, result_beats, weight_stream

CONFIGURATIONS = {
    "one beat": AcceleratorConfig(8, 4, 4096, 64, tokens=3),
    "four beats": AcceleratorConfig(8, 4, 4096, 16, tokens=6),
    "padded": AcceleratorConfig(9, 3, 4096, 64, tokens=2, activation_bits=5),
    "decode": read_configuration("decode_64x5"),
}


@pytest.mark.parametrize("m", [1, 2, 3, 4, 7, 12])
@pytest.mark.parametrize("config", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_rates_are_what_more_tiles_take_more(config, m):
    rates = steady_rates(config, m)
    k, n = config.lanes * 2, config.columns
    more = 3 * n
    added = cycles(config, m, k, n + more) - cycles(config, m, k, n)
    assert rates.utilisation == pytest.approx(m * k * more / (added * config.lanes * config.columns))
    x, w = np.zeros((m, k), np.int8), np.zeros((k, n), np.int8)
    wide = np.zeros((k, n + more), np.int8)
    weight_bytes = weight_stream(config, wide, m).size - weight_stream(config, w, m).size
    assert rates.weight_bytes_per_cycle == pytest.approx(weight_bytes / added)
    activation_bytes = activation_stream(config, x, n + more).size - activation_stream(config, x, n).size
    assert rates.activation_bytes_per_cycle == pytest.approx(activation_bytes / added)
    beats = result_beats(config, m, n + more) - result_beats(config, m, n)
    two_tiles_a_result = beats * config.result_bus_bits / 8 / added
    assert rates.largest_result_bytes_per_cycle == pytest.approx(2 * two_tiles_a_result)


@pytest.mark.parametrize("name", ["edge_64x16", "decode_64x5", "tiny_8x4"])
def test_large_matmuls_come_near(name):
    config = read_configuration(name)
    for m in (1, config.tokens):
        k = config.max_k - config.max_k % config.lanes
        large = utilisation(config, m, k, 1000 * config.columns)
        assert large == pytest.approx(steady_rates(config, m).utilisation, rel=2e-3)
        assert large <= steady_rates(config, m).utilisation


def test_no_tokens_have_no_rates():
    with pytest.raises(ValueError, match="M 0"):
        steady_rates(CONFIGURATIONS["one beat"], 0)
