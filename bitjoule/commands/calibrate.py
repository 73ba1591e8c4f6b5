"""``bitjoule calibrate``: prices measured on netlists, written as a technology."""

import argparse
import os
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bitjoule.commands.progress import Progress
from bitjoule.commands.rtl_synthesize import add_library, library_error, warn_of_unread
from bitjoule.energy_models.inputs.errors import told, whole_file
from bitjoule.sim.bench.simulators import SimulatorError

if TYPE_CHECKING:
    from bitjoule.energy_models.prices.measured import MeasuredTechnology

OK = 0
MAX_NODE_NM = 1e4


def add_calibrate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``calibrate``.

    Parameters
    ----------
    commands
        The parser's commands.
    """
    parser = commands.add_parser(
        "calibrate",
        help="prices measured on netlists, written as a technology",
        description="Synthesise arrays and operators in a library's cells, run operands through the netlists, and "
        "write what they take as a technology, which experiments name by its path. Without CONFIG: standard arrays.",
    )
    parser.add_argument("configurations", nargs="*", metavar="CONFIG.yaml|NAME", help="arrays to be measured")
    add_library(parser)
    parser.add_argument("--node-nm", type=_node, metavar="NM", help="process node, where the library is not known")
    parser.add_argument(
        "--stimulus", metavar="TEXT",
        help="gaussian:SIGMA (default: gaussian:32), uniform, worst or model:NAME, a trained model's operands",
    )  # fmt: skip
    parser.add_argument("--zero-share", type=_share, metavar="SHARE", help="of ternary weights (default: a third)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="TECHNOLOGY.yaml", help="what to write")
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


def _calibrate(options: argparse.Namespace, given: Sequence[str]) -> int:
    from bitjoule.gates.calibration.calibration import CalibrationError, calibrate, standard_plan
    from bitjoule.gates.liberty.libraries import find_library, node_nm
    from bitjoule.gates.liberty.text import LibertyError
    from bitjoule.gates.stimuli.operands import StimulusError
    from bitjoule.gates.stimuli.stimulus import NetlistError
    from bitjoule.sim.accelerator.configurations import read_configuration

    plan = standard_plan()
    if options.configurations:
        plan = replace(plan, configs=[read_configuration(name) for name in options.configurations])
    if options.stimulus is not None:
        plan = replace(plan, stimulus=options.stimulus)
    if options.zero_share is not None:
        plan = replace(plan, zero_share=options.zero_share, zero_share_source="given on the command line")
    if options.output.suffix not in (".yaml", ".yml"):
        raise whole_file(str(options.output), "no YAML file", "a name that ends in .yaml")
    if not options.output.absolute().parent.is_dir():
        raise whole_file(str(options.output), "its folder does not exist", "a file in a folder that exists")
    _beside(options.output).unlink()  # before minutes of work
    command = shlex.join(["bitjoule", *given])
    try:
        library = find_library(options.liberty)
        node = options.node_nm or node_nm(library)
        if node is None:
            raise whole_file(", ".join(options.liberty), "the process node is not known", "--node-nm NM")
        warn_of_unread(library)
        measured = calibrate(plan, library, node, command, Progress())
    except LibertyError as error:
        raise library_error(options.liberty, error) from error
    except CalibrationError as error:
        raise whole_file(", ".join(options.configurations), *told(error, "a larger array")) from error
    except StimulusError as error:
        raise whole_file("--stimulus", *told(error, "operands")) from error
    except (NetlistError, RuntimeError) as error:
        raise SimulatorError(f"the array cannot be measured: {error}") from error
    _write(measured, options.output)
    print(f"{options.output}: {len(measured.operations)} operators, {len(measured.macs)} arrays")
    return OK


def _write(measured: "MeasuredTechnology", path: Path) -> None:
    from bitjoule.energy_models.inputs.yaml_core import write_yaml

    text = "# Written by the command below; measure again rather than edit.\n"
    text += write_yaml(measured.model_dump(mode="json", exclude_none=True), 110)
    beside = _beside(path)
    try:
        beside.write_text(text, encoding="utf-8")
        beside.chmod(0o644)
        beside.replace(path)
    except OSError as error:
        raise whole_file(str(path), f"cannot be written ({error.strerror})", "a writable place") from error
    finally:
        beside.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """Return a new file beside another.

    Raises
    ------
    InputError
        None can be made there, or the other is no file.
    """
    if path.is_dir():
        raise whole_file(str(path), "is a folder", "a file")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
    except OSError as error:
        raise whole_file(str(path), f"cannot be written ({error.strerror})", "a writable place") from error
    os.close(handle)
    return Path(name)
