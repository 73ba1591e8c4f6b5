"""How an experiment says which lengths requests have."""

import csv
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, whole_file
from bitjoule.energy_models.inputs.validation import Strict, wrong_value
from bitjoule.energy_models.serving.lengths import Lengths

MAX_TOKENS = 1 << 24
MAX_LENGTHS = 1 << 14  # that differ
WIDEST = 2.0  # of a lognormal distribution
KINDS = ("uniform", "lognormal", "file", "tokens")
COLUMNS = ("tokens", "requests")
Length = Annotated[int, Field(ge=1, le=MAX_TOKENS)]
Weight = Annotated[float, Field(ge=0, le=1e15)]


class OwnLengths(Strict):
    """A distribution of lengths: one of `KINDS`.

    Parameters
    ----------
    uniform
        Share of the workload's length by which lengths are less or more at the most.
    lognormal
        Standard deviation of the logarithm; the mean is the workload's length.
    file
        CSV with a column ``tokens``, and one ``requests`` where a row stands for several.
    tokens, requests
        The same as lists.
    name
        Of the lengths, in names of ways.
    """

    uniform: float | None = Field(default=None, ge=0, le=1)
    lognormal: float | None = Field(default=None, gt=0, le=WIDEST)
    file: str | None = None
    tokens: list[Length] | None = Field(default=None, min_length=1, max_length=MAX_LENGTHS)
    requests: list[Weight] | None = None
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.+-]*$", max_length=60)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise wrong_value(f"got {' and '.join(given) or 'no lengths'}", f"one of {', '.join(KINDS)}", *given[1:2])
        if self.requests is not None:
            count = len(self.tokens or ())
            if len(self.requests) != count:
                raise wrong_value(f"{len(self.requests)} numbers for {count} lengths", "one for each", "requests")
            if not sum(self.requests):
                raise wrong_value("no request has any length", "a positive number", "requests")
        return self

    def __str__(self) -> str:
        """Return it as in the names of ways."""
        if self.name or self.tokens:
            return self.name or f"{len(self.tokens or ())} lengths"
        if self.file:
            return Path(self.file).stem
        return f"uniform {self.uniform:g}" if self.uniform is not None else f"lognormal {self.lognormal:g}"


AnyLengths = Annotated[
    Annotated[Literal["fixed", "geometric"], Tag("named")] | Annotated[OwnLengths, Tag("own")],
    Discriminator(lambda value: "named" if isinstance(value, str) else "own"),
]


def lengths_of(choice: str | OwnLengths, tokens: int) -> Lengths:
    """Return a distribution.

    Parameters
    ----------
    choice
        As an experiment says it; files are read already.
    tokens
        Of the workload.
    """
    if choice == "fixed":
        return Lengths.fixed(tokens)
    if not isinstance(choice, OwnLengths):
        return Lengths.geometric(tokens)
    if choice.uniform is not None:
        return Lengths.uniform(tokens, choice.uniform)
    if choice.lognormal is not None:
        return Lengths.lognormal(tokens, choice.lognormal)
    values = choice.tokens or []
    return Lengths.of(values, choice.requests or [1.0] * len(values))


def read_lengths(path: Path) -> OwnLengths:
    """Read a list or a histogram of lengths.

    Parameters
    ----------
    path
        CSV with the columns ``tokens`` and, if a row stands for several requests, ``requests``.

    Raises
    ------
    InputError
        The file cannot be read, or a line is wrong.
    """
    expected = f"a CSV file with the columns {' and '.join(COLUMNS)}, or the first alone"
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            rows = csv.reader(handle)
            header = [name.strip() for name in next(rows, [])]
            lines = [(rows.line_num, cells) for cells in rows if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise whole_file(str(path), getattr(error, "strerror", None) or "is not a CSV file", expected) from error
    if "tokens" not in header or set(header) - set(COLUMNS) or len(set(header)) < len(header):
        raise InputError([Problem(str(path), 1, "header", f"got {brief(','.join(header))}", expected)])
    counts: Counter[int] = Counter()
    problems = []
    for line, cells in lines:
        row = dict(zip(header, cells, strict=False)) if len(cells) == len(header) else {}
        tokens, requests = _number(row.get("tokens", "")), _number(row.get("requests", "1"))
        if tokens is None or requests is None or not 1 <= tokens <= MAX_TOKENS:
            wanted = f"a whole number of tokens, 1 to {MAX_TOKENS}" + (", and one of requests" * (len(header) > 1))
            problems.append(Problem(str(path), line, "row", f"got {brief(','.join(cells))}", wanted))
        else:
            counts[tokens] += requests
    counts = +counts
    if not problems and not 1 <= len(counts) <= MAX_LENGTHS:
        problems.append(Problem(str(path), 1, "rows", f"{len(counts)} lengths", f"1 to {MAX_LENGTHS} that differ"))
    if problems:
        raise InputError(problems)
    lengths = sorted(counts)
    return OwnLengths(tokens=lengths, requests=[float(counts[length]) for length in lengths])


def _number(text: str) -> int | None:
    """Return a whole number, not negative; none where it is not one."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(MAX_TOKENS)) + 8 else None
