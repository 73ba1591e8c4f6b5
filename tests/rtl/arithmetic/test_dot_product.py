"""Dot products of trits in every style and with any number of registers, against NumPy, in Amaranth's simulator."""

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from bitjoule.rtl.arithmetic.dot_product import DotProduct
from bitjoule.rtl.config import AcceleratorConfig

BITS = 4
LEAST, MOST = -(1 << BITS - 1), (1 << BITS - 1) - 1


def operands(lanes):
    """Return trits and activations, a row a cycle: all that are extreme together, then random ones."""
    random = np.random.default_rng(lanes)
    extreme = [(np.full(lanes, trit), np.full(lanes, x)) for trit in (-1, 0, 1) for x in (LEAST, 0, MOST)]
    drawn = [(random.integers(-1, 2, lanes), random.integers(LEAST, MOST + 1, lanes)) for _ in range(30)]
    return [*extreme, *drawn]


def packed(values, bits):
    return sum((int(value) & (1 << bits) - 1) << i * bits for i, value in enumerate(values))


@pytest.mark.parametrize("pipeline", [0, 1, 2, 5])  # the last has more registers than the smaller trees have levels
@pytest.mark.parametrize("lanes", [8, 11, 16])
@pytest.mark.parametrize(
    ("datapath", "chain", "inverted"),
    [
        ("carry_save", 1, "none"),
        ("carry_chain", 1, "none"),
        ("multiplexer", 1, "none"),
        *(("carry_chain", chain, "none") for chain in (2, 4, 8)),
        *(("carry_chain", chain, inverted) for chain in (3, 4, 5, 8) for inverted in ("before", "after")),
    ],
)
def test_the_words_add_up_to_the_dot_product_of_as_many_cycles_before_as_there_are_registers(
    datapath, chain, inverted, lanes, pipeline
):
    config = AcceleratorConfig(
        lanes, 1, lanes, 64, datapath=datapath, activation_bits=BITS, chain_lanes=chain, inverted_sums=inverted
    )
    given, found = operands(lanes), []
    dot = DotProduct(config, pipeline)

    async def bench(ctx):
        for trits, x in [*given, *[given[0]] * pipeline]:
            ctx.set(dot.plus, packed(trits == 1, 1))
            ctx.set(dot.minus, packed(trits == -1, 1))
            ctx.set(dot.activations, packed(x, BITS))
            words = [ctx.get(word) for word in (*dot.words, *dot.unit_bits)]
            found.append(sum(words) - dot.offset)
            await ctx.tick()

    top = Module()
    top.submodules.dot = dot
    top.d.sync += Signal(name="clocked").eq(1)  # a clock for those without registers, too
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found[pipeline:] == [int(trits @ x) for trits, x in given]
