"""What the bench sends, against the plain layout of the streams: no simulator runs."""

import numpy as np
import pytest

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.packing import matmul_activation_beats, matmul_weight_beats
from bitjoule.sim.accelerator.cycles import MatmulShape
from bitjoule.sim.bench.bench import Bench
from bitjoule.sim.bench.cases import Case, operands

CONFIGURATIONS = {
    "tokens": AcceleratorConfig(8, 4, 40, 32, tokens=3),
    "five trits": AcceleratorConfig(10, 3, 40, 40, tokens=2, weight_encoding="ternary5", activation_bits=5),
    "a tile within a beat": AcceleratorConfig(8, 2, 33, 256, tokens=4, activation_bits=2),
    "int8": AcceleratorConfig(11, 3, 40, 264, tokens=2, weight_encoding="int8"),
}


@pytest.mark.parametrize("config", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
@pytest.mark.parametrize("m", [1, 2, 3, 7])
def test_each_block_of_tokens_gets_all_weights_and_each_tile_of_columns_all_tokens(config, m):
    shape = MatmulShape(m, 2 * config.lanes + 1, 2 * config.columns + 1)
    case = Case("streams", (shape,))
    bench = Bench.__new__(Bench)  # without a simulator
    bench.config = config
    x, w = operands(config, case, 0)
    sent = bench.streams(shape, (x, w))
    assert sent["weights"] == list(matmul_weight_beats(config, m, np.asarray(w).tolist()))
    assert sent["activations"] == list(matmul_activation_beats(config, np.asarray(x).tolist(), shape.n))
    blocks = [-(-size // of) for size, of in zip(shape, (config.tokens, config.lanes, config.columns), strict=True)]
    assert len(sent["weights"]) == np.prod(blocks) * config.tile_beats
    assert len(sent["activations"]) == m * blocks[1] * blocks[2]
    assert len(sent["command"]) == len(bench.streams(shape, None)["command"]) == 1
