"""The tables of a run, written in one format as its parts end.

Parquet parts are files of their own. They are written under another name, flushed and renamed, and the numbers of the
part after them: a part whose numbers are there is complete. A run that ends early leaves its parts beside the output
directory, and the same run goes on from there (`bitjoule.experiments.output.checkpoints`).
"""

import io
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pandas as pd

from bitjoule.energy_models.inputs.errors import whole_file
from bitjoule.experiments.output import parquet
from bitjoule.experiments.output.formats import Format
from bitjoule.experiments.output.packed import Packed
from bitjoule.experiments.output.parts import Span, Values, Work
from bitjoule.experiments.output.spreadsheet import FILE, check_rows, write_workbook
from bitjoule.experiments.output.tables import csv_header, format_rows, row_blocks, write_csv
from bitjoule.experiments.output.workers import Opening

VALUES = ".npz"
HERE = Opening(None, 1, 1)  # parts run in this process, one after the other


class Rendered(NamedTuple):
    """A part, ready to be written.

    Parameters
    ----------
    values
        Its numbers.
    tables
        Its tables: header and lines of CSV, the bytes of a Parquet file as an array, or pieces of a table for a
        workbook.
    """

    values: Values
    tables: Mapping[str, Any]


def render(work: Work, span: Span, result_format: Format) -> Rendered:
    """Run a part and format its tables as they come.

    Parameters
    ----------
    work, span
        As for `bitjoule.experiments.output.parts.Parts.run`.
    result_format
        Of the tables.
    """
    tables: dict[str, Any] = {}

    def emit(name: str, piece: pd.DataFrame) -> None:
        if result_format == "parquet":
            tables.setdefault(name, parquet.PartWriter()).write(piece)
        elif result_format == "xlsx":
            tables.setdefault(name, []).append(piece)
        else:
            tables.setdefault(name, [csv_header(piece)]).extend(map(format_rows, row_blocks([piece])))

    values = work(span, emit)
    if result_format == "parquet":
        # An array goes to another process beside the pickle, which would copy bytes twice.
        tables = {name: np.frombuffer(writer.finish(), dtype=np.uint8) for name, writer in tables.items()}
    return Rendered(values, tables)


class Store:
    """Writes the tables of one run.

    Parameters
    ----------
    folder
        Into which they are written.
    target
        The output directory that the folder becomes, for messages.
    result_format
        Of the tables.
    opening
        Where parts run, and how many of them run or wait to be written, which bounds the memory; default: here.
    progress
        Receives the number of parts that are written, and of all.
    parts_folder
        Where Parquet parts are kept until the run ends; default: in `folder`.
    """

    stored = True

    def __init__(
        self, folder: Path, target: Path, result_format: Format, opening: Opening = HERE,
        progress: Callable[[int, int], object] | None = None, parts_folder: Path | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.target, self.result_format = folder, target, result_format
        self.opening, self.progress = opening, progress
        self.parts_folder = parts_folder or folder / ".parts"
        self.done = self.total = 0
        self._sheets: dict[str, list[pd.DataFrame]] = {}
        self._files: dict[str, IO[str]] = {}

    def run(self, work: Work, spans: Sequence[Span]) -> Iterator[Values]:
        """Run parts, write their tables and yield their numbers, in the order of the spans.

        Parameters
        ----------
        work, spans
            As for `bitjoule.experiments.output.parts.Parts.run`.
        """
        self.done, self.total = 0, len(spans)
        for number, rendered in enumerate(self._results(work, spans)):
            with self._reported():
                values = self._kept(number) if rendered is None else self._keep(number, rendered)
            self.done += 1
            if self.progress is not None:
                self.progress(self.done, self.total)
            yield values

    def _results(self, work: Work, spans: Sequence[Span]) -> Iterator[Rendered | None]:
        """Yield each part, or none for those that an earlier run finished."""
        numbered = [None if self._is_kept(number) else span for number, span in enumerate(spans)]
        remaining = sum(span is not None for span in numbered)
        workers, in_flight, least = self.opening
        if workers is None or remaining < least:
            yield from (span and self._here(work, span) for span in numbered)
            return
        packed = Packed.of(work)
        pending: deque[Future[Rendered] | None] = deque()
        with workers(remaining) as executor:
            for span in numbered:
                pending.append(span and executor.submit(_render_packed, packed, span, self.result_format))
                while len(pending) > getattr(executor, "in_flight", in_flight):
                    yield _result(pending.popleft())
            while pending:
                yield _result(pending.popleft())

    def _is_kept(self, number: int) -> bool:
        return self.result_format == "parquet" and self._values_file(number).is_file()

    def _values_file(self, number: int) -> Path:
        return self.parts_folder / f"{number:05d}{VALUES}"

    def _kept(self, number: int) -> Values:
        with np.load(self._values_file(number), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}

    def _keep(self, number: int, rendered: Rendered) -> Values:
        for name, content in rendered.tables.items():
            if self.result_format == "parquet":
                folder = self.parts_folder / f"{name}{parquet.SUFFIX}"
                folder.mkdir(parents=True, exist_ok=True)
                write_whole(folder / parquet.part_name(number), memoryview(content))
            elif self.result_format == "xlsx":
                self._add_sheet(name, content)
            else:
                self._append(name, *content)
        if self.result_format == "parquet":
            buffer = io.BytesIO()
            np.savez(buffer, **rendered.values)  # type: ignore[arg-type]  # names are those of arrays
            self.parts_folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._values_file(number), buffer.getvalue())
        return rendered.values

    def _add_sheet(self, name: str, pieces: Iterable[pd.DataFrame]) -> None:
        sheet = self._sheets.setdefault(name, [])
        sheet += pieces
        check_rows(name, sum(map(len, sheet)))

    def _append(self, name: str, header: str, *lines: str) -> None:
        if name not in self._files:
            self._files[name] = (self.folder / f"{name}.csv").open("w", newline="", encoding="utf-8")
            self._files[name].write(header)
        self._files[name].writelines(lines)

    def _here(self, work: Work, span: Span) -> Rendered:
        """Run a part in this process; lines of CSV are written as they come."""
        if self.result_format != "csv":
            return render(work, span, self.result_format)

        def emit(name: str, piece: pd.DataFrame) -> None:
            with self._reported():
                self._append(name, csv_header(piece), *map(format_rows, row_blocks([piece])))

        return Rendered(work(span, emit), {})

    def add(self, name: str, pieces: Iterable[pd.DataFrame]) -> None:
        """Write a table that does not come in parts.

        Parameters
        ----------
        name, pieces
            Its name, and its pieces.
        """
        with self._reported():
            if self.result_format == "parquet":
                folder = self.folder / f"{name}{parquet.SUFFIX}"
                folder.mkdir()
                write_whole(folder / parquet.part_name(0), parquet.part_bytes(pieces))
            elif self.result_format == "xlsx":
                self._add_sheet(name, pieces)
            else:
                write_csv(pieces, self.folder / f"{name}.csv")

    def finish(self) -> None:
        """Close what is written: the parts move to their tables, sheets become a workbook."""
        with self._reported():
            for file in self._files.values():
                file.close()
            if self._sheets:
                tables = {name: pd.concat(pieces, ignore_index=True) for name, pieces in self._sheets.items()}
                write_workbook(tables, self.folder / FILE)
            if self.parts_folder.is_dir():
                for table in sorted(self.parts_folder.glob(f"*{parquet.SUFFIX}")):
                    table.rename(self.folder / table.name)
                shutil.rmtree(self.parts_folder)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Turn a failure to write into a message: what cannot be written, and what is kept.

        Raises
        ------
        InputError
            The disk is full, or a file cannot be written.
        """
        try:
            yield
        except OSError as error:
            wrong, expected = f"cannot be written: {error.strerror}", "a folder that can be written"
            if self.result_format == "parquet" and self.total > 1:
                wrong += f"; {self.done} of {self.total} parts are kept"
                expected = "room for the rest; the same command then goes on from there"
            raise whole_file(str(self.target), wrong, expected) from None


def _result(future: "Future[Rendered] | None") -> Rendered | None:
    return None if future is None else future.result()


def _render_packed(packed: Packed[Work], span: Span, result_format: Format) -> Rendered:
    return render(packed.value, span, result_format)


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file whole: it appears under its name once its bytes are on the disk.

    Parameters
    ----------
    path, content
        The file.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
