"""Runs checked experiments and writes their output directories, in this process or in several."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitjoule.kinds import kinds
from bitjoule.kinds.kind import Kind, Outcome, Progress, Ready, Recorder, Silent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bitjoule.experiments.output.formats import Format
    from bitjoule.experiments.output.parts import Parts
    from bitjoule.experiments.output.store import Store
    from bitjoule.reports.figures.style import Theme

SHOWN_ROWS = 40
OPEN_PER_JOB = 2  # experiments whose pictures can fill the processes while others run


@dataclass(frozen=True)
class RunTask:
    """A checked experiment and its kind.

    Parameters
    ----------
    kind
        Name of the kind.
    file
        The file, as the user named it.
    ready
        The checked experiment.
    """

    kind: str
    file: str
    ready: Ready[Any]

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.ready.experiment.name

    @property
    def parallel(self) -> bool:
        """Whether other processes can run and draw it."""
        return bool(getattr(kinds()[self.kind].kind, "PARALLEL", False))


@dataclass(frozen=True)
class Writing:
    """Where and how experiments are written.

    Parameters
    ----------
    out
        Parent of the output directories, one per experiment.
    command
        The command line that the manifest records.
    plots
        Whether to draw plots.
    jobs
        Maximum number of processes, over all experiments.
    whole
        Whether the text for a terminal is the whole summary, or its headline alone.
    results
        Format of the tables; default: CSV, or Parquet for many cases
        (`bitjoule.experiments.output.formats.chosen_format`).
    scheduler
        Address of a Dask scheduler whose workers run the parts; none: this machine alone.
    """

    out: Path
    command: Sequence[str]
    plots: bool = True
    jobs: int = 1
    whole: bool = True
    results: "Format | None" = None
    scheduler: str | None = None


@dataclass(frozen=True)
class _Tables:
    """An experiment whose tables are written: remaining pictures, contents of the manifest, text for a terminal."""

    pictures: "list[tuple[str, Callable[[Theme], Figure]]]"
    inputs: Mapping[str, str]
    seeds: Mapping[str, int]
    versions: Mapping[str, str]
    warnings: Sequence[str]
    text: str


def run(task: RunTask, progress: Progress, parts: "Parts | None" = None) -> Outcome[Any]:
    """Run an experiment; without `parts`, no file is written.

    Parameters
    ----------
    task
        From `bitjoule.execution.read`.
    progress
        Receives the progress of the run.
    parts
        Where the parts of a kind that runs in parts run, and what writes their tables.
    """
    registered, recorder = kinds()[task.kind], Recorder(progress)
    in_parts = {"parts": parts} if parts is not None and getattr(registered.kind, "IN_PARTS", False) else {}
    with registered.translated_errors():
        outcome = registered.kind.run(task.ready, recorder, **in_parts)
    return replace(outcome, result=_with_warnings(outcome.result, recorder.warnings), warnings=recorder.warnings)


def _with_warnings(result: Any, warnings: Sequence[str]) -> Any:
    """Return a result with the warnings of its run, if it is a dataclass with a field for them."""
    has_field = is_dataclass(result) and any(field.name == "warnings" for field in fields(result))
    return replace(result, warnings=warnings) if has_field and not isinstance(result, type) else result


def run_and_write(task: RunTask, writing: Writing, progress: Progress) -> tuple[Outcome[Any], str]:
    """Run an experiment and write its output directory, which is replaced as a whole or left unchanged.

    Parameters
    ----------
    task, progress
        As for `run`.
    writing
        Where and how.

    Returns
    -------
    tuple of Outcome and str
        The outcome of the run, and its summary for a terminal.
    """
    from bitjoule.experiments.output.folder import replacing
    from bitjoule.experiments.output.workers import pool

    if not task.ready.writes:
        return run(task, progress), ""
    target = writing.out / task.name
    with replacing(target) as folder:  # a directory that cannot be written is reported before the run
        outcome, tables = _run_into(task, folder, writing, progress)
        jobs = min(writing.jobs, len(tables.pictures)) if task.parallel else 1
        if jobs > 1:
            with pool(jobs) as workers:
                for drawing in _submit_pictures(workers, task.kind, tables, folder):
                    drawing.result()
        else:
            _draw_all(task.kind, tables, folder)
        _finish(tables, folder, writing.command)
    return outcome, f"{tables.text}\n{written_files(target)}"


def write(task: RunTask, outcome: Outcome[Any], writing: Writing, progress: Progress) -> Path:
    """Write the output directory of a run, in this process; return it.

    Parameters
    ----------
    task
        The experiment.
    outcome
        Of `run` without parts.
    writing
        Where and how.
    progress
        Receives warnings.
    """
    from bitjoule.experiments.output.folder import replacing

    target = writing.out / task.name
    with replacing(target) as folder:
        with _opened_store(task, folder, writing, progress) as store:
            tables = _write(task.kind, outcome, folder, writing, store)
        _draw_all(task.kind, tables, folder)
        _finish(tables, folder, writing.command)
    return target


@dataclass
class _Open:
    """An experiment of `run_together` in progress: it runs, its pictures are drawn, and its directory is placed."""

    task: RunTask
    target: Path
    folder: Path
    placing: ExitStack
    running: "Future[_Tables]"
    drawing: "list[Future[None]] | None" = None
    text: str = ""

    def advance(self, workers: ProcessPoolExecutor, command: Sequence[str]) -> "set[Future[Any]]":
        """Submit the work that is possible now, and return the work that must end before more is possible."""
        current: list[Future[Any]] = [self.running] if self.drawing is None else [*self.drawing]
        unfinished = {work for work in current if not work.done()}
        if self.text or unfinished:
            return unfinished
        tables = self.running.result()
        if self.drawing is None:
            self.drawing = _submit_pictures(workers, self.task.kind, tables, self.folder)
            if self.drawing:
                return {*self.drawing}
        for drawing in self.drawing:
            drawing.result()
        _finish(tables, self.folder, command)
        self.placing.close()
        self.text = f"{tables.text}\n{written_files(self.target)}"
        return set()


def run_together(tasks: Sequence[RunTask], writing: Writing, progress: Progress) -> Iterator[str]:
    """Run experiments and draw their plots in a pool of processes; yield the summaries in order.

    Parameters
    ----------
    tasks
        Experiments that are `Task.parallel`.
    writing
        Where and how.
    progress
        Receives the warnings of each before its summary.
    """
    from bitjoule.experiments.output.folder import replacing
    from bitjoule.experiments.output.workers import pool

    jobs = min(writing.jobs, 2 * len(tasks))
    per_task = replace(writing, jobs=max(1, writing.jobs // len(tasks)))
    remaining = deque(tasks)
    started: deque[_Open] = deque()
    with ExitStack() as folders, pool(jobs) as workers:  # the workers stop before unfinished folders are removed
        while remaining or started:
            while remaining and len(started) < OPEN_PER_JOB * jobs:
                task = remaining.popleft()
                target, placing = writing.out / task.name, ExitStack()
                folder = placing.enter_context(replacing(target))
                folders.push(placing)  # an error removes the folder; once placed, nothing is left to do
                running = workers.submit(_run_alone, task, folder, per_task)
                started.append(_Open(task, target, folder, placing, running))
            waiting = {work for experiment in started for work in experiment.advance(workers, writing.command)}
            while started and started[0].text:
                ended = started.popleft()
                for warning in ended.running.result().warnings:
                    progress.warn(warning)
                yield ended.text
            wait(waiting, return_when=FIRST_COMPLETED)


def _run_alone(task: RunTask, folder: Path, writing: Writing) -> _Tables:
    return _run_into(task, folder, writing, Silent())[1]


def _run_into(task: RunTask, folder: Path, writing: Writing, progress: Progress) -> tuple[Outcome[Any], _Tables]:
    """Run an experiment and write its tables into a folder."""
    with _opened_store(task, folder, writing, progress) as store:
        outcome = run(task, progress, store)
        return outcome, _write(task.kind, outcome, folder, writing, store)


@contextmanager
def _opened_store(task: RunTask, folder: Path, writing: Writing, progress: Progress) -> "Iterator[Store]":
    """Open what writes the tables of a run, in the format that the user or the number of cases asks for."""
    from bitjoule.experiments.output.checkpoints import kept_parts, run_digest
    from bitjoule.experiments.output.formats import chosen_format
    from bitjoule.experiments.output.store import Store
    from bitjoule.experiments.output.workers import opened

    kind, target = kinds()[task.kind].kind, writing.out / task.name
    count: Callable[[Ready[Any]], int] | None = getattr(kind, "cases", None)
    result_format = chosen_format(writing.results, count(task.ready) if count else 0)
    opening = opened(writing.jobs, writing.scheduler)
    if writing.scheduler is not None and not getattr(kind, "IN_PARTS", False):
        progress.warn(f"--scheduler: {task.name} is of a kind that does not run in parts ({task.kind}); it runs here")

    def report(done: int, total: int) -> None:
        if total > 1:
            progress(done, total, f"parts of {task.name}" if done < total else "")

    with ExitStack() as stack:
        kept = None
        if result_format == "parquet" and count:
            digest = run_digest(task.ready.experiment.model_dump(mode="json"), getattr(task.ready.work, "inputs", {}))
            kept = stack.enter_context(kept_parts(target, digest))
        yield Store(folder, target, result_format, opening, report, kept)


def _write(name: str, outcome: Outcome[Any], folder: Path, writing: Writing, store: "Store") -> _Tables:
    from bitjoule.energy_models.inputs.yaml_core import write_yaml
    from bitjoule.reports.figures.markdown import MAX_ROWS

    registered = kinds()[name]
    with registered.translated_errors():
        for table, pieces in outcome.tables.items():
            store.add(table, pieces)
        store.finish()
        (folder / "summary.md").write_text(registered.kind.summary(outcome, MAX_ROWS), encoding="utf-8")
        (folder / "experiment.yaml").write_text(write_yaml(dict(outcome.experiment)), encoding="utf-8")
        pictures = list(registered.kind.pictures(outcome).items()) if writing.plots else []
        text = _terminal_text(registered.kind, outcome, writing.whole)
    return _Tables(pictures, outcome.inputs, outcome.seeds, outcome.versions, outcome.warnings, text)


def _terminal_text(kind: Kind, outcome: Outcome[Any], whole: bool) -> str:
    if whole:
        summary = kind.summary(outcome, getattr(kind, "SHOWN_ROWS", SHOWN_ROWS))
        return "\n".join([summary, *([outcome.closing] if outcome.closing else [])])
    headline: Callable[[Outcome[Any]], str] | None = getattr(kind, "headline", None)
    name = outcome.experiment["name"]
    return f"{name}: {headline(outcome)}" if headline else f"{name}:"


def _finish(tables: _Tables, folder: Path, command: Sequence[str]) -> None:
    from bitjoule.experiments.output.manifest import write_manifest

    write_manifest(folder, tables.inputs, command, tables.seeds, tables.versions, tables.warnings)


def _submit_pictures(workers: ProcessPoolExecutor, kind: str, tables: _Tables, folder: Path) -> "list[Future[None]]":
    return [workers.submit(_draw, kind, drawn, folder, stem) for stem, drawn in tables.pictures]


def _draw_all(kind: str, tables: _Tables, folder: Path) -> None:
    for stem, drawn in tables.pictures:
        _draw(kind, drawn, folder, stem)


def _draw(kind: str, drawn: "Callable[[Theme], Figure]", folder: Path, stem: str) -> None:
    from bitjoule.reports.energy.pictures import save

    with kinds()[kind].translated_errors():
        save(drawn, folder, stem)


def written_files(target: Path) -> str:
    """Return a line that names the tables and pictures of a run.

    Parameters
    ----------
    target
        The output directory.
    """
    pictures = sorted(path.name for path in target.glob("*.png") if not path.stem.endswith("_dark"))
    drawn = f"; pictures: {', '.join(pictures)} (also _dark and .svg)" if pictures else ""
    return f"Tables in {target}/{drawn}"
