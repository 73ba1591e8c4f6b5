"""What is wrong in a configuration, and how it is said."""

from collections.abc import Sequence
from typing import NamedTuple

from bitjoule.as_yaml import as_yaml


class Fault(NamedTuple):
    """One thing wrong in a configuration.

    Parameters
    ----------
    key
        The configuration's key.
    wrong, expected
        What was found and what is allowed.
    """

    key: str
    wrong: str
    expected: str


def is_integer(value: object) -> bool:
    """Return whether a value is a whole number, not a truth value.

    Parameters
    ----------
    value
        The value.
    """
    return isinstance(value, int) and not isinstance(value, bool)


def brief(value: object) -> str:
    """Return a value as a message shows it, as YAML writes it, cut after 40 characters.

    Parameters
    ----------
    value
        The value.
    """
    text = as_yaml(value)
    return text if len(text) <= 40 else text[:37] + "..."


def one_of(names: Sequence[object]) -> str:
    """Return what is allowed: a name alone, or ``one of`` several.

    Parameters
    ----------
    names
        The allowed names or numbers.
    """
    return ("one of " if len(names) > 1 else "") + ", ".join(map(str, names))


def outside(key: str, value: object, allowed: range) -> list[Fault]:
    """Return a fault, if a value is no whole number of a range.

    Parameters
    ----------
    key
        The configuration's key.
    value
        Its value.
    allowed
        The range.
    """
    if is_integer(value) and value in allowed:
        return []
    span = f"a whole number from {allowed[0]} to {allowed[-1]}" if len(allowed) > 1 else f"{allowed[0]}"
    return [Fault(key, f"got {brief(value)}", span)]


def unknown(key: str, value: object, allowed: tuple[str, ...]) -> list[Fault]:
    """Return a fault, if a value is none of some names.

    Parameters
    ----------
    key
        The configuration's key.
    value
        Its value.
    allowed
        The names.
    """
    if isinstance(value, str) and value in allowed:
        return []
    return [Fault(key, f"got {brief(value)}", one_of(allowed))]
