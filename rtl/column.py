"""One column of the array: a dot product and the adder that takes it into a running sum."""

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.dot_product import DotProduct
from bitjoule.rtl.reduction import add, compress


class Column(wiring.Component):
    """Adds the dot product of a column's trits and the activations to a sum.

    Latency: `pipeline` cycles from the operands to `total`, none from `previous`. Throughput: one a cycle.

    Parameters
    ----------
    config
        As for `DotProduct`; also the width of a sum.

    Ports
    -----
    plus, minus, activations : In
        As for `DotProduct`.
    previous : In(accumulator_bits)
        The sum so far, two's complement.
    total : Out(accumulator_bits)
        The sum with the dot product.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "plus": In(config.lanes),
                "minus": In(config.lanes),
                "activations": In(config.lanes * config.activation_bits),
                "previous": In(config.accumulator_bits),
                "total": Out(config.accumulator_bits),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the column."""
        m = Module()
        m.submodules.dot_product = dot = DotProduct(self._config)
        m.d.comb += [
            dot.plus.eq(self.plus),
            dot.minus.eq(self.minus),
            dot.activations.eq(self.activations),
            self.total.eq(_total(m, self.previous, dot)),
        ]
        return m


def _total(m: Module, previous: Value, dot: DotProduct) -> Value:
    width = len(previous)
    units = dot.unit_bits
    words = [_fit(word, width) for word in dot.words]
    if len(words) == 1:
        return add(previous, words[0], units[0] if units else None)
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
