"""A design on a device: mapped to its cells, then placed and routed, once for each seed."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bitjoule.energy_models.inputs.errors import InputError, Problem
from bitjoule.gates.fpga.devices import Device
from bitjoule.gates.fpga.families import CONSTRAINTS, FAMILIES
from bitjoule.sim.bench.simulators import SimulatorError, needs_packages

NETLIST = "netlist.json"
UART = "uart"
# Yosys takes block RAM for memories of many words alone; other memories are read within a cycle, and are none for it.
_BLOCK_RAM = 'setattr -set ram_style "block" *accumulators.storage/m:*'
_COMPARE = "compare.v"
_YOSYS = "from pyosys import libyosys; libyosys.run_pass('script map.ys')"
_REWRITES = "from bitjoule.gates.fpga.enables import run; run('read.ys', 'map.ys')"
_NEXTPNR = "import sys, yowasp_{0} as package; sys.exit(package.run_{0}(sys.argv[1:]))"


class PlacementError(SimulatorError):
    """Yosys or nextpnr failed."""


@dataclass(frozen=True)
class Mapped:
    """A netlist in the cells of a device's family.

    Parameters
    ----------
    device
        The device.
    synthesis
        The Yosys command with its options.
    used
        Tables, flip-flops, block RAM and pins.
    folder
        Where `NETLIST` is.
    """

    device: Device
    synthesis: str
    used: dict[str, int]
    folder: Path


@dataclass(frozen=True)
class Placed:
    """A netlist as placed and routed.

    Parameters
    ----------
    seed
        Of nextpnr.
    fmax_mhz
        The clock that the slowest path between registers allows.
    """

    seed: int
    fmax_mhz: float


def needs_nextpnr(device: Device) -> None:
    """Make sure that nextpnr is installed for a device.

    Parameters
    ----------
    device
        The device.

    Raises
    ------
    SimulatorError
        It is not, or Yosys is not; the message says how to install it.
    """
    needs_packages("pyosys", extra="gates")
    needs_packages(f"yowasp_{FAMILIES[device.family].package}", extra="fpga")


def map_design(
    verilog: str, top: str, device: Device, folder: Path, options: str | None = None, rewrite: bool = True
) -> Mapped:
    """Map a design to the cells of a device with Yosys, and rewrite what takes fewer tables in another way.

    Parameters
    ----------
    verilog
        Its text.
    top
        Its top module.
    device
        The device.
    folder
        Where files go.
    options
        Of the Yosys command; by default the family's.
    rewrite
        Find what holds registers, make comparisons with constants of logic, and move tables into carry cells, the
        last two where that suits the family: `enables`, compare.v, `absorb_ecp5`, `absorb_gowin`.

    Raises
    ------
    PlacementError
        Yosys failed.
    """
    family = FAMILIES[device.family]
    synthesis = f"{family.synthesis} {family.options if options is None else options}".strip()
    reading = (_BLOCK_RAM,) if family.sums_in_block_ram else ()
    after = None
    if rewrite:
        # What is missing must be told before it is cleaned away.
        reading = (f"hierarchy -check -top {top}", *reading, "proc", "opt_muxtree", "opt_clean")
        after = ("opt_clean", "opt_dff", *([f"techmap -map {_COMPARE}"] if family.compares else ()))
        (folder / _COMPARE).write_text((Path(__file__).parent / _COMPARE).read_text())
    design = json.loads(run_yosys(verilog, f"{synthesis} -top {top}", folder, reading, after).read_text())
    module = design["modules"][top]
    if family.absorb and rewrite:
        family.absorb(module)
        (folder / NETLIST).write_text(json.dumps(design))
    pins = sum(len(port["bits"]) for port in module["ports"].values())
    used = family.count(Counter(cell["type"] for cell in module["cells"].values())) | {"pins": pins}
    return Mapped(device, synthesis, used, folder)


def run_yosys(
    verilog: str, synthesis: str, folder: Path, reading: Sequence[str] = (), joined: Sequence[str] | None = None
) -> Path:
    """Synthesise a design.

    Parameters
    ----------
    verilog
        Its text.
    synthesis
        Yosys' command, with the top module.
    folder
        Where files go.
    reading
        Commands between the text and that one.
    joined
        If given, conditions are joined after those commands; see `enables`. These commands follow.

    Returns
    -------
    Path
        `NETLIST`, as Yosys writes JSON.

    Raises
    ------
    PlacementError
        Yosys failed.
    """
    (folder / "design.v").write_text(verilog, encoding="utf-8")
    reading = ("read_verilog design.v", *reading)
    mapping = f"{synthesis} -json {NETLIST}"
    scripts = {"map.ys": (*reading, mapping)} if joined is None else {"read.ys": reading, "map.ys": (*joined, mapping)}
    for name, commands in scripts.items():
        (folder / name).write_text("\n".join(commands) + "\n")
    _run([sys.executable, "-c", _YOSYS if joined is None else _REWRITES], folder, "map.log", "Yosys")
    return folder / NETLIST


def check_wrapper(device: Device, wrapper: str) -> None:
    """Make sure that nextpnr can place the ports of a design.

    Parameters
    ----------
    device
        The device.
    wrapper
        `UART`, or another that leaves the streams as ports.

    Raises
    ------
    InputError
        It needs the pin of each, which is known for the UART alone.
    """
    if device.uart_pins and wrapper != UART:
        wrong = f"nextpnr places no ports on {device.part} by itself, and the streams have no pins"
        raise InputError([Problem("--wrapper", 1, wrapper, wrong, UART)])


def check_fits(mapped: Mapped) -> None:
    """Make sure that a device contains what a netlist takes.

    Parameters
    ----------
    mapped
        The netlist.

    Raises
    ------
    InputError
        It does not.
    """
    check_capacity(mapped.device, mapped.used)


def check_capacity(device: Device, used: Mapping[str, int], least: str = "") -> None:
    """Make sure that a device contains what a design takes.

    Parameters
    ----------
    device
        The device.
    used
        What the design takes.
    least
        How the message says that this is a lower bound.

    Raises
    ------
    InputError
        It does not.
    """
    problems = []
    for what, count in used.items():
        limit = device.capacity[what]
        if count > limit:
            smaller = f"--wrapper {UART}, which takes four" if what == "pins" else "a larger device or a smaller array"
            wrong = f"the design takes {least}{count} {what}, and {device.describe()} has {limit}"
            problems.append(Problem("--device", 1, device.name, wrong, smaller))
    if problems:
        raise InputError(problems)


def place(mapped: Mapped, clock_mhz: float, seeds: Iterable[int]) -> Iterator[Placed]:
    """Place and route a netlist once for each seed.

    Parameters
    ----------
    mapped
        The netlist.
    clock_mhz
        The clock to work for.
    seeds
        Of nextpnr.

    Yields
    ------
    Placed
        As soon as each is there.

    Raises
    ------
    PlacementError
        nextpnr failed, or found no path from register to register.
    """
    family = FAMILIES[mapped.device.family]
    pins = (f'IO_LOC "{port}" {pin};' for port, pin in mapped.device.uart_pins.items())
    (mapped.folder / CONSTRAINTS).write_text("".join(f"{line}\n" for line in pins))
    for seed in seeds:
        report = f"report{seed}.json"
        arguments = [
            *family.arguments(mapped.device), "--json", NETLIST, "--freq", f"{clock_mhz:g}", "--timing-allow-fail",
            "--seed", str(seed), "--report", report, "--quiet", "--log", f"place{seed}.log",
        ]  # fmt: skip
        program = _NEXTPNR.format(family.package)
        _run([sys.executable, "-c", program, *arguments], mapped.folder, f"place{seed}.out", "nextpnr")
        clocks = json.loads((mapped.folder / report).read_text())["fmax"]
        if not clocks:
            raise PlacementError("nextpnr found no path from register to register")
        yield Placed(seed, min(clock["achieved"] for clock in clocks.values()))


def _run(command: list[str], folder: Path, log: str, tool: str) -> None:
    with (folder / log).open("w") as out:
        process = subprocess.run(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT, check=False)
    if process.returncode:
        lines = (folder / log).read_text(errors="replace").splitlines()
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-5:]
        raise PlacementError(f"{tool} failed: " + "; ".join(errors)[-1000:])
