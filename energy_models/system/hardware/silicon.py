"""Area, leakage and clock of a platform's chip, from its configuration: kinds of MACs, lanes, columns, bytes, node."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.prices.measured import MeasuredMac
from bitjoule.energy_models.prices.silicon import silicon_rows
from bitjoule.energy_models.prices.technology import Technology, technologies
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.array_schema import Array
from bitjoule.energy_models.system.platform.platforms import Node, Platform
from bitjoule.energy_models.system.platform.static_power import CONFIGURED, Clock, Leakage

W_PER_NW = 1e-9
VECTOR = ("fp16", "fp16", "fp16")  # a lane of the vector unit is one MAC of these formats


class Part(NamedTuple):
    """A part of a chip.

    Parameters
    ----------
    area_um2
        Its area.
    leakage_w
        Low, nominal and high.
    """

    area_um2: float
    leakage_w: Price


def silicon(platform: Platform, technology: Technology) -> Mapping[str, Part]:
    """Return area and leakage of each array, of the vector unit, of the SRAM and of each memory level of a platform.

    Parameters
    ----------
    platform
        An array has the area of its largest MAC times lanes times columns; its accumulators count as SRAM. Memory
        levels are SRAM, too, each a part of its own, ``level NAME``.
    technology
        A measured one, or one at whose node arrays were measured.

    Raises
    ------
    UnpricedError
        A MAC was not measured at this node, or there is no SRAM.
    """
    measured, rows = measured_at(technology), silicon_rows()
    if ("sram_area", technology.node_nm) not in rows:
        raise UnpricedError(f"no area and leakage of SRAM at {technology.node_nm:g} nm", "a row in silicon.csv")
    band = rows["logic_leakage", technology.node_nm].ends

    def logic(mac: MeasuredMac, count: int) -> Part:
        return Part(count * mac.area_um2, Price(*(count * mac.leakage_nw * W_PER_NW * end for end in band)))

    parts = {}
    sram_bits = 8 * sum(buffer.size_bytes for buffer in platform.buffers.values())
    for name, array in platform.arrays.items():
        macs = list(macs_of(name, array, measured))
        parts[name] = logic(max(macs, key=lambda mac: mac.area_um2), array.lanes * array.columns)
        sums = array.accumulators
        sram_bits += sums.depth * sums.bits * array.columns * (array.lanes if sums.per == "pe" else 1)
    vector = _first(measured, lambda at: at.mac(*VECTOR))
    if vector is None:
        raise UnpricedError(
            f"{measured.name} has no MAC of {' x '.join(VECTOR[:2])}", "a technology of `bitjoule calibrate` with one"
        )
    parts["vector"] = logic(vector, platform.vector.lanes)
    leakage = rows["sram_leakage", technology.node_nm].ends
    area_um2 = rows["sram_area", technology.node_nm].value

    def sram(bits: int) -> Part:
        return Part(bits * area_um2, Price(*(bits * end * W_PER_NW for end in leakage)))

    of_levels = {f"level {name}": sram(8 * level.size_bytes) for name, level in (platform.levels or {}).items()}
    return {**parts, "sram": sram(sram_bits), **of_levels}


def leakage_w(platform: Platform, technology: Technology, given: Leakage = CONFIGURED) -> Price:
    """Return the leakage of a whole chip in W: low, nominal and high.

    Parameters
    ----------
    platform, technology
        As for `silicon`.
    given
        What the platform's node says; by default, and where that is from_configuration, the sum of the chip's parts.

    Raises
    ------
    UnpricedError
        As for `silicon`.
    """
    if not isinstance(given, str):
        return price_of(given)
    ends = zip(*(part.leakage_w for part in silicon(platform, technology).values()), strict=True)
    return Price(*(sum(end) for end in ends))


def clock_mhz(platform: Platform, technology: Technology, given: Clock = CONFIGURED) -> float:
    """Return the clock of a whole chip.

    Parameters
    ----------
    platform, technology
        As for `silicon`.
    given
        What the platform's node says; by default, and where that is from_configuration, the clock that all of its
        arrays can meet of which the critical path is known.

    Raises
    ------
    UnpricedError
        That of no array is known.
    """
    if not isinstance(given, str):
        return given
    clocks = clocks_mhz(platform, technology)
    if not clocks:
        raise UnpricedError(f"no array was synthesised at {technology.node_nm:g} nm", "clock_mhz in MHz")
    return min(clocks.values())


def node_clock_mhz(platform: Platform, technology: Technology, node: Node) -> float:
    """Return the clock of a chip at a node, before its operating point changes it.

    Where it follows from the arrays and operating points are given, it is the clock for which these are.

    Parameters
    ----------
    platform, technology
        As for `silicon`.
    node
        What the platform says of the technology.

    Raises
    ------
    UnpricedError
        As for `clock_mhz`.
    """
    given = node.clock_mhz
    if platform.dvfs is not None and given == CONFIGURED:
        given = platform.dvfs.nominal_mhz
    return clock_mhz(platform, technology, given) * node.clock_factor


def measured_at(technology: Technology) -> Technology:
    """Return a measured technology at a node: this one, or the first that ships.

    Parameters
    ----------
    technology
        At the node.

    Raises
    ------
    UnpricedError
        No array was measured at this node.
    """
    candidates = (technology, *technologies().values())
    same_node = (t for t in candidates if t.macs and t.node_nm == technology.node_nm)
    found = next(same_node, None)
    if found is None:
        raise UnpricedError(f"no array was synthesised at {technology.node_nm:g} nm", "leakage_w in W")
    return found


def _first(measured: Technology, find: Callable[[Technology], MeasuredMac | None]) -> MeasuredMac | None:
    """Return what a technology, or else one that ships at its node, has of a kind of MAC; none if no one has it."""
    same_node = [t for t in technologies().values() if t.macs and t.node_nm == measured.node_nm]
    return next((mac for mac in map(find, (measured, *same_node)) if mac is not None), None)


def macs_of(name: str, array: Array, measured: Technology) -> Iterator[MeasuredMac]:
    """Yield the measured MAC of each entry of an array's `macs` that has one.

    Parameters
    ----------
    name, array
        The array.
    measured
        From `measured_at`; a MAC that it lacks is taken from those that ship at its node.

    Raises
    ------
    UnpricedError
        No MAC of the array was measured.
    """
    missing = []
    for macs in array.macs:
        weights, actions = macs.weights[0], macs.actions or ()
        mac = _first(measured, partial(Technology.mac_of_actions, weights=weights, actions=actions))
        if mac is not None:
            yield mac
        else:
            missing.append(", ".join(macs.actions or ["energy_pj"]))
    if len(missing) == len(array.macs):
        raise UnpricedError(f"{measured.name} has no MAC of array {name} ({'; '.join(missing)})", "leakage_w in W")


def clocks_mhz(platform: Platform, technology: Technology) -> Mapping[str, float]:
    """Return the clock that each array can meet, by name: one over the longest critical path of its MACs.

    Parameters
    ----------
    platform, technology
        As for `silicon`. An array with a MAC that was not measured, or without its period, is left out.
    """
    clocks = {}
    measured = measured_at(technology)
    for name, array in platform.arrays.items():
        try:
            periods = [mac.period_ns for mac in macs_of(name, array, measured)]
        except UnpricedError:
            continue
        if None not in periods:
            clocks[name] = 1e3 / max(period for period in periods if period is not None)
    return clocks
