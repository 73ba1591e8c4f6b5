"""Operands as the columns take them: prepared once, before their registers, instead of in every column."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic import alignment, fused_product, lookup_table
from bitjoule.rtl.arithmetic.floating_point import multiplier, multiplier_bits, normalised, normalised_bits
from bitjoule.rtl.arithmetic.formats import FP16
from bitjoule.rtl.arithmetic.multiplication import DIGIT_BITS, digits_of, recode
from bitjoule.rtl.arithmetic.reduction import wire
from bitjoule.rtl.config import AcceleratorConfig


def weight_lines(config: AcceleratorConfig) -> dict[str, int]:
    """Return the bits of a lane on each of the ports on which a column takes its weights.

    Parameters
    ----------
    config
        The encoding.
    """
    if not config.multiplies:
        return {"plus": 1, "minus": 1}
    return {"weights": normalised_bits(FP16) if config.rounding_tree else config.encoding.bits}


def activation_bits(config: AcceleratorConfig) -> int:
    """Return the bits of the activations of `group_lanes` lanes as the columns take them.

    Parameters
    ----------
    config
        The encoding and the bits of an activation.
    """
    if config.scaled:
        return alignment.ALIGNED_BITS
    if config.datapath == "lookup_table":
        return lookup_table.table_bits(config)
    if config.floating_point:
        return multiplier_bits(FP16) if config.rounding_tree else fused_product.ACTIVATION_BITS
    recoded = config.datapath == "activation_digits"
    return digits_of(config.activation_bits) * DIGIT_BITS if recoded else config.activation_bits


def shared_bits(config: AcceleratorConfig) -> int:
    """Return the bits that the columns take of a token behind those of its lanes.

    Parameters
    ----------
    config
        The encoding.
    """
    return alignment.SHARED_BITS if config.scaled else 0


class Normaliser(wiring.Component):
    """Normalises an FP16 operand of a rounding tree. Combinational.

    Ports
    -----
    word : In(16)
        The weight.
    prepared : Out
        See `floating_point.Normalised`.
    """

    def __init__(self) -> None:
        super().__init__({"word": In(FP16.bits), "prepared": Out(normalised_bits(FP16))})

    def elaborate(self, _: object) -> Module:
        """Build the normaliser."""
        m = Module()
        m.d.comb += self.prepared.eq(normalised(m, FP16, self.word))
        return m


def prepared_weight(m: Module, name: str, config: AcceleratorConfig, word: Value) -> Value:
    """Return a word of the weight stream as the columns take it.

    Parameters
    ----------
    m
        Where the logic goes.
    name
        Names it.
    config
        The encoding.
    word
        The word.
    """
    if not config.rounding_tree:
        return word
    m.submodules[name] = normaliser = Normaliser()
    m.d.comb += normaliser.word.eq(word)
    return Value.cast(normaliser.prepared)


def prepared_activations(m: Module, config: AcceleratorConfig, activations: Sequence[Value]) -> Value:
    """Return a beat of the activation stream as the columns take it.

    FP16 activations of trits are aligned to the largest of them; those of look-up tables are added up in groups; others
    are prepared each by itself.

    Parameters
    ----------
    m
        Where the logic goes.
    config
        The encoding.
    activations
        The lanes.

    Returns
    -------
    Value
        `activation_bits` for each lane or group of lanes, and behind them `shared_bits`.
    """
    if config.scaled:
        return alignment.aligned(m, activations)
    if config.datapath == "lookup_table":
        signed = [lane.as_signed() for lane in activations]
        groups = range(0, config.lanes, config.group_lanes)
        tables = (lookup_table.table(m, f"table{i}", config, signed[i : i + config.group_lanes]) for i in groups)
        return Cat(*tables)
    return Cat(*(prepared_activation(m, f"activation{i}", config, lane) for i, lane in enumerate(activations)))


def prepared_activation(m: Module, name: str, config: AcceleratorConfig, activation: Value) -> Value:
    """Return a lane of the activation stream as the columns take it, where no other lane matters.

    Significands, and integers with ``activation_digits``, become digits of radix 4.

    Parameters
    ----------
    m
        Where the logic goes.
    name
        Names it.
    config
        The encoding.
    activation
        The lane.
    """
    if not config.floating_point:
        return recode(activation.as_signed()) if config.datapath == "activation_digits" else activation
    if not config.rounding_tree:
        return wire(m, name, fused_product.fused_activation(activation))
    word = Signal(unsigned(normalised_bits(FP16)), name=name)
    m.d.comb += word.eq(prepared_weight(m, f"{name}_normaliser", config, activation))
    return multiplier(FP16, word)
