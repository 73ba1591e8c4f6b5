"""Bit-parallel simulation of a netlist, 64 independent trials a word, and its toggles without and with glitches.

Each clock cycle begins when registers and primary inputs change. A net that ends a cycle other than it began is a
settled toggle. What else it does in between are glitches: `bitjoule.gates.power.events` counts them if the delays of
gates are known. The clock is ideal and never simulated: a gated one is the enable's value at the edge.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bitjoule.gates.liberty.boolean import BooleanFunction, Words, parity
from bitjoule.gates.liberty.cell import Cell
from bitjoule.gates.netlist import PARITY3, Instance, Netlist
from bitjoule.gates.power.delays import OutputDelays
from bitjoule.gates.power.events import EventCounter

WORD_BITS = 64


@dataclass(frozen=True)
class _Group:
    """Cells of one type to be evaluated together: a row of nets for each pin."""

    inputs: dict[str, NDArray[np.intp]]
    outputs: tuple[tuple[BooleanFunction, NDArray[np.intp]], ...]


@dataclass
class _Registers:
    """Flip-flops of one type and one clock: their state, and the instances they stand for."""

    cell: Cell
    inputs: dict[str, NDArray[np.intp]]
    outputs: tuple[tuple[BooleanFunction, NDArray[np.intp]], ...]
    enable: int | None
    state: Words
    numbers: NDArray[np.intp]


@dataclass(frozen=True)
class Activity:
    """What was counted over some cycles, in events a cycle and trial.

    Parameters
    ----------
    settled, total : array
        Toggles of each net: between settled states, and with glitches, if they were simulated.
    clocked : array
        How often each flip-flop (by its number among the instances) got a clock edge.
    by_cycle : list of tuple of array
        Settled and total toggles of each net in each cycle, to tell how sure the mean is.
    """

    settled: NDArray[np.float64]
    total: NDArray[np.float64]
    clocked: NDArray[np.float64]
    by_cycle: list[tuple[NDArray[np.float64], NDArray[np.float64]]]


class Simulator:
    """Steps a netlist through clock cycles.

    Parameters
    ----------
    netlist : Netlist
        Flip-flops (resets and presets tied off), combinational cells and clock gates, all on one rising clock.
    clock : str or None
        The clock's port; None for a combinational netlist.
    words : int
        Words of 64 trials.
    delays : sequence of OutputDelays or None
        Of each gate, to count glitches with; without them toggles are between settled states.
    """

    def __init__(
        self, netlist: Netlist, clock: str | None, words: int, delays: Sequence[OutputDelays] | None = None
    ) -> None:
        self.netlist = netlist
        self.words = words
        clock_nets = set(netlist.inputs[clock]) if clock else set()
        self.clock_nets = clock_tree(netlist, clock_nets)
        combinational = [
            (number, instance) for number, instance in enumerate(netlist.instances) if instance.cell.is_combinational
        ]
        combinational = [item for item in combinational if not set(item[1].nets.values()) & set(self.clock_nets)]
        level = _levels(netlist, [instance for _, instance in combinational])
        by_level: list[list[Instance]] = [[] for _ in range(max(level.values(), default=0))]
        for number, instance in combinational:
            by_level[level[number] - 1].append(instance)
        self._settle = [_grouped(members) for members in by_level]
        order = sorted(level, key=level.__getitem__)
        self._events = EventCounter(netlist, order, delays) if delays is not None else None
        self._registers = self._find_registers()
        self.values: Words = np.zeros((netlist.nets, words), dtype=np.uint64)
        self.restart()

    def restart(self) -> None:
        """Begin again: all that was simulated is forgotten, and every register and net holds a zero."""
        self.values[:] = 0
        self.values[1] = ~np.uint64(0)
        for group in self._registers:
            group.state = np.zeros_like(group.state)

    def _find_registers(self) -> list[_Registers]:
        by_clock: dict[tuple[str, int], list[tuple[int, Instance]]] = defaultdict(list)
        for number, instance in enumerate(self.netlist.instances):
            state = instance.cell.flip_flop
            if state is None:
                continue
            pin = state.clock.text.strip("() ")
            if not state.is_plain(instance.nets):
                raise ValueError(f"{instance.cell.name} has a reset or preset that is not tied off")
            if pin not in instance.nets or instance.nets[pin] not in self.clock_nets:
                raise ValueError(f"{instance.cell.name} is not clocked by the rising edge")
            by_clock[instance.cell.name, instance.nets[pin]].append((number, instance))
        groups = []
        for (_, clock), members in sorted(by_clock.items()):
            instances = [instance for _, instance in members]
            cell = instances[0].cell
            inputs, outputs = _pin_nets(cell, instances)
            state_words = np.zeros((len(instances), self.words), dtype=np.uint64)
            numbers = np.array([number for number, _ in members], dtype=np.intp)
            groups.append(_Registers(cell, inputs, outputs, self.clock_nets[clock], state_words, numbers))
        return groups

    def settle(self) -> None:
        """Let the values settle without counting."""
        self._drive()
        self._propagate()

    def _propagate(self) -> None:
        for level in self._settle:
            for group in level:
                pins = {pin: self.values[nets] for pin, nets in group.inputs.items()}
                for function, nets in group.outputs:
                    self.values[nets] = function(pins)

    def cycle(self, inputs: dict[str, Words], count: bool = True) -> tuple[Words, Words, dict[int, float]] | None:
        """Step one clock cycle: a clock edge, then the inputs of the new cycle and the settling.

        Parameters
        ----------
        inputs : dict of str to array of uint64
            Bits x words for each port that changes.
        count : bool
            Whether to count toggles.

        Returns
        -------
        tuple or None
            Toggles of each net over all trials, settled and with glitches, and the clock edges of each group of
            registers; None if not counted.
        """
        before = self.values.copy()
        clocked = self._clock_edge()
        for port, bits in inputs.items():
            self.values[self.netlist.inputs[port]] = bits
        self._drive()
        total = None
        if count and self._events is not None:
            total = self._events.count(before, self.values)
        else:
            self._propagate()
        if not count:
            return None
        settled = np.bitwise_count(before ^ self.values).sum(axis=1, dtype=np.uint64)
        return settled, settled if total is None else total, clocked

    def _clock_edge(self) -> dict[int, float]:
        clocked = {}
        following = []
        for index, group in enumerate(self._registers):
            state = group.cell.state
            pins = {pin: self.values[nets] for pin, nets in group.inputs.items()}
            pins |= {state.state: group.state, state.inverse: ~group.state}
            new = np.broadcast_to(state.next_state(pins), group.state.shape)
            clocked[index] = 1.0
            if group.enable is not None:
                enable = self.values[group.enable]
                new = (new & enable) | (group.state & ~enable)
                clocked[index] = float(np.bitwise_count(enable).sum()) / (WORD_BITS * self.words)
            following.append(new)
        for group, new in zip(self._registers, following, strict=True):
            group.state = new.copy()
        return clocked

    def _drive(self) -> None:
        for group in self._registers:
            state = group.cell.state
            for function, nets in group.outputs:
                self.values[nets] = function({state.state: group.state, state.inverse: ~group.state})

    def measure(self, stimulus: Iterable[dict[str, Words]], warm_up: int) -> Activity:
        """Run a stimulus and count.

        Parameters
        ----------
        stimulus : iterable of dict
            Inputs of each cycle.
        warm_up : int
            Cycles at the beginning that are not counted.

        Returns
        -------
        Activity
            Means over the cycles counted.
        """
        trials = WORD_BITS * self.words
        self.settle()
        by_cycle = []
        edges = np.zeros(len(self.netlist.instances))
        for number, inputs in enumerate(stimulus):
            counted = self.cycle(inputs, number >= warm_up)
            if counted is not None:
                settled, total, clocked = counted
                by_cycle.append((settled / trials, total / trials))
                for index, share in clocked.items():
                    edges[self._registers[index].numbers] += share
        settled_mean, total_mean = (np.mean([pair[kind] for pair in by_cycle], axis=0) for kind in (0, 1))
        return Activity(settled_mean, total_mean, edges / len(by_cycle), by_cycle)

    def output(self, port: str) -> Words:
        """Return the value of an output port: bits x words."""
        return self.values[self.netlist.outputs[port]]


def _grouped(instances: Sequence[Instance]) -> list[_Group]:
    by_type: dict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        by_type[instance.cell.name].append(instance)
    return [_Group(*_pin_nets(members[0].cell, members)) for _, members in sorted(by_type.items())]


def _pin_nets(
    cell: Cell, instances: Sequence[Instance]
) -> tuple[dict[str, NDArray[np.intp]], tuple[tuple[BooleanFunction, NDArray[np.intp]], ...]]:
    """Return the nets of each input and output, cell by cell."""
    inputs = {pin: np.array([instance.nets[pin] for instance in instances], dtype=np.intp) for pin in cell.inputs}
    outputs = []
    for pin in cell.outputs:
        function = cell.function(pin)
        if cell.is_combinational:
            function = _short(function)
        outputs.append((function, np.array([instance.nets[pin] for instance in instances], dtype=np.intp)))
    return inputs, tuple(outputs)


@cache
def _short(function: BooleanFunction) -> BooleanFunction:
    """Return a function of three inputs as exclusive or, if it is one: libraries write long sums of products."""
    if len(function.pins) == 3:
        table = function.table(function.pins)
        if table == PARITY3:
            return parity(function.pins)
        if table == PARITY3 ^ 0xFF:
            return BooleanFunction(f"!({parity(function.pins).text})")
    return function


def clock_tree(netlist: Netlist, roots: set[int]) -> dict[int, int | None]:
    """Return the nets that carry the clock, and the net that enables each gated one."""
    enables: dict[int, int | None] = dict.fromkeys(roots)
    for instance in netlist.instances:
        if instance.cell.clock_gate:
            roles = instance.cell.roles
            if instance.nets[roles["clock_gate_clock_pin"]] not in roots:
                raise ValueError("a clock gate is not on the clock itself")
            enables[instance.nets[roles["clock_gate_out_pin"]]] = instance.nets[roles["clock_gate_enable_pin"]]
    return enables


def _levels(netlist: Netlist, cells: Sequence[Instance]) -> dict[int, int]:
    """Return the most gates on a way from a register or input to each cell, itself included, by its number."""
    numbers = {id(instance): number for number, instance in enumerate(netlist.instances)}
    driven = {instance.nets[pin] for instance in cells for pin in instance.cell.outputs}
    readers: dict[int, list[Instance]] = defaultdict(list)
    waiting: dict[int, int] = {}
    level: dict[int, int] = {}
    ready = []
    for instance in cells:
        inner = [net for pin in instance.cell.inputs if (net := instance.nets[pin]) in driven]
        for net in inner:
            readers[net].append(instance)
        waiting[numbers[id(instance)]] = len(inner)
        level[numbers[id(instance)]] = 1
        if not inner:
            ready.append(instance)
    done = 0
    while ready:
        instance = ready.pop()
        done += 1
        number = numbers[id(instance)]
        for pin in instance.cell.outputs:
            for reader in readers[instance.nets[pin]]:
                other = numbers[id(reader)]
                level[other] = max(level[other], level[number] + 1)
                waiting[other] -= 1
                if not waiting[other]:
                    ready.append(reader)
    if done != len(cells):
        raise ValueError("the netlist has a combinational loop")
    return level
