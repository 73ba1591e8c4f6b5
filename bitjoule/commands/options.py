"""Options that several commands share, and the types of their values."""

import argparse
import re
from pathlib import Path


def add_experiments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that reads experiments.

    Parameters
    ----------
    parser
        Parser of the command.
    """
    parser.add_argument(
        "experiments", nargs="+", metavar="FILE.yaml|NAME", help="experiment file, or name of a shipped experiment"
    )
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE",
        help="change a value of the experiments, e.g. workload.prompt_tokens=1024; may be repeated",
    )  # fmt: skip


def folder(text: str) -> Path:
    """Return the path of a directory.

    Parameters
    ----------
    text
        Value on the command line.
    """
    if not text:
        raise argparse.ArgumentTypeError("is empty; expected a directory")
    return Path(text)


def jobs(text: str) -> int:
    """Return a number of processes.

    Parameters
    ----------
    text
        Value on the command line.
    """
    if not re.fullmatch("[1-9][0-9]{0,2}", text):
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected a whole number from 1 to 999")
    return int(text)
