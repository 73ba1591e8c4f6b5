"""The column that rounds every product and sum, against NumPy."""

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.sim import Simulator

from bitjoule.rtl.arithmetic.float_column import FloatColumn
from bitjoule.rtl.arithmetic.floating_point import multiplier, normalised
from bitjoule.rtl.arithmetic.formats import FP16
from bitjoule.rtl.config import AcceleratorConfig


@pytest.mark.parametrize(("accumulation", "number", "word"), [("fp32", "f4", "u4"), ("fp16", "f2", "u2")])
def test_the_dot_product_is_added_to_the_sum_so_far_with_its_sign(accumulation, number, word):
    config = AcceleratorConfig(
        lanes=8, columns=1, max_k=64, weight_bus_bits=128, weight_encoding="fp16", datapath="rounding_tree",
        accumulation=accumulation, pipeline=0,
    )  # fmt: skip
    m = Module()
    m.submodules.column = column = FloatColumn(config)
    weights, activations = Signal(16 * 8), Signal(16 * 8)
    lanes = [normalised(m, FP16, weights.word_select(lane, 16)) for lane in range(8)]
    others = [multiplier(FP16, normalised(m, FP16, activations.word_select(lane, 16))) for lane in range(8)]
    m.d.comb += [column.weights.eq(Cat(lanes)), column.activations.eq(Cat(others))]
    draw = np.random.default_rng(5)
    cases = [(*draw.uniform(-4, 4, (2, 8)).astype("f2"), sum_so_far) for sum_so_far in (0, 3.5, -2.25, -100, 7)]

    async def bench(context):
        for first, second, before in cases:
            context.set(weights, int.from_bytes(first.tobytes(), "little"))
            context.set(activations, int.from_bytes(second.tobytes(), "little"))
            context.set(column.previous, int(np.array(before, number).view(word)))
            await context.delay(1e-9)
            words = first.astype(number) * second.astype(number)
            while len(words) > 1:
                words = words[::2] + words[1::2]
            assert context.get(column.total) == int((np.array(before, number) + words[0]).view(word))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
