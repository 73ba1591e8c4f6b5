"""What an exploration says of one accelerator of a design: area, clock, leakage, and the energy of a MAC."""

from collections.abc import Iterator
from typing import NamedTuple

from bitjoule.energy_models.formats.formats import formats
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.prices.measured import MeasuredMac
from bitjoule.energy_models.prices.silicon import silicon_rows
from bitjoule.energy_models.prices.technology import Technology, technologies
from bitjoule.energy_models.system.hardware.silicon import (
    W_PER_NW,
    Part,
    clocks_mhz,
    macs_of,
    measured_at,
    silicon,
)
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.array_schema import Array
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.experiments.exploration.building.configuration import Accelerator, machine_of

PRODUCTS, FILLS, UPDATES = ("products", "sums"), "fills", "updates"  # quantities of a matmul's steps


class Prediction(NamedTuple):
    """Figures of one accelerator, before it was synthesised.

    Parameters
    ----------
    technology
        Whose prices they are.
    mac
        The largest MAC of the array, from which area and leakage follow.
    array, store
        Area and leakage of the MACs, and of the accumulators, which are counted as SRAM.
    clock_mhz
        That the array can meet; none if the critical path of one of its MACs is not known.
    chip_mhz
        At which the chip runs.
    mac_pj, load_pj, store_pj
        Of a MAC, for each MAC of a weight's loading, and of reading and writing the accumulators: low, nominal, high.
    """

    technology: Technology
    mac: MeasuredMac
    array: Part
    store: Part
    clock_mhz: float | None
    chip_mhz: float
    mac_pj: Price
    load_pj: Price
    store_pj: Price

    @property
    def energy_pj(self) -> Price:
        """Energy for each MAC, where a tile of weights serves all the tokens that the accumulators hold."""
        return _sum((self.mac_pj, self.load_pj, self.store_pj))


def zero_share(accelerator: Accelerator, technology: Technology | None, usual: float) -> float:
    """Return the share of zeros among the trits of the linears; 0 if they are none, or none can be zero.

    Parameters
    ----------
    accelerator
        Of the design.
    technology
        With whose share its MACs are priced.
    usual
        Where the technology knows of none.
    """
    config = accelerator.config
    if formats()[accelerator.required.weights].kind != "ternary" or config.multiplies or not config.encoding.zero:
        return 0.0
    return (technology.zero_share if technology else 0.0) or usual


def technology_at(accelerator: Accelerator, node_nm: float | None) -> Technology:
    """Return the technology whose prices are compared with netlists at a node: the design's own, if it is of that node.

    Parameters
    ----------
    accelerator
        Of the design.
    node_nm
        Of the library; none if it is not known: then the design's own technology is taken to be of its node.

    Raises
    ------
    UnpricedError
        There is none at this node.
    """
    own = accelerator.design.technology
    if node_nm is None or node_nm == own.node_nm:
        return own
    found = next((each for each in technologies().values() if each.macs and each.node_nm == node_nm), None)
    if found is None:
        raise UnpricedError(f"no technology of netlists at {node_nm:g} nm", f"a library of {own.node_nm:g} nm")
    return found


def predicted(accelerator: Accelerator, technology: Technology) -> Prediction:
    """Return the figures of one accelerator.

    Parameters
    ----------
    accelerator
        Of the design.
    technology
        From `technology_at`.

    Raises
    ------
    UnpricedError
        The technology or the platform does not price it.
    """
    design = accelerator.design._replace(technology=technology)
    platform, machine = design.platform, machine_of(design)
    array, name = platform.arrays[accelerator.array], accelerator.array
    macs = list(macs_of(name, array, measured_at(technology)))
    part = silicon(platform, technology)[name]
    lines = machine.lines(MatmulKind.LINEAR)

    def price(*quantities: str, share: float = 1.0) -> Price:
        """Return what the steps inside the array cost, for each MAC."""
        steps = [
            line for step, line in lines.items()
            if step.quantity in quantities and step.operand in ("weights", "partial_sums") and line.factor
        ]  # fmt: skip
        return _sum(_times(line.price, line.factor * share) for line in steps)

    return Prediction(
        technology,
        max(macs, key=lambda mac: mac.area_um2),
        Part(part.area_um2 / array.instances, _times(part.leakage_w, 1 / array.instances)),
        _store(array, technology),
        clocks_mhz(platform, technology).get(name),
        machine.clock_mhz,
        price(*PRODUCTS),
        price(FILLS, share=1 / array.accumulators.depth),
        price(UPDATES, share=1 / array.lanes),
    )


def _store(array: Array, technology: Technology) -> Part:
    """Return area and leakage of the accumulators of one instance, which the area of a chip counts as SRAM."""
    sums, rows = array.accumulators, silicon_rows()
    bits = sums.depth * sums.bits * array.columns // array.instances
    leakage = rows["sram_leakage", technology.node_nm].ends
    return Part(bits * rows["sram_area", technology.node_nm].value, _times(leakage, bits * W_PER_NW))


def _times(price: Price, factor: float) -> Price:
    return Price(*(end * factor for end in price))


def _sum(prices: "Iterator[Price] | tuple[Price, ...]") -> Price:
    ends = list(zip(*prices, strict=True))
    return Price(*map(sum, ends)) if ends else Price(0.0, 0.0, 0.0)
