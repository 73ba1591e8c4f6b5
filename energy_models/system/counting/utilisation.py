"""How long each resource of a machine is busy at its peak: with the time that passes, the share of each peak.

Peaks are those of the platform: products of the arrays, weights that are unpacked, operations of the vector unit, bits
of the buffers and of off-chip memory. Shares of peaks that a machine reaches, launches and steps are in the time alone.
"""

from collections.abc import Sequence

import numpy as np

from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.system.counting.times import Rest
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.work.steps import STEPS

RESOURCES = ("array", "unpacking", "vector", "weight_buffer", "activation_buffer", "off_chip")
ARRAY, UNPACKING, VECTOR, WEIGHT_BUFFER, ACTIVATION_BUFFER, OFF_CHIP = range(len(RESOURCES))
REST = (VECTOR, ACTIVATION_BUFFER, OFF_CHIP)  # of what is not a matmul, as `rest_of` counts its work


def _steps(action: str, of_weights: bool | None = None) -> list[int]:
    """Return the steps with an action, of the weights' buffer or the other one."""
    return [
        i for i, step in enumerate(STEPS) if step.action == action and of_weights in (None, step.operand == "weights")
    ]


EDGE = [*_steps("off_chip_read"), *_steps("off_chip_write")]
BUFFERED = [[_steps(f"buffer_{way}", own) for own in (True, False)] for way in ("read", "write")]


def _sum_of(slots: Floats, steps: Sequence[int]) -> Floats:
    """Return the sums of some steps, added one after the other: the same on every machine."""
    total = slots[..., steps[0]]
    for step in steps[1:]:
        total = total + slots[..., step]
    return total


def _rates(machine: Machine) -> tuple[float, ...]:
    """Return the peak a cycle of vector unit, weights' buffer, activations' buffer and off-chip memory."""
    buffers = list(machine.platform.buffers.values())
    weights, activations = machine.buffer("weights"), machine.buffer("activations")
    width = float(buffers[weights].width_bits) if weights >= 0 else np.inf
    off_chip = machine.off_chip_bits / machine.platform.off_chip.achieved_share
    return float(machine.platform.vector.lanes), width, float(buffers[activations].width_bits), off_chip


def busy_matmuls(
    layout: Layout, slots: Floats, array: Floats, unpacking: Floats, machines: Sequence[Machine],
    machine_index: Indices,
) -> Floats:  # fmt: skip
    """Return the cycles that matmuls keep each resource busy, shape (cases, phases, matmul components, `RESOURCES`).

    Parameters
    ----------
    layout
        Of the models.
    slots
        Counts of the steps of each matmul, all its runs, shape (cases, phases, slots, steps).
    array, unpacking
        Cycles of its products on the array at the peak, and of its weights' unpacking; shape (cases, phases, slots).
    machines, machine_index
        The machines, and the index of each case's.
    """
    rates = np.array([_rates(machine) for machine in machines])[machine_index][:, :, None, None]
    of_weights, of_activations = buffer_cycles(slots, machines, machine_index)
    busy = np.zeros((*array.shape, len(RESOURCES)))
    busy[..., ARRAY], busy[..., UNPACKING] = array, unpacking
    busy[..., WEIGHT_BUFFER], busy[..., ACTIVATION_BUFFER] = of_weights, of_activations
    busy[..., OFF_CHIP] = _sum_of(slots, EDGE) / rates[:, 3]
    fused = np.array([machine.platform.attention == "fused" for machine in machines])[machine_index][:, None, None]
    for first, second in layout.attention_pairs:  # one nest, which has the resources at the same time
        pair = busy[:, :, first] + busy[:, :, second]
        products = array[:, :, first] + array[:, :, second]
        for slot in (first, second):
            share = np.divide(array[:, :, slot], products, out=np.zeros_like(products), where=products > 0)
            busy[:, :, slot] = np.where(fused, pair * share[..., None], busy[:, :, slot])
    if len(layout.component) == len(layout.matmuls):
        return busy
    found = np.zeros((*busy.shape[:2], len(layout.matmuls), len(RESOURCES)))
    for slot, at in enumerate(layout.component.tolist()):
        found[:, :, at] += busy[:, :, slot]
    return found


def buffer_cycles(slots: Floats, machines: Sequence[Machine], machine_index: Indices) -> tuple[Floats, Floats]:
    """Return the cycles of the weights' and of the activations' buffer, shape (cases, phases, slots) each.

    Parameters
    ----------
    slots, machines, machine_index
        As for `busy_matmuls`. A buffer for both counts as the activations'.
    """
    rates = np.array([_rates(machine) for machine in machines])[machine_index][:, :, None, None]
    shared = np.array([machine.buffer("weights") == machine.buffer("activations") for machine in machines])
    one_buffer = shared[machine_index][:, None, None]
    ways = [[_sum_of(slots, steps) for steps in way] for way in BUFFERED]
    weights, others = (np.maximum(*(way[own] for way in ways)) for own in range(2))
    both = np.maximum(ways[0][0] + ways[0][1], ways[1][0] + ways[1][1])
    return np.where(one_buffer, 0.0, weights / rates[:, 1]), np.where(one_buffer, both, others) / rates[:, 2]


def busy_rest(rest: Rest, machines: Sequence[Machine], machine_index: Indices) -> Floats:
    """Return the cycles that what is no matmul keeps each resource busy.

    All of it runs at once; each component has the share of its resources that it has of the cycles.

    Parameters
    ----------
    rest
        The cycles of all of it.
    machines, machine_index
        The machines, and the index of each case's.

    Returns
    -------
    Floats
        Shape (cases, phases, components, `RESOURCES`).
    """
    rates = np.array([_rates(machine) for machine in machines])[machine_index]
    cycles = rest.by_component.sum(axis=3)
    total = cycles.sum(axis=2, keepdims=True)
    shares = np.divide(cycles, total, out=np.zeros_like(cycles), where=total > 0)
    busy = np.zeros((*cycles.shape, len(RESOURCES)))
    busy[..., REST] = shares[..., None] * (rest.work / rates[:, None, [0, 2, 3]])[:, :, None]
    return busy
