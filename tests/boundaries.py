"""What a message expects at the least or the most, put in place of what it refuses: it must be accepted."""

import re
from collections.abc import Callable, Iterator

from bitjoule.energy_models.inputs.errors import InputError, Problem

NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
SAID = re.compile(
    rf"(?:at (?:most|least)|(?:less|greater) than or equal to|[<>]=) ({NUMBER})"
    rf"|(?:between|from) ({NUMBER}) (?:and|to) ({NUMBER})"
)


def bounds(expected: str) -> list[str]:
    """Return the numbers that a message names as the least or the most."""
    return [number for found in SAID.findall(expected) for number in found if number]


def refused(read: Callable[[str], object], text: str) -> list[Problem]:
    """Return what is wrong with a text."""
    try:
        read(text)
    except InputError as error:
        return list(error.problems)
    return []


def refused_at_a_bound(read: Callable[[str], object], good: str, old: str, new: str) -> Iterator[str]:
    """Yield each bound that the first message on a changed text names, and that is refused with the same message.

    One of the numbers of the change is what was refused; which, the message need not say.
    """
    (problem, *_) = refused(read, good.replace(old, new, 1))
    numbers = list(dict.fromkeys(re.findall(rf"(?<![\w.]){NUMBER}(?![\w.])", new)))
    for bound in bounds(problem.expected):
        changes = [re.sub(rf"(?<![\w.]){re.escape(number)}(?![\w.])", bound, new) for number in numbers]
        if bound in numbers or not changes:  # it is about another key
            continue
        found = [refused(read, good.replace(old, change, 1)) for change in changes]
        said = (problem.key, problem.expected)
        if all(said in [(each.key, each.expected) for each in one] for one in found):
            yield f"{new}: {bound} is refused as well, though {problem.expected}"
