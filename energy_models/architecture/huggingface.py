"""The shape of a model from its Hugging Face ``config.json``.

A config file omits what equals the default of its model type: data/huggingface.yaml holds each type's defaults.
"""

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from bitjoule.energy_models.architecture.shape import ModelShape, shape_from
from bitjoule.energy_models.inputs.documents import Document, KeyPath, read_document, read_text
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, choices, whole_file
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, unknown_name, validate

ACTIVATIONS = {
    "relu": "relu", "relu2": "relu2", "silu": "silu", "swish": "silu",
    "gelu": "gelu", "gelu_new": "gelu", "gelu_fast": "gelu", "gelu_pytorch_tanh": "gelu",
}  # fmt: skip


class _ModelType(Strict):
    """How one ``model_type`` writes its shape."""

    keys: dict[str, str]  # ModelShape's key -> the config's
    defaults: dict[str, Any]  # of the config's keys, where the file omits them
    shape: dict[str, Any]  # ModelShape's keys, the same for every model of this type
    switches: dict[str, str] = Field(
        default_factory=dict
    )  # ModelShape's key -> the config's that must be true for it to apply
    extra_positions: int = 0  # rows of a learned position table beyond the config's positions


class _ModelTypes(Strict):
    """The file data/huggingface.yaml."""

    source: str
    where: str
    types: dict[str, _ModelType]


@cache
def _model_types() -> dict[str, _ModelType]:
    return validate(_ModelTypes, read_document(DATA / "huggingface.yaml")).types


def supported_types() -> list[str]:
    """Return the values of ``model_type`` that can be read."""
    return sorted(_model_types())


def read_config(path: Path, file: str | None = None) -> ModelShape:
    """Read a Hugging Face ``config.json``.

    Parameters
    ----------
    path
        The file, or the folder that holds it.
    file
        Its name in messages; default: `path`.

    Raises
    ------
    InputError
        The file cannot be read, is not a JSON object, has an unknown ``model_type`` or an impossible shape.
    """
    if path.is_dir():
        path, file = path / "config.json", f"{file or path}/config.json"
    document = read_json(path, file or str(path))
    config = document.data
    name = config.get("model_type")
    if not isinstance(name, str) or name not in _model_types():
        wrong, expected = unknown_name("model_type", name, supported_types())
        raise InputError([document.problem(("model_type",), wrong, expected)])
    model_type = _model_types()[name]
    # a null key takes its type's default, as a missing one does, except where null has a meaning of its own
    derived = {model_type.keys.get(field) for field in ("kv_heads", "head_dim", "window")}
    defaults = {key: value for key, value in model_type.defaults.items() if key not in derived or key not in config}
    config_values = defaults | {key: value for key, value in config.items() if value is not None}
    shape: dict[str, Any] = dict(model_type.shape)
    lines = dict(document.lines)
    for field, config_key in model_type.keys.items():
        lines[(field,)] = document.line((config_key,))
        switch = model_type.switches.get(field)
        if config_key in config_values and (switch is None or config_values.get(switch)):
            shape[field] = config_values[config_key]
    shape["activation"] = _activation(document, shape.get("activation"), model_type.keys["activation"])
    if type(shape.get("learned_positions")) is int:
        shape["learned_positions"] += model_type.extra_positions
    narrow = config_values.get("word_embed_proj_dim")
    if narrow is not None and narrow != config_values.get("hidden_size"):
        wrong = f"{brief(narrow)} differs from hidden_size"
        raise InputError([document.problem(("word_embed_proj_dim",), wrong, "an embedding as wide as the model")])
    shape["note"] = f"read from a Hugging Face config.json of type {name}"
    try:
        return shape_from(Document(document.file, shape, lines), shape, ())
    except InputError as error:
        raise InputError(
            replace(problem, key=model_type.keys.get(problem.key, problem.key)) for problem in error.problems
        ) from None


def _activation(document: Document, name: object, key: str) -> str:
    if not isinstance(name, str) or name not in ACTIVATIONS:
        problem = document.problem((key,), f"unknown activation {brief(name)}", choices(ACTIVATIONS))
        raise InputError([problem])
    return ACTIVATIONS[name]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [key for key, _ in pairs]
        raise ValueError(f"duplicate key {next(name for name in names if names.count(name) > 1)!r}")
    return data


def _no_constant(name: str) -> None:
    raise ValueError(f"contains {name}, which is not a JSON number")


def read_json(path: Path, file: str) -> Document:
    """Read a JSON object.

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
    text = read_text(path, file)
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
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
