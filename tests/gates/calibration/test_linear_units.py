"""What an element of a BitLinear takes, and that the operands of the measurement give what the unit computes."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from bitjoule.gates.calibration.linear_units import Elements, measure_unit
from bitjoule.gates.calibration.measurement import Effort
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.elements.units import UNITS, unit, unit_verilog
from tests.rtl.test_verilog import operators

CONFIG = LinearConfig(AcceleratorConfig(8, 4, 64, 64), "fp16")


@pytest.mark.parametrize("name", UNITS)
def test_the_operands_of_a_measurement_give_what_numpy_expects(name):
    elements = Elements(name, CONFIG, 3, np.random.default_rng(0))
    m = Module()
    m.submodules.dut = dut = unit(name, CONFIG)
    wanted, found = [], []
    mask = (1 << len(dut.result)) - 1

    async def bench(ctx):
        for cycle in range(20 + dut.latency):
            inputs, expected = elements.draw()
            wanted.append(int(expected[0]))
            for port, values in inputs.items():
                value = int(values[0])
                ctx.set(getattr(dut, port), value - (1 << 64) if value >> 63 else value)  # a negative one, as bits
            if cycle >= dut.latency:
                found.append(ctx.get(dut.result) & mask)
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == [value & mask for value in wanted[: len(found)]]
    assert len(set(found)) > (1 if name == "absmax" else 5)


def test_a_unit_is_one_verilog_top_without_a_multiplication():
    text = unit_verilog("quantise", CONFIG)
    assert "module bitjoule_unit(" in text
    assert "*" not in operators(text)
    with pytest.raises(ValueError, match="unit 'div': expected one of absmax, quantise, rescale, rms_norm"):
        unit_verilog("div", CONFIG)


@pytest.mark.dear
@pytest.mark.parametrize("name", UNITS)
def test_a_units_netlist_computes_what_numpy_does_and_glitches(name, freepdk45):
    found = measure_unit(name, CONFIG, freepdk45, Effort(cycles=2))
    assert 0 < found.settled_fj < found.total_fj
    assert found.cells > 80
