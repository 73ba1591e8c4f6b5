"""What a stream of values through the vector unit costs: read from off-chip memory, worked on, written back."""

from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.platform.regulator import UNREGULATED
from bitjoule.energy_models.system.platform.static_power import STATES, static_cycles

J_PER_PJ = 1e-12
HZ_PER_MHZ = 1e6


class Stream(NamedTuple):
    """Values that stream through a machine.

    Parameters
    ----------
    read_bits, written_bits
        That cross the chip's edge.
    mul, add
        Operations.
    number_format
        Of values and operations.
    """

    read_bits: float
    written_bits: float
    mul: float
    add: float
    number_format: str


class Streamed(NamedTuple):
    """What a stream costs.

    Parameters
    ----------
    energy_j
        At low, nominal and high prices, by component: ``operations``, ``buffer``, ``off_chip``, ``static`` and
        ``regulator``; shape (3,) each.
    seconds
        The time of the slowest of vector unit, buffer and off-chip memory.
    """

    energy_j: dict[str, Floats]
    seconds: float


def streamed(machine: Machine, stream: Stream) -> Streamed:
    """Return what a stream costs.

    Every bit goes through the buffer of the activations, written and read once on its way.

    Parameters
    ----------
    machine, stream
        The machine and the stream.

    Raises
    ------
    UnpricedError
        The technology does not price an operation or an access.
    """
    bits = stream.read_bits + stream.written_bits
    operations = stream.mul + stream.add
    rates = (
        (operations, machine.platform.vector.lanes), (bits, machine.width_bits), (bits, machine.off_chip_bits)
    )  # fmt: skip
    cycles = max(amount / rate for amount, rate in rates)

    def price(action: str) -> Floats:
        return np.array(machine.access(action, "activations", stored=stream.number_format)[0])

    def operation(action: str) -> Floats:
        return np.array(machine.operation(action, stream.number_format))

    energy_pj = {
        "operations": stream.mul * operation("mul") + stream.add * operation("add"),
        "buffer": bits * (price("buffer_read") + price("buffer_write")),
        "off_chip": stream.read_bits * price("off_chip_read") + stream.written_bits * price("off_chip_write"),
    }
    static, unregulated = _static(machine, cycles, bits / machine.off_chip_bits)
    energy_pj["static"] = static
    loss = machine.regulator.price
    delivered = np.sum(list(energy_pj.values()), axis=0) - unregulated
    energy_pj["regulator"] = delivered * np.array(loss)
    joules = {part: J_PER_PJ * value for part, value in energy_pj.items()}
    return Streamed(joules, cycles / machine.clock_mhz / HZ_PER_MHZ)


def _static(machine: Machine, cycles: float, moving: float) -> tuple[Floats, Floats]:
    """Return what flows while the stream runs, and the part of it that no regulator delivers, in pJ."""
    if machine.platform.power is None:
        return cycles * np.array(machine.cycle_pj), np.zeros(3)
    of_states = static_cycles(
        [machine.static], np.zeros(1, np.intp), np.array([[cycles]]), np.zeros((1, 1)), np.array([[moving]])
    )[0, 0]
    each = np.array([np.array(line.price) * count for line, count in zip(machine.static, of_states, strict=True)])
    outside = np.array([state.part in UNREGULATED for state in STATES])
    return each.sum(axis=0), each[outside].sum(axis=0)
