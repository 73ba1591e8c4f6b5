"""``bitjoule explore``: explorations whose evaluated designs outlast an interrupted run."""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bitjoule.commands.hardware.build_design import BEST, DATASHEET, accelerator_of, build, checked_library, chosen
from bitjoule.commands.hardware.rtl_options import count
from bitjoule.commands.hardware.rtl_synthesize import add_library
from bitjoule.commands.options import add_experiments, add_out_and_jobs, add_printing, add_scheduler, silent
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
    add_printing(explore, "the summary in this form")
    explore.add_argument("--no-plots", action="store_true", help="write tables only")
    add_scheduler(explore)
    explore.add_argument(
        "--build", type=chosen, metavar="best|N",
        help="also make the hardware of the best design, or of design N, and verify and synthesise it, into "
        "DIR/NAME-design-N; it takes minutes",
    )  # fmt: skip
    add_library(explore)
    explore.add_argument(
        "--cases", type=count, default=100, metavar="N",
        help="with --build: number of random matmuls that verify the hardware, in addition to the corner cases "
        "(default: %(default)s)",
    )  # fmt: skip
    explore.set_defaults(command=_explore)


def _explore(options: argparse.Namespace, words: Sequence[str]) -> int:
    from bitjoule.commands.experiments import report
    from bitjoule.commands.outputs import print_for_programs
    from bitjoule.commands.progress import ProgressLine
    from bitjoule.energy_models.inputs.errors import whole_file
    from bitjoule.execution import read_all
    from bitjoule.writing import Writing, run_and_write

    tasks = read_all(options.experiments, options.overrides)
    for task in tasks:
        if task.kind != KIND:
            raise whole_file(task.file, "is not an exploration", "a file with the key `explore`")
    library = None
    if options.build is not None:
        library = checked_library(options.liberty)  # what is missing is reported before the exploration
        if options.build != BEST:
            for task in tasks:
                accelerator_of(task.ready.work, int(options.build))
    form = options.tables or "terminal"
    writing = Writing(options.out, ["bitjoule", *words], not options.no_plots, options.jobs, whole=not silent(options))
    texts = []
    for task in tasks:
        with _resumable(task, options) as resumable:
            outcome, text = run_and_write(resumable, writing, ProgressLine())
        texts.append(text)
        if not silent(options):
            report([text], 1, form)
        if library is not None:
            folder = build(task.ready.work, outcome.result, options.build, library, options, words)
            if not silent(options):
                report([f"{(folder / DATASHEET).read_text(encoding='utf-8')}\nHardware in {folder}/"], 1, form)
    if silent(options):
        print_for_programs(options, [task.name for task in tasks], texts)
    return OK


@contextmanager
def _resumable(task: "RunTask", options: argparse.Namespace) -> "Iterator[RunTask]":
    """Yield a task that keeps evaluated designs beside its output directory until that is written."""
    from bitjoule.energy_models.inputs.errors import whole_file
    from bitjoule.sim.locks import acquire, release

    out: Path = options.out
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
        work = replace(task.ready.work, folder=kept, jobs=options.jobs, scheduler=options.scheduler)
        yield replace(task, ready=replace(task.ready, work=work))
        shutil.rmtree(kept, ignore_errors=True)
    finally:
        release(lock)
