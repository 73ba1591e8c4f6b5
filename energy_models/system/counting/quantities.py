"""The counts of one mapped matmul, and their energies."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.system.counting.columns import QUANTITIES, STEP_QUANTITY
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.mapping import Mapping, MatmulProblem
from bitjoule.energy_models.system.platform.array_schema import Array
from bitjoule.energy_models.system.work.steps import MatmulKind

FEW = 16  # cases with one machine: fewer are counted one by one


def quantities(array: Array, problem: MatmulProblem, mapping: Mapping) -> Floats:
    """Return the counts of one matmul, in the order of `QUANTITIES`; its cycles, compute cycles and off-chip bits.

    Of several matmuls, whose numbers are arrays, each has a row.

    Parameters
    ----------
    array
        Where it runs.
    problem, mapping
        The matmul, and how it runs.
    """
    m, k, n = problem.m, problem.k, problem.n
    moved = mapping.traffic
    lanes = 1 if array.accumulators.per == "pe" else array.lanes
    buffered = problem.weights.buffer >= 0
    outputs = m * n
    by_name = {
        "products": m * k * n,
        "sums": m * np.maximum(k - 1, 0) * n,
        "biases": 0.0,
        "fills": moved.weight_fills,
        "updates": m * np.ceil(k / lanes) * n + moved.sum_spills,
        "buffered_fills": moved.weight_fills * buffered,
        "loads": moved.weight_loads,
        "weights_in": moved.weight_loads if buffered else moved.weight_fills,
        "reads": moved.activation_reads,
        "activations_in": moved.activation_loads,
        "buffered_sums": moved.sum_spills + moved.sum_unloads,
        "unloads": moved.sum_unloads,
        "outputs": outputs,
        "outputs_out": outputs * problem.outputs.off_chip,
    }
    counts = (*(by_name[name] for name in QUANTITIES), moved.cycles, moved.compute_cycles, moved.off_chip_bits)
    return np.stack(np.broadcast_arrays(*counts), axis=-1).astype(np.float64)


def steps_of(moved: Floats, factors: Floats, machine_index: Indices) -> Floats:
    """Return the counts of the steps of matmuls, shape (cases, phases, slots, steps); those of a step lie together.

    Parameters
    ----------
    moved
        Quantities of matmuls, shape (cases, phases, slots, `QUANTITIES`).
    factors
        Units of each step for each of its quantity, on each machine, shape (machines, slots, steps).
    machine_index
        Index of each case's machine, shape (cases,).
    """
    by_quantity = np.ascontiguousarray(moved.transpose(3, 1, 2, 0))
    counts = np.zeros((*by_quantity.shape[1:3], len(STEP_QUANTITY), len(moved)))
    there = np.asarray(factors.any(axis=(0, 1)))
    steps = [(step, quantity) for step, quantity in enumerate(STEP_QUANTITY.tolist()) if there[step]]
    begins = np.flatnonzero(np.diff(machine_index, prepend=-1))  # of neighbours with one machine
    if len(begins) * FEW > len(machine_index):
        for step, quantity in steps:
            of_cases = factors[:, :, step].T[:, machine_index]
            np.multiply(by_quantity[quantity], of_cases, out=counts[:, :, step])
    else:
        for first, last in pairwise([*begins.tolist(), len(machine_index)]):
            for step, quantity in steps:
                units = factors[machine_index[first], :, step, None]
                np.multiply(by_quantity[quantity, ..., first:last], units, out=counts[:, :, step, first:last])
    return counts.transpose(3, 0, 1, 2)


class MatmulEnergy(NamedTuple):
    """One step of a matmul: its count and its energy.

    Parameters
    ----------
    operand, action, unit
        What happens, and the format of what is counted.
    times
        Operations, or bits moved.
    energy_pj
        At nominal prices.
    """

    operand: str
    action: str
    unit: str
    times: float
    energy_pj: float


def matmul_energies(machine: Machine, problem: MatmulProblem, mapping: Mapping) -> list[MatmulEnergy]:
    """Return what the steps of a bare matmul cost.

    Parameters
    ----------
    machine
        Where it runs.
    problem, mapping
        The matmul, and how it runs.
    """
    counted = dict(
        zip(QUANTITIES, quantities(machine.array(MatmulKind.STANDALONE)[0], problem, mapping).tolist(), strict=False)
    )
    rows = []
    k = problem.k / machine.density(MatmulKind.STANDALONE).products
    opened = machine.opened_bytes(MatmulKind.STANDALONE, k, problem.n)
    for step, line in machine.lines(MatmulKind.STANDALONE, opened).items():
        count = counted[step.quantity] * line.factor
        if count:
            unit = line.format if step.action in ("mul", "add", "mac") else f"bits ({line.format})"
            rows.append(MatmulEnergy(step.operand, step.action, unit, count, count * line.price.nominal_pj))
    return rows
