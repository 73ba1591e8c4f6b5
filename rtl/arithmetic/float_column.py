"""One column of floating-point numbers: multipliers, a tree of adders, and the adder into a running sum."""

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.floating_point import Adder, Multiplier, multiplier_bits, normalised_bits
from bitjoule.rtl.arithmetic.formats import FP16, FP32, Format
from bitjoule.rtl.arithmetic.reduction import cuts, levels, registered
from bitjoule.rtl.config import AcceleratorConfig


class FloatColumn(wiring.Component):
    """Adds the dot product of a column's FP16 weights and the activations to a sum: the floating-point baseline.

    The order of additions is a contract: neighbours, level by level, a last one without a neighbour as it is; then the
    sum so far plus the tree's. Every product and sum is rounded to the accumulation's format (a product of two FP16 is
    exact in FP32). Latency: `pipeline` cycles from the operands to `total`, none from `previous`. Throughput: one a
    cycle.

    Parameters
    ----------
    config
        Lanes, accumulation and pipeline: the levels of the tree count from the multipliers, which are the first.

    Ports
    -----
    weights : In(lanes * normalised_bits)
        Lane l at bits l * normalised_bits, as `floating_point.normalised` makes them.
    activations : In(lanes * multiplier_bits)
        The same, as `floating_point.multiplier` makes them.
    previous : In(accumulator_bits)
        The sum so far.
    total : Out(accumulator_bits)
        The sum with the dot product.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "weights": In(config.lanes * normalised_bits(FP16)),
                "activations": In(config.lanes * multiplier_bits(FP16)),
                "previous": In(config.accumulator_bits),
                "total": Out(config.accumulator_bits),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the column."""
        m = Module()
        config = self._config
        form = FP32 if config.accumulation == "fp32" else FP16
        places = cuts(1 + levels(config.lanes, carry_save=False), config.pipeline)
        operands = [self.weights, self.activations]
        operands, _ = registered(m, "cut0", operands, [], places.get(0, 0))
        words: list[Value] = []
        for lane in range(config.lanes):
            m.submodules[f"multiplier{lane}"] = multiplier = Multiplier(FP16, form)
            weight, activation = (port.word_select(lane, len(port) // config.lanes) for port in operands)
            m.d.comb += [multiplier.a.eq(activation), multiplier.b.eq(weight)]
            words.append(multiplier.y)
        words, _ = registered(m, "cut1", words, [], places.get(1, 0))
        level = 1
        while len(words) > 1:
            level += 1
            pairs = range(0, len(words) - 1, 2)
            sums = [_sum(m, f"level{level}_{i // 2}", form, words[i], words[i + 1]) for i in pairs]
            words, _ = registered(m, f"cut{level}", sums + words[2 * len(sums) :], [], places.get(level, 0))
        m.d.comb += self.total.eq(_sum(m, "accumulate", form, self.previous, words[0]))
        return m


def _sum(m: Module, name: str, form: Format, a: Value, b: Value) -> Value:
    m.submodules[name] = adder = Adder(form)
    m.d.comb += [adder.a.eq(a), adder.b.eq(b)]
    return Value.cast(adder.y)
