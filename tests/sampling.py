"""Of checks that are dear and many of a kind, a seeded sample: `make slow` runs all."""

import os
import random
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

SEED = os.environ.get("BITJOULE_SAMPLE_SEED", "0")  # continuous integration draws another sample for each commit


def drawing_seed(what: str) -> int:
    """Return a seed of its own for each thing that is drawn, the same for all of a run.

    Parameters
    ----------
    what
        Names the draw, so that two draws of one run are independent.
    """
    return zlib.crc32(f"{SEED} {what}".encode())


def drawn(values: Iterable[Any], count: int, what: str) -> set[int]:
    """Return the places of a sample.

    Parameters
    ----------
    values
        All values, always in the same order.
    count
        How many to draw.
    what
        Names the draw.
    """
    places = range(len(list(values)))
    return set(random.Random(drawing_seed(what)).sample(places, min(count, len(places))))


def seldom(values: Iterable[Any], one_in: int, what: str) -> list[Any]:
    """Return parameters of a test that are all marked ``dear`` but in one of `one_in` samples.

    Parameters
    ----------
    values
        All parameters.
    one_in
        Of how many samples one runs them.
    what
        Names the draw.
    """
    marks = () if drawing_seed(what) % one_in == 0 else pytest.mark.dear
    return [pytest.param(value, marks=marks) for value in values]


def sampled_marks(values: Iterable[Any], count: int, what: str) -> list[tuple[Any, ...]]:
    """Return for each parameter the marks of `sampled`: none of those that are drawn, otherwise ``dear``.

    Parameters
    ----------
    values, count, what
        As for `sampled`.
    """
    every = list(values)
    chosen = drawn(every, count, what)
    return [() if place in chosen else (pytest.mark.dear,) for place in range(len(every))]


def sampled(values: Iterable[Any], count: int, what: str, always: Iterable[Any] = ()) -> list[Any]:
    """Return parameters of a test of which those outside a seeded sample are marked ``dear``.

    Parameters
    ----------
    values
        All values of one parameter, or cases, each the tuple of a test's parameters.
    count
        How many to draw.
    what
        Names the draw.
    always
        Parameters that always run, besides those drawn.
    """
    every, kept = list(values), list(always)
    rest = [value for value in every if value not in kept]
    chosen = [rest[place] for place in drawn(rest, count, what)]
    return [value if value in kept or value in chosen else _dear(value) for value in every]


def one_of_each(groups: Iterable[Sequence[Any]], what: str) -> list[Any]:
    """Return parameters of a test of which one of each group runs and the others are marked ``dear``.

    Parameters
    ----------
    groups
        Values that are alike, as of `sampled`.
    what
        Names the draw.
    """
    cases: list[Any] = []
    for number, group in enumerate(groups):
        chosen = drawing_seed(f"{what} {number}") % len(group)
        cases += [value if place == chosen else _dear(value) for place, value in enumerate(group)]
    return cases


def _dear(value: Any) -> Any:
    """Return a value, or a case of several, with the mark."""
    return pytest.param(*(value if type(value) is tuple else (value,)), marks=pytest.mark.dear)
