"""The fused attention of cases: the nests of their machines, in place of scores and values one after the other."""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.prices.functions import Function, functions
from bitjoule.energy_models.system.counting.columns import QUANTITIES
from bitjoule.energy_models.system.counting.row_table import ABSENT, RowTable
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.batches import at_once, shared_key
from bitjoule.energy_models.system.mappings.bounds import BOUNDS
from bitjoule.energy_models.system.mappings.fused_attention import NestCosts, best_nests, flat, tiles_at_most
from bitjoule.energy_models.system.mappings.mapping import MatmulProblem, Objective
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.energy_models.system.work.workload import RequestWork

SOFTMAX = "softmax"
PRODUCT_WIDTH = len(QUANTITIES) + 3 + len(BOUNDS)  # of one of the two: three times after the quantities
WIDTH = 2 * PRODUCT_WIDTH + 1


def fuse(
    layout: Layout, work: RequestWork, machines: Sequence[Machine], machine_index: Indices,
    resident: NDArray[np.bool_], reserved_bits: Floats, objective: Objective, moved: Floats, times: Floats,
) -> tuple[RequestWork, NDArray[np.bool_]]:  # fmt: skip
    """Replace scores and values by nests where the platform fuses them.

    Where no tile of a nest fits the buffers, the two products run one after the other.

    Parameters
    ----------
    layout, work
        Of the cases.
    machines, machine_index
        The machines, and the index of each case's.
    resident, reserved_bits
        Whether a matmul's activations stay in the buffer, and the bits of it that they take, shape (cases, phases,
        slots).
    objective
        What tiles are chosen for.
    moved, times
        Quantities of the matmuls, times included; cycles, compute cycles, off-chip bits, and cycles by what bounds
        them, of one of each, shape (values, cases, phases, slots). Changed in place.

    Returns
    -------
    RequestWork, NDArray[bool]
        The work with what the nests rescale; which matmuls are in a nest, shape (cases, phases, slots).
    """
    nested = np.zeros(work.sizes.m.shape, dtype=np.bool_)
    fused = np.array([machine.platform.attention == "fused" for machine in machines])[machine_index]
    if not fused.any():
        return work, nested
    sizes, parts = work.sizes, work.parts.copy()
    at_softmax = layout.elementwise.index(SOFTMAX)
    for first, second in layout.attention_pairs:
        fits = sizes.m[:, :, first] == sizes.m[:, :, second]
        fits &= (sizes.n[:, :, first] == sizes.k[:, :, second]) & (sizes.m[:, :, first] > 0) & fused[:, None]
        rows = np.stack(
            [
                np.broadcast_to(machine_index[:, None], fits.shape), sizes.m[:, :, first], sizes.k[:, :, first],
                sizes.n[:, :, first], sizes.n[:, :, second], resident[:, :, first], reserved_bits[:, :, first],
            ],
            axis=2,
        )[fits]  # fmt: skip
        unique, inverse = np.unique(rows, axis=0, return_inverse=True)
        kinds = (layout.kinds[layout.kind[first]], layout.kinds[layout.kind[second]])
        nests = np.empty((len(unique), WIDTH))
        for index in np.unique(unique[:, 0]).astype(int).tolist():
            of_machine = unique[:, 0] == index
            nests[of_machine] = _nests(machines[index], kinds, unique[of_machine, 1:], objective)
        nests = nests[inverse.reshape(-1)]
        mapped = ~np.isnan(nests[:, 0])
        fits[fits] = mapped
        found = nests[mapped]
        if not len(found):
            continue
        width = len(QUANTITIES) + len(times)
        for slot, columns in ((first, found[:, :width]), (second, found[:, width : 2 * width])):
            moved[fits, slot] = columns[:, : len(QUANTITIES)] * sizes.times[fits, slot][:, None]
            times[:, fits, slot] = columns[:, len(QUANTITIES) :].T
            nested[fits, slot] = True
        rescaled_rows = found[:, -1] * sizes.times[fits, first]
        values = sizes.n[fits, second]
        row, value = _rescaling()
        parts[fits, at_softmax] += rescaled_rows[:, None] * (row.per_element + values[:, None] * value.per_element)
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
        missing = np.unique(rows[numbers == ABSENT], axis=0)
        known.add(missing, _found_nests(machine, kinds, missing, objective))
        numbers = known.find(rows)
    return np.asarray(known.results[numbers])


def _found_nests(machine: Machine, kinds: tuple[MatmulKind, MatmulKind], rows: Floats, objective: Objective) -> Floats:
    """Return the best nests of different rows: those with the same places and prices are searched together."""
    results = np.full((len(rows), WIDTH), np.nan)
    groups: dict[tuple[Any, ...], list[tuple[int, MatmulProblem, MatmulProblem]]] = defaultdict(list)
    for i, (m, d, context, v, resident, reserved_bits) in enumerate(rows.tolist()):
        scores = machine.problem(kinds[0], m, d, context, bool(resident), reserved_bits)
        values = machine.problem(kinds[1], m, context, v, bool(resident), reserved_bits)
        opened = (machine.opened_bytes(kinds[0], d, context), machine.opened_bytes(kinds[1], context, v))
        groups[opened, shared_key(scores), shared_key(values)].append((i, scores, values))
    for (opened, *_), members in groups.items():
        costs = nest_costs(machine, *kinds, opened)
        for span in at_once([tiles_at_most(scores) for _, scores, _ in members]):
            numbers, first, second = zip(*members[span], strict=True)
            nests, mapped = best_nests(first, second, costs, objective)
            if nests is not None:
                results[np.array(numbers)[mapped]] = flat(nests, QUANTITIES)
    return results


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
