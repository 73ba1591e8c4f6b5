"""What whole requests cost on machines: every component, every operand's traffic at each level, time and bytes.

`System` holds the lists that cases index and remembers every mapping it has found; `System.evaluate` counts, prices and
times any number of cases as arrays. A case's matmuls run one after the other, its element-wise parts after them.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.block import Described
from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.phases import PHASES, Cases, Floats, Indices, Phase, all_steps
from bitjoule.energy_models.formats.formats import scaled, width_bits
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.papers.pricing import Energies
from bitjoule.energy_models.prices.functions import functions
from bitjoule.energy_models.prices.keys import shared_row
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.columns import (
    OTHERS,
    PART_STEPS,
    QUANTISATION,
    QUANTITIES,
    STEP_QUANTITY,
    CountColumn,
    Setup,
    columns,
    tables,
)
from bitjoule.energy_models.system.machine import Machine
from bitjoule.energy_models.system.mapping import Objective
from bitjoule.energy_models.system.platforms import Platform
from bitjoule.energy_models.system.quantities import quantities
from bitjoule.energy_models.system.search import search
from bitjoule.energy_models.system.workload import RequestWork, Switches, workload

BITS_PER_BYTE = 8


class Evaluated(NamedTuple):
    """Cases, counted, priced and timed.

    Parameters
    ----------
    counts
        Operations, bits moved, cycles of leakage; shape (cases, phases x columns), see `System.columns`.
    formats
        Index into `bitjoule.energy_models.formats.storage.counted_formats` of each count.
    energies
        Low, nominal and high, shape (cases, columns) each.
    price_keys
        Index into `System.price_keys` of each price.
    price_rows
        Number of the row that each price hangs on, for comparing within the bands.
    latency_s
        Shape (cases, phases).
    memory_bytes
        Weights, KV cache at its longest and activations at their peak, shape (cases,) each.
    """

    counts: Floats
    formats: NDArray[np.int16]
    energies: Energies
    price_keys: NDArray[np.int32]
    price_rows: NDArray[np.int32]
    latency_s: Floats
    memory_bytes: "Bytes"


class Bytes(NamedTuple):
    """What must be held, by what it is; shape (cases,) each.

    Parameters
    ----------
    weights_bytes
        The linears' weights, norms and biases.
    tables_bytes
        Embedding and, unless it is the same table, LM head.
    kv_cache_bytes
        At the end of the request.
    activations_bytes
        At their peak.
    """

    weights_bytes: Floats
    tables_bytes: Floats
    kv_cache_bytes: Floats
    activations_bytes: Floats

    @property
    def total(self) -> Floats:
        """All of it."""
        return self.weights_bytes + self.tables_bytes + self.kv_cache_bytes + self.activations_bytes


class System:
    """Everything that cases index, and what was found out about it.

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
    """

    def __init__(
        self,
        models: Sequence[Described],
        schemes: Sequence[Scheme],
        technologies: Sequence[Technology],
        platforms: Sequence[Sequence[tuple[str, Platform]]],
        objective: Objective = Objective.ENERGY,
        phases: Sequence[Phase] = PHASES,
    ) -> None:
        self.models, self.schemes, self.technologies, self.platforms = models, schemes, technologies, platforms
        self.objective, self.phases = objective, phases
        self.layout = Layout(models)
        self._machines: dict[tuple[int, int, int], Machine] = {}
        self._setups: dict[tuple[int, int, int], Setup] = {}
        self._mapped: dict[tuple[float, ...], Floats] = {}
        self._row_numbers: dict[str, int] = {"": 0}

    def machine(self, scheme: int, technology: int, platform: int) -> Machine:
        """Return a machine.

        Parameters
        ----------
        scheme, technology, platform
            Indices into the lists.
        """
        at = (scheme, technology, platform)
        if at not in self._machines:
            name, found = self.platforms[platform][scheme]
            self._machines[at] = Machine(self.schemes[scheme], found, self.technologies[technology], name)
        return self._machines[at]

    @cached_property
    def columns(self) -> tuple[CountColumn, ...]:
        """The columns of every phase."""
        return columns(self.layout, [phase.name for phase in self.phases])

    def evaluate(self, cases: Cases, technology: Indices, platform: Indices) -> Evaluated:
        """Count, price and time cases.

        Parameters
        ----------
        cases
            Arrays of shape (cases,).
        technology, platform
            Indices of each case.
        """
        code = np.ravel_multi_index(
            (cases.scheme, technology, platform),
            (len(self.schemes), len(self.technologies), len(self.platforms)),
        )
        used, which = np.unique(code, return_inverse=True)
        at = [
            tuple(int(i) for i in index)
            for index in zip(
                *np.unravel_index(used, (len(self.schemes), len(self.technologies), len(self.platforms))), strict=True
            )
        ]
        setups = [self._setup((s, t, p)) for s, t, p in at]
        rows = [self._rows(setup, self.technologies[t].name) for setup, (_, t, _) in zip(setups, at, strict=True)]
        keys = [np.array([self.price_keys[key] for key in setup.keys], dtype=np.int32) for setup in setups]
        machines = [self.machine(s, t, p) for s, t, p in at]
        layout = self.layout
        asked = workload(layout, cases, all_steps(self.phases, cases), _switches(machines, which))
        vector_bits = np.array([machine.vector_bits for machine in machines], dtype=np.float64)[which]
        held_bits = np.repeat((asked.live * vector_bits[:, None])[:, :, None], len(layout.kind), axis=2)
        head = self._head  # takes each sequence's last token only
        held_bits[:, :, head] = (asked.sizes.m * asked.sizes.k)[:, :, head] * vector_bits[:, None, None]
        room = np.array([setup.capacity_bits - setup.margin_bits for setup in setups])[which]
        models = ~layout.standalone[cases.model]
        resident = (held_bits <= room[:, None, None]) & models[:, None, None]
        spilled = (asked.live * vector_bits[:, None] > room[:, None]) & models[:, None]

        moved, cycles = self._matmuls(asked, used, which, setups, machines, resident, held_bits)
        factors = np.stack([setup.factors for setup in setups])[which]
        matmul_counts = self._by_component(moved[..., STEP_QUANTITY] * factors[:, None])
        part_counts, query_counts = self._elementwise(asked, setups, which)
        operations = asked.parts[..., :2].sum(axis=(2, 3))
        other_counts, off_chip_bits = _others(asked, machines, which, spilled)
        lanes, a_cycle, width = (
            np.array(column)[which][:, None]
            for column in zip(
                *((m.platform.vector.lanes, m.off_chip_bits, m.width_bits) for m in machines), strict=True
            )
        )
        moved_bits = np.maximum(part_counts[..., 2].sum(axis=2), part_counts[..., 3].sum(axis=2) + query_counts)
        moved_bits = moved_bits + other_counts[..., OTHERS.index(("kv_cache_write", "keys_values", "buffer_read"))]
        slowest = np.maximum(np.maximum(operations / lanes, off_chip_bits / a_cycle), moved_bits / width)
        cycles = np.ceil(cycles + slowest)
        other_counts = np.concatenate([other_counts, query_counts[..., None], cycles[..., None]], axis=2)
        size = (len(cases.model), len(self.phases), -1)
        count = np.concatenate(
            [matmul_counts.reshape(size), part_counts.reshape(size), other_counts.reshape(size)], axis=2
        )
        prices = np.stack([setup.prices for setup in setups], axis=1)[:, which]
        energies = Energies(*((count * end[:, None, :]).reshape(len(count), -1) for end in prices))
        clock_mhz = np.array([machine.node.clock_mhz for machine in machines])[which]
        each = (1, len(self.phases))
        return Evaluated(
            count.reshape(len(count), -1),
            np.tile(np.stack([setup.formats for setup in setups])[which], each),
            energies,
            np.tile(np.stack(keys)[which], each),
            np.tile(np.stack(rows)[which], each),
            cycles / clock_mhz[:, None] / 1e6,
            self._bytes(cases, asked, machines, which, vector_bits),
        )

    def _matmuls(
        self, asked: RequestWork, used: Indices, which: Indices, setups: Sequence[Setup], machines: Sequence[Machine],
        resident: NDArray[np.bool_], held_bits: Floats,
    ) -> tuple[Floats, Floats]:  # fmt: skip
        """Return the quantities of every matmul, times included, and the cycles of each phase.

        What stays on chip beside a matmul is `held_bits` where it is `resident`; the matmul has the rest of the buffer.
        """
        sizes = asked.sizes
        shared = np.array([setup.shared for setup in setups])[which]
        reserves = resident & (shared[:, None, None] | self._fused)
        there = sizes.m > 0
        kinds = np.broadcast_to(self.layout.kind, there.shape)
        rows = np.stack(
            [
                np.broadcast_to(used[which][:, None, None], there.shape)[there], kinds[there], sizes.m[there],
                sizes.k[there], sizes.n[there], resident[there], (held_bits * reserves)[there],
            ],
            axis=1,
        )  # fmt: skip
        unique, inverse = np.unique(rows, axis=0, return_inverse=True)
        own = dict(zip(used.tolist(), machines, strict=True))
        found = np.empty((len(unique), len(QUANTITIES) + 1))
        for i, row in enumerate(map(tuple, unique.tolist())):
            if row not in self._mapped:
                self._mapped[row] = self._quantities(own[int(row[0])], row)
            found[i] = self._mapped[row]
        moved = np.zeros((*there.shape, len(QUANTITIES)))
        moved[there] = found[inverse.reshape(-1), :-1]
        moved[..., QUANTITIES.index("biases")] = sizes.m * sizes.n * sizes.bias
        moved *= sizes.times[..., None]
        cycles = np.zeros(there.shape)
        cycles[there] = found[inverse.reshape(-1), -1]
        return moved, (cycles * sizes.times).sum(axis=2)

    def _elementwise(self, asked: RequestWork, setups: Sequence[Setup], which: Indices) -> tuple[Floats, Floats]:
        """Return operations and bits of the element-wise parts, and the bits of queries written in another format."""
        bits = np.stack([setup.bits for setup in setups])[which][:, None]
        query_bits = np.array([setup.query_bits for setup in setups])[which][:, None]
        counts = asked.parts * bits
        apart = (self.layout.elementwise.index(QUANTISATION), PART_STEPS.index("buffer_write"))
        counts[(..., *apart)] -= asked.queries_written * (query_bits > 0) * bits[(..., *apart)]
        return counts, asked.queries_written * query_bits

    def _quantities(self, machine: Machine, row: tuple[float, ...]) -> Floats:
        """Return the quantities of one matmul and its cycles."""
        _, index, m, k, n, resident, reserved_bits = row
        kind = self.layout.kinds[int(index)]
        problem = machine.problem(kind, m, k, n, bool(resident), reserved_bits)
        mapping = search(problem, self.objective)
        if mapping is None:  # the platform's own check and `resident` keep this from happening
            raise ValueError(f"no tile of {m:g} x {k:g} x {n:g} fits platform {machine.name}")
        return quantities(machine.array(kind)[0], problem, mapping)

    def _bytes(
        self, cases: Cases, asked: RequestWork, machines: Sequence[Machine], which: Indices, vector_bits: Floats
    ) -> Bytes:
        values = {name: stored[cases.model] for name, stored in self.layout.stored.items()}
        bits = [
            tuple(machine.scheme.stored(part).bits for part in ("weight_storage", "embedding", "lm_head", "kv_cache"))
            for machine in machines
        ]
        weights, table, head, cached = (np.array(column)[which] for column in zip(*bits, strict=True))
        stored_bits = values["weights"] * weights + values["other"] * vector_bits
        table_bits = values["embedding"] * table + values["lm_head"] * head
        standalone = self.layout.standalone[cases.model]
        bare = asked.sizes.m * (asked.sizes.k + asked.sizes.n) * standalone[:, None, None]
        width = np.array([width_bits(machine.scheme.activations) for machine in machines], dtype=np.float64)[which]
        live_bits = np.maximum(asked.live.max(axis=1), asked.logits) * vector_bits + bare.sum(axis=(1, 2)) * width
        held = (stored_bits, table_bits, asked.cached.sum(axis=1) * cached, live_bits)
        return Bytes(*(bits / BITS_PER_BYTE for bits in held))

    @cached_property
    def _head(self) -> NDArray[np.bool_]:
        return self.layout.of_kind("head")

    @cached_property
    def _fused(self) -> NDArray[np.bool_]:
        return self.layout.flag("fused")

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
        every = np.ndindex(len(self.schemes), len(self.technologies), len(self.platforms))
        keys = dict.fromkeys(key for s, t, p in every for key in self._setup((s, t, p)).keys)
        return {key: number for number, key in enumerate(keys)}

    def _rows(self, setup: Setup, technology: str) -> NDArray[np.int32]:
        numbers = self._row_numbers
        rows = (shared_row(key, technology) for key in setup.keys)
        return np.array([numbers.setdefault(row, len(numbers)) for row in rows], dtype=np.int32)

    def _setup(self, at: tuple[int, int, int]) -> Setup:
        if at not in self._setups:
            self._setups[at] = tables(self.machine(*at), self.layout)
        return self._setups[at]


def _switches(machines: Sequence[Machine], which: Indices) -> Switches:
    rows = []
    for machine in machines:
        scheme = machine.scheme
        grouped = scheme.stored("weight_storage").group if scheme.quantises_activations else 0
        rows.append(
            (
                float(machine.platform.skips_masked_pairs),
                float(scheme.quantised and scheme.quantises_activations),
                float(scaled(scheme.attention_operands[1])),
                float(scheme.quantised),
                float(grouped),
            )
        )
    return Switches(*(np.array(column)[which] for column in zip(*rows, strict=True)))


def _others(
    asked: RequestWork, machines: Sequence[Machine], which: Indices, spilled: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Return the counts of `OTHERS` but the last two, shape (cases, phases, others), and each phase's bits off-chip."""
    rows = []
    each = functions()["quantisation"]
    for machine in machines:
        scheme = machine.scheme
        cache = scheme.stored("kv_cache")
        quantises = scaled(cache.holds)
        rows.append(
            (
                scheme.stored("embedding").bits, machine.vector_bits, width_bits(scheme.activations),
                each.mul * quantises, each.add * quantises, cache.bits,
            )
        )  # fmt: skip
    table, vector, width, mul, add, cached = (np.array(column)[which][:, None] for column in zip(*rows, strict=True))
    embedded, written = asked.embedded * table, asked.cached * cached
    between = [
        asked.activations_read * vector * spilled,
        asked.residual_written * vector * spilled,
        asked.inputs_written * width * spilled,
    ]
    counts = [embedded, *between, asked.cached * mul, asked.cached * add, asked.cached * vector, written]
    return np.stack(counts, axis=2), embedded + sum(between) + written
