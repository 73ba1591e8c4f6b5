"""Numbers of layers as text: ``0-4,6-10`` for the first five layers and the five after the next."""

import re
from collections.abc import Iterable

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
