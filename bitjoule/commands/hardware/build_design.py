"""``bitjoule explore --build``: the hardware of a design, from its configuration to a datasheet."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bitjoule.energy_models.inputs.errors import InputError, Problem
from bitjoule.sim.bench.simulators import SimulatorError, check_simulator, needs_packages

if TYPE_CHECKING:
    from bitjoule.experiments.exploration.building.build import Built
    from bitjoule.experiments.exploration.building.configuration import Accelerator
    from bitjoule.experiments.exploration.resolve import ExplorationInput
    from bitjoule.experiments.exploration.result import ExplorationResult
    from bitjoule.gates.liberty.cells import Library

OPTION, BEST, DATASHEET = "--build", "best", "datasheet.md"
PACKAGES = {"rtl": ("amaranth", "cocotb", "cocotbext"), "gates": ("pyosys",)}


def chosen(text: str) -> str:
    """Return which design is to be built, as on the command line.

    Parameters
    ----------
    text
        ``best`` or the number of a design.
    """
    if not re.fullmatch(f"{BEST}|0|[1-9][0-9]{{0,17}}", text):
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected {BEST}, or the number of a design")
    return text


def checked_library(files: Sequence[str]) -> "Library":
    """Return the library, after all that a build needs has been looked for.

    Parameters
    ----------
    files
        Of ``--liberty``.

    Raises
    ------
    InputError
        The library cannot be used.
    SimulatorError
        A package or a program is missing.
    """
    from bitjoule.commands.hardware.rtl_synthesize import library_error, warn_of_library
    from bitjoule.gates.liberty.libraries import find_library
    from bitjoule.gates.liberty.requirements import check_library
    from bitjoule.gates.liberty.text import LibertyError

    for extra, packages in PACKAGES.items():
        needs_packages(*packages, extra=extra)
    check_simulator("verilator")
    try:
        library = find_library(files)
        check_library(library)
    except LibertyError as error:
        raise library_error(files, error) from error
    warn_of_library(library)
    return library


def accelerator_of(work: "ExplorationInput", number: int) -> "Accelerator":
    """Return the accelerator of a design.

    Parameters
    ----------
    work, number
        The exploration, and which design.

    Raises
    ------
    InputError
        There is no such design, or the generator cannot build it: which key is why, and what could be built.
    """
    from bitjoule.energy_models.inputs.changes import ImpossibleError
    from bitjoule.energy_models.system.platform.accesses import UnpricedError
    from bitjoule.experiments.exploration.building import configuration

    if number >= len(work.space):
        raise _problem(number, "is not a design of the space", f"{BEST}, or a number from 0 to {len(work.space) - 1}")
    try:
        return configuration.accelerator_of(work.base, work.space, number)
    except configuration.UnbuildableError as error:
        raise InputError(
            Problem(OPTION, 1, f"design {number}, {fault.key}", fault.wrong, f"{fault.expected}, to be built")
            for fault in error.faults
        ) from None
    except (ImpossibleError, UnpricedError) as error:
        wrong, expected = error.args if len(error.args) > 1 else (error, "values that fit together")
        raise _problem(number, str(wrong), str(expected)) from None


def _problem(number: int, wrong: str, expected: str) -> InputError:
    return InputError([Problem(OPTION, 1, f"design {number}", wrong, expected)])


def build(
    work: "ExplorationInput", result: "ExplorationResult", text: str, library: "Library", options: argparse.Namespace,
    words: Sequence[str],
) -> Path:  # fmt: skip
    """Build a design, and write a folder with all that comes of it beside that of its exploration.

    Parameters
    ----------
    work, result
        The exploration.
    text
        From `chosen`.
    library
        From `checked_library`.
    options, words
        Of the command line.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        The design was not evaluated, has no result, or cannot be built.
    SimulatorError
        The Verilog, or the netlist, does not compute what NumPy computes.
    """
    from bitjoule.commands.progress import ProgressLine
    from bitjoule.experiments.exploration.building.build import Built, synthesise, verify
    from bitjoule.experiments.output.folder import replacing
    from bitjoule.gates.stimuli.stimulus import NetlistError

    number = number_of(result, text)
    accelerator = accelerator_of(work, number)
    progress = ProgressLine()
    target: Path = options.out / f"{result.experiment.name}-design-{number}"
    with replacing(target) as folder:
        progress(0, 2, f"design {number}: verification")
        cases, report = verify(accelerator, options.cases)
        if report.failure:
            raise SimulatorError(
                f"design {number}: mismatch in case {report.failure['case']['name']!r}: {report.failure}"
            )
        progress(1, 2, f"design {number}: synthesis")
        try:
            synthesis = synthesise(accelerator, library)
        except (NetlistError, RuntimeError) as error:
            raise SimulatorError(f"design {number} cannot be synthesised: {error}") from error
        progress(2, 2, "")
        _write(folder, work, result, number, Built(accelerator, cases, report, synthesis), words)
    return target


def number_of(result: "ExplorationResult", text: str) -> int:
    """Return the number of the design that is to be built.

    Parameters
    ----------
    result, text
        As for `build`.

    Raises
    ------
    InputError
        No design is feasible; the design was not evaluated, or has no result.
    """
    if text == BEST:
        if result.best is None:
            wrong, expected = result.nearest.rstrip("."), "a space with a design that meets all constraints"
            raise InputError([Problem(OPTION, 1, BEST, wrong, expected)])
        return result.best
    number = int(text)
    rows = result.designs[result.designs["design"] == number]
    front = ", ".join(map(str, result.pareto["design"].head(8)))
    expected = f"{BEST}, or a design of designs.csv with a result, e.g. of the Pareto set: {front}"
    if rows.empty:
        raise _problem(number, "was not evaluated", expected)
    if rows.iloc[0]["status"] == "no result":
        raise _problem(number, f"has no result: {rows.iloc[0]['problem'] or 'a metric is not finite'}", expected)
    return number


def _write(
    folder: Path, work: "ExplorationInput", result: "ExplorationResult", number: int, built: "Built",
    words: Sequence[str],
) -> None:  # fmt: skip
    from bitjoule.energy_models.inputs.yaml_core import write_yaml
    from bitjoule.experiments.exploration.building import tables
    from bitjoule.experiments.exploration.building.build import SEED
    from bitjoule.experiments.exploration.building.configuration import platform_file
    from bitjoule.experiments.output.manifest import write_manifest
    from bitjoule.experiments.output.tables import write_csv
    from bitjoule.reports.exploration.datasheet import datasheet
    from bitjoule.rtl.verilog import accelerator_verilog, description_text

    config = built.accelerator.config
    texts = {
        "accelerator.yaml": write_yaml(config.as_mapping()),
        "platform.yaml": write_yaml(platform_file(work.base, built.accelerator, result.experiment.name, number), 110),
        "accelerator.v": accelerator_verilog(config),
        "accelerator.json": description_text(config),
        DATASHEET: datasheet(result, number, built),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    made = {
        "figures": tables.figures(built.synthesis),
        "parts": tables.parts(built.synthesis),
        "verification": tables.verification(built),
    }
    for name, table in made.items():
        write_csv([table], folder / f"{name}.csv")
    seeds = {"explore.seed": work.experiment.explore.seed, "verification": SEED}
    write_manifest(folder, work.inputs, ["bitjoule", *words], seeds)
