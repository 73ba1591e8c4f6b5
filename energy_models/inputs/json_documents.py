"""JSON files that others write, read with the lines of their keys."""

import json
import re
from pathlib import Path
from typing import Any

from bitjoule.energy_models.inputs.documents import Document, KeyPath, read_text
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, whole_file

MAX_FILE_BYTES = 10_000_000  # quantised checkpoints list every module that stays in floating point


def read_json(path: Path, file: str) -> Document:
    """Read a JSON object; infinities as Python writes them are numbers.

    Parameters
    ----------
    path
        The file.
    file
        Its name in messages.

    Raises
    ------
    InputError
        The file cannot be read, or is not a JSON object.
    """
    text = read_text(path, file, MAX_FILE_BYTES, "a config.json")
    try:
        data = json.loads(text, object_pairs_hook=unique, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise InputError([Problem(file, error.lineno, "file", f"JSON: {error.msg}", "valid JSON")]) from None
    except RecursionError:
        raise whole_file(file, "is nested too deeply", "a config.json") from None
    except ValueError as error:  # from the two hooks, or a number of over 4300 digits
        raise whole_file(file, brief(str(error), 200)[1:-1], "a config.json") from None
    if not isinstance(data, dict):
        raise whole_file(file, f"got {brief(data)}", "a JSON object")
    lines: dict[KeyPath, int] = {(): 1}
    for key in data:
        match = re.search(re.escape(json.dumps(key)) + r"\s*:", text)
        lines[(key,)] = text.count("\n", 0, match.start()) + 1 if match else 1
    return Document(file, data, lines)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of some pairs of key and value, as a hook of `json.loads`.

    Parameters
    ----------
    pairs
        As the text has them.

    Raises
    ------
    ValueError
        A key is there twice.
    """
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [key for key, _ in pairs]
        raise ValueError(f"duplicate key {next(name for name in names if names.count(name) > 1)!r}")
    return data


def _constant(name: str) -> float:
    if name == "NaN":
        raise ValueError(f"contains {name}, which is not a JSON number")
    return float(name)
