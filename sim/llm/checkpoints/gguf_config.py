"""A model's configuration from the keys and tensors of a GGUF file."""

import re
from dataclasses import replace

from bitjoule.energy_models.inputs.errors import brief, choices
from bitjoule.energy_models.model_files.dequantise import read_tensor
from bitjoule.energy_models.model_files.gguf_header import GgufHeader
from bitjoule.energy_models.model_files.gguf_shape import gguf_shape
from bitjoule.sim.llm.checkpoints.gguf_checkpoint import GgufCheckpoint
from bitjoule.sim.llm.checkpoints.model_config import ModelConfig
from bitjoule.sim.llm.checkpoints.quantisation_config import QuantisationScheme, Weights
from bitjoule.sim.llm.checkpoints.reader import linear_names
from bitjoule.sim.llm.config_values import BEYOND, POSITIVE
from bitjoule.sim.llm.rope import Rope
from bitjoule.sim.reference.quantisation import Kind

ARCHITECTURES = ("bitnet", "bitnet-25", "bitnet-b1.58", "llama", "qwen2", "qwen3")
_THETA = 10000.0  # of llama.cpp where the file has none (llama_hparams::rope_freq_base_train)
# Parts that these architectures may have in a file, and that no block here has.
_NOT_RUN = {
    "experts": 1, "active_experts": 1, "window": 0, "groups": [], "rotary_share": 1.0, "head_bias": False,
    "embedding_norm": False, "norm": "rmsnorm", "norm_bias": False, "final_norm": True, "post_norm": False,
    "parallel": False, "sinks": False, "output_gate": False, "learned_positions": 0, "causal": True, "mixer": None,
}  # fmt: skip


def gguf_model_config(header: GgufHeader, weights: Weights | None) -> tuple[ModelConfig, GgufCheckpoint]:
    """Return a model's configuration and its tensors.

    Parameters
    ----------
    header
        Of the file.
    weights
        How to quantise weights that are no trits; default: not at all.

    Raises
    ------
    InputError
        A model that cannot be run.
    """
    architecture = header.metadata.get("general.architecture")
    if architecture not in ARCHITECTURES:
        raise header.error(
            "general.architecture", f"unsupported architecture {brief(architecture)}", choices(ARCHITECTURES)
        )
    shape = gguf_shape(header)
    for key, usual in _NOT_RUN.items():
        if getattr(shape, key) != usual:
            wrong = f"has {key.replace('_', ' ')} {brief(getattr(shape, key))}"
            raise header.error("general.architecture", wrong, f"{key.replace('_', ' ')} {usual}")
    if shape.qk_norm == "width":
        raise header.error("blk.0.attn_q_norm.weight", "is one norm over all heads", "a norm of each head")
    checkpoint = GgufCheckpoint(header, shape.heads, shape.kv_heads)
    names = [*linear_names(shape), *([] if shape.tied_embedding else ["lm_head"])]
    kinds = {name: checkpoint.holds(f"{name}.weight") for name in names}
    kind, scheme = _scheme(header, kinds, weights)
    positions, end = (
        header.metadata.get(key) for key in (f"{architecture}.context_length", "tokenizer.ggml.eos_token_id")
    )
    return ModelConfig(
        shape,
        _number(header, f"{architecture}.attention.layer_norm_rms_epsilon", None),
        _rope(header, str(architecture), shape.head_dim),
        (0,) * shape.layers,
        kind,
        scheme,
        ("attn_sub_norm", "ffn_sub_norm"),
        None,
        (end,) if type(end) is int else (),
        positions if type(positions) is int else None,
    ), checkpoint


def _scheme(
    header: GgufHeader, kinds: dict[str, Kind | None], requested: Weights | None
) -> tuple[Weights, QuantisationScheme]:
    """Return the kind of the weights; linears without trits are floats, unless they are to be quantised."""
    blocks = {kind for name, kind in kinds.items() if kind and name != "lm_head"}
    stored: Kind | None = None if not blocks else "binary" if blocks == {"binary"} else "ternary"
    if requested and stored and requested != stored:
        raise header.error("weights", f"is {requested}, and the file holds {stored} weights", stored)
    if not (requested or stored) or requested == "float":
        return "float", QuantisationScheme()
    kind: Kind = stored or ("binary" if requested == "binary" else "ternary")
    skipped = [name for name, holds in kinds.items() if not holds and (requested is None or name == "lm_head")]
    # a tied head stays in floating point, as in a folder
    patterns = {*map(re.escape, skipped), *(() if "lm_head" in kinds else ("lm_head",))}
    return kind, QuantisationScheme(kind, "absmax", "any", skipped=tuple(sorted(patterns)))


def _rope(header: GgufHeader, architecture: str, head_dim: int) -> Rope:
    rope = Rope(_number(header, f"{architecture}.rope.freq_base", _THETA))
    key = f"{architecture}.rope.scaling.type"
    kind = header.metadata.get(key, "none")
    if kind not in ("none", "linear"):
        raise header.error(key, f"is {brief(kind)}", choices(["none", "linear"]))
    if kind == "linear":
        rope = replace(rope, factor=_number(header, f"{architecture}.rope.scaling.factor", 1.0))
    if "rope_freqs.weight" not in header.tensors:
        return rope
    divisors = read_tensor(header.tensors["rope_freqs.weight"], header.file)
    if divisors.shape != (head_dim // 2,) or not (divisors > 0).all():
        wrong = f"has shape {list(divisors.shape)} and values from {divisors.min()}"
        raise header.error("rope_freqs.weight", wrong, f"{head_dim // 2} positive divisors")
    return replace(rope, divisors=tuple(divisors.tolist()))


def _number(header: GgufHeader, key: str, default: float | None) -> float:
    value = header.metadata.get(key, default)
    if type(value) not in (int, float) or not 0 < value < BEYOND:
        wrong = "is missing" if value is None else f"is {brief(value)}"
        raise header.error(key, wrong, POSITIVE)
    return float(value)
