"""The tables of trained models: those that ship, and rows of a ladder's table as numbers."""

import csv
import io
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, csv_errors, reason
from bitjoule.sim.training.ladder import Table

FOLDER = Path(__file__).parent / "data"
POST_TRAINING_COLUMNS = (
    "rung", "method", "seed", "parameters", "loss_nats_per_byte", "difference_nats_per_byte", "tokens", "weight_error",
    "source", "corpus_sha256", "config_sha256", "commit",
)  # fmt: skip
HISTORY_COLUMNS = (
    "rung", "format", "seed", "step", "tokens", "learning_rate", "loss_nats_per_byte", "zero_share", "corpus_sha256",
    "config_sha256", "commit",
)  # fmt: skip
LOSS, NUMBER = "held_out_nats_per_byte", "a number that is not negative"
LEAST_LOSS, MOST_LOSS = 1e-100, 1e100  # squares of these are floats, which fits take


class Allowed(NamedTuple):
    """Numbers that a cell may hold, ends included, and their name in messages."""

    low: float
    high: float
    name: str


FINITE = Allowed(0.0, sys.float_info.max, NUMBER)
LOSSES = Allowed(LEAST_LOSS, MOST_LOSS, f"a loss of {LEAST_LOSS:g} to {MOST_LOSS:g}")
SHARE = Allowed(0.0, 1.0, "a share of 0 to 1")


class Model(NamedTuple):
    """One model: trained, or quantised after its training.

    Parameters
    ----------
    rung, format_name, seed
        Its place in a ladder; of a quantised one the method in place of the format.
    parameters
        In all.
    loss
        Held out, in nats a byte; NaN where the training diverged.
    learning_rate, zero_share
        Peak, and share of zero trits; NaN where there is none.
    trained
        Whether it was trained in its format.
    """

    rung: str
    format_name: str
    seed: str
    parameters: float
    loss: float
    learning_rate: float
    zero_share: float
    trained: bool


def shipped_tables() -> dict[str, Path]:
    """Return the tables that ship, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.csv"))}


def trained_models(path: Path) -> list[Model]:
    """Return the models of a table that `bitjoule train LADDER` wrote.

    Parameters
    ----------
    path
        The CSV file.

    Raises
    ------
    InputError
        It has other columns, or a cell is no number.
    """
    models = []
    for line, row in Table(path).rows():
        parameters, rate = (_number(path, line, row, column) for column in ("parameters", "learning_rate"))
        zeros, loss = (_number_if_any(path, line, row, *column) for column in (("zero_share", SHARE), (LOSS, LOSSES)))
        if math.isnan(loss) and not row["diverged_at_step"]:
            raise _wrong(path, line, LOSS, row[LOSS], "a loss, or the step at which it diverged")
        models.append(Model(row["rung"], row["format"], row["seed"], parameters, loss, rate, zeros, True))
    return models


def quantised_models(path: Path) -> list[Model]:
    """Return the models of a table of ``benchmarks/ladder_post_training.py``.

    Parameters
    ----------
    path
        The CSV file.

    Raises
    ------
    InputError
        It has other columns, or a cell is no number.
    """
    models = []
    for line, row in _rows(path, POST_TRAINING_COLUMNS):
        parameters = _number(path, line, row, "parameters")
        loss = _number(path, line, row, "loss_nats_per_byte", LOSSES)
        models.append(Model(row["rung"], row["method"], row["seed"], parameters, loss, math.nan, math.nan, False))
    return models


class Step(NamedTuple):
    """A row of a training's losses.

    Parameters
    ----------
    format_name, seed
        Of the training.
    tokens
        Trained on so far.
    loss, zero_share
        Of the batches since the row before, nats a byte; share of zero trits.
    """

    format_name: str
    seed: str
    tokens: float
    loss: float
    zero_share: float


def histories(path: Path) -> list[Step]:
    """Return the rows of a table of ``benchmarks/zeros_over_training.py``.

    Parameters
    ----------
    path
        The CSV file.

    Raises
    ------
    InputError
        It has other columns, or a cell is no number.
    """
    steps = []
    for line, row in _rows(path, HISTORY_COLUMNS):
        tokens, loss = (_number(path, line, row, column) for column in ("tokens", "loss_nats_per_byte"))
        zeros = _number(path, line, row, "zero_share", SHARE)
        steps.append(Step(row["format"], row["seed"], tokens, loss, zeros))
    return steps


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Problem(str(path), 1, "file", reason(error), "a CSV file")]) from None
    reader = csv.DictReader(io.StringIO(text))
    with csv_errors(str(path), reader.reader):
        names = tuple(reader.fieldnames or ())
        lines = [(reader.line_num, row) for row in reader]
    if names != columns:
        expected = f"the columns {', '.join(columns)}"
        raise InputError([Problem(str(path), 1, "file", "has other columns", expected)])
    yield from lines


def _number(
    path: Path, line: int, row: Mapping[str, str], column: str, allowed: Allowed = FINITE, more: str = ""
) -> float:
    """Return a cell as a number; messages add what else it may hold."""
    cell = row[column]
    try:
        value = float(cell)
    except (TypeError, ValueError):  # TypeError: a row that is too short
        value = -1.0
    if not allowed.low <= value <= allowed.high:
        raise _wrong(path, line, column, cell, allowed.name + more)
    return value


def _number_if_any(path: Path, line: int, row: Mapping[str, str], column: str, allowed: Allowed) -> float:
    """Return the same, or NaN if the cell is empty."""
    return math.nan if row[column] == "" else _number(path, line, row, column, allowed, ", or nothing")


def _wrong(path: Path, line: int, column: str, cell: object, expected: str) -> InputError:
    return InputError([Problem(str(path), line, column, f"got {brief(cell)}", expected)])
