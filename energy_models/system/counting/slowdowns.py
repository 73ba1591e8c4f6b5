"""The cycles that the overheads of a platform add: of matmuls, and of whole steps.

A matmul takes as long as the slowest of its array at the share of its peak that is reached, the unpacking of its
weights, the buffers and off-chip memory; then a launch, and a time for each output. Units that unpack and compute in
turn take the sum of both. Where a platform says how well they overlap (`unpack_overlap`), unpacking and the slowest of
the others take longer than the longer of them. A step takes a fixed time more, and a time for each sequence.

Copies of an array work on all matrices of a launch at once, such as those of all heads and sequences: they fill and
drain once for them.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.phases import Cases, Floats, Indices, Steps
from bitjoule.energy_models.system.counting.times import Times
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.bounds import BOUNDS, LATENCY
from bitjoule.energy_models.system.platform.overheads import Overheads
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.energy_models.system.work.workload import SlotSizes

CYCLES, COMPUTING = 0, 1  # of the times of a matmul; those by what bounds them are the last
COMPUTE = BOUNDS.index("compute")
US_PER_NS = 1e-3
NONE = Overheads()


def has_overheads(machine: Machine) -> bool:
    """Return whether anything of a machine takes longer than its counted work.

    Parameters
    ----------
    machine
        The machine.
    """
    platform = machine.platform
    return platform.overheads is not None or any(
        array.achieved_share < 1 or array.copies > 1 for array in platform.arrays.values()
    )


class _Rates(NamedTuple):
    """Of one machine, by slot: cycles to unpack a weight, share of the peak, copies or not, cycles of an output.

    Then the cycles of a launch, and the overlap.
    """

    weight_cycles: Floats
    share: Floats
    copied: Floats
    output_cycles: Floats
    launch_cycles: float
    overlap: float


def slow_matmuls(
    layout: Layout, cases: Cases, steps: Steps, sizes: SlotSizes, machines: Sequence[Machine], machine_index: Indices,
    times: Floats,
) -> None:  # fmt: skip
    """Add what the overheads take to the times of matmuls.

    Parameters
    ----------
    layout, cases, steps, sizes
        Of the cases.
    machines, machine_index
        The machines, and the index of each case's.
    times
        Of one of each matmul: cycles, compute cycles, off-chip bits, cycles by what bounds them; shape (values, cases,
        phases, slots). Changed in place.
    """
    if not any(map(has_overheads, machines)):
        return
    rates = [_rates(layout, machine) for machine in machines]
    by_slot = list(zip(*rates, strict=True))[:4]
    weight_cycles, share, copied, output_cycles = (np.stack(column)[machine_index][:, None] for column in by_slot)
    launch = np.array([rate.launch_cycles for rate in rates])[machine_index][:, None, None]
    bounds = times[-len(BOUNDS) :]
    slowest = bounds[:LATENCY].sum(axis=0)  # all of them in the one that bounds
    overlap = np.array([rate.overlap for rate in rates])[machine_index][:, None, None]
    computing, unpacking = times[COMPUTING] / share, sizes.k * sizes.n * weight_cycles
    in_turn = np.array([(machine.platform.overheads or NONE).unpack_in_turn for machine in machines])
    unpacking += computing * in_turn[machine_index][:, None, None] * (unpacking > 0)
    needed = np.maximum(computing, _overlapping(unpacking, np.maximum(slowest, computing), overlap))
    longer = needed > slowest
    bounds[:LATENCY] *= ~longer
    bounds[COMPUTE] = np.where(longer, needed, bounds[COMPUTE])
    times[CYCLES] += np.where(longer, needed - slowest, 0.0)
    times[COMPUTING] = needed
    launches, fills = _launches(layout, cases, steps, sizes)
    if copied.any():
        together = bounds[LATENCY] * copied * (1 - np.minimum(fills, 1.0))
        times[CYCLES] -= together
        bounds[LATENCY] -= together
    launched = launch * launches + output_cycles * sizes.m * sizes.n
    times[CYCLES] += launched
    bounds[LATENCY] += launched


def _overlapping(unpacking: Floats, rest: Floats, overlap: Floats) -> Floats:
    """Return the cycles of unpacking, with those by which it makes the rest of a matmul longer."""
    if np.isinf(overlap).all():
        return unpacking
    most = np.maximum(unpacking, rest)
    scale = np.where(most > 0, most, 1.0)
    finite = np.where(np.isinf(overlap), 1.0, overlap)
    together = scale * ((unpacking / scale) ** finite + (rest / scale) ** finite) ** (1 / finite)
    return np.where((unpacking > 0) & ~np.isinf(overlap), together, unpacking)


def _launches(layout: Layout, cases: Cases, steps: Steps, sizes: SlotSizes) -> tuple[Floats, Floats]:
    """Return the launches of one of each matmul, and how often copies of an array fill for one.

    Both are less than 1 for experts, which share a launch. The products of attention have no launch of their own; in a
    layer, they fill once for those of all heads and sequences.
    """
    launches, fills = np.zeros((2, *sizes.m.shape))
    for model, chosen in layout.groups(cases.model):
        runs = steps.repeats[chosen][:, :, None] * model.repeats
        if isinstance(chosen, slice):
            launches[chosen][:, :, model.slot] = runs
        else:
            launches[chosen[:, None, None], np.arange(runs.shape[1])[:, None], model.slot] = runs
        for slot, _, repeats in model.products:
            fills[chosen, :, slot] = steps.repeats[chosen] * repeats
    fills += launches
    shares = [
        np.divide(each, sizes.times, out=np.zeros_like(each), where=sizes.times > 0) for each in (launches, fills)
    ]
    return shares[0], shares[1]


def unpacking_cycles(layout: Layout, sizes: SlotSizes, machines: Sequence[Machine], machine_index: Indices) -> Floats:
    """Return the cycles in which the weights of all runs of matmuls are unpacked, shape (cases, phases, slots).

    Parameters
    ----------
    layout, sizes
        Of the cases.
    machines, machine_index
        The machines, and the index of each case's.
    """
    if all(machine.platform.overheads is None for machine in machines):
        return np.zeros(sizes.m.shape)
    cycles = np.stack([_rates(layout, machine).weight_cycles for machine in machines])[machine_index][:, None]
    return np.asarray(sizes.k * sizes.n * sizes.times * cycles)


def _rates(layout: Layout, machine: Machine) -> _Rates:
    overheads, hertz = machine.platform.overheads or NONE, machine.clock_mhz * 1e6

    def weight_cycles(kind: MatmulKind) -> float:
        stored = machine.formats(kind)
        rate = overheads.unpack_rate(stored.storage_name, stored.storage.holds) / machine.operating.waiting
        return hertz / rate * (kind.operand == "weights")

    def by_slot(value: Callable[[MatmulKind], float]) -> Floats:
        of_kinds: Floats = np.array([value(kind) for kind in layout.kinds], dtype=np.float64)
        return np.asarray(of_kinds[layout.kind], dtype=np.float64)

    share = by_slot(lambda kind: machine.array(kind)[0].achieved_share)
    copied = by_slot(lambda kind: float(machine.array(kind)[0].copies > 1))
    output_us = overheads.output_ns * US_PER_NS * machine.operating.waiting
    output_cycles = by_slot(lambda kind: output_us * machine.clock_mhz * (kind.operand == "weights"))
    overlap = overheads.unpack_overlap or np.inf
    launch_us = overheads.matmul_us * machine.operating.waiting
    return _Rates(by_slot(weight_cycles), share, copied, output_cycles, launch_us * machine.clock_mhz, overlap)


def step_cycles(cases: Cases, steps: Steps, machines: Sequence[Machine], machine_index: Indices) -> Floats:
    """Return the whole cycles that steps take beside their work, shape (cases, phases).

    Parameters
    ----------
    cases, steps
        The cases.
    machines, machine_index
        The machines, and the index of each case's.
    """
    rows = []
    for machine in machines:
        overheads = machine.platform.overheads or NONE
        rows.append((overheads.step_us * machine.clock_mhz, overheads.request_us * machine.clock_mhz))
    step, request = np.array(rows).T[:, machine_index, None]
    return np.asarray(np.ceil(steps.repeats * (steps.tokens > 0) * (step + request * cases.batch[:, None])))


def with_steps(times: Times, cycles: Floats, clock_mhz: Floats) -> Times:
    """Return times with the cycles of steps: latency of all components, in proportion to what they take.

    Parameters
    ----------
    times
        Without them.
    cycles
        From `step_cycles`.
    clock_mhz
        Of each case's machine, shape (cases,).
    """
    if not cycles.any():
        return times
    by_component = times.seconds.sum(axis=3)
    total = by_component.sum(axis=2, keepdims=True)
    share = np.divide(by_component, total, out=np.zeros_like(by_component), where=total > 0)
    seconds = times.seconds.copy()
    seconds[..., LATENCY] += share * (cycles / clock_mhz[:, None] / 1e6)[:, :, None]
    return times._replace(seconds=seconds)
