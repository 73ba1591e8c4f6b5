"""``bitjoule calibrate``: simulates netlists and writes their prices them as a technology file."""

import argparse
import os
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bitjoule.commands.files import YAML, check_output, write_whole
from bitjoule.commands.hardware.rtl_synthesize import add_library, library_error, warn_of_library
from bitjoule.commands.options import add_scheduler
from bitjoule.commands.progress import ProgressLine
from bitjoule.energy_models.inputs.errors import split_message, whole_file
from bitjoule.sim.bench.simulators import SimulatorError

if TYPE_CHECKING:
    from bitjoule.energy_models.prices.measured import MeasuredTechnology

OK = 0
MAX_NODE_NM = 1e4
WITHOUT_FULL_ADDER = "--without-full-adder"


def add_calibrate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``calibrate``.

    Parameters
    ----------
    commands
        Subparsers of the command line.
    """
    parser = commands.add_parser(
        "calibrate",
        help="simulate the switching of netlists and write their prices as a technology file",
        description="Synthesise arrays and operators in the cells of a library, simulate the netlists with operands, "
        "and write their prices as a technology file; no chip is measured. Experiments refer to it by its path.",
    )
    parser.add_argument(
        "configurations", nargs="*", metavar="CONFIG.yaml|NAME",
        help="arrays to synthesise: files, or built-in configurations (default: a standard set)",
    )  # fmt: skip
    add_library(parser)
    parser.add_argument(
        WITHOUT_FULL_ADDER, action="store_true",
        help="go on if the library has no full adder: additions are then built of gates, and are larger",
    )  # fmt: skip
    parser.add_argument("--node-nm", type=_node, metavar="NM", help="process node of an unknown library, in nm")
    parser.add_argument(
        "--stimulus", metavar="TEXT",
        help="distribution of the operands: gaussian:SIGMA (default: gaussian:32), uniform, worst, or "
        "model:NAME|PATH for the operands of a trained model",
    )  # fmt: skip
    parser.add_argument(
        "--zero-share", type=_share, metavar="SHARE", help="share of zeros among ternary weights (default: a third)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="TECHNOLOGY.yaml", help="technology file to write"
    )
    add_scheduler(parser)
    parser.set_defaults(command=_calibrate)


def _share(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected 0 to 1")
    return value


def _node(text: str) -> float:
    value = _number(text)
    if not 0 < value <= MAX_NODE_NM:
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected a process node in nm, e.g. 28")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected a number") from None


def _calibrate(options: argparse.Namespace, words: Sequence[str]) -> int:
    from bitjoule.experiments.output.workers import executor_of
    from bitjoule.gates.calibration.calibration import CalibrationError, calibrate, standard_plan
    from bitjoule.gates.liberty.libraries import find_library, node_nm
    from bitjoule.gates.liberty.requirements import check_full_adder, check_library
    from bitjoule.gates.liberty.text import LibertyError
    from bitjoule.gates.stimuli.operands import StimulusError
    from bitjoule.gates.stimuli.stimulus import NetlistError
    from bitjoule.gates.stimuli.texts import KINDS
    from bitjoule.sim.accelerator.configurations import read_configuration
    from bitjoule.sim.processors import usable_processors

    plan = standard_plan()
    if options.configurations:
        plan = replace(plan, configs=[read_configuration(name) for name in options.configurations])
    if options.stimulus is not None:
        plan = replace(plan, stimulus=options.stimulus)
    if options.zero_share is not None:
        plan = replace(plan, zero_share=options.zero_share, zero_share_source="given on the command line")
    check_output(options.output, YAML, *map(Path, options.configurations))
    _check_writable(options.output)
    command = shlex.join(["bitjoule", *words])
    try:
        library = find_library(options.liberty)
        node = options.node_nm or node_nm(library)
        if node is None:
            raise whole_file(", ".join(options.liberty), "unknown process node", "--node-nm NM")
        check_library(library)
        if not options.without_full_adder:
            check_full_adder(library, f"{WITHOUT_FULL_ADDER} for additions of gates, which are larger")
        warn_of_library(library)
        with executor_of(usable_processors(), options.scheduler) as executor:
            measured = calibrate(plan, library, node, command, ProgressLine(), executor)
    except LibertyError as error:
        raise library_error(options.liberty, error) from error
    except CalibrationError as error:
        raise whole_file(", ".join(options.configurations), *split_message(error, "a larger array")) from error
    except StimulusError as error:
        raise whole_file("--stimulus", *split_message(error, KINDS)) from error
    except (NetlistError, RuntimeError) as error:
        raise SimulatorError(f"the array cannot be simulated: {error}") from error
    _write(measured, options.output)
    print(f"{options.output}: {len(measured.operations)} operators, {len(measured.macs)} arrays")
    return OK


def _write(measured: "MeasuredTechnology", path: Path) -> None:
    from bitjoule.energy_models.inputs.yaml_core import write_yaml

    text = "# Written by the command below; calibrate again instead of editing.\n"
    text += write_yaml(measured.model_dump(mode="json", exclude_none=True), 110)
    write_whole(path, text)


def _check_writable(path: Path) -> None:
    """Report a file that cannot be written before minutes of work.

    Raises
    ------
    InputError
        The directory is not writable.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
    except OSError as error:
        raise whole_file(str(path), f"cannot be written ({error.strerror})", "a writable path") from error
    os.close(handle)
    Path(name).unlink()
