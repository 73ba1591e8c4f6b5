"""The RMSNorm in front of a BitLinear against its NumPy reference, value by value, in Amaranth's simulator."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.elements import division, square_root
from bitjoule.rtl.linear.norm import RmsNorm
from bitjoule.sim.accelerator.linear_streams import value_stream
from bitjoule.sim.accelerator.streams import beats_as_integers
from bitjoule.sim.reference.float_formats import rounded
from bitjoule.sim.reference.hardware_linear import canonical
from bitjoule.sim.reference.hardware_norm import hardware_rms_norm

EPSILON = np.float32(1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["fp16", "bf16"])
def test_every_normed_value_is_that_of_the_reference_after_the_stated_latency(form):
    config = LinearConfig(AcceleratorConfig(8, 4, 20, 32), form, 2, "rms_norm")
    random = np.random.default_rng(7)
    m, k = 4, 9
    x = random.normal(0, 2, (m, k))
    x[1] *= 1e-3  # the epsilon shows
    x[2] = 0
    x[3, 4] = np.inf
    x, gain = rounded(x, form), rounded(random.normal(1, 0.5, k), form)
    beats = beats_as_integers(value_stream(config, x))
    each = len(beats) // m
    norm = RmsNorm(config)
    found, began, ended = [], [], []

    async def offer(ctx, stream, values):
        for value in values:
            ctx.set(stream.payload, value)
            ctx.set(stream.valid, 1)
            await ctx.tick().until(stream.ready)
        ctx.set(stream.valid, 0)

    async def inputs(ctx):
        ctx.set(norm.linear.ready, 1)
        linear = {"m": m, "k": k, "n": 1, "scale": 0}
        await offer(ctx, norm.command, [{"linear": linear, "epsilon": int(EPSILON.view(np.uint32))}])
        await offer(ctx, norm.gains, beats_as_integers(value_stream(config, gain[np.newaxis])))
        await offer(ctx, norm.activations, beats)

    async def outputs(ctx):
        ctx.set(norm.normed.ready, 1)
        cycle = 0
        while len(found) < len(beats):
            *_, valid, value, taken = await ctx.tick().sample(
                norm.normed.valid, norm.normed.payload, norm.activations.valid & norm.activations.ready
            )
            if taken:
                began.append(cycle)
            if valid:
                found.append(value)
                ended.append(cycle)
            cycle += 1

    simulator = Simulator(norm)
    simulator.add_clock(1e-6)
    simulator.add_testbench(inputs, background=True)
    simulator.add_testbench(outputs)
    simulator.run()
    expected = canonical(hardware_rms_norm(x, gain, form, float(EPSILON), config.lanes), form)
    words = np.array([[beat >> 16 * lane & 0xFFFF for lane in range(2)] for beat in found]).reshape(m, -1)[:, :k]
    np.testing.assert_array_equal(words, expected)
    latency = 2 * each + config.lanes + 2 * division.CYCLES + square_root.CYCLES + 12
    assert ended[each - 1] - began[0] == latency
