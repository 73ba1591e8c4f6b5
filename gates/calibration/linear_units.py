"""What an element takes on its way through a BitLinear: compared, quantised, rescaled, normed; each netlist alone."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.gates.calibration.measurement import CLOCK, Effort
from bitjoule.gates.calibration.operators import OperatorMeasurement
from bitjoule.gates.code_fingerprint import code_fingerprint
from bitjoule.gates.constants import constant, constants
from bitjoule.gates.liberty.boolean import Words
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import fingerprints
from bitjoule.gates.netlist import Netlist
from bitjoule.gates.power.activity import WORD_BITS, Simulator
from bitjoule.gates.power.delays import arc_delays
from bitjoule.gates.power.energy import EnergyModel
from bitjoule.gates.stimuli.stimulus import NetlistError, to_words
from bitjoule.gates.synthesis.flow import Goals
from bitjoule.gates.synthesis.store import stored_netlist
from bitjoule.gates.synthesis.yosys import Options
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.elements.units import UNIT_TOP, UNITS, latency, unit_verilog
from bitjoule.sim.accelerator.build_cache import cached, content_hash
from bitjoule.sim.reference.float_formats import FloatFormat, rounded, to_bits
from bitjoule.sim.reference.hardware_linear import canonical, hardware_codes, rescaled

_FILE = "unit.json"
_WARM_UP_CYCLES = 8
UNIT_FEATURES = 2560  # of a token, as in BitNet b1.58 2B4T: the width of sums and the range of quantised values
Bits = NDArray[np.unsignedinteger[Any]]


def standard_unit(name: str, number_format: str, library: Library, effort: Effort) -> OperatorMeasurement:
    """Return what a unit takes for each element of tokens of `UNIT_FEATURES` values: trits, codes of eight bits.

    Parameters
    ----------
    name, library, effort
        As of `measure_unit`.
    number_format
        ``fp16``, ``bf16`` or ``fp32``.

    Raises
    ------
    NetlistError
        As `measure_unit` does.
    """
    return measure_unit(name, LinearConfig(AcceleratorConfig(8, 4, UNIT_FEATURES, 64), number_format), library, effort)


def measure_unit(name: str, config: LinearConfig, library: Library, effort: Effort) -> OperatorMeasurement:
    """Return what a unit takes for each element, after its netlist has been checked against NumPy.

    A new element comes in each cycle; what belongs to a token stays. Clock pins are counted, the clock's tree is not.

    Parameters
    ----------
    name
        One of `bitjoule.rtl.linear.elements.units.UNITS`.
    config
        Format, bits and largest K: tokens have that many features.
    library
        The cells.
    effort
        How long.

    Raises
    ------
    NetlistError
        The netlist does not compute what NumPy computes.
    """
    verilog = unit_verilog(name, config)
    key = content_hash(
        verilog, json.dumps([name, config.as_mapping(), asdict(effort)]), *fingerprints(library).values(),
        code_fingerprint(__name__), np.__version__,
    )  # fmt: skip

    def build(folder: Path) -> None:
        goals = Goals(float("nan"), constant("load-share"))
        netlist = stored_netlist(verilog, UNIT_TOP, CLOCK, library, Options(tries=1), goals)
        measured = _measured(name, config, netlist, library, effort)
        (folder / _FILE).write_text(json.dumps(asdict(measured)), encoding="utf-8")

    stored = json.loads((cached(f"unit-{key}", build) / _FILE).read_text(encoding="utf-8"))
    return OperatorMeasurement(**stored)


def _measured(
    name: str, config: LinearConfig, netlist: Netlist, library: Library, effort: Effort
) -> OperatorMeasurement:
    model = EnergyModel(netlist, library, Simulator(netlist, CLOCK, effort.words).clock_nets)
    simulator = Simulator(netlist, CLOCK, effort.words, arc_delays(netlist, model.wired.analysis))
    elements = Elements(name, config, effort.words * WORD_BITS, np.random.default_rng(effort.seed))
    stimulus = _checked(simulator, elements, latency(name), _WARM_UP_CYCLES + effort.cycles)
    energy = model.energy(simulator.measure(stimulus, _WARM_UP_CYCLES))
    return OperatorMeasurement(
        settled_fj=energy.settled_fj,
        total_fj=energy.total_fj,
        wire_settled_fj=energy.wire_fj[0],
        wire_fj=energy.wire_fj[1],
        error_fj=energy.error_fj,
        area_um2=netlist.area_um2,
        leakage_nw=energy.leakage_nw,
        delay_ns=model.wired.analysis.timing.period_ns,
        cells=len(netlist.instances),
    )


def _checked(simulator: Simulator, elements: "Elements", latency: int, cycles: int) -> Iterator[dict[str, Words]]:
    """Yield elements, and compare what comes of them with NumPy."""
    waiting: list[Bits] = []
    reset = {"rst": np.zeros((1, simulator.words), np.uint64)}
    for _ in range(cycles):
        inputs, expected = elements.draw()
        waiting.append(expected)
        yield reset | {port: _words(values, len(simulator.netlist.inputs[port])) for port, values in inputs.items()}
        if len(waiting) <= latency:
            continue
        wanted = _words(waiting.pop(0), len(simulator.netlist.outputs["result"]))
        if not np.array_equal(simulator.output("result"), wanted):
            raise NetlistError(f"the netlist of unit {elements.name} does not compute what NumPy computes")


def _words(values: Bits, bits: int) -> Words:
    """Return numbers, one a trial, as bits x words."""
    raw = np.ascontiguousarray(values.astype("<u8")).view(np.uint8).reshape(len(values), -1)
    return to_words(raw)[:bits]


class Elements:
    """Elements of a token in each trial: Gaussian activations, their codes, and sums of these with random trits.

    Parameters
    ----------
    name
        Of the unit.
    config
        The configuration.
    trials
        Tokens.
    random
        What is drawn with.
    """

    def __init__(self, name: str, config: LinearConfig, trials: int, random: np.random.Generator) -> None:
        self.name = name
        self._config, self._random = config, random
        self._form: FloatFormat = config.format  # type: ignore[assignment]  # checked by the configuration
        features = config.array.max_k
        self._x = rounded(random.normal(0.0, constant("float-sigma"), (trials, features)), self._form)
        self._gain = rounded(random.normal(1.0, constant("gain-sigma"), features), self._form)
        self._kind = "ternary" if config.array.encoding.zero else "binary"
        self._quantised = hardware_codes(self._x, self._kind, config.array.activation_bits)
        self._place = 0
        self._largest: Bits | None = None

    def draw(self) -> tuple[dict[str, Bits], Bits]:
        """Return the next element's inputs by port, and the bits of its result: one for each trial."""
        draws = (self._absmax, self._quantise, self._rescale, self._norm)
        return dict(zip(UNITS, draws, strict=True))[self.name]()

    def _next(self) -> int:
        self._place += 1
        return (self._place - 1) % int(self._x.shape[1])

    def _absmax(self) -> tuple[dict[str, Bits], Bits]:
        word = to_bits(self._x[:, self._next()], self._form)
        magnitude = word & word.dtype.type((1 << (8 * word.dtype.itemsize - 1)) - 1)
        first = np.full(len(word), self._largest is None, np.uint64)
        self._largest = magnitude if self._largest is None else np.maximum(self._largest, magnitude)
        return {"word": word, "first": first}, self._largest

    def _quantise(self) -> tuple[dict[str, Bits], Bits]:
        place, steps = self._next(), np.float32(self._config.steps)
        largest = np.abs(self._x.astype(np.float32)).max(axis=1)
        bits = (np.float32(1) / largest * steps).astype(np.float32).view(np.uint32)
        inputs = {
            "word": to_bits(self._x[:, place], self._form),
            "significand": bits & 0x7FFFFF | 0x800000,
            "exponent": ((bits >> 23).astype(np.int64) - 127).view(np.uint64),
        }
        return inputs, self._quantised.codes[:, place].astype(np.int64).view(np.uint64)

    def _rescale(self) -> tuple[dict[str, Bits], Bits]:
        shares = constants("zero-share")
        zeros = float(np.mean(shares)) if self._kind == "ternary" else 0.0
        features = self._x.shape[1]
        signs = self._random.choice(np.array([-1, 1]), features) * (self._random.random(features) >= zeros)
        totals = self._quantised.codes.astype(np.int64) @ signs
        scale = self._quantised.scale[:, 0]
        bits = scale.view(np.uint32).astype(np.uint64)
        # Normal and positive, as `normalised` passes it on: one bit more of exponent, a zero below the sign.
        inputs = {"total": totals.view(np.uint64), "scale": bits}
        outputs = rescaled(totals[:, np.newaxis], self._quantised.scale, np.float32(1), self._form)
        return inputs, canonical(outputs, self._form)[:, 0]

    def _norm(self) -> tuple[dict[str, Bits], Bits]:
        place = self._next()
        single = self._x.astype(np.float32)
        factor = np.float32(1) / np.sqrt(np.square(single).mean(axis=1, dtype=np.float32))
        values = rounded((single[:, place] * factor).astype(np.float64), self._form)
        normed = rounded(values.astype(np.float64) * float(self._gain[place]), self._form)
        gains = np.full(len(single), self._gain[place])
        inputs = {
            "word": to_bits(self._x[:, place], self._form),
            "gain": to_bits(gains, self._form),
            "factor": factor.view(np.uint32),
        }
        return inputs, canonical(normed, self._form)
