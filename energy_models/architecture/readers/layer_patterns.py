"""Layers of a Hugging Face model that differ: windows, dense layers of mixtures, layers without positions."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from bitjoule.energy_models.architecture.layer_numbers import numbered_groups
from bitjoule.energy_models.architecture.readers.block_configs import block_changes
from bitjoule.energy_models.architecture.readers.config_values import changed, nested, put
from bitjoule.energy_models.architecture.readers.layer_rules import (
    Indexers,
    Kinds,
    Mixtures,
    Positions,
    Rounded,
    SharedCaches,
    Windows,
)
from bitjoule.energy_models.architecture.readers.model_types import ModelType
from bitjoule.energy_models.architecture.readers.pattern_errors import PatternError
from bitjoule.energy_models.inputs.errors import brief, choices

DENSE: dict[str, Any] = {
    "experts": 1, "active_experts": 1, "shared_ffn": 0, "shared_gate": False, "router_bias": False, "expert_latent": 0,
    "branch_norms": False,
}  # fmt: skip
WINDOWED = frozenset({"sliding_attention", "chunked_attention", "local"})
FULL = frozenset({"full_attention", "global"})


def layer_groups(model_type: ModelType, config: Mapping[str, Any], layers: int, mixes: bool) -> list[dict[str, Any]]:
    """Return what differs from layer to layer, as the groups of `bitjoule.energy_models.architecture.shape.ModelShape`.

    Parameters
    ----------
    model_type
        Which keys say it.
    config
        The model's keys.
    layers
        How many there are.
    mixes
        Whether the model has experts.

    Returns
    -------
    list of dict
        One group if all layers are alike.

    Raises
    ------
    PatternError
        A key describes other layers than there are.
    """
    config = _without_further(model_type, config, layers)
    changes: list[dict[str, Any]] = [{} for _ in range(layers)]
    rotated = _rotated(model_type.positions, config, layers) if model_type.positions else [True] * layers
    if model_type.windows:
        for change, own in zip(changes, _windows(model_type.windows, config, rotated), strict=True):
            change |= own
    if model_type.kinds:
        for change, own in zip(changes, _of_kinds(model_type.kinds, config, layers), strict=True):
            change |= own
    if model_type.block_configs:
        for change, own in zip(changes, block_changes(config, layers), strict=True):
            change |= own
    if model_type.mixtures and mixes:
        for change, dense in zip(changes, _dense(model_type.mixtures, config, layers), strict=True):
            change |= {**DENSE, **changed(model_type.mixtures.changes, config)} if dense else {}
    if model_type.layer_keys and config.get("per_layer_config"):
        for change, own in zip(changes, _written(model_type, config["per_layer_config"], layers), strict=True):
            change |= own
    if model_type.shared_caches:
        for change, own in zip(changes, _shared(model_type.shared_caches, config, layers), strict=True):
            change |= own
    if model_type.indexers:
        for change, here in zip(changes, _indexed(model_type.indexers, config, layers), strict=True):
            for field, value in {} if here else model_type.indexers.without.items():
                put(change, field, value)
    for change, here in zip(changes, rotated, strict=True):
        change |= {} if here else {"rotary_share": 0.0}
    if model_type.rotary_shares and (shares := config.get(model_type.rotary_shares)) is not None:
        for change, share in zip(changes, _one_each(model_type.rotary_shares, shares, layers), strict=True):
            change["rotary_share"] = share
    groups: dict[str, tuple[list[int], dict[str, Any]]] = {}
    for number, change in enumerate(changes):
        groups.setdefault(json.dumps(change, sort_keys=True), ([], change))[0].append(number)
    return numbered_groups(groups.values())


def _without_further(model_type: ModelType, config: Mapping[str, Any], layers: int) -> Mapping[str, Any]:
    """Return a config whose lists of layers end with the model's: some name those of further modules, too."""
    further = _number(config, model_type.further_layers, 0) if model_type.further_layers else 0
    padded = {key for key, value in config.items() if isinstance(value, list) and len(value) == layers + further}
    return {key: value[:layers] if key in padded else value for key, value in config.items()} if further else config


def listed_layers(rule: Kinds | None, config: Mapping[str, Any]) -> int | None:
    """Return how many layers a config lists, if its type counts them so.

    Parameters
    ----------
    rule, config
        Of the type; the model's keys.
    """
    if rule is None or not rule.counts:
        return None
    listed = config.get(rule.listed)
    if listed is None and rule.pattern:
        listed = config.get(rule.pattern)
    listed = rule.default if listed is None else listed
    return len(listed) if isinstance(listed, list | str) else None


def layer_windows(model_type: ModelType, config: Mapping[str, Any], layers: int) -> list[int]:
    """Return the tokens that a query of each layer attends to, its own included; 0 for all before it.

    Parameters
    ----------
    model_type, config, layers
        As for `layer_groups`.

    Raises
    ------
    PatternError
        As of `layer_groups`.
    """
    if not model_type.windows:
        return [0] * layers
    rotated = _rotated(model_type.positions, config, layers) if model_type.positions else [True] * layers
    return [change.get("window", 0) for change in _windows(model_type.windows, config, rotated)]


def _of_kinds(rule: Kinds, config: Mapping[str, Any], layers: int) -> list[dict[str, Any]]:
    key, kinds = rule.listed, config.get(rule.listed)
    if kinds is None and rule.pattern and (pattern := nested(rule.pattern, config)) is not None:
        key, kinds = rule.pattern, [rule.letters.get(str(letter), letter) for letter in pattern]
    if kinds is None and rule.numbers and config.get(rule.numbers) is not None:
        key = rule.numbers
        here = _numbers(key, config[key], layers)
        kinds = [rule.last if i in here else rule.others for i in range(layers)]
    if kinds is None:
        kinds = rule.default
    if kinds is None:
        every = _number(config, rule.every_key, rule.every) if rule.every_key else rule.every
        offset = _number(config, rule.offset_key, 0) if rule.offset_key else every - 1
        here = [i for i in range(layers) if (every and i % every == offset) or (i == 0 and rule.first_too)]
        kinds = [rule.last if i in here else rule.others for i in range(layers)]
    kinds = [rule.older.get(kind, kind) if isinstance(kind, str) else kind for kind in _one_each(key, kinds, layers)]
    for kind in kinds:
        _check_kind(key, kind, rule.changes)
    return [changed(rule.changes[kind], config) for kind in kinds]


def _numbers(key: str, listed: object, layers: int) -> list[int]:
    if not isinstance(listed, list) or not all(type(i) is int and 0 <= i < layers for i in listed):
        raise PatternError(key, "lists no layers of the model", f"numbers from 0 to {layers - 1}")
    return listed


def rounded_width(rule: Rounded, config: Mapping[str, Any]) -> Any:
    """Return the inner width of a network.

    Parameters
    ----------
    rule, config
        Of the type; the model's keys.
    """
    width = next((config[key] for key in rule.ffn[::-1] if config.get(key) is not None), None)
    if type(width) is not int or not config.get(rule.where):
        return width
    width = width * rule.over[0] // rule.over[1]
    factor, multiple = config.get(rule.factor), _number(config, rule.multiple, 1)
    return width if factor is None else -(-int(factor * width) // max(multiple, 1)) * multiple


def _one_each(key: str, kinds: object, layers: int) -> list[Any]:
    if not isinstance(kinds, list) or len(kinds) != layers:
        count = f"{len(kinds)} layers" if isinstance(kinds, list) else "no list"
        raise PatternError(key, f"lists {count}", f"a kind for each of {layers} layers")
    return kinds


def _check_kind(key: str, kind: object, known: Iterable[str]) -> None:
    if not isinstance(kind, str) or kind not in known:
        raise PatternError(key, f"unknown kind of layer {kind!r}", choices(sorted(known)))


def _windows(rule: Windows, config: Mapping[str, Any], rotated: Sequence[bool]) -> list[dict[str, Any]]:
    layers = len(rotated)
    width = config.get(rule.width, rule.default)
    on = bool(width) and (rule.where is None or bool(config.get(rule.where)))
    kinds = _kinds(rule, config, layers)
    if kinds is None:
        here = [not has for has in rotated] if rule.without_positions else _windowed(rule, config, layers)
        windowed = [on and is_windowed for is_windowed in here]
    else:
        windowed = [_is_windowed(kind, rule.listed) for kind in kinds]
        if any(windowed) and not width:
            raise PatternError(rule.width, "is missing", f"the width of the windows of {rule.listed}")
    if width and (rule.centred is True or (rule.centred and config.get(rule.centred))):
        width = 2 * (width // 2) + 1
    inside = {"window": width, "chunked": True} if rule.chunked else {"window": width}
    if rule.last_full:
        windowed[-1] = False
    full = changed(rule.full, config)
    mixed = any(windowed) and not all(windowed)
    return [inside if here else (full if mixed else {}) for here in windowed]


def _kinds(rule: Windows, config: Mapping[str, Any], layers: int) -> Sequence[object] | None:
    kinds = config.get(rule.listed)
    key = rule.listed
    if kinds is None and rule.runs and config.get(rule.runs) is not None:
        key = rule.runs
        try:
            kinds = list(chain.from_iterable(chain.from_iterable(repeat(run, count)) for run, count in config[key]))
        except (TypeError, ValueError):
            raise PatternError(key, "lists no kinds of layer", "lists of kinds and how often they repeat") from None
    return None if kinds is None else _one_each(key, kinds, layers)


def _is_windowed(kind: object, key: str) -> bool:
    _check_kind(key, kind, WINDOWED | FULL)
    return kind in WINDOWED


def _windowed(rule: Windows, config: Mapping[str, Any], layers: int) -> list[bool]:
    if rule.after:
        before = _number(config, rule.after, rule.after_default)
        return [i >= before for i in range(layers)]
    every = next((_number(config, key, 0) for key in rule.every_key if config.get(key)), rule.every)
    end = _number(config, rule.before, layers) if rule.before else layers
    full = 0 if rule.first else (every or 1) - 1
    return [(not every or i % every != full) and i < end for i in range(layers)]


def _written(model_type: ModelType, listed: object, layers: int) -> list[dict[str, Any]]:
    """Return the changes of ``per_layer_config``, by the number of each layer."""
    expected = f"layers from 0 to {layers - 1}, each with {choices(model_type.layer_keys)}"
    changes: list[dict[str, Any]] = [{} for _ in range(layers)]
    for number, own in listed.items() if isinstance(listed, dict) else [("", {})]:
        if not str(number).isdigit() or int(number) >= layers or not {*own} <= {*model_type.layer_keys}:
            raise PatternError("per_layer_config", "describes other layers or keys", expected)
        changes[int(number)] = {model_type.layer_keys[key]: value for key, value in own.items()}
    return changes


def _shared(rule: SharedCaches, config: Mapping[str, Any], layers: int) -> list[dict[str, Any]]:
    first = layers - _number(config, rule.last, 0)
    width = config.get("intermediate_size")
    wide = {"ffn": 2 * width} if config.get(rule.wide) and type(width) is int else {}
    return [{"kv_shared": True, **wide} if i >= first else {} for i in range(layers)]


def _indexed(rule: Indexers, config: Mapping[str, Any], layers: int) -> list[bool]:
    kinds = config.get(rule.listed)
    if kinds is not None:
        return [kind == rule.full for kind in _one_each(rule.listed, kinds, layers)]
    pattern = config.get(rule.pattern)
    if pattern is not None:
        return [letter in ("F", rule.full) for letter in _one_each(rule.pattern, list(pattern), layers)]
    every, offset = _number(config, rule.every, 1), _number(config, rule.offset, rule.offset_default)
    return [max(i - offset + 1, 0) % max(every, 1) == 0 for i in range(layers)]


def _dense(rule: Mixtures, config: Mapping[str, Any], layers: int) -> list[bool]:
    if rule.listed and config.get(rule.listed) is not None:
        return [kind == "dense" for kind in _one_each(rule.listed, config[rule.listed], layers)]
    dense = [False] * layers
    if rule.flags and isinstance(config.get(rule.flags), list):
        return [not sparse for sparse in _one_each(rule.flags, config[rule.flags], layers)]
    if rule.first or rule.first_default:
        first = _number(config, rule.first or "", rule.first_default)
        dense = [i < first for i in range(layers)]
    if rule.step:
        step = _number(config, rule.step, 1)
        step = max(step, 1)
        chosen = _number(config, rule.offset, 0) if rule.offset else step - 1
        dense = [i % step != chosen for i in range(layers)]
    if rule.start:
        start, end = _number(config, rule.start, rule.start_default), layers - 1
        if rule.end and config.get(rule.end) != -1:  # which means the last one
            end = _number(config, rule.end, end)
        interval = _number(config, rule.interval, 1) if rule.interval else 1
        dense = [not (start <= i <= end) or (i + 1) % max(interval, 1) != 0 for i in range(layers)]
    if rule.dense:
        listed = _numbers(rule.dense, config.get(rule.dense) or [], layers)
        dense = [here or i in listed for i, here in enumerate(dense)]
    if rule.sparse and config.get(rule.sparse) is not None:
        sparse: Any = config[rule.sparse]
        if isinstance(sparse, str):  # numbers with commas between
            sparse = [int(number) if number.strip().isdigit() else number for number in sparse.split(",")]
        mixtures = _numbers(rule.sparse, sparse, layers)
        dense = [i not in mixtures for i in range(layers)]
    return dense


def _rotated(rule: Positions, config: Mapping[str, Any], layers: int) -> list[bool]:
    listed = config.get(rule.rotated)
    if listed is None:
        every = _number(config, rule.except_every, rule.except_default)
        return [not every or (i + 1) % every != 0 for i in range(layers)]
    if not isinstance(listed, list) or len(listed) != layers:
        raise PatternError(rule.rotated, "does not list the layers", f"0 or 1 for each of {layers} layers")
    return [bool(here) for here in listed]


def _number(config: Mapping[str, Any], key: str, default: int) -> int:
    value = config.get(key)
    if value is None:
        return default
    if type(value) is not int or value < 0:
        raise PatternError(key, f"got {brief(value)}", "a whole number")
    return value
