"""One operator alone: an adder or a multiplier without registers, new operands in each cycle."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.gates.calibration.measurement import Effort
from bitjoule.gates.code_fingerprint import code_fingerprint
from bitjoule.gates.constants import constant
from bitjoule.gates.liberty.boolean import Words
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import fingerprints
from bitjoule.gates.power.activity import WORD_BITS, Simulator
from bitjoule.gates.power.delays import arc_delays
from bitjoule.gates.power.energy import EnergyModel
from bitjoule.gates.stimuli.stimulus import NetlistError, from_words, to_words
from bitjoule.gates.synthesis.flow import Goals
from bitjoule.gates.synthesis.store import stored_netlist
from bitjoule.gates.synthesis.yosys import Options
from bitjoule.rtl.arithmetic.operators import operator_verilog
from bitjoule.sim.accelerator.build_cache import cached, content_hash

Numbers = NDArray[Any]
_FILE = "operator.json"
_WARM_UP_CYCLES = 2
_TYPES: dict[str, np.dtype[Any]] = {
    "int8": np.dtype(np.int8),
    "int16": np.dtype(np.int16),
    "int32": np.dtype(np.int32),
    "fp16": np.dtype(np.float16),
    "fp32": np.dtype(np.float32),
}


@dataclass(frozen=True)
class OperatorMeasurement:
    """An operator's energy for each operation, and its netlist.

    Parameters
    ----------
    settled_fj, total_fj
        Without glitches and with those that real delays leave, pins only.
    wire_settled_fj, wire_fj
        Of wires, without and with glitches.
    error_fj
        Standard error of `total_fj`.
    area_um2, leakage_nw, delay_ns, cells
        Of the netlist; the delay is that of its longest path.
    """

    settled_fj: float
    total_fj: float
    wire_settled_fj: float
    wire_fj: float
    error_fj: float
    area_um2: float
    leakage_nw: float
    delay_ns: float
    cells: int

    @property
    def band_fj(self) -> tuple[float, float, float]:
        """Energy of an operation: low, nominal and high, as `Measurement.band_fj` defines them."""
        high = self.total_fj + constant("high-wire-length") * self.wire_fj
        return self.settled_fj, self.total_fj + self.wire_fj, high


def measure_operator(operation: str, number_format: str, library: Library, effort: Effort) -> OperatorMeasurement:
    """Return what an operator takes for each operation, after its netlist has been checked against NumPy.

    Integers are uniform over their range, floating-point numbers Gaussian around 0.

    Parameters
    ----------
    operation, number_format
        ``add`` or ``mul``, and one of `bitjoule.rtl.arithmetic.operators.FORMATS`.
    library
        The cells.
    effort
        How long.

    Raises
    ------
    NetlistError
        The netlist does not compute what NumPy computes.
    """
    verilog = operator_verilog(operation, number_format)
    key = content_hash(verilog, json.dumps(asdict(effort)), *fingerprints(library).values(), code_fingerprint(__name__))

    def build(folder: Path) -> None:
        netlist = stored_netlist(
            verilog,
            f"{operation}_{number_format}",
            None,
            library,
            Options(),
            Goals(float("nan"), constant("load-share")),
        )
        model = EnergyModel(netlist, library, ())
        simulator = Simulator(netlist, None, effort.words, arc_delays(netlist, model.wired.analysis))
        random = np.random.default_rng(effort.seed)
        cycles = _WARM_UP_CYCLES + effort.cycles
        activity = simulator.measure(_checked(simulator, operation, number_format, random, cycles), _WARM_UP_CYCLES)
        energy = model.energy(activity)
        measurement = OperatorMeasurement(
            settled_fj=energy.settled_fj,
            total_fj=energy.total_fj,
            wire_settled_fj=energy.wire_fj[0],
            wire_fj=energy.wire_fj[1],
            error_fj=energy.error_fj,
            area_um2=netlist.area_um2,
            leakage_nw=energy.leakage_nw,
            delay_ns=model.wired.analysis.timing.through_ns,
            cells=len(netlist.instances),
        )
        (folder / _FILE).write_text(json.dumps(asdict(measurement)), encoding="utf-8")

    stored = json.loads((cached(f"operator-{key}", build) / _FILE).read_text(encoding="utf-8"))
    return OperatorMeasurement(**stored)


def _checked(
    simulator: Simulator, operation: str, number_format: str, random: np.random.Generator, cycles: int
) -> Iterator[dict[str, Words]]:
    """Yield random operands, and compare what comes of them with NumPy before the next."""
    for _ in range(cycles):
        a, b = (operands(number_format, simulator.words * WORD_BITS, random) for _ in "ab")
        yield {"a": to_words(_bytes(a, number_format)), "b": to_words(_bytes(b, number_format))}
        expected = expected_bits(operation, number_format, a, b)
        if not np.array_equal(from_words(simulator.output("y")), _bytes(expected, number_format)):
            raise NetlistError(f"the netlist of {operation} {number_format} does not compute what NumPy computes")


def operands(number_format: str, count: int, random: np.random.Generator) -> Numbers:
    """Return random operands; BF16 as the FP32 numbers of the same value.

    Parameters
    ----------
    number_format
        One of `bitjoule.rtl.arithmetic.operators.FORMATS`.
    count
        How many.
    random
        What they are drawn with.
    """
    if number_format in ("fp16", "fp32"):
        return random.normal(0.0, constant("float-sigma"), count).astype(_TYPES[number_format])
    if number_format == "bf16":
        return rounded_to_bf16(random.normal(0.0, constant("float-sigma"), count).astype(np.float32))
    limits = np.iinfo(_TYPES[number_format])
    return random.integers(limits.min, limits.max, count, endpoint=True).astype(_TYPES[number_format])


def expected_bits(operation: str, number_format: str, a: Numbers, b: Numbers) -> Numbers:
    """Return what NumPy gives: a sum that wraps, a product of twice the bits, or a rounded floating-point number.

    Parameters
    ----------
    operation, number_format
        As for `measure_operator`.
    a, b
        From `operands`.
    """
    if number_format == "bf16":  # FP32 has more than twice BF16's digits: rounding twice rounds right
        return rounded_to_bf16(a + b if operation == "add" else a * b)
    if number_format in ("fp16", "fp32"):
        return a + b if operation == "add" else a * b
    if operation == "add":
        return a + b  # NumPy's integers wrap
    wide = np.dtype(f"i{2 * a.dtype.itemsize}")
    product: Numbers = a.astype(wide) * b.astype(wide)
    return product


def rounded_to_bf16(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return finite FP32 numbers rounded to BF16, to nearest even, still as FP32.

    Parameters
    ----------
    values
        The numbers.
    """
    bits = values.view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return rounded.view(np.float32)


def _bytes(values: Numbers, number_format: str) -> NDArray[np.uint8]:
    """Return numbers as bytes, a row each."""
    raw = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
    upper: NDArray[np.uint8] = raw[:, 2:] if number_format == "bf16" else raw
    return upper
