"""The time of a phase by component, and by what bounds it.

What is not a matmul takes as long as the slowest of vector unit, buffer and off-chip memory needs for all of it; each
component takes the share of these cycles that it has of the slowest's work.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.system.counting.columns import OTHERS, QUANTISATION
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.bounds import BOUNDS, LATENCY, by_bound
from bitjoule.energy_models.system.work.units import vector_operations
from bitjoule.energy_models.system.work.workload import RequestWork

RESOURCE = {"buffer_read": 1, "off_chip_read": 2, "off_chip_write": 2}  # that an action of `OTHERS` keeps busy
BUFFER, OFF_CHIP = BOUNDS.index("buffer"), BOUNDS.index("off_chip")
# Components that are neither a matmul nor element-wise.
BETWEEN = ("kv_cache_read", "kv_cache_write", "spilled_activations")


class Times(NamedTuple):
    """Where the time of cases goes.

    Parameters
    ----------
    seconds
        By component and by what bounds it, shape (cases, phases, components, `BOUNDS`); the components are those of
        `components`. Their sum is the latency of the phase.
    macs
        Of each matmul component, shape (cases, phases, matmuls).
    busy
        Seconds that each component keeps each resource busy at its peak, shape (cases, phases, components,
        `bitjoule.energy_models.system.counting.utilisation.RESOURCES`).
    """

    seconds: Floats
    macs: Floats
    busy: Floats


class Rest(NamedTuple):
    """The cycles of what is not a matmul.

    Parameters
    ----------
    cycles
        Of a phase, shape (cases, phases).
    by_component
        The same by component and by what bounds it, shape (cases, phases, components, `BOUNDS`).
    reading
        Whether the buffer is busy reading for longer than writing, shape (cases, phases).
    work, bounds
        Work of each resource, shape (cases, phases, resources), and `cycles` by what bounds them. With memory levels,
        the off-chip bits are those that the level nearest to the buffers is asked for.
    by_level
        Where a memory level bounds them, which then counts as a buffer, shape (cases, phases); none without levels.
    """

    cycles: Floats
    by_component: Floats
    reading: NDArray[np.bool_]
    work: Floats
    bounds: Floats
    by_level: NDArray[np.bool_] | None = None


def components(layout: Layout) -> tuple[str, ...]:
    """Return the components that take time, in the order of `Times.seconds`: the matmuls first.

    Parameters
    ----------
    layout
        Of the models.
    """
    return (*layout.matmuls, *layout.elementwise, *BETWEEN)


def rest_of(
    layout: Layout, work: RequestWork, parts: Floats, queries: Floats, others: Floats, off_chip_bits: Floats,
    machines: Sequence[Machine], machine_index: Indices, beyond: tuple[Floats, Floats] | None = None,
) -> Rest:  # fmt: skip
    """Return the cycles of what is not a matmul.

    Parameters
    ----------
    layout, work
        Of the cases.
    parts
        Operations and bits of each element-wise component, shape (cases, phases, components, `PART_STEPS`).
    queries
        Bits of queries that are written in another format, shape (cases, phases).
    others
        Counts of the first of `OTHERS`, shape (cases, phases, others).
    off_chip_bits
        That cross the chip's edge, or with memory levels, that the buffers ask for; shape (cases, phases).
    machines, machine_index
        The machines, and the index of each case's.
    beyond
        With memory levels, the bits that cross the chip's edge, and the cycles of the slowest level, shape (cases,
        phases) each.
    """
    rates = [(m.platform.vector.lanes, m.width_bits, m.off_chip_bits) for m in machines]
    lanes, width, bits_per_cycle = (np.array(column)[machine_index][:, None] for column in zip(*rates, strict=True))
    read, written = parts[..., 2].sum(axis=2), parts[..., 3].sum(axis=2) + queries
    cached = others[..., OTHERS.index(("kv_cache_write", "keys_values", "buffer_read"))]
    operations = work.parts[..., :2].sum(axis=(2, 3))
    if work.in_units is not None:
        operations += np.sum(vector_operations(layout, work.in_units), axis=2)
    totals = (operations, np.maximum(read, written) + cached, off_chip_bits)
    needed = [total / rate for total, rate in zip(totals, (lanes, width, bits_per_cycle), strict=True)]
    by_level = None
    if beyond is not None:  # levels and off-chip memory move the same bits: each component has the same share of both
        needed[2] = np.maximum(beyond[0] / bits_per_cycle, beyond[1])
        by_level = beyond[1] > beyond[0] / bits_per_cycle
    cycles = np.maximum(np.maximum(needed[0], needed[2]), needed[1])

    bounds = by_bound(cycles, *needed)
    rest = Rest(cycles, np.empty(0), read >= written, np.stack(totals, axis=-1), bounds, by_level)
    return rest._replace(by_component=cycles_by_component(layout, rest, work, parts, queries, others))


def cycles_by_component(
    layout: Layout, rest: Rest, work: RequestWork, parts: Floats, queries: Floats, others: Floats
) -> Floats:
    """Return the cycles of each component that is not a matmul, its share of what keeps the slowest resource busy.

    Parameters
    ----------
    layout, work, parts, queries, others
        As for `rest_of`; of all blocks, or of one of them.
    rest
        Of all blocks, without `by_component`.

    Returns
    -------
    Floats
        By what bounds them, shape (cases, phases, components, `BOUNDS`).
    """
    count = len(layout.elementwise)
    own = np.zeros((*rest.cycles.shape, count + len(BETWEEN), LATENCY))  # of each resource's work
    own[:, :, :count, 0] = work.parts[..., :2].sum(axis=3) + vector_operations(layout, work.in_units)
    own[:, :, :count, 1] = np.where(rest.reading[..., None], parts[..., 2], parts[..., 3])
    own[:, :, layout.elementwise.index(QUANTISATION), 1] += queries * ~rest.reading
    names = components(layout)[len(layout.matmuls) :]
    for i, (component, _, action) in enumerate(OTHERS[: others.shape[2]]):
        if action in RESOURCE:
            own[:, :, names.index(component), RESOURCE[action]] += others[:, :, i]
    shares = own / np.where(rest.work > 0, rest.work, 1)[:, :, None]
    by_component = np.zeros((*own.shape[:3], len(BOUNDS)))
    by_component[..., :LATENCY] = shares * rest.bounds[:, :, None, :LATENCY]
    if rest.by_level is not None:
        of_levels = by_component[..., OFF_CHIP] * rest.by_level[..., None]
        by_component[..., BUFFER] += of_levels
        by_component[..., OFF_CHIP] -= of_levels
    return by_component


def seconds_per_cycle(parts: Floats, cycles: Floats, clock_mhz: Floats) -> Floats:
    """Return the seconds of a cycle of components, shape (cases, phases).

    Parameters
    ----------
    parts
        Cycles of all components by what bounds them, shape (cases, phases, components, `BOUNDS`).
    cycles, clock_mhz
        As for `times_of`.
    """
    total = parts.sum(axis=(2, 3))
    whole = np.divide(cycles, total, out=np.ones_like(total), where=total > 0)
    return np.asarray(whole / clock_mhz[:, None] / 1e6)


def times_of(matmuls: Floats, rest: Rest, cycles: Floats, clock_mhz: Floats, macs: Floats, busy: Floats) -> Times:
    """Return where the time of cases goes.

    Parameters
    ----------
    matmuls
        Cycles of each matmul component by what bounds them, shape (cases, phases, matmuls, `BOUNDS`).
    rest
        Of what is not a matmul.
    cycles
        Of each phase, shape (cases, phases). A phase takes whole cycles; its components have the last one in
        proportion.
    clock_mhz
        Of each case's machine, shape (cases,).
    macs
        As of `Times`.
    busy
        Cycles that each component keeps each resource busy, of the shape that `Times` has.
    """
    parts = np.concatenate([matmuls, rest.by_component], axis=2)
    parts *= seconds_per_cycle(parts, cycles, clock_mhz)[:, :, None, None]
    busy_s = busy / clock_mhz[:, None, None, None]
    busy_s /= 1e6
    return Times(parts, macs, busy_s)


def array_names(machine: Machine, layout: Layout) -> tuple[str, ...]:
    """Return the name of the array that runs each matmul component; empty for those that no model has.

    Parameters
    ----------
    machine
        The machine.
    layout
        Of the models.
    """
    kinds = (layout.kind_of.get(component) for component in layout.matmuls)
    return tuple("" if kind is None else machine.array_name(kind) for kind in kinds)
