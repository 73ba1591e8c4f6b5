"""The parts of a BitLinear, one by one, against NumPy and Python's integers, in Amaranth's simulator."""

import math
import warnings

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from bitjoule.rtl.arithmetic.floating_point import normalised
from bitjoule.rtl.arithmetic.formats import FP32
from bitjoule.rtl.arithmetic.operators import FLOATS
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.elements import code, division, norm_lane, rescaling, square_root
from bitjoule.rtl.linear.elements.token_scale import TokenScale
from bitjoule.sim.reference.float_formats import from_bits, rounded, to_bits
from bitjoule.sim.reference.hardware_linear import canonical, hardware_codes, rescaled

FORMATS = sorted(FLOATS)


def simulate(m, bench):
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


async def until(ctx, done):
    while not ctx.get(done):
        await ctx.tick()


def test_quotients_are_those_of_integers():
    random = np.random.default_rng(1)
    one = 1 << 23
    pairs = [(one, one), (one, 2 * one - 1), (2 * one - 1, one), (one, one + 1)]
    pairs += [tuple(pair) for pair in random.integers(one, 2 * one, (20, 2)).tolist()]
    m = Module()
    m.submodules.divider = divider = division.Divider()

    async def bench(ctx):
        for a, b in pairs:
            ctx.set(divider.a, a)
            ctx.set(divider.b, b)
            ctx.set(divider.start, 1)
            await ctx.tick()
            ctx.set(divider.start, 0)
            for _ in range(division.CYCLES):
                assert not ctx.get(divider.done)
                await ctx.tick()
            assert ctx.get(divider.done)
            whole, rest = divmod(a << 25, b)
            assert (ctx.get(divider.quotient), ctx.get(divider.inexact)) == (whole, rest != 0)

    simulate(m, bench)


@pytest.mark.parametrize("cycles", [1, 5, 25])
def test_a_start_drops_what_is_running(cycles):
    """The first operands run for some cycles; the second ones give their own results after the full latency."""
    one = 1 << 23
    m = Module()
    m.submodules.divider = divider = division.Divider()
    m.submodules.root = root = square_root.SquareRoot()

    async def bench(ctx):
        for a, b, waited in ((one + 12345, 2 * one - 3, cycles), (2 * one - 1, one + 7, division.CYCLES)):
            ctx.set(divider.a, a)
            ctx.set(divider.b, b)
            ctx.set(root.radicand, a + b)
            ctx.set(divider.start, 1)
            ctx.set(root.start, 1)
            await ctx.tick()
            ctx.set(divider.start, 0)
            ctx.set(root.start, 0)
            for _ in range(waited):
                assert not ctx.get(divider.done)
                await ctx.tick()
        whole, rest = divmod(a << 25, b)
        assert ctx.get(divider.done)
        assert (ctx.get(divider.quotient), ctx.get(divider.inexact)) == (whole, rest != 0)
        assert ctx.get(root.done)
        assert ctx.get(root.root) == math.isqrt((a + b) << 25)

    simulate(m, bench)


def test_roots_are_those_of_integers():
    random = np.random.default_rng(2)
    one = 1 << 23
    radicands = [one, 2 * one, 4 * one - 2, one + 1, 9 << 21, *random.integers(one, 4 * one, 20).tolist()]
    m = Module()
    m.submodules.root = root = square_root.SquareRoot()

    async def bench(ctx):
        for radicand in radicands:
            ctx.set(root.radicand, radicand)
            ctx.set(root.start, 1)
            await ctx.tick()
            ctx.set(root.start, 0)
            await until(ctx, root.done)
            expected = math.isqrt(radicand << 25)
            assert ctx.get(root.root) == expected
            assert ctx.get(root.inexact) == (expected**2 != radicand << 25)

    simulate(m, bench)


def magnitudes(form, random, count):
    """Bits of magnitudes at the ends of the range and anywhere: beside powers of two 1 / L is rounded earlier."""
    infinity = ((1 << form.exponent_bits) - 1) << form.fraction_bits
    step = 1 << form.fraction_bits
    edges = [0, 1, 2, step - 1, step, step + 1, infinity - 1, infinity - step, infinity - step + 1, infinity - 2 * step]
    return [*edges, infinity - 3 * step + 5, *random.integers(0, infinity, count).tolist()]


@pytest.mark.parametrize(
    ("form", "encoding", "bits"),
    [("fp16", "ternary2", 8), ("bf16", "ternary2", 8), ("fp32", "binary1", 8), ("fp16", "binary1", 3),
     ("fp32", "ternary2", 2)],
)  # fmt: skip
def test_codes_and_scales_are_those_of_the_reference_at_ties_too(form, encoding, bits):
    config = LinearConfig(AcceleratorConfig(8, 4, 40, 32, weight_encoding=encoding, activation_bits=bits), form)
    random = np.random.default_rng(bits)
    m = Module()
    m.submodules.scaler = scaler = TokenScale(config.form, config.steps)
    m.submodules.lane = lane = code.CodeLane(config)
    m.d.comb += [lane.significand.eq(scaler.significand), lane.exponent.eq(scaler.exponent)]

    async def bench(ctx):
        for magnitude in magnitudes(config.form, random, 10):
            ctx.set(scaler.magnitude, magnitude)
            ctx.set(scaler.start, 1)
            await ctx.tick()
            ctx.set(scaler.start, 0)
            await until(ctx, scaler.done)
            largest = from_bits(np.array([magnitude], np.uint32), form)
            halves = random.integers(-2 * config.steps, 2 * config.steps + 1, 12) / 2 / config.steps
            small = 2.0 ** -random.integers(0, 20, 4)
            values = rounded(np.concatenate([halves, random.uniform(-1, 1, 6), small]) * float(largest[0]), form)
            x = np.concatenate([largest, -largest, np.clip(values, -largest, largest)])
            expected = hardware_codes(x[np.newaxis], "binary" if encoding == "binary1" else "ternary", bits)
            assert ctx.get(scaler.scale) == expected.scale[0].view(np.uint32)[0]
            for word, value in zip(to_bits(x, form).tolist(), expected.codes[0].tolist(), strict=True):
                ctx.set(lane.word, word)
                await ctx.tick().repeat(code.LATENCY)
                assert ctx.get(lane.code) == value, (hex(magnitude), hex(word))

    simulate(m, bench)


@pytest.mark.parametrize("form", FORMATS)
def test_a_token_that_is_not_finite_has_a_scale_that_is_not_a_number(form):
    m = Module()
    m.submodules.scaler = scaler = TokenScale(FLOATS[form], 127)
    infinity = ((1 << FLOATS[form].exponent_bits) - 1) << FLOATS[form].fraction_bits

    async def bench(ctx):
        for magnitude in (infinity, infinity + 1, (1 << (FLOATS[form].bits - 1)) - 1):
            ctx.set(scaler.magnitude, magnitude)
            ctx.set(scaler.start, 1)
            await ctx.tick()
            ctx.set(scaler.start, 0)
            await until(ctx, scaler.done)
            assert np.isnan(np.array(ctx.get(scaler.scale), np.uint32).view(np.float32))

    simulate(m, bench)


@pytest.mark.parametrize(("form", "max_k"), [("fp16", 64), ("bf16", 16384), ("fp32", 1 << 20)])
def test_sums_are_rescaled_and_rounded_once(form, max_k):
    """Scales of every kind, and those that make subnormal outputs, ties and overflow."""
    config = LinearConfig(AcceleratorConfig(8, 4, max_k, 32), form)
    random = np.random.default_rng(max_k)
    top, count = max_k * 128, 60
    sums = np.concatenate(
        [[0, 1, -1, top, -top, 0, 0], random.integers(-top, top, count), random.integers(-99, 99, count)]
    )
    bits = random.integers(0, 1 << 32, len(sums))
    low = random.integers(127 - 45, 127 + 20, len(sums)) << 23 | random.integers(0, 1 << 23, len(sums))
    ties = random.integers(127 - 34, 127 - 4, len(sums)) << 23 | random.integers(0, 4, len(sums)) << 21
    kinds = random.integers(0, 3, len(sums))
    scales = np.choose(kinds, [bits, low, ties]).astype(np.uint32)
    scales[:7] = [0x7F800000, 0x3F800000, 0x7F800000, 0x7F7FFFFF, 1, 0xFF800000, 0x80000000]
    scales[10:13] = [0x7FC00001, 0xFF800000, 7]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outputs = rescaled(sums[:, np.newaxis], scales.view(np.float32)[:, np.newaxis], np.float32(1), form)
    expected = canonical(outputs, form)[:, 0].tolist()
    m = Module()
    m.submodules.lane = lane = rescaling.RescaleLane(config)
    scale = Signal(32)
    m.d.comb += [lane.scale.eq(normalised(m, FP32, scale)), lane.enable.eq(1)]
    found = []

    async def bench(ctx):
        for i in range(len(sums) + rescaling.LATENCY):
            if i < len(sums):
                ctx.set(lane.total, int(sums[i]))
                ctx.set(scale, int(scales[i]))
            if i >= rescaling.LATENCY:
                found.append(ctx.get(lane.word))
            await ctx.tick()

    simulate(m, bench)
    assert found == expected


@pytest.mark.parametrize("form", FORMATS)
def test_normed_values_are_rounded_to_fp32_and_to_the_format_twice(form):
    random = np.random.default_rng(5)
    bits = FLOATS[form].bits
    words = random.integers(0, 1 << bits, 80).astype(np.uint32)
    gains = rounded(random.normal(1, 0.5, 80), form)
    factors = (2.0 ** random.uniform(-20, 12, 80)).astype(np.float32)
    values = from_bits(words, form).astype(np.float32)
    with np.errstate(all="ignore"):
        scaled = rounded((values * factors).astype(np.float64), form)
        expected = canonical(rounded(scaled.astype(np.float64) * gains.astype(np.float64), form), form).tolist()
    m = Module()
    m.submodules.lane = lane = norm_lane.NormLane(FLOATS[form])
    m.d.comb += lane.enable.eq(1)
    found = []
    rows = list(zip(words.tolist(), to_bits(gains, form).tolist(), factors.view(np.uint32).tolist(), strict=True))

    async def bench(ctx):
        for i in range(len(rows) + norm_lane.LATENCY):
            for port, value in zip((lane.word, lane.gain, lane.factor), rows[min(i, len(rows) - 1)], strict=True):
                ctx.set(port, value)
            if i >= norm_lane.LATENCY:
                found.append(ctx.get(lane.normed))
            await ctx.tick()

    simulate(m, bench)
    assert found == expected
