"""``bitjoule import``: platforms and matmuls from files of ZigZag, Timeloop, AccelForge and SCALE-Sim."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitjoule.commands.files import YAML, check_output, write_whole
from bitjoule.commands.status import OK
from bitjoule.energy_models.inputs.errors import InputError, Problem, whole_file

if TYPE_CHECKING:
    from bitjoule.energy_models.interchange.levels import Hardware

TOOLS = "ZigZag, Timeloop, AccelForge (YAML) or SCALE-Sim (.cfg)"


def add_import(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``import``.

    Parameters
    ----------
    commands
        Subparsers of the command line.
    """
    parser = commands.add_parser(
        "import", help="make a platform of another tool's architecture",
        description=f"Make a platform of an architecture of {TOOLS}, and print what could not be carried over. With a "
        "topology of SCALE-Sim, also an experiment of its layers as matmuls.",
    )  # fmt: skip
    parser.add_argument(
        "architecture", type=Path, metavar="FILE", help="the other tool's architecture or configuration"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="PLATFORM.yaml", help="platform file to write"
    )
    parser.add_argument(
        "--mapping", type=Path, metavar="FILE", help="(ZigZag) mapping: what the array's dimensions are"
    )
    parser.add_argument("--ert", type=Path, metavar="FILE", help="(Timeloop) Accelergy's table of energies, ERT.yaml")
    parser.add_argument("--topology", type=Path, metavar="FILE.csv", help="(SCALE-Sim) layers")
    parser.add_argument(
        "--bits", type=int, default=8, choices=(4, 8, 16), help="(AccelForge) width of an operand; default 8"
    )
    parser.add_argument("--technology", default="45nm", help="prices of what the file does not price; default: 45nm")
    parser.add_argument("--clock-mhz", type=float, metavar="MHZ", help="clock; default: the file's, else 1000")
    parser.set_defaults(command=_import)


def _import(options: argparse.Namespace, _: Sequence[str]) -> int:
    from bitjoule.energy_models.inputs.documents import parse_document
    from bitjoule.energy_models.inputs.validation import unknown_name, validate
    from bitjoule.energy_models.inputs.yaml_core import write_yaml
    from bitjoule.energy_models.interchange.platform import Imported
    from bitjoule.energy_models.interchange.scalesim import read_topology
    from bitjoule.energy_models.prices.technology import technologies
    from bitjoule.energy_models.system.platform.platforms import Platform

    read = (options.architecture, options.mapping, options.ert, options.topology)
    check_output(options.output, YAML, *read)
    experiment = options.output.with_name(f"{options.output.stem}_matmuls.yaml")
    if options.topology is not None:
        check_output(experiment, YAML, *read)
    if options.technology not in technologies():
        known = dict.fromkeys(technologies())
        raise _option_error("--technology", *unknown_name("technology", options.technology, known))
    if options.clock_mhz is not None and not 1e-3 <= options.clock_mhz <= 1e5:
        raise _option_error("--clock-mhz", f"got {options.clock_mhz:g}", "megahertz, 0.001 to 100000")
    imported = Imported(_hardware(options), options.technology, options.clock_mhz)
    text = write_yaml(imported.platform, 110)
    validate(Platform, parse_document(text, str(options.output)))
    matmuls = read_topology(options.topology) if options.topology else None
    comments = "".join(f"# not carried over: {line}\n" for line in imported.left_out)
    write_whole(options.output, comments + text)
    print(f"wrote {options.output}")
    if matmuls is not None:
        write_whole(experiment, write_yaml(_experiment(options, matmuls), 110))
        print(f"wrote {experiment}")
    for line in imported.left_out:
        print(f"not carried over: {line}", file=sys.stderr)
    return OK


def _option_error(option: str, wrong: str, expected: str) -> InputError:
    return InputError([Problem("command line", 1, option, wrong, expected)])


def _experiment(options: argparse.Namespace, matmuls: list[dict[str, int]]) -> dict[str, Any]:
    return {
        "name": f"{options.output.stem}_matmuls",
        "accounting": "system",
        "matmuls": [dict(each) for each in dict.fromkeys(tuple(layer.items()) for layer in matmuls)],
        "schemes": ["int8"],
        "technologies": [options.technology],
        "platforms": [f"./{options.output.name}"],
    }


def _hardware(options: argparse.Namespace) -> "Hardware":
    from bitjoule.energy_models.inputs.documents import read_document
    from bitjoule.energy_models.interchange.accelforge import is_accelforge, read_accelforge
    from bitjoule.energy_models.interchange.scalesim import read_scalesim
    from bitjoule.energy_models.interchange.timeloop import is_timeloop, read_ert, read_timeloop
    from bitjoule.energy_models.interchange.zigzag import is_zigzag, read_zigzag

    file = options.architecture
    scalesim = file.suffix in (".cfg", ".ini")
    document = None if scalesim else read_document(file, last_wins=True)  # as those tools read it
    tool = "SCALE-Sim"
    if document is not None:
        tests = {"ZigZag": is_zigzag, "Timeloop": is_timeloop, "AccelForge": is_accelforge}
        found = [name for name, test in tests.items() if test(document)]
        if not found:
            raise whole_file(str(file), "is no architecture that can be read", f"one of {TOOLS}")
        tool = found[0]
    for option, its_tool in (("mapping", "ZigZag"), ("ert", "Timeloop"), ("topology", "SCALE-Sim")):
        if getattr(options, option) is not None and tool != its_tool:
            raise _option_error(f"--{option}", f"belongs to {its_tool}; {file} is a file of {tool}", f"no --{option}")
    if document is None:
        return read_scalesim(file)
    if tool == "ZigZag":
        return read_zigzag(document, read_document(options.mapping, last_wins=True) if options.mapping else None)
    if tool == "Timeloop":
        return read_timeloop(document, read_ert(read_document(options.ert)) if options.ert else None)
    return read_accelforge(document, options.bits)
