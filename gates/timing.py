"""Critical path of a netlist, by OpenSTA (``sta``; Debian: ``apt-get install opensta``)."""

import math
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bitjoule.gates.netlist import Netlist

MISSING = "No critical paths: there is no `sta`. Install OpenSTA (Debian: apt-get install opensta)."
_PERIOD_UNITS = 1000
_SECTION = re.compile(r"^=== (\w+)$", re.MULTILINE)
_ARRIVAL = re.compile(r"([-\d.]+)\s+data arrival time")
_SLACK = re.compile(r"([-\d.]+)\s+slack \(")
_CELL = re.compile(r"^\s*[-\d.]+\s+[-\d.]+\s+[v^]\s+(\S+)/(\S+)\s+\((\S+)\)", re.MULTILINE)


@dataclass(frozen=True)
class Timing:
    """Longest delays in ns; NaN where there is no such path.

    Parameters
    ----------
    period_ns : float
        Least clock period between registers: clock to output, gates and set-up time.
    input_ns, output_ns : float
        From an input to a register, set-up time included, and from a register to an output.
    through_ns : float
        From an input to an output.
    path : tuple of str
        Cells on the path that bounds the period, with the output pin.
    instances : tuple of int
        Their numbers in the netlist.
    """

    period_ns: float
    input_ns: float
    output_ns: float
    through_ns: float
    path: tuple[str, ...]
    instances: tuple[int, ...]


def missing() -> bool:
    """Tell whether OpenSTA is not installed."""
    return shutil.which("sta") is None


def analyse(netlist: Netlist, liberty: Path, clock: str | None, time_unit_ns: float, folder: Path) -> Timing | None:
    """Return the delays of a netlist, or None if OpenSTA is not installed.

    Parameters
    ----------
    netlist : Netlist
        The netlist.
    liberty : Path
        Its library, one file.
    clock : str or None
        The clock's port.
    time_unit_ns : float
        The library's unit of time in ns, which OpenSTA of 2019 speaks whatever it is told.
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
    period = _PERIOD_UNITS * 100
    constraint = f"create_clock -name clock -period {period} [get_ports {clock}]" if clock else ""
    virtual = "" if clock else f"create_clock -name clock -period {period}"
    inputs = f"[get_ports {{{' '.join(name for name in netlist.inputs if name != clock)}}}]"
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
    found = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    if not found:
        raise RuntimeError(f"OpenSTA failed:\n{(process.stdout + process.stderr)[-2000:]}")
    delays = {name: _delay(text, period) * time_unit_ns for name, text in found.items()}
    cells = _CELL.findall(found.get("registers" if clock else "through", ""))
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
