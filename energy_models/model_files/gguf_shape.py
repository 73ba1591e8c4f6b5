"""The shape of a model from the header of its GGUF file: keys say the sizes, tensors say which parts there are."""

import re
from functools import cache
from typing import Any, Literal

from pydantic import Field

from bitjoule.energy_models.architecture.block import stored_values
from bitjoule.energy_models.architecture.layer_numbers import numbered_groups
from bitjoule.energy_models.architecture.layers import LayerShape
from bitjoule.energy_models.architecture.shape import ModelShape, shape_from
from bitjoule.energy_models.inputs.documents import Document, read_document
from bitjoule.energy_models.inputs.errors import InputError, brief, choices, spelling
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate
from bitjoule.energy_models.model_files.gguf_header import GgufHeader, StoredTensor
from bitjoule.energy_models.model_files.stored import PARTS, StoredValues, parameters
from bitjoule.energy_models.model_files.tensor_types import tensor_types

BLOCK = re.compile(r"blk\.(\d+)\.(.+)")
TABLES = {"token_embd": "embedding", "output": "lm_head"}
NORMS = {"output_norm": "other", "token_embd_norm": "other", "position_embd": "other"}


class Architecture(Strict):
    """What the header does not say; data/gguf_architectures.yaml explains the keys."""

    activation: str
    ffn_norm: str = "ffn_norm"
    window_every: int = Field(default=0, ge=0)
    full_unrotated: bool = False
    unrotated_every: int = Field(default=0, ge=0)
    unrotated: bool = False
    mixer: Literal["", "latent_attention", "mamba"] = ""
    source: str = ""
    where: str = ""


class _Architectures(Strict):
    """The file data/gguf_architectures.yaml."""

    source: str
    where: str
    architectures: dict[str, Architecture]
    tensors: dict[str, list[str]]
    not_counted: dict[str, str]


@cache
def _data() -> _Architectures:
    return validate(_Architectures, read_document(DATA / "gguf_architectures.yaml"))


def architectures() -> dict[str, Architecture]:
    """Return the architectures that can be read, by the name that a header has.

    Raises
    ------
    InputError
        data/gguf_architectures.yaml is wrong.
    """
    return _data().architectures


def gguf_stored(header: GgufHeader) -> list[StoredValues]:
    """Return the tensors of a file by part.

    Parameters
    ----------
    header
        Of the file.

    Raises
    ------
    InputError
        A tensor's name is not known.
    """
    stored = []
    for tensor in header.tensors.values():
        part = _part(tensor.name)
        if not part:
            wrong = f"is not known to be a tensor of {brief(header.metadata.get('general.architecture'))}"
            raise header.error(tensor.name, wrong, "a model of attention and FFNs or mixtures of them")
        kind = tensor_types()[tensor.type]
        values = 0 if _is_scale(tensor.name) else tensor.values
        stored.append(StoredValues(tensor.name, tensor.type, part, values, tensor.bytes, kind.holds))
    return stored


def _is_scale(name: str) -> bool:
    return name.endswith((".scale", "_scale"))


def _part(name: str) -> str:
    """Return the part that a tensor belongs to; empty if its name is not known."""
    match = BLOCK.fullmatch(name)
    stem, _, kind = (match[2] if match else name).rpartition(".")
    if match is None:
        if stem in _data().not_counted:
            return "not counted"
        table = TABLES.get(stem, "")
        return ("other" if kind == "bias" and table else table) or NORMS.get(stem, "")
    if not stem or _is_scale(name):  # ssm_a and ssm_d have no ending
        stem, kind = (stem or kind).removesuffix("_scale"), "weight"
    if stem in _data().not_counted:
        return "not counted"
    part = next((part for part, names in _data().tensors.items() if stem in names), "")
    return "other" if part and kind == "bias" else part


class _Keys:
    """The keys of one architecture, and the tensors of its layers."""

    def __init__(self, header: GgufHeader, name: str, rules: Architecture) -> None:
        self.header, self.name, self.rules = header, name, rules

    def get(self, key: str, layer: int | None = None) -> Any:
        """Return a key's value, of a list that of a layer; none if it is not there."""
        value = self.header.metadata.get(f"{self.name}.{key}")
        if isinstance(value, list) and layer is not None:
            if layer >= len(value):
                raise self.error(key, f"lists {len(value)} layers", "a value for each")
            return value[layer]
        return value

    def size(self, key: str, layer: int | None = None) -> int:
        """Return a key's value, a whole number."""
        value = self.get(key, layer)
        if type(value) is not int or value < 1:
            raise self.error(key, "is missing" if value is None else f"got {brief(value)}", "a whole number above 0")
        return value

    def error(self, key: str, wrong: str, expected: str) -> InputError:
        return self.header.error(f"{self.name}.{key}", wrong, expected)

    def tensor(self, name: str, layer: int | None = None) -> StoredTensor | None:
        at = name if layer is None else f"blk.{layer}.{name}"
        return self.header.tensors.get(at)

    def rows(self, name: str, layer: int | None = None) -> int:
        """Return the outputs of a matrix."""
        tensor = self.tensor(name, layer)
        if tensor is None:
            at = name if layer is None else f"blk.{layer}.{name}"
            raise self.header.error(at, "is missing", f"this tensor of {self.name}")
        return tensor.shape[-2] if len(tensor.shape) > 1 else tensor.shape[0]


def gguf_shape(header: GgufHeader) -> ModelShape:
    """Return the shape of the model in a GGUF file.

    Parameters
    ----------
    header
        Of the file.

    Raises
    ------
    InputError
        The architecture or a tensor is not known, a key is missing or wrong, or the tensors are not those of the shape.
    """
    name = header.metadata.get("general.architecture")
    if not isinstance(name, str) or name not in architectures():
        wrong = f"unknown architecture {brief(name)}{spelling(name, architectures())}"
        raise header.error("general.architecture", wrong, choices(architectures(), len(architectures())))
    keys = _Keys(header, name, architectures()[name])
    hidden, layers = keys.size("embedding_length"), keys.size("block_count")
    if layers > len(header.tensors):
        raise keys.error("block_count", f"got {layers}, with {len(header.tensors)} tensors", "the layers in the file")
    rms = keys.get("attention.layer_norm_rms_epsilon") is not None
    described = [_layer(keys, i, hidden) for i in range(layers)]
    positions = keys.tensor("position_embd.weight")
    shape: dict[str, Any] = {
        "layers": layers,
        "hidden": hidden,
        "vocabulary": keys.rows("token_embd.weight"),
        "tied_embedding": keys.tensor("output.weight") is None,
        "head_bias": keys.tensor("output.bias") is not None,
        "norm": "rmsnorm" if rms else "layernorm",
        "norm_bias": keys.tensor("output_norm.bias") is not None,
        "final_norm": keys.tensor("output_norm.weight") is not None,
        "embedding_norm": keys.tensor("token_embd_norm.weight") is not None,
        "learned_positions": positions.shape[0] if positions else 0,
        "causal": keys.get("attention.causal") is not False,
        **described[0],
    }
    if any(layer != described[0] for layer in described):
        shape["groups"] = _groups(described)
    stored = gguf_stored(header)
    others = [tensor.name for tensor in stored if tensor.part == "not counted"]
    shape["note"] = f"read from a GGUF file of architecture {name}"
    if others:
        reason = _data().not_counted[others[0].split(".")[-2]]
        shape["note"] += f"; not counted: {', '.join(others)} ({reason})"
    result = shape_from(Document(header.file, shape, {(): 1}), shape, ())
    _check(header, result, stored)
    return result


def _groups(described: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the layers as groups, each with what differs from the first layer."""
    groups: dict[str, tuple[list[int], dict[str, Any]]] = {}
    defaults = {key: field.default for key, field in LayerShape.model_fields.items()}
    for number, layer in enumerate(described):
        differs = {key: layer.get(key, defaults[key]) for key in {**described[0], **layer}}
        differs = {key: value for key, value in differs.items() if value != described[0].get(key, defaults[key])}
        groups.setdefault(repr(sorted(layer.items(), key=str)), ([], differs))[0].append(number)
    return numbered_groups(groups.values())


def _check(header: GgufHeader, shape: ModelShape, stored: list[StoredValues]) -> None:
    """Refuse a file whose tensors have other parameters than its keys describe."""
    counted, described = parameters(stored), stored_values(shape.blocks)
    for part in PARTS[:-1]:
        if counted[part] != described[part]:
            wrong = f"the tensors hold {counted[part]} values of {part.replace('_', ' ')}, the keys describe"
            raise header.error("file", f"{wrong} {described[part]}", "tensors and keys of one model")


def _layer(keys: _Keys, i: int, hidden: int) -> dict[str, Any]:
    """Return the keys of `LayerShape` of a layer."""
    rules = keys.rules

    def has(name: str) -> bool:
        return keys.tensor(name, i) is not None

    if rules.mixer == "mamba":  # without heads and networks
        return {"mixer": _mamba(keys, i), "activation": rules.activation}
    heads = keys.size("attention.head_count", i)
    if rules.mixer == "latent_attention":
        bias = keys.tensor("attn_output.bias", i) is not None
        mixer = {"mixer": _latent_attention(keys, i), "heads": heads, "output_bias": bias}
        return {**mixer, "activation": rules.activation, **_ffn(keys, i)}
    kv_heads = heads if keys.get("attention.head_count_kv", i) is None else keys.size("attention.head_count_kv", i)
    head_dim = keys.get("attention.key_length")
    if head_dim is None and hidden % heads:
        wrong = f"got {heads}, no divisor of embedding_length ({hidden})"
        raise keys.error("attention.head_count", wrong, "a divisor, or attention.key_length")
    head_dim = hidden // heads if head_dim is None else keys.size("attention.key_length")
    if keys.get("attention.value_length") not in (None, head_dim):
        wrong = f"got {keys.get('attention.value_length')}, with keys of {head_dim}"
        raise keys.error("attention.value_length", wrong, "keys and values of one width")
    norm_before_ffn = has(f"{rules.ffn_norm}.weight")
    layer: dict[str, Any] = {
        "heads": heads,
        "kv_heads": kv_heads,
        "head_dim": head_dim,
        "activation": rules.activation,
        "pre_norm": has("attn_norm.weight"),
        "sub_norm": has("attn_sub_norm.weight"),
        "post_norm": rules.ffn_norm != "post_attention_norm" and has("post_attention_norm.weight"),
        "parallel": has("attn_norm.weight") and not norm_before_ffn and not has("attn_norm_2.weight"),
        "qkv_bias": has("attn_q.bias") or has("attn_qkv.bias"),
        "output_bias": has("attn_output.bias"),
        "sinks": has("attn_sinks.weight"),
        **_ffn(keys, i),
    }
    gain = keys.tensor("attn_q_norm.weight", i)
    if gain:
        layer["qk_norm"] = "width" if gain.values == heads * head_dim != head_dim else True
    rotated = keys.get("rope.dimension_count")
    if type(rotated) is int and rotated < head_dim:
        layer["rotary_share"] = rotated / head_dim
    if has("ssm_conv1d.weight"):
        layer["mixer"] = _gated_delta(keys, i)
    elif not has("attn_qkv.weight"):
        layer["output_gate"] = keys.rows("attn_q.weight", i) == 2 * heads * head_dim
    return layer | _window(keys, i)


def _window(keys: _Keys, i: int) -> dict[str, Any]:
    """Return the window of a layer, and whether it has rotary positions."""
    rules, width = keys.rules, keys.get("attention.sliding_window")
    pattern = keys.get("attention.sliding_window_pattern", i)
    every = pattern if type(pattern) is int and pattern > 1 else rules.window_every
    windowed = pattern if type(pattern) is bool else every == 1 or bool(every and (i + 1) % every)
    last = bool(rules.unrotated_every) and (i + 1) % max(rules.unrotated_every, 1) == 0
    unrotated = rules.unrotated or last or (rules.full_unrotated and bool(width) and not windowed)
    result: dict[str, Any] = {"rotary_share": 0.0} if unrotated else {}
    return result | ({"window": width} if width and windowed else {})


def _ffn(keys: _Keys, i: int) -> dict[str, Any]:
    """Return the keys of a layer's FFN or mixture."""
    bias = any(keys.tensor(f"ffn_{name}.bias", i) for name in ("up", "down", "up_exps", "down_exps"))
    if not any(keys.tensor(f"ffn_up{end}.weight", i) for end in ("", "_exps")) and not keys.tensor(
        "ffn_gate_up_exps.weight", i
    ):
        raise keys.header.error(f"blk.{i}.ffn_up.weight", "is missing", f"this tensor of {keys.name}")
    if keys.tensor("ffn_up.weight", i):
        gate = keys.tensor("ffn_gate.weight", i) is not None
        rows, width = keys.rows("ffn_up.weight", i), keys.get("feed_forward_length", i)
        fused = not gate and rows == 2 * width if type(width) is int else False
        return {"ffn": rows // 2 if fused else rows, "ffn_gated": gate or fused, "ffn_bias": bias}
    fused_experts = keys.tensor("ffn_gate_up_exps.weight", i) is not None
    inner = keys.rows("ffn_gate_up_exps.weight", i) // 2 if fused_experts else keys.rows("ffn_up_exps.weight", i)
    shared = keys.tensor("ffn_up_shexp.weight", i)
    return {
        "ffn": inner,
        "ffn_gated": fused_experts or keys.tensor("ffn_gate_exps.weight", i) is not None,
        "ffn_bias": bias,
        "experts": keys.size("expert_count"),
        "active_experts": keys.size("expert_used_count"),
        "shared_ffn": shared.shape[0] if shared else 0,
        "shared_gate": keys.tensor("ffn_gate_inp_shexp.weight", i) is not None,
        "router_bias": keys.tensor("ffn_gate_inp.bias", i) is not None,
    }


def _gated_delta(keys: _Keys, _: int) -> dict[str, Any]:
    heads = keys.size("ssm.time_step_rank")
    return {
        "kind": "gated_delta",
        "key_heads": keys.size("ssm.group_count"),
        "value_heads": heads,
        "key_dim": keys.size("ssm.state_size"),
        "value_dim": keys.size("ssm.inner_size") // heads,
        "kernel": keys.size("ssm.conv_kernel"),
    }


def _latent_attention(keys: _Keys, i: int) -> dict[str, Any]:
    """Return the mixer of latent attention, whose expansion is one matrix, or one for keys and one for values."""
    heads, kv_rank, rope_dim = (
        keys.size(key) for key in ("attention.head_count", "attention.kv_lora_rank", "rope.dimension_count")
    )
    ends = ("key_length", "value_length")
    in_heads = keys.get("attention.key_length_mla") is not None  # the others are then those of the latents
    head_dim, value_dim = (keys.size(f"attention.{end}_mla" if in_heads else f"attention.{end}") for end in ends)
    if head_dim <= rope_dim:
        raise keys.error("rope.dimension_count", f"got {rope_dim} of {head_dim}", "less than the width of a head")
    compressed = keys.tensor("attn_q_a.weight", i) is not None
    expanded = heads * (head_dim - rope_dim + value_dim)
    stored = [keys.tensor(f"{name}.weight", i) for name in ("attn_kv_b", "attn_k_b", "attn_v_b")]
    found = sum(tensor.values for tensor in stored if tensor)
    if found != kv_rank * expanded:
        wrong = f"expands {kv_rank} values into {found // kv_rank}, the keys say {expanded}"
        raise keys.header.error(f"blk.{i}.attn_kv_b.weight", wrong, "tensors and keys of one model")
    return {
        "kind": "latent_attention",
        "kv_rank": kv_rank,
        "query_rank": keys.size("attention.q_lora_rank") if compressed else 0,
        "nope_dim": head_dim - rope_dim,
        "rope_dim": rope_dim,
        "value_dim": value_dim,
    }


def _mamba(keys: _Keys, i: int) -> dict[str, Any]:
    return {
        "kind": "mamba",
        "inner": keys.size("ssm.inner_size"),
        "state": keys.size("ssm.state_size"),
        "rank": keys.size("ssm.time_step_rank"),
        "kernel": keys.size("ssm.conv_kernel"),
        "bias": keys.tensor("ssm_in.bias", i) is not None,
        "conv_bias": keys.tensor("ssm_conv1d.bias", i) is not None,
        "selection_norms": "plain" if keys.get("ssm.dt_b_c_rms") is True else False,
    }
