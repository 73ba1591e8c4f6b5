"""Validation of a document against a pydantic model: errors have lines, and suggestions for misspelt names."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from bitjoule.energy_models.inputs.documents import Document, KeyPath, is_path
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, choices, rule_of, suggestion, whole_file


class Strict(BaseModel):
    """Base of every schema: frozen, no coercion between types, an unknown key is an error."""

    instead: ClassVar[str] = ""  # alternatives to a mapping, for messages

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        """Reject unknown keys first: the missing keys that they cause would only be noise."""
        if not isinstance(data, dict):
            keys = ", ".join(key for key, field in cls.model_fields.items() if field.is_required())
            keys = f"the keys {keys}" if keys else f"keys of {', '.join(cls.model_fields)}"
            raise wrong_value(f"got {brief(data)}", f"{cls.instead}a mapping with {keys}")
        unknown = [key for key in data if key not in cls.model_fields]
        if unknown:
            raise PydanticCustomError("unknown_keys", "", {"unknown": unknown, "known": list(cls.model_fields)})
        return data

    def with_defaults(self) -> dict[str, Any]:
        """Return the data with every default filled in, as plain types."""
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class OneOf:
    """Annotates a text that must be one of some names; its JSON Schema lists them.

    Parameters
    ----------
    names
        Returns them; called when a value is checked, so that a definition reads no table.
    """

    names: Callable[[], Sequence[str]]

    def _check(self, value: Any) -> str:
        names = self.names()
        if not isinstance(value, str) or value not in names:
            raise wrong_value(f"{brief(value)} is unknown{suggestion(value, names)}", choices(names))
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check the name."""
        return core_schema.no_info_plain_validator_function(self._check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """List the names, for editors."""
        return {"enum": list(self.names()), "type": "string"}


Schema = TypeVar("Schema", bound=Strict)


def wrong_value(wrong: str, expected: str, *at: str | int) -> PydanticCustomError:
    """Return an error for a validator to raise.

    Parameters
    ----------
    wrong, expected
        As for `Problem`.
    at
        Keys that lead from the validated value to the one that is wrong.
    """
    context = {"wrong": wrong, "expected": expected, "at": at}
    return PydanticCustomError("wrong_value", "{wrong}; expected {expected}", context)


def unknown_name(kind: str, name: object, known: Iterable[str], same_numbers: bool = False) -> tuple[str, str]:
    """Return what is wrong and what was expected for an unknown name.

    Parameters
    ----------
    kind
        What the name should refer to, e.g. ``model``.
    name
        What the user wrote.
    known
        The names that exist.
    same_numbers
        As for `bitjoule.energy_models.inputs.errors.suggestion`.
    """
    names = list(known)
    return f"unknown {kind} {brief(name)}{suggestion(name, names, same_numbers)}", choices(names)


def named_file(kind: str, argument: str, shipped: Mapping[str, Path]) -> Path:
    """Return the file that a command-line argument refers to.

    Parameters
    ----------
    kind
        What the name should refer to, e.g. ``experiment``.
    argument
        A file, or the name of one that ships.
    shipped
        Files by name.

    Raises
    ------
    InputError
        It is neither.
    """
    if is_path(argument) or os.path.isfile(argument):  # noqa: PTH113 (never raises)
        return Path(argument)
    if argument not in shipped:
        wrong, expected = unknown_name(kind, argument, shipped)
        raise whole_file(argument or "''", wrong, f"a YAML file or {expected}")
    return shipped[argument]


def validate(schema: type[Schema], document: Document, data: Any = None, at: KeyPath = ()) -> Schema:
    """Return `data` as an instance of `schema`.

    Parameters
    ----------
    schema
        The pydantic model.
    document
        Where the data was read: names file and lines.
    data
        A part of the document; default: all of it.
    at
        That part's path in the document.

    Raises
    ------
    InputError
        With one problem for each thing wrong.
    """
    data = document.data if data is None else data
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        problems = [p for item in error.errors() for p in _problems(item, document, data, at)]
        raise InputError(dict.fromkeys(problems)) from None


def _problems(item: Any, document: Document, data: Any, at: KeyPath) -> list[Problem]:
    path = (*at, *_document_path(item["loc"], data, absent=item["type"] == "missing"))
    context = item.get("ctx", {})
    match item["type"]:
        case "unknown_keys":
            known = context["known"]
            return [
                document.problem((*path, key), f"unknown key{suggestion(key, known)}", choices(known, limit=20))
                for key in context["unknown"]
            ]
        case "wrong_value":
            return [document.problem((*path, *context["at"]), context["wrong"], context["expected"])]
        case "missing":
            return [document.problem(path, "is missing", "a value")]
        case "too_short":
            return [document.problem(path, "is empty", f"at least {context['min_length']} item")]
        case "dict_type" | "model_type" | "model_attributes_type":
            return [document.problem(path, f"got {brief(item['input'])}", "a mapping")]
        case "literal_error" | "enum":
            known = [name.strip(" '") for name in context["expected"].replace(" or ", ", ").split(",")]
            wrong = f"{brief(item['input'])} is unknown{suggestion(item['input'], known)}"
            return [document.problem(path, wrong, choices(known))]
        case "union_tag_invalid" | "union_tag_not_found":
            known = [name.strip(" '") for name in context.get("expected_tags", "").split(",") if name]
            key = context["discriminator"].strip("'")
            tag = item["input"].get(key) if isinstance(item["input"], dict) else item["input"]
            wrong = f"{brief(tag)} is unknown{suggestion(tag, known)}" if known else f"key {key!r} is missing"
            at = (*path, key) if known else path
            return [document.problem(at, wrong, choices(known) if known else f"a mapping with {key!r}")]
        case _:
            return [document.problem(path, f"got {brief(item['input'])}", rule_of(item["msg"]))]


def _document_path(location: tuple[str | int, ...], data: Any, absent: bool) -> KeyPath:
    """Return pydantic's location without the names of union members, which are not keys of the document.

    The last key of a location is not in the document either if it is `absent`.
    """
    path: list[str | int] = []
    for i, key in enumerate(location):
        if isinstance(data, dict) and (key in data or (absent and i == len(location) - 1)):
            path.append(key)
            data = data.get(key)
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            path.append(key)
            data = data[key]
    return tuple(path)
