"""The parts of accesses to a DRAM device as columns: rows that are opened, bits that cross pins, controller and PHY.

How many rows an access opens follows from its contiguous bytes and the row of the device:

===============================  ===============================================================================
operand                          contiguous bytes
===============================  ===============================================================================
weights, LM head, router         a whole matrix; of a mixture of experts one expert's
keys, values, read               one KV head's of a token: they are gathered from rows of the cache
keys, values, written            all KV heads' of a token
embedding                        one token's
activations, recurrent states    whole rows
===============================  ===============================================================================
"""

from collections.abc import Sequence

import numpy as np

from bitjoule.energy_models.architecture.layout import LaidOut, Layout
from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.platform.channels import ACTIVATE, BITS_PER_BYTE, PARTS, Channels, per_bit, run_of
from bitjoule.energy_models.system.work.steps import ABSENT, STEPS, StepPrice
from bitjoule.energy_models.system.work.workload import RequestWork

OFF_CHIP = "off_chip_"
EDGE_STEPS = [i for i, step in enumerate(STEPS) if step.action.startswith(OFF_CHIP)]
OF_WEIGHTS = np.array([i for i, step in enumerate(EDGE_STEPS) if STEPS[step].operand == "weights"])
OPENING = np.array([part == ACTIVATE for part in PARTS])


def part_columns(columns: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Return component, operand and action of each part of each off-chip access among some columns.

    Parameters
    ----------
    columns
        Component, operand and action of each.
    """
    return [
        (component, operand, f"{action.removeprefix(OFF_CHIP)}_{part}")
        for component, operand, action in columns
        if action.startswith(OFF_CHIP)
        for part in PARTS
    ]


def part_lines(
    machine: Machine, columns: Sequence[tuple[str, str, str]], lines: Sequence[StepPrice]
) -> tuple[list[StepPrice], list[StepPrice]]:
    """Return the lines of some columns with those of off-chip accesses without their parts, and the lines of the parts.

    Parameters
    ----------
    machine
        Where they run; without a device nothing changes, and parts are absent.
    columns, lines
        Component, operand and action of each column, and its line.
    """
    channels, whole, parts = machine.dram, list(lines), []
    for i, ((_, _, action), line) in enumerate(zip(columns, lines, strict=True)):
        if not action.startswith(OFF_CHIP):
            continue
        way, number_format = action.removeprefix(OFF_CHIP), line.format
        present = channels is not None and line is not ABSENT
        if channels is not None and present:
            whole[i] = StepPrice(line.factor, number_format, *channels.core(way, number_format))
        parts += [channels.part(way, part, number_format) if channels and present else ABSENT for part in PARTS]
    return whole, parts


class PartCounts:
    """Counts the parts of cases.

    Parameters
    ----------
    layout, work, model
        Of the cases; the model of each.
    machines, machine_index
        The machines, and the index of each case's.
    """

    def __init__(
        self, layout: Layout, work: RequestWork, model: Indices, machines: Sequence[Machine], machine_index: Indices
    ) -> None:
        self.layout, self.sizes, self.model = layout, work.sizes, model
        self.machines = [
            (machine, machine.dram, machine_index == i) for i, machine in enumerate(machines) if machine.dram
        ]

    def of_matmuls(self, slots: Floats) -> Floats:
        """Return rows opened and bits moved by each off-chip step of each matmul.

        Parameters
        ----------
        slots
            Counts of all steps, shape (cases, phases, slots, steps).

        Returns
        -------
        Floats
            Shape (cases, phases, slots, off-chip steps x parts).
        """
        bits = slots[..., EDGE_STEPS]
        rates = np.zeros_like(bits)
        for machine, channels, chosen in self.machines:
            rates[chosen] = per_bit(channels.opened_bytes("activations"))
            for number, kind in enumerate(self.layout.kinds):
                own = np.flatnonzero(self.layout.kind == number)
                k, n = (sizes[chosen][:, :, own] for sizes in (self.sizes.k, self.sizes.n))
                operand, values = run_of(kind, k, n)
                run_bytes = values * machine.formats(kind).storage.bits / BITS_PER_BYTE
                phases = np.arange(bits.shape[1])
                rates[np.ix_(chosen, phases, own, OF_WEIGHTS)] = per_bit(channels.opened_bytes(operand, run_bytes))[
                    ..., None
                ]
        return _parts(bits, rates)

    def of_others(self, others: Floats, columns: Sequence[tuple[str, str, str]]) -> Floats:
        """Return rows opened and bits moved by what is not a matmul.

        Parameters
        ----------
        others, columns
            Counts, shape (cases, phases, columns), and what they are.
        """
        edge = [i for i, (_, _, action) in enumerate(columns) if action.startswith(OFF_CHIP)]
        bits = others[..., edge]
        rates = np.zeros_like(bits)
        for machine, channels, chosen in self.machines:
            rates[chosen] = per_bit(channels.opened_bytes("activations"))
            for model, cases in self.layout.groups(self.model):
                own = np.zeros(len(chosen), dtype=np.bool_)
                own[cases] = True
                own &= chosen
                for i, column in enumerate(edge):
                    component, operand, _ = columns[column]
                    if component in ("embedding", "kv_cache_write") and operand != "state":
                        rates[own, :, i] = _table_rate(model, machine, channels, component)
        return _parts(bits, rates)


def _parts(bits: Floats, rates: Floats) -> Floats:
    """Return opened rows and bits, in the order of `PARTS`, shape (..., accesses x parts)."""
    counts = np.where(OPENING, (bits * rates)[..., None], bits[..., None])
    return np.asarray(counts.reshape(*bits.shape[:-1], -1), dtype=np.float64)


def _table_rate(model: LaidOut, machine: Machine, channels: Channels, component: str) -> float:
    """Return the rows that are opened for each bit of the embedding that is read, or of the KV cache that is written.

    A token's keys are one run, and its values another.
    """
    embedding = component == "embedding"
    stored_bits = machine.scheme.stored("embedding").bits if embedding else machine.scheme.cached_bits
    runs = [((part.embedded if embedding else part.cached / 2) * stored_bits, repeats) for part, repeats in model.parts]
    operand = "embedding" if embedding else "keys_values"
    rows = sum(
        count * run_bits * float(per_bit(channels.opened_bytes(operand, run_bits / BITS_PER_BYTE)))
        for run_bits, count in runs
        if run_bits
    )
    bits = sum(count * run_bits for run_bits, count in runs)
    return rows / bits if bits else 0.0
