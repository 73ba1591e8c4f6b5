"""The shape of a model from its Hugging Face ``config.json``.

A config file omits what equals the default of its model type: data/huggingface.yaml holds each type's defaults, and
says what each key means. A key that could change the shape, and that the type is not known to apply, is refused.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from bitjoule.energy_models.architecture.layers import LayerShape
from bitjoule.energy_models.architecture.readers.block_configs import widest_network
from bitjoule.energy_models.architecture.readers.config_values import put
from bitjoule.energy_models.architecture.readers.layer_patterns import (
    layer_groups,
    listed_layers,
    rounded_width,
)
from bitjoule.energy_models.architecture.readers.model_types import ModelType, Switch, model_types
from bitjoule.energy_models.architecture.readers.pattern_errors import PatternError
from bitjoule.energy_models.architecture.shape import ModelShape, shape_from
from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.errors import InputError, brief, choices, spelling
from bitjoule.energy_models.inputs.json_documents import read_json

ACTIVATIONS = {
    "relu": "relu", "relu2": "relu2", "silu": "silu", "swish": "silu",
    "gelu": "gelu", "gelu_new": "gelu", "gelu_fast": "gelu", "gelu_pytorch_tanh": "gelu",
}  # fmt: skip
DERIVED = ("kv_heads", "head_dim")  # null means that they follow from others, as it does nowhere else
MOST_LAYERS = 10**5  # whose differences are looked at one by one
# What a class of Hugging Face adds to a model, by the end of its name: an LM head, or none.
HEADS = {
    "ForCausalLM": True, "LMHeadModel": True, "ForConditionalGeneration": True, "Model": False,
    "ForSequenceClassification": False, "ForTokenClassification": False, "ForQuestionAnswering": False,
}  # fmt: skip
OWN = frozenset({"model_type", "architectures", "word_embed_proj_dim", "is_encoder_decoder"})


def supported_types() -> list[str]:
    """Return the values of ``model_type`` that can be read."""
    return sorted({*model_types().types, *model_types().wrapped})


def read_config(path: Path, file: str | None = None, others: Iterable[str] = ()) -> ModelShape:
    """Read a Hugging Face ``config.json``.

    Parameters
    ----------
    path
        The file, or the folder that holds it.
    file
        Its name in messages; default: `path`.
    others
        Types that can be read otherwise, for messages.

    Raises
    ------
    InputError
        The file cannot be read, is not a JSON object, has an unknown ``model_type``, an impossible shape, or a key that
        its type is not known to apply.
    """
    if path.is_dir():
        path, file = path / "config.json", f"{file or path}/config.json"
    document = read_json(path, file or str(path))
    config, left_out = document.data, ""
    name = config.get("model_type")
    wrapped = model_types().wrapped.get(name) if isinstance(name, str) else None
    if wrapped:
        inner = config.get(wrapped.text)
        if not isinstance(inner, dict):
            raise InputError([document.problem((wrapped.text,), f"got {brief(inner)}", "the text model's keys")])
        outer = {key: config[key] for key in ("tie_word_embeddings", "architectures") if key in config}
        config = {"model_type": wrapped.type, **outer, **inner}
        left_out = f"; {wrapped.leaves_out} is not counted" if wrapped.leaves_out in document.data else ""
        document = Document(document.file, config, {(key,): document.line((wrapped.text,)) for key in config})
        name = config["model_type"]
    if not isinstance(name, str) or name not in model_types().types:
        raise InputError([document.problem(("model_type",), *_unknown_type(name, others))])
    model_type = model_types().types[name]
    unknown = _check_keys(document, config, name)
    shape, lines = _shape(document, config, model_type)
    shape["note"] = f"read from a Hugging Face config.json of type {name}{left_out}"
    if unknown:
        shape["note"] += f"; not known to change the shape: {', '.join(unknown)}"
    try:
        return shape_from(Document(document.file, shape, lines), shape, ())
    except InputError as error:
        raise InputError(
            replace(problem, key=_written_as(model_type, problem.key)) for problem in error.problems
        ) from None


def _unknown_type(name: object, others: Iterable[str]) -> tuple[str, str]:
    """Return what is wrong and what was expected, without a hint at another type."""
    types = sorted({*supported_types(), *others})
    missing = model_types().not_read.get(name) if isinstance(name, str) else None
    if missing:
        return f"{brief(name)} is not read: {missing}", choices(types, limit=len(types))
    return f"unknown model_type {brief(name)}{spelling(name, types)}", choices(types, limit=len(types))


def _written_as(model_type: ModelType, key: str) -> str:
    return next(iter(model_type.names(key)), key)


@cache
def _words() -> frozenset[str]:
    """Return every key that decides the shape of some type."""
    return frozenset(key for model_type in model_types().types.values() for key in model_type.applied)


@cache
def _without_effect() -> frozenset[str]:
    return frozenset(key for keys in model_types().without_effect.values() for key in keys)


def _check_keys(document: Document, config: Mapping[str, Any], name: str) -> list[str]:
    """Refuse keys that decide the shape of other types; return those that no type knows."""
    model_type = model_types().types[name]
    known = model_type.applied | {*model_type.without_effect} | _without_effect() | OWN
    known |= {switch.key.partition(".")[0] for switch in model_types().switches}
    problems, unknown = [], []
    for key, allowed in {"is_encoder_decoder": [False], **model_type.only}.items():
        if key in config and not any(type(config[key]) is type(value) and config[key] == value for value in allowed):
            problems.append(
                document.problem(
                    (key,),
                    f"{brief(config[key])} is not supported",
                    choices(each if isinstance(each, str) else brief(each) for each in allowed),
                )
            )
    for key, value in config.items():
        if key in known:
            continue
        if key in _words() and value not in (None, False, 0, [], {}):
            wrong = f"is not known to be a key of model_type {name!r}"
            problems.append(document.problem((key,), wrong, f"keys of {name}: a model with this one is another type"))
        elif key not in _words():
            unknown.append(key)
    if problems:
        raise InputError(problems)
    return unknown


class _Config(NamedTuple):
    """A config with its type's defaults."""

    written: Mapping[str, Any]
    model_type: ModelType

    def get(self, key: str, derived: bool = False) -> Any:
        """Return the value of a key; ``a.b`` is b inside a."""
        value: Any = self.written
        for name in key.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is None and key in self.written:
            if key in self.model_type.nulls:
                return self.model_type.nulls[key]
            if derived:
                return None
        return self.model_type.defaults.get(key) if value is None else value

    def first(self, names: tuple[str, ...], derived: bool) -> tuple[str, Any]:
        """Return the first of some keys that is written, else the default of one."""
        written = [name for name in names if name.partition(".")[0] in self.written]
        found = [(name, self.get(name, derived)) for name in (*written, *names)]
        return next((pair for pair in found if pair[1] is not None), (names[0], None))


def _shape(document: Document, config: Mapping[str, Any], model_type: ModelType) -> tuple[dict[str, Any], Any]:
    """Return the keys of `ModelShape`, and the line of each."""
    values = _Config(config, model_type)
    shape: dict[str, Any] = {}
    for field, value in model_type.shape.items():
        put(shape, field, value)
    lines = dict(document.lines)
    for field in model_type.keys:
        names = model_type.names(field)
        key, value = values.first(names, field in DERIVED)
        written = next((name for name in names if name in config), key)
        lines[tuple(field.split("."))] = document.line((written,))
        if value is not None and value != "auto":
            put(shape, field, value)
    for switch in (*model_types().switches, *model_type.switches):
        if _holds(values, switch):
            for field, value in switch.then.items():
                shape[field] = values.get(value) if isinstance(value, str) and value in model_type.applied else value
    for field, factors in model_type.products.items():
        if not _has(shape, field) and (product := _product(values, shape, factors or [])) is not None:
            put(shape, field, product)
    shape = {field: value for field, value in shape.items() if value is not None}
    if "activation" not in model_type.shape:
        shape["activation"] = _activation(document, shape.get("activation"), model_type)
    if type(shape.get("learned_positions")) is int:
        shape["learned_positions"] += model_type.extra_positions
    _add_head(document, config, shape, model_type)
    narrow = config.get("word_embed_proj_dim")
    if narrow is not None and narrow != shape.get("hidden"):
        wrong = f"{brief(narrow)} differs from hidden_size"
        raise InputError([document.problem(("word_embed_proj_dim",), wrong, "an embedding as wide as the model")])
    listed = listed_layers(model_type.kinds, {**model_type.defaults, **config})
    if listed is not None:
        shape["layers"] = listed
    if model_type.rounded:
        shape["ffn"] = rounded_width(model_type.rounded, {**model_type.defaults, **config})
    layers = shape.get("layers")
    if type(layers) is int and 0 < layers <= MOST_LAYERS:
        try:
            if model_type.block_configs:
                shape["ffn"] = widest_network(config, layers)
            groups = layer_groups(model_type, {**model_type.defaults, **config}, layers, shape.get("experts", 1) != 1)
        except PatternError as error:
            raise InputError([document.problem((error.key,), error.wrong, error.expected)]) from None
        for group in groups:  # a layer's mixer is the model's, but for what differs
            if "kind" not in group.get("mixer", {"kind": ""}):
                group["mixer"] = {**shape.get("mixer", {}), **group["mixer"]}
        usual = {name: shape.get(name, field.default) for name, field in LayerShape.model_fields.items()}
        groups = [{key: value for key, value in g.items() if key not in usual or value != usual[key]} for g in groups]
        if len(groups) > 1:
            shape["groups"] = groups
        else:
            shape |= {key: value for key, value in groups[0].items() if key != "repeats"}
    return shape, lines


def _holds(values: _Config, switch: Switch) -> bool:
    value = values.get(switch.key)
    return type(value) is type(switch.equals) and value == switch.equals


def _product(values: _Config, shape: Mapping[str, Any], factors: list[str | int]) -> float | int | None:
    """Return the product of factors, over those behind ``over``; none if one is not a number."""
    over = next((i for i, factor in enumerate(factors) if factor in ("over", "over_up")), len(factors))
    results = []
    for part in (factors[:over], factors[over + 1 :]):
        product = 1
        for factor in part:
            value = factor if isinstance(factor, int) else shape.get(factor, values.get(factor))
            if type(value) is not int:
                return None
            product *= value
        results.append(product)
    if over == len(factors):
        return results[0]
    return results[0] / results[1] if factors[over] == "over" else -(-results[0] // results[1])


def _has(shape: Mapping[str, Any], field: str) -> bool:
    outer, _, last = field.rpartition(".")
    return last in (shape.get(outer, {}) if outer else shape)


def _activation(document: Document, name: object, model_type: ModelType) -> str:
    if not isinstance(name, str) or name not in ACTIVATIONS:
        key = _written_as(model_type, "activation")
        raise InputError([document.problem((key,), f"unknown activation {brief(name)}", choices(ACTIVATIONS))])
    return ACTIVATIONS[name]


def _add_head(document: Document, config: Mapping[str, Any], shape: dict[str, Any], model_type: ModelType) -> None:
    """Leave the LM head out where the model's class has none; an encoder's class says what else there is."""
    names = config.get("architectures")
    if not names:
        return
    name = names[0] if isinstance(names, list) else names
    heads = model_type.heads or {end: {"lm_head": has} for end, has in HEADS.items()}
    ends = [end for end in heads if isinstance(name, str) and name.endswith(end)]
    if not ends:
        problem = document.problem(
            ("architectures",), f"unknown class {brief(name)}", f"a name that ends in {choices(heads)}"
        )
        raise InputError([problem])
    values = _Config(config, model_type)
    for field, value in heads[max(ends, key=len)].items():
        shape[field] = values.get(value[1:]) if isinstance(value, str) and value.startswith("=") else value
    if not shape["lm_head"]:
        shape.pop("head_bias", None)
