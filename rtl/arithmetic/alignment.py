"""FP16 activations as integers of one exponent: aligned once a token and tile, for all columns."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Value

from bitjoule.rtl.arithmetic.floating_point import Number, shifted_right
from bitjoule.rtl.arithmetic.formats import FP16
from bitjoule.rtl.arithmetic.full_adders import chained
from bitjoule.rtl.arithmetic.fused_product import largest
from bitjoule.rtl.arithmetic.reduction import wire

GUARD_BITS = 13  # below the lowest bit of the activation that has the largest exponent: it ends where FP32 would
MAGNITUDE_BITS = FP16.fraction_bits + 1 + GUARD_BITS
ALIGNED_BITS = MAGNITUDE_BITS + 1
SHARED_BITS = FP16.exponent_bits + 1
LOWEST = FP16.bias + FP16.fraction_bits + GUARD_BITS  # an aligned activation's lowest bit is 2**(exponent - LOWEST)


def aligned(m: Module, activations: Sequence[Value]) -> Value:
    """Return FP16 activations as integers, and what they share.

    With E the largest exponent field of a lane (that of a subnormal number and of zero counts as one), each activation
    becomes the multiple of 2**(E - LOWEST) that is nearest, halfway ones away from zero. Shifts are stages of
    multiplexers and no shift by a variable: of two of those one behind the other, Verilator 5.48 makes a wrong one.

    Parameters
    ----------
    m
        Where the logic goes; combinational.
    activations
        The lanes.

    Returns
    -------
    Value
        `ALIGNED_BITS` in two's complement for each lane; behind them E, and whether a lane is infinite or NaN.
    """
    numbers = [Number(FP16, word) for word in activations]
    exponents: list[Value] = [
        Cat(number.exponent[0] | ~number.exponent.any(), number.exponent[1:]) for number in numbers
    ]
    exponent = wire(m, "exponent", largest(m, exponents))
    lanes = []
    for lane, (number, own) in enumerate(zip(numbers, exponents, strict=True)):
        places = [[a, ~b] for a, b in zip(exponent, own, strict=True)]
        distance = chained(m, f"distance{lane}", places, Const(1, 1))
        # One bit more than is kept: it rounds.
        magnitude = Cat(Const(0, GUARD_BITS + 1), number.fraction, number.exponent.any())
        shifted, _ = shifted_right(m, magnitude, distance)
        inverted = Cat(shifted[1:], Const(0, 1)) ^ number.sign.replicate(ALIGNED_BITS)
        lanes.append(wire(m, f"aligned{lane}", (inverted + (shifted[0] ^ number.sign))[:ALIGNED_BITS]))
    special = wire(m, "special", Cat(*(number.exponent.all() for number in numbers)).any())
    return Cat(*lanes, exponent, special)
