"""Single operations on two numbers, combinational: those that tables of operation costs price."""

from amaranth.back import verilog
from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.floating_point import Adder, Multiplier, Number, multiplier, normalised
from bitjoule.rtl.arithmetic.formats import FLOATS, Format
from bitjoule.rtl.arithmetic.multiplication import digits, product, recode
from bitjoule.rtl.arithmetic.reduction import wire

INTEGERS = {"int8": 8, "int16": 16, "int32": 32}
FORMATS = (*INTEGERS, *FLOATS)
OPERATIONS = ("add", "mul")


class IntegerOperator(wiring.Component):
    """Adds or multiplies two integers. Combinational.

    Parameters
    ----------
    operation
        ``add``: the sum wraps. ``mul``: the product is exact, of twice the bits.
    bits
        Of an operand, two's complement.

    Ports
    -----
    a, b : In(bits)
        The operands.
    y : Out
        The result.
    """

    def __init__(self, operation: str, bits: int) -> None:
        self._operation = operation
        super().__init__(
            {"a": In(signed(bits)), "b": In(signed(bits)), "y": Out(signed(bits if operation == "add" else 2 * bits))}
        )

    def elaborate(self, _: object) -> Module:
        """Build the operator."""
        m = Module()
        m.d.comb += self.y.eq(
            self.a + self.b
            if self._operation == "add"
            else product(m, digits(wire(m, "digits", recode(self.a))), self.b)
        )
        return m


class FloatMultiplier(wiring.Component):
    """Multiplies two numbers into the same format. Combinational.

    One operand is normalised: where both are subnormal, the product is zero.

    Parameters
    ----------
    form
        The format of all three.

    Ports
    -----
    a, b : In(bits)
        The operands.
    y : Out(bits)
        The product, rounded to nearest even.
    """

    def __init__(self, form: Format) -> None:
        self._form = form
        super().__init__({"a": In(form.bits), "b": In(form.bits), "y": Out(form.bits)})

    def elaborate(self, _: object) -> Module:
        """Build the multiplier."""
        m = Module()
        form = self._form
        m.submodules.multiplier = inner = Multiplier(form, form)
        smaller, larger = Signal(form.bits), Signal(form.bits)
        swap = ~Number(form, self.a).exponent.any()
        m.d.comb += [
            smaller.eq(Mux(swap, self.a, self.b)),
            larger.eq(Mux(swap, self.b, self.a)),
            inner.a.eq(multiplier(form, wire(m, "other", _as_normalised(form, larger)))),
            inner.b.eq(normalised(m, form, smaller)),
            self.y.eq(inner.y),
        ]
        return m


def _as_normalised(form: Format, word: Value) -> Value:
    """Return a number as `normalised` does, but a subnormal one as zero."""
    number = Number(form, word)
    return Cat(number.fraction, number.exponent, ~number.exponent.any(), number.sign)


def operator(operation: str, name: str) -> wiring.Component:
    """Return an operation's hardware; its ports are a, b and y.

    Parameters
    ----------
    operation
        One of `OPERATIONS`.
    name
        The format: one of `FORMATS`.

    Raises
    ------
    ValueError
        There is no such operation or format.
    """
    if operation not in OPERATIONS:
        raise ValueError(f"operation {operation!r}: expected one of {', '.join(OPERATIONS)}")
    if name not in FORMATS:
        raise ValueError(f"format {name!r}: expected one of {', '.join(FORMATS)}")
    if name in INTEGERS:
        return IntegerOperator(operation, INTEGERS[name])
    return Adder(FLOATS[name]) if operation == "add" else FloatMultiplier(FLOATS[name])


def operator_verilog(operation: str, name: str) -> str:
    """Return the Verilog of an operation; the top module is ``<operation>_<format>``.

    Parameters
    ----------
    operation
        One of `OPERATIONS`.
    name
        The format: one of `FORMATS`.

    Raises
    ------
    ValueError
        There is no such operation or format.
    """
    top = f"{operation}_{name}"
    return verilog.convert(operator(operation, name), name=top, emit_src=False, strip_internal_attrs=True)
