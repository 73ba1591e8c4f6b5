"""What each operation of each block of a model takes: its matmuls one by one, and its element-wise work.

Counts add up over blocks, time over what keeps the slowest resource busy: the operations of a phase add up to its
components. Static power, leakage and losses of regulators belong to a phase as a whole.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.phases import Cases, Floats, Indices, all_steps
from bitjoule.energy_models.system.counting.columns import OTHERS, PART_STEPS, QUANTITIES, phase_columns
from bitjoule.energy_models.system.counting.counted import Counted
from bitjoule.energy_models.system.counting.dram_parts import EDGE_STEPS, PartCounts
from bitjoule.energy_models.system.counting.mapped import TIMES
from bitjoule.energy_models.system.counting.nests import fuse, fused_pairs
from bitjoule.energy_models.system.counting.slowdowns import step_cycles
from bitjoule.energy_models.system.counting.times import components, cycles_by_component, seconds_per_cycle
from bitjoule.energy_models.system.hardware.machine_levels import level_columns
from bitjoule.energy_models.system.hardware.switches import switches_of
from bitjoule.energy_models.system.mappings.bounds import BOUNDS, LATENCY
from bitjoule.energy_models.system.platform.channels import BITS_PER_BYTE, PARTS
from bitjoule.energy_models.system.system import System
from bitjoule.energy_models.system.work.scheme_work import SchemeWork
from bitjoule.energy_models.system.work.steps import STEPS, MatmulKind
from bitjoule.energy_models.system.work.workload import workload

OVER_TIME = OTHERS[OTHERS.index(("leakage", "chip", "leak")) :]  # of a phase as a whole
CACHE = "keys_values"
MOVED = (
    "buffer_read", "buffer_write", "off_chip_weights", f"off_chip_{CACHE}", "off_chip_activations",
    "off_chip_partial_sums", "off_chip_outputs", "off_chip_state",
)  # fmt: skip
Column = tuple[str, str, str]  # component, operand, action


class Operation(NamedTuple):
    """One operation of one block of a model, in all its layers and steps.

    Parameters
    ----------
    block
        Index into the blocks of the model; -1 for what belongs to a phase as a whole.
    component
        As of the long table.
    kind, slot
        Of a matmul; none, and -1, for others.
    times
        How often it runs, shape (cases, phases).
    macs
        MACs of all runs, shape (cases, phases).
    moved_bytes
        Bytes that it moves, shape (cases, phases, `MOVED`).
    seconds
        By what bounds them, shape (cases, phases, `BOUNDS`).
    energies_pj
        Low, nominal and high, shape (3, cases, phases).
    sizes
        m, k and n of a matmul, shape (cases, phases, 3); none for others.
    """

    block: int
    component: str
    kind: MatmulKind | None
    slot: int
    times: Floats
    macs: Floats
    moved_bytes: Floats
    seconds: Floats
    energies_pj: Floats
    sizes: Floats | None


def operations(system: System, model: int, cases: Cases, technology: Indices, platform: Indices) -> list[Operation]:
    """Return the operations of cases of one model, block by block, then those of whole phases.

    Parameters
    ----------
    system
        The lists that cases index.
    model
        Index of the model that all cases have.
    cases
        Arrays of shape (cases,).
    technology, platform
        Indices of each case.
    """
    table = _Table(system, model, cases, technology, platform)
    found: list[Operation] = []
    for block in range(len(system.models[model].blocks)):
        found += table.of_block(block)
    return table.with_steps([*found, *table.of_phases()])


class _Table:
    """Counts and prices of cases, from which operations are taken."""

    def __init__(self, system: System, model: int, cases: Cases, technology: Indices, platform: Indices) -> None:
        self.system, self.model, self.cases = system, model, cases
        self.layout = system.layout
        self.counted: Counted = system.count(cases, technology, platform)
        before, parts = phase_columns(self.layout, system.by_parts, system.by_units)
        levels = level_columns(system.levels)
        self.columns: Sequence[Column] = [*before, *parts, *levels, *OTHERS]
        self.of_levels = len(before) + len(parts) + np.arange(len(levels))
        self.priced_parts = len(before)
        setups = self.counted.setups
        self.prices = np.stack([setup.prices for setup in setups], axis=1)[:, self.counted.machine_index]
        if system.by_parts:
            self.present = np.stack([setup.counted for setup in setups])[self.counted.machine_index][:, None]
            of_parts = PartCounts(
                self.layout, self.counted.work, cases.model, self.counted.machines, self.counted.machine_index
            )
            self.parts_of_slots = of_parts.of_matmuls(self.counted.slots)
        self.evaluated = system.evaluate(cases, technology, platform)
        counted = self.counted
        of_matmuls = counted.bounds.sum(axis=2, keepdims=True)
        cycles = np.concatenate([of_matmuls, counted.rest.by_component], axis=2)
        self.seconds = seconds_per_cycle(cycles, counted.cycles, counted.clock_mhz)[:, :, None]
        self.steps = all_steps(system.phases, cases)

    def of_block(self, block: int) -> Iterator[Operation]:
        """Yield the operations of a block; each component that is no matmul once."""
        layout = self.layout.of_block(self.model, block)
        shape = self.counted.cycles.shape
        repeats = self.system.models[self.model].blocks[block].repeats
        runs = repeats * self.steps.repeats * (self.steps.tokens > 0)
        moved, energies, cycles = self._beside(layout)
        for slot in layout.slots_of(self.model):
            of_slot, slot_energies = self._of_slot(slot)
            own = self.layout.matmuls[self.layout.component[slot]]
            for component in of_slot:
                if component != own:  # reads of the KV cache
                    moved[component] = moved.get(component, 0) + of_slot[component]
                    energies[component] = energies.get(component, 0) + slot_energies[component]
            sizes = self.counted.work.sizes
            yield Operation(
                block, own, self.layout.kind_of[own], slot, sizes.times[:, :, slot], self.counted.macs[:, :, slot],
                of_slot[own], self.counted.bounds[:, :, slot] * self.seconds, slot_energies[own],
                np.stack([size[:, :, slot] for size in (sizes.m, sizes.k, sizes.n)], axis=2),
            )  # fmt: skip
        none = np.zeros((*shape, len(BOUNDS)))
        for component, of_component in moved.items():
            time = cycles.get(component, none) * self.seconds
            yield Operation(
                block, component, None, -1, runs, np.zeros(shape), of_component, time, energies[component], None
            )

    def of_phases(self) -> Iterator[Operation]:
        """Yield what belongs to a phase as a whole: what flows over time, and what regulators lose."""
        shape = self.counted.cycles.shape
        ends = (self.evaluated.energies.low_pj, self.evaluated.energies.nominal_pj, self.evaluated.energies.high_pj)
        by_column = np.stack([end.reshape(*shape, -1) for end in ends])
        runs = self.steps.repeats * (self.steps.tokens > 0)
        for component in dict.fromkeys(component for component, *_ in OVER_TIME):
            own = [i for i, (name, *_) in enumerate(self.columns) if name == component]
            energies = _added(by_column[..., i] for i in own)
            moved, time = np.zeros((*shape, len(MOVED))), np.zeros((*shape, len(BOUNDS)))
            yield Operation(-1, component, None, -1, runs, np.zeros(shape), moved, time, energies, None)

    def with_steps(self, found: list[Operation]) -> list[Operation]:
        """Return operations with the fixed time of steps, of which each has the share that it has of their work."""
        counted = self.counted
        cycles = step_cycles(self.cases, self.steps, counted.machines, counted.machine_index)
        if not cycles.any():
            return found
        total = sum(operation.seconds.sum(axis=2) for operation in found)
        per_second = np.divide(
            cycles / counted.clock_mhz[:, None] / 1e6, total, out=np.zeros(total.shape), where=total > 0
        )
        longer = []
        for operation in found:
            seconds = operation.seconds.copy()
            seconds[..., LATENCY] += operation.seconds.sum(axis=2) * per_second
            longer.append(operation._replace(seconds=seconds))
        return longer

    def _of_slot(self, slot: int) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Return bytes and energies of a matmul, by the component that counts them."""
        component = int(self.layout.component[slot])
        counts, at = self.counted.slots[:, :, slot], component * len(STEPS) + np.arange(len(STEPS))
        if self.system.by_parts:
            width = len(EDGE_STEPS) * len(PARTS)
            of_parts = component * width + np.arange(width)
            counts = np.concatenate([counts, self.parts_of_slots[:, :, slot] * self.present[..., of_parts]], axis=2)
            at = np.concatenate([at, self.priced_parts + of_parts])
        if self.counted.level_bits is not None:
            counts = np.concatenate([counts, self.counted.level_bits[:, :, slot]], axis=2)
            at = np.concatenate([at, self.of_levels])
        return self._by_component(counts, at)

    def _beside(self, layout: Layout) -> tuple[dict[str, Floats], dict[str, Floats], dict[str, Floats]]:
        """Return bytes, energies and cycles of what is not a matmul, by component."""
        counted, system = self.counted, self.system
        machines, machine_index = counted.machines, counted.machine_index
        switches = switches_of(layout, machines, machine_index)
        work = workload(layout, self.cases, self.steps, switches, system.experts)
        work = SchemeWork(layout, system.models, system.schemes).added(work, self.cases, self.steps, switches.units)
        shape = counted.macs.shape
        unused = np.zeros((*shape, len(QUANTITIES))), np.zeros((TIMES + len(BOUNDS), *shape))
        reserved = (counted.resident, counted.reserved_bits)
        pairs = fused_pairs(layout, work.sizes, machines, machine_index, *reserved, system.objective)
        work, _ = fuse(layout, work, pairs, *unused)
        own = system.beside_matmuls(work, counted.setups, machines, machine_index, counted.spilled)
        parts, queries, others, _ = own
        cycles = cycles_by_component(layout, counted.rest, work, parts, queries, others)
        timed = {name: cycles[:, :, i] for i, name in enumerate(components(layout)[len(layout.matmuls) :])}
        level_bits: list[Floats] = []
        if counted.levels is not None:
            others, bits, *_ = counted.levels.of_others(others, OTHERS)
            level_bits = [bits]
        first = len(layout.matmuls) * len(STEPS)
        counts = [parts.reshape(*parts.shape[:2], -1), others, queries[..., None]]
        last = len(self.columns) - len(OTHERS)
        at = [first + np.arange(parts.shape[2] * len(PART_STEPS)), last + np.arange(others.shape[2] + 1)]
        if work.in_units is not None:
            counts.append(work.in_units)
            at.append(first + parts.shape[2] * len(PART_STEPS) + np.arange(work.in_units.shape[2]))
        if system.by_parts:
            of_others = PartCounts(layout, work, self.cases.model, machines, machine_index).of_others(others, OTHERS)
            width = of_others.shape[2]
            counts.append(of_others * self.present[..., -width:])
            at.append(last - len(self.of_levels) - width + np.arange(width))
        if level_bits:
            counts += level_bits
            at.append(self.of_levels)
        return *self._by_component(np.concatenate(counts, axis=2), np.concatenate(at)), timed

    def _by_component(self, counts: Floats, at: Indices) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Return bytes and energies of some columns, by component, added up in the order of the columns."""
        moved: dict[str, Floats] = {}
        energies: dict[str, Floats] = {}
        for i, column in enumerate(at.tolist()):
            component, operand, action = self.columns[column]
            bytes_moved = moved.setdefault(component, np.zeros((*counts.shape[:2], len(MOVED))))
            place = _place(operand, action)
            if place is not None:
                bytes_moved[..., place] += counts[..., i] / BITS_PER_BYTE
            priced = counts[..., i] * self.prices[:, :, None, column]
            energies[component] = energies[component] + priced if component in energies else priced
        return moved, energies


def _place(operand: str, action: str) -> int | None:
    """Return where the bits of a column are counted in `MOVED`, if anywhere."""
    if action in ("off_chip_read", "off_chip_write"):
        return MOVED.index(f"off_chip_{CACHE if operand in ('keys', 'values') else operand}")
    return MOVED.index(action) if action in MOVED else None


def _added(terms: Iterator[Floats]) -> Floats:
    total = next(terms)
    for term in terms:
        total = total + term
    return total
