"""Drive strengths and buffers: ABC knows neither the strength of registers and full adders nor what they drive.

A net may load its driver with a share of what the library allows. A driver that has more to drive becomes the
smallest stronger variant that may, or gets a tree of buffers. Then, while the critical path is longer than asked for,
cells on the worst paths become stronger.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from bitjoule.gates.constants import constant, constants
from bitjoule.gates.liberty.cell import Cell
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.netlist import Instance, Netlist, is_full_adder
from bitjoule.gates.timing.sta import Timing

_BUFFER, _INVERTER = 0b10, 0b01
_ROUNDS = 10


@dataclass(frozen=True)
class CellSizes:
    """The drive strengths of a library.

    Parameters
    ----------
    variants : dict of str to tuple of Cell
        For each cell, all usable cells of its function and pins, weakest first.
    buffers : tuple of Cell
        Buffers, weakest first.
    """

    variants: dict[str, tuple[Cell, ...]]
    buffers: tuple[Cell, ...]


def find_sizes(library: Library) -> CellSizes:
    """Return the drive strengths of a library."""
    alike: dict[tuple[object, ...], list[Cell]] = defaultdict(list)
    for cell in library.cells.values():
        if not cell.avoid and cell.inputs and cell.outputs and (cell.is_combinational or cell.flip_flop):
            alike[_signature(cell)].append(cell)
    variants = {}
    for cells in alike.values():
        ordered = tuple(sorted(cells, key=lambda cell: (_drive_ff(cell), cell.area_um2)))
        variants.update(dict.fromkeys([cell.name for cell in cells], ordered))
    single = [
        cell for cell in library.cells.values() if cell.is_combinational and len(cell.inputs) == 1 and not cell.avoid
    ]
    buffers = [cell for cell in single if len(cell.outputs) == 1 and cell.table(cell.outputs[0]) == _BUFFER]
    best: dict[float, Cell] = {}
    for cell in sorted(buffers, key=lambda cell: cell.area_um2):
        best.setdefault(_drive_ff(cell), cell)
    return CellSizes(variants, tuple(best[drive] for drive in sorted(best)))


def _signature(cell: Cell) -> tuple[object, ...]:
    if cell.flip_flop is None:
        return (cell.inputs, cell.outputs, tuple(cell.table(pin) for pin in cell.outputs))
    state = cell.flip_flop
    functions = tuple(function.text for pin in cell.outputs if (function := cell.pins[pin].function))
    return (
        frozenset(cell.inputs),
        cell.outputs,
        functions,
        state.next_state.text,
        state.clock.text,
        state.asynchronous,
    )


def _drive_ff(cell: Cell) -> float:
    return min(cell.pins[pin].max_capacitance_ff for pin in cell.outputs)


def use_inverse_outputs(netlist: Netlist) -> None:
    """Take the inverse of a register from its own inverse output, if it has one, not from an inverter, in place."""
    drivers = netlist.drivers()
    sinks = netlist.sinks()
    gone = set()
    for number, instance in enumerate(netlist.instances):
        cell = instance.cell
        if len(cell.inputs) != 1 or len(cell.outputs) != 1 or not cell.is_combinational:
            continue
        register, pin = drivers.get(instance.nets[cell.inputs[0]], (None, ""))
        if cell.table(cell.outputs[0]) != _INVERTER or register is None or register.cell.flip_flop is None:
            continue
        for other in register.cell.outputs:
            if _opposite(register.cell, pin, other) and not sinks.get(register.nets[other]):
                net = instance.nets[cell.outputs[0]]
                register.nets[other] = net
                sinks[net] = sinks.get(net, [])
                gone.add(number)
                break
    netlist.instances = [instance for number, instance in enumerate(netlist.instances) if number not in gone]


def _opposite(cell: Cell, first: str, second: str) -> bool:
    return {cell.function(pin).text for pin in (first, second)} == {cell.state.state, cell.state.inverse}


def bound_loads(netlist: Netlist, sizes: CellSizes, clock_nets: set[int], share: float) -> None:
    """Strengthen or buffer drivers of more than a share of their greatest load, in place.

    Parameters
    ----------
    netlist : Netlist
        Changed.
    sizes : Sizes
        Of its library.
    clock_nets : set of int
        Nets that are left alone.
    share : float
        Of a driver's greatest load, how much it may have to drive.
    """
    numbers = count(netlist.nets)
    drivers, sinks = netlist.drivers(), netlist.sinks()
    nets = [net for net in drivers if net not in clock_nets]
    # Backwards, as far as the order of the netlist tells: a driver made stronger loads the net before it more.
    for net in reversed(nets):
        driver, pin = drivers[net]
        if not driver.cell.clock_gate:
            _bound(netlist, sizes, driver, pin, sinks[net], share, numbers)


def _bound(
    netlist: Netlist,
    sizes: CellSizes,
    driver: Instance,
    pin: str,
    sinks: Sequence[tuple[Instance, str]],
    share: float,
    numbers: "count[int]",
) -> None:
    load_ff = _load_ff(sinks)
    now_ff = share * driver.cell.pins[pin].max_capacitance_ff
    if load_ff <= now_ff:
        return
    able = [cell for cell in sizes.variants[driver.cell.name] if share * cell.pins[pin].max_capacitance_ff >= load_ff]
    stronger = min(able, key=lambda cell: cell.area_um2, default=None)
    buffer, leaves = _tree(sizes, load_ff, share)
    cost_um2 = leaves * buffer.area_um2
    if stronger is not None and stronger.area_um2 - driver.cell.area_um2 <= cost_um2:
        driver.cell = stronger
        return
    groups = _groups(sinks, leaves)
    if len(groups) < 2 and stronger is None and load_ff / now_ff < constant("overload"):
        return
    new_sinks = []
    for group in groups:
        net = next(numbers)
        for instance, sink in group:
            instance.nets[sink] = net
        name = f"buffer{net}"
        added = Instance(name, buffer, {buffer.inputs[0]: driver.nets[pin], buffer.outputs[0]: net})
        netlist.instances.append(added)
        new_sinks.append((added, buffer.inputs[0]))
    _bound(netlist, sizes, driver, pin, new_sinks, share, numbers)


def _tree(sizes: CellSizes, load_ff: float, share: float) -> tuple[Cell, int]:
    """Return the buffer and how many of them drive a load with least area, their own input counted as load."""

    def price(buffer: Cell) -> tuple[float, int]:
        leaves = math.ceil(load_ff / (share * _drive_ff(buffer)))
        return leaves * buffer.area_um2, leaves

    buffer = min(sizes.buffers, key=price)
    return buffer, price(buffer)[1]


def _groups(sinks: Sequence[tuple[Instance, str]], number: int) -> list[list[tuple[Instance, str]]]:
    """Split sinks, in their order, into groups of about the same load."""
    each_ff = _load_ff(sinks) / number
    groups: list[list[tuple[Instance, str]]] = [[]]
    filled_ff = 0.0
    for sink in sinks:
        if filled_ff >= each_ff * len(groups) and len(groups) < number:
            groups.append([])
        groups[-1].append(sink)
        filled_ff += _load_ff([sink])
    return groups


def _load_ff(sinks: Sequence[tuple[Instance, str]]) -> float:
    return sum(instance.cell.pins[pin].capacitance_ff for instance, pin in sinks)


def speed_up(netlist: Netlist, sizes: CellSizes, analyse: Callable[[], Timing], period_ns: float) -> Timing:
    """Strengthen cells on the worst path until the period is reached or nothing helps, in place.

    Parameters
    ----------
    netlist : Netlist
        Changed.
    sizes : Sizes
        Of its library.
    analyse : callable
        Returns the timing of the netlist as it is.
    period_ns : float
        Period asked for in ns.

    Returns
    -------
    Timing
        Of the netlist as it is then.
    """
    timing = analyse()
    shares = list(constants("speed-up-share"))
    for _ in range(_ROUNDS):
        if not timing.period_ns > period_ns or not shares:
            return timing
        changed = _strengthen(netlist, sizes, timing.instances, shares[0])
        following = analyse() if changed else timing
        if following.period_ns >= timing.period_ns:
            for instance, cell in changed:
                instance.cell = cell
            shares.pop(0)
        else:
            timing = following
    return timing


def _strengthen(
    netlist: Netlist, sizes: CellSizes, numbers: Sequence[int], share: float
) -> list[tuple[Instance, Cell]]:
    """Make the cells of a path stronger whose load is more than a share; return what they were."""
    sinks = netlist.sinks()
    changed = []
    for number in dict.fromkeys(numbers):
        instance = netlist.instances[number]
        variants = sizes.variants.get(instance.cell.name, ())
        place = variants.index(instance.cell) + 1 if instance.cell in variants else len(variants)
        load_ff = max(_load_ff(sinks[instance.nets[pin]]) for pin in instance.cell.outputs)
        if place < len(variants) and load_ff > share * _drive_ff(instance.cell) and not is_full_adder(instance.cell):
            changed.append((instance, instance.cell))
            instance.cell = variants[place]
    return changed
