"""Low and high ends in the tables that are shown: every table that any test has made is checked."""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

NUMBER = r"([+-]?[\d.]+(?:e[+-]?\d+)?)(?: ?([TGMkmµnpf]?)(J|W|B|s|Hz))?"
POWERS = {prefix: 1000.0**i for i, prefix in enumerate("fpnµm", start=-5)} | {"": 1.0}
POWERS |= {prefix: 1000.0**i for i, prefix in enumerate("kMGT", start=1)}
ROUNDED = 0.01  # numbers are shown with three digits


class EndsError(AssertionError):
    """A low end above a nominal value or a high end."""


def check(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> None:
    """Check columns ``low`` and ``high`` with what stands before them, and cells of the form ``1.2 to 3.4``.

    Parameters
    ----------
    rows, headers
        Of a table, as `tabulate` takes them.

    Raises
    ------
    EndsError
        A low end is above a high end, or a nominal value is outside of both.
    """
    names = list(headers)
    places = [at for at in range(1, len(names)) if names[at : at + 2] == ["low", "high"]]
    for row in rows:
        for at in places:
            nominal, low, high = (_value(str(cell)) for cell in row[at - 1 : at + 2])
            if low is not None and high is not None:
                _in_order([low, high] if nominal is None else [low, nominal, high], row)
        for cell in row:
            ends = re.fullmatch(rf"({NUMBER}) to ({NUMBER})", str(cell))
            if ends:
                _in_order([_value(ends[1]), _value(ends[5])], row)


def _value(text: str) -> float | None:
    found = re.fullmatch(NUMBER, text.strip())
    return None if found is None else float(found[1]) * POWERS[found[2] or ""]


def _in_order(values: Sequence[float], row: Sequence[object]) -> None:
    for lower, higher in pairwise(values):
        if lower > higher + ROUNDED * abs(higher):
            raise EndsError(f"{lower:g} is above {higher:g} in {list(row)}")


def checked(tabulate: Callable[..., str]) -> Callable[..., str]:
    """Return `tabulate` with the check before it.

    Parameters
    ----------
    tabulate
        The function of the package tabulate.
    """

    def with_check(rows: Any, headers: Any = (), **options: Any) -> str:
        rows = list(rows)  # of an iterator, which is read once
        check(rows, headers)
        return tabulate(rows, headers, **options)

    return with_check
