"""What the commands of ``bitjoule rtl`` take alike: the configuration, matmuls, seeds, and what must be installed."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bitjoule.energy_models.inputs.errors import InputError, Problem

if TYPE_CHECKING:
    from bitjoule.rtl.config import AcceleratorConfig
    from bitjoule.sim.accelerator.cycles import MatmulShape


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names the accelerator.

    Parameters
    ----------
    parser
        Of a subcommand.
    """
    parser.add_argument(
        "configuration", metavar="CONFIG.yaml|NAME", help="accelerator: a file, or a built-in configuration"
    )


def configuration_name(configuration: str) -> str:
    """Return a configuration's name as files are named after it.

    Parameters
    ----------
    configuration
        As the user gave it.
    """
    return re.sub(r"[^A-Za-z0-9_.-]", "_", Path(configuration).stem) or "accelerator"


def count(text: str) -> int:
    """Return a number of cases; a type of argparse.

    Parameters
    ----------
    text
        As the user gave it.

    Raises
    ------
    argparse.ArgumentTypeError
        It is none.
    """
    if not re.fullmatch("[0-9]{1,6}", text):
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected an integer from 0 to 999999")
    return int(text)


def seed(text: str) -> int:
    """Return a seed; a type of argparse.

    Parameters
    ----------
    text
        As the user gave it.

    Raises
    ------
    argparse.ArgumentTypeError
        It is none.
    """
    if not re.fullmatch("[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected a non-negative integer")
    return int(text)


def matmul(text: str) -> tuple[int, int, int]:
    """Return M, K and N; a type of argparse.

    Parameters
    ----------
    text
        As the user gave it.

    Raises
    ------
    argparse.ArgumentTypeError
        It is not MxKxN.
    """
    match = re.fullmatch("([1-9][0-9]{0,7})x([1-9][0-9]{0,7})x([1-9][0-9]{0,7})", text)
    if not match:
        raise argparse.ArgumentTypeError(f"got {text[:30]!r}; expected MxKxN, e.g. 1x2560x6912")
    return int(match[1]), int(match[2]), int(match[3])


def fitting(
    config: "AcceleratorConfig", matmuls: Sequence[tuple[int, int, int]], largest_cycles: int, reason: str
) -> "list[MatmulShape]":
    """Return the matmuls that ``--matmul`` asks for.

    Parameters
    ----------
    config
        The accelerator.
    matmuls
        M, K, N of each.
    largest_cycles, reason
        Cycles that one may take, and what they stand for.

    Raises
    ------
    InputError
        One does not fit the accelerator, or takes more cycles.
    """
    from bitjoule.sim.accelerator.cycles import MatmulShape, cycles

    problems: list[Problem] = []
    for m, k, n in matmuls:
        text = f"{m}x{k}x{n}"
        if k > config.max_k:
            wrong = f"K {k} exceeds max_k {config.max_k}"
            problems.append(Problem("--matmul", 1, text, wrong, f"K from 1 to {config.max_k}, or a larger max_k"))
        elif m >= 1 << 16 or n >= 1 << 24:
            problems.append(
                Problem("--matmul", 1, text, "is too large", f"M up to {(1 << 16) - 1}, N up to {(1 << 24) - 1}")
            )
        elif cycles(config, m, k, n) > largest_cycles:
            wrong = f"takes {cycles(config, m, k, n)} cycles"
            problems.append(Problem("--matmul", 1, text, wrong, f"at most {largest_cycles}, {reason}"))
    if problems:
        raise InputError(problems)
    return [MatmulShape(*sizes) for sizes in matmuls]
