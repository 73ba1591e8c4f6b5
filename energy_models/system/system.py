"""What whole requests cost on machines: every component, every operand's traffic at each level, time and bytes.

`System` holds the lists that cases index and caches the mappings; `System.evaluate` counts, prices and
times any number of cases as arrays. A case's matmuls run one after the other, its element-wise parts after them.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.block import Described
from bitjoule.energy_models.architecture.phases import PHASES, Cases, Floats, Indices, Phase, all_steps
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.prices.keys import shared_row
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.counting.columns import (
    OTHERS,
    PART_STEPS,
    QUANTISATION,
    QUANTITIES,
    CountColumn,
    Setup,
    columns,
    delivered,
    tables,
)
from bitjoule.energy_models.system.counting.counted import Counted, Evaluated
from bitjoule.energy_models.system.counting.dram_parts import PartCounts
from bitjoule.energy_models.system.counting.levels import Levels
from bitjoule.energy_models.system.counting.mapped import TIMES, WIDTH, map_matmuls
from bitjoule.energy_models.system.counting.memory import needed_bytes
from bitjoule.energy_models.system.counting.nests import FusedPair, fuse, fused_pairs
from bitjoule.energy_models.system.counting.others import others_of
from bitjoule.energy_models.system.counting.quantities import steps_of
from bitjoule.energy_models.system.counting.row_table import ABSENT, RowTable, distinct
from bitjoule.energy_models.system.counting.slowdowns import (
    COMPUTING,
    slow_matmuls,
    step_cycles,
    unpacking_cycles,
    with_steps,
)
from bitjoule.energy_models.system.counting.times import rest_of, times_of
from bitjoule.energy_models.system.counting.utilisation import busy_matmuls, busy_rest
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.hardware.switches import switches_of
from bitjoule.energy_models.system.hardware.units import may_have_units
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.energy_models.system.platform.regulator import price_counts
from bitjoule.energy_models.system.platform.static_power import static_cycles
from bitjoule.energy_models.system.work.scheme_work import SchemeWork, layout_of
from bitjoule.energy_models.system.work.workload import Experts, RequestWork, held_tokens, workload


class System:
    """The lists that cases index, with a cache of their machines, prices and mappings.

    Parameters
    ----------
    models, schemes, technologies
        The lists.
    platforms
        For each platform of the experiment, the machine that each scheme runs on, by scheme.
    objective
        What mappings are chosen for.
    phases
        What a request consists of.
    experts
        How many experts of a mixture have tokens in a step.
    """

    def __init__(
        self,
        models: Sequence[Described],
        schemes: Sequence[Scheme],
        technologies: Sequence[Technology],
        platforms: Sequence[Sequence[tuple[str, Platform]]],
        objective: Objective = Objective.ENERGY,
        phases: Sequence[Phase] = PHASES,
        experts: Experts = Experts.EXPECTED,
    ) -> None:
        self.models, self.schemes, self.technologies, self.platforms = models, schemes, technologies, platforms
        self.objective, self.phases, self.experts = objective, phases, experts
        self.layout = layout_of(models, schemes)
        self._machines: dict[tuple[int, int, int], Machine] = {}
        self._setups: dict[tuple[int, int, int], Setup] = {}
        self._mapped = RowTable(WIDTH)
        self._numbers: dict[tuple[int, ...], tuple[NDArray[np.int32], NDArray[np.int32]]] = {}

    def machine(self, scheme: int, technology: int, platform: int) -> Machine:
        """Return a machine.

        Parameters
        ----------
        scheme, technology, platform
            Indices into the lists.
        """
        key = (scheme, technology, platform)
        if key not in self._machines:
            name, hardware = self.platforms[platform][scheme]
            self._machines[key] = Machine(self.schemes[scheme], hardware, self.technologies[technology], name)
        return self._machines[key]

    @cached_property
    def columns(self) -> tuple[CountColumn, ...]:
        """The columns of every phase."""
        names = [phase.name for phase in self.phases]
        return columns(self.layout, names, self.by_parts, self.levels, self.by_units)

    def count(
        self, cases: Cases, technology: Indices, platform: Indices, phases: Sequence[Phase] | None = None
    ) -> Counted:
        """Count cases, matmul by matmul.

        Parameters
        ----------
        cases
            Arrays of shape (cases,).
        technology, platform
            Indices of each case.
        phases
            Of the requests, those that are counted; default: all.
        """
        shape = (len(self.schemes), len(self.technologies), len(self.platforms))
        codes, machine_index = np.unique(
            np.ravel_multi_index((cases.scheme, technology, platform), shape), return_inverse=True
        )
        indices = [tuple(map(int, each)) for each in zip(*np.unravel_index(codes, shape), strict=True)]
        setups = [self._setup((s, t, p)) for s, t, p in indices]
        machines = [self.machine(s, t, p) for s, t, p in indices]
        layout = self.layout
        switches, steps = switches_of(layout, machines, machine_index), all_steps(phases or self.phases, cases)
        held = None if phases is None else held_tokens(all_steps(self.phases, cases))
        work = workload(layout, cases, steps, switches, self.experts, held)
        work = self._scheme_work.added(work, cases, steps, switches.units)
        vector_bits = np.array([machine.vector_bits for machine in machines], dtype=np.float64)[machine_index]
        held_bits = work.live_at * vector_bits[:, None, None]
        head = self._head  # takes each sequence's last token only
        held_bits[:, :, head] = (work.sizes.m * work.sizes.k)[:, :, head] * vector_bits[:, None, None]
        room = np.array([setup.capacity_bits - setup.margin_bits for setup in setups])[machine_index]
        models = ~layout.standalone[cases.model]
        resident = (held_bits <= room[:, None, None]) & models[:, None, None]
        spilled = (work.live * vector_bits[:, None, None] > room[:, None, None]) & models[:, None, None]

        shared = np.array([setup.shared for setup in setups])[machine_index]
        reserved_bits = held_bits * (resident & (shared[:, None, None] | self._fused))
        pairs = fused_pairs(layout, work.sizes, machines, machine_index, resident, reserved_bits, self.objective)
        moved, times = self._matmuls(work, codes, machine_index, machines, resident, reserved_bits, pairs)
        work, nested = fuse(layout, work, pairs, moved, times)
        array = times[COMPUTING] * work.sizes.times
        unpacking = unpacking_cycles(layout, work.sizes, machines, machine_index)
        factors = np.stack([setup.factors for setup in setups])
        slots = steps_of(moved, factors, machine_index)
        own = self.beside_matmuls(work, setups, machines, machine_index, spilled)
        levels, level_bits, beside, beyond = None, None, None, None
        if self.levels:
            levels = Levels(layout, cases.model, steps, work, machines, machine_index, self.levels)
            by_case = (factors[machine_index], np.ascontiguousarray(slots))
            slots, level_bits, *of_steps = levels.of_matmuls(work, *by_case, times, nested)
            for of_step in of_steps:
                slow_matmuls(layout, cases, steps, work.sizes, machines, machine_index, of_step)
            times = levels.mean(*of_steps)
            beside = levels.of_others(own[2], OTHERS)
            beyond = (beside.off_chip_bits, beside.cycles)
        else:
            slow_matmuls(layout, cases, steps, work.sizes, machines, machine_index, times)
        times *= work.sizes.times
        rest = rest_of(layout, work, *own, machines, machine_index, beyond)
        totals = times[:TIMES].sum(axis=3)
        macs = np.ascontiguousarray(moved[..., QUANTITIES.index("products")])
        cycles = np.ceil(totals[0] + rest.cycles)
        clock_mhz = np.array([machine.clock_mhz for machine in machines])[machine_index]
        return Counted(
            indices, setups, machines, machine_index, work, resident, reserved_bits, spilled, slots,
            macs, np.moveaxis(times[TIMES:], 0, -1), array, unpacking, totals, *own,
            rest, cycles, clock_mhz, levels, level_bits, beside,
        )  # fmt: skip

    def beside_matmuls(
        self, work: RequestWork, setups: Sequence[Setup], machines: Sequence[Machine], machine_index: Indices,
        spilled: NDArray[np.bool_],
    ) -> tuple[Floats, Floats, Floats, Floats]:  # fmt: skip
        """Return `parts`, `queries`, `others` and `off_chip_bits` of `Counted`.

        Parameters
        ----------
        work, setups, machines, machine_index, spilled
            As of `Counted`; the work of all blocks, or of one.
        """
        parts, queries = self._elementwise(work, setups, machine_index)
        return parts, queries, *others_of(work, machines, machine_index, spilled)

    def evaluate(
        self, cases: Cases, technology: Indices, platform: Indices, phases: Sequence[Phase] | None = None
    ) -> Evaluated:
        """Count, price and time cases.

        Parameters
        ----------
        cases
            Arrays of shape (cases,).
        technology, platform
            Indices of each case.
        phases
            Of the requests, those that are evaluated; default: all. Memory levels need all, since they hold what the
            whole request needs. The activations of `Evaluated.memory_bytes` are those of these phases.
        """
        counted, layout = self.count(cases, technology, platform, phases), self.layout
        setups, machines, machine_index = counted.setups, counted.machines, counted.machine_index
        rows, keys = zip(*map(self._numbered, counted.indices), strict=True)
        work, slots, cycles, times = counted.work, counted.slots, counted.cycles, counted.times
        other_counts, query_counts = counted.others, counted.queries
        off_chip_bits, rest = counted.off_chip_bits, counted.rest
        of_levels: list[Floats] = []
        if counted.beside_levels is not None and counted.level_bits is not None:
            other_counts, beside_bits, off_chip_bits, _ = counted.beside_levels
            of_levels = [counted.level_bits.sum(axis=2) + beside_bits]
            rest = rest._replace(work=np.concatenate([rest.work[..., :2], off_chip_bits[..., None]], axis=2))
        bits_per_cycle = np.array([machine.off_chip_bits for machine in machines])[machine_index][:, None]
        beside = step_cycles(cases, all_steps(phases or self.phases, cases), machines, machine_index)
        cycles = cycles + beside
        moving = (times[2] + off_chip_bits) / bits_per_cycle
        leaking = cycles * np.array([machine.platform.power is None for machine in machines])[machine_index][:, None]
        static = static_cycles([machine.static for machine in machines], machine_index, cycles, times[1], moving)
        over_time = [query_counts[..., None], leaking[..., None], static, np.zeros((*cycles.shape, 1))]
        size = (len(cases.model), len(phases or self.phases), -1)
        dram: list[Floats] = []
        if self.by_parts:
            of_parts = PartCounts(layout, work, cases.model, machines, machine_index)
            priced = np.stack([setup.counted for setup in setups])[machine_index][:, None]
            by_matmul = self._by_component(of_parts.of_matmuls(slots)).reshape(size)
            dram = [np.concatenate([by_matmul, of_parts.of_others(other_counts, OTHERS)], axis=2) * priced]
        other_counts = np.concatenate([other_counts, *over_time], axis=2)
        of_units = [] if work.in_units is None else [work.in_units]
        if self.by_units and not of_units:
            of_units = [np.zeros((*cycles.shape, len(layout.in_units)))]
        whole = (counted.parts.reshape(size), *of_units, *dram, *of_levels, other_counts.reshape(size))
        columns = self._columns(slots, whole)
        prices = np.stack([setup.prices for setup in setups], axis=1)
        lossy, drawn = None, np.ones((len(prices), 1, 1))
        if prices[..., -1].any():
            by_case = np.ascontiguousarray(columns.transpose(2, 0, 1))
            by_case, lossy, drawn = price_counts(by_case, prices[:, machine_index], delivered(columns.shape[1]))
            columns = by_case.transpose(1, 2, 0)
        bounds, macs = self._by_component(counted.bounds), self._by_component(counted.macs[..., None])[..., 0]
        busy = busy_matmuls(layout, slots, counted.array, counted.unpacking, machines, machine_index)
        busy = np.concatenate([busy, busy_rest(rest, machines, machine_index)], axis=2)
        return Evaluated(
            columns.reshape(-1, columns.shape[2]),
            machine_index,
            prices,
            np.stack([setup.formats for setup in setups]),
            np.stack(keys),
            np.stack(rows),
            cycles / counted.clock_mhz[:, None] / 1e6,
            drawn,
            needed_bytes(layout, cases.model, work, machines, machine_index),
            with_steps(
                times_of(bounds, counted.rest, counted.cycles, counted.clock_mhz, macs, busy), beside, counted.clock_mhz
            ),
            lossy,
        )

    def _matmuls(
        self, work: RequestWork, codes: Indices, machine_index: Indices, machines: Sequence[Machine],
        resident: NDArray[np.bool_], reserved_bits: Floats, pairs: Sequence[FusedPair],
    ) -> tuple[Floats, Floats]:  # fmt: skip
        """Return the quantities of every matmul but those that `pairs` replace, times included; the times of one.

        Where the activations are `resident`, they take `reserved_bits` of the buffer; the matmul's tiles use the rest.
        """
        sizes = work.sizes
        present = sizes.m > 0
        for pair in pairs:
            present[:, :, [pair.first, pair.second]] &= ~pair.where[..., None]
        of_cases = codes[machine_index][:, None, None]
        columns = [sizes.m, sizes.k, sizes.n, resident, reserved_bits]
        columns += [] if work.distinct is None else [work.distinct]
        new = np.ones(present.shape, dtype=np.bool_)  # matmuls that differ from those of the case before
        new[1:] = present[1:] != present[:-1]
        for column in (of_cases, *columns):
            new[1:] |= column[1:] != column[:-1]
        asked = new & present
        columns = [np.broadcast_to(of_cases, new.shape), np.broadcast_to(self.layout.kind, new.shape), *columns]
        rows: Floats = np.stack([column[asked] for column in columns], axis=1).astype(np.float64, copy=False)
        numbers = self._mapped.find(rows)
        if (numbers == ABSENT).any():
            missing = distinct(rows[numbers == ABSENT])
            by_code = dict(zip(codes.tolist(), machines, strict=True))
            self._mapped.add(missing, map_matmuls(missing, by_code, self.layout.kinds, self.objective))
            numbers = self._mapped.find(rows)
        place = np.full(new.shape, len(self._mapped), dtype=np.intp)
        place[asked] = numbers
        begun = np.maximum.accumulate(np.where(new, np.arange(len(new))[:, None, None], 0), axis=0)
        place = np.take_along_axis(place, begun, axis=0).transpose(1, 2, 0)
        mapped = self._mapped.by_column.take(place, axis=1)  # the cases last
        moved = mapped[: len(QUANTITIES)].transpose(3, 1, 2, 0)
        moved[..., QUANTITIES.index("biases")] = sizes.m * sizes.n * sizes.bias
        runs = np.ascontiguousarray(sizes.times.transpose(1, 2, 0))  # the cases last here, too
        moved *= runs.transpose(2, 0, 1)[..., None]
        return moved, np.ascontiguousarray(mapped[len(QUANTITIES) :].transpose(0, 3, 1, 2))

    def _elementwise(self, work: RequestWork, setups: Sequence[Setup], machine_index: Indices) -> tuple[Floats, Floats]:
        """Return operations and bits of the element-wise parts, and the bits of queries written in another format."""
        bits = np.stack([setup.bits for setup in setups])[machine_index][:, None]
        query_bits = np.array([setup.query_bits for setup in setups])[machine_index][:, None]
        counts = work.parts * bits
        quantised_writes = (self.layout.elementwise.index(QUANTISATION), PART_STEPS.index("buffer_write"))
        counts[(..., *quantised_writes)] -= work.queries_written * (query_bits > 0) * bits[(..., *quantised_writes)]
        return counts, work.queries_written * query_bits

    @cached_property
    def _scheme_work(self) -> SchemeWork:
        return SchemeWork(self.layout, self.models, self.schemes)

    @cached_property
    def _head(self) -> NDArray[np.bool_]:
        return self.layout.of_kind("head")

    @cached_property
    def _fused(self) -> NDArray[np.bool_]:
        return self.layout.flag("fused")

    def _columns(self, slots: Floats, others: Sequence[Floats]) -> Floats:
        """Return the counts of matmuls and others, (cases, phases, columns) each; shape (phases, columns, cases)."""
        of_matmuls = self._by_component(slots).transpose(1, 2, 3, 0)
        shape = (len(of_matmuls), of_matmuls.shape[1] * of_matmuls.shape[2], len(slots))
        whole = [of_matmuls.reshape(shape), *(each.transpose(1, 2, 0) for each in others)]
        columns = np.empty((shape[0], sum(each.shape[1] for each in whole), shape[2]))
        return np.concatenate(whole, axis=1, out=columns)

    def _by_component(self, slots: Floats) -> Floats:
        """Return the counts of each component's matmuls; shape (cases, phases, components, steps)."""
        component = self.layout.component
        if len(component) == len(self.layout.matmuls):
            return slots
        counts = np.zeros((*slots.shape[:2], len(self.layout.matmuls), slots.shape[3]))
        for slot, at in enumerate(component.tolist()):
            counts[:, :, at] += slots[:, :, slot]
        return counts

    @cached_property
    def price_keys(self) -> dict[str, int]:
        """The number of every price key of every machine, in order."""
        combinations = np.ndindex(len(self.schemes), len(self.technologies), len(self.platforms))
        keys = dict.fromkeys(key for s, t, p in combinations for key in self._setup((s, t, p)).keys)
        return {key: number for number, key in enumerate(keys)}

    @property
    def price_rows(self) -> list[str]:
        """The rows that prices depend on, by number."""
        return list(self._row_numbers)

    @cached_property
    def _row_numbers(self) -> dict[str, int]:
        """The number of every row that a price of any machine depends on, in order: the same wherever cases run."""
        rows = dict.fromkeys(
            shared_row(key, self.technologies[t].name)
            for s, t, p in np.ndindex(len(self.schemes), len(self.technologies), len(self.platforms))
            for key in self._setup((s, t, p)).keys
        )
        return {row: number for number, row in enumerate(dict.fromkeys(["", *rows]))}

    def _numbered(self, machine: tuple[int, ...]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the numbers of the rows and of the keys of a machine's prices, shape (columns,) each."""
        if machine not in self._numbers:
            scheme, technology, platform = machine
            keys = self._setup((scheme, technology, platform)).keys
            name = self.technologies[technology].name
            rows = [self._row_numbers[shared_row(key, name)] for key in keys]
            numbers = [self.price_keys[key] for key in keys]
            self._numbers[machine] = (np.array(rows, dtype=np.int32), np.array(numbers, dtype=np.int32))
        return self._numbers[machine]

    def _setup(self, key: tuple[int, int, int]) -> Setup:
        if key not in self._setups:
            self._setups[key] = tables(self.machine(*key), self.layout, self.by_parts, self.levels, self.by_units)
        return self._setups[key]

    @cached_property
    def by_parts(self) -> bool:
        """Whether any platform has a DRAM device."""
        return any(hardware.off_chip.device for by_scheme in self.platforms for _, hardware in by_scheme)

    @cached_property
    def by_units(self) -> bool:
        """Whether elements may be paid in units of a BitLinear."""
        return may_have_units(self.technologies, [hardware for row in self.platforms for _, hardware in row])

    @cached_property
    def levels(self) -> int:
        """Memory levels of the platform that has most."""
        platforms = (hardware.levels or {} for by_scheme in self.platforms for _, hardware in by_scheme)
        return max((sum(level.size_bytes > 0 for level in levels.values()) for levels in platforms), default=0)
