"""The fused attention of cases: the nests of their machines, in place of scores and values one after the other."""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.prices.functions import Function, functions
from bitjoule.energy_models.system.counting.columns import QUANTITIES
from bitjoule.energy_models.system.counting.row_table import ABSENT, RowTable, distinct
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.batches import Batch, at_once
from bitjoule.energy_models.system.mappings.bounds import BOUNDS
from bitjoule.energy_models.system.mappings.fused_attention import NestCosts, best_nests, flat, tiles_at_most
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.energy_models.system.work.workload import RequestWork, SlotSizes

SOFTMAX = "softmax"
PRODUCT_WIDTH = len(QUANTITIES) + 3 + len(BOUNDS)  # of one of the two: three times after the quantities
WIDTH = 2 * PRODUCT_WIDTH + 1


class FusedPair(NamedTuple):
    """The nests that replace two matmuls of some cases.

    Parameters
    ----------
    first, second
        Slots of scores and of values.
    where
        The phases that have one, shape (cases, phases).
    nests
        Of each of these, shape (nests, `WIDTH`).
    """

    first: int
    second: int
    where: NDArray[np.bool_]
    nests: Floats


def fused_pairs(
    layout: Layout, sizes: SlotSizes, machines: Sequence[Machine], machine_index: Indices,
    resident: NDArray[np.bool_], reserved_bits: Floats, objective: Objective,
) -> list[FusedPair]:  # fmt: skip
    """Return the nests that replace scores and values where the platform fuses them.

    Where no tile of a nest fits the buffers, the two products run one after the other.

    Parameters
    ----------
    layout, sizes
        Of the cases.
    machines, machine_index
        The machines, and the index of each case's.
    resident, reserved_bits
        Whether a matmul's activations stay in the buffer, and the bits of it that they take, shape (cases, phases,
        slots).
    objective
        What tiles are chosen for.
    """
    fused = np.array([machine.platform.attention == "fused" for machine in machines])[machine_index]
    pairs: list[FusedPair] = []
    for first, second in layout.attention_pairs if fused.any() else ():
        fits = sizes.m[:, :, first] == sizes.m[:, :, second]
        fits &= (sizes.n[:, :, first] == sizes.k[:, :, second]) & (sizes.m[:, :, first] > 0) & fused[:, None]
        values = (
            sizes.m[:, :, first], sizes.k[:, :, first], sizes.n[:, :, first], sizes.n[:, :, second],
            resident[:, :, first], reserved_bits[:, :, first],
        )  # fmt: skip
        rows = np.stack([value[fits] for value in values], axis=1)
        machine_of_row = np.broadcast_to(machine_index[:, None], fits.shape)[fits]
        kinds = (layout.kinds[layout.kind[first]], layout.kinds[layout.kind[second]])
        nests = np.empty((len(rows), WIDTH))
        for index in range(len(machines)):
            of_machine = np.flatnonzero(machine_of_row == index)
            if len(of_machine):
                nests[of_machine] = _nests(machines[index], kinds, rows[of_machine], objective)
        mapped = ~np.isnan(nests[:, 0])
        if mapped.any():
            fits[fits] = mapped
            pairs.append(FusedPair(first, second, fits, nests[mapped]))
    return pairs


def fuse(
    layout: Layout, work: RequestWork, pairs: Sequence[FusedPair], moved: Floats, times: Floats
) -> tuple[RequestWork, NDArray[np.bool_]]:
    """Put nests in place of scores and values, and return the work with what they rescale.

    Parameters
    ----------
    layout, work
        Of the cases.
    pairs
        From `fused_pairs`.
    moved, times
        Quantities of the matmuls, times included; cycles, compute cycles, off-chip bits, and cycles by what bounds
        them, of one of each, shape (values, cases, phases, slots). Changed in place.

    Returns
    -------
    RequestWork, NDArray[bool]
        The work with what the nests rescale; which matmuls are in a nest, shape (cases, phases, slots).
    """
    nested = np.zeros(work.sizes.m.shape, dtype=np.bool_)
    if not pairs:
        return work, nested
    sizes, parts = work.sizes, work.parts.copy()
    at_softmax = layout.elementwise.index(SOFTMAX)
    for first, second, where, found in pairs:
        width = len(QUANTITIES) + len(times)
        for slot, columns in ((first, found[:, :width]), (second, found[:, width : 2 * width])):
            moved[where, slot] = columns[:, : len(QUANTITIES)] * sizes.times[where, slot][:, None]
            times[:, where, slot] = columns[:, len(QUANTITIES) :].T
            nested[where, slot] = True
        rescaled_rows = found[:, -1] * sizes.times[where, first]
        values = sizes.n[where, second]
        row, value = _rescaling()
        parts[where, at_softmax] += rescaled_rows[:, None] * (row.per_element + values[:, None] * value.per_element)
    return work._replace(parts=parts), nested


def _rescaling() -> tuple[Function, Function]:
    """Return the work for each query, and for each running sum, of a tile of keys after the first."""
    return functions()["softmax_row"], functions()["softmax_rescale"]


@lru_cache(maxsize=1 << 10)
def _known_nests(*_: Machine | tuple[MatmulKind, MatmulKind] | Objective) -> RowTable:
    """Return the best nests of a machine, kinds and objective that are known, by their sizes; NaN where none fits."""
    return RowTable()


def _nests(machine: Machine, kinds: tuple[MatmulKind, MatmulKind], rows: Floats, objective: Objective) -> Floats:
    """Return the best nest of each row, shape (rows, values); NaN where no tile fits."""
    known = _known_nests(machine, kinds, objective)
    numbers = known.find(rows)
    if (numbers == ABSENT).any():
        missing = distinct(rows[numbers == ABSENT])
        known.add(missing, _found_nests(machine, kinds, missing, objective))
        numbers = known.find(rows)
    return np.asarray(known.results[numbers])


def _found_nests(machine: Machine, kinds: tuple[MatmulKind, MatmulKind], rows: Floats, objective: Objective) -> Floats:
    """Return the best nests of different rows: those with the same places and prices are searched together."""
    results = np.full((len(rows), WIDTH), np.nan)
    m, d, context, v, resident, _ = rows.T
    opened = zip(
        _opened_bytes(machine, kinds[0], d, context), _opened_bytes(machine, kinds[1], context, v), strict=True
    )
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for i, key in enumerate(zip(opened, resident.tolist(), np.minimum(m, 2).tolist(), strict=True)):
        groups[key].append(i)
    for (of_rows, *_), members in groups.items():
        costs, depth = nest_costs(machine, *kinds, of_rows), machine.array(kinds[0])[0].accumulators.depth
        for span in at_once([tiles_at_most(queries, depth) for queries in m[members].tolist()]):
            numbers = np.array(members[span])
            scores = _batch(machine, kinds[0], rows[numbers], d[numbers], context[numbers])
            values = _batch(machine, kinds[1], rows[numbers], context[numbers], v[numbers])
            nests, mapped = best_nests(scores, values, costs, objective)
            if nests is not None:
                results[numbers[mapped]] = flat(nests, QUANTITIES)
    return results


def _opened_bytes(machine: Machine, kind: MatmulKind, k: Floats, n: Floats) -> list[float | None]:
    """Return `Machine.opened_bytes` of several matmuls."""
    if machine.dram is None:
        return [None] * len(k)
    return [machine.opened_bytes(kind, *size) for size in zip(k.tolist(), n.tolist(), strict=True)]


def _batch(machine: Machine, kind: MatmulKind, rows: Floats, k: Floats, n: Floats) -> Batch:
    """Return a product of nests with one `shared_key`; without what every mapping spends."""
    m, reserved_bits = rows[:, 0], rows[:, -1]
    one = machine.problem(kind, float(m[0]), float(k[0]), float(n[0]), bool(rows[0, -2]), 0.0)
    capacity = tuple(
        bits - reserved_bits if i == one.outputs.buffer else bits for i, bits in enumerate(one.capacity_bits)
    )
    of_rows: dict[str, Any] = {"m": m, "k": k, "n": n, "capacity_bits": capacity}
    return Batch.filled(one._replace(**of_rows, costs=one.costs._replace(fixed_pj=0.0)))


@lru_cache(maxsize=256)
def nest_costs(
    machine: Machine,
    scores: MatmulKind,
    values: MatmulKind,
    opened_bytes: tuple[float | None, float | None] = (None, None),
) -> NestCosts:
    """Return the energies by which a machine's nests are chosen.

    Parameters
    ----------
    machine
        Where they run.
    scores, values
        What the products are for.
    opened_bytes
        As for `Machine.lines`, of keys and of values.
    """

    def by_quantity(kind: MatmulKind, opened: float | None) -> tuple[tuple[str, float], ...]:
        totals = dict.fromkeys(QUANTITIES, 0.0)
        for step, line in machine.lines(kind, opened).items():
            totals[step.quantity] += line.factor * line.price.nominal_pj
        return tuple(totals.items())

    vector = machine.scheme.vector
    moved_pj = [machine.access(f"buffer_{way}", "activations")[0].nominal_pj for way in ("read", "write")]
    amounts = [machine.operation(action, vector).nominal_pj for action in ("mul", "add")]
    amounts += [pj * machine.vector_bits for pj in moved_pj]
    row_pj, rescaled_pj = (float(function.per_element @ amounts) for function in _rescaling())
    array, _ = machine.array(scores)
    terms = 1 if array.accumulators.per == "pe" else array.lanes
    of_scores, of_values = by_quantity(scores, opened_bytes[0]), by_quantity(values, opened_bytes[1])
    return NestCosts(of_scores, of_values, rescaled_pj, row_pj, terms)
