"""``bitjoule rtl synthesize``: an array's netlist in a library's cells: area, delay, and what operands take."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bitjoule.energy_models.inputs.errors import InputError, told, whole_file
from bitjoule.sim.bench.simulators import SimulatorError

if TYPE_CHECKING:
    from bitjoule.gates.liberty.cells import Library
    from bitjoule.gates.netlist import Netlist

OK = 0


def add_synthesize(below: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``rtl synthesize``.

    Parameters
    ----------
    below
        The commands of ``rtl``.
    """
    parser = below.add_parser(
        "synthesize",
        help="netlist, area, delay and energy in a library's cells",
        description="Synthesise an array in a library's cells, check the netlist against NumPy, and print its area, "
        "critical path, leakage and what operands take, part by part.",
    )
    parser.add_argument("configuration", metavar="CONFIG.yaml|NAME", help="a file, or a shipped configuration")
    add_library(parser)
    parser.add_argument(
        "--stimulus", action="append", metavar="TEXT",
        help="gaussian:SIGMA or uniform, each with or without ,zeros:SHARE; worst; model:NAME; may be given again "
        "(default: gaussian:32, of floating-point arrays gaussian:1)",
    )  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, metavar="NETLIST.v", help="also write the netlist")
    parser.set_defaults(command=_synthesize)


def library_error(files: Sequence[str], error: Exception) -> InputError:
    """Return the error for Liberty files that cannot be used.

    Parameters
    ----------
    files
        As named on the command line.
    error
        What is wrong with them.
    """
    named = ", ".join(files)
    wrong, expected = told(error, "Liberty files of one library and corner")
    return whole_file(named, wrong.removeprefix(f"{named}: "), expected)


def add_library(parser: argparse.ArgumentParser) -> None:
    """Add the option that names a library.

    Parameters
    ----------
    parser
        A command's.
    """
    parser.add_argument(
        "--liberty", nargs="+", default=["freepdk45"], metavar="FILE",
        help="Liberty files of one library and corner, plain or gzipped (default: freepdk45, which comes as a package)",
    )  # fmt: skip


def warn_of_unread(library: "Library") -> None:
    """Name on standard error what of a library is not read."""
    from bitjoule.gates.liberty.libraries import short_name

    for text in library.unread:
        print(f"bitjoule: warning: {short_name(library)}: {text}", file=sys.stderr)


def _resistance(netlist: "Netlist", library: "Library") -> str:
    from bitjoule.gates.calibration.measurement import CLOCK
    from bitjoule.gates.power.activity import clock_tree
    from bitjoule.gates.synthesis.flow import resistance_ns

    added_ns = resistance_ns(netlist, library, set(clock_tree(netlist, set(netlist.inputs[CLOCK]))))
    ohm_per_um = library.ohm_per_um(netlist.area_um2)[0]
    if not ohm_per_um:
        return ""
    return f"; the wires' resistance, {ohm_per_um:.3g} ohm/um, is not in it and would add up to {added_ns:.2g} ns"


def _check_output(path: Path) -> None:
    """Refuse a file that cannot be written, before minutes of work."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise whole_file(str(path), "its folder does not exist", "a file in a folder that exists")
    if path.is_dir():
        raise whole_file(str(path), "is a folder", "a file")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise whole_file(str(path), "cannot be written", "a writable place")


def _synthesize(options: argparse.Namespace, _: object) -> int:
    from tabulate import tabulate

    from bitjoule.gates.calibration.measurement import measure, netlist_of
    from bitjoule.gates.liberty.libraries import find_library, short_name
    from bitjoule.gates.liberty.requirements import check_library
    from bitjoule.gates.liberty.text import LibertyError
    from bitjoule.gates.stimuli.operands import StimulusError
    from bitjoule.gates.stimuli.stimulus import NetlistError
    from bitjoule.gates.stimuli.texts import check_operands
    from bitjoule.sim.accelerator.configurations import read_configuration

    config = read_configuration(options.configuration)
    default = "gaussian:1" if config.floating_point else "gaussian:32"
    texts = options.stimulus or [default]
    if options.output is not None:
        _check_output(options.output)
    try:
        library = find_library(options.liberty)
        check_library(library)
        for text in texts:
            check_operands(text, config)
        netlist = netlist_of(config, library)
        found = [measure(config, library, text) for text in texts]
    except LibertyError as error:
        raise library_error(options.liberty, error) from error
    except StimulusError as error:
        raise whole_file("--stimulus", *told(error, "operands")) from error
    except (NetlistError, RuntimeError) as error:
        raise SimulatorError(f"the array cannot be measured: {error}") from error
    if options.output is not None:
        options.output.write_text(netlist.verilog(), encoding="utf-8")
    first = found[0]
    facts = [
        ("library", f"{short_name(library)}, {library.conditions}"),
        ("cells", f"{first.cells}"),
        ("area", f"{first.area_um2:.5g} um2, {first.area_um2 / first.macs:.4g} a MAC"),
        ("critical path", f"{first.period_ns:.3g} ns{_resistance(netlist, library)}"),
        ("leakage", f"{first.leakage_nw * 1e-3:.4g} uW"),
    ]
    print(tabulate(facts, tablefmt="plain"))
    warn_of_unread(library)
    headers = ("fJ a MAC", *(one.stimulus for one in found))
    rows: list[tuple[str, ...]] = [
        ("settled, pins only", *(f"{one.settled_fj / one.macs:.4g}" for one in found)),
        ("settled, with wires", *(f"{one.band_fj[1] / one.macs:.4g}" for one in found)),
        ("every glitch, with wires", *(f"{one.counted_fj / one.macs:.4g}" for one in found)),
    ]
    rows += [(f"  {part}", *(f"{one.parts_fj[part] / one.macs:.3g}" for one in found)) for part in first.parts_fj]
    print()
    print(tabulate(rows, headers=headers, disable_numparse=True, colalign=("left", *["right"] * len(found))))
    return OK
