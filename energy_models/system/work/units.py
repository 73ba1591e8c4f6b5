"""Elements of requests that pass the units of a BitLinear in hardware, and the operations that are left beside them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.layout import CACHE_WRITE, Layout
from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.prices.functions import Function, functions, unit_works
from bitjoule.energy_models.prices.measured import UNITS

# Who writes an element's result: an element-wise part of the model; one that writes queries or probabilities; what a
# scheme adds before an LM head of integers; the KV cache.
WRITERS = ("model", "queries", "head", "cache")


class Units(NamedTuple):
    """What cases pay in units.

    Parameters
    ----------
    elements
        The share of the elements of each writer that a unit takes, shape (cases, `WRITERS`, `UNITS`).
    rescales
        Of the products with scales for each output or sum of a group, those that a unit does, shape (cases, slots) or
        (cases, 1).
    """

    elements: Floats
    rescales: Floats


class InUnits:
    """Elements of cases that pass units, counted up.

    Parameters
    ----------
    layout
        Of the models.
    units
        What the cases pay in units.
    shape
        Cases and phases.

    Attributes
    ----------
    elements
        In each of the columns `Layout.in_units`, shape (cases, phases, columns).
    """

    def __init__(self, layout: Layout, units: Units, shape: Sequence[int]) -> None:
        self._layout, self._units = layout, units
        self.elements = np.zeros((*shape, len(layout.in_units)))

    def take(
        self, component: str, function: Function, elements: Floats, writer: str, chosen: Indices | slice = slice(None)
    ) -> Floats:
        """Count elements in units, and return the amounts per element that are left; see `Function.per_element`.

        Parameters
        ----------
        component, function, elements
            What is done, on how many elements; shape (chosen cases, phases).
        writer
            One of `WRITERS`.
        chosen
            Of the cases.

        Returns
        -------
        Floats
            Shape (4,) of a function without units, otherwise (chosen cases, 1, 4).
        """
        left = function.per_element
        for unit, work in function.units.items():
            share = self._units.elements[chosen, WRITERS.index(writer), UNITS.index(unit)][:, None]
            self.elements[chosen, :, self._layout.in_units.index((component, unit))] += elements * share
            left = left - share[..., None] * work.per_element
        return left

    def cache(self, cached: Floats) -> None:
        """Count the keys and values that are written.

        Parameters
        ----------
        cached
            Values, shape (cases, phases).
        """
        self.take(CACHE_WRITE, functions()["quantisation"], cached, "cache")

    def rescale(self, elements: Floats) -> Floats:
        """Count outputs and sums of groups, and return the operations and values moved that are left of each.

        Parameters
        ----------
        elements
            That a unit multiplies by their scales, shape (cases, phases).
        """
        rescale = functions()["rescale"]
        left = rescale.per_element
        for unit, work in rescale.units.items():
            self.elements[:, :, self._layout.in_units.index(("output_rescale", unit))] += elements
            left = left - work.per_element
        return left


def cache_operations(shares: Floats) -> tuple[float, float]:
    """Return the products and additions that units do of a key or value that is written.

    Parameters
    ----------
    shares
        Of `Units.elements`, of one case, shape (`WRITERS`, `UNITS`).
    """
    of_units = shares[WRITERS.index("cache")]
    works = [(of_units[UNITS.index(unit)], work) for unit, work in functions()["quantisation"].units.items()]
    return sum(share * work.mul for share, work in works), sum(share * work.add for share, work in works)


def vector_operations(layout: Layout, elements: Floats | None) -> Floats | float:
    """Return the operations of elements in units by element-wise component, which take the vector unit as long.

    Parameters
    ----------
    layout
        Of the models.
    elements
        Of `InUnits`; none where nothing is paid in units.

    Returns
    -------
    Floats
        Shape (cases, phases, components); 0 without units.
    """
    if elements is None:
        return 0.0
    operations = np.zeros((*elements.shape[:2], len(layout.elementwise)))
    for column, (component, unit) in enumerate(layout.in_units):
        if component in layout.elementwise:
            of_one = unit_works()[unit].mul + unit_works()[unit].add
            operations[:, :, layout.elementwise.index(component)] += elements[:, :, column] * of_one
    return operations
