"""What the units of a BitLinear in hardware take over from the element-wise operations of a machine.

A function of data/functions.yaml names its units. An element is paid in a unit where the platform has units (key
`elementwise`), the technology prices this one in the scheme's floating-point format, and it gives the format that the
element gets; otherwise the element is paid as the operations that the function assumes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.formats.formats import formats, scaled
from bitjoule.energy_models.prices.functions import unit_works
from bitjoule.energy_models.prices.measured import UNITS, Unit
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.hardware.roles import scales_of_a_sum
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.energy_models.system.work.units import WRITERS

_RESCALE: Unit = "rescale"


class UnitShares(NamedTuple):
    """What a machine pays in units.

    Parameters
    ----------
    elements
        The share of the elements of each writer that a unit takes, shape (`WRITERS`, `UNITS`).
    rescales
        Of the products with scales for each sum (`Machine.scaling`), those that a unit does, for each kind of matmul.
    """

    elements: Floats
    rescales: tuple[float, ...]


def may_have_units(technologies: Sequence[Technology], platforms: Sequence[Platform]) -> bool:
    """Return whether elements may be paid in units.

    Parameters
    ----------
    technologies, platforms
        Of an experiment.
    """
    priced = any(operation in UNITS for technology in technologies for operation, _ in technology.rows)
    return priced and any(platform.elementwise == "units" for platform in platforms)


def unit_shares(machine: Machine, kinds: Sequence[MatmulKind]) -> UnitShares:
    """Return what a machine pays in units.

    Parameters
    ----------
    machine
        The machine.
    kinds
        Of the models' matmuls.
    """
    shares = np.zeros((len(WRITERS), len(UNITS)))
    if not machine.units:
        return UnitShares(shares, (0.0,) * len(kinds))
    for at, writer in enumerate(WRITERS):
        written = _written(machine, writer)
        for unit in machine.units:
            shares[at, UNITS.index(unit)] = sum(share for form, share in written if unit_works()[unit].gives(form))
    return UnitShares(shares, tuple(_rescales(machine, kind) for kind in kinds))


def _written(machine: Machine, writer: str) -> list[tuple[str, float]]:
    """Return the formats that a writer gives integers in, and the share of its elements that get each."""
    scheme = machine.scheme
    if writer == "cache":
        holds = [scheme.stored(part).holds for part in ("keys", "values")]
        return [(form, 1 / len(holds)) for form in holds if scaled(form)]
    if writer == "queries":
        return [(scheme.attention_operands[1], 1.0)]
    if writer == "head":
        return [(scheme.head_inputs, 1.0)]
    inputs = dict.fromkeys(scheme.linear(name).activations for name in ("", *scheme.linears))
    return [(max(inputs, key=lambda form: (formats()[form].kind != "integer", formats()[form].bits)), 1.0)]


def _rescales(machine: Machine, kind: MatmulKind) -> float:
    """Return the products with scales of each sum that a unit does: of a sum of integers, the first."""
    products = machine.scaling(kind)[1]
    required = machine.formats(kind)
    if _RESCALE not in machine.units or formats()[required.activations].kind != "integer":
        return 0.0
    return products / max(scales_of_a_sum(machine.scheme, kind, required, machine.array(kind)[1]), 1)
