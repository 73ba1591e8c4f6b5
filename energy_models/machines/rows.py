"""Rows of measurements: what was run on which machine, its tokens a second and joules a token."""

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, csv_errors, reason, whole_file
from bitjoule.energy_models.inputs.sources import DATA

MEASURED_FILE = DATA / "measured_machines.csv"
NEEDED = (
    "device",
    "model",
    "weights",
    "activations",
    "batch",
    "tokens_per_s",
    "j_per_token",
    "what_is_metered",
    "phase",
)
PHASES = ("decode", "prefill", "request")
FIT = "fit"
MOST = {  # far beyond any machine; further out sums and searches overflow
    "batch": 1e9,
    "prompt_tokens": float(1 << 24),
    "new_tokens": float(1 << 24),
    "tokens_per_s": 1e12,
    "j_per_token": 1e12,
}
MEASURED, LEAST_MEASURED = ("tokens_per_s", "j_per_token"), 1e-12
GENERATED = re.compile(r"(?:tg|gen )(\d+)")


@dataclass(frozen=True)
class MeasuredRow:
    """A measurement.

    Parameters
    ----------
    file, line
        Where it stands.
    cells
        All cells of its line, by column.
    batch
        Mean number of sequences in flight.
    tokens_per_s, j_per_token
        What was measured; none where the row does not say.
    prompt_tokens, new_tokens
        Of each sequence; none where the row does not say.
    """

    file: str
    line: int
    cells: Mapping[str, str]
    batch: float
    tokens_per_s: float | None
    j_per_token: float | None
    prompt_tokens: float | None
    new_tokens: float | None

    @property
    def phase(self) -> str:
        """``decode``; ``prefill``, per prompt token; ``request``, per generated token with the prefill."""
        return self.cells["phase"]

    @property
    def use(self) -> str:
        """``fit`` where parameters may be fitted to it."""
        return self.cells.get("use", "")


def read_rows(path: Path = MEASURED_FILE) -> tuple[list[str], list[MeasuredRow]]:
    """Return the columns and the rows of a file of measurements.

    Parameters
    ----------
    path
        CSV with the columns of measured_machines.csv; further columns are kept.

    Raises
    ------
    InputError
        The file cannot be read, a column is missing, or a number is wrong.
    """
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            reader = csv.reader(handle)
            with csv_errors(str(path), reader):
                columns = next(reader, [])
                lines = [(reader.line_num, cells) for cells in reader if cells]
    except (OSError, UnicodeDecodeError) as error:
        raise whole_file(str(path), reason(error), "a CSV file of measurements") from error
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise InputError([Problem(str(path), 1, "header", f"no column {', '.join(missing)}", ", ".join(NEEDED))])
    problems: list[Problem] = []
    rows: list[MeasuredRow] = []
    for line, cells in lines:
        if len(cells) != len(columns):
            problems.append(Problem(str(path), line, "row", f"{len(cells)} cells", f"{len(columns)} cells"))
            continue
        found = _row(str(path), line, dict(zip(columns, cells, strict=True)))
        if isinstance(found, MeasuredRow):
            rows.append(found)
        else:
            problems += found
    if problems:
        raise InputError(problems)
    return columns, rows


def _row(file: str, line: int, cells: Mapping[str, str]) -> MeasuredRow | list[Problem]:
    problems: list[Problem] = []

    def number(column: str, least: float = 0.0) -> float | None:
        text = cells.get(column, "").strip()
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value < math.inf or (least == 0 and value == 0 and column != "prompt_tokens"):
            expected = "at least 1, or nothing" if least else "a positive number, or nothing"
            problems.append(Problem(file, line, column, f"got {brief(text)}", expected))
        elif value > MOST[column]:
            problems.append(Problem(file, line, column, f"got {brief(text)}", f"at most {MOST[column]:.15g}"))
        elif column in MEASURED and value < LEAST_MEASURED:
            problems.append(Problem(file, line, column, f"got {brief(text)}", f"at least {LEAST_MEASURED:g}"))
        return value

    batch, speed, energy = number("batch", 1.0), number("tokens_per_s"), number("j_per_token")
    prompt, new = number("prompt_tokens"), number("new_tokens", 1.0)
    if cells["phase"] not in PHASES:
        problems.append(Problem(file, line, "phase", f"got {brief(cells['phase'])}", f"one of {', '.join(PHASES)}"))
    printed = GENERATED.fullmatch(cells.get("context", ""))
    if new is None and printed:
        new = float(printed[1])
        if not 1 <= new <= MOST["new_tokens"]:
            expected = f"1 to {MOST['new_tokens']:.15g} generated tokens"
            problems.append(Problem(file, line, "context", f"got {brief(cells['context'])}", expected))
    return problems or MeasuredRow(file, line, cells, batch or 1.0, speed, energy, prompt, new)
