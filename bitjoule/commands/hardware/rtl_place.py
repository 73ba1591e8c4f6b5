"""``bitjoule rtl place``: the accelerator placed and routed on an FPGA."""

import argparse
import csv
import importlib.metadata
import io
import json
import math
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bitjoule.commands.hardware.rtl_options import add_configuration, configuration_name
from bitjoule.commands.options import folder
from bitjoule.commands.status import OK
from bitjoule.energy_models.inputs.errors import InputError, Problem
from bitjoule.sim.bench.simulators import needs_packages

if TYPE_CHECKING:
    from bitjoule.gates.fpga.placement import Mapped, Placed
    from bitjoule.rtl.config import AcceleratorConfig

MAX_SEEDS = 64
MHZ, BAUD = 12.0, 115200  # the oscillator of most boards, and the usual rate of a terminal
CONFIGURED = "configured"
WRAPPERS = ("uart", "none")
UART_PINS, CLOCK_AND_RESET = 4, 2


def add_place(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``rtl place``.

    Parameters
    ----------
    subcommands
        Subparsers of ``bitjoule rtl``.
    """
    from bitjoule.rtl.config import DATAPATHS

    parser = subcommands.add_parser(
        "place", help="place and route the accelerator on an FPGA",
        description="Map the accelerator to the cells of an FPGA with Yosys, place and route it with nextpnr, and "
        "print the tables, flip-flops and block RAM that it takes, and the clock that it reaches. Nothing is measured "
        "on a device: the clock is nextpnr's own timing analysis.",
    )  # fmt: skip
    add_configuration(parser)
    parser.add_argument(
        "--device", required=True, metavar="NAME",
        help="FPGA, e.g. ecp5-85k, ice40-hx8k or gowin-gw2a-18; an unknown name lists all",
    )  # fmt: skip
    parser.add_argument(
        "--wrapper", choices=WRAPPERS, default=WRAPPERS[0],
        help="what connects the streams with pins: a UART, which takes four, or nothing (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--datapath", choices=("device", CONFIGURED, *DATAPATHS["ternary2"]), default="device",
        help="datapath of trits: what takes the fewest tables on the device, with running sums in block RAM where that "
        "helps; the configuration's; or a name (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--synthesis",
        metavar="OPTIONS",
        help="options of Yosys' command in place of the device's, with a space before the first",
    )
    parser.add_argument(
        "--seeds", type=_seeds, default=1, metavar="N",
        help="placements with different seeds, 1, 2, ...; their median clock is printed (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--clock-mhz", type=_number, default=MHZ, metavar="MHZ",
        help="clock of the board, which placement works for and the UART divides (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--baud", type=_number, default=float(BAUD), metavar="RATE", help="bits per second (default: %(default)g)"
    )
    parser.add_argument(
        "-o", "--out", type=folder, metavar="DIR",
        help="also write Verilog, netlist, logs, placement.csv and platform.yaml to this directory",
    )  # fmt: skip
    parser.set_defaults(command=_place)


def _seeds(text: str) -> int:
    value = int(text) if text.isdecimal() and len(text) < 9 else 0
    if not 1 <= value <= MAX_SEEDS:
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected a whole number from 1 to {MAX_SEEDS}")
    return value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected a number above 0")
    return value


def _place(options: argparse.Namespace, _: Sequence[str]) -> int:
    from bitjoule.experiments.output.folder import replacing
    from bitjoule.gates.fpga.devices import find_device
    from bitjoule.gates.fpga.families import FAMILIES
    from bitjoule.gates.fpga.least import check_least
    from bitjoule.gates.fpga.placement import check_fits, check_wrapper, map_design, needs_nextpnr, place
    from bitjoule.sim.accelerator.configurations import read_configuration

    config = read_configuration(options.configuration)
    device = find_device(options.device)
    check_wrapper(device, options.wrapper)
    if options.datapath == "device":
        config = FAMILIES[device.family].suited(config)
    elif options.datapath != CONFIGURED and not config.multiplies:
        config = _with_datapath(config, options.datapath)
    clocks_per_bit = _clocks_per_bit(options) if options.wrapper == "uart" else 0
    needs_packages("amaranth")
    check_least(config, device, _pins(config, options.wrapper))
    needs_nextpnr(device)
    verilog, top = _verilog(config, clocks_per_bit)
    name = configuration_name(options.configuration)
    with tempfile.TemporaryDirectory(prefix="bitjoule-") as scratch:
        mapped = map_design(verilog, top, device, Path(scratch), options.synthesis)
        check_fits(mapped)
        placed = []
        for result in place(mapped, options.clock_mhz, range(1, options.seeds + 1)):
            placed.append(result)
            if sys.stderr.isatty():
                print(f"seed {result.seed}: {result.fmax_mhz:.1f} MHz", file=sys.stderr)
        print(_table(name, config, mapped, placed, options))
        if options.out is not None:
            with replacing(options.out) as written:
                _write(written, Path(scratch), name, config, mapped, placed, options)
            print(f"\nwritten to {options.out}")
    return OK


def _with_datapath(config: "AcceleratorConfig", datapath: str) -> "AcceleratorConfig":
    from bitjoule.rtl.config import ConfigError

    if datapath == config.datapath:
        return config
    try:
        plain = replace(config, stored_decoders=0, inverted_sums="none", chain_lanes=1)
        return replace(plain, datapath=datapath, table_lanes=None)
    except ConfigError as error:
        raise InputError(
            Problem("--datapath", 1, datapath, f"{fault.key}: {fault.wrong}", fault.expected) for fault in error.faults
        ) from None


def _clocks_per_bit(options: argparse.Namespace) -> int:
    from bitjoule.rtl.serial.uart import FEWEST_CLOCKS_PER_BIT

    cycles: int = round(options.clock_mhz * 1e6 / options.baud)
    if cycles < FEWEST_CLOCKS_PER_BIT:
        wrong = f"a bit takes {cycles} cycles of {options.clock_mhz:g} MHz"
        most = f"at most {options.clock_mhz * 1e6 / FEWEST_CLOCKS_PER_BIT:g}"
        raise InputError([Problem("--baud", 1, f"{options.baud:g}", wrong, most)])
    return cycles


def _pins(config: "AcceleratorConfig", wrapper: str) -> int:
    if wrapper == "uart":
        return UART_PINS
    from bitjoule.rtl.accelerator import axi_ports

    return CLOCK_AND_RESET + sum(int(member.shape) for member in axi_ports(config).values())


def _verilog(config: "AcceleratorConfig", clocks_per_bit: int) -> tuple[str, str]:
    if clocks_per_bit:
        from bitjoule.rtl.serial.top import TOP, serial_verilog

        return serial_verilog(config, clocks_per_bit), TOP
    from bitjoule.rtl import verilog

    return verilog.accelerator_verilog(config), verilog.TOP


def _table(
    name: str, config: "AcceleratorConfig", mapped: "Mapped", placed: "Sequence[Placed]", options: argparse.Namespace
) -> str:
    from tabulate import tabulate

    clocks = [result.fmax_mhz for result in placed]
    median = statistics.median(clocks)
    spread = f", {min(clocks):.1f} to {max(clocks):.1f} over {len(clocks)} seeds" if len(clocks) > 1 else ", one seed"
    verdict = "meets" if median >= options.clock_mhz else "misses"
    rows = [
        ("configuration", f"{name}: {config.lanes} x {config.columns}, {config.weight_encoding}, {_built(config)}"),
        ("device", f"{mapped.device.name}: {mapped.device.describe()}"),
        (
            "wrapper",
            f"UART, {options.baud:g} baud at {options.clock_mhz:g} MHz" if options.wrapper == "uart" else "none",
        ),
        ("synthesis", mapped.synthesis),
        *(
            (what, f"{count} of {mapped.device.capacity[what]} ({count / mapped.device.capacity[what]:.1%})")
            for what, count in mapped.used.items()
        ),
        ("Fmax", f"{median:.1f} MHz{spread}; {verdict} {options.clock_mhz:g} MHz"),
        ("at Fmax", f"{config.lanes * config.columns * median / 1e3:.3g} G{_unit(config)}/s at most"),
    ]
    return tabulate(rows, tablefmt="plain", disable_numparse=True)


def _built(config: "AcceleratorConfig") -> str:
    return config.datapath + (", sums in memory" if config.sums_in_memory else "")


def _unit(config: "AcceleratorConfig") -> str:
    return "MACs" if config.multiplies else "trits"


def _write(
    folder: Path,
    scratch: Path,
    name: str,
    config: "AcceleratorConfig",
    mapped: "Mapped",
    placed: "Sequence[Placed]",
    options: argparse.Namespace,
) -> None:
    """Write what was made, and a platform with the median clock."""
    from bitjoule.energy_models.inputs.yaml_core import write_yaml
    from bitjoule.experiments.hardware.platform import platform_of
    from bitjoule.experiments.output.folder import MANIFEST
    from bitjoule.gates.fpga.families import FAMILIES

    for file in scratch.iterdir():
        shutil.copyfile(file, folder / file.name)
    (folder / "placement.csv").write_text(_csv(mapped, placed))
    median = round(statistics.median(result.fmax_mhz for result in placed), 2)
    package = f"yowasp-{FAMILIES[mapped.device.family].package}".replace("_", "-")
    tool = f"nextpnr ({package} {_version(package)})"
    clock = "one seed" if len(placed) == 1 else f"median of {len(placed)} seeds"
    where = f"{mapped.device.name}, {mapped.synthesis}, {tool}, {clock}; at every node"
    (folder / "platform.yaml").write_text(write_yaml(platform_of(config, name, median, where), 110))
    manifest = {
        "configuration": config.as_mapping(),
        "device": mapped.device.name,
        "wrapper": options.wrapper,
        "clock_mhz": options.clock_mhz,
        "baud": options.baud if options.wrapper == "uart" else None,
        "synthesis": mapped.synthesis,
        "versions": {each: _version(each) for each in ("amaranth", "bitjoule", "pyosys", package)},
        "outputs": sorted(path.name for path in folder.iterdir()),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def _version(package: str) -> str:
    return importlib.metadata.version(package)


def _csv(mapped: "Mapped", placed: "Sequence[Placed]") -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    used = {what.lower().replace("-", "_").replace(" ", "_"): count for what, count in mapped.used.items()}
    writer.writerow(["device", "synthesis", *used, "seed", "fmax_mhz"])
    for result in placed:
        row = [mapped.device.name, mapped.synthesis, *used.values(), result.seed, f"{result.fmax_mhz:.2f}"]
        writer.writerow(row)
    return out.getvalue()
