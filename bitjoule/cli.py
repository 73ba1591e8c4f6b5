"""The command line. Heavy imports are inside the commands, so that ``--help`` answers at once."""

import argparse
import io
import signal
import sys
import threading
import traceback
from collections.abc import Sequence

from bitjoule import __version__
from bitjoule.commands.calibrate import add_calibrate
from bitjoule.commands.entries.catalogue import add_catalogue
from bitjoule.commands.entries.completion import add_completion
from bitjoule.commands.entries.new import add_new
from bitjoule.commands.experiments import add_run_and_check, discard_output
from bitjoule.commands.explore import add_explore
from bitjoule.commands.files import refused
from bitjoule.commands.hardware.rtl import add_commands
from bitjoule.commands.interchange import add_import
from bitjoule.commands.measured import add_measured
from bitjoule.commands.models.stats import add_stats
from bitjoule.commands.models.train import add_train
from bitjoule.commands.parser import Parser
from bitjoule.commands.query import add_query
from bitjoule.commands.results.explorer import add_explorer
from bitjoule.commands.results.stored import add_results_commands
from bitjoule.commands.status import FAILURE, INTERRUPTED, OK, WRONG_INPUT
from bitjoule.energy_models.inputs.errors import InputError, PluginError
from bitjoule.sim.bench.simulators import SimulatorError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments
        Command-line arguments; default: those of the process.

    Returns
    -------
    int
        Exit status: 0 for success, 2 for wrong input, 1 for a failure of bitjoule, 130 for an interrupt.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show × shows its code point
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(words)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # unwinds: temporary files go
    try:
        return int(options.command(options, words))
    except InputError as error:
        print(error, file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt:
        print("bitjoule: interrupted; existing results are unchanged", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader has closed the pipe, as `head` does
        discard_output()
        return OK
    except (SimulatorError, PluginError) as error:
        print(f"bitjoule: {error}", file=sys.stderr)
        return FAILURE
    except OSError as error:
        if problem := refused(error):
            print(problem, file=sys.stderr)
            return WRONG_INPUT
        return _internal()
    except Exception:
        return _internal()


def _internal() -> int:
    traceback.print_exc()
    print("bitjoule: internal error; please report it with the traceback above", file=sys.stderr)
    return FAILURE


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(
        prog="bitjoule",
        description="Energy and hardware co-design simulator for 1-bit and ternary LLMs.",
        epilog="Exit status: 0 for success, 2 for wrong input, 1 for a failure of bitjoule.",
    )
    parser.add_argument("--version", action="version", version=f"bitjoule {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    add_run_and_check(commands)
    add_new(commands)
    add_explore(commands)
    add_catalogue(commands)
    add_commands(commands)
    add_calibrate(commands)
    add_measured(commands)
    add_train(commands)
    add_import(commands)
    add_query(commands)
    add_stats(commands)
    add_results_commands(commands)
    add_explorer(commands)
    doctor = commands.add_parser(
        "doctor", help="check the installation",
        description="List the packages and programs that bitjoule uses, with their versions, and how to install those "
        "that are missing. The exit status is 1 if energy experiments cannot run.",
    )  # fmt: skip
    doctor.set_defaults(command=_doctor)
    add_completion(commands, parser)
    return parser


def _doctor(_: argparse.Namespace, __: Sequence[str]) -> int:
    from bitjoule.commands.doctor import examine, report

    findings = examine()
    print("\n".join(report(findings)))
    return FAILURE if any(finding.required and not finding.version for finding in findings) else OK
