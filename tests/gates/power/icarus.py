"""Toggles of a netlist by Icarus Verilog: each gate an expression or a module of its own, with its own delays."""

import re
import shutil
import subprocess
from collections import defaultdict

import numpy as np

from bitjoule.gates.power.activity import clock_tree
from bitjoule.gates.power.delays import truth

PROGRAM = shutil.which("iverilog") and shutil.which("vvp")
_PIN = re.compile(r"(?<![\w'])[A-Za-z_]\w*")
_BIT = re.compile(r"^([01xz])(\S+)$")
_STATE = "state"


def _expression(function, names):
    return _PIN.sub(lambda match: names[match[0]], function.verilog)


def _by_edge_fs(group, place):
    """Return the slowest rise and the slowest fall of an instance's output."""
    if group.choices is None:
        return group.delay_fs[:, place].tolist()
    values = truth(group.cell, group.pin)
    chosen = group.delay_fs[group.choices, place]
    return [int(chosen[:, values == value].max()) for value in (1, 0)]


def _gate_with_paths(name, group, place):
    """Return a module whose path delays are those of each input in each state of the others."""
    cell, inputs = group.cell, group.cell.inputs
    values = truth(cell, group.pin)
    paths = []
    for pin_place, pin in enumerate(inputs):
        bit = len(inputs) - 1 - pin_place
        for low in (state for state in range(len(values)) if not state >> bit & 1):
            high = low | 1 << bit
            if values[low] == values[high]:
                continue
            up, down = (high, low) if values[high] else (low, high)
            rise, fall = (int(group.delay_fs[group.choices[pin_place, state], place]) for state in (up, down))
            others = [
                f"{'' if low >> (len(inputs) - 1 - other) & 1 else '!'}{inputs[other]}"
                for other in range(len(inputs))
                if other != pin_place
            ]
            condition = f"if ({' && '.join(others)}) " if others else ""
            paths.append(f"    {condition}({pin} => {group.pin}) = ({rise}, {fall});")
    return "\n".join([
        f"module {name} (output {group.pin}, input {', '.join(inputs)});",
        f"  assign {group.pin} = {cell.function(group.pin).verilog};",
        "  specify", *paths, "  endspecify", "endmodule",
    ])  # fmt: skip


def bench(netlist, clock, delays, period_fs, by_path):
    """Return a test bench: inputs of each cycle from inputs.txt, all nets' changes to toggles.vcd."""
    modules, lines, edges = [], [], []
    clocks = clock_tree(netlist, set(netlist.inputs[clock]))
    for kind, group in enumerate(delays):
        for place, number in enumerate(group.numbers.tolist()):
            nets = {pin: f"n{net}" for pin, net in netlist.instances[number].nets.items()}
            output = nets[group.pin]
            rise, fall = _by_edge_fs(group, place)
            if group.choices is None:
                state = group.cell.flip_flop
                names = nets | {state.state: f"{_STATE}{number}", state.inverse: f"(~{_STATE}{number})"}
                value = _expression(group.cell.function(group.pin), names)
                if group.pin == group.cell.outputs[0]:
                    enable = clocks[netlist.instances[number].nets[state.clock.text.strip("() ")]]
                    lines.append(f"reg {_STATE}{number} = 0;")
                    following = _expression(state.next_state, names)
                    edges.append(f"if ({f'n{enable}' if enable else 1}) {_STATE}{number} <= {following};")
                lines.append(f"assign #({rise}, {fall}) {output} = {value};")
            elif by_path:
                modules.append(_gate_with_paths(f"gate{kind}_{place}", group, place))
                pins = ", ".join(f".{pin}({nets[pin]})" for pin in (group.pin, *group.cell.inputs))
                lines.append(f"gate{kind}_{place} u{kind}_{place} ({pins});")
            else:
                lines.append(
                    f"assign #({rise}, {fall}) {output} = {_expression(group.cell.function(group.pin), nets)};"
                )
    given = [net for port, nets in netlist.inputs.items() if port != clock for net in nets]
    wires = ", ".join(f"n{net}" for net in range(2, netlist.nets))
    return "\n".join([
        "`timescale 1fs/1fs", *modules, "module bench;", f"wire {wires};", "wire n0 = 1'b0, n1 = 1'b1;",
        f"reg [{len(given) - 1}:0] given = 0, following; reg clk = 0; integer file, cycles, scanned;",
        *(f"assign n{net} = given[{place}];" for place, net in enumerate(given)),
        *lines,
        "always @(posedge clk) begin", *edges, "end",
        "initial begin",
        '  file = $fopen("inputs.txt", "r"); cycles = 0; $dumpfile("toggles.vcd"); $dumpvars(1, bench);',
        f"  #{period_fs};",
        '  while ($fscanf(file, "%b", following) == 1) begin',
        f"    clk = 1; given <= following; #{period_fs // 2} clk = 0; #{period_fs - period_fs // 2};",
        "  end",
        "  $finish;", "end", "endmodule", "",
    ]), given  # fmt: skip


def run(netlist, clock, delays, cycles, folder, period_fs, by_path=False):
    """Simulate and return the file of changes; `cycles` holds the value of each input port, an integer, in each."""
    text, given = bench(netlist, clock, delays, period_fs, by_path)
    (folder / "bench.v").write_text(text)
    places = {net: place for place, net in enumerate(given)}
    rows = []
    for ports in cycles:
        word = 0
        for port, value in ports.items():
            for bit, net in enumerate(netlist.inputs[port]):
                word |= (value >> bit & 1) << places[net]
        rows.append(f"{word:0{len(given)}b}")
    (folder / "inputs.txt").write_text("\n".join(rows) + "\n")
    command = ["iverilog", "-g2012", "-gspecify", "-o", "bench.vvp", "bench.v"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    subprocess.run(["vvp", "-n", "bench.vvp"], cwd=folder, check=True, capture_output=True, text=True)
    return folder / "toggles.vcd"


def toggles(netlist, clock, delays, cycles, first, folder, period_fs=100_000_000, by_path=False):
    """Return how often each net toggles from a cycle on; the others as of `run`."""
    path = run(netlist, clock, delays, cycles, folder, period_fs, by_path)
    found = np.zeros(netlist.nets, dtype=np.int64)
    for net, changes in enumerate(waves(path, netlist.nets)):
        found[net] = sum(time >= (1 + first) * period_fs for time, _ in changes)
    return found


def waves(path, nets):
    """Return the changes of each net: times in fs and values."""
    names, changes, now = {}, defaultdict(list), -1
    with path.open() as lines:
        for line in lines:
            if line.startswith("$var"):
                _, _, width, code, name = line.split()[:5]
                if width == "1" and name[0] == "n":
                    names.setdefault(code, []).append(int(name[1:]))
            elif line.startswith("#"):
                now = int(line[1:])
            elif match := _BIT.match(line):
                changes[match[2]].append((now, int(match[1] == "1")))
    found = [[] for _ in range(nets)]
    for code, same in names.items():
        for net in same:
            found[net] = changes[code]
    return found
