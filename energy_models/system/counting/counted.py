"""Cases of the system accounting: counted matmul by matmul, and counted, priced and timed."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.papers.pricing import Energies
from bitjoule.energy_models.system.counting.columns import Setup
from bitjoule.energy_models.system.counting.memory import Bytes
from bitjoule.energy_models.system.counting.times import Rest, Times
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.work.workload import RequestWork


class Counted(NamedTuple):
    """Cases, counted matmul by matmul.

    Parameters
    ----------
    indices, setups, machines
        Scheme, technology and platform of each machine; its prices; the machine.
    machine_index
        Index of each case's machine, shape (cases,).
    work
        The cases' work.
    resident, reserved_bits
        Whether a matmul's activations stay in the buffer, and the bits of it that they take, shape (cases, phases,
        slots).
    spilled
        Whether the values between the matmuls cross the chip's edge, shape (cases, phases).
    slots, macs, bounds
        Of each matmul, all its runs: counts of its steps, MACs, and cycles by what bounds them; shape (cases, phases,
        slots, ...).
    array, unpacking
        Cycles of each matmul's products at the array's peak, and of the unpacking of its weights, all its runs; shape
        (cases, phases, slots).
    times
        Cycles, compute cycles and off-chip bits of all matmuls, shape (3, cases, phases).
    parts, queries, others, off_chip_bits, rest
        As for `bitjoule.energy_models.system.counting.times.rest_of`, and what it returns.
    cycles
        Of each phase, shape (cases, phases).
    clock_mhz
        Of each case's machine, shape (cases,).
    """

    indices: list[tuple[int, ...]]
    setups: list[Setup]
    machines: list[Machine]
    machine_index: Indices
    work: RequestWork
    resident: NDArray[np.bool_]
    reserved_bits: Floats
    spilled: NDArray[np.bool_]
    slots: Floats
    macs: Floats
    bounds: Floats
    array: Floats
    unpacking: Floats
    times: Floats
    parts: Floats
    queries: Floats
    others: Floats
    off_chip_bits: Floats
    rest: Rest
    cycles: Floats
    clock_mhz: Floats


class Evaluated(NamedTuple):
    """Cases, counted, priced and timed.

    Parameters
    ----------
    counts
        Operations, bits moved, cycles of leakage or static power; shape (cases, phases x columns), see
        `System.columns`.
    formats
        Index into `bitjoule.energy_models.formats.storage.counted_formats` of each count.
    energies
        Low, nominal and high, shape (cases, columns) each.
    price_keys
        Index into `System.price_keys` of each price.
    price_rows
        Number of the row that each price depends on, for comparing within the bands.
    latency_s
        Shape (cases, phases).
    drawn
        As of `bitjoule.energy_models.system.platform.regulator.price_counts`.
    memory_bytes
        Weights, KV cache at its longest and activations at their peak, shape (cases,) each.
    times
        Where the latency goes, and the MACs of each matmul.
    """

    counts: Floats
    formats: NDArray[np.int16]
    energies: Energies
    price_keys: NDArray[np.int32]
    price_rows: NDArray[np.int32]
    latency_s: Floats
    drawn: Floats
    memory_bytes: Bytes
    times: Times
