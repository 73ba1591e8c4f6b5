"""The fused attention of cases: the nests of their machines, in place of scores and values one after the other."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.prices.functions import Function, functions
from bitjoule.energy_models.system.counting.columns import QUANTITIES
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.fused_attention import NestCosts, best_nest, flat
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.energy_models.system.work.workload import RequestWork

SOFTMAX = "softmax"


def fuse(
    layout: Layout, work: RequestWork, machines: Sequence[Machine], machine_index: Indices,
    resident: NDArray[np.bool_], reserved_bits: Floats, objective: Objective, moved: Floats, times: Floats,
) -> RequestWork:  # fmt: skip
    """Replace scores and values by nests where the platform fuses them, and return the work with what they rescale.

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
    """
    fused = np.array([machine.platform.attention == "fused" for machine in machines])[machine_index]
    if not fused.any():
        return work
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
        nests = [_nest(machines[int(row[0])], kinds, tuple(row[1:]), objective) for row in unique.tolist()]
        fits[fits] = np.array([nest is not None for nest in nests], dtype=np.bool_)[inverse.reshape(-1)]
        found = np.array([nests[i] for i in inverse.reshape(-1) if nests[i] is not None])
        if not len(found):
            continue
        width = len(QUANTITIES) + len(times)
        for slot, columns in ((first, found[:, :width]), (second, found[:, width : 2 * width])):
            moved[fits, slot] = columns[:, : len(QUANTITIES)] * sizes.times[fits, slot][:, None]
            times[:, fits, slot] = columns[:, len(QUANTITIES) :].T
        rescaled_rows = found[:, -1] * sizes.times[fits, first]
        values = sizes.n[fits, second]
        row, value = _rescaling()
        parts[fits, at_softmax] += rescaled_rows[:, None] * (row.per_element + values[:, None] * value.per_element)
    return work._replace(parts=parts)


def _rescaling() -> tuple[Function, Function]:
    """Return the work for each query, and for each running sum, of a tile of keys after the first."""
    return functions()["softmax_row"], functions()["softmax_rescale"]


@lru_cache(maxsize=1 << 16)
def _nest(
    machine: Machine, kinds: tuple[MatmulKind, MatmulKind], row: tuple[float, ...], objective: Objective
) -> Floats | None:
    """Return the best nest, or none if no tile fits."""
    m, d, context, v, resident, reserved_bits = row
    scores = machine.problem(kinds[0], m, d, context, bool(resident), reserved_bits)
    values = machine.problem(kinds[1], m, context, v, bool(resident), reserved_bits)
    opened = (machine.opened_bytes(kinds[0], d, context), machine.opened_bytes(kinds[1], context, v))
    nest = best_nest(scores, values, nest_costs(machine, *kinds, opened), objective)
    return None if nest is None else flat(nest, QUANTITIES)


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
