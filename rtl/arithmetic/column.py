"""One column of the array: a dot product and the adder that takes it into a running sum."""

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.dot_product import DotProduct, IntegerDotProduct
from bitjoule.rtl.arithmetic.reduction import add, compress
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.operands import activation_bits, weight_lines


class Column(wiring.Component):
    """Adds the dot product of a column's trits or integers and the activations to a sum.

    Latency: `pipeline` cycles from the operands to `total`, none from `previous`. Throughput: one a cycle.

    Parameters
    ----------
    config
        As for `DotProduct` or `IntegerDotProduct`; also the width of a sum.

    Ports
    -----
    plus, minus, activations : In
        As for `DotProduct`. Of integers: weights, activations, as for `IntegerDotProduct`.
    previous : In(accumulator_bits)
        The sum so far, two's complement.
    total : Out(accumulator_bits)
        The sum with the dot product.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                **{name: In(config.lanes * bits) for name, bits in weight_lines(config).items()},
                "activations": In(config.lanes // config.group_lanes * activation_bits(config)),
                "previous": In(config.accumulator_bits),
                "total": Out(config.accumulator_bits),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the column."""
        m = Module()
        style = IntegerDotProduct if self._config.multiplies else DotProduct
        m.submodules.dot_product = dot = style(self._config)
        m.d.comb += [
            *(getattr(dot, name).eq(getattr(self, name)) for name in (*weight_lines(self._config), "activations")),
            self.total.eq(_total(m, self.previous, dot)),
        ]
        return m


def _total(m: Module, previous: Value, dot: DotProduct | IntegerDotProduct) -> Value:
    width = len(previous)
    words = [_fit(word, width) for word in dot.words]
    units: list[Value | None] = [*dot.unit_bits, None, None]
    if len(words) == 1:
        return add(previous, words[0], units[0])
    low, high = (word[:width] for word in compress(m, "words", [previous, *words], units[0]))
    offset = -dot.offset % (1 << width)
    if not offset:
        return add(low, high, units[1])
    # Only from the lowest one of the offset upwards is there a third word to compress.
    split = (offset & -offset).bit_length() - 1
    top, carry = compress(m, "offset", [low[split:], high[split:], Const(offset >> split, width - split)])
    return add(Cat(low[:split], top), Cat(high[:split], carry), units[1])


def _fit(word: Value, width: int) -> Value:
    if not word.shape().signed:
        return word[:width]
    return Cat(word, word[-1].replicate(width))[:width]
