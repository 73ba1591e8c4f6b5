"""Values that a rule of data/huggingface.yaml takes from a config."""

import math
from collections.abc import Mapping
from typing import Any


def changed(changes: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes of a layer, nested where their keys have dots; a value behind ``=`` is the config's.

    Parameters
    ----------
    changes, config
        Our keys and their values; the model's keys.
    """
    result: dict[str, Any] = {}
    for name, value in changes.items():
        found = _value(value[1:], config) if isinstance(value, str) and value.startswith("=") else value
        if found is not None:
            put(result, name, found)
    return result


def put(shape: dict[str, Any], field: str, value: Any) -> None:
    """Set a key of a shape; ``a.b`` is b inside a.

    Parameters
    ----------
    shape
        Is changed.
    field, value
        The key and its value.
    """
    *outer, last = field.split(".")
    for name in outer:
        shape = shape.setdefault(name, {})
    shape[last] = value


def nested(key: str, config: Mapping[str, Any]) -> Any:
    """Return the value of a key, or none; ``a.b`` is b inside a.

    Parameters
    ----------
    key, config
        The key and the model's keys.
    """
    value: Any = config
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _value(text: str, config: Mapping[str, Any]) -> Any:
    """Return the value of ``a+1|b*c/d``: of a + 1, or where that is no number, of b times c over d, rounded up."""
    for choice in text.split("|"):
        choice, _, summand = choice.partition("+")
        product, _, divisor = choice.partition("/")
        values = [
            int(name) if name.isdigit() else nested(name, config) for name in (*product.split("*"), divisor or "1")
        ]
        numbers = [value for value in values if type(value) is int]
        if len(values) == 2 and not divisor:
            found = values[0]
        else:
            found = -(-math.prod(numbers[:-1]) // numbers[-1]) if len(numbers) == len(values) else None
        if summand:
            found = found + int(summand) if type(found) is int else None
        if found is not None and found != "auto":
            return found
    return None
