"""Event-driven simulation of a clock cycle: toggles of each net when every gate takes the time it takes.

All registers and primary inputs change as the cycle begins (registers a clock-to-output delay later), and the cycle
lasts until nothing can change: the clock is never too fast. A gate whose inputs ask for another value puts it out after
the delay that `delays` gives for the input that changed, the edge and the state. If the inputs take it back before it
has come out, it never comes out: pulses shorter than the gate's delay are swallowed, longer ones pass (Verilog's
inertial delay, as of ``assign #(rise, fall)``). Inputs that change at the same femtosecond change at once, and the
fastest of their arcs counts.

As there is no loop in a netlist between registers, the times at which a gate's output toggles follow from those of its
inputs alone: gates are taken one after the other, each behind all that it reads, and no queue of events is needed. Each
trial is on its own, since what comes when depends on its data. That is native/events.cpp.

A gate's last value is what a simulation without delays gives, whatever was swallowed: a change is only dropped together
with the one that takes it back.
"""

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitjoule.gates.liberty.boolean import Words
from bitjoule.gates.netlist import Netlist
from bitjoule.gates.power.delays import OutputDelays, truth
from bitjoule.sim.accelerator.native_build import compiled

MOST_INPUTS = 16
_SOURCE = Path(__file__).parent / "native" / "events.cpp"
_ARRAYS = {
    "source_net": np.int32, "source_delay": np.uint32, "first_input": np.int32, "input_net": np.int32,
    "output_net": np.int32, "kind": np.int32, "first_delay": np.int64, "delay": np.uint32, "first_state": np.int64,
    "truth": np.uint8, "first_choice": np.int64, "choice": np.uint16,
}  # fmt: skip
_NUMBERS = ("nets", "sources", "gates")


class _Plan(ctypes.Structure):
    _fields_ = (*((name, ctypes.c_int64) for name in _NUMBERS), *((name, ctypes.c_void_p) for name in _ARRAYS))


class EventCounter:
    """Counts toggles, cycle by cycle.

    Parameters
    ----------
    netlist : Netlist
        The netlist.
    order : sequence of int
        Numbers of the combinational instances, each behind all that it reads.
    delays : sequence of OutputDelays
        Of all of them and of the flip-flops.

    Raises
    ------
    ValueError
        A cell has too many inputs.
    SimulatorError
        There is no C++ compiler, or it fails.
    """

    def __init__(self, netlist: Netlist, order: Sequence[int], delays: Sequence[OutputDelays]) -> None:
        self._nets = netlist.nets
        self._arrays = _arrays(netlist, order, delays)
        arrays = self._arrays
        numbers = self._nets, len(arrays["source_net"]), len(arrays["output_net"])
        self._plan = _Plan(*numbers, *(arrays[name].ctypes.data for name in _ARRAYS))
        self._count = _library().count_toggles

    def count(self, before: Words, after: Words) -> NDArray[np.uint64]:
        """Simulate a cycle in all trials.

        Parameters
        ----------
        before : array of uint64
            Nets x words: settled values.
        after : array of uint64
            The same with the new values of registers and inputs; the values of all other nets are set.

        Returns
        -------
        array of uint64
            Toggles of each net over all trials.
        """
        shape = self._nets, before.shape[1]
        for values in (before, after):
            if values.shape != shape or values.dtype != np.uint64 or not values.flags.c_contiguous:
                raise ValueError(f"expected {shape[0]} x {shape[1]} words of 64 bits in one piece")
        toggles = np.zeros(self._nets, dtype=np.uint64)
        arrays = (values.ctypes.data for values in (before, after, toggles))
        self._count(ctypes.byref(self._plan), *arrays, shape[1])
        return toggles


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(compiled(_SOURCE)))
    pointer = ctypes.c_void_p
    library.count_toggles.argtypes = (ctypes.POINTER(_Plan), pointer, pointer, pointer, ctypes.c_int64)
    library.count_toggles.restype = None
    return library


def _arrays(netlist: Netlist, order: Sequence[int], delays: Sequence[OutputDelays]) -> dict[str, NDArray[np.generic]]:
    """Return what native/events.cpp reads of the netlist."""
    kinds: dict[int, list[tuple[int, int]]] = {number: [] for number in order}
    source_fs = np.zeros((netlist.nets, 2), dtype=np.uint32)
    driven = np.zeros(netlist.nets, dtype=np.bool_)
    for kind, group in enumerate(delays):
        if len(group.cell.inputs) > MOST_INPUTS:
            raise ValueError(f"cell {group.cell.name} has more than {MOST_INPUTS} inputs")
        for place, number in enumerate(group.numbers.tolist()):
            if group.choices is None:
                source_fs[netlist.instances[number].nets[group.pin]] = group.delay_fs[:, place]
            elif number in kinds:
                kinds[number].append((kind, place))
    rows: dict[str, list[int]] = {name: [] for name in ("first_input", "input_net", "output_net", "kind")}
    delay, first_delay = [np.zeros(0, dtype=np.uint32)], [0]
    for number in order:
        nets = netlist.instances[number].nets
        for kind, place in kinds[number]:
            group = delays[kind]
            rows["first_input"].append(len(rows["input_net"]))
            rows["input_net"] += [nets[pin] for pin in group.cell.inputs]
            rows["output_net"].append(nets[group.pin])
            rows["kind"].append(kind)
            delay.append(group.delay_fs[:, place])
            first_delay.append(first_delay[-1] + len(delay[-1]))
    rows["first_input"].append(len(rows["input_net"]))
    driven[rows["output_net"]] = True
    sources = np.flatnonzero(~driven)
    truths = [truth(group.cell, group.pin) if group.choices is not None else np.zeros(0) for group in delays]
    choices = [group.choices.ravel() if group.choices is not None else np.zeros(0) for group in delays]
    found: dict[str, object] = {
        **rows,
        "source_net": sources,
        "source_delay": source_fs[sources].ravel(),
        "first_delay": first_delay,
        "delay": np.concatenate(delay),
        "first_state": _firsts(truths),
        "truth": np.concatenate([np.zeros(0), *truths]),
        "first_choice": _firsts(choices),
        "choice": np.concatenate([np.zeros(0), *choices]),
    }
    return {name: np.ascontiguousarray(found[name], dtype=element) for name, element in _ARRAYS.items()}


def _firsts(arrays: Sequence[NDArray[np.generic]]) -> NDArray[np.int64]:
    return np.cumsum([0, *(len(array) for array in arrays)], dtype=np.int64)
