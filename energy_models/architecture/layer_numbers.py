"""Numbers of layers as text: ``0-4,6-10`` for the first five layers and the five after the next."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

SPANS = re.compile(r"\d{1,7}(-\d{1,7})?(,\d{1,7}(-\d{1,7})?)*")


def layer_numbers(text: str) -> list[int]:
    """Return the numbers that a text names, in its order.

    Parameters
    ----------
    text
        Numbers and spans of them, both ends included, separated by commas.
    """
    spans = [span.partition("-") for span in text.split(",")]
    return [number for first, _, last in spans for number in range(int(first), int(last or first) + 1)]


def spans(numbers: Iterable[int]) -> str:
    """Return numbers as text.

    Parameters
    ----------
    numbers
        Ascending.
    """
    ends: list[list[int]] = []
    for number in numbers:
        if ends and number == ends[-1][1] + 1:
            ends[-1][1] = number
        else:
            ends.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ends)


def numbered_groups(groups: Collection[tuple[list[int], Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return groups of layers as `bitjoule.energy_models.architecture.shape.ModelShape` takes them.

    Parameters
    ----------
    groups
        The numbers of each group's layers, from 0, and its keys. Groups that follow each other need no numbers.
    """
    numbers = [number for of, _ in groups for number in of]
    in_order = numbers == list(range(len(numbers)))
    return [{"repeats": len(of), **({} if in_order else {"layer_numbers": spans(of)}), **keys} for of, keys in groups]
