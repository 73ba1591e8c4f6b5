"""The interface of a kind of experiment: a module with the attributes of `Kind`, registered by an entry point."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from bitjoule.energy_models.inputs.documents import Document
    from bitjoule.experiments.files import ExperimentFile
    from bitjoule.reports.figures.style import Theme

Work = TypeVar("Work")
Result = TypeVar("Result")


class Progress(Protocol):
    """Receives the progress of a run; `Silent` discards it."""

    def __call__(self, done: int, steps: int, step: str) -> None:
        """Report the number of steps done, their total, and the next step (empty at the end)."""

    def say(self, text: str) -> None:
        """Report a piece of the text that the run produces."""

    def warn(self, text: str) -> None:
        """Report a warning."""


class Silent:
    """Discards progress."""

    def __call__(self, done: int, steps: int, step: str) -> None:
        """Ignore a step."""

    def say(self, text: str) -> None:
        """Ignore text."""

    def warn(self, text: str) -> None:
        """Ignore a warning."""


class Recorder:
    """Passes progress on and keeps the warnings, each once.

    Parameters
    ----------
    progress
        Receives the progress.

    Attributes
    ----------
    warnings
        Reported so far.
    """

    def __init__(self, progress: Progress) -> None:
        self.warnings: tuple[str, ...] = ()
        self._progress = progress

    def __call__(self, done: int, steps: int, step: str) -> None:
        """Pass a step on."""
        self._progress(done, steps, step)

    def say(self, text: str) -> None:
        """Pass text on."""
        self._progress.say(text)

    def warn(self, text: str) -> None:
        """Keep a warning and pass it on, the first time."""
        if text not in self.warnings:
            self.warnings += (text,)
            self._progress.warn(text)


@dataclass(frozen=True)
class Ready(Generic[Work]):
    """A checked experiment, in which no error of the experiment file remains.

    Parameters
    ----------
    experiment
        Contents of the file, with defaults filled in.
    work
        Input of the kind's `run`.
    writes
        Whether running it writes tables.
    """

    experiment: "ExperimentFile"
    work: Work
    writes: bool = True


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """The outcome of a run.

    Parameters
    ----------
    result
        Return value of `bitjoule.run`, with the tables as attributes; every kind has `summary`. A dataclass whose field
        `warnings` receives those of the run.
    tables
        Pieces of each table, by the name of its CSV file.
    experiment
        Contents of experiment.yaml, which reproduces the same tables.
    inputs
        SHA-256 of each input file, by its name in the experiment.
    seeds
        Seeds of the random numbers.
    versions
        Versions of tools that only some runs use.
    closing
        A line that follows the summary on a terminal.
    warnings
        What `Progress.warn` received in the run, which fills this in.
    """

    result: Result
    tables: "Mapping[str, Iterable[pd.DataFrame]]"
    experiment: Mapping[str, Any]
    inputs: Mapping[str, str]
    seeds: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    closing: str = ""
    warnings: Sequence[str] = ()


class Kind(Protocol):
    """A module that implements one kind of experiment.

    Heavy imports belong inside its functions, since commands load every kind to recognise experiments. Optional
    attributes are ``INSTALL``, the requirement that ``pip install`` needs for its packages; ``PARALLEL``, true if a
    `Ready` and the drawing functions can be pickled and run in other processes, where progress is discarded;
    ``SHOWN_ROWS``, the maximum number of rows of each table on a terminal; and ``headline``, which returns an outcome
    in one line, printed where several experiments run.
    """

    KEY: str
    """Top-level key that identifies its files; empty for the kind of all other files."""

    def schema(self) -> "type[ExperimentFile]":
        """Return the schema of its files."""

    def resolve(self, document: "Document") -> Ready[Any]:
        """Return a checked experiment with all its names resolved; raise `InputError`."""

    def run(self, ready: Ready[Any], progress: Progress) -> Outcome[Any]:
        """Run a checked experiment."""

    def summary(self, outcome: Outcome[Any], max_rows: int) -> str:
        """Return the summary as Markdown, each table cut after `max_rows` rows; warnings are added to it."""

    def pictures(self, outcome: Outcome[Any]) -> "Mapping[str, Callable[[Theme], Figure]]":
        """Return a drawing function per picture, by file name."""


NAMES = ("KEY", "schema", "resolve", "run", "summary", "pictures")
