"""What one element passes on its way through a BitLinear, alone: to be synthesised, and its energy measured."""

from amaranth.hdl import Module, Mux, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.floating_point import normalised_bits
from bitjoule.rtl.arithmetic.formats import FP32
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.elements import code, norm_lane, rescaling
from bitjoule.rtl.linear.elements.division import PLACES
from bitjoule.rtl.linear.elements.token_scale import EXPONENT_BITS
from bitjoule.rtl.verilog import verilog_text

UNITS = ("absmax", "quantise", "rescale", "rms_norm")
UNIT_TOP = "bitjoule_unit"


class AbsmaxUnit(wiring.Component):
    """The comparison that finds a token's largest magnitude. A new element each cycle.

    Parameters
    ----------
    config
        The configuration.

    Ports
    -----
    word : In(bits of the format)
        The activation.
    first : In(1)
        It is the first of its token.
    result : Out(bits of the format - 1)
        The largest magnitude of the token so far, a cycle later.
    """

    latency = 1

    def __init__(self, config: LinearConfig) -> None:
        bits = config.form.bits
        super().__init__({"word": In(bits), "first": In(1), "result": Out(bits - 1)})

    def elaborate(self, _: object) -> Module:
        """Build it."""
        m = Module()
        magnitude = self.word[:-1]
        m.d.sync += self.result.eq(Mux(self.first | (self.result < magnitude), magnitude, self.result))
        return m


class QuantiseUnit(wiring.Component):
    """The lane that makes a code. A new element each cycle.

    Parameters
    ----------
    config
        The configuration.

    Ports
    -----
    word : In(bits of the format)
        The activation.
    significand, exponent : In
        The factor; see `bitjoule.rtl.linear.elements.token_scale.TokenScale`.
    result : Out(signed)
        The code, `code.LATENCY` cycles later.
    """

    latency = code.LATENCY

    def __init__(self, config: LinearConfig) -> None:
        self._config = config
        super().__init__(
            {
                "word": In(config.form.bits),
                "significand": In(PLACES),
                "exponent": In(signed(EXPONENT_BITS)),
                "result": Out(signed(config.array.activation_bits)),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the lane."""
        m = Module()
        m.submodules.lane = lane = code.CodeLane(self._config)
        m.d.comb += [
            lane.word.eq(self.word),
            lane.significand.eq(self.significand),
            lane.exponent.eq(self.exponent),
            self.result.eq(lane.code),
        ]
        return m


class RescaleUnit(wiring.Component):
    """The lane that makes an output. A new element each cycle.

    Parameters
    ----------
    config
        The configuration.

    Ports
    -----
    total : In(signed)
        The sum.
    scale : In(33)
        See `bitjoule.rtl.linear.elements.rescaling.RescaleLane`.
    result : Out(bits of the format)
        The output, `rescaling.LATENCY` cycles later.
    """

    latency = rescaling.LATENCY

    def __init__(self, config: LinearConfig) -> None:
        self._config = config
        super().__init__(
            {
                "total": In(signed(config.array.accumulator_bits)),
                "scale": In(normalised_bits(FP32)),
                "result": Out(config.form.bits),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the lane, never stalled."""
        m = Module()
        m.submodules.lane = lane = rescaling.RescaleLane(self._config)
        m.d.comb += [
            lane.enable.eq(1),
            lane.total.eq(self.total),
            lane.scale.eq(self.scale),
            self.result.eq(lane.word),
        ]
        return m


class NormUnit(wiring.Component):
    """The lane that adds squares up, and the one that norms. A new element each cycle for both.

    Parameters
    ----------
    config
        The configuration.

    Ports
    -----
    word, gain : In(bits of the format)
        A value and its gain.
    factor : In(32)
        FP32.
    total : Out(32)
        The sum of squares.
    result : Out(bits of the format)
        The normed value, `norm_lane.LATENCY` cycles later.
    """

    latency = norm_lane.LATENCY

    def __init__(self, config: LinearConfig) -> None:
        self._config = config
        bits = config.form.bits
        super().__init__(
            {
                "word": In(bits),
                "gain": In(bits),
                "factor": In(FP32.bits),
                "total": Out(FP32.bits),
                "result": Out(bits),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build both lanes, never stalled."""
        m = Module()
        m.submodules.square = square = norm_lane.SquareLane(self._config.form)
        m.submodules.lane = lane = norm_lane.NormLane(self._config.form)
        m.d.comb += [
            square.valid.eq(1),
            square.word.eq(self.word),
            self.total.eq(square.total),
            lane.enable.eq(1),
            lane.word.eq(self.word),
            lane.gain.eq(self.gain),
            lane.factor.eq(self.factor),
            self.result.eq(lane.normed),
        ]
        return m


_Unit = AbsmaxUnit | QuantiseUnit | RescaleUnit | NormUnit
_MAKERS: dict[str, type[AbsmaxUnit] | type[QuantiseUnit] | type[RescaleUnit] | type[NormUnit]] = {
    "absmax": AbsmaxUnit,
    "quantise": QuantiseUnit,
    "rescale": RescaleUnit,
    "rms_norm": NormUnit,
}


def latency(name: str) -> int:
    """Return the cycles from an element to its result.

    Parameters
    ----------
    name
        One of `UNITS`.
    """
    return _MAKERS[name].latency


def unit(name: str, config: LinearConfig) -> _Unit:
    """Return a unit.

    Parameters
    ----------
    name
        One of `UNITS`.
    config
        The configuration.

    Raises
    ------
    ValueError
        There is no such unit.
    """
    if name not in _MAKERS:
        raise ValueError(f"unit {name!r}: expected one of {', '.join(UNITS)}")
    return _MAKERS[name](config)


def unit_verilog(name: str, config: LinearConfig) -> str:
    """Return the Verilog of a unit; the top module is `UNIT_TOP`.

    Parameters
    ----------
    name
        One of `UNITS`.
    config
        The configuration.

    Raises
    ------
    ValueError
        There is no such unit.
    """
    return verilog_text(unit(name, config), UNIT_TOP, f"unit {name} of a BitLinear")
