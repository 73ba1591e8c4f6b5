"""Values of a model's JSON files, each checked, with the file and the key in the error."""

from collections.abc import Mapping
from typing import Any

from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.errors import InputError, brief

BEYOND = 1e30  # models compute with these numbers in float32, which ends at 3.4e38
POSITIVE = f"a positive number below {BEYOND:g}"


def mapping(document: Document, config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return an object inside a config; an empty one where it is left out or null.

    Parameters
    ----------
    document
        Where it is written.
    config, key
        The object that holds it, and its key.

    Raises
    ------
    InputError
        It is something else.
    """
    value = config.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise config_error(document, key, brief(value), "an object")
    return value


def positive(
    document: Document, config: Mapping[str, Any], key: str, default: float | None, at: str | None = None
) -> float:
    """Return a positive number.

    Parameters
    ----------
    document
        Where it is written.
    config, key
        The object that holds it, and its key.
    default
        Where it is left out or null; None if it has to be there.
    at
        Key of the object in the document; default: it is the document itself.

    Raises
    ------
    InputError
        It is something else, or missing without a default.
    """
    value = config.get(key, default)
    value = default if value is None else value
    name = f"{key} " if at else ""
    if value is None:
        raise config_error(document, at or key, f"{name}is missing", POSITIVE)
    if type(value) not in (int, float) or not 0 < value < BEYOND:
        raise config_error(document, at or key, f"{name}is {brief(value)}", POSITIVE)
    return float(value)


def config_error(document: Document, key: str, wrong: str, expected: str) -> InputError:
    """Return the error for a key of a config.

    Parameters
    ----------
    document
        Where it is written.
    key
        The key.
    wrong, expected
        As for `bitjoule.energy_models.inputs.errors.Problem`.
    """
    return InputError([document.problem((key,), wrong, expected)])
