"""Which bits of a design never change, proved: Yosys makes and-gates and registers of it, ABC proves by induction.

Each module is taken by itself, its inputs and the outputs of the modules in it being anything in any cycle. A bit that
is constant then is constant in every place where the module stands.
"""

import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyosys

GATES = (
    "read_verilog -sv design.v",
    "hierarchy -check -top {top}",
    "proc",
    "memory_collect",
    "memory_map",
    "async2sync",
    "simplemap",
    "dffunmap",
    "aigmap",
    "write_json gates.json",
)
# `scorr` finds signals that are equal in every state that can be reached, and those that equal a constant.
ABC = "read_aiger module.aig; strash; scorr; write_aiger proved.aig"


def constant_bits(
    verilog: str, top: str, bits: Mapping[str, Collection[tuple[str, int]]], folder: Path
) -> dict[str, set[tuple[str, int]]]:
    """Return which of some bits are proved to have one value in all cycles, from the start of the registers on.

    Parameters
    ----------
    verilog
        The design.
    top
        Its top module.
    bits
        By module, pairs of a wire's name and a place in it.
    folder
        Where the files go.

    Returns
    -------
    dict
        As `bits`.

    Raises
    ------
    ValueError
        A module holds no such bit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "design.v").write_text(verilog)
    (folder / "commands.ys").write_text("\n".join(GATES).format(top=top) + "\n")
    _execute(folder, sys.executable, "-c", "from pyosys import libyosys; libyosys.run_pass('script commands.ys')")
    modules = json.loads((folder / "gates.json").read_text())["modules"]
    return {name: _constant(modules[name], asked, folder) for name, asked in bits.items()}


def _constant(module: Any, asked: Collection[tuple[str, int]], folder: Path) -> set[tuple[str, int]]:
    nets = {(name, place): _net(module, name, place) for name, place in asked}
    if not nets:
        return set()
    (folder / "module.aig").write_bytes(_Graph(module).aiger(nets.values()))
    _execute(folder, str(Path(pyosys.__file__).with_name("yosys-abc")), "-c", ABC)
    literals = _outputs((folder / "proved.aig").read_bytes())
    return {bit for bit, literal in zip(nets, literals, strict=True) if literal < 2}


def _net(module: Any, name: str, place: int) -> Any:
    # Yosys writes the names of its own wires as they are, and puts a backslash before those of the source.
    wire = module["netnames"].get(f"\\{name}" if name.startswith("$") else name)
    if wire is not None:
        first, width = wire.get("offset", 0), len(wire["bits"])
        at = first + width - 1 - place if wire.get("upto") else place - first
        if 0 <= at < width:
            return wire["bits"][at]
    raise ValueError(f"there is no bit {place} of a wire {name}")


class _Graph:
    """A module's gates and registers, and what drives each net; whatever nothing drives is an input.

    Parameters
    ----------
    module
        As Yosys writes it to JSON.
    """

    def __init__(self, module: Any) -> None:
        self._ands: dict[Any, tuple[Any, Any]] = {}
        self._nots: dict[Any, Any] = {}
        self._registers: dict[Any, Any] = {}
        starts: dict[Any, str] = {}
        for wire in module["netnames"].values():
            text = wire["attributes"].get("init", "")
            starts.update({net: bit for net, bit in zip(wire["bits"], reversed(text), strict=False) if bit in "01"})
        for cell in module["cells"].values():
            pins = {name: nets[0] for name, nets in cell["connections"].items() if nets}
            if cell["type"] == "$_AND_":
                self._ands[pins["Y"]] = (pins["A"], pins["B"])
            elif cell["type"] == "$_NOT_":
                self._nots[pins["Y"]] = pins["A"]
            elif cell["type"] == "$_DFF_P_" and pins["Q"] in starts:
                self._registers[pins["Q"]] = pins["D"]
        self._starts = {net: starts[net] == "1" for net in self._registers}

    def aiger(self, outputs: Iterable[Any]) -> bytes:
        """Return the graph in AIGER's binary format.

        Registers start with zero there: one that starts with one is stored inverted.

        Parameters
        ----------
        outputs
            Nets.
        """
        wanted = list(outputs)
        order, registers, inputs = self._cone(wanted)
        literal: dict[Any, int] = {"0": 0, "1": 1}
        for number, net in enumerate([*inputs, *registers], 1):
            literal[net] = 2 * number ^ self._starts.get(net, False)
        gates = []
        for net in order:
            if net in self._nots:
                literal[net] = literal[self._nots[net]] ^ 1
            else:
                high, low = sorted((literal[each] for each in self._ands[net]), reverse=True)
                literal[net] = 2 * (len(inputs) + len(registers) + len(gates) + 1)
                gates.append((literal[net] - high, high - low))
        count = len(inputs) + len(registers) + len(gates)
        lines = [f"aig {count} {len(inputs)} {len(registers)} {len(wanted)} {len(gates)}"]
        lines += [str(literal[self._registers[net]] ^ self._starts[net]) for net in registers]
        lines += [str(literal[net]) for net in wanted]
        return "\n".join(lines).encode() + b"\n" + b"".join(_number(delta) for pair in gates for delta in pair)

    def _cone(self, wanted: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Return gates (each behind those it reads), registers and inputs that some nets depend on."""
        gates: list[Any] = []
        registers: list[Any] = []
        inputs: list[Any] = []
        seen: set[Any] = {"0", "1"}
        stack = [(net, False) for net in wanted]
        while stack:
            net, ready = stack.pop()
            if ready:
                gates.append(net)
                continue
            if net in seen:
                continue
            seen.add(net)
            if net in self._registers:
                registers.append(net)
                stack.insert(0, (self._registers[net], False))
            elif net in self._ands or net in self._nots:
                stack.append((net, True))
                stack += [(each, False) for each in self._ands.get(net, (self._nots.get(net),))]
            else:
                inputs.append(net)
        return gates, registers, inputs


def _number(value: int) -> bytes:
    """Return a number as AIGER has it: seven bits a byte, the lowest first, all bytes but the last marked."""
    parts = []
    while value >> 7:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _outputs(aiger: bytes) -> list[int]:
    """Return the literals of the outputs: 0 and 1 are the constants."""
    header, rest = aiger.split(b"\n", 1)
    latches, count = (int(field) for field in header.split()[3:5])
    return [int(line) for line in rest.split(b"\n", latches + count)[latches : latches + count]]


def _execute(folder: Path, *command: str) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=os.environ | {"TMPDIR": str(folder)}
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
