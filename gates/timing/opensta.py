"""Critical path of a netlist by OpenSTA (``sta``; Debian: ``apt-get install opensta``): a check of our own (`sta`)."""

import math
import re
import shutil
import subprocess
from pathlib import Path

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.netlist import Netlist
from bitjoule.gates.timing.sta import Timing

_PERIOD_NS = 100.0  # longer than any path, short enough for OpenSTA's four-byte numbers
_SECTION = re.compile(r"^=== (\w+)$", re.MULTILINE)
_ARRIVAL = re.compile(r"([-\d.]+)\s+data arrival time")
_SLACK = re.compile(r"([-\d.]+)\s+slack \(")
_CELL = re.compile(r"^\s*[-\d.]+\s+[-\d.]+\s+[v^]\s+(\S+)/(\S+)\s+\((\S+)\)", re.MULTILINE)


def analyse(netlist: Netlist, liberty: Path, clock: str | None, library: Library, folder: Path) -> Timing | None:
    """Return the delays of a netlist, or None if OpenSTA is not installed.

    Parameters
    ----------
    netlist : Netlist
        The netlist.
    liberty : Path
        Its library, one file.
    clock : str or None
        The clock's port.
    library : Library
        The same, as read here: its typical slew, and its unit of time, which OpenSTA of 2019 speaks whatever else it is
        told.
    folder : Path
        Where files go, ``sta.log`` among them.

    Raises
    ------
    RuntimeError
        OpenSTA read no design.
    """
    program = shutil.which("sta")
    if program is None:
        return None
    source, script = folder / "timed.v", folder / "sta.tcl"
    source.write_text(netlist.verilog())
    period = _PERIOD_NS / library.time_unit_ns
    constraint = f"create_clock -name clock -period {period} [get_ports {clock}]" if clock else ""
    virtual = "" if clock else f"create_clock -name clock -period {period}"
    inputs = f"[get_ports {{{' '.join(name for name in netlist.inputs if name != clock)}}}]"
    slew = library.slew_ns / library.time_unit_ns
    reports = {
        "registers": "-from [all_registers -clock_pins] -to [all_registers -data_pins]",
        "input": f"-from {inputs} -to [all_registers -data_pins]",
        "output": "-from [all_registers -clock_pins] -to [all_outputs]",
        "through": f"-from {inputs} -to [all_outputs]",
    }
    lines = [
        f"read_liberty {liberty}",
        f"read_verilog {source}",
        f"link_design {netlist.top}",
        constraint or virtual,
        f"set_clock_transition {slew} [get_clocks clock]",
        f"set_input_transition {slew} [all_inputs]",
        f"set_input_delay 0 -clock clock {inputs}",
        "set_output_delay 0 -clock clock [all_outputs]",
    ]
    for name, path in reports.items():
        if clock or name == "through":
            lines += [f'puts "=== {name}"', f"report_checks {path} -path_delay max -digits 5"]
    script.write_text("\n".join([*lines, "exit", ""]))
    command = [program, "-no_splash", "-exit", str(script)]
    process = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    (folder / "sta.log").write_text(process.stdout + process.stderr)
    pieces = _SECTION.split(process.stdout)
    sections = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    if not sections:
        raise RuntimeError(f"OpenSTA failed:\n{(process.stdout + process.stderr)[-2000:]}")
    delays = {name: _delay(text, period) * library.time_unit_ns for name, text in sections.items()}
    pins = _CELL.findall(sections.get("registers" if clock else "through", ""))
    cells = [found for found in pins if found[1] in library.cells[found[2]].outputs]  # without the ends of the path
    period_ns, input_ns, output_ns, through_ns = (delays.get(name, math.nan) for name in reports)
    return Timing(
        period_ns,
        input_ns,
        output_ns,
        through_ns,
        tuple(f"{cell}/{pin}" for _, pin, cell in cells),
        tuple(int(name[1:]) for name, _, _ in cells if name[1:].isdigit()),
    )


def _delay(report: str, period: float) -> float:
    """Return the delay a path needs of a period, set-up included."""
    slack = _SLACK.search(report)
    return period - float(slack[1]) if slack else math.nan
