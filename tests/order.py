"""In which order tests run that several processes share."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TypeVar

Item = TypeVar("Item")


def long_first(
    items: Sequence[Item], file_of: Callable[[Item], str], is_long: Callable[[Item], bool], processes: int
) -> list[Item]:
    """Return items as equal shares, each with its part of the long files before short ones.

    A process of pytest-xdist begins with one of as many equal parts of the list as there are processes, and takes from
    the end of another's part when its own is done. A long test that comes last would run alone, and the others wait.

    Parameters
    ----------
    items
        Tests, those of a file one after the other.
    file_of, is_long
        The file of a test, and whether it takes seconds.
    processes
        Number of processes.
    """
    files = [list(group) for _, group in groupby(items, file_of)]
    long = [file for file in files if any(map(is_long, file))]
    short = [item for file in files if not any(map(is_long, file)) for item in file]
    shares: list[list[Item]] = [[] for _ in range(processes)]
    for file in long:
        min(shares, key=len).extend(file)
    ends = [len(items) * (place + 1) // processes for place in range(processes)]
    begun, ordered = 0, list[Item]()
    for share, end in zip(shares, ends, strict=True):
        room = max(end - len(ordered) - len(share), 0)
        ordered += [*share, *short[begun : begun + room]]
        begun += room
    return ordered + short[begun:]
