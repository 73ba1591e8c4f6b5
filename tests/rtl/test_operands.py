"""Operands as the columns take them, against NumPy's half precision."""

import numpy as np
from amaranth.sim import Simulator

from bitjoule.rtl.operands import Normaliser

BIAS, FRACTION = 15, 10


def words():
    """Return every exponent at the ends of its fractions, the subnormals around each power of two, and some others."""
    ends = [exponent << FRACTION | fraction for exponent in range(32) for fraction in (0, 1, 512, 1022, 1023)]
    small = [value + near for value in (1 << i for i in range(FRACTION + 1)) for near in (-1, 0, 1)]
    others = np.random.default_rng(12).integers(0, 1 << 15, 150).tolist()
    return [sign << 15 | word for word in (*ends, *small, *others) for sign in (0, 1)]


def value_of(prepared):
    """Return the number of a prepared word: fraction, an exponent in two's complement of six bits, sign."""
    fraction, exponent, sign = prepared & 1023, prepared >> FRACTION & 63, prepared >> 16
    exponent -= (exponent >> 5) << 6
    if exponent == 31:
        return np.nan if fraction else (-1) ** sign * np.inf
    if exponent == -32:
        return (-1) ** sign * 0.0
    return (-1) ** sign * (1 + fraction / 1024) * 2.0 ** (exponent - BIAS)


def test_a_normalised_operand_is_the_number_that_its_bits_are():
    top, found = Normaliser(), []

    async def drive(context):
        for word in words():
            context.set(top.word, word)
            await context.delay(1e-9)
            found.append(context.get(top.prepared))

    simulator = Simulator(top)
    simulator.add_testbench(drive)
    simulator.run()
    expected = np.array(words(), dtype=np.uint16).view(np.float16).astype(float)
    values = np.array([value_of(prepared) for prepared in found])
    np.testing.assert_array_equal(values, expected)
    assert np.signbit(values[~np.isnan(values)]).tolist() == np.signbit(expected[~np.isnan(expected)]).tolist()
