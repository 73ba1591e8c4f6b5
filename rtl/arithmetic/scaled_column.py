"""One column of trits with FP16 activations and a scale: aligned integers added, multiplied by the scale, rounded."""

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic import alignment
from bitjoule.rtl.arithmetic.dot_product import DotProduct
from bitjoule.rtl.arithmetic.floating_point import Adder, Number
from bitjoule.rtl.arithmetic.formats import FP16, FP32
from bitjoule.rtl.arithmetic.fused_column import as_fp32
from bitjoule.rtl.arithmetic.multiplication import digits, product, recode
from bitjoule.rtl.arithmetic.reduction import add, compress, registered, wire
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.operands import activation_bits, shared_bits, weight_lines

LOWEST = alignment.LOWEST + FP16.bias + FP16.fraction_bits  # of a sum times the scale's significand


class ScaledColumn(wiring.Component):
    """Adds the dot product of a column's trits and the activations, times the column's scale, to a sum in FP32.

    The sum of the aligned activations (`alignment`) is exact, and so is its product with the scale; that is rounded to
    FP32 once, to nearest even. So is its sum with the sum so far. It is NaN where an activation (of any trit) or the
    scale is infinite or NaN. Latency: `pipeline` cycles from the operands to `total`, none from `previous`.
    Throughput: one a cycle.

    Parameters
    ----------
    config
        Lanes, datapath and pipeline. Registers are placed where they take the fewest bits first: after the sum of the
        lanes, after the normalisation, between multiplier and normalisation, between the tree and its last adder.

    Ports
    -----
    plus, minus : In(lanes)
        As for `DotProduct`.
    activations : In
        From `alignment.aligned`.
    scale : In(16)
        FP16.
    previous : In(32)
        The sum so far.
    total : Out(32)
        The sum with the scaled dot product.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                **{name: In(config.lanes * bits) for name, bits in weight_lines(config).items()},
                "activations": In(config.lanes * activation_bits(config) + shared_bits(config)),
                "scale": In(FP16.bits),
                "previous": In(FP32.bits),
                "total": Out(FP32.bits),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the column."""
        m = Module()
        lanes, pipeline = self._config.lanes, self._config.pipeline
        m.submodules.dot_product = dot = DotProduct(self._config, int(pipeline > 3))
        integers = self.activations[: len(dot.activations)]
        m.d.comb += [dot.plus.eq(self.plus), dot.minus.eq(self.minus), dot.activations.eq(integers)]
        shared = [self.activations[len(integers) :], self.scale]
        shared, _ = registered(m, "compressed", shared, [], int(pipeline > 3))
        total: Value = wire(m, "sum", _sum(m, dot, alignment.ALIGNED_BITS + (lanes - 1).bit_length()))
        (total, *shared), _ = registered(m, "added", [total, *shared], [], int(pipeline > 0))
        token, scale = shared[0], Number(FP16, shared[1])
        normal = wire(m, "normal", scale.exponent.any())
        recoded = wire(m, "digits", recode(Cat(scale.fraction, normal)))
        signed = [digit._replace(negative=digit.negative ^ scale.sign) for digit in digits(recoded)]
        scaled: Value = wire(m, "scaled", product(m, signed, total.as_signed())[: len(total) + FP16.fraction_bits + 1])
        exponent: Value = wire(m, "exponent", token[:-1] + Cat(scale.exponent[0] | ~normal, scale.exponent[1:]))
        nan: Value = token[-1] | scale.exponent.all()
        (scaled, exponent, nan), _ = registered(m, "multiplied", [scaled, exponent, nan], [], int(pipeline > 2))
        number = as_fp32(m, scaled, exponent, LOWEST, Cat(nan, Const(0, 2)))
        (number,), _ = registered(m, "normalised", [number], [], int(pipeline > 1))
        m.submodules.accumulate = adder = Adder(FP32)
        m.d.comb += [adder.a.eq(self.previous), adder.b.eq(number), self.total.eq(adder.y)]
        return m


def _sum(m: Module, dot: DotProduct, width: int) -> Value:
    """Return what a dot product's words and bits add up to, two's complement."""
    units: list[Value | None] = [*dot.unit_bits, None]
    if len(dot.words) == 1:
        (word,) = dot.words
        return (word if units[0] is None else word + units[0])[:width]
    offset = Const(-dot.offset % (1 << width), width)
    low, high = (word[:width] for word in compress(m, "offset", [*dot.words, offset], units[0]))
    return add(low, high, units[1])[:width]
