"""Layers that an architecture search chose one by one: ``block_configs`` of Nemotron-NAS (DeciLM)."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from bitjoule.energy_models.architecture.readers.pattern_errors import PatternError
from bitjoule.energy_models.inputs.errors import brief, choices

KEY = "block_configs"
MULTIPLE = 256  # of an inner width
# Keys of a block, with values that leave the layer as it is counted: others would change it in a way that is not known.
ATTENTION: Mapping[str, tuple[Any, ...]] = {
    "num_sink_tokens": (None, 0), "sparsify": (None, [], False), "unshifted_sink": (None, False),
    "use_prefill_window_in_sink_attention": (None, False), "window_length": (None,),
}  # fmt: skip
NETWORK: Mapping[str, tuple[Any, ...]] = {"sparsify": (None, [], False)}


def block_changes(config: Mapping[str, Any], layers: int) -> list[dict[str, Any]]:
    """Return what is special in each layer.

    Parameters
    ----------
    config
        The model's keys.
    layers
        How many there are.

    Raises
    ------
    PatternError
        A block is no block of this kind, or one that is not known.
    """
    return [
        {**_attention(at, block.get("attention"), config), **_network(at, block.get("ffn"), config)}
        for at, block in _blocks(config, layers)
    ]


def widest_network(config: Mapping[str, Any], layers: int) -> int:
    """Return the greatest inner width, or 1 if no layer has a network.

    Parameters
    ----------
    config, layers
        As for `block_changes`.

    Raises
    ------
    PatternError
        As of `block_changes`.
    """
    widths: list[int] = [_network(at, block.get("ffn"), config).get("ffn", 1) for at, block in _blocks(config, layers)]
    return max(widths)


def _blocks(config: Mapping[str, Any], layers: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    blocks = config.get(KEY)
    if not isinstance(blocks, list) or len(blocks) != layers:
        count = f"lists {len(blocks)} layers" if isinstance(blocks, list) else f"got {brief(blocks)}"
        raise PatternError(KEY, count, f"attention and ffn of each of {layers} layers")
    for i, block in enumerate(blocks):
        if not isinstance(block, dict) or not {*block} <= {"attention", "ffn", "parallel_blocks"}:
            raise PatternError(f"{KEY}[{i}]", f"got {brief(block)}", "a mapping with the keys attention and ffn")
        if block.get("parallel_blocks"):
            raise PatternError(f"{KEY}[{i}].parallel_blocks", "is not supported", "one attention and one network")
        yield f"{KEY}[{i}]", block


def _attention(at: str, block: object, config: Mapping[str, Any]) -> dict[str, Any]:
    own = _checked(f"{at}.attention", block, "n_heads_in_group", ATTENTION)
    if own.get("no_op"):
        return {"mixer": {"kind": "none"}}
    if own.get("replace_with_linear"):
        return {"mixer": {"kind": "linear", "bias": bool(config.get("attention_bias"))}}
    group, heads = own.get("n_heads_in_group"), config.get("num_attention_heads")
    if type(group) is not int or type(heads) is not int or group < 1 or heads % group:
        expected = "a divisor of num_attention_heads, no_op or replace_with_linear"
        raise PatternError(f"{at}.attention.n_heads_in_group", f"got {brief(group)}", expected)
    return {"kv_heads": heads // group}


def _network(at: str, block: object, config: Mapping[str, Any]) -> dict[str, Any]:
    own = _checked(f"{at}.ffn", block, "ffn_mult", NETWORK)
    if own.get("no_op"):
        return {"feed_forward": False}
    if own.get("replace_with_linear"):
        return {"feed_forward": "linear"}
    factor, hidden = own.get("ffn_mult"), config.get("hidden_size")
    if not isinstance(factor, int | float) or not 0 < factor < math.inf:
        raise PatternError(f"{at}.ffn.ffn_mult", f"got {brief(factor)}", "a number, no_op or replace_with_linear")
    if type(hidden) is not int:  # a problem by itself
        return {}
    width = int(2 * factor * hidden / 3)  # of three matrices, as large as two of the factor's width
    return {"ffn": -(-width // MULTIPLE) * MULTIPLE}


def _checked(at: str, block: object, size: str, inactive: Mapping[str, tuple[Any, ...]]) -> Mapping[str, Any]:
    """Return a block whose keys are known."""
    keys = ("no_op", "replace_with_linear", size)
    if not isinstance(block, dict) or not {*block} <= {*keys, *inactive}:
        raise PatternError(at, f"got {brief(block)}", f"a mapping with the keys {', '.join((*keys, *inactive))}")
    for key, allowed in inactive.items():
        if block.get(key) not in allowed:
            raise PatternError(
                f"{at}.{key}",
                f"{brief(block[key])} is not supported",
                choices(each if isinstance(each, str) else brief(each) for each in allowed),
            )
    return block
