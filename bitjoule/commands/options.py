"""Options that several commands share, and the types of their values."""

import argparse
import os
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


def add_out_and_jobs(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where output directories go, and how many processes compute them.

    Parameters
    ----------
    parser
        Parser of the command.
    """
    parser.add_argument(
        "--out", type=folder, default=Path("results"), metavar="DIR",
        help="parent of the output directories (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", type=jobs, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
        metavar="N", help="maximum number of processes, which does not change the results (default: number of "
        "processors, %(default)s)",
    )  # fmt: skip


def add_printing(parser: argparse.ArgumentParser, whole: str) -> None:
    """Add the options that say what is printed of the runs.

    Parameters
    ----------
    parser
        Parser of the command.
    whole
        What the form of tables is for.
    """
    from bitjoule.commands.terminal import FORMS

    parser.add_argument(
        "--tables", choices=FORMS, metavar="|".join(FORMS),
        help=f"print {whole} (default: terminal, which fits the window, or COLUMNS in a pipe)",
    )  # fmt: skip
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--quiet", action="store_true", help="print warnings and errors alone")
    shown.add_argument("--json", action="store_true", help="print headline, files, warnings and summary table as JSON")


def silent(options: argparse.Namespace) -> bool:
    """Return whether the options of `add_printing` leave the summaries out.

    Parameters
    ----------
    options
        Of the command line.
    """
    return bool(options.quiet or options.json or options.tables == "csv")


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add the option that chooses the format of tables.

    Parameters
    ----------
    parser
        Parser of the command.
    """
    from bitjoule.experiments.output.formats import FORMATS, PARQUET_FROM_CASES

    parser.add_argument(
        "--results", choices=FORMATS, metavar="|".join(FORMATS),
        help=f"format of the tables (default: csv; from {PARQUET_FROM_CASES} cases on parquet, if pyarrow is "
        "installed); parquet and xlsx need pip install 'bitjoule[explore]'",
    )  # fmt: skip


def add_scheduler(parser: argparse.ArgumentParser) -> None:
    """Add the option that names a cluster.

    Parameters
    ----------
    parser
        Parser of the command.
    """
    parser.add_argument(
        "--scheduler", type=scheduler, metavar="ADDRESS",
        help="run on the workers of a Dask scheduler, e.g. tcp://192.168.0.2:8786; needs pip install "
        "'bitjoule[cluster]' here and on the workers",
    )  # fmt: skip


def scheduler(text: str) -> str:
    """Return the address of a scheduler.

    Parameters
    ----------
    text
        Value on the command line.
    """
    if not re.fullmatch(r"(?:(?:tcp|tls|ucx|ws|wss)://)?[^\s/:]+:[0-9]{1,5}", text):
        raise argparse.ArgumentTypeError(f"got {text[:40]!r}; expected tcp://HOST:PORT")
    return text if "://" in text else f"tcp://{text}"


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
