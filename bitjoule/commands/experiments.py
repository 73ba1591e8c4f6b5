"""``bitjoule run`` and ``check``."""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from bitjoule.commands.options import add_experiments, folder, jobs
from bitjoule.commands.status import OK


def add_run_and_check(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``run`` and ``check``.

    Parameters
    ----------
    commands
        The parser's commands.
    """
    run = commands.add_parser("run", help="run experiments: tables and pictures", description="Run experiments.")
    add_experiments(run)
    run.add_argument("--out", type=folder, default=Path("results"), metavar="DIR", help="default: %(default)s")
    run.add_argument(
        "--jobs", type=jobs, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
        metavar="N", help="processes; the files are the same for any number (default: the processors, %(default)s)",
    )  # fmt: skip
    run.add_argument("--no-plots", action="store_true", help="tables only")
    run.set_defaults(command=_run)

    check = commands.add_parser("check", help="validate experiments, run nothing", description="Validate experiments.")
    add_experiments(check)
    check.set_defaults(command=_check)


def _run(options: argparse.Namespace, given: Sequence[str]) -> int:
    from bitjoule.commands.progress import Progress
    from bitjoule.execution import read_all, run_all
    from bitjoule.writing import Writing

    tasks = read_all(options.experiments, options.overrides)
    writing = Writing(options.out, ["bitjoule", *given], not options.no_plots, options.jobs)
    report(run_all(tasks, writing, Progress()), len(tasks))
    return OK


def report(texts: Iterable[str], total: int) -> None:
    """Print what each run says as it ends.

    Parameters
    ----------
    texts
        Of the runs.
    total
        How many there are.
    """
    for i, text in enumerate(texts, 1):
        try:
            print(f"{text}\n" if text else "", end="\n" if text else "", flush=True)
        except BrokenPipeError:  # nobody reads any more, but the results are still wanted
            discard_output()
        if sys.stderr.isatty():
            print(f"[{i}/{total}]", file=sys.stderr)


def discard_output() -> None:
    """Send what is printed from now on nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _check(options: argparse.Namespace, _: Sequence[str]) -> int:
    from bitjoule.execution import read_all

    for task in read_all(options.experiments, options.overrides):
        print(f"{task.file}: ok, {task.ready.experiment.size}")
    return OK
