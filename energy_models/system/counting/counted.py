"""Cases of the system accounting: counted matmul by matmul, and counted, priced and timed."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.papers.pricing import Energies
from bitjoule.energy_models.system.counting.columns import Setup
from bitjoule.energy_models.system.counting.levels import Beside, Levels
from bitjoule.energy_models.system.counting.memory import Bytes
from bitjoule.energy_models.system.counting.sums import in_order
from bitjoule.energy_models.system.counting.times import Rest, Times
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.work.workload import RequestWork

FEW = 16  # cases with one machine: fewer are priced one by one


def there(columns: Floats) -> NDArray[np.bool_]:
    """Return whether columns have a number that is not zero, shape (columns,).

    Parameters
    ----------
    columns
        Shape (columns, cases).
    """
    # Most do in the first case: the others alone are looked through.
    found: NDArray[np.bool_] = np.asarray(columns[:, :1].any(axis=1))
    others = np.flatnonzero(~found)
    found[others] = columns[others].any(axis=1)
    return found


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
    levels, level_bits, beside_levels
        With memory levels: they, the bits that matmuls move there, shape (cases, phases, slots, columns), and what is
        not a matmul behind them, of which `others` and `off_chip_bits` are what the buffers ask for.
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
    levels: Levels | None
    level_bits: Floats | None
    beside_levels: Beside | None


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Cases, counted, priced and timed.

    Most columns count nothing: what is summed and tabulated takes the `active` ones alone.

    Parameters
    ----------
    columns
        Operations, bits moved, cycles of leakage or static power; shape (phases x columns, cases), see
        `System.columns`.
    machine_index
        Index of each case's machine, shape (cases,).
    prices
        Low, nominal and high, of a phase's columns, shape (3, machines, columns).
    machine_formats, machine_keys, machine_rows
        Of a phase's columns: index into `bitjoule.energy_models.formats.storage.counted_formats`, index into
        `System.price_keys`, and number of the row that the price depends on; shape (machines, columns).
    latency_s
        Shape (cases, phases).
    drawn
        As of `bitjoule.energy_models.system.platform.regulator.price_counts`.
    memory_bytes
        Weights, KV cache at its longest and activations at their peak, shape (cases,) each.
    times
        Where the latency goes, and the MACs of each matmul.
    lossy
        Energies of all columns where regulators lose some, otherwise none.
    """

    columns: Floats
    machine_index: Indices
    prices: Floats
    machine_formats: NDArray[np.int16]
    machine_keys: NDArray[np.int32]
    machine_rows: NDArray[np.int32]
    latency_s: Floats
    drawn: Floats
    memory_bytes: Bytes
    times: Times
    lossy: Energies | None

    @property
    def width(self) -> int:
        """Columns of a phase."""
        return int(self.prices.shape[2])

    @cached_property
    def counts(self) -> Floats:
        """The counts of each case, shape (cases, phases x columns)."""
        return np.ascontiguousarray(self.columns.T)

    @cached_property
    def energies(self) -> Energies:
        """Low, nominal and high, shape (cases, phases x columns) each."""
        if self.lossy is not None:
            return self.lossy
        counts = self.counts.reshape(len(self.counts), -1, self.width)
        ends = (counts * end[self.machine_index][:, None] for end in self.prices)
        return Energies(*(end.reshape(self.counts.shape) for end in ends))

    @property
    def formats(self) -> NDArray[np.int16]:
        """Index into `bitjoule.energy_models.formats.storage.counted_formats` of each count."""
        return self._of_phases(self.machine_formats)

    @property
    def price_keys(self) -> NDArray[np.int32]:
        """Index into `System.price_keys` of each price."""
        return self._of_phases(self.machine_keys)

    def _of_phases(self, table: NDArray[Any]) -> NDArray[Any]:
        return np.tile(table[self.machine_index], (1, len(self.columns) // self.width))

    @cached_property
    def active(self) -> Indices:
        """The columns that count anything in any case, ascending, shape (active,)."""
        return np.flatnonzero(there(self.columns))

    @cached_property
    def active_counts(self) -> Floats:
        """Counts of the active columns, shape (active, cases)."""
        return self.columns[self.active]

    @cached_property
    def active_energies(self) -> "ActiveEnergies":
        """Energies of the active columns."""
        if self.lossy is not None:
            ends = np.stack([end.T[self.active] for end in self.lossy], axis=1)
            return ActiveEnergies(np.ones(len(self.active), dtype=np.bool_), np.empty((0, ends.shape[2])), ends)
        prices = self.prices[:, :, self.active % self.width]
        banded = ((prices[0] != prices[1]) | (prices[1] != prices[2])).any(axis=0)
        plain, counts = (self.columns[self.active[which]] for which in (~banded, banded))
        of_plain, of_ends = prices[1][:, ~banded], prices[:, :, banded].transpose(2, 0, 1)
        begins = np.flatnonzero(np.diff(self.machine_index, prepend=-1))  # of neighbours with one machine
        if len(begins) * FEW > len(self.machine_index):
            plain *= of_plain.T.take(self.machine_index, axis=1)
            return ActiveEnergies(banded, plain, counts[:, None] * of_ends.take(self.machine_index, axis=2))
        ends = np.empty((len(counts), len(prices), counts.shape[1]))
        for first, last in pairwise([*begins.tolist(), len(self.machine_index)]):
            machine = self.machine_index[first]
            plain[:, first:last] *= of_plain[machine, :, None]
            np.multiply(counts[:, None, first:last], of_ends[:, :, machine, None], out=ends[:, :, first:last])
        return ActiveEnergies(banded, plain, ends)

    @cached_property
    def phase_energies_pj(self) -> Floats:
        """Energies of requests at low, nominal and high prices, shape (3, requests, phases).

        Columns are added one after the other: the same sum on every machine.
        """
        columns, (requests, phases) = self.active_energies.in_columns(), self.latency_s.shape
        begin = np.searchsorted(self.active, self.width * np.arange(phases + 1)).tolist()
        sums = [in_order(columns[slice(*of_phase)], requests) for of_phase in pairwise(begin)]
        return np.stack([np.broadcast_to(of_phase, (3, requests)) for of_phase in sums], axis=2)


class ActiveEnergies(NamedTuple):
    """Energies of the active columns of `Evaluated`.

    Parameters
    ----------
    banded
        Whether any machine's price of a column has a band, shape (active,).
    plain
        Of the columns without one, shape (columns, cases).
    ends
        Low, nominal and high, of the columns with one, shape (columns, 3, cases).
    """

    banded: NDArray[np.bool_]
    plain: Floats
    ends: Floats

    def in_columns(self) -> list[Floats]:
        """Return the energies of all active columns, shape (cases,) each, or (3, cases) of those with a band."""
        ends, plain = iter(self.ends), iter(self.plain)
        return [next(ends if has_band else plain) for has_band in self.banded.tolist()]
