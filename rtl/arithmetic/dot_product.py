"""One column of the array: the dot product of its trits with the activations in four styles, or of its integers."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic import lookup_table
from bitjoule.rtl.arithmetic.inverted_sums import inverted_chain, is_left
from bitjoule.rtl.arithmetic.multiplication import booth_rows, digits, digits_of, recode
from bitjoule.rtl.arithmetic.reduction import carry_chain_sum, carry_save_sum, tree_sum, wire
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.operands import activation_bits


class DotProduct(wiring.Component):
    """Sum over the lanes of trit times activation, as words still to be added.

    What the words and units add up to is the dot product plus `offset`. Latency: `pipeline` cycles. Throughput: one
    a cycle.

    In ``carry_save``, a lane of b bits gives the word ``x + 2**(b-1)`` for +1, ``-x - 1 + 2**(b-1)`` for -1 and
    ``-1 + 2**(b-1)`` for 0, where both -x - 1 = ~x and the sign bit's inversion are free and one and-or gate a bit
    selects; each lane but those of a +1 still owes a one. These units fill the lowest bits of shifted carries, which
    are free. The sum of the 2**(b-1) is `offset`, known when the hardware is built, so that no lane extends a sign.

    In ``lookup_table``, groups of lanes give such words instead of lanes; see `lookup_table`.

    Parameters
    ----------
    config
        Encoding, lanes, activation bits (as the columns take them, see `operands`), pipeline and datapath.
    pipeline
        Registers in it; by default the configuration's.

    Ports
    -----
    plus, minus : In(lanes)
        Bit l: lane l's trit is +1, is -1. Neither or both: zero.
    activations : In(lanes * activation_bits)
        Lane l at bits l * activation_bits, two's complement. With ``lookup_table`` the groups' tables, one after the
        other.
    word0, word1, ... : Out
        Words to be added: two unsigned ones (carry_save, lookup_table) or a signed one.
    units : Out
        Bits to be added at weight one; absent where there are none.
    """

    def __init__(self, config: AcceleratorConfig, pipeline: int | None = None) -> None:
        self._config = config
        self._pipeline = config.pipeline if pipeline is None else pipeline
        lanes = config.lanes
        bits = config.activation_bits if config.datapath == "lookup_table" else activation_bits(config)
        if config.datapath in ("carry_save", "lookup_table"):
            rows = lanes // config.group_lanes
            row_bits = lookup_table.row_bits(config) if config.datapath == "lookup_table" else bits
            self.offset = rows << (row_bits - 1)
            largest = rows << row_bits
            words = [Out(largest.bit_length())] * 2
            units = 2
        else:
            self.offset = 0
            words = [Out(signed(((lanes << (bits - 1)) * 2).bit_length()))]
            units = 1 if config.datapath == "carry_chain" else 0
        operands = lanes // config.group_lanes * activation_bits(config)
        ports = {"plus": In(lanes), "minus": In(lanes), "activations": In(operands)}
        ports |= {f"word{i}": word for i, word in enumerate(words)}
        if units:
            ports["units"] = Out(units)
        super().__init__(ports)
        self.words: list[Value] = [getattr(self, f"word{i}") for i in range(len(words))]

    @property
    def unit_bits(self) -> list[Value]:
        """The bits of `units`, none if there is no such port."""
        return list(self.units) if hasattr(self, "units") else []

    def elaborate(self, _: object) -> Module:
        """Build the column."""
        m = Module()
        style = {
            "carry_save": self._carry_save,
            "carry_chain": self._carry_chain,
            "multiplexer": self._multiplexer,
            "lookup_table": self._lookup_table,
        }
        words, units = style[self._config.datapath](m)
        m.d.comb += [port.eq(word) for port, word in zip(self.words, words, strict=True)]
        m.d.comb += [port.eq(unit) for port, unit in zip(self.unit_bits, units, strict=True)]
        return m

    def _trits(self) -> list[tuple[Value, Value]]:
        return list(zip(self.plus, self.minus, strict=True))

    def _lanes(self) -> list[tuple[Value, Value, Value]]:
        bits = activation_bits(self._config)
        return [(*trit, self.activations[lane * bits : (lane + 1) * bits]) for lane, trit in enumerate(self._trits())]

    def _carry_save(self, m: Module) -> tuple[list[Value], list[Value]]:
        rows: list[Value] = []
        for lane, (plus, minus, x) in enumerate(self._lanes()):
            width = len(x)
            chosen = Signal(width, name=f"chosen{lane}")
            row = Signal(width, name=f"row{lane}")
            m.d.comb += [
                chosen.eq(Mux(minus, x, 0) | Mux(plus, ~x, 0)),
                row.eq(Cat(~chosen[:-1], chosen[-1])),
            ]
            rows.append(row)
        return carry_save_sum(m, rows, [~plus for plus in self.plus], self._pipeline)

    def _carry_chain(self, m: Module) -> tuple[list[Value], list[Value]]:
        if self._config.inverts_sums:
            return self._inverted_chains(m)
        rows: list[Value] = []
        units: list[Value] = []
        for lane, (plus, minus, x) in enumerate(self._lanes()):
            row = Signal(signed(len(x)), name=f"row{lane}")
            unit = Signal(name=f"unit{lane}")
            m.d.comb += [unit.eq(minus & ~plus), row.eq(Mux(plus ^ minus, x ^ minus.replicate(len(x)), 0))]
            rows.append(row)
            units.append(unit)
        return carry_chain_sum(m, rows, units, self._pipeline, self._config.chain_lanes)

    def _inverted_chains(self, m: Module) -> tuple[list[Value], list[Value]]:
        lanes, length, inversion = self._lanes(), self._config.chain_lanes, self._config.inverted_sums
        starts = range(0, len(lanes), length)
        chains = [
            inverted_chain(m, f"chain{i}", lanes[start : start + length], inversion, is_left(i, len(starts), inversion))
            for i, start in enumerate(starts)
        ]
        words, units, signs = zip(*chains, strict=True)
        return tree_sum(m, words, units, self._pipeline, chained=True, inverted=signs)

    def _multiplexer(self, m: Module) -> tuple[list[Value], list[Value]]:
        rows: list[Value] = []
        for lane, (plus, minus, x) in enumerate(self._lanes()):
            row = Signal(signed(len(x) + 1), name=f"row{lane}")
            with m.Switch(Cat(plus, minus)):
                with m.Case(0b01):
                    m.d.comb += row.eq(x.as_signed())
                with m.Case(0b10):
                    m.d.comb += row.eq(-x.as_signed())
            rows.append(row)
        return carry_chain_sum(m, rows, [], self._pipeline)

    def _lookup_table(self, m: Module) -> tuple[list[Value], list[Value]]:
        config, trits = self._config, self._trits()
        rows: list[Value] = []
        units: list[Value] = []
        for i in range(config.lanes // config.group_lanes):
            sums = self.activations.word_select(i, activation_bits(config))
            group = trits[i * config.group_lanes : (i + 1) * config.group_lanes]
            row, unit = lookup_table.picked(m, f"group{i}", config, group, sums)
            rows.append(row)
            units.append(unit)
        return carry_save_sum(m, rows, units, config.pipeline)


class IntegerDotProduct(wiring.Component):
    """Sum over the lanes of integer times integer, as two words still to be added: the baseline of `DotProduct`.

    The words add up to the dot product plus `offset`. Latency: `pipeline` cycles. Throughput: one a cycle. The rows of
    all lanes' products (see `booth_rows`) go into one carry-save tree; only the accumulator's adder carries.

    With ``weight_digits`` each lane recodes its weight behind the weight's register: the digits toggle with new weights
    only, and the rows are as wide as activations. With ``activation_digits`` the digits are the activations'.

    Parameters
    ----------
    config
        Lanes and pipeline.

    Ports
    -----
    weights : In(lanes * bits)
        Lane l at bits l * bits, two's complement.
    activations : In(lanes * digits * DIGIT_BITS)
        The same; with ``activation_digits`` as `recode` makes them, once for all columns.
    word0, word1 : Out
        Unsigned words to be added.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        bits, recoded_bits, row_bits = config.encoding.bits, *_operand_bits(config)
        # Each row is unsigned and has the sign bit's weight on top of its largest magnitude.
        self.offset = config.lanes * sum(1 << (row_bits + 2 * i) for i in range(digits_of(recoded_bits)))
        largest = self.offset + (config.lanes << (recoded_bits + row_bits - 2))
        super().__init__(
            {
                "weights": In(config.lanes * bits),
                "activations": In(config.lanes * activation_bits(config)),
                "word0": Out(largest.bit_length()),
                "word1": Out(largest.bit_length()),
            }
        )
        self.words: list[Value] = [self.word0, self.word1]
        self.unit_bits: list[Value] = []

    def elaborate(self, _: object) -> Module:
        """Build the column."""
        m = Module()
        config = self._config
        rows: list[Value] = []
        for lane in range(config.lanes):
            weight = self.weights.word_select(lane, config.encoding.bits)
            activation = self.activations.word_select(lane, activation_bits(config))
            if config.datapath == "weight_digits":
                recoded = wire(m, f"lane{lane}_digits", recode(weight.as_signed()))
                rows += booth_rows(m, f"lane{lane}", digits(recoded), activation.as_signed())[0]
            else:
                rows += booth_rows(m, f"lane{lane}", digits(activation), weight.as_signed())[0]
        words, _ = carry_save_sum(m, rows, [], self._config.pipeline)
        m.d.comb += [port.eq(word) for port, word in zip(self.words, words, strict=True)]
        return m


def _operand_bits(config: AcceleratorConfig) -> tuple[int, int]:
    """Return the bits of the operand that is recoded, and of the one that its digits select multiples of."""
    pair = (config.encoding.bits, config.activation_bits)
    return pair if config.datapath == "weight_digits" else pair[::-1]
