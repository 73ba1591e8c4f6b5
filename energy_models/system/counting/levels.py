"""What passes the memory levels between buffers and off-chip memory, and what they keep from going further.

The levels are inclusive and keep what was used last. All off-chip bits of the operands that a level holds pass it:

========  =============================================================================================================
bits      what they are
========  =============================================================================================================
read      asked for by the level inside of it, or by the buffers
fill      of these, what comes from outside, which is written into the level first
write     outputs, partial sums, keys and values, on their way out; each goes on to off-chip memory
========  =============================================================================================================

A level serves what is read again, and nothing else, where it holds all that passes it in the meantime:

* within a matmul, if the operands of the matmul that it holds fit whole, each comes from outside once;
* between the steps of a phase, and between the matmuls of a step, if all that it holds of the request fits whole
  (weights, cache at its longest, activations at their peak): weights, keys and values come from outside in the first
  step of each phase alone, and activations, which were written on their way out, not at all.

Otherwise the level, which has lost each bit before it is asked for again, serves none. Mappings are chosen as if there
were no levels. A matmul takes as long as the slowest of the array, buffers, levels and off-chip memory.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.phases import Floats, Indices, Steps
from bitjoule.energy_models.system.counting.memory import needed_bytes
from bitjoule.energy_models.system.counting.utilisation import buffer_cycles
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.hardware.machine_levels import WAYS, levels_of
from bitjoule.energy_models.system.mappings.bounds import BOUNDS, LATENCY, by_bound
from bitjoule.energy_models.system.platform.levels import HELD
from bitjoule.energy_models.system.work.steps import STEPS
from bitjoule.energy_models.system.work.workload import RequestWork

WEIGHTS, CACHED, ACTIVATIONS = range(len(HELD))
STREAMS = np.array([WEIGHTS, CACHED, ACTIVATIONS, ACTIVATIONS])  # of reads: what each is; the last are partial sums
BITS_PER_BYTE = 8
CYCLES, COMPUTING, OFF_CHIP_BITS = range(3)  # of the times of a matmul; those by what bounds them are the last


def _step(operand: str, action: str) -> int:
    return next(i for i, step in enumerate(STEPS) if (step.operand, step.action) == (operand, action))


READS = [_step(operand, "off_chip_read") for operand in ("weights", "activations", "partial_sums")]
WRITES = [_step(operand, "off_chip_write") for operand in ("partial_sums", "outputs")]
# What `OTHERS` before those over time read and write off-chip: index of HELD, by component, operand and action.
OF_OTHERS = {
    ("embedding", "weights", "off_chip_read"): WEIGHTS,
    ("spilled_activations", "outputs", "off_chip_read"): ACTIVATIONS,
    ("spilled_activations", "outputs", "off_chip_write"): ACTIVATIONS,
    ("spilled_activations", "activations", "off_chip_write"): ACTIVATIONS,
    ("kv_cache_write", "keys_values", "off_chip_write"): CACHED,
    ("kv_cache_read", "state", "off_chip_read"): CACHED,
    ("kv_cache_write", "state", "off_chip_write"): CACHED,
}


class Passed(NamedTuple):
    """Matmuls behind the levels.

    Parameters
    ----------
    slots
        Counts of steps, with the off-chip reads that remain, shape (cases, phases, slots, steps).
    bits
        Of each column of levels, shape (cases, phases, slots, columns).
    first, later
        Times of one of each matmul in the first step of a phase, and in the later ones, as of
        `bitjoule.energy_models.system.counting.mapped.map_matmuls`; shape (values, cases, phases, slots).
    """

    slots: Floats
    bits: Floats
    first: Floats
    later: Floats


class Beside(NamedTuple):
    """What is not a matmul, behind the levels.

    Parameters
    ----------
    others
        Counts with the off-chip reads that remain, shape (cases, phases, others).
    bits
        Of each column of levels, shape (cases, phases, columns).
    off_chip_bits, cycles
        That cross the chip's edge; of the slowest level; shape (cases, phases).
    """

    others: Floats
    bits: Floats
    off_chip_bits: Floats
    cycles: Floats


class Levels:
    """The levels of the machines of cases, and whether they hold all of a request.

    Parameters
    ----------
    layout, model
        Of the models; each case's, shape (cases,).
    steps, work
        Of the cases.
    machines, machine_index
        The machines, and the index of each case's.
    count
        Levels that have columns, at least one; machines may have fewer.
    """

    def __init__(
        self, layout: Layout, model: Indices, steps: Steps, work: RequestWork, machines: Sequence[Machine],
        machine_index: Indices, count: int,
    ) -> None:  # fmt: skip
        self.layout, self.machines, self.machine_index = layout, machines, machine_index
        of_machines = [levels_of(machine) for machine in machines]
        self.count = count
        shape = (len(machines), self.count)
        sizes, rates, holds = np.zeros(shape), np.full(shape, np.inf), np.zeros((*shape, len(HELD)), dtype=np.bool_)
        for i, levels in enumerate(of_machines):
            for j, level in enumerate(levels):
                sizes[i, j], rates[i, j], holds[i, j] = level.size_bits, level.bits_per_cycle, level.holds
        self.size_bits, self.rates, self.holds = sizes[machine_index], rates[machine_index], holds[machine_index]
        needed = needed_bytes(layout, model, work, machines, machine_index)
        weights = needed.weights_bytes + needed.tables_bytes + needed.adapters_bytes
        needed_bits = BITS_PER_BYTE * np.stack([weights, needed.kv_cache_bytes, needed.activations_bytes], axis=1)
        self.whole = (self.holds * needed_bits[:, None]).sum(axis=2) <= self.size_bits  # (cases, levels)
        self.outside = layout.standalone[model]  # a bare matmul's inputs were not written by another one
        self.first_share = 1 / np.maximum(steps.repeats, 1.0)
        self.fused = np.array([machine.platform.attention == "fused" for machine in machines])[machine_index]

    def of_matmuls(
        self, work: RequestWork, factors: Floats, slots: Floats, times: Floats, nested: NDArray[np.bool_]
    ) -> Passed:
        """Return matmuls behind the levels.

        Parameters
        ----------
        work, factors
            Of the cases; units of each step for each of its quantity, shape (cases, slots, steps).
        slots, times
            Counts of steps of all runs; times of one run, which stay as they are. See `Passed`.
        nested
            Which matmuls are one loop nest with another one, shape (cases, phases, slots).
        """
        sizes = work.sizes
        runs = np.where(sizes.times > 0, sizes.times, 1.0)
        unit = factors[:, None]
        cached = np.array([self.layout.kinds[i].operand != "weights" for i in self.layout.kind])
        weights, activations, sums = (slots[..., step] for step in READS)
        asked = np.stack([weights * ~cached, weights * cached, activations, sums])
        of_weights = np.minimum(weights, sizes.k * sizes.n * sizes.times * unit[..., READS[0]])
        share = 1.0 if work.distinct is None else work.distinct
        of_inputs = np.minimum(activations, sizes.m * sizes.k * sizes.times * unit[..., READS[1]] * share)
        distinct = np.stack([of_weights * ~cached, of_weights * cached, of_inputs, np.zeros_like(sums)])
        written = [sizes.m * sizes.n * unit[..., step] * (slots[..., step] > 0) for step in WRITES]
        held_bits = np.stack([distinct[0] / runs, distinct[1] / runs, distinct[2] / runs + np.maximum(*written)])
        held_bits = self._pairs(held_bits, nested)
        fits = [
            np.einsum("hcps,ch->cps", held_bits, self.holds[:, i]) <= size[:, None, None]
            for i, size in enumerate(self.size_bits.T)
        ]
        going_out = slots[..., WRITES].sum(axis=-1)
        by_kind = [self._through(asked, distinct, fits, first) for first in (True, False)]
        timed = []
        for remaining, reads, fills in by_kind:
            saved = (asked - remaining).sum(axis=0) / runs
            timed.append(self._slower(slots, times, nested, saved, reads, fills, going_out, runs))
        first, later = by_kind
        remaining, reads, fills = (self.mean(*pair) for pair in zip(first, later, strict=True))
        behind = slots.copy()
        for step, bits in zip(READS, (remaining[0] + remaining[1], remaining[2], remaining[3]), strict=True):
            behind[..., step] = bits
        bits = np.zeros((*going_out.shape, self.count, len(HELD), len(WAYS)))
        for stream, held in enumerate(STREAMS.tolist()):
            bits[..., held, 0] += np.moveaxis(reads[:, stream], 0, -1)
            bits[..., held, 1] += np.moveaxis(fills[:, stream], 0, -1)
        bits[..., ACTIVATIONS, 2] = going_out[..., None] * self.holds[:, None, None, :, ACTIVATIONS]
        return Passed(behind, bits.reshape(*going_out.shape, -1), *timed)

    def of_others(self, others: Floats, columns: Sequence[tuple[str, str, str]]) -> Beside:
        """Return what is not a matmul, behind the levels.

        Parameters
        ----------
        others, columns
            Counts, shape (cases, phases, columns), and what they are.
        """
        behind = others.copy()
        bits = np.zeros((*others.shape[:2], self.count, len(HELD), len(WAYS)))
        off_chip_bits = np.zeros(others.shape[:2])
        for column, place in enumerate(columns[: others.shape[2]]):
            if place not in OF_OTHERS:
                continue
            held, now = OF_OTHERS[place], others[:, :, column]
            for i in range(self.count):
                passes, whole = self.holds[:, i, held, None], self.whole[:, i, None]
                if place[2] == "off_chip_write":
                    bits[:, :, i, held, 2] += now * passes
                    continue
                serves = whole & (held != WEIGHTS)  # rows of an embedding are not read again
                share = self.first_share if held == CACHED else 0.0
                after = np.where(passes & serves, now * share, now)
                bits[:, :, i, held, 0] += now * passes
                bits[:, :, i, held, 1] += after * passes
                now = after
            behind[:, :, column] = now
            off_chip_bits += now
        flat = bits.reshape(*others.shape[:2], -1)
        return Beside(behind, flat, off_chip_bits, self._cycles(bits.sum(axis=3)))

    def mean(self, first: Floats, later: Floats) -> Floats:
        """Return the mean over the steps of a phase, shape (..., cases, phases, slots).

        Parameters
        ----------
        first, later
            In the first step of a phase, and in the later ones.
        """
        share = self.first_share[..., None]
        return np.asarray(later + share * (first - later))

    def _cycles(self, by_way: Floats) -> Floats:
        """Return the cycles of the slowest level, of bits of shape (cases, phases, levels, ways)."""
        reads, writes = by_way[..., 0], by_way[..., 1] + by_way[..., 2]
        return np.asarray((np.maximum(reads, writes) / self.rates[:, None]).max(axis=2))

    def _through(
        self, asked: Floats, distinct: Floats, fits: list[NDArray[np.bool_]], first: bool
    ) -> tuple[Floats, Floats, Floats]:
        """Return what is read off-chip, and what each level reads and is filled with, of runs of one kind.

        Shapes (streams, cases, phases, slots), and (levels, streams, cases, phases, slots) twice.
        """
        now, reads, fills = asked, [], []
        for i, fit in enumerate(fits):
            passes = self.holds[:, i, STREAMS].T[..., None, None]
            after = np.where(fit, np.minimum(now, distinct), now)
            whole = fit & self.whole[:, i, None, None]
            if not first:
                after[:ACTIVATIONS] *= ~whole
            after[ACTIVATIONS] *= ~(whole & ~self.outside[:, None, None])
            after = np.where(passes, after, now)
            reads.append(now * passes)
            fills.append(after * passes)
            now = after
        return now, np.stack(reads), np.stack(fills)

    def _slower(
        self, slots: Floats, times: Floats, nested: NDArray[np.bool_], saved: Floats, reads: Floats, fills: Floats,
        going_out: Floats, runs: Floats,
    ) -> Floats:  # fmt: skip
        """Return the times of one run, with the levels in place of the off-chip reads that they save."""
        out = times.copy()
        passes = self.holds[:, :, ACTIVATIONS].T[..., None, None]
        writes = fills.sum(axis=1) + going_out * passes
        levels = np.maximum(reads.sum(axis=1), writes) / self.rates.T[..., None, None] / runs
        computing, off_chip_bits = times[COMPUTING], np.maximum(times[OFF_CHIP_BITS] - saved, 0.0)
        rate = np.array([machine.off_chip_bits for machine in self.machines])[self.machine_index][:, None, None]
        buffers = buffer_cycles(slots, self.machines, self.machine_index) / runs
        needed = np.stack([*levels, *buffers, off_chip_bits / rate])
        needed = self._shared(needed, computing, nested)
        level, buffer, off_chip = needed[: self.count].max(axis=0), needed[self.count : -1].max(axis=0), needed[-1]
        bounds = times[-len(BOUNDS) :]
        slowest = bounds[:LATENCY].sum(axis=0)  # all of them in the one that bounds
        changed = (saved > 0) | (level > slowest)
        now = by_bound(np.zeros_like(slowest), computing, np.maximum(buffer, level), off_chip)[..., :LATENCY]
        out[-len(BOUNDS) :][:LATENCY] = np.where(changed, np.moveaxis(now, -1, 0), bounds[:LATENCY])
        out[CYCLES] += np.where(changed, now.sum(axis=-1) - slowest, 0.0)
        out[OFF_CHIP_BITS] = off_chip_bits
        return out

    def _pairs(self, values: Floats, nested: NDArray[np.bool_]) -> Floats:
        """Return values, of which both products of a nest have the sum; shape (..., cases, phases, slots)."""
        together = values.copy()
        for first, second in self.layout.attention_pairs:
            both = values[..., first] + values[..., second]
            for slot in (first, second):
                together[..., slot] = np.where(nested[..., slot], both, values[..., slot])
        return together

    def _shared(self, needed: Floats, computing: Floats, nested: NDArray[np.bool_]) -> Floats:
        """Return cycles of resources, of which each product of a nest has the share that it has of the array's."""
        if not nested.any():
            return needed
        together, products = self._pairs(needed, nested), self._pairs(computing, nested)
        share = np.divide(computing, products, out=np.ones_like(products), where=nested & (products > 0))
        return np.asarray(together * share)
