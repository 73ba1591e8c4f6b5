"""A problem in a user's input: what is wrong, where, and what was expected."""

import csv
import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from bitjoule.as_yaml import as_yaml


class HasLine(Protocol):
    """A reader that says on which line of its file it is."""

    @property
    def line_num(self) -> int:
        """The line, from 1 on; 0 before the first."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong in one place.

    Parameters
    ----------
    file, line, key
        Where: the file as the user named it, its line (1 where the file as a whole is meant) and the dotted key.
    wrong, expected
        What is wrong there, and what was expected.
    """

    file: str
    line: int
    key: str
    wrong: str
    expected: str

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}: {self.key}: {self.wrong}; expected {self.expected}"
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class InputError(Exception):
    """The user's input is wrong: exit status 2, one line per problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)  # pickling passes this argument to the copy

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def out_of_order(low: float, value: float, high: float) -> str:
    """Return what is wrong with a value and its band, where low, value and high do not ascend.

    Parameters
    ----------
    low, value, high
        As written.
    """
    if low > high:
        return f"low {low:.10g} is above high {high:.10g}"
    return f"{value:.10g} is outside {low:.10g} to {high:.10g}"


class PluginError(Exception):
    """A contribution of another package cannot be used: exit status 1; the message names the package."""


@contextmanager
def csv_errors(file: str, reader: HasLine) -> Iterator[None]:
    """Name the line where a CSV file cannot be taken apart, of whatever is read inside.

    Parameters
    ----------
    file, reader
        The file and its reader.

    Raises
    ------
    InputError
        A line cannot be taken apart: a cell is too long, as after a quotation mark that is not closed.
    """
    try:
        yield
    except csv.Error as error:
        raise InputError([Problem(file, max(reader.line_num, 1), "row", str(error), "lines of a CSV file")]) from error


def whole_file(file: str, wrong: str, expected: str) -> InputError:
    """Return the error for a file that is wrong as a whole.

    Parameters
    ----------
    file, wrong, expected
        As for `Problem`.
    """
    return InputError([Problem(file, 1, "file", wrong, expected)])


def reason(error: Exception) -> str:
    """Return why a file was not read, without the number and the path that the operating system adds.

    Parameters
    ----------
    error
        What reading or decoding it raised.
    """
    if isinstance(error, UnicodeDecodeError):
        return f"is not valid UTF-8 (byte {error.start})"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}"
    return f"cannot be read: {brief(str(error), 200)[1:-1]}"


def split_message(error: Exception, expected: str) -> tuple[str, str]:
    """Return what is wrong and what was expected, from an error's message that may contain both.

    Parameters
    ----------
    error
        The error.
    expected
        What was expected if its message does not say so.
    """
    wrong, _, expectation = str(error).partition("; expected ")
    return wrong, expectation or expected


def brief(value: object, limit: int = 60) -> str:
    """Return `value` as a short one-line text for a message, as YAML writes it: ``null``, ``true``, ``[1, .inf]``.

    Parameters
    ----------
    value
        Anything.
    limit
        Longest text returned, in characters.
    """
    try:
        text = as_yaml(value)
    except (ValueError, RecursionError):  # an int of over 4300 digits, a structure nested too deeply
        text = f"a very large {type(value).__name__}"
    text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return text if len(text) <= limit else text[: limit - 3] + "..."


def choices(known: Iterable[str], limit: int = 12) -> str:
    """Return the allowed names as ``one of a, b, c``, cut after `limit` names; a single one alone.

    Parameters
    ----------
    known
        The allowed names.
    limit
        How many are listed.
    """
    names = list(known)
    more = f", ... ({len(names)} in all)" if len(names) > limit else ""
    return ("one of " if len(names) > 1 else "") + ", ".join(names[:limit]) + more


def rule_of(message: str) -> str:
    """Return what pydantic expected, from its message, as it stands after ``expected``.

    Parameters
    ----------
    message
        ``msg`` of one of its errors.
    """
    rule = message.removeprefix("Input should be ").removeprefix("Input should ")
    return rule[:1].lower() + rule[1:]


NEAR = 0.75  # how alike a name with the same numbers is that comes before all others


def suggestion(word: object, known: Iterable[str], same_numbers: bool = False) -> str:
    """Return ``" (did you mean 'x'?)"`` for the nearest known name, or nothing.

    Of near names one with the same numbers in it comes first, then the shortest with the word as one of its parts.

    Parameters
    ----------
    word
        What the user wrote.
    known
        The names that exist.
    same_numbers
        Whether a name with other numbers is another thing, at which no hint may point.
    """
    if not isinstance(word, str):
        return ""
    folded, by_folded = word.lower(), {name.lower(): name for name in known}
    alike = [name for name in by_folded if _same_numbers(name, folded)]
    near = difflib.get_close_matches(folded, alike, n=1, cutoff=NEAR)
    near = near or sorted((name for name in by_folded if folded in re.split("[-_/]", name)), key=len)
    near = near or difflib.get_close_matches(folded, alike if same_numbers else (), n=1, cutoff=0.6)
    near = near or difflib.get_close_matches(folded, () if same_numbers else by_folded, n=1, cutoff=0.6)
    return f" (did you mean {by_folded[near[0]]!r}?)" if near else ""


def _same_numbers(first: str, second: str) -> bool:
    """Return whether two names have the same numbers but for dots and the order of a number's digits."""
    ours, theirs = (re.findall(r"\d+", name) for name in (first, second))
    return "".join(ours) == "".join(theirs) or list(map(sorted, ours)) == list(map(sorted, theirs))


def spelling(word: object, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for a known name of the same letters and digits, or nothing.

    For names that programs write: another name of such a list, however near, is another thing.

    Parameters
    ----------
    word
        What the file says.
    known
        The names that exist.
    """
    if not isinstance(word, str):
        return ""
    plain = {re.sub(r"[\W_]", "", name.lower()): name for name in known}
    same = plain.get(re.sub(r"[\W_]", "", word.lower()))
    return f" (did you mean {same!r}?)" if same else ""
