"""``bitjoule train``: small language models in the formats whose energy is compared."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bitjoule.commands.options import folder, jobs
from bitjoule.commands.status import FAILURE, OK

if TYPE_CHECKING:
    from bitjoule.sim.training.config import TrainingFile
    from bitjoule.sim.training.ladder import Rung, Table
    from bitjoule.sim.training.results import Outcome

TORCH = "bitjoule train needs torch: pip install 'bitjoule[train]'"
DEVICES = ("auto", "cpu", "cuda")


def add_train(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``train``.

    Parameters
    ----------
    commands
        Subparsers of the command line.
    """
    train = commands.add_parser(
        "train", help="train a small language model in a number format",
        description="Train a decoder on bytes with FP16, INT8, INT4, ternary or binary weights, on text that installed "
        "packages bring or on files. Writes a Hugging Face directory, the losses as CSV and a card. A training that "
        "was interrupted and is started again goes on where it was, with the same losses. Needs pip install "
        "'bitjoule[train]'.",
    )  # fmt: skip
    train.add_argument(
        "configs", nargs="+", metavar="CONFIG.yaml|NAME", help="training file, or the name of a built-in one"
    )
    train.add_argument(
        "--out", type=folder, default=Path("trained"), metavar="DIR",
        help="parent of the output directories (default: %(default)s)",
    )  # fmt: skip
    train.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE",
        help="change a value of the files, e.g. training.tokens=100000; may be repeated",
    )  # fmt: skip
    train.add_argument(
        "--device", choices=DEVICES, default="auto", metavar="|".join(DEVICES),
        help="where to train (default: %(default)s: CUDA where there is one, else the CPU)",
    )  # fmt: skip
    train.add_argument(
        "--threads", type=jobs, default=1, metavar="N",
        help="threads of the CPU; the losses depend on it in their last digits (default: %(default)s)",
    )  # fmt: skip
    train.add_argument(
        "--table", type=Path, metavar="FILE.csv",
        help="(ladder) table to which rows are added; what has a row is not trained again (default: DIR/ladder.csv)",
    )  # fmt: skip
    train.add_argument(
        "--only", action="append", default=[], metavar="rung=R|format=F|seed=S",
        help="(ladder) train these sizes, formats or seeds alone; may be repeated",
    )  # fmt: skip
    train.set_defaults(command=_train)


def _train(options: argparse.Namespace, words: Sequence[str]) -> int:
    from bitjoule.energy_models.inputs.documents import read_document
    from bitjoule.energy_models.inputs.errors import InputError, Problem
    from bitjoule.experiments.files import overridden
    from bitjoule.sim.training.config import read_training
    from bitjoule.sim.training.ladder import Table, is_ladder, read_ladder, selected
    from bitjoule.sim.training.shipped import find_training

    documents = [overridden(read_document(find_training(name)), options.overrides) for name in options.configs]
    ladders = [document for document in documents if is_ladder(document)]
    if (options.only or options.table) and len(ladders) != len(documents):
        option = "--only" if options.only else "--table"
        raise InputError([Problem("command line", 1, option, "is set with a file that is no ladder", "a ladder")])
    if len(ladders) > 1:
        raise InputError([Problem("command line", 1, "CONFIG.yaml", f"{len(ladders)} ladders", "one ladder at a time")])
    trainings = [read_training(document) for document in documents if document not in ladders]
    rungs = [rung for document in ladders for rung in selected(read_ladder(document), options.only)]
    table = Table(options.table or options.out / "ladder.csv")
    missing = table.missing(rungs)
    _check_names(options.out, [*trainings, *(rung.training for rung in missing)])
    if not has_torch():
        return FAILURE
    prepare(options.threads)
    status = OK
    for training in trainings:
        outcome = train_one(training, options, words)
        status = max(status, FAILURE if outcome.trained is None else OK)
    if rungs:
        print(f"{len(rungs) - len(missing)} of {len(rungs)} trainings have a row in {table.path}", file=sys.stderr)
        run_ladder(missing, table, options, words)
    return status


def _check_names(out: Path, trainings: "Sequence[TrainingFile]") -> None:
    """Refuse before the first training what could not be written after it: a name twice, a directory of other files."""
    from bitjoule.energy_models.inputs.errors import whole_file
    from bitjoule.experiments.output.folder import check_replaceable

    names: set[str] = set()
    for training in trainings:
        name = training.config.name
        if name in names:
            wrong = f"duplicate training name {name!r}"
            raise whole_file(training.document.file, wrong, "a unique name, since it names the output directory")
        names.add(name)
        check_replaceable(out / name)


def run_ladder(missing: "Sequence[Rung]", table: "Table", options: argparse.Namespace, words: Sequence[str]) -> None:
    """Train what a ladder lacks, and add a row for each; leave out what another process is training.

    Parameters
    ----------
    missing, table
        The trainings, and where their rows go.
    options, words
        Of the command line.
    """
    from bitjoule.experiments.output.manifest import git_commit
    from bitjoule.sim.training.results import ladder_row

    commit = git_commit() or ""
    for rung in missing:
        if not table.missing([rung]):  # another process has added it meanwhile
            continue
        if is_locked(options.out / rung.training.config.name):
            continue
        outcome = train_one(rung.training, options, words)
        table.append(ladder_row(rung, outcome, commit))


def has_torch() -> bool:
    """Return whether torch is installed; print how to install it if it is not."""
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        print(TORCH, file=sys.stderr)
        return False
    return True


def prepare(threads: int) -> None:
    """Set what decides the order of torch's sums.

    Parameters
    ----------
    threads
        Of the CPU.
    """
    import os

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before CUDA starts: sums in one order there, too
    import torch

    torch.set_num_threads(threads)


def train_one(training: "TrainingFile", options: argparse.Namespace, words: Sequence[str]) -> "Outcome":
    """Train a model, write its folder and print its loss.

    Parameters
    ----------
    training
        The file.
    options, words
        Of the command line.
    """
    from bitjoule.experiments.output.folder import replacing
    from bitjoule.experiments.output.manifest import write_manifest
    from bitjoule.sim.training.folder import save_folder
    from bitjoule.sim.training.results import Outcome
    from bitjoule.sim.training.texts import read_texts
    from bitjoule.sim.training.trainer import DivergedError, loss_table, pick_device, train

    config = training.config
    target, device = options.out / config.name, pick_device(options.device)
    text, show = read_texts(training), Show(config.name)
    with working_folder(target) as working:
        try:
            trained = train(config, text, working, device, show)
        except DivergedError as error:
            losses = options.out / f"{config.name}.diverged.csv"
            losses.write_text(loss_table(error.rows), encoding="utf-8")
            print(f"bitjoule: {config.name}: {error}; losses before it in {losses}", file=sys.stderr)
            return Outcome(text.sha256, device.type, None, error.step)
        finally:
            show.end()
        with replacing(target) as written:
            save_folder(written, config, text, trained)
            (written / "training.yaml").write_text(_as_yaml(config.with_defaults()), encoding="utf-8")
            versions, seeds = {"torch": torch_version()}, {"training": config.seed}
            write_manifest(written, training.document.inputs, ["bitjoule", *words], seeds, versions)
    evaluation = trained.evaluation
    print(
        f"{config.name}: held out {evaluation.held_out:.4f} nats per byte, {evaluation.held_out_floats:.4f} with float "
        f"inputs of linears; {config.model.parameters:,} parameters, {trained.tokens_per_s:,.0f} tokens/s; in {target}/"
    )
    return Outcome(text.sha256, device.type, trained)


def torch_version() -> str:
    """Return torch's version, with the build that it names."""
    import torch

    return str(torch.__version__)


def _as_yaml(data: dict[str, object]) -> str:
    from bitjoule.energy_models.inputs.yaml_core import write_yaml

    return write_yaml(data, 110)


def is_locked(target: Path) -> bool:
    """Return whether another process trains what is to be written there.

    Parameters
    ----------
    target
        The output directory.
    """
    from bitjoule.sim.locks import acquire, release

    lock = acquire(_lock_of(target), wait=False)
    if lock is not None:
        release(lock)
    return lock is None


def _lock_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.training.lock")


@contextmanager
def working_folder(target: Path) -> "Iterator[Path]":
    """Yield the folder that keeps a training's checkpoint until its result is written.

    Parameters
    ----------
    target
        The output directory, beside which it lies.

    Raises
    ------
    InputError
        It cannot be written, or another process trains there.
    """
    import shutil

    from bitjoule.energy_models.inputs.errors import whole_file
    from bitjoule.sim.locks import acquire, release

    working = target.with_name(f".{target.name}.training")
    try:
        working.mkdir(parents=True, exist_ok=True)
        lock = acquire(_lock_of(target), wait=False)
    except OSError as error:
        raise whole_file(str(target.parent), f"cannot be written: {error.strerror}", "a writable directory") from None
    if lock is None:
        raise whole_file(str(target), "is being trained by another process", "one training of a name at a time")
    try:
        yield working
        shutil.rmtree(working, ignore_errors=True)
    finally:
        release(lock)


class Show:
    """A line on a terminal that is written over, and a line now and then elsewhere.

    Parameters
    ----------
    name
        Of the training.
    """

    EVERY_S = 10.0

    def __init__(self, name: str) -> None:
        import time

        self._name, self._clock = name, time.monotonic
        self._last = -self.EVERY_S

    def __call__(self, progress: object) -> None:
        """Print the progress.

        Parameters
        ----------
        progress
            A `TrainingProgress`.
        """
        line = f"{self._name}: {progress}"
        if sys.stderr.isatty():
            print(f"\r{line:<100}", end="", file=sys.stderr, flush=True)
        elif self._clock() - self._last >= self.EVERY_S:
            self._last = self._clock()
            print(line, file=sys.stderr, flush=True)

    def end(self) -> None:
        """End the line on a terminal."""
        if sys.stderr.isatty():
            print(file=sys.stderr)
