"""One column of the fused FP16 array: all products aligned once, added in one carry-save tree, normalised once."""

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.floating_point import Adder, leading_zeros, shifted_left
from bitjoule.rtl.arithmetic.formats import FP16, FP32
from bitjoule.rtl.arithmetic.fused_product import (
    ACTIVATION_BITS,
    ALIGNED_BITS,
    GUARD_BITS,
    Product,
    aligned,
    distance,
    largest,
)
from bitjoule.rtl.arithmetic.reduction import add, carry_save_sum, compress, registered, wire
from bitjoule.rtl.config import AcceleratorConfig

LOWEST = 2 * (FP16.bias + FP16.fraction_bits) + GUARD_BITS  # an aligned product's lowest bit is 2**(exponent - LOWEST)


class FusedColumn(wiring.Component):
    """Adds the dot product of a column's FP16 weights and the activations to a sum in FP32.

    Products are exact. With E the largest sum of two exponents in a lane (subnormal numbers and zeros having the
    exponent of the least normal one), each product is rounded to a multiple of 2**(E - 23), halves upwards; their sum
    is exact, and rounded to FP32 once, to nearest even. So is its sum with the sum so far. Latency: `pipeline` cycles
    from the operands to `total`, none from `previous`. Throughput: one a cycle.

    Parameters
    ----------
    config
        Lanes and pipeline. Registers are placed where they take the fewest bits first: after the adder that ends the
        tree, after the normalisation, between multipliers and alignment, before the tree.

    Ports
    -----
    weights : In(lanes * 16)
        Lane l at bits l * 16.
    activations : In(lanes * ACTIVATION_BITS)
        The same, as `fused_product.fused_activation` makes them.
    previous : In(32)
        The sum so far.
    total : Out(32)
        The sum with the dot product.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "weights": In(config.lanes * FP16.bits),
                "activations": In(config.lanes * ACTIVATION_BITS),
                "previous": In(FP32.bits),
                "total": Out(FP32.bits),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the column."""
        m = Module()
        lanes, pipeline = self._config.lanes, self._config.pipeline
        products = []
        for lane in range(lanes):
            m.submodules[f"product{lane}"] = product = Product()
            m.d.comb += [
                product.weight.eq(self.weights.word_select(lane, FP16.bits)),
                product.activation.eq(self.activations.word_select(lane, ACTIVATION_BITS)),
            ]
            products.append(product)
        exponent: Value = wire(m, "exponent", largest(m, [product.exponent for product in products]))
        distances = [
            distance(m, f"distance{lane}", exponent, product.exponent) for lane, product in enumerate(products)
        ]
        specials = [Cat(*(getattr(product, name) for product in products)).any() for name in ("nan", "plus", "minus")]
        special: Value = Cat(*specials)
        words = [exponent, special, *distances, *(product.significand for product in products)]
        (exponent, special, *words), _ = registered(m, "multiplied", words, [], int(pipeline > 2))
        pairs = [
            aligned(m, f"lane{lane}", significand, places)
            for lane, (places, significand) in enumerate(zip(words[:lanes], words[lanes:], strict=True))
        ]
        rows: list[Value] = [Cat(word[:-1], ~word[-1]) for word, _ in pairs]
        (exponent, special, *rows), units = registered(
            m, "aligned", [exponent, special, *rows], [unit for _, unit in pairs], int(pipeline > 3)
        )
        sums, units = carry_save_sum(m, rows, units, 0)
        width = ALIGNED_BITS + (lanes - 1).bit_length()
        offset = Const(-(lanes << (ALIGNED_BITS - 1)) % (1 << width), width)
        low, high = (word[:width] for word in compress(m, "offset", [*sums, offset], units[0]))
        total: Value = wire(m, "sum", add(low, high, units[1])[:width])
        (exponent, special, total), _ = registered(m, "added", [exponent, special, total], [], int(pipeline > 0))
        number = as_fp32(m, total, exponent, LOWEST, special)
        (number,), _ = registered(m, "normalised", [number], [], int(pipeline > 1))
        m.submodules.accumulate = adder = Adder(FP32)
        m.d.comb += [adder.a.eq(self.previous), adder.b.eq(number), self.total.eq(adder.y)]
        return m


def as_fp32(m: Module, total: Value, exponent: Value, lowest: int, special: Value) -> Value:
    """Return an integer whose lowest bit weighs 2**(exponent - lowest) as FP32, rounded once; always a normal number.

    A negative number -n is normalised as ~n, ones shifted in behind it; the adder that rounds adds what is missing.

    Parameters
    ----------
    m
        Where the logic goes; combinational.
    total
        The integer, two's complement.
    exponent, lowest
        The weight of its lowest bit.
    special
        Three bits that decide alone if one is set: the number is NaN, infinite, minus infinite.
    """
    width, sign = len(total), total[-1]
    magnitude = wire(m, "magnitude", Cat(sign, total[:-1] ^ sign.replicate(width - 1)))
    count = leading_zeros(m, magnitude)
    shifted = shifted_left(m, magnitude, count, sign)
    places = FP32.fraction_bits + 1
    kept, guard, rest = shifted[-places:], shifted[-places - 1], shifted[: -places - 1]
    up = Mux(sign, guard | (rest.all() & kept[0]), guard & (rest.any() | kept[0]))
    # One less than the exponent, as the leading one counts it up; and `magnitude` has a bit below the lowest.
    least = FP32.bias - lowest - 1 + width - 2
    base = (exponent + least - count)[: FP32.exponent_bits] & magnitude.any().replicate(FP32.exponent_bits)
    finite = add(Cat(Const(0, FP32.fraction_bits), base), kept, up)[: FP32.bits - 1]
    nan, plus, minus = special
    quiet = wire(m, "quiet", nan | (plus & minus))
    infinite = Cat(Const(0, FP32.fraction_bits - 1), quiet, Const(-1, FP32.exponent_bits), minus & ~quiet)
    return wire(m, "number", Mux(special.any(), infinite, Cat(finite, sign)))
