"""What a kind of experiment is: one module with the names of `Kind`, found by an entry point."""

from collections.abc import Callable, Iterable, Mapping
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
    """Where a run tells how far it is; `Silent` for nobody."""

    def __call__(self, done: int, steps: int, step: str) -> None:
        """Take how many steps are done, of how many, and the next one (empty at the end)."""

    def say(self, text: str) -> None:
        """Take text that the run produces, piece by piece."""

    def warn(self, text: str) -> None:
        """Take what the user should know."""


class Silent:
    """Progress for nobody."""

    def __call__(self, done: int, steps: int, step: str) -> None:
        """Ignore a step."""

    def say(self, text: str) -> None:
        """Ignore text."""

    def warn(self, text: str) -> None:
        """Ignore a warning."""


@dataclass(frozen=True)
class Ready(Generic[Work]):
    """A checked experiment: nothing that its file decides can fail any more.

    Parameters
    ----------
    experiment
        As its file says, defaults filled in.
    work
        What the kind runs.
    writes
        Whether running it gives tables.
    """

    experiment: "ExperimentFile"
    work: Work
    writes: bool = True


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """What a run gave.

    Parameters
    ----------
    result
        What `bitjoule.run` returns, with its tables as attributes; `summary` of each kind.
    tables
        Pieces of each table by the name of its CSV file.
    experiment
        Written as experiment.yaml: running it again gives the same tables.
    inputs
        SHA-256 of each input file, by name as written.
    seeds
        Of what was drawn at random.
    versions
        Of tools that not every run uses.
    closing
        A line for the terminal, after the summary.
    """

    result: Result
    tables: "Mapping[str, Iterable[pd.DataFrame]]"
    experiment: Mapping[str, Any]
    inputs: Mapping[str, str]
    seeds: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    closing: str = ""


class Kind(Protocol):
    """A module that knows one kind of experiment.

    It imports what is heavy inside its functions: commands load every kind to tell experiments apart. It may also say
    ``INSTALL``, what ``pip install`` brings the packages that it needs; ``PARALLEL``, true if a `Ready` and what draws
    a picture can be pickled, so that other processes run and draw, where nobody reads the progress; and
    ``SHOWN_ROWS``, rows of each table on a terminal.
    """

    KEY: str
    """The key that tells its files apart; empty: any file that no other kind claims."""

    def schema(self) -> "type[ExperimentFile]":
        """Return what its files may say."""

    def resolve(self, document: "Document") -> Ready[Any]:
        """Return a checked experiment, everything that it names looked up; raise `InputError`."""

    def run(self, ready: Ready[Any], progress: Progress) -> Outcome[Any]:
        """Run it."""

    def summary(self, outcome: Outcome[Any], max_rows: int) -> str:
        """Return the summary as Markdown, each table cut after some rows."""

    def pictures(self, outcome: Outcome[Any]) -> "Mapping[str, Callable[[Theme], Figure]]":
        """Return what draws each picture, by file name."""


NAMES = ("KEY", "schema", "resolve", "run", "summary", "pictures")
