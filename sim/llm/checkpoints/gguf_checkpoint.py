"""The tensors of a GGUF file by the names and in the order of rows that transformers has.

llama.cpp rotates neighbouring features in models of architecture ``llama``, transformers those half a head apart; the
converter therefore orders the rows of their query and key projections anew (`permute` in convert_hf_to_gguf.py), which
is undone here.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.model_files.dequantise import read_tensor
from bitjoule.energy_models.model_files.gguf_header import GgufHeader, StoredTensor
from bitjoule.energy_models.model_files.tensor_types import tensor_types
from bitjoule.sim.reference.checks import Float32s
from bitjoule.sim.reference.quantisation import Kind

PERMUTED = ("llama",)  # architectures
_WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
_IN_BLOCK = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "self_attn.attn_sub_norm": "attn_sub_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "mlp.ffn_sub_norm": "ffn_sub_norm",
}  # fmt: skip
_NAME = re.compile(r"(?:model\.layers\.(\d+)\.)?(.*)\.(weight_scale|weight|bias)")
_IGNORED = re.compile(r"rope_freqs\.weight")  # read with the configuration


class GgufCheckpoint:
    """The tensors of a GGUF file; see `bitjoule.sim.llm.checkpoints.tensors.Tensors`.

    Parameters
    ----------
    header
        Of the file.
    heads, kv_heads
        Of the model, for the order of the rows of queries and keys.
    """

    def __init__(self, header: GgufHeader, heads: int, kv_heads: int) -> None:
        self.file = header.file
        self._header = header
        permuted = header.metadata.get("general.architecture") in PERMUTED
        self._heads = {"attn_q": heads, "attn_k": kv_heads} if permuted else {}
        self._checked: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return self._named(name) in self._header.tensors

    def dtype(self, name: str) -> str:
        """Return ``F32``, in which values are read; see `Tensors.dtype`."""
        self._tensor(name)
        return "F32"

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape; see `Tensors.shape`."""
        return self._tensor(name).shape

    def group(self, name: str) -> int | None:
        """Return how many trits share a scale; see `Tensors.group`."""
        tensor = self._tensor(name)
        kind = tensor_types()[tensor.type]
        if self.holds(name) is None:
            return None
        return tensor.shape[-1] if kind.tail else kind.values  # of types with a tail, one scale stands there

    def holds(self, name: str) -> Kind | None:
        """Return what trits a tensor's type holds, if it holds any.

        Parameters
        ----------
        name
            The tensor.

        Raises
        ------
        InputError
            It is missing.
        """
        holds = tensor_types()[self._tensor(name).type].holds
        return "ternary" if holds == "ternary" else "binary" if holds == "binary" else None

    def error(self, name: str, wrong: str, expected: str) -> InputError:
        """Return the error for a tensor that is wrong, by its name in the file; see `Tensors.error`."""
        return self._header.error(self._named(name), wrong, expected)

    def check(self, name: str, shape: tuple[int, ...], dtypes: tuple[str, ...]) -> None:  # noqa: ARG002
        """Refuse a tensor that is missing or of another shape; see `Tensors.check`."""
        tensor = self._tensor(name)
        self._checked.add(tensor.name)
        if tensor.shape != shape:
            raise self.error(name, f"has shape {list(tensor.shape)}", f"{list(shape)}, according to the file's keys")

    def refuse_others(self, ignored: re.Pattern[str]) -> None:  # noqa: ARG002
        """Refuse a tensor that `check` has not seen; see `Tensors.refuse_others`."""
        for name in self._header.tensors:
            if name not in self._checked and not _IGNORED.fullmatch(name):
                raise self._header.error(name, "is not used by this model", "tensors that the architecture has")

    def floats(self, name: str, shape: tuple[int, ...]) -> Float32s:
        """Return a tensor's values; see `Tensors.floats`."""
        self.check(name, shape, ())
        tensor = self._tensor(name)
        values = self._finite(name, read_tensor(tensor, self.file))
        heads = self._heads.get(tensor.name.split(".")[-2])
        if heads is None:
            return values
        rows, *rest = values.shape
        return values.reshape(heads, rows // heads // 2, 2, *rest).swapaxes(1, 2).reshape(values.shape)

    def float_rows(self, name: str, start: int, stop: int) -> Float32s:
        """Return some rows of a tensor; see `Tensors.float_rows`."""
        tensor = self._tensor(name)
        if tensor_types()[tensor.type].tail:  # its scale is behind the last row
            return self._finite(name, read_tensor(tensor, self.file)[start:stop])
        return self._finite(name, read_tensor(tensor, self.file, start, stop))

    def bytes(self, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:  # noqa: ARG002
        """Refuse to return bytes, which no type of GGUF holds as such; see `Tensors.bytes`."""
        raise self.error(name, f"is of type {self._tensor(name).type}", "a type with values")

    @property
    def paths(self) -> list[Path]:
        """The file, and its further shards."""
        return sorted({tensor.path for tensor in self._header.tensors.values()})

    def _tensor(self, name: str) -> StoredTensor:
        named = self._named(name)
        if named not in self._header.tensors:
            raise self.error(name, "is missing", "a tensor of this name")
        return self._header.tensors[named]

    def _named(self, name: str) -> str:
        """Return a tensor's name in the file."""
        match = _NAME.fullmatch(name)
        if match is None:
            return name
        layer, stem, kind = match.groups()
        names = _WHOLE if layer is None else _IN_BLOCK
        block = "" if layer is None else f"blk.{layer}."
        return f"{block}{names.get(stem, stem)}.{'scale' if kind == 'weight_scale' else kind}"

    def _finite(self, name: str, values: Float32s) -> Float32s:
        if not np.isfinite(values).all():
            at = int(np.flatnonzero(~np.isfinite(values))[0])
            raise self.error(name, f"holds {values.flat[at]} in float32", "finite weights")
        return values
