"""Layers of a Hugging Face model that differ: windows, dense layers of mixtures, layers without positions."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from bitjoule.energy_models.architecture.model_types import Kinds, Mixtures, ModelType, Positions, Windows
from bitjoule.energy_models.inputs.errors import choices

DENSE = {"experts": 1, "active_experts": 1, "shared_ffn": 0, "shared_gate": False, "router_bias": False}
WINDOWED = frozenset({"sliding_attention", "local"})
FULL = frozenset({"full_attention", "global"})


class PatternError(ValueError):
    """A key of a config that describes no layers.

    Parameters
    ----------
    key
        Of the config.
    wrong, expected
        As for `bitjoule.energy_models.inputs.errors.Problem`.
    """

    def __init__(self, key: str, wrong: str, expected: str) -> None:
        super().__init__(f"{key}: {wrong}; expected {expected}")
        self.key, self.wrong, self.expected = key, wrong, expected


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
    changes: list[dict[str, Any]] = [{} for _ in range(layers)]
    rotated = _rotated(model_type.positions, config, layers) if model_type.positions else [True] * layers
    if model_type.windows:
        for change, own in zip(changes, _windows(model_type.windows, config, rotated), strict=True):
            change |= own
    if model_type.kinds:
        for change, own in zip(changes, _of_kinds(model_type.kinds, config, layers), strict=True):
            change |= own
    if model_type.mixtures and mixes:
        for change, dense in zip(changes, _dense(model_type.mixtures, config, layers), strict=True):
            change |= DENSE if dense else {}
    for change, here in zip(changes, rotated, strict=True):
        change |= {} if here else {"rotary_share": 0.0}
    groups: dict[str, dict[str, Any]] = {}
    for change in changes:
        group = groups.setdefault(json.dumps(change, sort_keys=True), {"repeats": 0, **change})
        group["repeats"] += 1
    return list(groups.values())


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
    every = _number(config, rule.every_key, rule.every)
    kinds = config.get(rule.listed)
    if kinds is None:
        kinds = [rule.others if (i + 1) % max(every, 1) else rule.last for i in range(layers)]
    kinds = _one_each(rule.listed, kinds, layers)
    for kind in kinds:
        _check_kind(rule.listed, kind, rule.changes)
    return [_changed(rule.changes[kind], config) for kind in kinds]


def _changed(changes: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a kind's changes, nested where their keys have dots."""
    result: dict[str, Any] = {}
    for name, value in changes.items():
        put(result, name, config.get(value[1:]) if isinstance(value, str) and value.startswith("=") else value)
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
    mixed = any(windowed) and not all(windowed)
    return [{"window": width} if here else (rule.full if mixed else {}) for here in windowed]


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
    return [(not every or (i + 1) % every != 0) and i < end for i in range(layers)]


def _dense(rule: Mixtures, config: Mapping[str, Any], layers: int) -> list[bool]:
    dense = [False] * layers
    if rule.first:
        first = _number(config, rule.first, rule.first_default)
        dense = [i < first for i in range(layers)]
    if rule.step:
        step = _number(config, rule.step, 1)
        dense = [(i + 1) % max(step, 1) != 0 for i in range(layers)]
    if rule.start:
        start, end = _number(config, rule.start, rule.start_default), layers - 1
        if rule.end and (last := _number(config, rule.end, -1)) >= 0:
            end = last
        interval = _number(config, rule.interval, 1) if rule.interval else 1
        dense = [not (start <= i <= end) or (i + 1) % max(interval, 1) != 0 for i in range(layers)]
    if rule.dense:
        listed = config.get(rule.dense) or []
        if not isinstance(listed, list) or not all(type(i) is int and 0 <= i < layers for i in listed):
            raise PatternError(rule.dense, "lists no layers of the model", f"numbers from 0 to {layers - 1}")
        dense = [here or i in listed for i, here in enumerate(dense)]
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
        raise PatternError(key, f"got {value!r}", "a whole number")
    return value
