"""An output directory of a run, read again: its experiment, its manifest, its tables and its pictures."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from bitjoule.energy_models.inputs.documents import read_document, read_text
from bitjoule.energy_models.inputs.errors import InputError, Problem, choices, csv_errors, suggestion, whole_file
from bitjoule.energy_models.inputs.fingerprints import fingerprint
from bitjoule.experiments.output.folder import MANIFEST
from bitjoule.experiments.output.formats import needs
from bitjoule.experiments.output.parquet import SUFFIX
from bitjoule.experiments.output.spreadsheet import FILE as WORKBOOK
from bitjoule.experiments.output.tables import csv_header, format_rows

EXPECTED = "an output directory of `bitjoule run`"
EXPERIMENT, SUMMARY, CSV = "experiment.yaml", "summary.md", ".csv"
DARK = "_dark"
COMMAND = "bitjoule report, compare"


@dataclass(frozen=True)
class StoredTable:
    """A table as it is stored.

    Parameters
    ----------
    columns
        Names.
    rows
        Cells as the CSV file has them; empty cells are missing values.
    total
        Number of rows in the file, of which `rows` may be the first.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    total: int


@dataclass(frozen=True)
class ResultFolder:
    """An output directory.

    Parameters
    ----------
    path
        The directory.
    experiment
        Contents of experiment.yaml.
    experiment_text, summary_text
        experiment.yaml and summary.md as text.
    manifest
        Contents of manifest.json.
    """

    path: Path
    experiment: dict[str, Any]
    experiment_text: str
    summary_text: str
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        """The experiment's name."""
        return str(self.experiment.get("name", self.path.name))

    @property
    def description(self) -> str:
        """The experiment's description, in one line."""
        return " ".join(str(self.experiment.get("description", "")).split())

    @cached_property
    def files(self) -> dict[str, Path]:
        """File of each table, by name: CSV, a folder of Parquet parts, or the workbook that holds all."""
        paths = sorted(path for path in self.path.iterdir() if path.suffix in (CSV, SUFFIX) and path.name[0] != ".")
        files = {path.stem: path for path in paths}
        workbook = self.path / WORKBOOK
        if workbook.is_file():
            needs("xlsx", COMMAND)
            with pd.ExcelFile(workbook) as book:
                files |= {str(name): workbook for name in book.sheet_names if str(name) not in files}
        return files

    @property
    def pictures(self) -> list[Path]:
        """The SVG files for a light page."""
        return sorted(
            (path for path in self.path.glob("*.svg") if not path.stem.endswith(DARK)), key=lambda path: _order(path)
        )

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return a table.

        Parameters
        ----------
        name
            Of the table.
        columns
            Those that are read; by default all.

        Raises
        ------
        InputError
            There is no such table, or it cannot be read.
        """
        path = self._file(name)
        listed = None if columns is None else list(columns)
        try:
            if path.suffix == SUFFIX:
                needs("parquet", COMMAND)
                return pd.read_parquet(path, columns=listed)
            if path.name == WORKBOOK:
                return pd.read_excel(path, sheet_name=name, usecols=listed, keep_default_na=False, na_values=[""])
            return pd.read_csv(path, usecols=listed, keep_default_na=False, na_values=[""])
        except (OSError, ValueError, KeyError) as error:
            message = " ".join(str(error).split())
            raise whole_file(
                str(path), f"cannot be read as a table ({message})", "a table as a run writes it"
            ) from None

    def columns(self, name: str) -> list[str]:
        """Return the names of a table's columns; none if there is no such table.

        Parameters
        ----------
        name
            Of the table.
        """
        if name not in self.files:
            return []
        path = self.files[name]
        if path.suffix == CSV:
            with path.open(newline="", encoding="utf-8") as handle:
                reader = csv.reader(handle)
                with csv_errors(str(path), reader):
                    return next(reader, [])
        return list(self._head(name, 0)[0].columns)

    def stored(self, name: str, most_rows: int) -> StoredTable:
        """Return the cells of a table as text, as its CSV file has them.

        Parameters
        ----------
        name
            Of the table.
        most_rows
            Rows that are returned at most.
        """
        path = self._file(name)
        if path.suffix == CSV:
            with path.open(newline="", encoding="utf-8") as handle:
                reader = csv.reader(handle)
                with csv_errors(str(path), reader):
                    return _first_rows(reader, most_rows)
        frame, total = self._head(name, most_rows)
        text = csv_header(frame) + (format_rows(frame) if len(frame) else "")
        table = _first_rows(csv.reader(text.splitlines()), most_rows)
        return StoredTable(table.columns, table.rows, total)

    def _head(self, name: str, most_rows: int) -> tuple[pd.DataFrame, int]:
        """Return the first rows of a table that is not CSV, and the number of all; a large one is not read whole."""
        path = self.files[name]
        if path.suffix != SUFFIX:
            frame = self.frame(name)
            return frame.iloc[:most_rows], len(frame)
        needs("parquet", COMMAND)
        from pyarrow import dataset

        table = dataset.dataset(path)
        return table.head(most_rows).to_pandas(), table.count_rows()

    def changed_outputs(self) -> list[str]:
        """Return the files that differ from those that the run wrote, or are missing."""
        outputs = self.manifest.get("outputs", {})
        return [name for name, digest in outputs.items() if not _is(self.path / name, digest)]

    def _file(self, name: str) -> Path:
        if name not in self.files:
            wrong = f"contains no table {name!r}{suggestion(name, self.files)}"
            raise whole_file(str(self.path), wrong, choices(self.files))
        return self.files[name]


class StoredResult:
    """The tables of an output directory as attributes, as results of a run have them; a missing one is empty.

    Parameters
    ----------
    folder
        The output directory.
    """

    def __init__(self, folder: ResultFolder) -> None:
        self._folder = folder

    def __getattr__(self, name: str) -> pd.DataFrame:
        return self._folder.frame(name) if name in self._folder.files else pd.DataFrame()


def open_results(paths: Iterable[Path]) -> list[ResultFolder]:
    """Return the results in directories, each once.

    Parameters
    ----------
    paths
        Output directories of runs, or directories that hold several.

    Raises
    ------
    InputError
        With a problem for each directory that is neither.
    """
    problems: list[Problem] = []
    folders: dict[Path, Path] = {}
    for path in paths:
        try:
            for folder in _folders(path):
                folders.setdefault(folder.resolve(), folder)
        except InputError as error:
            problems += error.problems
    results = []
    for folder in folders.values():
        try:
            results.append(open_result(folder))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(dict.fromkeys(problems))
    return results


@contextmanager
def naming_changed(results: Sequence[ResultFolder]) -> Iterator[None]:
    """Blame files that are no longer as a run wrote them for what fails inside.

    Parameters
    ----------
    results
        Whose files are used inside.

    Raises
    ------
    InputError
        Something failed, and files were changed; with a problem for each. What fails with unchanged files passes.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError) as error:
        expected = f"the file as the run wrote it, of which {MANIFEST} has the SHA-256"
        problems = [
            Problem(str(result.path / name), 1, "file", "cannot be used: it was changed after the run", expected)
            for result in results
            for name in result.changed_outputs()
        ]
        if not problems:
            raise
        raise InputError(problems) from error


def open_result(path: Path) -> ResultFolder:
    """Return the result in a directory.

    Parameters
    ----------
    path
        Output directory of a run.

    Raises
    ------
    InputError
        It is not one.
    """
    if not path.is_dir():
        raise whole_file(str(path), "is not a directory" if path.exists() else "does not exist", EXPECTED)
    if not (path / MANIFEST).is_file():
        raise whole_file(str(path), f"contains no {MANIFEST}", EXPECTED)
    manifest_file, experiment_file = path / MANIFEST, path / EXPERIMENT
    try:
        manifest = json.loads(read_text(manifest_file, str(manifest_file)))
    except (json.JSONDecodeError, RecursionError) as error:
        raise whole_file(str(manifest_file), f"is not valid JSON ({error})", "the manifest that a run wrote") from None
    sections = ("versions", "outputs")
    optional = {"command": list, "seeds": dict, "warnings": list}
    if (
        not isinstance(manifest, dict)
        or not all(isinstance(manifest.get(key), dict) for key in sections)
        or not all(isinstance(manifest.get(key, kind()), kind) for key, kind in optional.items())
    ):
        raise whole_file(str(manifest_file), "is not a manifest of bitjoule", "the manifest that a run wrote")
    experiment = read_document(experiment_file, str(experiment_file)).data
    if not isinstance(experiment, dict):
        raise whole_file(str(experiment_file), "is not a mapping", "the experiment that a run wrote")
    summary_file = path / SUMMARY
    return ResultFolder(
        path, experiment, read_text(experiment_file, str(experiment_file)),
        read_text(summary_file, str(summary_file), 10_000_000), manifest,
    )  # fmt: skip


def _folders(path: Path) -> list[Path]:
    """Return a result, or the results in a directory of several."""
    if not path.is_dir() or (path / MANIFEST).exists():
        return [path]
    manifests = path.glob(f"[!.]*/{MANIFEST}")  # comparisons have one, too, and no experiment
    inner = sorted(file.parent for file in manifests if (file.parent / EXPERIMENT).is_file())
    return inner or [path]


def _first_rows(rows: Iterable[list[str]], most: int) -> StoredTable:
    lines = iter(rows)
    columns = next(lines, [])
    first, total = [], 0
    for row in lines:
        total += 1
        if total <= most:
            first.append(row)
    return StoredTable(columns, first, total)


def _order(path: Path) -> tuple[str, int]:
    """Return the place of a picture: those of one kind by their numbers."""
    stem, _, number = path.stem.rpartition("_")
    return (stem, int(number)) if number.isdecimal() else (path.stem, 1)


def _is(path: Path, digest: object) -> bool:
    return path.is_file() and fingerprint(path) == digest
