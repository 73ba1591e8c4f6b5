"""``bitjoule run`` and ``bitjoule check``."""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence

from bitjoule.commands.options import (
    add_experiments,
    add_out_and_jobs,
    add_printing,
    add_results,
    add_scheduler,
    silent,
)
from bitjoule.commands.status import OK


def add_run_and_check(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``run`` and ``check``.

    Parameters
    ----------
    commands
        Subparsers of the command line.
    """
    run = commands.add_parser(
        "run", help="run experiments and write tables and plots",
        description="Run experiments. Each writes tables, plots and a manifest to a directory of its own.",
    )  # fmt: skip
    add_experiments(run)
    add_out_and_jobs(run)
    add_printing(run, "the whole summary of each experiment in this form; of a single one it is always printed")
    run.add_argument(
        "--per-layer", action="append_const", const="per_layer=true", dest="overrides",
        help="also write operations.csv, with each operation of each layer; the same as --set per_layer=true",
    )  # fmt: skip
    add_results(run)
    add_scheduler(run)
    run.add_argument("--no-plots", action="store_true", help="write tables only")
    run.set_defaults(command=_run)

    check = commands.add_parser(
        "check", help="validate experiments without running them",
        description="Validate experiments without running them, and print the number of cases of each.",
    )  # fmt: skip
    add_experiments(check)
    check.set_defaults(command=_check)


def _run(options: argparse.Namespace, words: Sequence[str]) -> int:
    from bitjoule.commands.progress import ProgressLine
    from bitjoule.execution import read_all, run_all
    from bitjoule.writing import Writing

    tasks = read_all(options.experiments, options.overrides)
    whole = (options.tables is not None or len(tasks) == 1) and not silent(options)
    writing = Writing(
        options.out, ["bitjoule", *words], not options.no_plots, options.jobs, whole, options.results, options.scheduler
    )
    texts = run_all(tasks, writing, ProgressLine())
    if not silent(options):
        report(texts, len(tasks), options.tables or ("terminal" if whole else "markdown"))
        return OK
    from bitjoule.commands.outputs import print_for_programs

    print_for_programs(options, [task.name for task in tasks], list(texts))
    return OK


def report(texts: Iterable[str], total: int, form: str = "terminal") -> None:
    """Print the summary of each run as it ends.

    Parameters
    ----------
    texts
        Summaries of the runs, in Markdown.
    total
        Number of runs.
    form
        ``terminal`` or ``markdown``.
    """
    from bitjoule.commands.terminal import show

    for i, text in enumerate(texts, 1):
        try:
            if text:
                show(text) if form == "terminal" else print(text)
                print("\n", end="", flush=True)
        except BrokenPipeError:  # the reader is gone, but the remaining results are still to be written
            discard_output()
        if total > 1 and sys.stderr.isatty():
            print(f"[{i}/{total}]", file=sys.stderr)


def discard_output() -> None:
    """Redirect standard output to the null device."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _check(options: argparse.Namespace, _: Sequence[str]) -> int:
    from bitjoule.execution import read_all

    for task in read_all(options.experiments, options.overrides):
        print(f"{task.file}: ok, {task.ready.experiment.size}")
    return OK
