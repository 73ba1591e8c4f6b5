"""Which part of the accelerator each cell of its netlist is: what the energy of a multiply-accumulate is spent on.

The netlist is flat and the names of its gates are gone; flip-flops keep the names of the registers they are. A gate's
part follows from what it sees (the registers and inputs from which there is a way to it through gates) and what it
feeds. The first of these rules that holds decides:

1. A clock gate is ``clock``, and so is what clock pins take. A flip-flop is ``registers``.
2. What sees the operands' inputs, or the beats gathered of a tile, is ``unpack``: it prepares operands for their
   registers.
3. What sees the running sums or the queue of results is ``accumulate``: the adder with all its carries, the selection
   of a token's sums, the queue's output.
4. What sees operand registers, of one lane only, is ``select``; in an array that multiplies, ``multiply``. What sees
   those of two lanes or more is ``tree``; lanes that share a look-up table count as one. A full adder of the first
   level may count to either: it sees three lanes, but where constants made its operands simpler, gates before it can
   have been drawn into it.
5. What sees registers in the column is ``tree`` if it feeds others of these, and ``accumulate`` if it does not.
6. All else is ``control``: sequencer, handshakes, counters, enables, addresses.

Without a register in the tree, rule 3 begins where the running sum comes in.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import IntFlag
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.power.energy import Energy
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.operands import activation_bits, weight_lines

PARTS = ("unpack", "select", "multiply", "tree", "accumulate", "registers", "clock", "control")
_REGISTER = re.compile(r"(?P<path>.*?)(?P<name>[^.]*?)(?:\$\d+)?(?:\[(?P<index>\d+)\].*)?(?:\$_\w+_)?")
_COLUMN = re.compile(r"\bcolumn\d+\.")
_OPERANDS = {"plus", "minus", "weights", "activations", "scale", "scales"}
_ALL_LANES = 0b11  # more than one


class Bank(IntFlag):
    """Registers and inputs by what they hold."""

    CONTROL = 1
    INPUT = 2
    OPERANDS = 4
    COLUMN = 8
    SUMS = 16


def bank(name: str) -> Bank:
    """Return what a flip-flop holds.

    Parameters
    ----------
    name
        Of the instance: the register's, as Yosys writes it, and the kind of flip-flop.
    """
    match = _REGISTER.fullmatch(name)
    path, register = (match["path"], match["name"]) if match else ("", name)
    if register.removeprefix("held_") in _OPERANDS:
        return Bank.OPERANDS
    if "accumulators." in path or (path.endswith("queue.") and register == "storage"):
        return Bank.SUMS
    if _COLUMN.search(path):
        return Bank.COLUMN
    if path.endswith("loader.") and register.startswith("early"):
        return Bank.INPUT
    return Bank.CONTROL


def parts_of(netlist: Netlist, config: AcceleratorConfig) -> list[str]:
    """Return the part of each instance, in their order.

    Parameters
    ----------
    netlist
        Of the accelerator; its flip-flops have the names that `bitjoule.gates.synthesis.yosys` gives them.
    config
        What it was synthesised from.
    """
    banks = {
        number: bank(instance.name)
        for number, instance in enumerate(netlist.instances)
        if instance.cell.flip_flop is not None
    }
    sources, lanes = _sources(netlist, config, banks)
    feeds = _sinks(netlist, banks)
    order = _ordered(netlist)
    for instance in order:
        source = lane = 0
        for pin in instance.cell.inputs:
            source |= sources[instance.nets[pin]]
            lane |= lanes[instance.nets[pin]]
        for pin in instance.cell.outputs:
            sources[instance.nets[pin]], lanes[instance.nets[pin]] = source, lane
    for instance in reversed(order):
        fed = any(feeds[instance.nets[pin]] for pin in instance.cell.outputs)
        for pin in instance.cell.inputs:
            feeds[instance.nets[pin]] |= fed
    select = "multiply" if config.multiplies else "select"
    parts = []
    for instance in netlist.instances:
        if instance.cell.clock_gate:
            parts.append("clock")
        elif instance.cell.flip_flop is not None:
            parts.append("registers")
        else:
            out = [instance.nets[pin] for pin in instance.cell.outputs]
            in_one_lane = lanes[out[0]].bit_count() < 2
            parts.append(_part(sources[out[0]], in_one_lane, any(feeds[net] for net in out), select))
    return parts


@cache
def _part(sources: int, in_one_lane: bool, feeds_column: bool, select: str) -> str:
    if sources & Bank.INPUT:
        return "unpack"
    if sources & Bank.SUMS:
        return "accumulate"
    if sources & Bank.OPERANDS:
        return select if in_one_lane else "tree"
    if sources & Bank.COLUMN:
        return "tree" if feeds_column else "accumulate"
    return "control"


def _sources(
    netlist: Netlist, config: AcceleratorConfig, banks: dict[int, Bank]
) -> tuple[dict[int, int], dict[int, int]]:
    """Return, of each net that a register or input drives, what it holds, and of operands the lane, as a bit."""
    sources: dict[int, int] = defaultdict(int)  # of `Bank`, as plain numbers: a netlist takes thousands of unions
    lanes: dict[int, int] = defaultdict(int)
    for port, nets in netlist.inputs.items():
        data = port in ("s_axis_weights_tdata", "s_axis_activations_tdata")
        sources.update(dict.fromkeys(nets, int(Bank.INPUT if data else Bank.CONTROL)))
    operands = {number for number, contents in banks.items() if contents == Bank.OPERANDS}
    places = {number: _place(netlist.instances[number].name) for number in operands}
    bits = {**weight_lines(config), "activations": activation_bits(config)}
    for number, contents in banks.items():
        instance = netlist.instances[number]
        lane = 0
        if number in operands:
            name, index = places[number]
            lane = _lane(config, bits, name.removeprefix("held_"), index)
        for pin in instance.cell.outputs:
            sources[instance.nets[pin]], lanes[instance.nets[pin]] = int(contents), lane
    sources[0] = sources[1] = 0
    return sources, lanes


def _lane(config: AcceleratorConfig, bits: dict[str, int], name: str, index: int) -> int:
    """Return the lane, or the lanes of a table, of a bit of an operand register, as a bit; what is shared is of all."""
    if name not in bits or (name == "activations" and index >= config.lanes * bits[name]):
        return _ALL_LANES
    # Yosys calls a column's weights by its port, or by the vector of all columns, one after the other.
    place = index // bits[name] % config.lanes
    return 1 << (place if name == "activations" else place // config.group_lanes)


def _place(name: str) -> tuple[str, int]:
    """Return the name of a flip-flop's register, which columns share, and the place of its bit."""
    match = _REGISTER.fullmatch(name)
    if match is None:
        return name, 0
    return match["name"], int(match["index"] or 0)


def _sinks(netlist: Netlist, banks: dict[int, Bank]) -> dict[int, bool]:
    """Return the nets that a register in the column takes."""
    feeds: dict[int, bool] = defaultdict(bool)
    for number, contents in banks.items():
        instance = netlist.instances[number]
        if contents == Bank.COLUMN:
            feeds.update(dict.fromkeys((instance.nets[pin] for pin in instance.cell.inputs), True))
    return feeds


def _ordered(netlist: Netlist) -> list[Instance]:
    """Return the gates, each behind all that it reads."""
    gates = [item for item in netlist.instances if item.cell.flip_flop is None and not item.cell.clock_gate]
    driver = {item.nets[pin]: number for number, item in enumerate(gates) for pin in item.cell.outputs}
    readers: dict[int, list[int]] = defaultdict(list)
    waiting = [0] * len(gates)
    for number, item in enumerate(gates):
        for pin in item.cell.inputs:
            if item.nets[pin] in driver:
                readers[driver[item.nets[pin]]].append(number)
                waiting[number] += 1
    ready = [number for number, count in enumerate(waiting) if not count]
    order = []
    while ready:
        number = ready.pop()
        order.append(gates[number])
        for reader in readers[number]:
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    return order


def by_part(values: Iterable[float], parts: Sequence[str]) -> dict[str, float]:
    """Return sums over the instances of each part, of the parts that there are.

    Parameters
    ----------
    values
        Of each instance: area, leakage, energy.
    parts
        From `parts_of`.
    """
    sums: dict[str, float] = {part: 0.0 for part in PARTS if part in parts}
    for part, value in zip(parts, values, strict=True):
        sums[part] += float(value)
    return sums


def energy_by_part_fj(energy: Energy, parts: Sequence[str], settled: bool = False) -> dict[str, float]:
    """Return the energy of a cycle by part; it adds up to `energy`'s total and its wires.

    Parameters
    ----------
    energy
        Of the netlist.
    parts
        From `parts_of`.
    settled
        Without glitches.

    Returns
    -------
    dict of str to float
        In fJ. Clock pins of flip-flops count to ``clock``; ``input`` is what primary inputs charge, ``wires`` what
        wires add in all parts.
    """
    kind = 0 if settled else 1
    each = energy.by_instance_fj[kind]
    clocks: NDArray[np.float64] = energy.clock_by_instance_fj
    by_part_fj = by_part(each - clocks, parts)
    by_part_fj["clock"] = by_part_fj.get("clock", 0.0) + float(clocks.sum())
    total_fj = energy.settled_fj if settled else energy.total_fj
    return by_part_fj | {"input": total_fj - float(each.sum()), "wires": energy.wire_fj[kind]}
