"""What the schemes and platforms of machines change in the work of a model."""

from collections.abc import Sequence

import numpy as np

from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.phases import Indices
from bitjoule.energy_models.formats.formats import scaled
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.hardware.units import unit_shares
from bitjoule.energy_models.system.work.units import Units
from bitjoule.energy_models.system.work.workload import Switches


def switches_of(layout: Layout, machines: Sequence[Machine], machine_index: Indices) -> Switches:
    """Return the switches of cases.

    Parameters
    ----------
    layout
        Of the models.
    machines, machine_index
        The machines, and the index of each case's.
    """
    rows = []
    for machine in machines:
        scheme = machine.scheme
        groups, products = np.array([machine.scaling(kind) for kind in layout.kinds])[layout.kind].T
        rows.append(
            (
                float(machine.platform.skips_masked_pairs),
                float(scheme.quantised and scheme.quantises_activations),
                float(scaled(scheme.attention_operands[1])),
                products,
                groups,
            )
        )
    skips, quantises, queries, products, groups = (
        np.array(column)[machine_index] for column in zip(*rows, strict=True)
    )
    return Switches(skips, quantises, queries, products, groups, _units(layout, machines, machine_index))


def _units(layout: Layout, machines: Sequence[Machine], machine_index: Indices) -> Units | None:
    if not any(machine.units for machine in machines):
        return None
    shares = [unit_shares(machine, layout.kinds) for machine in machines]
    elements = np.stack([of_machine.elements for of_machine in shares])
    rescales = np.array([of_machine.rescales for of_machine in shares])[:, layout.kind]
    return Units(elements[machine_index], rescales[machine_index])
