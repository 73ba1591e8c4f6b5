"""Changes of values in a checked document: by a factor, to an end of their band, or to another value."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from bitjoule.energy_models.inputs.amounts import MAX_PRICE
from bitjoule.energy_models.inputs.errors import brief, rule_of
from bitjoule.energy_models.inputs.validation import Schema, Strict, wrong_value

BAND = ("low", "nominal", "high")


class ImpossibleError(ValueError):
    """A changed document breaks a rule of its schema; the message says which."""


class Change(Strict):
    """What becomes of a value: exactly one of three.

    Parameters
    ----------
    factor
        Multiplies a number and each number of a band; whole numbers are rounded down. A value of none stays.
    end
        The end of a band that becomes the value; a number without a band stays.
    value
        What the value is replaced with, none included.
    """

    factor: float | None = Field(default=None, ge=0, le=MAX_PRICE)
    end: Literal["low", "high"] | None = None
    value: Any = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise wrong_value("requires one of factor, end and value", "exactly one of them")
        return self

    def __str__(self) -> str:
        """Return it as a cell of a table, e.g. ``x0.5``."""
        if self.factor is not None:
            return f"x{self.factor:g}"
        if self.end is not None:
            return f"{self.end} end"
        plain = self.value is None or isinstance(self.value, bool)
        return str(self.value).lower() if plain else str(self.value)

    def of(self, value: Any) -> Any:
        """Return what a value becomes.

        Parameters
        ----------
        value
            As plain data.
        """
        if "value" in self.model_fields_set:
            return self.value
        if isinstance(value, dict):
            if self.end is not None and set(value) == set(BAND):
                return value[self.end]
            return {key: self.of(part) for key, part in value.items()}
        if self.factor is not None and isinstance(value, str):
            raise ImpossibleError(f"{value} is not a number to be multiplied")
        if self.factor is None or isinstance(value, bool) or not isinstance(value, int | float):
            return value
        scaled = value * self.factor
        return int(scaled) if isinstance(value, int) else scaled


def changed(document: Schema, changes: Mapping[str, Change]) -> Schema:
    """Return a document with changed values; the same object if nothing changes.

    Parameters
    ----------
    document
        Of any schema.
    changes
        By dotted key, each part of which may have wildcards, e.g. ``nodes.*.clock_mhz``; a list's entry by its index.

    Raises
    ------
    ImpossibleError
        The schema does not allow the changed values.
    """
    if not changes:
        return document
    data = document.model_dump(mode="json")
    for pattern, change in changes.items():
        for parent, key in list(_places(data, pattern.split("."))):
            parent[key] = change.of(parent[key])
    try:
        result = type(document).model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        if "wrong" in first.get("ctx", {}):
            raise ImpossibleError(first["ctx"]["wrong"]) from None
        key = ".".join(map(str, first["loc"]))
        raise ImpossibleError(f"{key}: got {brief(first['input'])}; expected {rule_of(first['msg'])}") from None
    return document if result == document else result


def _places(data: Any, keys: Sequence[str]) -> Iterator[tuple[Any, Any]]:
    """Yield the mapping or list and the key or index of each value that a pattern names."""
    if isinstance(data, dict):
        entries: Iterable[tuple[Any, Any]] = data.items()
    else:
        entries = enumerate(data) if isinstance(data, list) else ()
    for key, value in list(entries):
        if fnmatchcase(str(key), keys[0]):
            if len(keys) == 1:
                yield data, key
            else:
                yield from _places(value, keys[1:])


def named_places(document: Schema, pattern: str) -> int:
    """Return how many values a dotted key names in a document.

    Parameters
    ----------
    document
        Of any schema.
    pattern
        As for `changed`.
    """
    return sum(1 for _ in _places(document.model_dump(mode="json"), pattern.split(".")))


def selected(document: Strict, conditions: Mapping[str, Sequence[Any]]) -> bool:
    """Return whether a document has one of some values at each of some keys.

    Parameters
    ----------
    document
        Of any schema.
    conditions
        The values by dotted key, as for `changed`.
    """
    data = document.model_dump(mode="json") if conditions else {}
    places = {pattern: list(_places(data, pattern.split("."))) for pattern in conditions}
    return all(
        places[pattern] and all(parent[key] in values for parent, key in places[pattern])
        for pattern, values in conditions.items()
    )
