"""``bitjoule explore``: explorations whose evaluated designs outlast an interrupted run."""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bitjoule.commands.options import add_experiments, add_out_and_jobs
from bitjoule.commands.status import OK

if TYPE_CHECKING:
    from bitjoule.writing import RunTask

KIND = "exploration"


def add_explore(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``explore``.

    Parameters
    ----------
    commands
        Subparsers of the command line.
    """
    explore = commands.add_parser(
        "explore", help="search a space of designs for a Pareto set",
        description="Evaluate the designs of a space of knobs, all of them or as many as its budget allows, and write "
        "the Pareto set, the hypervolume and the effect of each knob. An interrupted exploration that is started again "
        "goes on where it was.",
    )  # fmt: skip
    add_experiments(explore)
    add_out_and_jobs(explore)
    explore.add_argument("--no-plots", action="store_true", help="write tables only")
    explore.set_defaults(command=_explore)


def _explore(options: argparse.Namespace, words: Sequence[str]) -> int:
    from bitjoule.commands.progress import ProgressLine
    from bitjoule.energy_models.inputs.errors import whole_file
    from bitjoule.execution import read_all
    from bitjoule.writing import Writing, run_and_write

    tasks = read_all(options.experiments, options.overrides)
    for task in tasks:
        if task.kind != KIND:
            raise whole_file(task.file, "is not an exploration", "a file with the key `explore`")
    writing = Writing(options.out, ["bitjoule", *words], not options.no_plots, options.jobs)
    for task in tasks:
        with _resumable(task, options.out, options.jobs) as resumable:
            print(f"{run_and_write(resumable, writing, ProgressLine())[1]}\n")
    return OK


@contextmanager
def _resumable(task: "RunTask", out: Path, processes: int) -> "Iterator[RunTask]":
    """Yield a task that keeps evaluated designs beside its output directory until that is written."""
    from bitjoule.energy_models.inputs.errors import whole_file
    from bitjoule.sim.locks import acquire, release

    kept = out / f".{task.name}.exploring"
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = acquire(kept.with_name(f"{kept.name}.lock"), wait=False)
    except OSError as error:
        raise whole_file(str(out), f"cannot be written: {error.strerror}", "a folder that can be written") from None
    if lock is None:
        raise whole_file(str(out / task.name), "is being explored by another process", "one exploration at a time")
    try:
        batches = len(list(kept.glob("batch-*.npz")))
        if batches:
            print(f"bitjoule: {task.name}: continuing after {batches} batches", file=sys.stderr)
        work = replace(task.ready.work, folder=kept, jobs=processes)
        yield replace(task, ready=replace(task.ready, work=work))
        shutil.rmtree(kept, ignore_errors=True)
    finally:
        release(lock)
