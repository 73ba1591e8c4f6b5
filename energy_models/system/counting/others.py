"""What a request moves beside its matmuls and element-wise parts: embedding, spilled activations, cache, states."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.formats.formats import scaled, width_bits
from bitjoule.energy_models.prices.functions import functions
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.hardware.units import unit_shares
from bitjoule.energy_models.system.work.units import cache_operations
from bitjoule.energy_models.system.work.workload import RequestWork


def others_of(
    work: RequestWork, machines: Sequence[Machine], machine_index: Indices, spilled: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Return the counts of `OTHERS` before the queries', shape (cases, phases, others), and off-chip bits per phase.

    Parameters
    ----------
    work
        Of the cases.
    machines, machine_index
        The machines, and the index of each case's.
    spilled
        Whether the values between the matmuls cross the chip's edge, shape (cases, phases).
    """
    rows = []
    quantisation = functions()["quantisation"]
    for machine in machines:
        scheme = machine.scheme
        quantises = (scaled(scheme.stored("keys").holds) + scaled(scheme.stored("values").holds)) / 2
        in_units = cache_operations(unit_shares(machine, ()).elements)
        rows.append(
            (
                scheme.stored("embedding").bits, machine.vector_bits, width_bits(scheme.activations),
                quantisation.mul * quantises - in_units[0], quantisation.add * quantises - in_units[1],
                scheme.cached_bits,
            )
        )  # fmt: skip
    table, vector, width, mul, add, cached = (
        np.array(column)[machine_index][:, None] for column in zip(*rows, strict=True)
    )
    embedded, cache_written = work.embedded * table, work.cached * cached
    between = [
        (work.activations_read * spilled).sum(axis=2) * vector,
        (work.residual_written * spilled).sum(axis=2) * vector,
        (work.inputs_written * spilled).sum(axis=2) * width,
    ]
    states = [work.states_read * vector, work.states_written * vector]
    counts = [embedded, *between, work.cached * mul, work.cached * add, work.cached * vector, cache_written, *states]
    return np.stack(counts, axis=2), embedded + sum(between) + cache_written + sum(states)
